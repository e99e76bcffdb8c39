//! A commit as the events it is told by (E1, E2).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{About, Event, EventId, EventKind, TOLD_KINDS};
use crate::catalog::MAINTENANCE;
use crate::log::Seq;
use crate::state::{
    Change, Commit, FUNCTION_KIND, Mark, Namespace, PURGE_KIND, Purge, TableIdent, TablePut, ViewPut,
};

/// The events of the commit with this number in the record `seq`.
pub fn events_of(seq: Seq, commit: u32, what: &Commit) -> Vec<Event> {
    let by = what.changes.iter().find_map(|change| {
        let Change::Note(note) = change else { return None };
        Some(note.by.clone())
    });
    let maintained = by.as_deref() == Some(MAINTENANCE);
    let next = what.changes.iter().skip(1).map(Some).chain([None]);
    let told: Vec<Told> = what
        .changes
        .iter()
        .zip(next)
        .filter_map(|(change, next)| {
            let mark = match next {
                Some(Change::Mark(mark)) => Some(mark),
                Some(_) | None => None,
            };
            tell(change, mark)
        })
        .collect();
    let count = told.len() as u32;
    let place = |(index, Told { kind, about, from, more }): (usize, Told)| {
        let kind = match kind {
            EventKind::TableUpdated if maintained => EventKind::TableMaintained,
            kind => kind,
        };
        let data = data(&about, from.as_ref(), more);
        let id = EventId { seq, commit, index: index as u32 };
        Event { id, count, at_ms: what.at, by: by.clone(), kind, about, from, data }
    };
    told.into_iter().enumerate().map(place).collect()
}

/// What is told of one change.
struct Told {
    kind: EventKind,
    about: About,
    from: Option<TableIdent>,
    /// Beside the names.
    more: Value,
}

impl Told {
    fn new(kind: EventKind, about: About, more: Value) -> Option<Self> {
        Some(Self { kind, about, from: None, more })
    }
}

fn tell(change: &Change, mark: Option<&Mark>) -> Option<Told> {
    let created = mark == Some(&Mark::Created);
    let nothing = || json!({});
    match change {
        Change::PutWarehouse { name, properties } => {
            let kind = if created { EventKind::WarehouseCreated } else { EventKind::WarehouseUpdated };
            Told::new(kind, About::Warehouse(name.clone()), json!({"properties": properties}))
        }
        Change::DropWarehouse { name } => {
            Told::new(EventKind::WarehouseDropped, About::Warehouse(name.clone()), nothing())
        }
        Change::PutNamespace { warehouse, namespace, properties } => {
            let kind = if created { EventKind::NamespaceCreated } else { EventKind::NamespaceUpdated };
            Told::new(kind, in_warehouse(warehouse, namespace), json!({"properties": properties}))
        }
        Change::DropNamespace { warehouse, namespace } => {
            Told::new(EventKind::NamespaceDropped, in_warehouse(warehouse, namespace), nothing())
        }
        Change::PutTable(put) => {
            let kind = match mark {
                Some(Mark::Created) => EventKind::TableCreated,
                Some(Mark::Registered) => EventKind::TableRegistered,
                Some(Mark::Unregistered | Mark::Of(_)) | None => EventKind::TableUpdated,
            };
            Told::new(kind, About::Table(put.ident.clone()), of_table(put))
        }
        Change::DropTable { ident } => {
            let unregistered = mark == Some(&Mark::Unregistered);
            let kind = if unregistered { EventKind::TableUnregistered } else { EventKind::TableDropped };
            Told::new(kind, About::Table(ident.clone()), nothing())
        }
        Change::SetAside { id, ident, until, purge } => {
            let more = json!({"drop-id": id, "kept-until-ms": until, "purge": *purge == Purge::Files});
            Told::new(EventKind::TableDropped, About::Table(ident.clone()), more)
        }
        Change::BringBack { id, to } => {
            Told::new(EventKind::TableUndropped, About::Table(to.clone()), json!({"drop-id": id}))
        }
        Change::Forget { id } => {
            Told::new(EventKind::TableForgotten, About::Table(named(mark)?), json!({"drop-id": id}))
        }
        Change::RenameTable { from, to } => renamed(EventKind::TableRenamed, from, About::Table(to.clone())),
        Change::PutView(put) => {
            let kind = match mark {
                Some(Mark::Created) => EventKind::ViewCreated,
                Some(Mark::Registered) => EventKind::ViewRegistered,
                Some(Mark::Unregistered | Mark::Of(_)) | None => EventKind::ViewUpdated,
            };
            Told::new(kind, About::View(put.ident.clone()), of_view(put))
        }
        Change::DropView { ident } => {
            Told::new(EventKind::ViewDropped, About::View(ident.clone()), nothing())
        }
        Change::RenameView { from, to } => renamed(EventKind::ViewRenamed, from, About::View(to.clone())),
        Change::PutDocument { kind, id, json: _ } => document(kind, id, mark, Done::Put),
        Change::DeleteDocument { kind, id } => document(kind, id, mark, Done::Deleted),
        Change::KeepReply(_) | Change::Note(_) | Change::Mark(_) => None,
    }
}

