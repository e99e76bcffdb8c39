//! The places whose files belong to a table, and whether it has them for itself (X3).

use tarn_catalog::metadata::TableMetadata;
use tarn_catalog::state::{CatalogState, TableIdent};

/// Another table, which may be a dropped one, lies at, in or around a table's place, so what lies there may be its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("table '{other}' lies at, in or around {place}")]
pub struct Overlap {
    /// The place.
    pub place: String,
    /// The other table.
    pub other: TableIdent,
}

/// Where a table's files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places(Vec<String>);

impl Places {
    /// The table's location, and where its properties send files. Without schemes and trailing slashes.
    pub(crate) fn of(metadata: &TableMetadata) -> Self {
        const PATHS: [&str; 4] = [
            "write.data.path",
            "write.metadata.path",
            "write.object-storage.path",
            "write.folder-storage.path",
        ];
        let named = PATHS.iter().filter_map(|name| metadata.properties().get(*name));
        let all = std::iter::once(metadata.location()).chain(named.map(String::as_str));
        let mut places: Vec<String> = all.filter_map(plain).collect();
        places.sort_unstable();
        places.dedup();
        Self(places)
    }

    /// The table's location alone.
    pub(crate) fn location_of(metadata: &TableMetadata) -> Self {
        Self(plain(metadata.location()).into_iter().collect())
    }

    /// Does a location lie below one of the places?
    pub(crate) fn hold(&self, location: &str) -> bool {
        plain(location).is_some_and(|location| self.0.iter().any(|place| is_below(&location, place)))
    }

    /// Another table, a view or a dropped table that is kept, whose location touches one of the places.
    pub(crate) fn overlap(&self, state: &CatalogState, ident: &TableIdent) -> Option<Overlap> {
        let tables = state.all_tables().filter(|(other, _)| other != ident);
        let tables = tables.map(|(other, entry)| (other, [&entry.location, &entry.metadata_location]));
        let views = state.all_views();
        let views = views.map(|(other, entry)| (other, [&entry.location, &entry.metadata_location]));
        let dropped = state.dropped_tables(None).map(|dropped| (dropped.ident.clone(), &dropped.entry));
        let dropped = dropped.map(|(other, entry)| (other, [&entry.location, &entry.metadata_location]));
        tables.chain(views).chain(dropped).find_map(|(other, theirs)| {
            let place = theirs.into_iter().find_map(|location| self.touched_by(location))?;
            Some(Overlap { place: format!("s3://{place}"), other })
        })
    }

    /// The place that a location is, lies in or lies around.
    fn touched_by(&self, location: &str) -> Option<&String> {
        let location = plain(location)?;
        self.0
            .iter()
            .find(|place| location == **place || is_below(&location, place) || is_below(place, &location))
    }
}

/// `<warehouse>/<key>` of a location.
fn plain(location: &str) -> Option<String> {
    let rest = ["s3://", "s3a://", "s3n://"].iter().find_map(|scheme| location.strip_prefix(scheme))?;
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    // A whole bucket is nobody's place.
    (parts.len() > 1).then(|| parts.join("/"))
}

fn is_below(location: &str, place: &str) -> bool {
    location.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use tarn_catalog::state::{Change, Commit, Namespace, Properties, Purge, TablePut, ViewPut};

    use super::*;

    #[test]
    fn a_sibling_with_the_same_beginning_is_not_below() {
        let places = Places(vec!["main/sales/t1".into()]);
        assert!(places.hold("s3a://main/sales//t1/data/a.parquet"));
        assert!(!places.hold("s3://main/sales/t10/data/a.parquet"));
        assert!(!places.hold("s3://other/sales/t1/data/a.parquet"));
        assert!(!places.hold("file:///main/sales/t1/a"));
    }

    /// The catalog refuses such tables and views today; older logs may hold them.
    #[test]
    fn tables_and_views_at_in_and_around_a_place_overlap_it_and_siblings_do_not() {
        let namespace = Namespace::new(vec!["sales".into()]).unwrap();
        let ident = |name: &str| TableIdent::new("main", namespace.clone(), name).unwrap();
        let put = |name: &str, location: &str| {
            Change::PutTable(TablePut {
                ident: ident(name),
                uuid: uuid::Uuid::from_u128(1),
                location: location.into(),
                metadata_location: format!("{location}/metadata/0.metadata.json").into(),
                snapshot_id: None,
                schema_id: 0,
            })
        };
        let warehouse = Change::PutWarehouse { name: "main".into(), properties: Properties::new() };
        let properties = Properties::new();
        let space =
            Change::PutNamespace { warehouse: "main".into(), namespace: namespace.clone(), properties };
        let places = Places(vec!["main/sales/t1".into()]);
        for (location, overlaps) in [
            ("s3://main/sales/t1", true),
            ("s3a://main/sales/t1/data/inner", true),
            ("s3://main/sales", true),
            ("s3://main/sales/t10", false),
            ("s3://other/sales/t1", false),
        ] {
            let mut state = CatalogState::default();
            let changes = vec![
                warehouse.clone(),
                space.clone(),
                put("t1", "s3://main/sales/t1"),
                put("other", location),
            ];
            state.apply(&Commit { at: 0, changes });
            let found = places.overlap(&state, &ident("t1"));
            assert_eq!(found.map(|overlap| overlap.other), overlaps.then(|| ident("other")), "{location}");
            // A dropped table that is kept lies there still.
            let kept = Change::SetAside {
                id: uuid::Uuid::from_u128(2),
                ident: ident("other"),
                until: 1,
                purge: Purge::Files,
            };
            state.apply(&Commit { at: 0, changes: vec![kept] });
            assert_eq!(places.overlap(&state, &ident("t1")).is_some(), overlaps, "{location}");
            let view = Change::PutView(ViewPut {
                ident: ident("view"),
                uuid: uuid::Uuid::from_u128(3),
                location: location.into(),
                metadata_location: format!("{location}/metadata/0.metadata.json").into(),
            });
            let mut state = CatalogState::default();
            let changes = vec![warehouse.clone(), space.clone(), put("t1", "s3://main/sales/t1"), view];
            state.apply(&Commit { at: 0, changes });
            assert_eq!(places.overlap(&state, &ident("t1")).is_some(), overlaps, "a view at {location}");
        }
    }
}
