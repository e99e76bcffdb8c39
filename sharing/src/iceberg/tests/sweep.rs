//! What is kept of columns goes with the last share of their table.

use serde_json::json;
use tarn_catalog::state::{DropTable, Guard, Purge, Request};

use super::super::source::COLUMNS_KIND;
use super::super::sweep_columns;
use super::super::testing::{World, ident, schema};
use crate::directory::{Directory, History, NewTable, Sharer, Source};

#[tokio::test]
async fn names_of_columns_are_removed_when_no_share_names_their_table() {
    let world = World::new().await;
    for name in ["orders", "lines"] {
        world.create(name, schema(0, &[(1, "id", json!("int"))]), json!([])).await;
        world.table(name).named().await.unwrap();
    }
    let directory = Directory::new(world.catalog.clone(), world.stores.clone());
    directory.create_share("partners", None, 0).await.unwrap();
    let source =
        Source::Iceberg { warehouse: "main".into(), namespace: vec!["sales".into()], table: "orders".into() };
    let table = NewTable {
        schema: "sales".into(),
        name: "orders".into(),
        comment: None,
        source,
        by: Sharer { key: None, fingerprint: None },
        history: History::Latest,
        unsupported_columns: Default::default(),
        equality_deletes: Default::default(),
    };
    directory.add_table("partners", table, 0).await.unwrap();
    let kept = || world.catalog.list_documents(COLUMNS_KIND).len();
    assert_eq!((kept(), sweep_columns(&world.catalog, &directory).await.unwrap(), kept()), (2, 1, 1));
    // A table that was dropped may come back.
    let drop =
        DropTable { ident: ident("orders"), purge: Purge::Keep, guard: Guard::Respect, keep_ms: 60_000 };
    world.catalog.commit(Request::DropTable(drop)).await.unwrap();
    assert_eq!(sweep_columns(&world.catalog, &directory).await.unwrap(), 0);
    directory.delete_share("partners").await.unwrap();
    assert_eq!((sweep_columns(&world.catalog, &directory).await.unwrap(), kept()), (1, 0));
}
