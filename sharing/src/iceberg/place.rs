//! Where files of a table may lie.

use std::sync::Arc;

use tarn_catalog::LoadedTable;
use tarn_catalog::state::{CatalogState, TableIdent};
use tarn_openapi::access::{Prefix, PrefixAccess, Presence, TableFiles};

use crate::table::{Place, TableError};
use crate::vectors::PlaceOf;

/// Whether an object outside the table's own location may be told: bucket and key.
pub type Reach = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// The places of files of the table at `location`, as far as they may be told.
pub(super) fn places(location: &str, reach: Reach) -> Box<PlaceOf<'static>> {
    // The bucket and the beginning of the keys, a slash at its end.
    let own = place(location).map(|at| (at.bucket.to_owned(), format!("{}/", at.key)));
    Box::new(move |location| {
        let at = place(location).ok_or(TableError::Outside)?;
        let is_own =
            own.as_ref().is_some_and(|(bucket, keys)| at.bucket == bucket && at.key.starts_with(keys));
        if is_own || reach(at.bucket, at.key) { Ok(at) } else { Err(TableError::Outside) }
    })
}

/// The files of a table, to be read by credentials. `None` where they lie so that none are made for them.
pub fn files_of(state: &CatalogState, ident: &TableIdent, loaded: &LoadedTable) -> Option<TableFiles> {
    let places = state.places_of(ident, Some(&loaded.entry), &loaded.metadata, None).ok()?;
    let bucket = format!("s3://{}/", ident.warehouse);
    let prefix =
        |place: &String| Prefix::new(&ident.warehouse, place.strip_prefix(&bucket)?, PrefixAccess::Read);
    let prefixes: Option<Vec<Prefix>> = places.iter().map(prefix).collect();
    Some(TableFiles {
        prefixes: prefixes?.into(),
        warehouse: (*ident.warehouse).into(),
        levels: ident.namespace.levels().iter().map(ToString::to_string).collect(),
        name: (*ident.name).into(),
        uuid: loaded.entry.uuid.as_u128(),
        presence: Presence::There,
    })
}

/// The place of an `s3://` location; none where a path of a store cannot hold the key as it is.
fn place(location: &str) -> Option<Place<'_>> {
    let rest = ["s3://", "s3a://", "s3n://"].iter().find_map(|scheme| location.strip_prefix(scheme))?;
    let (bucket, key) = rest.split_once('/')?;
    let is_key = !bucket.is_empty() && !key.is_empty() && object_store::path::Path::parse(key).is_ok();
    is_key.then_some(Place { bucket, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_outside_the_tables_location_is_told_only_where_it_may_be() {
        let places =
            places("s3://main/sales/orders", Arc::new(|bucket, key| (bucket, key) == ("else", "a/b")));
        let told = |location: &'static str| places(location).ok().map(|at| (at.bucket, at.key));
        assert_eq!(
            told("s3://main/sales/orders/data/1.parquet"),
            Some(("main", "sales/orders/data/1.parquet"))
        );
        assert_eq!(told("s3a://main/sales/orders/1.parquet"), Some(("main", "sales/orders/1.parquet")));
        assert_eq!(told("s3://else/a/b"), Some(("else", "a/b")));
        for outside in [
            "s3://main/sales/orders2/1.parquet",
            "s3://main/sales/orders/../secret/1.parquet",
            "s3://main/sales/orders//1.parquet",
            "s3://other/sales/orders/1.parquet",
            "s3://main/",
            "file:///etc/passwd",
            "https://main/sales/orders/1.parquet",
            "",
        ] {
            assert!(matches!(places(outside), Err(TableError::Outside)), "{outside}");
        }
    }
}
