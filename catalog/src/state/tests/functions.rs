//! Functions in the state: they lie in a namespace that exists.

use std::sync::Arc;

use serde_json::json;

use super::tables::{World, ident, namespace};
use crate::metadata::FunctionMetadata;
use crate::state::{Conflict, Guard, Properties, Request, TableIdent, limits};

fn metadata() -> Arc<FunctionMetadata> {
    let json = json!({
        "function-uuid": "fa6506c3-7681-40c8-86dc-e36561f83385", "format-version": 1, "definition-log": [],
        "definitions": [{
            "definition-id": "int", "function-type": "udf", "parameters": [{"type": "int", "name": "x"}],
            "return-type": "int", "current-version-id": 1,
            "versions": [{"version-id": 1, "timestamp-ms": 1,
                "representations": [{"type": "sql", "dialect": "spark", "sql": "x + 1"}]}],
        }],
    });
    Arc::new(FunctionMetadata::from_json(json).unwrap())
}

fn put(ident: TableIdent) -> Request {
    Request::PutFunction { ident, metadata: metadata() }
}

#[test]
fn a_function_is_put_listed_and_deleted_in_its_namespace_only() {
    let mut world = World::new();
    let inner = Request::CreateNamespace {
        warehouse: "main".into(),
        namespace: namespace(&["a", "b"]),
        properties: Properties::new(),
    };
    world.run(&inner).unwrap();
    let deep = TableIdent::new("main", namespace(&["a", "b"]), "deep").unwrap();
    for ident in [ident("c"), ident("a"), deep, ident("b"), ident("b")] {
        world.run(&put(ident)).unwrap();
    }
    let names = |levels: &[&str], after| {
        world.state.functions("main", &namespace(levels), after).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(&["a"], None), ["a", "b", "c"]);
    assert_eq!(names(&["a"], Some("a")), ["b", "c"]);
    assert_eq!(names(&["a", "b"], None), ["deep"]);
    assert_eq!(world.state.all_functions(None).filter(|(_, function)| function.is_some()).count(), 4);
    assert!(world.state.function(&ident("a")).is_some());
    world.run(&Request::DeleteFunction { ident: ident("a") }).unwrap();
    assert!(world.state.function(&ident("a")).is_none());
    let again = world.run(&Request::DeleteFunction { ident: ident("a") }).unwrap_err();
    assert_eq!(again, Conflict::NoSuchFunction(ident("a")));
}

#[test]
fn a_function_needs_a_namespace_and_keeps_it() {
    let mut world = World::new();
    let nowhere = TableIdent::new("main", namespace(&["none"]), "f").unwrap();
    assert_eq!(world.run(&put(nowhere)).unwrap_err(), Conflict::NoSuchNamespace(namespace(&["none"])));
    world.run(&put(ident("f"))).unwrap();
    let drop = Request::DropNamespace {
        warehouse: "main".into(),
        namespace: namespace(&["a"]),
        guard: Guard::Respect,
    };
    assert_eq!(world.run(&drop).unwrap_err(), Conflict::NamespaceNotEmpty(namespace(&["a"])));
    world.run(&Request::DeleteFunction { ident: ident("f") }).unwrap();
    world.run(&drop).unwrap();
}

#[test]
fn a_function_name_has_a_limit() {
    let mut world = World::new();
    world.run(&put(ident(&"f".repeat(limits::FUNCTION_NAME_BYTES_MAX)))).unwrap();
    let long = world.run(&put(ident(&"f".repeat(limits::FUNCTION_NAME_BYTES_MAX + 1)))).unwrap_err();
    assert!(matches!(long, Conflict::Name(_)), "{long}");
}
