//! Views over the whole catalog: what is acknowledged is there after a restart.

use std::sync::Arc;

use serde_json::json;

use crate::metadata::view::{ViewUpdate, ViewVersion};
use crate::metadata::{Schema, ViewMetadata};
use crate::state::{Conflict, CreateView, DropTable, Properties, Purge, Request, ViewChange};
use crate::testing::{catalog, ident, open, settings};
use crate::{Catalog, CommitError};

fn version(id: i32, sql: &str) -> ViewVersion {
    let json = json!({
        "version-id": id, "schema-id": 0, "timestamp-ms": 1, "summary": {}, "default-namespace": ["sales"],
        "representations": [{"type": "sql", "sql": sql, "dialect": "trino"}],
    });
    ViewVersion::from_json(json).unwrap()
}

fn create(name: &str) -> Request {
    let schema = json!({"type": "struct", "fields": [
        {"id": 1, "name": "n", "required": false, "type": "int"},
    ]});
    Request::CreateView(CreateView {
        ident: ident(name),
        schema: Arc::new(Schema::from_json(schema).unwrap()),
        version: version(1, "select 1"),
        location: None,
        properties: Properties::new(),
    })
}

fn replace(name: &str, sql: &str) -> Request {
    let updates = vec![ViewUpdate::AddVersion(version(2, sql)), ViewUpdate::SetCurrentVersion(-1)];
    Request::CommitView(ViewChange { ident: ident(name), requirements: Vec::new(), updates })
}

async fn load(catalog: &Catalog, name: &str) -> Arc<ViewMetadata> {
    let location = catalog.snapshot().view(&ident(name)).unwrap().metadata_location.clone();
    catalog.read_view_metadata(&location).await.unwrap()
}

#[tokio::test]
async fn views_are_as_they_were_after_a_restart() {
    let (first, log, warehouses) = catalog().await;
    for name in ["kept", "gone", "moved"] {
        first.commit(create(name)).await.unwrap();
    }
    // So many that some come back from a checkpoint and some from the log.
    for number in 0..20 {
        first.commit(replace("kept", &format!("select {number}"))).await.unwrap();
    }
    first.commit(Request::DropView { ident: ident("gone") }).await.unwrap();
    first.commit(Request::RenameView { from: ident("moved"), to: ident("there") }).await.unwrap();
    let (state, kept) = (first.snapshot(), load(&first, "kept").await.to_json());
    first.close().await;

    let second = open(log, warehouses, settings(), 2).await.unwrap();
    assert_eq!(*second.snapshot(), *state);
    let names: Vec<_> = second.snapshot().all_views().map(|(ident, _)| ident).collect();
    assert_eq!(names, [ident("kept"), ident("there")]);
    assert_eq!(load(&second, "kept").await.to_json(), kept);
    second.commit(replace("there", "select 2")).await.unwrap();
    assert_eq!(load(&second, "there").await.current_version_id(), 2);
}

#[tokio::test]
async fn commits_to_one_view_at_the_same_time_are_all_done() {
    let (catalog, _, _) = catalog().await;
    catalog.commit(create("v")).await.unwrap();
    let commits = (0..8).map(|number| catalog.commit(replace("v", &format!("select {number} + 1"))));
    for done in futures::future::join_all(commits).await {
        done.unwrap();
    }
    assert_eq!(load(&catalog, "v").await.versions().len(), 9);
}

#[tokio::test]
async fn a_view_inside_a_table_keeps_the_tables_files_from_being_purged() {
    let (catalog, _, _) = catalog().await;
    catalog.commit(crate::testing::create("t")).await.unwrap();
    let place = catalog.snapshot().table(&ident("t")).unwrap().location.clone();
    let Request::CreateView(view) = create("v") else { panic!("no view") };
    let inside = CreateView { location: Some(format!("{place}/view")), ..view };
    let drop = |keep_ms: i64| Request::DropTable(DropTable::asked(ident("t"), Purge::Files, keep_ms));
    // Where a table lies no view comes to lie; where one was dropped and is kept, it may.
    let refused = catalog.commit(Request::CreateView(inside.clone())).await.unwrap_err();
    assert!(matches!(refused, CommitError::Conflict(Conflict::Invalid(_))), "{refused}");
    catalog.commit(drop(1_000_000)).await.unwrap();
    catalog.commit(Request::CreateView(inside.clone())).await.unwrap();
    let id = catalog.snapshot().last_dropped(&ident("t")).unwrap().id;
    catalog.commit(Request::RemoveDropped { id }).await.unwrap();
    assert_eq!(catalog.snapshot().purges().count(), 0, "the view's files lie there");

    catalog.commit(Request::DropView { ident: ident("v") }).await.unwrap();
    catalog.commit(crate::testing::create("t")).await.unwrap();
    let place = catalog.snapshot().table(&ident("t")).unwrap().location.clone();
    catalog.commit(drop(0)).await.unwrap();
    assert_eq!(catalog.snapshot().purges().count(), 1);
    let inside = CreateView { location: Some(format!("{place}/view")), ..inside };
    let refused = catalog.commit(Request::CreateView(inside)).await.unwrap_err();
    assert!(matches!(refused, CommitError::Conflict(Conflict::Purged { .. })), "{refused}");
}
