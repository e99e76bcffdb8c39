//! Names of shares, schemas, tables and recipients. Case counts for nothing in them: the ids of documents and the keys in
//! them are lower case.

use std::fmt;

use super::DirectoryError;

/// The most bytes of a name, in lower case too: an id of a document has no more.
pub const NAME_BYTES_MAX: usize = 255;

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A share.
    Share,
    /// A schema of a share.
    Schema,
    /// A table of a schema.
    Table,
    /// A recipient.
    Recipient,
}

impl fmt::Display for Named {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Share => "share",
            Self::Schema => "schema",
            Self::Table => "table",
            Self::Recipient => "recipient",
        })
    }
}

/// A name as it is looked up.
pub fn lower(name: &str) -> String {
    name.to_lowercase()
}

/// A name as it is looked up, if it is one: 1 to 255 bytes without white space, `/` and control characters; that of a
/// schema or table without `.`, as theirs are joined by it.
pub(super) fn checked(named: Named, name: &str) -> Result<String, DirectoryError> {
    let id = lower(name);
    let dots = match named {
        Named::Share | Named::Recipient => true,
        Named::Schema | Named::Table => false,
    };
    let good = |c: char| !(c.is_whitespace() || c.is_control() || c == '/' || (c == '.' && !dots));
    let sized = |text: &str| (1..=NAME_BYTES_MAX).contains(&text.len());
    // Paths with these segments would be other paths.
    let named_well = sized(name) && sized(&id) && name.chars().all(good) && !matches!(name, "." | "..");
    if named_well { Ok(id) } else { Err(DirectoryError::Name { named, name: name.into() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_be_other_paths_or_that_no_path_can_hold_are_refused() {
        for good in ["sales", "Sales-2026", "\u{e9}t\u{e9}", "a.b", "a%b"] {
            assert_eq!(checked(Named::Share, good).unwrap(), good.to_lowercase());
        }
        for bad in ["", ".", "..", "a b", "a/b", "a\tb", "a\u{0}", &"a".repeat(256), &"\u{130}".repeat(120)] {
            assert!(checked(Named::Share, bad).is_err(), "{bad:?}");
        }
        assert!(checked(Named::Table, "a.b").is_err() && checked(Named::Schema, "a.b").is_err());
    }
}
