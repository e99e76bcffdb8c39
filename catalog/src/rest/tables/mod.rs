//! Tables, one verb per file.

mod answer;
pub(crate) mod commit;
pub(crate) mod create;
pub(crate) mod credentials;
pub(crate) mod delegate;
pub(crate) mod drop;
pub(crate) mod dropped;
pub(crate) mod exists;
pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod metrics;
mod placement;
pub(crate) mod register;
pub(crate) mod rename;
pub(crate) mod sign;
mod signed;
pub(crate) mod undrop;
pub(crate) mod unregister;

pub(crate) use self::answer::{Deletes, Encoding, Shown, SnapshotMode, TableAnswers, encoding};
pub(crate) use self::commit::commit;
pub(crate) use self::create::create;
pub(crate) use self::credentials::credentials;
pub(crate) use self::drop::drop;
pub(crate) use self::dropped::dropped;
pub(crate) use self::exists::exists;
pub(crate) use self::list::list;
pub(crate) use self::load::load;
pub(crate) use self::metrics::metrics;
pub(crate) use self::register::register;
pub(crate) use self::rename::rename;
pub(crate) use self::sign::sign;
pub(crate) use self::undrop::undrop;
pub(crate) use self::unregister::unregister;
