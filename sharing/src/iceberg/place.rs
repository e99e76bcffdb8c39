//! Where files of a table may lie.

use std::sync::Arc;

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
