//! Dropped tables: kept, brought back, gone.

use std::sync::Arc;

use super::tables::{World, create, ident, namespace};
use crate::metadata::TableUpdate;
use crate::state::{
    Change, Conflict, DropTable, Guard, KEEP_PROPERTY, PROTECTED_PROPERTY, Properties, Purge, Request,
    TableIdent, UndropTable,
};

const DAY_MS: i64 = 24 * 3600 * 1000;

fn drop_table(name: &str) -> Request {
    Request::DropTable(DropTable::asked(ident(name), Purge::Keep, DAY_MS))
}

fn drop_with(purge: Purge, guard: Guard) -> Request {
    Request::DropTable(DropTable { ident: ident("t"), purge, guard, keep_ms: DAY_MS })
}

fn undrop(name: &str, to: Option<TableIdent>) -> Request {
    Request::UndropTable(UndropTable { ident: ident(name), id: None, to })
}

fn property(key: &str, value: &str) -> TableUpdate {
    TableUpdate::SetProperties(Properties::from([(key.to_owned(), value.to_owned())]))
}

fn purges(changes: &[Change]) -> usize {
    changes.iter().filter(|change| matches!(change, Change::PutDocument { .. })).count()
}

#[test]
fn a_dropped_table_comes_back_as_it_was() {
    let mut world = World::new();
    world.create("t").unwrap();
    world.commit("t", vec![], vec![property("k", "v")]).unwrap();
    let entry = Arc::clone(world.state.table(&ident("t")).unwrap());
    world.run(&drop_table("t")).unwrap();
    assert!(world.state.table(&ident("t")).is_none());
    let dropped = world.state.last_dropped(&ident("t")).unwrap();
    assert_eq!((dropped.at, dropped.until), (world.at, world.at + DAY_MS));
    world.run(&undrop("t", None)).unwrap();
    assert_eq!(world.state.table(&ident("t")), Some(&entry));
    assert_eq!(entry.revisions.len(), 2);
    assert_eq!(world.run(&undrop("t", None)).unwrap_err(), Conflict::NotDropped(ident("t")));
    assert_eq!(world.state.next_expiry(), None);
}

#[test]
fn the_name_is_free_and_the_table_comes_back_under_a_free_one() {
    let mut world = World::new();
    let first = world.create("t").unwrap();
    world.run(&drop_table("t")).unwrap();
    let second = world.create("t").unwrap();
    assert_eq!(world.run(&undrop("t", None)).unwrap_err(), Conflict::TableExists(ident("t")));
    world.run(&drop_table("t")).unwrap();
    world.run(&undrop("t", Some(ident("last")))).unwrap();
    assert_eq!(Some(world.state.table(&ident("last")).unwrap().uuid), second.uuid());
    world.run(&undrop("t", Some(ident("first")))).unwrap();
    assert_eq!(Some(world.state.table(&ident("first")).unwrap().uuid), first.uuid());
    let nowhere = TableIdent::new("main", namespace(&["none"]), "t").unwrap();
    let file = Arc::clone(&world.state.table(&ident("first")).unwrap().metadata_location);
    world.loaded.insert(ident("first"), file, first);
    world.run(&drop_table("first")).unwrap();
    let refused = world.run(&undrop("first", Some(nowhere))).unwrap_err();
    assert_eq!(refused, Conflict::NoSuchNamespace(namespace(&["none"])));
}

#[test]
fn the_time_is_the_tables_then_the_warehouses_then_the_servers() {
    let mut world = World::new();
    let kept = |world: &mut World, name: &str| {
        world.create(name).unwrap();
        world.run(&drop_table(name)).unwrap();
        let at = world.at;
        world.state.last_dropped(&ident(name)).map(|dropped| dropped.until - at)
    };
    assert_eq!(kept(&mut world, "a"), Some(DAY_MS));
    let set = |value: &str| Request::UpdateWarehouse {
        name: "main".into(),
        updates: Properties::from([(KEEP_PROPERTY.to_owned(), value.to_owned())]),
        removals: Vec::new(),
    };
    world.run(&set("60")).unwrap();
    assert_eq!(kept(&mut world, "b"), Some(60_000));
    world.create("c").unwrap();
    world.commit("c", vec![], vec![property(KEEP_PROPERTY, "0")]).unwrap();
    world.run(&drop_table("c")).unwrap();
    assert!(world.state.last_dropped(&ident("c")).is_none());
    for wrong in ["", "-1", "soon", "99999999999"] {
        assert!(matches!(world.run(&set(wrong)).unwrap_err(), Conflict::Invalid(_)), "{wrong}");
    }
    world.create("d").unwrap();
    world.commit("d", vec![], vec![property(KEEP_PROPERTY, "soon")]).unwrap();
    assert!(matches!(world.run(&drop_table("d")).unwrap_err(), Conflict::Invalid(_)));
}

