//! Shares and recipients: documents of the catalog's log, and how they change.
//!
//! - G1: every share, shared table, recipient, grant and token has an id of its birth. What refers to one refers to that:
//!   one made anew under an old name inherits no grant, no token and no URL.
//! - G2: nothing is cached but by revision: what is revoked is refused at the next request.

mod document;

pub use document::{
    EqualityDeletes, Grant, History, RECIPIENT_KIND, Recipient, RowFilter, RowValues, SHARE_KIND, Share,
    SharedSchema, SharedTable, Sharer, Source, Status, Token, TokenKind, UnsupportedColumns,
};
