//! Wires jobs: the kinds of work of this server.

use std::sync::Arc;

use tarn_catalog::Catalog;
use tarn_inventory::jobs::{JobSettings, Jobs, Rights, Work};

use super::foreground::InFlight;

/// Jobs in the name of the server; each run asks for the rights of its author.
const AUTHOR: &str = "jobs";

/// What kinds of work do their work with.
pub(super) struct Parts {
    pub(super) catalog: Catalog,
    pub(super) rights: Arc<dyn Rights>,
    pub(super) foreground: Arc<InFlight>,
}

/// The jobs of this server. Nothing runs before they are started.
pub(super) fn open(parts: Parts) -> Jobs {
    let Parts { catalog, rights, foreground } = parts;
    Jobs::new(catalog.by(AUTHOR), works(), rights, foreground, JobSettings::default())
}

fn works() -> Vec<Arc<dyn Work>> {
    Vec::new()
}
