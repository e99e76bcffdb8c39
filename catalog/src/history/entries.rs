//! What happened, commit by commit, the newest first.

use std::sync::Arc;

use uuid::Uuid;

use super::{History, HistoryError};
use crate::commit::batch;
use crate::log::{PastError, Seq};
use crate::state::{Change, Commit, Mark, Namespace, TableIdent, TablePut};

/// Records read for one page; a page of a quiet table may end before it is full.
const RECORDS_PER_PAGE: u64 = 10_000;
/// Records read at once.
const CHUNK: u64 = 64;

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The record it is part of: the state after it is that of this position.
    pub position: Seq,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Who asked for it; `None` in records of older versions.
    pub by: Option<Arc<str>>,
    /// How it was asked for; `None` in records of older versions.
    pub verb: Option<Arc<str>>,
    /// What of it concerns the warehouse asked for, or the table in it.
    pub changes: Vec<EntryChange>,
}

/// A change of something in a warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryChange {
    /// Its kind, such as `table changed`.
    pub kind: &'static str,
    /// The namespace; `None` of the warehouse itself.
    pub namespace: Option<Namespace>,
    /// The table or view; `None` of a namespace.
    pub name: Option<Arc<str>>,
    /// The name it got.
    pub to: Option<TableIdent>,
    /// The table's or view's UUID, where the change says it.
    pub uuid: Option<Uuid>,
    /// The table's current snapshot after it.
    pub snapshot_id: Option<i64>,
    /// The metadata file after it.
    pub metadata_location: Option<Arc<str>>,
}

/// A part of the history.
#[derive(Debug, Clone)]
pub struct Page {
    /// The newest first.
    pub entries: Vec<Entry>,
    /// The next page begins before this position; `None` at the end.
    pub before: Option<Seq>,
    /// The oldest position that is kept, and since when at the latest (milliseconds since 1970).
    pub oldest: (Seq, i64),
    /// The last position.
    pub last: Seq,
}

