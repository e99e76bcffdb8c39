//! Namespaces, names, locations and documents.

use crate::state::{
    CatalogState, Conflict, Expect, FreshIds, Guard, Loaded, Namespace, Plan, Properties, Request,
    TableIdent, check_warehouse_name, key_in_warehouse, limits,
};

use super::tables::{World, namespace};

fn create_namespace(levels: &[&str], properties: &[(&str, &str)]) -> Request {
    Request::CreateNamespace {
        warehouse: "main".into(),
        namespace: namespace(levels),
        properties: properties.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}

fn drop_namespace(levels: &[&str]) -> Request {
    Request::DropNamespace { warehouse: "main".into(), namespace: namespace(levels), guard: Guard::Respect }
}

#[test]
fn a_namespace_brings_its_parents_and_leaves_before_them() {
    let mut world = World::new();
    world.run(&create_namespace(&["x", "y", "z"], &[("k", "v")])).unwrap();
    for (levels, count) in [(&["x"][..], 0), (&["x", "y"], 0), (&["x", "y", "z"], 1)] {
        let entry = world.state.namespace("main", &namespace(levels)).unwrap();
        assert_eq!(entry.properties.len(), count, "{levels:?}");
    }
    let again = world.run(&create_namespace(&["x"], &[])).unwrap_err();
    assert_eq!(again, Conflict::NamespaceExists(namespace(&["x"])));
    world.run(&create_namespace(&["a", "b"], &[])).unwrap();
    assert_eq!(
        world.run(&drop_namespace(&["a"])).unwrap_err(),
        Conflict::NamespaceNotEmpty(namespace(&["a"]))
    );
    world.run(&drop_namespace(&["a", "b"])).unwrap();
    world.run(&drop_namespace(&["a"])).unwrap();
    assert_eq!(world.run(&drop_namespace(&["a"])).unwrap_err(), Conflict::NoSuchNamespace(namespace(&["a"])));
}

#[test]
fn namespaces_are_listed_level_by_level_and_after_a_name() {
    let mut world = World::new();
    for levels in [&["a", "x"][..], &["a", "y"], &["a", "x", "deep"], &["a-b"], &["b"], &["b", "x"]] {
        world.run(&create_namespace(levels, &[])).unwrap();
    }
    let list = |parent: Option<&[&str]>, after: Option<&[&str]>| -> Vec<String> {
        let (parent, after) = (parent.map(namespace), after.map(namespace));
        let found = world.state.namespaces("main", parent.as_ref(), after.as_ref());
        found.map(ToString::to_string).collect()
    };
    assert_eq!(list(None, None), ["a", "a-b", "b"]);
    assert_eq!(list(None, Some(&["a"])), ["a-b", "b"]);
    assert_eq!(list(Some(&["a"]), None), ["a.x", "a.y"]);
    assert_eq!(list(Some(&["a"]), Some(&["a", "x"])), ["a.y"]);
    assert_eq!(list(Some(&["none"]), None), Vec::<String>::new());
    assert_eq!(world.state.namespaces("other", None, None).count(), 0);
}

fn update_namespace(updates: &[(&str, &str)], removals: &[&str]) -> Request {
    Request::UpdateNamespace {
        warehouse: "main".into(),
        namespace: namespace(&["a"]),
        updates: updates.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect(),
        removals: removals.iter().map(|&key| key.to_owned()).collect(),
    }
}

#[test]
fn properties_are_set_and_removed_and_what_was_missing_is_told() {
    let mut world = World::new();
    world.run(&update_namespace(&[("k", "v"), ("l", "w")], &[])).unwrap();
    let plan = world.run(&update_namespace(&[("k", "x")], &["l", "none"])).unwrap();
    assert_eq!(plan.missing, ["none"]);
    let entry = world.state.namespace("main", &namespace(&["a"])).unwrap();
    assert_eq!(*entry.properties, Properties::from([("k".to_owned(), "x".to_owned())]));
    assert!(world.run(&update_namespace(&[("k", "x")], &["none"])).unwrap().is_empty());
    let both = world.run(&update_namespace(&[("k", "x")], &["k"])).unwrap_err();
    assert_eq!(both, Conflict::SetAndRemoved("k".to_owned()));
}

#[test]
fn a_namespace_location_lies_in_its_warehouse_and_tables_go_there() {
    let mut world = World::new();
    for outside in ["s3://other/x", "s3://main-2/x", "file:///x", "s3://main/../other", "s3://main/a//b"] {
        let refused = world.run(&update_namespace(&[("location", outside)], &[])).unwrap_err();
        assert!(matches!(refused, Conflict::Invalid(_)), "{outside}");
    }
    world.run(&update_namespace(&[("location", "s3://main/raw/")], &[])).unwrap();
    let table = world.create("t").unwrap();
    assert_eq!(table.location(), format!("s3://main/raw/t-{}", table.uuid().unwrap()));
}

#[test]
fn names_are_checked() {
    let levels = |count: usize| Namespace::new(vec!["x".to_owned(); count]);
    assert!(levels(0).is_err() && levels(limits::NAMESPACE_LEVELS_MAX).is_ok());
    assert!(levels(limits::NAMESPACE_LEVELS_MAX + 1).is_err());
    for bad in ["", "a\u{1f}b", "a\0", "a\n"] {
        assert!(Namespace::new(vec![bad.to_owned()]).is_err());
        assert!(TableIdent::new("main", namespace(&["a"]), bad).is_err());
    }
    assert!(TableIdent::new("main", namespace(&["a"]), "x".repeat(limits::NAME_BYTES_MAX + 1)).is_err());
    for bad in ["", "ab", "Main", "-main", "main-", "a b c", "a/b", "..."] {
        assert!(check_warehouse_name(bad).is_err(), "{bad}");
    }
    assert!(check_warehouse_name("main-2.x").is_ok());
}

#[test]
fn a_location_lies_below_its_warehouse_or_nowhere() {
    assert_eq!(key_in_warehouse("main", "s3://main/a/b"), Some("a/b"));
    for outside in [
        "s3://main",
        "s3://main/",
        "s3://main2/a",
        "s3://mai/n/a",
        "s3://main/a/../b",
        "s3://main/./a",
        "s3://main//a",
        "s3://main/a/",
        "s3a://main/a",
        "/main/a",
        "s3://main/a\0b",
        "s3://other/main/a",
    ] {
        assert_eq!(key_in_warehouse("main", outside), None, "{outside}");
    }
    assert_eq!(key_in_warehouse("main", &format!("s3://main/{}", "x".repeat(2000))), None);
}

#[test]
fn a_table_of_any_name_gets_a_plain_location() {
    let mut world = World::new();
    for name in ["..", "a b/c", "\u{1f980}\u{e4}", "%2e%2e", &"n".repeat(255)] {
        let table = world.create(name).unwrap();
        let key = key_in_warehouse("main", table.location()).unwrap();
        assert!(key.is_ascii() && key.starts_with("a/") && key.split('/').count() == 2, "{key}");
    }
    let deep = vec!["d".repeat(255); 3];
    for end in 1..=deep.len() {
        let levels: Vec<&str> = deep[..end].iter().map(String::as_str).collect();
        world.run(&create_namespace(&levels, &[])).unwrap();
    }
}

fn put(json: &str, expect: Expect) -> Request {
    Request::PutDocument { kind: "key".into(), id: "one".into(), json: json.into(), expect }
}

fn run(state: &mut CatalogState, request: &Request) -> Result<Plan, Conflict> {
    let plan = state.plan(request, &Loaded::default(), 1, &mut FreshIds::new(1))?;
    state.apply(&plan.commit);
    Ok(plan)
}

#[test]
fn a_document_changes_only_as_expected() {
    let mut state = CatalogState::default();
    run(&mut state, &put("1", Expect::Absent)).unwrap();
    let first = state.document("key", "one").unwrap().revision;
    let again = run(&mut state, &put("2", Expect::Absent)).unwrap_err();
    assert!(matches!(again, Conflict::DocumentChanged { found: Some(found), .. } if found == first));
    run(&mut state, &put("2", Expect::Revision(first))).unwrap();
    assert!(run(&mut state, &put("3", Expect::Revision(first))).is_err());
    let delete = |expect| Request::DeleteDocument { kind: "key".into(), id: "one".into(), expect };
    assert!(run(&mut state, &delete(Expect::Revision(first))).is_err());
    run(&mut state, &delete(Expect::Any)).unwrap();
    assert!(matches!(run(&mut state, &delete(Expect::Any)), Err(Conflict::NoSuchDocument { .. })));
    // A document that comes back has a revision nobody has seen.
    run(&mut state, &put("4", Expect::Absent)).unwrap();
    assert!(state.document("key", "one").unwrap().revision > first + 1);
    assert_eq!(state.documents("key", None).count(), 1);
    assert_eq!(state.documents("key", Some("one")).count() + state.documents("ke", None).count(), 0);
}

#[test]
fn a_warehouse_leaves_only_when_it_is_empty() {
    let mut world = World::new();
    let drop = Request::DropWarehouse { name: "main".into() };
    assert_eq!(world.run(&drop).unwrap_err(), Conflict::WarehouseNotEmpty("main".into()));
    world.run(&drop_namespace(&["a"])).unwrap();
    world.run(&drop).unwrap();
    assert_eq!(world.run(&drop).unwrap_err(), Conflict::NoSuchWarehouse("main".into()));
    let create = world.run(&create_namespace(&["a"], &[])).unwrap_err();
    assert_eq!(create, Conflict::NoSuchWarehouse("main".into()));
}
