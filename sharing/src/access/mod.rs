//! Who reads: bearer tokens, grants, addresses and rates of recipients.

mod ticket;

pub use ticket::{Gone, Ticket};
