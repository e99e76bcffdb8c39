//! Where a file named by an action lies (Delta protocol, "Add File and Remove File" and "Deletion Vectors").
//!
//! - P1: whatever a log says, a key told here lies below the table's prefix, letter by letter.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::table::TableError;

/// Bytes of the longest key.
const KEY_BYTES_MAX: usize = 1024;
/// The schemes under which writers name objects of a bucket.
const SCHEMES: [&str; 3] = ["s3", "s3a", "s3n"];

/// Where a table lies.
#[derive(Debug, Clone)]
pub(super) struct Root {
    bucket: Arc<str>,
    /// Empty, or ends in `/`.
    prefix: Arc<str>,
}

impl Root {
    /// The table below `prefix`, whose last `/` may be left out.
    pub(super) fn new(bucket: &str, prefix: &str) -> Result<Self, TableError> {
        let name = prefix.strip_suffix('/').unwrap_or(prefix);
        if name.is_empty() {
            return Ok(Self { bucket: bucket.into(), prefix: "".into() });
        }
        checked(name.to_owned()).map_err(|_| TableError::NoSuchTable)?;
        Ok(Self { bucket: bucket.into(), prefix: format!("{name}/").into() })
    }

    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of a file, of its `path` in an action (P1).
    pub(super) fn key_of(&self, path: &str) -> Result<String, TableError> {
        if path.is_empty() || path.chars().any(|letter| letter.is_control()) {
            return Err(broken(path));
        }
        if has_scheme(path) {
            let url = Url::parse(path).map_err(|_| broken(path))?;
            return self.key_of_url(&url);
        }
        if path.starts_with('/') {
            return Err(TableError::Outside);
        }
        if path.contains(['?', '#']) {
            return Err(broken(path));
        }
        checked(format!("{}{}", self.prefix, decoded(path)?))
    }

    /// The key of a file, of the URL it is named by (P1).
    pub(super) fn key_of_url(&self, url: &Url) -> Result<String, TableError> {
        let plain = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && url.port().is_none();
        let ours = SCHEMES.contains(&url.scheme()) && url.host_str() == Some(&self.bucket);
        let path = url.path().strip_prefix('/').filter(|_| plain && ours).ok_or(TableError::Outside)?;
        let key = checked(decoded(path)?)?;
        if key.len() > self.prefix.len() && key.starts_with(&*self.prefix) {
            Ok(key)
        } else {
            Err(TableError::Outside)
        }
    }
}

/// Whether a path is an absolute URI: letters, digits, `+`, `-` and `.` before its first `:`.
fn has_scheme(path: &str) -> bool {
    path.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

fn decoded(path: &str) -> Result<String, TableError> {
    let bytes = path.as_bytes();
    let escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    for (at, _) in escapes {
        let digits = bytes.get(at + 1..at + 3).ok_or_else(|| broken(path))?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(broken(path));
        }
    }
    let text = percent_decode_str(path).decode_utf8().map_err(|_| broken(path))?;
    Ok(text.into_owned())
}

fn checked(key: String) -> Result<String, TableError> {
    let whole = key.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
    if whole && key.len() <= KEY_BYTES_MAX && !key.chars().any(char::is_control) {
        Ok(key)
    } else {
        Err(broken(&key))
    }
}

fn broken(path: &str) -> TableError {
    let start: String = path.chars().take(100).flat_map(char::escape_default).collect();
    TableError::Invalid(format!("the path {start} names no file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_key_below_the_prefix_or_none() {
        let root = Root::new("main", "sales/orders").unwrap();
        let right = [
            ("part-0.parquet", "sales/orders/part-0.parquet"),
            ("d=2020-01-01%2000%253A00/a%23b.parquet", "sales/orders/d=2020-01-01 00%3A00/a#b.parquet"),
            ("d=x:y/a b.parquet", "sales/orders/d=x:y/a b.parquet"),
            ("%C3%A4.parquet", "sales/orders/\u{e4}.parquet"),
            ("s3://main/sales/orders/a.parquet", "sales/orders/a.parquet"),
            ("s3a://main/sales/orders/d=a%20b/c.parquet", "sales/orders/d=a b/c.parquet"),
        ];
        for (path, key) in right {
            assert_eq!(root.key_of(path).unwrap(), key, "{path}");
        }
        let outside = [
            "/sales/orders/a.parquet",
            "//main/sales/orders/a.parquet",
            "file:/sales/orders/a.parquet",
            "file:///etc/passwd",
            "s3://other/sales/orders/a.parquet",
            "s3://main/sales/orders2/a.parquet",
            "s3://main/sales/orders/../secret.parquet",
            "s3://main/sales/orders/%2e%2E/secret.parquet",
            "s3://main/sales/orders",
            "s3://main/sales/orders/a.parquet?X-Amz-Signature=1",
            "s3://main/sales/orders/a.parquet#x",
            "s3://key@main/sales/orders/a.parquet",
            "s3://main:80/sales/orders/a.parquet",
            "https://main/sales/orders/a.parquet",
            "c:a.parquet",
        ];
        for path in outside {
            assert!(matches!(root.key_of(path), Err(TableError::Outside)), "{path}: {:?}", root.key_of(path));
        }
        let long = "a".repeat(KEY_BYTES_MAX);
        let broken = [
            "",
            ".",
            "..",
            "../a",
            "a/../../b",
            "a/%2e%2e/b",
            "a//b",
            "a/",
            "%",
            "%2",
            "%zz",
            "%ff",
            "a?b",
            "a#b",
            "a\nb",
            "a%00b",
            "%2Fa",
            &long,
            "s3://main/sales/orders/%zz",
        ];
        for path in broken {
            assert!(
                matches!(root.key_of(path), Err(TableError::Invalid(_))),
                "{path}: {:?}",
                root.key_of(path)
            );
        }
    }

    #[test]
    fn a_table_may_be_a_whole_bucket_and_its_prefix_must_be_a_path() {
        let root = Root::new("main", "").unwrap();
        assert_eq!(root.key_of("s3://main/a.parquet").unwrap(), "a.parquet");
        assert_eq!(root.key_of("b/a.parquet").unwrap(), "b/a.parquet");
        assert!(matches!(Root::new("main", "a//b/"), Err(TableError::NoSuchTable)));
        assert!(matches!(Root::new("main", "a/../b/"), Err(TableError::NoSuchTable)));
    }
}
