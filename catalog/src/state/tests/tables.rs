//! Creating, committing to, renaming and dropping tables.

use std::sync::Arc;

use serde_json::json;

use crate::metadata::{Schema, TableMetadata, TableRequirement, TableUpdate};
use crate::state::{
    CatalogState, Conflict, CreateTable, FreshIds, Loaded, Namespace, Plan, Properties, Request, TableChange,
    TableIdent,
};

pub(super) fn namespace(levels: &[&str]) -> Namespace {
    Namespace::new(levels.iter().map(|&level| level.to_owned()).collect()).unwrap()
}

pub(super) fn ident(name: &str) -> TableIdent {
    TableIdent::new("main", namespace(&["a"]), name).unwrap()
}

/// A catalog beside the metadata files it names.
pub(super) struct World {
    pub(super) state: CatalogState,
    pub(super) loaded: Loaded,
    pub(super) ids: FreshIds,
    pub(super) at: i64,
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            state: CatalogState::default(),
            loaded: Loaded::default(),
            ids: FreshIds::new(7),
            at: 1_000_000,
        };
        world.run(&Request::CreateWarehouse { name: "main".into(), properties: Properties::new() }).unwrap();
        let create = Request::CreateNamespace {
            warehouse: "main".into(),
            namespace: namespace(&["a"]),
            properties: Properties::new(),
        };
        world.run(&create).unwrap();
        world
    }

    pub(super) fn run(&mut self, request: &Request) -> Result<Plan, Conflict> {
        self.at += 1_000;
        let plan = self.state.plan(request, &self.loaded, self.at, &mut self.ids)?;
        if !plan.is_empty() {
            self.state.apply(&plan.commit);
        }
        for (ident, location, metadata) in &plan.tables {
            self.loaded.insert(ident.clone(), location.as_str().into(), Arc::clone(metadata));
        }
        Ok(plan)
    }

    pub(super) fn create(&mut self, name: &str) -> Result<Arc<TableMetadata>, Conflict> {
        let plan = self.run(&Request::CreateTable(create(name)))?;
        Ok(Arc::clone(&plan.tables[0].2))
    }

    pub(super) fn commit(
        &mut self,
        name: &str,
        requirements: Vec<TableRequirement>,
        updates: Vec<TableUpdate>,
    ) -> Result<Plan, Conflict> {
        self.run(&Request::CommitTables(vec![TableChange { ident: ident(name), requirements, updates }]))
    }
}

pub(super) fn schema() -> Arc<Schema> {
    let json =
        json!({"type": "struct", "fields": [{"id": 9, "name": "x", "required": false, "type": "long"}]});
    Arc::new(Schema::from_json(json).unwrap())
}

pub(super) fn create(name: &str) -> CreateTable {
    CreateTable {
        ident: ident(name),
        schema: schema(),
        spec: None,
        order: None,
        location: None,
        properties: Properties::new(),
    }
}

#[test]
fn a_created_table_lies_in_its_namespace_and_begins_at_revision_0() {
    let mut world = World::new();
    let metadata = world.create("t").unwrap();
    let uuid = metadata.uuid().unwrap();
    assert_eq!(metadata.location(), format!("s3://main/a/t-{uuid}"));
    let entry = world.state.table(&ident("t")).unwrap();
    assert!(entry.metadata_location.starts_with(&format!("s3://main/a/t-{uuid}/metadata/00000-")));
    assert_eq!((entry.revision, entry.uuid), (0, uuid));
}

#[test]
fn a_commit_without_change_writes_nothing() {
    let mut world = World::new();
    world.create("t").unwrap();
    let before = world.state.clone();
    let plan = world.commit("t", vec![TableRequirement::CurrentSchemaId(0)], Vec::new()).unwrap();
    assert!(plan.is_empty() && plan.writes.is_empty());
    assert_eq!(plan.reads, [ident("t")]);
    assert_eq!(world.state, before);
}

#[test]
fn a_table_of_another_file_is_not_planned_on() {
    let mut world = World::new();
    world.create("t").unwrap();
    let stale = world.loaded.clone();
    let update = TableUpdate::SetProperties(Properties::from([("a".to_owned(), "b".to_owned())]));
    world.commit("t", Vec::new(), vec![update.clone()]).unwrap();
    world.loaded = stale;
    let conflict = world.commit("t", Vec::new(), vec![update]).unwrap_err();
    assert_eq!(conflict, Conflict::NotLoaded(ident("t")));
}
