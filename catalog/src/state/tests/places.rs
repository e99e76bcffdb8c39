//! Where tables may lie.

use std::sync::Arc;

use super::tables::{World, create, ident, set};
use crate::metadata::TableUpdate;
use crate::state::{
    Change, Commit, Conflict, CreateTable, DropTable, Existing, Purge, Request, TableChange, TablePut,
};

fn at(name: &str, location: &str) -> Request {
    Request::CreateTable(CreateTable { location: Some(location.to_owned()), ..create(name) })
}

fn world() -> World {
    let mut world = World::new();
    world.run(&at("t1", "s3://main/a/t1")).unwrap();
    world
}

fn refused(outcome: Result<impl std::fmt::Debug, Conflict>) {
    match outcome.unwrap_err() {
        Conflict::Invalid(message) => {
            assert!(message.contains("overlaps") || message.contains("does not lie inside"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_table_is_not_created_at_in_or_around_another() {
    let mut world = world();
    for location in ["s3://main/a/t1", "s3://main/a/t1/data", "s3://main/a"] {
        refused(world.run(&at("t2", location)));
        let mut ids = world.ids.clone();
        let staged = CreateTable { location: Some(location.to_owned()), ..create("t2") };
        refused(world.state.stage(&staged, world.at, &mut ids));
    }
    world.run(&at("t10", "s3://main/a/t10")).unwrap();
}

#[test]
fn nothing_lies_below_dot_tarn() {
    for location in ["s3://main/.tarn", "s3://main/.tarn/catalog"] {
        refused(world().run(&at("t2", location)));
    }
    world().run(&at("t2", "s3://main/.tarns")).unwrap();
}

#[test]
fn a_place_is_free_again_when_its_table_is_gone_and_follows_one_that_is_renamed() {
    let mut world = world();
    let rename = Request::RenameTable { from: ident("t1"), to: ident("t2") };
    world.run(&rename).unwrap();
    refused(world.run(&at("t1", "s3://main/a/t1")));
    world.follow(&ident("t1"), &ident("t2"));
    world.run(&Request::DropTable(DropTable::asked(ident("t2"), Purge::Keep, 0))).unwrap();
    world.run(&at("t1", "s3://main/a/t1")).unwrap();
    let decoded = crate::state::CatalogState::decode_checkpoint(&world.state.encode_checkpoint()).unwrap();
    assert_eq!(decoded, world.state);
}

#[test]
fn cve_2026_42812_a_write_path_or_location_that_is_set_later_is_checked() {
    let mut world = world();
    world.run(&at("t2", "s3://main/a/t2")).unwrap();
    let others =
        ["s3://main/a/t1", "s3://main/a/t1/data/", "s3://main/a", "s3://other/x", "s3a://main/x", "x"];
    for path in others {
        for name in [
            "write.data.path",
            "write.metadata.path",
            "write.object-storage.path",
            "write.folder-storage.path",
        ] {
            refused(world.commit("t2", Vec::new(), vec![set(name, path)]));
        }
        if path.starts_with("s3://main") {
            let moved = TableUpdate::SetLocation(path.trim_end_matches('/').to_owned());
            refused(world.commit("t2", Vec::new(), vec![moved]));
        }
    }
    world.commit("t2", Vec::new(), vec![set("write.data.path", "s3://main/elsewhere/t2")]).unwrap();
    let entry = world.state.table(&ident("t2")).unwrap().clone();
    let plan = world.commit("t2", Vec::new(), vec![set("a", "1")]).unwrap();
    let places = world.state.places_of(&ident("t2"), Some(&entry), &plan.tables[0].2, None).unwrap();
    assert_eq!(places, ["s3://main/a/t2/", "s3://main/elsewhere/t2/"]);
}

#[test]
fn cve_2026_42811_tables_of_one_commit_do_not_overlap_either() {
    let mut world = world();
    for name in ["t2", "t3"] {
        world.run(&at(name, &format!("s3://main/a/{name}"))).unwrap();
    }
    let change = |name: &str, location: &str| TableChange {
        ident: ident(name),
        requirements: Vec::new(),
        updates: vec![TableUpdate::SetLocation(location.to_owned())],
    };
    let both = vec![change("t2", "s3://main/new"), change("t3", "s3://main/new/inner")];
    refused(world.run(&Request::CommitTables(both)));
    let apart = vec![change("t2", "s3://main/new"), change("t3", "s3://main/new2")];
    world.run(&Request::CommitTables(apart)).unwrap();
}

#[test]
fn a_file_of_a_table_is_not_registered_a_second_time() {
    let mut world = world();
    let entry = world.state.table(&ident("t1")).unwrap().clone();
    let metadata = Arc::clone(&world.commit("t1", Vec::new(), Vec::new()).unwrap().tables[0].2);
    let twin = Request::RegisterTable {
        ident: ident("twin"),
        metadata_location: entry.metadata_location.clone(),
        metadata,
        existing: Existing::Refuse,
    };
    refused(world.run(&twin));
}

#[test]
fn tables_that_share_a_place_since_an_older_version_are_neither_purged_nor_given_access_to() {
    let mut world = world();
    let entry = world.state.table(&ident("t1")).unwrap().clone();
    let twin = TablePut {
        ident: ident("twin"),
        uuid: entry.uuid,
        location: entry.location.clone(),
        metadata_location: entry.metadata_location.clone(),
        snapshot_id: None,
        schema_id: 0,
    };
    world.state.apply(&Commit { at: world.at, changes: vec![Change::PutTable(twin)] });
    // What does not move it is committed as before.
    let plan = world.commit("t1", Vec::new(), vec![set("a", "1")]).unwrap();
    refused(world.state.places_of(&ident("t1"), Some(&entry), &plan.tables[0].2, None));
    let dropped = world.run(&Request::DropTable(DropTable::asked(ident("t1"), Purge::Files, 0))).unwrap();
    assert_eq!(dropped.commit.changes.len(), 1, "no purge begins: {dropped:?}");
}
