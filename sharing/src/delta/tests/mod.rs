//! Tables written by hand into a store in memory.

mod changes;
mod features;
mod fixture;
mod hostile;
mod load;
mod times;
mod virtual_log;
