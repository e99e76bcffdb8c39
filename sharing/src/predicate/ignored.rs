//! Hints that are not followed, and why: a reader may be told.

use std::fmt;

/// Characters of a hint that are shown.
const SHOWN_CHARS: usize = 60;

/// A hint, or a part of one, that leaves out no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Its beginning: printable ASCII without quotes and backslashes.
    pub hint: String,
    /// Why.
    pub why: Why,
}

/// Why a hint, or a part of it, says nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It does not parse.
    #[error("it cannot be read")]
    Unreadable,
    /// It breaks a limit.
    #[error("it is too long, too deep or has too many parts")]
    TooLarge,
    /// A part names a column that the table has not.
    #[error("a part names a column that is not there")]
    NoColumn,
    /// A part compares what cannot be compared here without doubt about the answer.
    #[error("a part compares types that have no common order here")]
    Incomparable,
    /// A part is something else than a condition on a column.
    #[error("a part is more than a condition on a column")]
    Unknown,
}

impl Ignored {
    pub(super) fn new(hint: &str, why: Why) -> Self {
        let shown = hint.chars().filter(|char| !matches!(char, '"' | '\\' | '\r' | '\n'));
        let shown = shown.map(|char| if matches!(char, ' '..='~') { char } else { '?' });
        Self { hint: shown.take(SHOWN_CHARS).collect(), why }
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.hint, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_hint_is_short_and_fit_for_a_header() {
        let shown =
            Ignored::new(&format!("a\r\n= \"\u{e9}\t{}", "x".repeat(100)), Why::Unreadable).to_string();
        assert!(shown.starts_with("a= ??xxx") && shown.ends_with("xxx: it cannot be read"), "{shown}");
        assert!(shown.len() < 100 && shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    }
}
