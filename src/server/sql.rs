//! What answers SQL.

use std::io;
use std::sync::Arc;

use tarn_catalog::{Catalog, WarehouseStores};
use tarn_sql::{Engine, Settings, SystemTables};

use super::memory;

/// The least memory that a query is given, in bytes.
const QUERY_BYTES_MIN: usize = 64 << 20;

/// An engine over the catalog's tables and the server's state. All its queries together may hold what bodies may.
pub(super) fn engine(
    catalog: &Catalog,
    stores: Arc<dyn WarehouseStores>,
    system: Arc<dyn SystemTables>,
) -> io::Result<Engine> {
    let usual = Settings::default();
    let budget = usize::try_from(memory::budget_bytes()).unwrap_or(usize::MAX);
    let memory_bytes = (budget / usual.queries_at_once).max(QUERY_BYTES_MIN);
    Engine::new(catalog.clone(), stores, system, Settings { memory_bytes, ..usual })
}
