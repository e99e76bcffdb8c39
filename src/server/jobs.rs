//! Wires jobs: the kinds of work of this server.

use std::sync::Arc;

use tarn_catalog::{Catalog, WarehouseStores};
use tarn_inventory::batch::{self, Batch};
use tarn_inventory::jobs::{JobSettings, Jobs, Rights, Work};
use tarn_inventory::journal::{Journals, Reconcile};
use tarn_inventory::report::Inventory;
use tarn_objectcore::ObjectCore;

use super::bulk::CoreBulk;
use super::foreground::InFlight;
use super::scan::CoreScan;
use super::sql::BatchQueries;
use crate::outbound::BatchOutside;

/// Jobs in the name of the server; each run asks for the rights of its author.
const AUTHOR: &str = "jobs";

/// What kinds of work do their work with.
pub(super) struct Parts {
    pub(super) core: ObjectCore,
    pub(super) catalog: Catalog,
    pub(super) stores: Arc<dyn WarehouseStores>,
    pub(super) rights: Arc<dyn Rights>,
    pub(super) foreground: Arc<InFlight>,
    pub(super) queries: Arc<BatchQueries>,
    pub(super) journals: Journals,
    pub(super) outside: Arc<BatchOutside>,
    /// Runs at work at a time.
    pub(super) at_once: usize,
}

/// The jobs of this server. Nothing runs before they are started.
pub(super) fn open(parts: Parts) -> Jobs {
    let works = works(&parts);
    let Parts { catalog, rights, foreground, at_once, .. } = parts;
    let settings = JobSettings { slots: at_once, ..JobSettings::default() };
    Jobs::new(catalog.by(AUTHOR), works, rights, foreground, settings)
}

fn works(parts: &Parts) -> Vec<Arc<dyn Work>> {
    let Parts { core, catalog, stores, rights, queries, journals, outside, .. } = parts;
    let scans = Arc::new(CoreScan(core.clone()));
    let inventory =
        Arc::new(Inventory::new(scans.clone(), stores.clone(), catalog.by(AUTHOR), rights.clone()));
    let batch = Batch::new(batch::Parts {
        scans,
        bulk: Arc::new(CoreBulk(core.clone())),
        stores: stores.clone(),
        catalog: catalog.clone(),
        inventory: inventory.clone(),
        queries: queries.clone(),
        outside: outside.clone(),
        rights: rights.clone(),
    });
    let reconcile = Reconcile::new(journals.clone(), rights.clone());
    vec![Arc::new(batch), inventory, Arc::new(reconcile)]
}
