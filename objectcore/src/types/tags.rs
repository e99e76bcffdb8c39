//! The tags of an object, within S3's limits.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The tags of an object: never more, longer or of other characters than S3 allows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tags(BTreeMap<String, String>);

/// Why texts are not the tags of an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTags {
    /// There are too many.
    #[error("an object has at most {} tags, not {count}", Tags::COUNT_MAX)]
    TooMany {
        /// How many there would be.
        count: usize,
    },
    /// A key is empty, too long, or has characters that S3 does not allow.
    #[error(
        "the key of a tag has 1 to {} letters, digits, spaces or of + - = . _ : / @",
        Tags::KEY_CHARS_MAX
    )]
    Key(String),
    /// A key begins as those of the system do.
    #[error("keys of tags that begin with aws: are the system's")]
    Reserved(String),
    /// A value is too long, or has characters that S3 does not allow.
    #[error(
        "the value of a tag has at most {} letters, digits, spaces or of + - = . _ : / @",
        Tags::VALUE_CHARS_MAX
    )]
    Value {
        /// Its key.
        key: String,
        /// The value.
        value: String,
    },
    /// A key is there twice.
    #[error("two tags have the same key")]
    Twice(String),
}

/// A change of the tags of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagChange {
    /// It has these and no others.
    Replace(Tags),
    /// It has these, and what it had of other keys.
    Merge(Tags),
    /// It has none of these keys.
    Remove(BTreeSet<String>),
}

impl Tags {
    /// The most tags of an object.
    pub const COUNT_MAX: usize = 10;
    /// The longest key, in characters.
    pub const KEY_CHARS_MAX: usize = 128;
    /// The longest value, in characters.
    pub const VALUE_CHARS_MAX: usize = 256;

    /// Checks the tags of an object.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, InvalidTags> {
        let mut tags = BTreeMap::new();
        for (key, value) in pairs {
            check(&key, &value)?;
            if tags.contains_key(&key) {
                return Err(InvalidTags::Twice(key));
            }
            tags.insert(key, value);
        }
        Self(tags).bounded()
    }

    /// Keys and values, in the order of the keys' bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn bounded(self) -> Result<Self, InvalidTags> {
        match self.0.len() {
            count if count > Self::COUNT_MAX => Err(InvalidTags::TooMany { count }),
            _ => Ok(self),
        }
    }
}

impl TagChange {
    /// The tags of an object that had `tags`.
    pub fn of(&self, tags: &Tags) -> Result<Tags, InvalidTags> {
        match self {
            Self::Replace(new) => Ok(new.clone()),
            Self::Merge(new) => {
                let mut merged = tags.clone();
                merged.0.extend(new.0.clone());
                merged.bounded()
            }
            Self::Remove(keys) => {
                let mut rest = tags.clone();
                rest.0.retain(|key, _| !keys.contains(key));
                Ok(rest)
            }
        }
    }
}

fn check(key: &str, value: &str) -> Result<(), InvalidTags> {
    let plain = |text: &str| text.chars().all(is_allowed);
    if key.is_empty() || key.chars().count() > Tags::KEY_CHARS_MAX || !plain(key) {
        return Err(InvalidTags::Key(key.to_owned()));
    }
    if key.starts_with("aws:") {
        return Err(InvalidTags::Reserved(key.to_owned()));
    }
    match value.chars().count() <= Tags::VALUE_CHARS_MAX && plain(value) {
        true => Ok(()),
        false => Err(InvalidTags::Value { key: key.to_owned(), value: value.to_owned() }),
    }
}

/// Letters, digits and separators of all scripts, and eight signs.
fn is_allowed(character: char) -> bool {
    let separates = character.is_whitespace() && !character.is_control();
    character.is_alphanumeric() || separates || "+-=._:/@".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Result<Tags, InvalidTags> {
        Tags::new(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn tags_are_what_s3_allows() {
        let long = |chars| "\u{e9}".repeat(chars);
        for (key, value) in [("a", ""), ("a b", "+-=._:/@"), ("\u{4f60}", "\u{e9} 9"), ("AWS:x", "aws:y")] {
            assert!(tags(&[(key, value)]).is_ok(), "{key}={value}");
        }
        assert!(tags(&[(&long(128), &long(256))]).is_ok());
        for key in ["", "a*b", "a\n", "a\u{0}", "a<", "a&b", &long(129)] {
            assert!(matches!(tags(&[(key, "")]), Err(InvalidTags::Key(_))), "{key:?}");
        }
        for value in ["a?", "a\tb", "\u{1f600}", &long(257)] {
            assert!(matches!(tags(&[("k", value)]), Err(InvalidTags::Value { .. })), "{value:?}");
        }
        assert!(matches!(tags(&[("aws:x", "")]), Err(InvalidTags::Reserved(_))));
        assert!(matches!(tags(&[("a", "1"), ("a", "1")]), Err(InvalidTags::Twice(_))));
    }

    #[test]
    fn an_object_never_has_more_than_ten_tags() {
        let many = |from: u32, count| {
            Tags::new((from..from + count).map(|number| (format!("k{number}"), String::new())))
        };
        assert_eq!(many(0, 11), Err(InvalidTags::TooMany { count: 11 }));
        let ten = many(0, 10).unwrap();
        assert_eq!(TagChange::Merge(many(9, 1).unwrap()).of(&ten), Ok(ten.clone()));
        assert_eq!(TagChange::Merge(many(9, 2).unwrap()).of(&ten), Err(InvalidTags::TooMany { count: 11 }));
    }

    #[test]
    fn a_change_replaces_merges_or_removes() {
        let before = tags(&[("a", "1"), ("b", "2")]).unwrap();
        let merged = TagChange::Merge(tags(&[("b", "3"), ("c", "4")]).unwrap());
        assert_eq!(merged.of(&before), tags(&[("a", "1"), ("b", "3"), ("c", "4")]));
        let replaced = TagChange::Replace(tags(&[("c", "4")]).unwrap());
        assert_eq!(replaced.of(&before), tags(&[("c", "4")]));
        let removed = TagChange::Remove(["a".to_owned(), "z".to_owned()].into());
        assert_eq!(removed.of(&before), tags(&[("b", "2")]));
    }
}
