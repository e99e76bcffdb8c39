//! Where the manifests of a table may lie. A snapshot names its files as its writer likes, and this server may read more
//! than that writer, so what it tells of manifests must be of the table:
//!
//! - AR1: they lie in the table's warehouse.
//! - AR2: they lie in no other table's or view's location, and in no place that another table claims.

use std::fmt;
use std::sync::Arc;

use object_store::path::Path;
use uuid::Uuid;

use super::error::PlanError;
use crate::files::split;
use crate::state::{CatalogState, TableIdent};

/// The area of one table.
#[derive(Clone)]
pub struct Area {
    state: Arc<CatalogState>,
    ident: TableIdent,
    location: Box<str>,
    uuid: Option<Uuid>,
}

impl fmt::Debug for Area {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Area({}.{})", self.ident.warehouse, self.ident)
    }
}

impl Area {
    /// That of a table with this location and UUID, among the tables of a state.
    pub(crate) fn new(
        state: Arc<CatalogState>,
        ident: TableIdent,
        (location, uuid): (&str, Option<Uuid>),
    ) -> Self {
        Self { state, ident, location: location.into(), uuid }
    }

    /// The warehouse.
    pub(crate) fn warehouse(&self) -> &str {
        &self.ident.warehouse
    }

    /// The path of a manifest or manifest list of the table; else why it is not read.
    pub(crate) fn path(&self, location: &str) -> Result<Path, PlanError> {
        let outside = |of: &str| PlanError::Unsupported(format!("{location} lies {of}"));
        let warehouse = self.warehouse();
        let path = match split(location) {
            Some((named, path)) if named == warehouse => path,
            Some(_) | None => return Err(outside("outside the table's warehouse")),
        };
        let plain = format!("s3://{warehouse}/{path}");
        if self.state.is_anothers(&self.ident, (&self.location, self.uuid), &plain) {
            return Err(outside("with another table or view"));
        }
        Ok(path)
    }
}
