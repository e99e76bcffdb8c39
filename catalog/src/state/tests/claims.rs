//! Places that tables claim beside their locations.

use std::sync::Arc;

use super::tables::{World, create, ident, set};
use crate::metadata::{TableRequirement, TableUpdate};
use crate::state::{
    CatalogState, Conflict, CreateTable, DropTable, Existing, Expect, Guard, Properties, Purge, Request,
    StagedTable, TableChange, UndropTable,
};

fn at(name: &str, location: &str) -> CreateTable {
    CreateTable { location: Some(location.to_owned()), ..create(name) }
}

fn with_path(name: &str, path: &str) -> CreateTable {
    let properties = Properties::from([("write.data.path".to_owned(), path.to_owned())]);
    CreateTable { properties, ..at(name, &format!("s3://main/a/{name}")) }
}

fn refused(outcome: Result<impl std::fmt::Debug, Conflict>) {
    match outcome.unwrap_err() {
        Conflict::Invalid(message) => assert!(message.contains("overlaps"), "{message}"),
        other => panic!("{other:?}"),
    }
}

/// A checkpoint holds the claims: the state that is read from one is the same.
fn survives_a_restart(world: &mut World) {
    let decoded = CatalogState::decode_checkpoint(&world.state.encode_checkpoint()).unwrap();
    assert_eq!(decoded, world.state);
    world.state = decoded;
}

#[test]
fn write_paths_of_two_tables_do_not_overlap() {
    let mut world = World::new();
    world.run(&Request::CreateTable(with_path("t1", "s3://main/lake/one"))).unwrap();
    survives_a_restart(&mut world);
    for path in ["s3://main/lake/one", "s3://main/lake/one/inner", "s3://main/lake"] {
        refused(world.run(&Request::CreateTable(with_path("t2", path))));
        refused(world.run(&Request::CreateTable(at("t2", path))));
    }
    world.run(&Request::CreateTable(with_path("t2", "s3://main/lake/one2"))).unwrap();
    refused(world.commit("t2", Vec::new(), vec![set("write.metadata.path", "s3://main/lake/one/meta")]));
    // A table goes on with what it has, and moves where it likes.
    world.commit("t1", Vec::new(), vec![set("a", "1")]).unwrap();
    world.commit("t1", Vec::new(), vec![set("write.data.path", "s3://main/lake/one/inner")]).unwrap();
    world.commit("t2", Vec::new(), vec![set("write.data.path", "s3://main/lake/one/other")]).unwrap();
}

#[test]
fn a_claim_ends_with_its_property_or_its_table() {
    let mut world = World::new();
    let claimed = |world: &World| world.state.documents(crate::state::claims::CLAIM_KIND, None).count();
    for name in ["t1", "t2", "t3"] {
        world.run(&Request::CreateTable(with_path(name, &format!("s3://main/lake/{name}")))).unwrap();
    }
    assert_eq!(claimed(&world), 3);
    let remove = TableUpdate::RemoveProperties(vec!["write.data.path".to_owned()]);
    world.commit("t1", Vec::new(), vec![remove]).unwrap();
    world.run(&Request::DropTable(DropTable::asked(ident("t2"), Purge::Keep, 0))).unwrap();
    world.run(&Request::UnregisterTable { ident: ident("t3") }).unwrap();
    assert_eq!(claimed(&world), 0);
    for name in ["t1", "t2", "t3"] {
        world
            .run(&Request::CreateTable(at(&format!("new-{name}"), &format!("s3://main/lake/{name}"))))
            .unwrap();
    }
    survives_a_restart(&mut world);
}

#[test]
fn a_dropped_table_that_is_kept_keeps_its_claim_and_comes_back_to_it() {
    let mut world = World::new();
    world.run(&Request::CreateTable(with_path("t1", "s3://main/lake/one"))).unwrap();
    world.run(&Request::DropTable(DropTable::asked(ident("t1"), Purge::Files, 10_000_000))).unwrap();
    refused(world.run(&Request::CreateTable(with_path("t2", "s3://main/lake/one"))));
    world.run(&Request::UndropTable(UndropTable { ident: ident("t1"), id: None, to: None })).unwrap();
    world.run(&Request::DropTable(DropTable::asked(ident("t1"), Purge::Keep, 10_000_000))).unwrap();
    let id = world.state.last_dropped(&ident("t1")).unwrap().id;
    world.run(&Request::RemoveDropped { id }).unwrap();
    world.run(&Request::CreateTable(with_path("t2", "s3://main/lake/one"))).unwrap();
}

