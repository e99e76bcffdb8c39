//! AWS Signature Version 4: reading, checking and making signatures.

pub(crate) mod canonical;
pub(crate) mod credential;
pub(crate) mod date;
pub(crate) mod payload;
pub(crate) mod presented;
pub(crate) mod sign;
pub(crate) mod signing_key;
pub(crate) mod verify;

#[cfg(test)]
pub(crate) mod tests;
