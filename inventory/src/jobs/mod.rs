//! Jobs: work that takes long, is told while it runs, and goes on after a kill.

mod definition;
mod schedule;
mod work;

pub use definition::{Author, Definition, Priority};
pub use schedule::Schedule;
pub use work::{Context, Ended, InvalidSpec, Progress, Rights, Stopped, Work, WorkError};
