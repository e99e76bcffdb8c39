//! Namespaces, one verb per file.

pub(crate) mod create;
pub(crate) mod drop;
pub(crate) mod exists;
pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod properties;

pub(crate) use self::create::create;
pub(crate) use self::drop::drop;
pub(crate) use self::exists::exists;
pub(crate) use self::list::list;
pub(crate) use self::load::load;
pub(crate) use self::properties::properties;
