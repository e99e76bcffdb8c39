//! What a start makes when it is the first: the default warehouse. A document in the catalog log remembers
//! it, so that a warehouse that was dropped on purpose does not come back.

use tarn_catalog::state::{Conflict, Expect, Properties, Request};
use tarn_catalog::{Catalog, CommitError, WarehouseError, WarehouseStores};

const KIND: &str = "server";
const ID: &str = "setup";

/// Why the first start could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The bucket of the default warehouse cannot be made.
    #[error("the bucket of warehouse {warehouse} could not be made")]
    Bucket {
        /// The warehouse.
        warehouse: String,
        /// Why.
        #[source]
        source: WarehouseError,
    },
    /// The catalog did not take it.
    #[error("the first start could not be recorded")]
    Commit(#[source] CommitError),
}

/// Makes `warehouse` and its bucket, unless an earlier start did. Each step may be there already: a first
/// start that was killed is finished by the next.
pub(crate) async fn first_start(
    catalog: &Catalog,
    stores: &dyn WarehouseStores,
    warehouse: &str,
) -> Result<(), SetupError> {
    if catalog.get_document(KIND, ID).is_some() {
        return Ok(());
    }
    match stores.create(warehouse).await {
        Ok(()) | Err(WarehouseError::Exists) => {}
        Err(source) => return Err(SetupError::Bucket { warehouse: warehouse.into(), source }),
    }
    let request = Request::CreateWarehouse { name: warehouse.into(), properties: Properties::new() };
    match catalog.commit(request).await {
        Ok(_) | Err(CommitError::Conflict(Conflict::WarehouseExists(_))) => {}
        Err(error) => return Err(SetupError::Commit(error)),
    }
    let json = serde_json::json!({ "warehouse": warehouse }).to_string();
    match catalog.put_document(KIND, ID, &json, Expect::Any).await {
        Ok(_) => {
            tracing::info!(warehouse, "made the default warehouse");
            Ok(())
        }
        Err(error) => Err(SetupError::Commit(error)),
    }
}
