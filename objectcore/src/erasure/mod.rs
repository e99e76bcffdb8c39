//! Erasure coding: bytes to shards that stand the loss of some, and back.
//!
//! A *blob* is an immutable run of bytes named by a random id. It is cut into stripes
//! ([`layout`]); each stripe becomes one shard for every drive of the set ([`codec`]); each shard
//! is cut into blocks that carry their own hash ([`block`]). [`window`] reads a range of a stripe
//! back from whatever shards are intact. Nothing here touches a drive: shards come from a
//! [`window::ShardSource`] and go to a closure.

pub(crate) mod block;
pub(crate) mod codec;
pub(crate) mod encode;
pub(crate) mod header;
pub(crate) mod layout;
pub(crate) mod matrix;
pub(crate) mod window;

#[cfg(test)]
mod tests;
