//! Warehouse `system`: where the server's own tables lie, each in a namespace named as its bucket.

use tarn_catalog::state::{Conflict, Namespace, Properties, Request};
use tarn_catalog::{Catalog, CommitError};

/// Its name, which is its bucket's too.
pub(crate) const WAREHOUSE: &str = "system";

/// Makes the namespace if it is not there; the warehouse too, whose bucket `bucket` makes.
pub(crate) async fn make_namespace<E: From<CommitError>>(
    catalog: &Catalog,
    namespace: &Namespace,
    bucket: impl Future<Output = Result<(), E>>,
) -> Result<(), E> {
    if catalog.snapshot().warehouse(WAREHOUSE).is_none() {
        bucket.await?;
        let properties = Properties::new();
        make_once(catalog, Request::CreateWarehouse { name: WAREHOUSE.into(), properties }).await?;
    }
    if catalog.snapshot().namespace(WAREHOUSE, namespace).is_none() {
        let (warehouse, namespace, properties) = (WAREHOUSE.into(), namespace.clone(), Properties::new());
        make_once(catalog, Request::CreateNamespace { warehouse, namespace, properties }).await?;
    }
    Ok(())
}

/// Makes something that may have come to be there meanwhile.
pub(crate) async fn make_once(catalog: &Catalog, request: Request) -> Result<(), CommitError> {
    match catalog.commit(request).await {
        Ok(_) => Ok(()),
        Err(CommitError::Conflict(
            Conflict::WarehouseExists(_) | Conflict::NamespaceExists(_) | Conflict::TableExists(_),
        )) => Ok(()),
        Err(error) => Err(error),
    }
}
