//! What is told of which change, and that nothing is lost or told twice.

use std::sync::Arc;

use object_store::memory::InMemory;
use serde_json::json;

use super::{About, Event, EventId, EventKind, Position, RecordError, events_of};
use crate::catalog::MAINTENANCE;
use crate::log::Seq;
use crate::state::{
    Change, Commit, DropTable, Expect, Guard, Purge, Request, TableChange, TableIdent, UndropTable,
};
use crate::testing::{
    MemoryWarehouses, catalog, catalog_over, change, create, ident, namespace, open, settings,
};
use crate::{Catalog, Settings};

/// All events from `after` to the end of the log, and where that is.
async fn told(catalog: &Catalog, after: Position) -> (Vec<Event>, Position) {
    let mut follower = catalog.follow(after);
    let mut events = Vec::new();
    while !follower.is_at_end() {
        events.extend(follower.next().await.unwrap().events);
    }
    (events, follower.at())
}

fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

fn drop(name: &str, purge: Purge, keep_ms: i64) -> Request {
    Request::DropTable(DropTable { ident: ident(name), purge, guard: Guard::Respect, keep_ms })
}

fn set_property(name: &str) -> TableChange {
    change(name, &[], &[json!({"action": "set-properties", "updates": {"a": "b"}})])
}

#[tokio::test]
async fn the_life_of_a_table_is_told_in_order() {
    let (catalog, _, _) = catalog().await;
    let (set_up, at) = told(&catalog, Position::START).await;
    assert_eq!(kinds(&set_up), [EventKind::WarehouseCreated, EventKind::NamespaceCreated]);
    catalog.commit(create("t")).await.unwrap();
    catalog.commit(Request::CommitTables(vec![set_property("t")])).await.unwrap();
    let rename = Request::RenameTable { from: ident("t"), to: ident("u") };
    catalog.commit(rename).await.unwrap();
    let update = json!({"action": "set-properties", "updates": {"c": "d"}});
    catalog.by(MAINTENANCE).commit(Request::CommitTables(vec![change("u", &[], &[update])])).await.unwrap();
    catalog.commit(drop("u", Purge::Files, 60_000)).await.unwrap();
    catalog
        .commit(Request::UndropTable(UndropTable { ident: ident("u"), id: None, to: None }))
        .await
        .unwrap();
    let unregistered = catalog.commit(Request::UnregisterTable { ident: ident("u") }).await.unwrap();
    let left = &unregistered.tables[0];
    let register = Request::RegisterTable {
        ident: ident("w"),
        metadata_location: left.metadata_location.as_str().into(),
        metadata: left.metadata.clone(),
        existing: crate::state::Existing::Refuse,
    };
    catalog.commit(register).await.unwrap();
    catalog.commit(drop("w", Purge::Files, 60_000)).await.unwrap();
    let id = catalog.snapshot().dropped_tables(None).next().unwrap().id;
    catalog.commit(Request::RemoveDropped { id }).await.unwrap();
    let (events, _) = told(&catalog, at).await;
    assert_eq!(
        kinds(&events),
        [
            EventKind::TableCreated,
            EventKind::TableUpdated,
            EventKind::TableRenamed,
            EventKind::TableMaintained,
            EventKind::TableDropped,
            EventKind::TableUndropped,
            EventKind::TableUnregistered,
            EventKind::TableRegistered,
            EventKind::TableDropped,
            EventKind::TableForgotten,
            EventKind::TablePurged,
        ]
    );
    assert!(events.iter().all(|event| event.about.warehouse() == Some("main")));
    let renamed = &events[2];
    assert_eq!((&renamed.about, &renamed.from), (&About::Table(ident("u")), &Some(ident("t"))));
    assert_eq!(renamed.data["from"]["name"], "t");
    assert_eq!(events[4].data["drop-id"], events[5].data["drop-id"]);
    assert_eq!(events[9].about, About::Table(ident("w")));
}

#[tokio::test]
async fn the_events_of_a_transaction_share_a_position_and_are_counted() {
    let (catalog, _, _) = catalog().await;
    for name in ["a", "b"] {
        catalog.commit(create(name)).await.unwrap();
    }
    let (_, at) = told(&catalog, Position::START).await;
    let both = vec![set_property("a"), set_property("b")];
    let seq = catalog.commit(Request::CommitTables(both)).await.unwrap().seq;
    let (events, _) = told(&catalog, at).await;
    let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
    assert_eq!(ids, [EventId { seq, commit: 0, index: 0 }, EventId { seq, commit: 0, index: 1 }]);
    assert!(events.iter().all(|event| event.count == 2));
    let (rest, _) = told(&catalog, Position::Event(ids[0])).await;
    assert_eq!(rest, events[1..], "half a transaction can be behind a reader");
    let json = events[1].to_cloud_event("urn:test");
    assert_eq!((&json["specversion"], &json["type"]), (&json!("1.0"), &json!("tarn.table.updated")));
    assert_eq!(json["transaction"], format!("{seq}-0"));
    assert_eq!((&json["transactionindex"], &json["transactioncount"]), (&json!(1), &json!(2)));
    assert_eq!((&json["subject"], &json["actor"]), (&json!("main/sales/b"), &json!("tarn")));
    assert!(json["time"].as_str().unwrap().ends_with('Z'), "{json}");
}

