//! What both sides of an HTTP boundary of Tarn agree on: the access contract, request
//! identity, ranges of addresses, error envelopes and page tokens. Depends on no other crate of Tarn.

pub mod access;
mod action;
pub mod network;
pub mod page;
pub mod request;
pub mod vend;