#[test]
fn a_table_whose_metadata_cannot_be_read_is_dropped_by_the_warehouses_rules() {
    let mut world = World::new();
    world.create("t").unwrap();
    let location = Arc::clone(&world.state.table(&ident("t")).unwrap().metadata_location);
    world.loaded = Default::default();
    assert_eq!(world.run(&drop_table("t")).unwrap_err(), Conflict::NotLoaded(ident("t")));
    world.loaded.insert_unreadable(ident("t"), location);
    world.run(&drop_table("t")).unwrap();
    assert!(world.state.last_dropped(&ident("t")).is_some());
}

#[test]
fn what_is_protected_is_dropped_only_by_force() {
    let mut world = World::new();
    world.create("t").unwrap();
    world.commit("t", vec![], vec![property(PROTECTED_PROPERTY, "true")]).unwrap();
    let refused = Conflict::TableProtected(ident("t"));
    assert_eq!(world.run(&drop_table("t")).unwrap_err(), refused);
    let unregister = Request::UnregisterTable { ident: ident("t") };
    assert_eq!(world.run(&unregister).unwrap_err(), refused);
    world.run(&drop_with(Purge::Keep, Guard::Override)).unwrap();
    let protect = Request::UpdateNamespace {
        warehouse: "main".into(),
        namespace: namespace(&["a"]),
        updates: Properties::from([(PROTECTED_PROPERTY.to_owned(), "True".to_owned())]),
        removals: Vec::new(),
    };
    world.run(&protect).unwrap();
    let drop =
        |guard| Request::DropNamespace { warehouse: "main".into(), namespace: namespace(&["a"]), guard };
    let refused = Conflict::NamespaceProtected(namespace(&["a"]));
    assert_eq!(world.run(&drop(Guard::Respect)).unwrap_err(), refused);
    world.run(&drop(Guard::Override)).unwrap();
}

#[test]
fn a_purge_begins_when_the_time_is_over_and_not_before() {
    let mut world = World::new();
    world.create("t").unwrap();
    let plan = world.run(&drop_with(Purge::Files, Guard::Respect)).unwrap();
    assert_eq!(purges(&plan.commit.changes), 0);
    let until = world.state.next_expiry().unwrap();
    assert!(world.run(&Request::ExpireDropped { now: until - 1 }).unwrap().is_empty());
    let plan = world.run(&Request::ExpireDropped { now: until }).unwrap();
    assert_eq!(purges(&plan.commit.changes), 1);
    assert_eq!(world.run(&undrop("t", None)).unwrap_err(), Conflict::NotDropped(ident("t")));
    assert_eq!(world.state.next_expiry(), None);
}

#[test]
fn a_place_is_not_purged_while_a_dropped_table_that_is_kept_lies_there() {
    let mut world = World::new();
    let mut shared = create("t");
    shared.location = Some("s3://main/shared".to_owned());
    world.run(&Request::CreateTable(shared.clone())).unwrap();
    world.run(&drop_with(Purge::Files, Guard::Respect)).unwrap();
    world.run(&Request::CreateTable(shared)).unwrap();
    assert_eq!(world.run(&undrop("t", Some(ident("u")))).unwrap_err(), Conflict::PlaceTaken(ident("t")));
    // At once, and the first drop is kept still.
    let at_once = Request::DropTable(DropTable::asked(ident("t"), Purge::Files, 0));
    assert_eq!(purges(&world.run(&at_once).unwrap().commit.changes), 0);
    let id = world.state.last_dropped(&ident("t")).unwrap().id;
    let plan = world.run(&Request::RemoveDropped { id }).unwrap();
    assert_eq!(purges(&plan.commit.changes), 1);
    assert_eq!(world.run(&Request::RemoveDropped { id }).unwrap_err(), Conflict::NoSuchDropped(id));
}

#[test]
fn of_two_dropped_tables_at_one_place_that_end_together_the_last_is_purged() {
    let mut world = World::new();
    let mut shared = create("t");
    shared.location = Some("s3://main/shared".to_owned());
    for _ in 0..2 {
        world.run(&Request::CreateTable(shared.clone())).unwrap();
        world.run(&drop_with(Purge::Files, Guard::Respect)).unwrap();
    }
    let plan = world.run(&Request::ExpireDropped { now: i64::MAX }).unwrap();
    assert_eq!(purges(&plan.commit.changes), 1);
    assert_eq!(world.state.dropped_tables(None).count(), 0);
}

#[test]
fn a_warehouse_that_keeps_dropped_tables_stays() {
    let mut world = World::new();
    world.create("t").unwrap();
    world.run(&drop_table("t")).unwrap();
    let space = Request::DropNamespace {
        warehouse: "main".into(),
        namespace: namespace(&["a"]),
        guard: Guard::Respect,
    };
    world.run(&space).unwrap();
    let drop = Request::DropWarehouse { name: "main".into() };
    assert_eq!(world.run(&drop).unwrap_err(), Conflict::WarehouseKeepsTables("main".into()));
    world.run(&Request::ExpireDropped { now: i64::MAX }).unwrap();
    world.run(&drop).unwrap();
}
