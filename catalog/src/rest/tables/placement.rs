//! Where the files of tables may be put.
//!
//! - AF4: whoever may use a table's data is given its places, whatever rights to objects they have (`delegate.rs`). So a
//!   place that the catalog did not choose takes the rights to read, write and delete the objects there of who names it:
//!   else a right to make tables were one to every object that lies in no table yet.

use tarn_openapi::access::{Action, Resource};

use crate::metadata::{TableMetadata, TableUpdate};
use crate::rest::Front;
use crate::rest::access::Caller;
use crate::rest::error::{Failure, Kind};
use crate::state::{
    CatalogState, Properties, TableChange, default_location, is_write_path, key_in_warehouse,
};

const RIGHTS: [Action; 3] = [Action::GetObject, Action::PutObject, Action::DeleteObject];

impl Front {
    /// Refuses places of `warehouse` where the caller has no rights to objects.
    pub(crate) fn allow_places<'l>(
        &self,
        caller: &Caller,
        warehouse: &str,
        places: impl IntoIterator<Item = &'l str>,
    ) -> Result<(), Failure> {
        for place in places {
            // One that is none of the warehouse is refused by the catalog, with its reason.
            let Some(key) = key_in_warehouse(warehouse, place.trim_end_matches('/')) else { continue };
            let below = format!("{key}/");
            for action in RIGHTS {
                self.allow(caller, action, Resource::Object(warehouse, &below)).map_err(|_denied| {
                    let rights = RIGHTS.map(Action::name).join(", ");
                    Failure::new(
                        Kind::Forbidden,
                        format!("to put a table's files at {place} takes {rights} there"),
                    )
                })?;
            }
        }
        Ok(())
    }

    /// Refuses a file that is read in the caller's name and that the caller may not read.
    pub(crate) fn allow_object(
        &self,
        caller: &Caller,
        action: Action,
        warehouse: &str,
        location: &str,
    ) -> Result<(), Failure> {
        match key_in_warehouse(warehouse, location) {
            Some(key) => self.allow(caller, action, Resource::Object(warehouse, key)),
            None => Err(Failure::bad_request(format!("{location} names no object in warehouse {warehouse}"))),
        }
    }

    /// The same of what is to be changed.
    pub(crate) fn allow_moves(&self, caller: &Caller, changes: &[TableChange]) -> Result<(), Failure> {
        let names_places = changes.iter().flat_map(|change| &change.updates).any(|update| match update {
            TableUpdate::SetLocation(_) => true,
            TableUpdate::SetProperties(properties) => write_paths(properties).next().is_some(),
            _other => false,
        });
        if !names_places {
            return Ok(());
        }
        let state = self.catalog.snapshot();
        for change in changes {
            self.allow_places(caller, &change.ident.warehouse, moves(&state, change))?;
        }
        Ok(())
    }
}

/// The places of a table that is registered.
pub(super) fn all_of(metadata: &TableMetadata) -> impl Iterator<Item = &str> {
    std::iter::once(metadata.location()).chain(write_paths(metadata.properties()))
}

/// Where properties send files.
pub(super) fn write_paths(properties: &Properties) -> impl Iterator<Item = &str> {
    let paths = properties.iter().filter(|(key, path)| is_write_path(key) && !path.is_empty());
    paths.map(|(_, path)| path.as_str())
}

/// The places that a change names, but those below the location that the table has, or that the catalog gives it.
fn moves<'c>(state: &CatalogState, change: &'c TableChange) -> Vec<&'c str> {
    let own = own_location(state, change);
    let is_own = |place: &str| {
        let rest = own.as_deref().and_then(|own| place.strip_prefix(own));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let named = change.updates.iter().flat_map(|update| match update {
        TableUpdate::SetLocation(location) => vec![location.as_str()],
        TableUpdate::SetProperties(properties) => write_paths(properties).collect(),
        _other => Vec::new(),
    });
    named.filter(|place| !is_own(place)).collect()
}

/// Of a table that was staged the one that the catalog chose then, which follows from its UUID.
fn own_location(state: &CatalogState, change: &TableChange) -> Option<String> {
    let ident = &change.ident;
    if let Some(entry) = state.table(ident) {
        return Some(entry.location.trim_end_matches('/').to_owned());
    }
    let uuid = change.updates.iter().find_map(|update| match update {
        TableUpdate::AssignUuid(uuid) => Some(*uuid),
        _other => None,
    })?;
    let namespace = state.namespace(&ident.warehouse, &ident.namespace)?;
    Some(default_location(ident, namespace.properties.get("location").map(String::as_str), uuid))
}