impl History {
    /// The commits before `before` that concern a warehouse, or one table or view of it: about `limit` of them.
    pub(crate) async fn entries(
        &self,
        (warehouse, table): (&str, Option<&TableIdent>),
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Page, HistoryError> {
        let last = self.last();
        let oldest = self.begins().await?;
        let mut next = before.map_or(last.0, |before| before.0.saturating_sub(1).min(last.0));
        let (mut entries, mut read) = (Vec::new(), 0);
        while next > oldest.0.0 && read < RECORDS_PER_PAGE && entries.len() < limit {
            let first = Seq((oldest.0.0 + 1).max(next.saturating_sub(CHUNK - 1)));
            let bodies = match self.past().bodies(first, Seq(next)).await {
                Ok(bodies) => bodies,
                // It was trimmed meanwhile: this is the end.
                Err(PastError::Gone { .. }) => {
                    next = oldest.0.0;
                    break;
                }
                Err(PastError::Read(error)) => return Err(error.into()),
            };
            for (seq, body) in bodies.into_iter().rev() {
                if entries.len() >= limit {
                    break;
                }
                (next, read) = (seq.0 - 1, read + 1);
                let Some(body) = body else { continue };
                let commits = batch::commits(seq, &body)?;
                entries
                    .extend(commits.iter().rev().filter_map(|commit| entry(seq, commit, warehouse, table)));
            }
        }
        let before = (next > oldest.0.0).then_some(Seq(next + 1));
        Ok(Page { entries, before, oldest, last })
    }

    /// Since when the state of a position was there: the time of the record at it or before it.
    pub(crate) async fn time_of(&self, position: Seq) -> Result<Option<i64>, HistoryError> {
        let (oldest, oldest_ms) = self.begins().await?;
        let mut seq = position;
        while seq > oldest {
            let bodies = self.past().bodies(seq, seq).await;
            let bodies = bodies.map_err(|error| self.trimmed(error))?;
            if let Some(time) = bodies.into_iter().find_map(|(_, body)| batch::time(&body?)) {
                return Ok(Some(time));
            }
            seq = Seq(seq.0 - 1);
        }
        Ok((oldest > Seq::ZERO).then_some(oldest_ms))
    }
}

const TABLE_WORDS: [&str; 4] = ["table created", "table registered", "table changed", "table put"];
const VIEW_WORDS: [&str; 4] = ["view created", "view registered", "view changed", "view put"];

fn entry(position: Seq, commit: &Commit, warehouse: &str, table: Option<&TableIdent>) -> Option<Entry> {
    let note = commit.changes.iter().find_map(|change| match change {
        Change::Note(note) => Some(note),
        _other => None,
    });
    let noted = note.is_some();
    let marks = commit.changes.iter().skip(1).map(Some).chain([None]).map(|next| match next {
        Some(Change::Mark(mark)) => Some(mark),
        Some(_) | None => None,
    });
    let changes: Vec<EntryChange> = commit
        .changes
        .iter()
        .zip(marks)
        .filter(|(change, mark)| place(change, *mark).is_some_and(|place| place.is_in(warehouse, table)))
        .filter_map(|(change, mark)| told(change, mark, noted))
        .collect();
    if changes.is_empty() {
        return None;
    }
    let (by, verb) = note.map(|note| (note.by.clone(), note.verb.clone())).unzip();
    Some(Entry { position, at: commit.at, by, verb, changes })
}

/// What a change is about.
enum Place<'a> {
    Warehouse(&'a str),
    Namespace(&'a str),
    Table(&'a TableIdent),
    Renamed(&'a TableIdent, &'a TableIdent),
}

impl Place<'_> {
    fn is_in(&self, warehouse: &str, table: Option<&TableIdent>) -> bool {
        match (self, table) {
            (Self::Warehouse(found) | Self::Namespace(found), None) => *found == warehouse,
            (Self::Warehouse(_) | Self::Namespace(_), Some(_)) => false,
            (Self::Table(ident), None) => *ident.warehouse == *warehouse,
            (Self::Renamed(from, to), None) => [from, to].iter().any(|ident| *ident.warehouse == *warehouse),
            (Self::Table(ident), Some(table)) => *ident == table,
            (Self::Renamed(from, to), Some(table)) => *from == table || *to == table,
        }
    }
}

/// `None` of what is in no warehouse, or does not say in which. `mark` is what is said of the change.
fn place<'a>(change: &'a Change, mark: Option<&'a Mark>) -> Option<Place<'a>> {
    match change {
        Change::PutWarehouse { name, .. } | Change::DropWarehouse { name } => Some(Place::Warehouse(name)),
        Change::PutNamespace { warehouse, .. } | Change::DropNamespace { warehouse, .. } => {
            Some(Place::Namespace(warehouse))
        }
        Change::PutTable(put) => Some(Place::Table(&put.ident)),
        Change::PutView(put) => Some(Place::Table(&put.ident)),
        Change::DropTable { ident }
        | Change::DropView { ident }
        | Change::SetAside { ident, .. }
        | Change::BringBack { to: ident, .. } => Some(Place::Table(ident)),
        Change::RenameTable { from, to } | Change::RenameView { from, to } => Some(Place::Renamed(from, to)),
        Change::Forget { .. } => match mark {
            Some(Mark::Of(ident)) => Some(Place::Table(ident)),
            Some(Mark::Created | Mark::Registered | Mark::Unregistered) | None => None,
        },
        Change::PutDocument { .. }
        | Change::DeleteDocument { .. }
        | Change::KeepReply(_)
        | Change::Mark(_)
        | Change::Note(_) => None,
    }
}

/// What a put did. Older versions neither noted nor marked.
fn put(mark: Option<&Mark>, noted: bool, words: [&'static str; 4]) -> &'static str {
    let [created, registered, changed, put] = words;
    match mark {
        Some(Mark::Created) => created,
        Some(Mark::Registered) => registered,
        Some(Mark::Unregistered | Mark::Of(_)) | None if noted => changed,
        Some(Mark::Unregistered | Mark::Of(_)) | None => put,
    }
}

fn told(change: &Change, mark: Option<&Mark>, noted: bool) -> Option<EntryChange> {
    let of = |kind, namespace: Option<&Namespace>| EntryChange {
        kind,
        namespace: namespace.cloned(),
        name: None,
        to: None,
        uuid: None,
        snapshot_id: None,
        metadata_location: None,
    };
    let named = |kind, ident: &TableIdent| EntryChange {
        name: Some(ident.name.clone()),
        ..of(kind, Some(&ident.namespace))
    };
    let renamed = |kind, from, to: &TableIdent| EntryChange { to: Some(to.clone()), ..named(kind, from) };
    Some(match change {
        Change::PutWarehouse { .. } => {
            let words = ["warehouse created", "warehouse created", "warehouse changed", "warehouse put"];
            of(put(mark, noted, words), None)
        }
        Change::DropWarehouse { .. } => of("warehouse dropped", None),
        Change::PutNamespace { namespace, .. } => {
            let words = ["namespace created", "namespace created", "namespace changed", "namespace put"];
            of(put(mark, noted, words), Some(namespace))
        }
        Change::DropNamespace { namespace, .. } => of("namespace dropped", Some(namespace)),
        Change::PutTable(TablePut { ident, uuid, metadata_location, snapshot_id, .. }) => EntryChange {
            uuid: Some(*uuid),
            snapshot_id: *snapshot_id,
            metadata_location: Some(metadata_location.clone()),
            ..named(put(mark, noted, TABLE_WORDS), ident)
        },
        Change::DropTable { ident } => named("table dropped", ident),
        Change::SetAside { ident, .. } => named("table dropped and kept", ident),
        Change::BringBack { to, .. } => named("table undropped", to),
        Change::RenameTable { from, to } => renamed("table renamed", from, to),
        Change::PutView(put) => EntryChange {
            uuid: Some(put.uuid),
            metadata_location: Some(put.metadata_location.clone()),
            ..named(self::put(mark, noted, VIEW_WORDS), &put.ident)
        },
        Change::DropView { ident } => named("view dropped", ident),
        Change::RenameView { from, to } => renamed("view renamed", from, to),
        Change::Forget { .. } => match mark {
            Some(Mark::Of(ident)) => named("dropped table kept no more", ident),
            Some(Mark::Created | Mark::Registered | Mark::Unregistered) | None => return None,
        },
        Change::PutDocument { .. }
        | Change::DeleteDocument { .. }
        | Change::KeepReply(_)
        | Change::Mark(_)
        | Change::Note(_) => return None,
    })
}