#[tokio::test]
async fn no_document_is_told_but_those_that_are_no_secret_and_none_by_its_content() {
    let (catalog, _, _) = catalog().await;
    let (_, at) = told(&catalog, Position::START).await;
    for kind in ["access-key", "token-secret", "webhook", "anything", "maintenance-policy"] {
        catalog.put_document(kind, "one", r#"{"secret":"hush"}"#, Expect::Any).await.unwrap();
        catalog.delete_document(kind, "one", Expect::Any).await.unwrap();
    }
    let (events, _) = told(&catalog, at).await;
    assert_eq!(kinds(&events), [EventKind::DocumentPut, EventKind::DocumentDeleted]);
    for event in events {
        let text = event.to_cloud_event("urn:test").to_string();
        assert!(text.contains("maintenance-policy") && !text.contains("hush"), "{text}");
    }
}

#[tokio::test]
async fn a_reader_that_stops_anywhere_and_comes_back_after_a_restart_misses_nothing() {
    let (log, warehouses) = (Arc::new(InMemory::new()), Arc::new(MemoryWarehouses::default()));
    let keep = Settings { checkpoint_records: 1000, ..settings() };
    let catalog = catalog_over(log.clone(), warehouses.clone(), keep.clone()).await;
    for number in 0..6 {
        catalog.commit(create(&format!("t{number}"))).await.unwrap();
    }
    let all = vec![set_property("t1"), set_property("t2"), set_property("t3")];
    catalog.commit(Request::CommitTables(all)).await.unwrap();
    let (before, _) = told(&catalog, Position::START).await;
    catalog.close().await;
    let catalog = open(log, warehouses, keep, 2).await.unwrap();
    assert_eq!(told(&catalog, Position::START).await.0, before);
    for (read, last) in before.iter().enumerate() {
        let (rest, _) = told(&catalog, Position::Event(last.id)).await;
        assert_eq!(rest, before[read + 1..]);
    }
}

#[tokio::test]
async fn a_position_older_than_the_log_is_told_with_the_oldest_there_is() {
    let (catalog, _, _) = catalog().await;
    catalog.commit(create("t")).await.unwrap();
    // Checkpoints are written beside the writer: how many records that takes is not known.
    for number in 0..100_000 {
        if catalog.oldest_record().await.unwrap() > Seq(1) {
            break;
        }
        catalog.put_document("k", "one", &number.to_string(), Expect::Any).await.unwrap();
    }
    catalog.close().await;
    let Err(RecordError::Gone { oldest }) = catalog.follow(Position::START).next().await else {
        panic!("the first records are trimmed");
    };
    assert_eq!(catalog.oldest_record().await.unwrap(), oldest);
    assert!(oldest > Seq(1));
    let mut follower = catalog.follow(Position::Record(Seq(oldest.0 - 1)));
    assert!(follower.next().await.is_ok());
}

#[tokio::test]
async fn a_reader_at_the_end_waits_for_the_next_commit() {
    let (catalog, _, _) = catalog().await;
    let (_, end) = told(&catalog, Position::START).await;
    let mut follower = catalog.follow(end);
    let waiting = tokio::spawn(async move { follower.next().await });
    catalog.commit(create("t")).await.unwrap();
    let step = waiting.await.unwrap().unwrap();
    assert_eq!(kinds(&step.events), [EventKind::TableCreated]);
    assert_eq!(step.at, Position::Event(step.events[0].id));
}

#[test]
fn records_without_marks_are_told_as_well_as_they_can_be() {
    let table = |name: &str| TableIdent::new("main", namespace("sales"), name).unwrap();
    let changes = vec![
        Change::PutNamespace {
            warehouse: "main".into(),
            namespace: namespace("sales"),
            properties: Default::default(),
        },
        Change::DropTable { ident: table("t") },
        Change::Forget { id: uuid::Uuid::from_u128(1) },
    ];
    let events = events_of(Seq(7), 0, &Commit { at: 0, changes });
    assert_eq!(kinds(&events), [EventKind::NamespaceUpdated, EventKind::TableDropped]);
}
