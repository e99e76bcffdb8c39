//! The catalog as one request sees it: as it is, or as it was at a position of its log.
//!
//! - S1: the past is only read. Whoever asks needs today's rights on the name as of then, and on the name of today
//!   where a table or view was renamed.
//! - S2: what is not there any more is closed, a name that another table took since too: today's rights would not
//!   give it. An administrator with the right to read history sees it.
//! - S3: credentials for files of the past are read-only, and are checked against the tables of today.

use std::collections::HashSet;
use std::sync::Arc;

use object_store::ObjectStoreExt as _;
use tarn_openapi::access::{Action, Resource};
use uuid::Uuid;

use super::access::Caller;
use super::error::{Failure, Kind};
use super::failure::STORE_RETRY_AFTER;
use super::path::Place;
use super::tables::Deletes;
use super::{Front, idents};
use crate::files::{LoadError, split};
use crate::history::{HistoryError, Moment};
use crate::metadata::{TableMetadata, ViewMetadata};
use crate::state::{CatalogState, Namespace, NamespaceEntry, TableEntry, TableIdent, ViewEntry};

/// The state that a request reads.
pub(crate) struct Seen {
    pub(crate) state: Arc<CatalogState>,
    past: Option<Past>,
}

struct Past {
    at: Moment,
    today: Arc<CatalogState>,
    gone: Gone,
}

/// What becomes of what is not there any more (S2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    Closed,
    Open,
}

/// What access to the files of a table is checked against (S3).
pub(crate) struct Ground<'a> {
    /// The tables of today.
    pub(crate) state: &'a CatalogState,
    /// The table in it.
    pub(crate) entry: Option<&'a TableEntry>,
    /// Its name there, where the request may say another.
    pub(crate) named: Option<Place>,
    pub(crate) reads: Reads,
    /// Names of today, of which the caller must have the rights on one too (S1).
    pub(crate) names: Vec<Place>,
}

/// Whether more than reading may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    Only,
    AndWrites,
}

impl<'a> Ground<'a> {
    /// That of a table as it is.
    pub(crate) fn today(state: &'a CatalogState, place: &Place) -> Self {
        let entry = idents::table(place).ok().and_then(|ident| state.table(&ident));
        let entry = entry.map(|entry| &**entry);
        Self { state, entry, named: None, reads: Reads::AndWrites, names: Vec::new() }
    }
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        let message = super::failure::with_causes(&error);
        match error {
            HistoryError::Gone { .. } => Failure::new(Kind::NotFound, message),
            HistoryError::Future { .. } => Failure::bad_request(message),
            HistoryError::Busy { retry_after } => Failure::unavailable(message, retry_after),
            HistoryError::Store(_) => Failure::unavailable(message, STORE_RETRY_AFTER),
            HistoryError::Damaged(_) => {
                tracing::error!(message, "the past of the catalog cannot be read");
                Failure::new(Kind::Damaged, message)
            }
        }
    }
}

impl Front {
    /// The catalog as it is where `place` says no other moment.
    pub(crate) async fn see(&self, caller: &Caller, place: &Place) -> Result<Seen, Failure> {
        let Some(at) = place.at else { return Ok(Seen { state: self.catalog.snapshot(), past: None }) };
        let position = self.catalog.position(at).await?;
        let state = self.catalog.state_at(position).await?;
        let gone = match self.allow(caller, Action::AdminReadHistory, Resource::Server) {
            Ok(()) => Gone::Open,
            Err(_refused) => Gone::Closed,
        };
        Ok(Seen { state, past: Some(Past { at, today: self.catalog.snapshot(), gone }) })
    }
}

impl Past {
    fn is_closed(&self, is_there: impl FnOnce() -> bool) -> bool {
        self.gone == Gone::Closed && !is_there()
    }

    fn closed(&self, kind: Kind, what: &str, name: &str) -> Failure {
        let message = format!(
            "{what} '{name}' as of {} is not there any more: only an administrator reads it",
            self.at
        );
        Failure::new(kind, message)
    }
}

