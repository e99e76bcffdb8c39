//! What a principal may do, by policies in AWS's JSON.
//!
//! `document.rs` reads a policy once into a form that is quick to ask, `decide.rs` decides by policies and facts and is
//! pure, `grants.rs` finds the policies of whoever asks.
//!
//! - P1: an explicit deny wins; what nothing allows is not allowed.
//! - P2: what a policy says that this server does not know is an error when it is read, never passed over.
//! - P3: names of requests are never patterns: only what a policy itself writes is.

mod actions;
mod attached;
pub(crate) mod builtin;
mod condition;
mod decide;
mod document;
mod facts;
mod grants;
mod key;
pub(super) mod node;
mod pattern;
mod question;
#[cfg(test)]
mod tests;
mod web;
mod why;

pub(crate) use document::{InvalidPolicy, Policy};
pub use grants::Grants;
pub(crate) use question::Question;
pub(crate) use why::Explanation;
#[cfg(test)]
pub(crate) use why::Outcome;
