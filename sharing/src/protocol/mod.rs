//! The wire of Delta Sharing v1, pure: what requests say, how answers are written.
//!
//! - M1: a request is read whole before anything is done for it; what it says beyond the protocol is passed over, what
//!   contradicts the protocol is refused with the reference server's words, which clients match.
//! - M2: nothing is told unasked: no line of an end, no capability, no format the client did not list.
//! - M3: no null is written but the value of a partition column that is null: clients take a key that is there for a value.
//!
//! Source: delta-sharing, PROTOCOL.md; where clients differ: docs/API-QUIRKS.md.

mod capabilities;
mod failure;
mod form;
mod lines;
mod params;
mod query;
mod timestamp;
mod token;

pub use capabilities::{Capabilities, FileIds, Formats};
pub use failure::{Failure, Kind};
pub use form::{Columns, Form, Format};
pub use lines::{
    End, Fault, FileLines, Head, LineError, Part, Stamp, end_line, metadata_line, protocol_line,
    writes_changes,
};
pub(crate) use lines::{log_head, object, quoted};
pub use params::{Bound, ChangesParams, ListParams, MetadataParams, PAGE_ITEMS_MAX, VersionParams};
pub use query::{At, BODY_BYTES_MAX, Poll, Query};
pub use timestamp::timestamp_ms;
pub use token::{Checksum, Page, Refresh, Subject, Tokens};
