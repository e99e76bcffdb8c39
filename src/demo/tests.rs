//! The sample tables as an Iceberg reader finds them.

use std::sync::Arc;

use iceberg::spec::{FormatVersion, Manifest, ManifestList};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tarn_catalog::{Catalog, Settings, WarehouseStores};
use tarn_objectcore::ObjectCore;

use super::{Demo, Outcome, TABLES};
use crate::stores::{Warehouses, system_store};

async fn read(store: &dyn ObjectStore, location: &str) -> Vec<u8> {
    let path = Path::from(location.strip_prefix("s3://main/").unwrap());
    store.get(&path).await.unwrap().bytes().await.unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_is_loaded_once_and_its_files_hold_the_rows_its_snapshot_counts() {
    let core = ObjectCore::in_memory(1).await;
    let stores: Arc<dyn WarehouseStores> = Arc::new(Warehouses::new(core.clone()));
    let log = system_store(&core).await.unwrap();
    let catalog =
        Catalog::open(log, Path::from("catalog"), stores.clone(), Settings::default()).await.unwrap();
    crate::server::first_start(&catalog, &*stores, "main").await.unwrap();
    let demo =
        Demo { catalog: catalog.clone(), stores: stores.clone(), warehouse: "main".into(), scale: 0.001 };
    assert!(matches!(demo.load().await.unwrap(), Outcome::Loaded));
    let position = catalog.watch().borrow().0;
    assert!(matches!(demo.load().await.unwrap(), Outcome::Present));

    let store = stores.store("main");
    for table in TABLES {
        let metadata = catalog.load(&demo.ident(table).unwrap()).await.unwrap().unwrap().metadata;
        let parsed: iceberg::spec::TableMetadata = serde_json::from_slice(&metadata.to_json()).unwrap();
        let snapshot = parsed.current_snapshot().unwrap();
        let list = read(&*store, snapshot.manifest_list()).await;
        let list = ManifestList::parse_with_version(&list, FormatVersion::V2).unwrap();
        let mut rows = 0;
        for manifest in list.entries() {
            let manifest = Manifest::parse_avro(&read(&*store, &manifest.manifest_path).await).unwrap();
            for entry in manifest.entries() {
                let file = read(&*store, entry.data_file().file_path()).await;
                assert!(
                    file.starts_with(b"PAR1") && file.len() as u64 == entry.data_file().file_size_in_bytes()
                );
                rows += entry.data_file().record_count();
            }
        }
        let counted = &snapshot.summary().additional_properties["total-records"];
        assert_eq!(*counted, rows.to_string(), "{}", table.name);
        assert!(rows >= 5, "{}", table.name);
    }
    assert_eq!(catalog.watch().borrow().0, position, "a second run commits at most the namespace it finds");
    catalog.close().await;
    core.close().await;
}
