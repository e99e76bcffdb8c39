//! The state machine against a small model, and replay: the same commits give the same state (T2).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use uuid::Uuid;

use crate::metadata::{TableRequirement, TableUpdate};
use crate::state::{
    CatalogState, Change, Commit, Conflict, DropTable, Guard, Namespace, Note, Properties, Purge, Request,
    TableChange, TableIdent, TablePut, ViewPut,
};

use super::tables::{World, create, namespace};

#[derive(Debug, Clone)]
enum Act {
    CreateNamespace(u8),
    DropNamespace(u8),
    Create(u8, u8),
    Drop(u8, u8),
    Rename((u8, u8), (u8, u8)),
    Commit(Vec<(u8, u8, u8)>),
    Put(u8),
    Delete(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let table = || (0..3u8, 0..3u8);
    prop_oneof![
        2 => (0..3u8).prop_map(Act::CreateNamespace),
        1 => (0..3u8).prop_map(Act::DropNamespace),
        4 => table().prop_map(|(space, name)| Act::Create(space, name)),
        2 => table().prop_map(|(space, name)| Act::Drop(space, name)),
        2 => (table(), table()).prop_map(|(from, to)| Act::Rename(from, to)),
        6 => prop::collection::vec((0..3u8, 0..3u8, 0..4u8), 1..4).prop_map(Act::Commit),
        1 => (0..3u8).prop_map(Act::Put),
        1 => (0..3u8).prop_map(Act::Delete),
    ]
}

/// What the model knows: the value of one property per table, and how often it changed.
#[derive(Debug, Default)]
struct Model {
    spaces: BTreeSet<u8>,
    tables: BTreeMap<(u8, u8), (String, u64)>,
    documents: BTreeSet<u8>,
}

/// Namespace 2 lies inside namespace 1.
fn space(number: u8) -> Namespace {
    match number {
        0 => namespace(&["n0"]),
        1 => namespace(&["n1"]),
        _ => namespace(&["n1", "n2"]),
    }
}

fn table((in_space, name): (u8, u8)) -> TableIdent {
    TableIdent::new("main", space(in_space), format!("t{name}")).unwrap()
}

impl Model {
    /// Whether the act happens; changes the model if it does.
    fn act(&mut self, act: &Act) -> bool {
        match act {
            Act::CreateNamespace(number) => {
                let new = self.spaces.insert(*number);
                // Its parent comes with it.
                if *number == 2 {
                    self.spaces.insert(1);
                }
                new
            }
            Act::DropNamespace(number) => {
                let empty = !self.tables.keys().any(|(space, _)| space == number);
                let childless = *number != 1 || !self.spaces.contains(&2);
                empty && childless && self.spaces.remove(number)
            }
            Act::Create(space, name) => {
                let free = self.spaces.contains(space) && !self.tables.contains_key(&(*space, *name));
                if free {
                    self.tables.insert((*space, *name), (String::new(), 0));
                }
                free
            }
            Act::Drop(space, name) => self.tables.remove(&(*space, *name)).is_some(),
            Act::Rename(from, to) => {
                let free = self.spaces.contains(&to.0) && !self.tables.contains_key(to);
                let moved = if free { self.tables.remove(from) } else { None };
                let happens = moved.is_some();
                self.tables.extend(moved.map(|entry| (*to, entry)));
                happens
            }
            Act::Commit(all) => self.commit(all),
            Act::Put(number) => {
                self.documents.insert(*number);
                true
            }
            Act::Delete(number) => self.documents.remove(number),
        }
    }

