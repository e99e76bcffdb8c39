//! Where tables keep their files: below their location, and below the write paths that they name.
//!
//! Whoever may use a table is given access to its places, so:
//!
//! - PL1: a place lies in the warehouse (N2) and not below `.tarn`.
//! - PL2: no place is, holds, or lies in the location of another table or of a view, or a place that another table
//!   claims (`claims.rs`). Checked when a table or view is created, registered or undropped and when a commit changes
//!   its location or a write path.
//!
//! PL2 may not hold for what older versions wrote: ask again before access is given ([`CatalogState::places_of`]).

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;
use uuid::Uuid;

use super::claims::Claimant;
use super::{
    CatalogState, Change, Conflict, DroppedTable, StagedTable, TableEntry, TableIdent, key_in_warehouse,
};
use crate::metadata::TableMetadata;

/// The properties that move files out of the location; the last two are old names of the first.
const WRITE_PATHS: [&str; 4] =
    ["write.data.path", "write.metadata.path", "write.object-storage.path", "write.folder-storage.path"];

/// How many tables and views lie at each location, with a slash at its end. Follows from them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Locations(OrdMap<Arc<str>, u32>);

impl Locations {
    pub(super) fn add(&mut self, location: &str) {
        *self.0.entry(below(location).into()).or_insert(0) += 1;
    }

    pub(super) fn remove(&mut self, location: &str) {
        let place = below(location);
        match self.0.get_mut(place.as_str()) {
            Some(1) => {
                self.0.remove(place.as_str());
            }
            Some(count) => *count -= 1,
            None => {}
        }
    }

    /// Whether a location is, holds or lies in `place`, one table at `own` left aside.
    fn overlap(&self, place: &str, own: Option<&str>) -> bool {
        let others = |at: &str, count: u32| count > u32::from(own == Some(at));
        let from = Bound::Included(Arc::from(place));
        let mut inside = self.0.range((from, Bound::Unbounded)).take_while(|(at, _)| at.starts_with(place));
        self.hold(place, own.as_slice()) || inside.any(|(at, count)| others(at, *count))
    }

    /// Whether a place, or a file, lies in a location, one table at each of `own` left aside.
    fn hold(&self, place: &str, own: &[&str]) -> bool {
        place.match_indices('/').any(|(end, _)| {
            let outer = &place[..=end];
            self.0.get(outer).is_some_and(|count| *count > u32::from(own.contains(&outer)))
        })
    }
}

impl CatalogState {
    /// The locations of all tables and views.
    pub(super) fn collect_locations(&self) -> Locations {
        let mut locations = Locations::default();
        for (_, entry) in self.all_tables() {
            locations.add(&entry.location);
        }
        for (_, entry) in self.all_views() {
            locations.add(&entry.location);
        }
        locations
    }

    /// The places of a table with this metadata, each `s3://.../` with a slash at its end; the location is the
    /// first. `entry` is the table as it is in this state, `at` as in [`Claimant::at`].
    pub fn places_of(
        &self,
        ident: &TableIdent,
        entry: Option<&TableEntry>,
        metadata: &TableMetadata,
        at: Option<i64>,
    ) -> Result<Vec<String>, Conflict> {
        let uuids = [metadata.uuid(), entry.map(|entry| entry.uuid)];
        let claimant = Claimant { table: ident, uuids, owner: None, at };
        let places = places(ident, metadata)?;
        self.check_places(&places, entry.map(|entry| &*entry.location), &claimant)?;
        Ok(places)
    }

    /// The places of a table that is staged.
    pub(super) fn places_of_staged(&self, staged: &StagedTable, at: i64) -> Result<Vec<String>, Conflict> {
        let StagedTable { ident, metadata, owner, .. } = staged;
        let uuids = [metadata.uuid(), None];
        let claimant = Claimant { table: ident, uuids, owner: Some(owner), at: Some(at) };
        let places = places(ident, metadata)?;
        self.check_places(&places, None, &claimant)?;
        Ok(places)
    }

    /// PL1, PL2 of a view, which lies at `own` now.
    pub(super) fn check_view_place(
        &self,
        ident: &TableIdent,
        own: Option<&str>,
        location: &str,
        at: i64,
    ) -> Result<(), Conflict> {
        let place = below(location);
        check_inside(ident, &place)?;
        let claimant = Claimant { table: ident, uuids: [None, None], owner: None, at: Some(at) };
        self.check_places(&[place], own, &claimant)
    }

    /// Whether a dropped table cannot come back to its location.
    pub(super) fn is_taken(&self, dropped: &DroppedTable, at: i64) -> bool {
        let uuids = [Some(dropped.entry.uuid), None];
        let claimant = Claimant { table: &dropped.ident, uuids, owner: None, at: Some(at) };
        self.check_places(&[below(&dropped.entry.location)], None, &claimant).is_err()
    }

