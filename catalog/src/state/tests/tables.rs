//! Creating, committing to, renaming and dropping tables.

use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use crate::metadata::{Metadata, Schema, TableMetadata, TableRequirement, TableUpdate};
use crate::state::{
    CatalogState, Conflict, CreateTable, DropTable, Existing, FreshIds, Loaded, Namespace, Plan, Properties,
    Purge, Relation, Request, TableChange, TableIdent, limits,
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

    /// The file of a renamed table is loaded under its new name.
    pub(super) fn follow(&mut self, from: &TableIdent, to: &TableIdent) {
        self.loaded.rename(from, to);
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

fn change(name: &str, requirements: Vec<TableRequirement>, updates: Vec<TableUpdate>) -> TableChange {
    TableChange { ident: ident(name), requirements, updates }
}

pub(super) fn set(key: &str, value: &str) -> TableUpdate {
    TableUpdate::SetProperties(Properties::from([(key.to_owned(), value.to_owned())]))
}

fn create_updates(location: &str) -> Vec<TableUpdate> {
    vec![
        TableUpdate::AssignUuid(Uuid::from_u128(5)),
        TableUpdate::UpgradeFormatVersion(3),
        TableUpdate::AddSchema(schema()),
        TableUpdate::SetCurrentSchema(-1),
        TableUpdate::SetLocation(location.to_owned()),
    ]
}

#[test]
fn a_transaction_changes_all_its_tables_or_none() {
    let mut world = World::new();
    world.create("t").unwrap();
    world.create("u").unwrap();
    let before = world.state.clone();
    let wrong = TableRequirement::CurrentSchemaId(9);
    let conflict = world
        .run(&Request::CommitTables(vec![
            change("t", Vec::new(), vec![set("a", "1")]),
            // Only read, and its requirement does not hold.
            change("u", vec![wrong], Vec::new()),
        ]))
        .unwrap_err();
    assert!(matches!(conflict, Conflict::Requirement { table, .. } if table == ident("u")));
    assert_eq!(world.state, before);
    let plan = world
        .run(&Request::CommitTables(vec![
            change("t", Vec::new(), vec![set("a", "1")]),
            change("u", vec![TableRequirement::CurrentSchemaId(0)], Vec::new()),
            change("v", vec![TableRequirement::Create], create_updates("s3://main/v")),
        ]))
        .unwrap();
    assert_eq!((plan.writes.len(), plan.tables.len(), plan.reads.as_slice()), (2, 3, &[ident("u")][..]));
    let revision = |name| world.state.table(&ident(name)).unwrap().revision;
    assert_eq!((revision("t"), revision("u"), revision("v")), (1, 0, 0));
    assert_eq!(world.state.table(&ident("v")).unwrap().uuid, Uuid::from_u128(5));
}

#[test]
fn a_table_is_named_once_in_a_transaction() {
    let mut world = World::new();
    world.create("t").unwrap();
    let twice =
        vec![change("t", Vec::new(), vec![set("a", "1")]), change("t", Vec::new(), vec![set("a", "2")])];
    assert!(matches!(world.run(&Request::CommitTables(twice)), Err(Conflict::Invalid(_))));
}

#[test]
fn creating_by_commit_needs_a_free_name_and_only_assert_create() {
    let mut world = World::new();
    world.create("t").unwrap();
    let exists =
        world.commit("t", vec![TableRequirement::Create], create_updates("s3://main/x")).unwrap_err();
    assert!(matches!(exists, Conflict::Requirement { .. }));
    let more = vec![TableRequirement::Create, TableRequirement::CurrentSchemaId(0)];
    assert!(matches!(world.commit("v", more, create_updates("s3://main/x")), Err(Conflict::Invalid(_))));
    let missing = world.commit("v", Vec::new(), vec![set("a", "1")]).unwrap_err();
    assert_eq!(missing, Conflict::NoSuchTable(ident("v")));
    // Without a schema there is no table.
    assert!(matches!(
        world.commit("v", vec![TableRequirement::Create], Vec::new()),
        Err(Conflict::Update { .. })
    ));
}

#[test]
fn a_staged_table_is_created_by_the_commit_that_follows() {
    let mut world = World::new();
    let staged = world.state.stage(&create("t"), world.at, &mut world.ids).unwrap();
    assert!(world.state.table(&ident("t")).is_none());
    let mut updates = create_updates(staged.location());
    updates[0] = TableUpdate::AssignUuid(staged.uuid().unwrap());
    world.commit("t", vec![TableRequirement::Create], updates).unwrap();
    let entry = world.state.table(&ident("t")).unwrap();
    assert_eq!((entry.uuid, &*entry.location), (staged.uuid().unwrap(), staged.location()));
}

#[test]
fn a_location_outside_the_warehouse_is_refused_everywhere() {
    let mut world = World::new();
    world.create("t").unwrap();
    for outside in ["s3://other/t", "s3://main", "s3://main/a/../../other/t", "file:///t", ""] {
        let wanted = CreateTable { location: Some(outside.to_owned()), ..create("v") };
        assert!(world.run(&Request::CreateTable(wanted)).is_err(), "{outside}");
        assert!(
            world.commit("t", Vec::new(), vec![TableUpdate::SetLocation(outside.to_owned())]).is_err(),
            "{outside}"
        );
        assert!(
            world.commit("v", vec![TableRequirement::Create], create_updates(outside)).is_err(),
            "{outside}"
        );
    }
    world.commit("t", Vec::new(), vec![TableUpdate::SetLocation("s3://main/moved".to_owned())]).unwrap();
    let entry = world.state.table(&ident("t")).unwrap();
    assert!(entry.metadata_location.starts_with("s3://main/moved/metadata/00001-"));
}

#[test]
fn metadata_files_count_up_and_say_when_they_are_gzip() {
    let mut world = World::new();
    world.create("t").unwrap();
    let first = world.state.table(&ident("t")).unwrap().metadata_location.clone();
    let plan = world.commit("t", Vec::new(), vec![set("write.metadata.compression-codec", "GZIP")]).unwrap();
    let (location, Metadata::Table(metadata)) = &plan.writes[0] else { panic!("no table's file") };
    assert!(location.contains("/metadata/00001-") && location.ends_with(".gz.metadata.json"));
    assert_eq!(metadata.metadata_log().map(|entry| &*entry.metadata_file).collect::<Vec<_>>(), [&*first]);
    assert_eq!(TableMetadata::parse(&metadata.to_file(location)).unwrap().to_json(), metadata.to_json());
}

#[test]
fn a_renamed_table_keeps_its_revisions() {
    let mut world = World::new();
    world.create("t").unwrap();
    world.create("u").unwrap();
    let entry = Arc::clone(world.state.table(&ident("t")).unwrap());
    let rename = |from: &str, to: TableIdent| Request::RenameTable { from: ident(from), to };
    let onto = Conflict::RenamedOnto { from: ident("t"), to: ident("u"), by: Relation::Table };
    assert_eq!(world.run(&rename("t", ident("u"))).unwrap_err(), onto);
    assert_eq!(world.run(&rename("x", ident("y"))).unwrap_err(), Conflict::NoSuchTable(ident("x")));
    let nowhere = TableIdent::new("main", namespace(&["none"]), "t").unwrap();
    assert_eq!(
        world.run(&rename("t", nowhere)).unwrap_err(),
        Conflict::NoSuchNamespace(namespace(&["none"]))
    );
    world.run(&rename("t", ident("z"))).unwrap();
    assert_eq!(world.state.table(&ident("z")), Some(&entry));
    assert!(world.state.table(&ident("t")).is_none());
}

#[test]
fn a_registered_table_takes_a_free_name_or_the_place_of_another() {
    let mut world = World::new();
    let metadata = world.create("t").unwrap();
    let file = Arc::clone(&world.state.table(&ident("t")).unwrap().metadata_location);
    world.run(&Request::DropTable(DropTable::asked(ident("t"), Purge::Keep, 0))).unwrap();
    let register = |existing| Request::RegisterTable {
        ident: ident("r"),
        metadata_location: Arc::clone(&file),
        metadata: Arc::clone(&metadata),
        existing,
    };
    world.run(&register(Existing::Refuse)).unwrap();
    assert_eq!(world.run(&register(Existing::Refuse)).unwrap_err(), Conflict::TableExists(ident("r")));
    assert_eq!(world.state.table(&ident("r")).unwrap().metadata_location, file);
    world.run(&Request::DropTable(DropTable::asked(ident("r"), Purge::Keep, 0))).unwrap();
    world.create("other").unwrap();
    let overwrite = Request::RegisterTable {
        ident: ident("other"),
        metadata_location: Arc::clone(&file),
        metadata: Arc::clone(&metadata),
        existing: Existing::Overwrite,
    };
    world.run(&overwrite).unwrap();
    // Another table took the name: its history is its own.
    let entry = world.state.table(&ident("other")).unwrap();
    assert_eq!((entry.uuid, entry.revision, entry.revisions.len()), (metadata.uuid().unwrap(), 0, 1));
}

#[test]
fn the_clock_of_a_table_never_goes_back() {
    let mut world = World::new();
    world.create("t").unwrap();
    world.at = 1;
    let plan = world.commit("t", Vec::new(), vec![set("a", "1")]).unwrap();
    assert_eq!(plan.tables[0].2.last_updated_ms(), 1_003_000);
}

#[test]
fn revisions_are_dense_and_bounded() {
    let mut world = World::new();
    world.create("t").unwrap();
    for round in 0..limits::REVISIONS_MAX + 5 {
        world.commit("t", Vec::new(), vec![set("a", &round.to_string())]).unwrap();
    }
    let entry = world.state.table(&ident("t")).unwrap();
    assert_eq!(
        (entry.revision, entry.revisions.len()),
        (limits::REVISIONS_MAX as u64 + 5, limits::REVISIONS_MAX)
    );
    let numbers: Vec<u64> = entry.revisions.iter().map(|revision| revision.number).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!(numbers.last(), Some(&entry.revision));
}

#[test]
fn what_is_too_much_is_refused() {
    let mut world = World::new();
    world.create("t").unwrap();
    let big = "x".repeat(limits::PROPERTIES_BYTES_MAX);
    assert!(matches!(world.commit("t", Vec::new(), vec![set("a", &big)]), Err(Conflict::Invalid(_))));
    let many =
        (0..=limits::TABLES_PER_COMMIT_MAX).map(|number| change(&number.to_string(), Vec::new(), Vec::new()));
    assert!(matches!(world.run(&Request::CommitTables(many.collect())), Err(Conflict::Invalid(_))));
    let updates = vec![set("a", "b"); limits::UPDATES_PER_TABLE_MAX + 1];
    assert!(matches!(world.commit("t", Vec::new(), updates), Err(Conflict::Invalid(_))));
}
