//! Delta Sharing through a whole server: what is taken back is gone at once, and who may not gets the right error.

mod errors;
mod iceberg;
mod lake;
mod race;
mod reads;
mod restarts;
mod revoked;
mod slow;
mod tokens;
mod urls;
