//! Wires the journals of buckets.

use std::sync::Arc;

use tarn_catalog::{Catalog, WarehouseStores};
use tarn_inventory::journal::{JournalSettings as Limits, Journals, Parts};
use tarn_objectcore::ObjectCore;

use super::changes::CoreChanges;
use super::scan::CoreScan;
use crate::config::JournalSettings;

/// Who commits to their tables.
const AUTHOR: &str = "journals";

/// The journals of this server. Nothing is written before they are started.
pub(super) fn open(
    core: &ObjectCore,
    catalog: &Catalog,
    stores: Arc<dyn WarehouseStores>,
    settings: &JournalSettings,
) -> Journals {
    Journals::new(Parts {
        log: Arc::new(CoreChanges(core.clone())),
        scans: Arc::new(CoreScan(core.clone())),
        stores,
        catalog: catalog.by(AUTHOR),
        settings: Limits { every: settings.commit, refresh: settings.refresh, ..Limits::default() },
    })
}