    fn commit(&mut self, all: &[(u8, u8, u8)]) -> bool {
        let names: BTreeSet<(u8, u8)> = all.iter().map(|&(space, name, _)| (space, name)).collect();
        let exist = names.iter().all(|name| self.tables.contains_key(name));
        // Value 3 stands for a requirement that does not hold.
        let holds = names.len() == all.len() && exist && all.iter().all(|&(_, _, value)| value != 3);
        if holds {
            for &(space, name, value) in all.iter().filter(|(_, _, value)| *value != 0) {
                let entry = self.tables.get_mut(&(space, name)).unwrap();
                *entry = (value.to_string(), entry.1 + 1);
            }
        }
        holds
    }
}

fn request(act: &Act) -> Request {
    let warehouse = || "main".into();
    match act {
        Act::CreateNamespace(number) => Request::CreateNamespace {
            warehouse: warehouse(),
            namespace: space(*number),
            properties: Properties::new(),
        },
        Act::DropNamespace(number) => Request::DropNamespace {
            warehouse: warehouse(),
            namespace: space(*number),
            guard: Guard::Respect,
        },
        Act::Create(space, name) => {
            let mut wanted = create("t");
            wanted.ident = table((*space, *name));
            Request::CreateTable(wanted)
        }
        Act::Drop(space, name) => {
            Request::DropTable(DropTable::asked(table((*space, *name)), Purge::Keep, 0))
        }
        Act::Rename(from, to) => Request::RenameTable { from: table(*from), to: table(*to) },
        Act::Commit(all) => Request::CommitTables(all.iter().map(change).collect()),
        Act::Put(number) => Request::PutDocument {
            kind: "kind".into(),
            id: number.to_string().into(),
            json: "{}".into(),
            expect: crate::state::Expect::Any,
        },
        Act::Delete(number) => Request::DeleteDocument {
            kind: "kind".into(),
            id: number.to_string().into(),
            expect: crate::state::Expect::Any,
        },
    }
}

fn change(&(space, name, value): &(u8, u8, u8)) -> TableChange {
    let set = TableUpdate::SetProperties(Properties::from([("k".to_owned(), value.to_string())]));
    TableChange {
        ident: table((space, name)),
        requirements: vec![TableRequirement::CurrentSchemaId(if value == 3 { 9 } else { 0 })],
        updates: if value == 0 { Vec::new() } else { vec![set] },
    }
}

fn assert_equal(world: &World, model: &Model) {
    let spaces: BTreeSet<Namespace> =
        model.spaces.iter().copied().map(space).chain([namespace(&["a"])]).collect();
    let found = world.state.namespaces("main", None, None).flat_map(|outer| {
        std::iter::once(outer.clone()).chain(world.state.namespaces("main", Some(outer), None).cloned())
    });
    assert_eq!(found.collect::<BTreeSet<_>>(), spaces);
    assert_eq!(world.state.table_count(), model.tables.len());
    for (name, (value, revision)) in &model.tables {
        let entry = world.state.table(&table(*name)).unwrap();
        assert_eq!(entry.revision, *revision, "{name:?} {value}");
    }
    assert_eq!(world.state.all_tables().count(), model.tables.len());
    let documents: BTreeSet<u8> =
        world.state.documents("kind", None).map(|(id, _)| id.parse().unwrap()).collect();
    assert_eq!(documents, model.documents);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_state_does_what_the_model_does_and_replay_gives_it_again(
        acts in prop::collection::vec(act(), 1..40),
        checkpoint in any::<prop::sample::Index>(),
    ) {
        let mut world = World::new();
        let (mut model, begin) = (Model::default(), world.state.clone());
        let mut log: Vec<Vec<u8>> = Vec::new();
        for act in &acts {
            let happens = model.act(act);
            match world.run(&request(act)) {
                Ok(plan) => {
                    prop_assert!(happens, "{act:?}");
                    if !plan.is_empty() {
                        log.push(postcard::to_stdvec(&plan.commit).unwrap());
                    }
                    if let Act::Rename(from, to) = act {
                        world.follow(&table(*from), &table(*to));
                    }
                }
                Err(Conflict::NotLoaded(table)) => prop_assert!(false, "{table} is not loaded"),
                Err(conflict) => prop_assert!(!happens, "{act:?}: {conflict}"),
            }
            assert_equal(&world, &model);
        }
        let cut = checkpoint.index(log.len() + 1);
        let mut state = begin;
        for (number, bytes) in log.iter().enumerate() {
            if number == cut {
                state = CatalogState::decode_checkpoint(&state.encode_checkpoint()).unwrap();
            }
            state.apply(&postcard::from_bytes::<Commit>(bytes).unwrap());
        }
        prop_assert_eq!(state, world.state);
    }

    #[test]
    fn any_commit_applies_to_any_state(changes in prop::collection::vec(any_change(), 0..30)) {
        let mut state = CatalogState::default();
        for change in changes {
            let commit = Commit { at: 1, changes: vec![change] };
            let bytes = postcard::to_stdvec(&commit).unwrap();
            prop_assert_eq!(&postcard::from_bytes::<Commit>(&bytes).unwrap(), &commit);
            state.apply(&commit);
        }
        let bytes = state.encode_checkpoint();
        prop_assert_eq!(CatalogState::decode_checkpoint(&bytes).unwrap(), state);
    }
}

fn any_change() -> impl Strategy<Value = Change> {
    let name = || prop_oneof![Just("main"), Just("other")];
    let spaces = || (0..3u8).prop_map(space);
    let tables = || (0..3u8, 0..2u8).prop_map(table);
    let properties = || Properties::from([("k".to_owned(), "v".to_owned())]);
    prop_oneof![
        name().prop_map(move |name| Change::PutWarehouse { name: name.into(), properties: properties() }),
        name().prop_map(|name| Change::DropWarehouse { name: name.into() }),
        (name(), spaces()).prop_map(move |(name, namespace)| Change::PutNamespace {
            warehouse: name.into(),
            namespace,
            properties: properties(),
        }),
        (name(), spaces())
            .prop_map(|(name, namespace)| Change::DropNamespace { warehouse: name.into(), namespace }),
        (tables(), 0..3u128).prop_map(|(ident, uuid)| Change::PutTable(TablePut {
            ident,
            uuid: Uuid::from_u128(uuid),
            location: "s3://main/t".into(),
            metadata_location: "s3://main/t/metadata/1".into(),
            snapshot_id: (uuid > 0).then_some(-3),
            schema_id: 1,
        })),
        tables().prop_map(|ident| Change::DropTable { ident }),
        (tables(), tables()).prop_map(|(from, to)| Change::RenameTable { from, to }),
        (tables(), 0..3u128).prop_map(|(ident, uuid)| Change::PutView(ViewPut {
            ident,
            uuid: Uuid::from_u128(uuid),
            location: "s3://main/v".into(),
            metadata_location: "s3://main/v/metadata/1".into(),
        })),
        tables().prop_map(|ident| Change::DropView { ident }),
        (tables(), tables()).prop_map(|(from, to)| Change::RenameView { from, to }),
        name().prop_map(|id| Change::PutDocument { kind: "k".into(), id: id.into(), json: "1".into() }),
        name().prop_map(|id| Change::DeleteDocument { kind: "k".into(), id: id.into() }),
        (tables(), 0..3u128, 0..3i64).prop_map(|(ident, id, until)| Change::SetAside {
            id: Uuid::from_u128(id),
            ident,
            until,
            purge: if until == 0 { Purge::Keep } else { Purge::Files },
        }),
        (tables(), 0..3u128).prop_map(|(to, id)| Change::BringBack { id: Uuid::from_u128(id), to }),
        (0..3u128).prop_map(|id| Change::Forget { id: Uuid::from_u128(id) }),
        name().prop_map(|by| Change::Note(Arc::new(Note { by: by.into(), verb: "drop table".into() }))),
    ]
}