#[test]
fn a_purge_spares_a_place_where_another_table_writes() {
    let mut world = World::new();
    world.run(&Request::CreateTable(at("t1", "s3://main/a/t1"))).unwrap();
    world.run(&Request::DropTable(DropTable::asked(ident("t1"), Purge::Files, 1_000))).unwrap();
    // The location of a dropped table is free; what comes to lie there is not deleted with it.
    world.run(&Request::CreateTable(with_path("t2", "s3://main/a/t1/data"))).unwrap();
    world.at += 1_000_000;
    world.run(&Request::ExpireDropped { now: world.at }).unwrap();
    assert_eq!(world.state.purges().count(), 0);
}

#[test]
fn a_table_from_before_there_were_claims_gets_its_own_with_its_next_commit() {
    let mut world = World::new();
    world.run(&Request::CreateTable(with_path("t1", "s3://main/lake/one"))).unwrap();
    let id: Arc<str> = world.state.table(&ident("t1")).unwrap().uuid.to_string().into();
    let kind: Arc<str> = crate::state::claims::CLAIM_KIND.into();
    world.run(&Request::DeleteDocument { kind, id, expect: Expect::Any }).unwrap();
    world.commit("t1", Vec::new(), vec![set("a", "1")]).unwrap();
    refused(world.run(&Request::CreateTable(with_path("t2", "s3://main/lake/one"))));
}

fn stage(world: &mut World, name: &str, owner: &str, location: &str) -> Result<StagedTable, Conflict> {
    let metadata = world.state.stage(&at(name, location), world.at, &mut world.ids)?;
    let until = world.at + 100_000;
    let staged = StagedTable { ident: ident(name), metadata, owner: owner.into(), until };
    world.run(&Request::StageTable(staged.clone()))?;
    Ok(staged)
}

fn made_of(staged: &StagedTable) -> Request {
    let metadata = &staged.metadata;
    Request::CommitTables(vec![TableChange {
        ident: staged.ident.clone(),
        requirements: vec![TableRequirement::Create],
        updates: vec![
            TableUpdate::AssignUuid(metadata.uuid().unwrap()),
            TableUpdate::AddSchema(Arc::clone(metadata.current_schema().unwrap())),
            TableUpdate::SetCurrentSchema(-1),
            TableUpdate::SetLocation(metadata.location().to_owned()),
        ],
    }])
}

#[test]
fn a_place_where_a_table_is_staged_is_kept_for_who_stages_it() {
    let mut world = World::new();
    let staged = stage(&mut world, "t1", "key:a", "s3://main/chosen/t1").unwrap();
    survives_a_restart(&mut world);
    // Neither another caller nor another table gets access there, and no table comes to lie there.
    for place in ["s3://main/chosen/t1", "s3://main/chosen", "s3://main/chosen/t1/data"] {
        refused(stage(&mut world, "t2", "key:a", place));
        refused(world.run(&Request::CreateTable(at("t2", place))));
    }
    refused(stage(&mut world, "t1", "key:b", "s3://main/chosen/t1"));
    world.run(&made_of(&staged)).unwrap();
    assert_eq!(world.state.documents(crate::state::claims::CLAIM_KIND, None).count(), 0);
    refused(stage(&mut world, "t2", "key:a", "s3://main/chosen/t1"));
}

#[test]
fn a_table_is_staged_again_by_who_staged_it_and_by_anyone_once_the_time_is_over() {
    let mut world = World::new();
    stage(&mut world, "t1", "key:a", "s3://main/chosen/t1").unwrap();
    stage(&mut world, "t1", "key:a", "s3://main/chosen/t1").unwrap();
    assert_eq!(world.state.documents(crate::state::claims::CLAIM_KIND, None).count(), 1);
    world.at += 200_000;
    let other = stage(&mut world, "t2", "key:b", "s3://main/chosen/t1").unwrap();
    assert_eq!(world.state.documents(crate::state::claims::CLAIM_KIND, None).count(), 1);
    world.run(&made_of(&other)).unwrap();
}

#[test]
fn a_protected_table_is_not_registered_over() {
    let mut world = World::new();
    let metadata = world.create("t1").unwrap();
    world.commit("t1", Vec::new(), vec![set("tarn.protected", "true")]).unwrap();
    let register = Request::RegisterTable {
        ident: ident("t1"),
        metadata_location: format!("{}/metadata/v7.metadata.json", metadata.location()).as_str().into(),
        metadata,
        existing: Existing::Overwrite,
    };
    assert!(matches!(world.run(&register), Err(Conflict::TableProtected(_))));
    world.commit("t1", Vec::new(), vec![set("tarn.protected", "false")]).unwrap();
    world.run(&register).unwrap();
    world
        .run(&Request::DropTable(DropTable {
            guard: Guard::Respect,
            ..DropTable::asked(ident("t1"), Purge::Keep, 0)
        }))
        .unwrap();
}