    /// Whether a file lies in the location of another table or view than this one, or in a place that another one claims.
    /// The table has this location and UUID by its metadata, which may be older than this state.
    pub(crate) fn is_anothers(
        &self,
        ident: &TableIdent,
        (location, uuid): (&str, Option<Uuid>),
        file: &str,
    ) -> bool {
        let entry = self.table(ident);
        let own = [below(location), entry.map_or_else(String::new, |entry| below(&entry.location))];
        let uuids = [uuid, entry.map(|entry| entry.uuid)];
        let claimant = Claimant { table: ident, uuids, owner: None, at: None };
        self.locations.hold(file, &own.each_ref().map(String::as_str)) || self.is_claimed(file, &claimant)
    }

    /// Whether a location is, holds or lies in that of a table or view.
    pub fn is_occupied(&self, location: &str) -> bool {
        self.locations.overlap(&below(location), None)
    }

    fn check_places(
        &self,
        places: &[String],
        own: Option<&str>,
        claimant: &Claimant<'_>,
    ) -> Result<(), Conflict> {
        let own = own.map(below);
        let taken = |place: &&String| {
            self.locations.overlap(place, own.as_deref()) || self.is_claimed(place, claimant)
        };
        match places.iter().find(taken) {
            None => Ok(()),
            Some(place) => Err(Conflict::Invalid(format!(
                "'{place}' overlaps with the location of another table or view"
            ))),
        }
    }

    /// What makes the claims of a table fit its metadata.
    pub(super) fn claim_places(
        &self,
        ident: &TableIdent,
        uuid: Uuid,
        metadata: &TableMetadata,
    ) -> Option<Change> {
        // Places from before they were checked are no claim.
        let outer = places(ident, metadata).map(|mut places| places.split_off(1)).unwrap_or_default();
        self.claim(uuid, outer)
    }
}

/// Whether a property moves files out of the location.
pub(crate) fn is_write_path(key: &str) -> bool {
    WRITE_PATHS.contains(&key)
}

/// Whether the places of a table changed.
pub(super) fn moved(before: &TableMetadata, after: &TableMetadata) -> bool {
    let path = |metadata: &TableMetadata, name| metadata.properties().get(name).cloned();
    before.location() != after.location()
        || WRITE_PATHS.iter().any(|name| path(before, *name) != path(after, *name))
}

/// Whether two places have an object in common.
pub(super) fn touch(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn places(ident: &TableIdent, metadata: &TableMetadata) -> Result<Vec<String>, Conflict> {
    let location = below(metadata.location());
    let mut places = vec![location];
    for name in WRITE_PATHS {
        if let Some(path) = metadata.properties().get(name).filter(|path| !path.is_empty()) {
            let place = below(path.trim_end_matches('/'));
            if !places.iter().any(|outer| place.starts_with(outer.as_str())) {
                places.push(place);
            }
        }
    }
    for place in &places {
        check_inside(ident, place)?;
    }
    Ok(places)
}

/// PL1.
fn check_inside(ident: &TableIdent, place: &str) -> Result<(), Conflict> {
    let warehouse = &ident.warehouse;
    let key = key_in_warehouse(warehouse, &place[..place.len() - 1]);
    if key.is_some_and(|key| key != ".tarn" && !key.starts_with(".tarn/")) {
        return Ok(());
    }
    Err(Conflict::Invalid(format!("location '{place}' does not lie inside 's3://{warehouse}/'")))
}

fn below(location: &str) -> String {
    format!("{location}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_overlap_at_inside_and_around_and_not_beside() {
        let mut locations = Locations::default();
        locations.add("s3://main/ns/t1");
        for (place, expected) in [
            ("s3://main/ns/t1/", true),
            ("s3://main/ns/t1/data/", true),
            ("s3://main/ns/", true),
            ("s3://main/ns/t10/", false),
            ("s3://main/ns/t/", false),
            ("s3://other/ns/t1/", false),
        ] {
            assert_eq!(locations.overlap(place, None), expected, "{place}");
            assert!(!locations.overlap(place, Some("s3://main/ns/t1/")), "{place}");
        }
        // Two tables at one place, as older versions allowed: neither is alone there.
        locations.add("s3://main/ns/t1");
        assert!(locations.overlap("s3://main/ns/t1/", Some("s3://main/ns/t1/")));
        locations.remove("s3://main/ns/t1");
        locations.remove("s3://main/ns/t1");
        assert_eq!(locations, Locations::default());
    }
}
