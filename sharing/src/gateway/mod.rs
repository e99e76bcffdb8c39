//! The gateway of files: URLs that this server signs for readers, and the answers to them.
//!
//! - W1: a URL opens one object, for reading, until its time. All of that is under its signature.
//! - W2: a URL is as good as what it was given out for ([`Ticket`](crate::access::Ticket)): that is looked up when it is
//!   used, and again with every piece of the answer, so that a revocation ends a download that runs.
//! - W3: an answer tells nothing of objects, buckets or reasons that the URL does not tell itself.

mod range;
mod serve;
mod standing;
mod url;

pub use serve::{Gateway, Tickets, router};
pub use standing::Standing;
pub use url::{InvalidUrl, Signed, Signer, Urls};

/// Where the gateway's routes begin.
pub const MOUNT: &str = "/_delta-sharing/files";
