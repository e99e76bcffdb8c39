//! Views in the state: names they share with tables, namespaces they keep, locations, files.

use std::sync::Arc;

use serde_json::json;

use super::tables::{World, ident, namespace, schema};
use crate::metadata::Metadata;
use crate::metadata::view::{ViewRequirement, ViewUpdate, ViewVersion};
use crate::state::{
    CatalogState, Conflict, CreateView, Existing, Guard, Plan, Properties, Relation, Request, TableIdent,
    ViewChange,
};

fn create(name: &str) -> CreateView {
    let version = json!({
        "version-id": 1, "schema-id": 0, "timestamp-ms": 5, "summary": {}, "default-namespace": ["a"],
        "representations": [{"type": "sql", "sql": "select 1", "dialect": "spark"}],
    });
    CreateView {
        ident: ident(name),
        schema: schema(),
        version: ViewVersion::from_json(version).unwrap(),
        location: None,
        properties: Properties::new(),
    }
}

fn run(world: &mut World, request: &Request) -> Result<Plan, Conflict> {
    let plan = world.run(request)?;
    for (ident, location, metadata) in &plan.views {
        world.loaded.insert_view(ident.clone(), location.as_str().into(), Arc::clone(metadata));
    }
    Ok(plan)
}

fn world_with_view(name: &str) -> World {
    let mut world = World::new();
    run(&mut world, &Request::CreateView(create(name))).unwrap();
    world
}

fn commit(name: &str, requirements: Vec<ViewRequirement>, updates: Vec<ViewUpdate>) -> Request {
    Request::CommitView(ViewChange { ident: ident(name), requirements, updates })
}

fn set(key: &str) -> ViewUpdate {
    ViewUpdate::SetProperties(Properties::from([(key.to_owned(), "v".to_owned())]))
}

#[test]
fn a_created_view_lies_in_its_namespace_and_its_file_is_written_first() {
    let mut world = World::new();
    let plan = run(&mut world, &Request::CreateView(create("v"))).unwrap();
    let entry = world.state.view(&ident("v")).unwrap();
    assert_eq!(*entry.location, *format!("s3://main/a/v-{}", entry.uuid));
    assert!(entry.metadata_location.starts_with(&format!("{}/metadata/00000-", entry.location)));
    let [(file, Metadata::View(metadata))] = &plan.writes[..] else { panic!("{:?}", plan.writes) };
    assert_eq!((**file == *entry.metadata_location, metadata.uuid()), (true, entry.uuid));
}

#[test]
fn a_commit_writes_the_next_file_and_one_without_change_none() {
    let mut world = world_with_view("v");
    let plan = run(&mut world, &commit("v", Vec::new(), vec![set("k")])).unwrap();
    assert!(plan.writes[0].0.contains("/metadata/00001-"), "{}", plan.writes[0].0);
    let before = world.state.clone();
    let plan = run(&mut world, &commit("v", Vec::new(), Vec::new())).unwrap();
    assert!(plan.is_empty() && plan.writes.is_empty());
    assert_eq!((plan.views.len(), world.state == before), (1, true));
}

#[test]
fn a_requirement_that_does_not_hold_and_a_file_that_is_not_loaded_refuse_the_commit() {
    let mut world = world_with_view("v");
    let other = ViewRequirement::Uuid(uuid::Uuid::from_u128(1));
    let failed = run(&mut world, &commit("v", vec![other], vec![set("k")])).unwrap_err();
    assert!(matches!(failed, Conflict::ViewRequirement { .. }), "{failed}");
    world.loaded = Default::default();
    let conflict = run(&mut world, &commit("v", Vec::new(), vec![set("k")])).unwrap_err();
    assert_eq!(conflict, Conflict::NotLoaded(ident("v")));
    let missing = run(&mut world, &commit("none", Vec::new(), Vec::new())).unwrap_err();
    assert_eq!(missing, Conflict::NoSuchView(ident("none")));
}

#[test]
fn a_table_and_a_view_never_share_a_name() {
    let mut world = world_with_view("v");
    let table = world.create("t").unwrap();
    let exists = Conflict::NameTaken { name: ident("v"), by: Relation::View };
    assert_eq!(world.create("v").unwrap_err(), exists);
    let (from, to) = (ident("t"), ident("v"));
    let rename = Request::RenameTable { from: from.clone(), to: to.clone() };
    assert_eq!(world.run(&rename).unwrap_err(), Conflict::RenamedOnto { from, to, by: Relation::View });
    for existing in [Existing::Refuse, Existing::Overwrite] {
        let register = Request::RegisterTable {
            ident: ident("v"),
            metadata_location: "s3://main/a/x/metadata/1.metadata.json".into(),
            metadata: table.clone(),
            existing,
        };
        assert_eq!(world.run(&register).unwrap_err(), exists);
    }
    let by_commit = crate::metadata::TableRequirement::Create;
    assert_eq!(world.commit("v", vec![by_commit], Vec::new()).unwrap_err(), exists);

    let exists = Conflict::NameTaken { name: ident("t"), by: Relation::Table };
    assert_eq!(run(&mut world, &Request::CreateView(create("t"))).unwrap_err(), exists);
    let (from, to) = (ident("v"), ident("t"));
    let rename = Request::RenameView { from: from.clone(), to: to.clone() };
    let onto = Conflict::RenamedOnto { from, to, by: Relation::Table };
    assert_eq!(run(&mut world, &rename).unwrap_err(), onto);
    let (_, metadata_location, metadata) =
        run(&mut world, &commit("v", Vec::new(), Vec::new())).unwrap().views.remove(0);
    let register = |name: &str| Request::RegisterView {
        ident: ident(name),
        metadata_location: metadata_location.as_str().into(),
        metadata: metadata.clone(),
    };
    assert_eq!(run(&mut world, &register("t")).unwrap_err(), exists);
    assert_eq!(run(&mut world, &register("v")).unwrap_err(), Conflict::ViewExists(ident("v")));
    run(&mut world, &Request::DropView { ident: ident("v") }).unwrap();
    run(&mut world, &register("w")).unwrap();
}

