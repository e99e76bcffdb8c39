//! The stores of warehouses, where the engine looks for files.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{Result, exec_err};
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::ObjectStore;
use tarn_catalog::WarehouseStores;
use url::Url;

/// Buckets by `s3://<bucket>`, in process. Nothing else is read.
pub(crate) struct Buckets(pub(crate) Arc<dyn WarehouseStores>);

impl fmt::Debug for Buckets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Buckets")
    }
}

impl ObjectStoreRegistry for Buckets {
    fn register_store(&self, _url: &Url, _store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        match (url.scheme(), url.host_str()) {
            ("s3", Some(bucket)) => Ok(self.0.store(bucket)),
            _elsewhere => exec_err!("{url} is not a bucket"),
        }
    }
}
