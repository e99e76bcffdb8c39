//! From places in requests to names of the catalog, and from commits to answers.

use std::sync::Arc;

use axum::response::Response;
use http::HeaderMap;

use super::Front;
use super::access::Caller;
use super::error::{Failure, Kind};
use super::path::Place;
use super::seen::Ground;
use super::tables::{self, Deletes, Encoding, Shown, SnapshotMode};
use crate::commit::Committed;
use crate::state::{CatalogState, InvalidName, Namespace, NamespaceEntry, TableEntry, TableIdent, ViewEntry};

impl From<InvalidName> for Failure {
    fn from(error: InvalidName) -> Self {
        Failure::bad_request(error.to_string())
    }
}

pub(crate) fn namespace(levels: &[String]) -> Result<Namespace, Failure> {
    Ok(Namespace::new(levels.to_vec())?)
}

pub(crate) fn table(place: &Place) -> Result<TableIdent, Failure> {
    Ok(TableIdent::new(place.warehouse.clone(), namespace(&place.levels)?, place.name.as_str())?)
}

/// 404 unless the warehouse exists.
pub(crate) fn existing_warehouse(state: &CatalogState, warehouse: &str) -> Result<(), Failure> {
    match state.warehouse(warehouse) {
        Some(_) => Ok(()),
        None => Err(Failure::new(Kind::NoSuchWarehouse, format!("warehouse '{warehouse}' does not exist"))),
    }
}

/// The namespace, or 404 for it or its warehouse. What cannot be a name does not exist.
pub(crate) fn existing_namespace<'a>(
    state: &'a CatalogState,
    place: &Place,
) -> Result<(Namespace, &'a NamespaceEntry), Failure> {
    existing_warehouse(state, &place.warehouse)?;
    let found = Namespace::new(place.levels.clone()).ok().and_then(|namespace| {
        let entry = state.namespace(&place.warehouse, &namespace)?;
        Some((namespace, entry))
    });
    found.ok_or_else(|| {
        let name = place.levels.join(".");
        Failure::new(Kind::NoSuchNamespace, format!("Namespace does not exist: {name}"))
    })
}

/// The table, or 404 for it. A missing namespace is a missing table: clients ask so.
pub(crate) fn existing_table<'a>(
    state: &'a CatalogState,
    place: &Place,
) -> Result<&'a Arc<TableEntry>, Failure> {
    existing_warehouse(state, &place.warehouse)?;
    let found = table(place).ok().and_then(|ident| state.table(&ident));
    found.ok_or_else(|| {
        let name = format!("{}.{}", place.levels.join("."), place.name);
        Failure::new(Kind::NoSuchTable, format!("Table does not exist: {name}"))
    })
}

/// The view, or 404 for it. A missing namespace is a missing view: clients ask so.
pub(crate) fn existing_view<'a>(
    state: &'a CatalogState,
    place: &Place,
) -> Result<&'a Arc<ViewEntry>, Failure> {
    existing_warehouse(state, &place.warehouse)?;
    let found = table(place).ok().and_then(|ident| state.view(&ident));
    found.ok_or_else(|| {
        let name = format!("{}.{}", place.levels.join("."), place.name);
        Failure::new(Kind::NoSuchView, format!("View does not exist: {name}"))
    })
}

/// [`answer_committed`] with access to the files of the table, where `headers` ask for it.
pub(crate) async fn answer_delegated(
    front: &Front,
    (caller, place): (&Caller, &Place),
    committed: Committed,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let encoding = tables::encoding(headers);
    let state = front.catalog.snapshot();
    let ground = Ground::today(&state, place);
    let delegated = tables::delegate::asked(headers)
        .zip(committed.tables.first())
        .and_then(|(means, table)| front.delegate(caller, place, (&ground, &table.metadata), means));
    let (Some(delegated), Some(table)) = (delegated, committed.tables.first()) else {
        return answer_committed(front, committed, encoding).await;
    };
    let shown = Shown {
        metadata_location: table.metadata_location.as_str().into(),
        mode: SnapshotMode::All,
        deletes: front.deletes(&state, &place.warehouse),
    };
    Ok(front.answers.make_delegated(&shown, table.metadata.clone(), encoding, delegated).await)
}

impl Front {
    /// Whether clients may delete files in this warehouse, where the table does not say.
    pub(crate) fn deletes(&self, state: &CatalogState, warehouse: &str) -> Deletes {
        // A warehouse's property was checked when it was set.
        let keep_ms = state.keep_ms(warehouse, None, self.catalog.keep_dropped_ms());
        keep_ms.map_or(Deletes::Refused, Deletes::of)
    }
}

/// The answer to a commit of one table: the table as that commit left it.
pub(crate) async fn answer_committed(
    front: &Front,
    committed: Committed,
    encoding: Encoding,
) -> Result<Response, Failure> {
    let Some(table) = committed.tables.into_iter().next() else {
        return Err(Failure::new(Kind::Internal, "the commit names no table"));
    };
    let shown = Shown {
        metadata_location: table.metadata_location.into(),
        mode: SnapshotMode::All,
        deletes: front.deletes(&front.catalog.snapshot(), &table.ident.warehouse),
    };
    Ok(front.answers.make(&shown, table.metadata, encoding).await)
}
