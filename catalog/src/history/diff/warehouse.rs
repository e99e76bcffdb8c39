//! What differs between two states of a warehouse. Tables and views are followed by their UUID.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::state::{CatalogState, TableEntry, TableIdent};

/// Tables, views and namespaces told one by one; more are only counted.
const TOLD_MAX: usize = 10_000;

/// What differs between two states of a warehouse.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct WarehouseDiff {
    /// Tables, in order of name; at most 10,000.
    pub tables: Vec<TableMove>,
    /// Views, in order of name; at most 10,000.
    pub views: Vec<TableMove>,
    /// Namespaces that came, by their levels; at most 10,000.
    pub namespaces_created: Vec<Vec<String>>,
    /// Namespaces that went, by their levels; at most 10,000.
    pub namespaces_dropped: Vec<Vec<String>>,
    /// How many differ, those not told included.
    pub counts: MoveCounts,
}

/// How many differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct MoveCounts {
    /// Tables.
    pub tables: u64,
    /// Views.
    pub views: u64,
    /// Namespaces that came or went.
    pub namespaces: u64,
}

/// What became of a table or view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TableMove {
    /// `created`, `dropped`, or any of `renamed` and `changed`.
    pub what: Vec<&'static str>,
    /// Its UUID.
    pub uuid: String,
    /// The name before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Name>,
    /// The name after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Name>,
    /// The current snapshot before; none of a view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_snapshot: Option<i64>,
    /// The current snapshot after; none of a view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_snapshot: Option<i64>,
    /// Commits between; of a table only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<u64>,
}

/// The name of a table or view.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct Name {
    /// The levels of the namespace.
    pub namespace: Vec<String>,
    /// The name in it.
    pub name: String,
}

impl From<&TableIdent> for Name {
    fn from(ident: &TableIdent) -> Self {
        Self { namespace: ident.namespace.levels().to_vec(), name: ident.name.to_string() }
    }
}

/// One side of a table or view.
struct Side {
    ident: TableIdent,
    metadata_location: Arc<str>,
    snapshot: Option<i64>,
    revision: Option<u64>,
}

/// By UUID, and the name where several have one: each is followed under its own then.
type Sides = BTreeMap<(Uuid, u32), Side>;

/// What makes `to` of `from`.
pub(super) fn between(warehouse: &str, from: &CatalogState, to: &CatalogState) -> WarehouseDiff {
    let (mut tables, mut views) = (
        moves(tables(warehouse, from), tables(warehouse, to)),
        moves(views(warehouse, from), views(warehouse, to)),
    );
    let (mut created, mut dropped) = (Vec::new(), Vec::new());
    for space in to.all_namespaces(warehouse).filter(|space| from.namespace(warehouse, space).is_none()) {
        created.push(space.levels().to_vec());
    }
    for space in from.all_namespaces(warehouse).filter(|space| to.namespace(warehouse, space).is_none()) {
        dropped.push(space.levels().to_vec());
    }
    let counts = MoveCounts {
        tables: tables.len() as u64,
        views: views.len() as u64,
        namespaces: (created.len() + dropped.len()) as u64,
    };
    tables.truncate(TOLD_MAX);
    views.truncate(TOLD_MAX);
    created.truncate(TOLD_MAX);
    dropped.truncate(TOLD_MAX);
    WarehouseDiff { tables, views, namespaces_created: created, namespaces_dropped: dropped, counts }
}

fn tables(warehouse: &str, state: &CatalogState) -> Sides {
    let side = |(ident, entry): (TableIdent, &Arc<TableEntry>)| {
        let side = Side {
            metadata_location: entry.metadata_location.clone(),
            snapshot: entry.revisions.last().and_then(|revision| revision.snapshot_id),
            revision: Some(entry.revision),
            ident,
        };
        (entry.uuid, side)
    };
    by_uuid(state.all_tables().filter(|(ident, _)| *ident.warehouse == *warehouse).map(side))
}

fn views(warehouse: &str, state: &CatalogState) -> Sides {
    let all = state.all_views().filter(|(ident, _)| *ident.warehouse == *warehouse);
    by_uuid(all.map(|(ident, entry)| {
        let metadata_location = entry.metadata_location.clone();
        (entry.uuid, Side { ident, metadata_location, snapshot: None, revision: None })
    }))
}

fn by_uuid(all: impl Iterator<Item = (Uuid, Side)>) -> Sides {
    let mut sides = Sides::new();
    for (uuid, side) in all {
        let mut number = 0;
        while sides.contains_key(&(uuid, number)) {
            number += 1;
        }
        sides.insert((uuid, number), side);
    }
    sides
}

fn moves(mut before: Sides, after: Sides) -> Vec<TableMove> {
    let mut moves: Vec<TableMove> =
        after.into_iter().filter_map(|(key, to)| moved(key.0, before.remove(&key), Some(to))).collect();
    moves.extend(before.into_iter().filter_map(|((uuid, _), from)| moved(uuid, Some(from), None)));
    moves.sort_by(|one, other| (&one.to, &one.from).cmp(&(&other.to, &other.from)));
    moves
}

fn moved(uuid: Uuid, from: Option<Side>, to: Option<Side>) -> Option<TableMove> {
    let what = match (&from, &to) {
        (None, None) => return None,
        (None, Some(_)) => vec!["created"],
        (Some(_), None) => vec!["dropped"],
        (Some(from), Some(to)) => {
            let renamed = (from.ident != to.ident).then_some("renamed");
            let changed = (from.metadata_location != to.metadata_location).then_some("changed");
            renamed.into_iter().chain(changed).collect()
        }
    };
    let commits = match (&from, &to) {
        (Some(from), Some(to)) => to.revision.zip(from.revision).map(|(to, from)| to.saturating_sub(from)),
        (None, _) | (_, None) => None,
    };
    let name = |side: &Option<Side>| side.as_ref().map(|side| Name::from(&side.ident));
    let snapshot = |side: &Option<Side>| side.as_ref().and_then(|side| side.snapshot);
    (!what.is_empty()).then(|| TableMove {
        what,
        uuid: uuid.to_string(),
        from: name(&from),
        to: name(&to),
        from_snapshot: snapshot(&from),
        to_snapshot: snapshot(&to),
        commits,
    })
}