impl Seen {
    /// 404 unless the warehouse is there.
    pub(crate) fn warehouse(&self, place: &Place) -> Result<(), Failure> {
        idents::existing_warehouse(&self.state, &place.warehouse)?;
        match &self.past {
            Some(past) if past.is_closed(|| past.today.warehouse(&place.warehouse).is_some()) => {
                Err(past.closed(Kind::NoSuchWarehouse, "warehouse", &place.warehouse))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The namespace, or 404 for it or its warehouse.
    pub(crate) fn namespace(&self, place: &Place) -> Result<(Namespace, &NamespaceEntry), Failure> {
        self.warehouse(place)?;
        let found = idents::existing_namespace(&self.state, place)?;
        if self.is_open_namespace(&place.warehouse, &found.0) {
            return Ok(found);
        }
        match &self.past {
            Some(past) => Err(past.closed(Kind::NoSuchNamespace, "namespace", &place.levels.join("."))),
            None => Ok(found),
        }
    }

    /// Whether a listing shows it.
    pub(crate) fn is_open_namespace(&self, warehouse: &str, namespace: &Namespace) -> bool {
        let closed = |past: &Past| past.is_closed(|| past.today.namespace(warehouse, namespace).is_some());
        !self.past.as_ref().is_some_and(closed)
    }

    /// The table, or 404 for it, where the caller may do `action` to it under its name of today too.
    pub(crate) fn table(
        &self,
        (front, caller, action): (&Front, &Caller, Action),
        place: &Place,
    ) -> Result<&Arc<TableEntry>, Failure> {
        self.warehouse(place)?;
        let entry = idents::existing_table(&self.state, place)?;
        let Some(past) = &self.past else { return Ok(entry) };
        if past.gone == Gone::Open {
            return Ok(entry);
        }
        let today = past.today.tables_with(&place.warehouse, entry.uuid);
        let mut refused = None;
        for (ident, _) in today {
            match front.allow_table(caller, action, &Place::of(&ident)) {
                Ok(()) => return Ok(entry),
                Err(failure) => refused = Some(failure),
            }
        }
        let name = format!("{}.{}", place.levels.join("."), place.name);
        Err(refused.unwrap_or_else(|| past.closed(Kind::NoSuchTable, "table", &name)))
    }

    /// The same of a view.
    pub(crate) fn view(
        &self,
        (front, caller, action): (&Front, &Caller, Action),
        place: &Place,
    ) -> Result<&Arc<ViewEntry>, Failure> {
        self.warehouse(place)?;
        let entry = idents::existing_view(&self.state, place)?;
        let Some(past) = &self.past else { return Ok(entry) };
        if past.gone == Gone::Open {
            return Ok(entry);
        }
        let mut refused = None;
        for ident in past.today.views_with(&place.warehouse, entry.uuid) {
            match front.allow_view(caller, action, &Place::of(&ident)) {
                Ok(()) => return Ok(entry),
                Err(failure) => refused = Some(failure),
            }
        }
        let name = format!("{}.{}", place.levels.join("."), place.name);
        Err(refused.unwrap_or_else(|| past.closed(Kind::NoSuchView, "view", &name)))
    }

    /// Which tables a listing of the warehouse shows.
    pub(crate) fn open_tables(&self, warehouse: &str) -> Open {
        self.open(|past| past.today.table_uuids(warehouse).collect())
    }

    /// Which views a listing of the warehouse shows.
    pub(crate) fn open_views(&self, warehouse: &str) -> Open {
        self.open(|past| past.today.view_uuids(warehouse).collect())
    }

    fn open(&self, there: impl FnOnce(&Past) -> HashSet<Uuid>) -> Open {
        match &self.past {
            Some(past) if past.gone == Gone::Closed => Open::These(there(past)),
            Some(_) | None => Open::All,
        }
    }

    /// Whether a function is shown: it has no identity but its name.
    pub(crate) fn is_open_function(&self, ident: &TableIdent) -> bool {
        let closed = |past: &Past| past.is_closed(|| past.today.function(ident).is_some());
        !self.past.as_ref().is_some_and(closed)
    }

    /// What access to the files of `entry`, the table at `place`, is checked against.
    pub(crate) fn ground<'a>(&'a self, place: &Place, entry: &'a TableEntry) -> Ground<'a> {
        let Some(past) = &self.past else {
            let (entry, names) = (Some(entry), Vec::new());
            return Ground { state: &self.state, entry, named: None, reads: Reads::AndWrites, names };
        };
        let today = || past.today.tables_with(&place.warehouse, entry.uuid);
        let names: Vec<Place> = match past.gone {
            Gone::Closed => today().map(|(ident, _)| Place::of(&ident)).collect(),
            Gone::Open => Vec::new(),
        };
        let (named, entry) = today().next().map(|(ident, entry)| (Place::of(&ident), &**entry)).unzip();
        Ground { state: &past.today, entry, named, reads: Reads::Only, names }
    }

    /// Whether clients may delete files, where the table does not say.
    pub(crate) fn deletes(&self, front: &Front, warehouse: &str) -> Deletes {
        match &self.past {
            Some(_) => Deletes::Refused,
            None => front.deletes(&self.state, warehouse),
        }
    }

    /// The metadata of a table. Of the past, only where the files of its current snapshot are still there.
    pub(crate) async fn metadata(
        &self,
        front: &Front,
        place: &Place,
        entry: &TableEntry,
    ) -> Result<Arc<TableMetadata>, Failure> {
        let loaded = front.catalog.read_metadata(&entry.metadata_location).await;
        let Some(past) = &self.past else { return Ok(loaded?) };
        let metadata = loaded.map_err(|error| past.removed(error))?;
        let Some(snapshot) = metadata.current_snapshot() else { return Ok(metadata) };
        let today = past.today.tables_with(&place.warehouse, entry.uuid).next();
        if let Some((_, today)) = today
            && let Ok(today) = front.catalog.read_metadata(&today.metadata_location).await
            && today.snapshot(snapshot.id()).is_some()
        {
            return Ok(metadata);
        }
        // It is in no table any more: its files went with it, or stay for a dropped table that is kept.
        let list =
            snapshot.manifest_list().and_then(split).filter(|(bucket, _)| **bucket == *place.warehouse);
        let Some((bucket, path)) = list else { return Ok(metadata) };
        match front.catalog.warehouses().store(bucket).head(&path).await {
            Ok(_) => Ok(metadata),
            Err(object_store::Error::NotFound { .. }) => {
                let message = format!(
                    "table '{}.{}' as of {} has snapshot {}, whose files were removed since",
                    place.levels.join("."),
                    place.name,
                    past.at,
                    snapshot.id()
                );
                Err(Failure::new(Kind::NotFound, message))
            }
            Err(error) => Err(Failure::unavailable(error.to_string(), STORE_RETRY_AFTER)),
        }
    }

    /// The metadata of a view.
    pub(crate) async fn view_metadata(
        &self,
        front: &Front,
        entry: &ViewEntry,
    ) -> Result<Arc<ViewMetadata>, Failure> {
        let loaded = front.catalog.read_view_metadata(&entry.metadata_location).await;
        match &self.past {
            Some(past) => loaded.map_err(|error| past.removed(error)),
            None => Ok(loaded?),
        }
    }

    /// Whether answers made of what is there now must be looked at again.
    pub(crate) fn is_past(&self) -> bool {
        self.past.is_some()
    }
}

impl Past {
    fn removed(&self, error: LoadError) -> Failure {
        match error {
            LoadError::Missing { location } => Failure::new(
                Kind::NotFound,
                format!("the metadata as of {}, {location}, was removed since", self.at),
            ),
            error @ (LoadError::Location { .. }
            | LoadError::TooLarge { .. }
            | LoadError::Invalid { .. }
            | LoadError::Store { .. }) => error.into(),
        }
    }
}

/// What a listing shows.
pub(crate) enum Open {
    All,
    These(HashSet<Uuid>),
}

impl Open {
    pub(crate) fn shows(&self, uuid: &Uuid) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(uuid),
        }
    }
}