/// What was done to a document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Put,
    Deleted,
}

/// Never its content (E2).
fn document(kind: &Arc<str>, id: &Arc<str>, mark: Option<&Mark>, done: Done) -> Option<Told> {
    match (&**kind, done) {
        (FUNCTION_KIND, Done::Put) => {
            Told::new(EventKind::FunctionPut, About::Function(named(mark)?), json!({}))
        }
        (FUNCTION_KIND, Done::Deleted) => {
            Told::new(EventKind::FunctionDeleted, About::Function(named(mark)?), json!({}))
        }
        // Its end is a deletion of the document.
        (PURGE_KIND, Done::Put) => Told::new(EventKind::TablePurged, About::Table(named(mark)?), json!({})),
        (PURGE_KIND, Done::Deleted) => None,
        (other, done) if TOLD_KINDS.contains(&other) => {
            let event = match done {
                Done::Put => EventKind::DocumentPut,
                Done::Deleted => EventKind::DocumentDeleted,
            };
            Told::new(event, About::Document(kind.clone(), id.clone()), json!({}))
        }
        (_, Done::Put | Done::Deleted) => None,
    }
}

/// The name in the mark; records of versions without marks have none.
fn named(mark: Option<&Mark>) -> Option<TableIdent> {
    match mark {
        Some(Mark::Of(ident)) => Some(ident.clone()),
        Some(Mark::Created | Mark::Registered | Mark::Unregistered) | None => None,
    }
}

fn in_warehouse(warehouse: &Arc<str>, namespace: &Namespace) -> About {
    About::Namespace(warehouse.clone(), namespace.clone())
}

fn renamed(kind: EventKind, from: &TableIdent, about: About) -> Option<Told> {
    Some(Told { kind, about, from: Some(from.clone()), more: json!({}) })
}

fn of_table(put: &TablePut) -> Value {
    json!({
        "uuid": put.uuid, "location": put.location, "metadata-location": put.metadata_location,
        "snapshot-id": put.snapshot_id, "schema-id": put.schema_id,
    })
}

fn of_view(put: &ViewPut) -> Value {
    json!({"uuid": put.uuid, "location": put.location, "metadata-location": put.metadata_location})
}

/// The names first, then the rest.
fn data(about: &About, from: Option<&TableIdent>, more: Value) -> Value {
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    match about {
        About::Warehouse(name) => {
            put("warehouse", json!(name));
        }
        About::Namespace(warehouse, namespace) => {
            put("warehouse", json!(warehouse));
            put("namespace", json!(namespace.levels()));
        }
        About::Table(ident) | About::View(ident) | About::Function(ident) => {
            put("warehouse", json!(ident.warehouse));
            put("namespace", json!(ident.namespace.levels()));
            put("name", json!(ident.name));
        }
        About::Document(kind, id) => {
            put("kind", json!(kind));
            put("id", json!(id));
        }
    }
    if let Some(from) = from {
        put("from", json!({"namespace": from.namespace.levels(), "name": from.name}));
    }
    if let Value::Object(more) = more {
        data.extend(more);
    }
    Value::Object(data)
}
