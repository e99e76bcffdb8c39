//! Wires jobs: the kinds of work of this server.

use std::sync::Arc;

use tarn_catalog::{Catalog, WarehouseStores};
use tarn_inventory::jobs::{JobSettings, Jobs, Rights, Work};
use tarn_inventory::report::Inventory;
use tarn_objectcore::ObjectCore;

use super::foreground::InFlight;
use super::scan::CoreScan;

/// Jobs in the name of the server; each run asks for the rights of its author.
const AUTHOR: &str = "jobs";

/// What kinds of work do their work with.
pub(super) struct Parts {
    pub(super) catalog: Catalog,
    pub(super) rights: Arc<dyn Rights>,
    pub(super) foreground: Arc<InFlight>,
    pub(super) core: ObjectCore,
    pub(super) stores: Arc<dyn WarehouseStores>,
}

/// The jobs of this server. Nothing runs before they are started.
pub(super) fn open(parts: Parts) -> Jobs {
    let works = works(&parts);
    let Parts { catalog, rights, foreground, .. } = parts;
    Jobs::new(catalog.by(AUTHOR), works, rights, foreground, JobSettings::default())
}

fn works(parts: &Parts) -> Vec<Arc<dyn Work>> {
    let scans = Arc::new(CoreScan(parts.core.clone()));
    let (stores, catalog) = (parts.stores.clone(), parts.catalog.by(AUTHOR));
    vec![Arc::new(Inventory::new(scans, stores, catalog, parts.rights.clone()))]
}
