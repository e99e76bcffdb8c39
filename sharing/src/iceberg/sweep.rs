//! Names of columns are kept while a share names their table.

use std::collections::HashSet;

use tarn_catalog::state::{Conflict, Expect};
use tarn_catalog::{Catalog, CommitError};
use uuid::Uuid;

use super::source::COLUMNS_KIND;
use crate::directory::Directory;

/// Removes what is kept of the columns of tables that no share names: how many. Of a dropped table that can come back it
/// is kept. When a table is shared again, its names are made anew of what the catalog still has of it.
pub async fn sweep_columns(catalog: &Catalog, directory: &Directory) -> Result<usize, CommitError> {
    let kept = catalog.list_documents(COLUMNS_KIND);
    if kept.is_empty() {
        return Ok(0);
    }
    let shared = shared(catalog, directory);
    let mut removed = 0;
    for (id, document) in kept {
        if Uuid::try_parse(&id).is_ok_and(|uuid| shared.contains(&uuid)) {
            continue;
        }
        let expect = Expect::Revision(document.revision);
        match catalog.delete_document(COLUMNS_KIND, &id, expect).await {
            Ok(_removed) => removed += 1,
            // It is used again.
            Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

/// The tables that shares name.
fn shared(catalog: &Catalog, directory: &Directory) -> HashSet<Uuid> {
    let state = catalog.snapshot();
    let idents: HashSet<_> = directory.iceberg_tables().collect();
    let there = idents.iter().filter_map(|ident| state.table(ident)).map(|entry| entry.uuid);
    let dropped = state.dropped_tables(None).filter(|dropped| idents.contains(&dropped.ident));
    there.chain(dropped.map(|dropped| dropped.entry.uuid)).collect()
}
