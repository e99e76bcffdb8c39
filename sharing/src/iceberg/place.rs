//! Where files of a table may lie.

use std::sync::Arc;

use crate::table::{Place, TableError};

/// Whether an object outside the table's own location may be told: bucket and key.
pub type Reach = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// Knows which files of a table may be told.
pub(super) struct Places {
    /// The bucket and the keys' beginning of the table's location, a slash at its end.
    own: Option<(String, String)>,
    reach: Reach,
}

impl Places {
    pub(super) fn new(location: &str, reach: Reach) -> Self {
        let own = place(location).map(|at| (at.bucket.to_owned(), format!("{}/", at.key)));
        Self { own, reach }
    }

    /// The place of a file of the table.
    pub(super) fn of<'a>(&self, location: &'a str) -> Result<Place<'a>, TableError> {
        let at = place(location).ok_or(TableError::Outside)?;
        let is_own =
            self.own.as_ref().is_some_and(|(bucket, keys)| at.bucket == bucket && at.key.starts_with(keys));
        if is_own || (self.reach)(at.bucket, at.key) { Ok(at) } else { Err(TableError::Outside) }
    }
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
            Places::new("s3://main/sales/orders", Arc::new(|bucket, key| (bucket, key) == ("else", "a/b")));
        let told = |location: &'static str| places.of(location).ok().map(|at| (at.bucket, at.key));
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
            assert!(matches!(places.of(outside), Err(TableError::Outside)), "{outside}");
        }
    }
}
