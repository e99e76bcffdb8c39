//! Tables written by hand into a store in memory.

mod changes;
mod features;
mod fixture;
mod hostile;
mod load;
mod times;
mod virtual_log;

/// A place with nothing in it.
pub(super) fn place() -> super::bench::Place {
    let fixture = fixture::Fixture::default();
    fixture.tables(super::Limits::default(), 1).place("main", "t").expect("a right prefix")
}
