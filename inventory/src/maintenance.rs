//! Maintenance of one catalog's tables: what the rest of the program calls.

use std::sync::Arc;

use tarn_catalog::state::TableIdent;
use tarn_catalog::{Catalog, WarehouseStores};

use crate::Settings;
use crate::expire::{Expire, ExpireError, Expired, Retention};
use crate::files::Files;
use crate::orphans::{Age, OrphanError, Orphans, Unreferenced};
use crate::removal::Mode;

/// Maintains tables.
pub struct Maintenance {
    catalog: Catalog,
    files: Files,
    settings: Settings,
}

impl Maintenance {
    /// Maintains the tables of `catalog`, whose files lie in `stores`.
    pub fn new(catalog: Catalog, stores: Arc<dyn WarehouseStores>, settings: Settings) -> Self {
        Self { catalog, files: Files::new(stores, &settings), settings }
    }

    /// Expires snapshots of a table and removes the files that only they reached. `now_ms` is now, in
    /// milliseconds since 1970.
    pub async fn expire(
        &self,
        ident: &TableIdent,
        retention: &Retention,
        mode: Mode,
        now_ms: i64,
    ) -> Result<Expired, ExpireError> {
        let Self { catalog, files, settings } = self;
        Expire { catalog, files, settings, mode }.run(ident, retention, now_ms).await
    }

    /// Removes the files below a table's location that nothing names, and its old metadata files if it wants that.
    pub async fn remove_unreferenced(
        &self,
        ident: &TableIdent,
        age: Age,
        mode: Mode,
        now_ms: i64,
    ) -> Result<Unreferenced, OrphanError> {
        let Self { catalog, files, settings } = self;
        let orphans = Orphans { catalog, files, settings, mode };
        let mut outcome = orphans.run(ident, age, now_ms).await?;
        outcome.old_metadata = orphans.old_metadata(ident, now_ms).await?;
        Ok(outcome)
    }
}