#[test]
fn a_namespace_with_a_view_is_not_dropped() {
    let mut world = world_with_view("v");
    let drop = Request::DropNamespace {
        warehouse: "main".into(),
        namespace: namespace(&["a"]),
        guard: Guard::Respect,
    };
    assert_eq!(world.run(&drop).unwrap_err(), Conflict::NamespaceNotEmpty(namespace(&["a"])));
    run(&mut world, &Request::DropView { ident: ident("v") }).unwrap();
    assert!(world.run(&drop).is_ok());
}

#[test]
fn a_view_moves_to_another_namespace_but_not_to_another_warehouse() {
    let mut world = world_with_view("v");
    let create = Request::CreateNamespace {
        warehouse: "main".into(),
        namespace: namespace(&["b"]),
        properties: Properties::new(),
    };
    world.run(&create).unwrap();
    let entry = world.state.view(&ident("v")).unwrap().clone();
    let to = TableIdent::new("main", namespace(&["b"]), "w").unwrap();
    run(&mut world, &Request::RenameView { from: ident("v"), to: to.clone() }).unwrap();
    assert_eq!((world.state.view(&ident("v")), world.state.view(&to)), (None, Some(&entry)));
    let elsewhere = TableIdent::new("other", namespace(&["b"]), "w").unwrap();
    let refused = run(&mut world, &Request::RenameView { from: to, to: elsewhere }).unwrap_err();
    assert!(matches!(refused, Conflict::Invalid(_)), "{refused}");
}

#[test]
fn a_view_lies_in_its_warehouse_or_is_refused() {
    let mut world = world_with_view("v");
    for location in ["s3://other/x", "s3://main", "s3://main/../x", "file:///x"] {
        let refused = Request::CreateView(CreateView { location: Some(location.to_owned()), ..create("w") });
        assert!(run(&mut world, &refused).is_err(), "{location}");
        let moved = commit("v", Vec::new(), vec![ViewUpdate::SetLocation(location.to_owned())]);
        assert!(run(&mut world, &moved).is_err(), "{location}");
    }
}

#[test]
fn views_are_listed_in_order_behind_a_name_and_come_back_from_a_checkpoint() {
    let mut world = World::new();
    for name in ["c", "a", "b"] {
        run(&mut world, &Request::CreateView(create(name))).unwrap();
    }
    let names = |after| {
        let space = namespace(&["a"]);
        let views = world.state.views("main", &space, after);
        views.map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names(None), names(Some("a"))),
        (vec!["a".into(), "b".into(), "c".into()], vec!["b".into(), "c".into()])
    );
    assert_eq!(world.state.all_views().count(), 3);
    let bytes = world.state.encode_checkpoint();
    assert_eq!(CatalogState::decode_checkpoint(&bytes).unwrap(), world.state);
}

#[test]
fn a_view_does_not_lie_at_in_or_around_a_table_or_another_view() {
    let mut world = World::new();
    let table = crate::state::CreateTable {
        location: Some("s3://main/a/t1".to_owned()),
        ..super::tables::create("t1")
    };
    world.run(&Request::CreateTable(table)).unwrap();
    let at = |name: &str, location: &str| {
        Request::CreateView(CreateView { location: Some(location.to_owned()), ..create(name) })
    };
    let overlaps = |outcome: Result<Plan, Conflict>| {
        assert!(matches!(outcome, Err(Conflict::Invalid(message)) if message.contains("overlaps")));
    };
    for place in ["s3://main/a/t1", "s3://main/a/t1/inner", "s3://main/a"] {
        overlaps(run(&mut world, &at("v", place)));
    }
    let plan = run(&mut world, &at("v", "s3://main/a/v")).unwrap();
    overlaps(run(&mut world, &at("w", "s3://main/a/v")));
    let moved = |place: &str| commit("v", Vec::new(), vec![ViewUpdate::SetLocation(place.to_owned())]);
    overlaps(run(&mut world, &moved("s3://main/a/t1")));
    let (_, location, metadata) = plan.views[0].clone();
    let twin = Request::RegisterView { ident: ident("twin"), metadata_location: location.into(), metadata };
    overlaps(run(&mut world, &twin));
    // It may move inside and around where it lies itself.
    run(&mut world, &moved("s3://main/a/v/deeper")).unwrap();
}
