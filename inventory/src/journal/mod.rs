//! The journal of a bucket: a table of every change to its objects, and one of the objects there are.
//!
//! The object core is not seen from here: the binary implements [`ChangeLog`] over it.

mod changes;

pub use changes::{Change, ChangeLog, ChangeLogError, Changed, Origin, State};
