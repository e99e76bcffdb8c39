//! Names: warehouses, namespaces and tables, and locations inside a warehouse.
//!
//! - N1: a name is not empty, not longer than its limit, and holds no control character; so none
//!   holds the separator 0x1F.
//! - N2: a location of a table lies below `s3://<warehouse>/`, never at its root, and no part of it
//!   is empty, `.` or `..`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::limits::{LOCATION_BYTES_MAX, NAME_BYTES_MAX, NAMESPACE_LEVELS_MAX, WAREHOUSE_BYTES_MAX};

/// A name the catalog does not accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidName {
    message: String,
}

/// A namespace: one or more levels. Orders parents right before their children.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Namespace(Arc<[String]>);

/// The full name of a table or view.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableIdent {
    /// The warehouse.
    pub warehouse: Arc<str>,
    /// The namespace.
    pub namespace: Namespace,
    /// The name in the namespace.
    pub name: Arc<str>,
}

impl Namespace {
    /// A namespace of these levels, checked (N1).
    pub fn new(levels: Vec<String>) -> Result<Self, InvalidName> {
        if levels.is_empty() {
            return Err(InvalidName::new("a namespace has at least one level"));
        }
        if levels.len() > NAMESPACE_LEVELS_MAX {
            return Err(InvalidName::new(format!("a namespace has at most {NAMESPACE_LEVELS_MAX} levels")));
        }
        for level in &levels {
            check_name("namespace level", level, NAME_BYTES_MAX)?;
        }
        Ok(Self(levels.into()))
    }

    /// The levels, outermost first.
    pub fn levels(&self) -> &[String] {
        &self.0
    }

    /// The namespace around this one.
    pub fn parent(&self) -> Option<Self> {
        let (_, outer) = self.0.split_last()?;
        (!outer.is_empty()).then(|| Self(outer.into()))
    }

    /// Whether this namespace lies in `outer`, directly or deeper.
    pub fn is_inside(&self, outer: &Self) -> bool {
        self.0.len() > outer.0.len() && self.0.starts_with(&outer.0)
    }
}

impl std::fmt::Display for Namespace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0.join("."))
    }
}

impl TableIdent {
    /// A table name, checked (N1).
    pub fn new(
        warehouse: impl Into<Arc<str>>,
        namespace: Namespace,
        name: impl Into<Arc<str>>,
    ) -> Result<Self, InvalidName> {
        let ident = Self { warehouse: warehouse.into(), namespace, name: name.into() };
        check_warehouse_name(&ident.warehouse)?;
        check_name("table name", &ident.name, NAME_BYTES_MAX)?;
        Ok(ident)
    }
}

impl std::fmt::Display for TableIdent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.namespace, self.name)
    }
}

impl InvalidName {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// Checks a warehouse name: that of a bucket, 3 to 63 of lower-case letters, digits, `.` and `-`.
pub fn check_warehouse_name(name: &str) -> Result<(), InvalidName> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let edge =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    let ends = edge(bytes.first()) && edge(bytes.last());
    if (3..=WAREHOUSE_BYTES_MAX).contains(&name.len()) && ends && name.bytes().all(fits) {
        return Ok(());
    }
    Err(InvalidName::new("a warehouse name is 3 to 63 lower-case letters, digits, hyphens and dots"))
}

pub(crate) fn check_name(what: &str, name: &str, bytes_max: usize) -> Result<(), InvalidName> {
    if name.is_empty() {
        return Err(InvalidName::new(format!("a {what} is not empty")));
    }
    if name.len() > bytes_max {
        return Err(InvalidName::new(format!("a {what} has at most {bytes_max} bytes")));
    }
    if name.chars().any(char::is_control) {
        return Err(InvalidName::new(format!("a {what} holds no control characters")));
    }
    Ok(())
}

/// The object key of a location inside `warehouse` (N2); `None` when it lies elsewhere.
pub fn key_in_warehouse<'a>(warehouse: &str, location: &'a str) -> Option<&'a str> {
    if location.len() > LOCATION_BYTES_MAX || location.chars().any(char::is_control) {
        return None;
    }
    let key = location.strip_prefix("s3://")?.strip_prefix(warehouse)?.strip_prefix('/')?;
    let whole = key.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    whole.then_some(key)
}

/// Where a table lies when nobody says: below its namespace's location, or
/// `s3://<warehouse>/<namespace path>`, unique by its UUID.
pub(crate) fn default_location(ident: &TableIdent, base: Option<&str>, uuid: Uuid) -> String {
    let name = path_part(&ident.name);
    let base = base.map(|location| location.trim_end_matches('/'));
    match base
        .filter(|base| key_in_warehouse(&ident.warehouse, base).is_some() && base.len() <= BASE_BYTES_MAX)
    {
        Some(base) => format!("{base}/{name}-{uuid}"),
        None => format!("{}/{name}-{uuid}", namespace_location(&ident.warehouse, &ident.namespace)),
    }
}

/// Where the tables of a namespace lie when it has no property `location`.
pub(crate) fn namespace_location(warehouse: &str, namespace: &Namespace) -> String {
    let levels: Vec<String> = namespace.levels().iter().map(|level| path_part(level)).collect();
    let mut path = levels.join("/");
    path.truncate(BASE_BYTES_MAX);
    format!("s3://{warehouse}/{}", path.trim_end_matches('/'))
}

/// Bytes of a table location before the table's own part, so that file keys stay below 1,024.
const BASE_BYTES_MAX: usize = 400;
const PATH_PART_CHARS_MAX: usize = 100;

/// A name as part of a key that every engine's path handling survives; ASCII only.
fn path_part(name: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() || "_-.".contains(char) { char } else { '_' };
    let part: String = name.chars().take(PATH_PART_CHARS_MAX).map(plain).collect();
    if part.bytes().all(|byte| byte == b'.') { "_".repeat(part.len()) } else { part }
}
