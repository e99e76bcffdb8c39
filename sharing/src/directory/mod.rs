//! Shares and recipients: documents of the catalog's log, and how they change.
//!
//! - G1: every share, shared table, recipient, grant and token has an id of its birth. What refers to one refers to that:
//!   one made anew under an old name inherits no grant, no token and no URL. What narrows a table's history or the rows of
//!   a grant makes it anew.
//! - G2: nothing is cached but by revision: what is revoked is refused at the next request.
//! - G3: a change is decided on a document as it was read and kept only if it is still that one.
//!
//! Who may change what is asked by the admin API; who may read what is decided in `access`.

mod contents;
mod document;
mod error;
mod grants;
pub mod limits;
mod name;
mod recipients;
mod shares;
mod source;
mod tables;
#[cfg(test)]
mod tests;
mod tokens;
mod write;

use std::sync::Arc;

use tarn_catalog::{Catalog, WarehouseStores};

pub use contents::Content;
pub use document::{
    EqualityDeletes, Grant, History, RECIPIENT_KIND, Recipient, RowFilter, RowValues, SHARE_KIND, Share,
    SharedSchema, SharedTable, Sharer, Source, Status, Token, TokenKind, UnsupportedColumns,
};
pub use error::DirectoryError;
pub use grants::{Births, Filters};
pub use name::{NAME_BYTES_MAX, Named, lower};
pub use recipients::{NewRecipient, RecipientChange};
pub use tables::{NewTable, TableChange};
pub use tokens::{Federation, Rotated, token_end};

/// Changes shares and recipients.
#[derive(Clone)]
pub struct Directory {
    catalog: Catalog,
    /// The buckets that Delta tables lie in.
    stores: Arc<dyn WarehouseStores>,
}

impl Directory {
    /// Keeps everything in `catalog`, in whose name it is set.
    pub fn new(catalog: Catalog, stores: Arc<dyn WarehouseStores>) -> Self {
        Self { catalog, stores }
    }
}
