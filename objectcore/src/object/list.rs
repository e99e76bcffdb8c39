//! Listing: a pure walk over pages of keys.
//!
//! The walk asks for keys from a place on, takes what it is given, and says where to go on. Behind a
//! rolled-up prefix it seeks: the keys under the prefix are never read, however many there are.
//!
//! - K1: keys and common prefixes come in the order of their bytes, each once, all after `start_after`.
//! - K2: `next_start_after` is the last entry of the page, and is given only when more follows.

use std::ops::Bound;

use bytes::Bytes;

use super::value::InvalidValue;
use super::{key, value};
use crate::name::{BucketName, ObjectKey};
use crate::types::{Attributes, ListOptions, ListPage, ObjectInfo};

/// A listing in progress.
pub(crate) struct Walk<'a> {
    options: &'a ListOptions,
    /// `bucket 00 prefix`: every key of the listing begins so.
    prefix: Bytes,
    /// The bytes of a stored key before the object's key.
    bucket_bytes: usize,
    page: ListPage,
    last: Option<Last>,
}

enum Last {
    Key(ObjectKey),
    Prefix(String),
}

impl Last {
    fn into_text(self) -> String {
        match self {
            Self::Key(key) => key.as_str().to_owned(),
            Self::Prefix(prefix) => prefix,
        }
    }
}

/// What the walk wants next.
pub(crate) enum Step {
    /// Entries from here on, then [`Walk::take`].
    Read { from: Bound<Bytes>, limit: usize },
    /// Nothing: the page is whole.
    Done,
}

/// What became of one entry.
enum Taken {
    /// It is in the page, or was rolled up; `behind` is where its common prefix ends.
    Object,
    RolledUp {
        behind: Bytes,
    },
    /// The page is full and more follows.
    Full,
    /// No key of the listing follows.
    End,
}

/// How many entries are read at once at most. With a delimiter fewer: those under a rolled-up prefix
/// are read for nothing.
const READ_MAX: usize = 1024;
const READ_MAX_DELIMITED: usize = 128;

impl<'a> Walk<'a> {
    /// Begins a listing; the step says where.
    pub(crate) fn new(bucket: &BucketName, options: &'a ListOptions) -> (Self, Step) {
        let prefix = key::in_bucket(bucket, options.prefix.as_bytes());
        let bucket_bytes = bucket.as_str().len() + 1;
        let walk = Self { options, prefix, bucket_bytes, page: ListPage::default(), last: None };
        let step = match options.limit {
            0 => Step::Done,
            _ => Step::Read { from: walk.begin(bucket), limit: walk.wanted() },
        };
        (walk, step)
    }

    fn begin(&self, bucket: &BucketName) -> Bound<Bytes> {
        let Some(after) = &self.options.start_after else {
            return Bound::Included(self.prefix.clone());
        };
        if after.as_bytes() < self.options.prefix.as_bytes() {
            return Bound::Included(self.prefix.clone());
        }
        // A place inside a rolled-up prefix: that prefix was answered before.
        match self.rolled_up(after) {
            Some(common) => Bound::Excluded(key::behind(&key::in_bucket(bucket, common.as_bytes()))),
            None => Bound::Excluded(key::in_bucket(bucket, after.as_bytes())),
        }
    }

    /// The common prefix that `key` is rolled up to.
    fn rolled_up<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.options.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
        let rest = key.strip_prefix(self.options.prefix.as_str())?;
        let end = self.options.prefix.len() + rest.find(delimiter)? + delimiter.len();
        Some(&key[..end])
    }

    /// One more than the page lacks: the last tells whether more follows.
    fn wanted(&self) -> usize {
        let most = if self.options.delimiter.is_some() { READ_MAX_DELIMITED } else { READ_MAX };
        (self.options.limit - self.entries() + 1).min(most)
    }

    fn entries(&self) -> usize {
        self.page.objects.len() + self.page.common_prefixes.len()
    }

    /// Takes entries (stored key and value) in order; `limit` is the limit they were read with.
    pub(crate) fn take(&mut self, entries: &[(Bytes, Bytes)], limit: usize) -> Result<Step, InvalidValue> {
        let mut at = 0;
        let mut from = None;
        while let Some((key, value)) = entries.get(at) {
            match self.take_one(key, value)? {
                Taken::Object => {
                    at += 1;
                    from = Some(key.clone());
                }
                Taken::RolledUp { behind } => {
                    at += entries[at..].partition_point(|(key, _)| *key < behind);
                    from = Some(behind);
                }
                Taken::Full => {
                    self.page.next_start_after = self.last.take().map(Last::into_text);
                    return Ok(Step::Done);
                }
                Taken::End => return Ok(Step::Done),
            }
        }
        Ok(match from {
            Some(from) if entries.len() >= limit => {
                Step::Read { from: Bound::Excluded(from), limit: self.wanted() }
            }
            Some(_) | None => Step::Done,
        })
    }

    fn take_one(&mut self, stored: &Bytes, value: &[u8]) -> Result<Taken, InvalidValue> {
        if !stored.starts_with(&self.prefix) {
            return Ok(Taken::End);
        }
        if self.entries() == self.options.limit {
            return Ok(Taken::Full);
        }
        let key = std::str::from_utf8(&stored[self.bucket_bytes..]).map_err(|_| InvalidValue::Key)?;
        if let Some(common) = self.rolled_up(key) {
            let common = common.to_owned();
            let behind = key::behind(&stored[..self.bucket_bytes + common.len()]);
            self.page.common_prefixes.push(common.clone());
            self.last = Some(Last::Prefix(common));
            return Ok(Taken::RolledUp { behind });
        }
        let key = ObjectKey::new(key).map_err(|_| InvalidValue::Key)?;
        let head = value::decode_head(value)?;
        self.last = Some(Last::Key(key.clone()));
        self.page.objects.push(info(key, head));
        Ok(Taken::Object)
    }

    pub(crate) fn finish(self) -> ListPage {
        self.page
    }
}

/// What a listing tells of an object: attributes and parts are left out.
fn info(key: ObjectKey, head: value::Head) -> ObjectInfo {
    ObjectInfo {
        key,
        size: head.size,
        etag: head.tag.text(),
        modified: head.modified,
        attributes: Attributes::default(),
        checksum: head.checksum,
        parts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::types::Millis;

    struct Keys {
        entries: BTreeMap<Bytes, Bytes>,
        read: usize,
    }

    fn keys<'k>(keys: impl IntoIterator<Item = &'k str>) -> Keys {
        let head =
            value::Head { size: 1, modified: Millis(2), tag: value::Tag::Md5([0; 16]), checksum: None };
        let value = Bytes::from(value::encode(&head));
        let entries = keys.into_iter().map(|key| (stored("bucket", key), value.clone())).collect();
        Keys { entries, read: 0 }
    }

    fn stored(bucket: &str, key: &str) -> Bytes {
        key::in_bucket(&BucketName::new(bucket).unwrap(), key.as_bytes())
    }

    impl Keys {
        fn page(&mut self, options: &ListOptions) -> ListPage {
            let bucket = BucketName::new("bucket").unwrap();
            let (mut walk, mut step) = Walk::new(&bucket, options);
            while let Step::Read { from, limit } = step {
                let entries: Vec<(Bytes, Bytes)> = self
                    .entries
                    .range((from, Bound::Unbounded))
                    .take(limit)
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                self.read += entries.len();
                step = walk.take(&entries, limit).unwrap();
            }
            walk.finish()
        }
    }

    fn names(page: &ListPage) -> Vec<String> {
        let objects = page.objects.iter().map(|object| object.key.as_str().to_owned());
        let mut names: Vec<String> = objects.chain(page.common_prefixes.iter().cloned()).collect();
        names.sort_unstable();
        names
    }

    fn options(prefix: &str, delimiter: Option<&str>, limit: usize) -> ListOptions {
        ListOptions { prefix: prefix.into(), start_after: None, delimiter: delimiter.map(Into::into), limit }
    }

    #[test]
    fn a_page_stays_in_its_bucket_and_prefix() {
        let mut keys = keys(["a", "b/1", "b/2", "c"]);
        keys.entries.insert(stored("bucket2", "b/3"), Bytes::new());
        keys.entries.insert(stored("bucke0", "b/0"), Bytes::new());
        assert_eq!(names(&keys.page(&options("", None, 10))), ["a", "b/1", "b/2", "c"]);
        assert_eq!(names(&keys.page(&options("b/", None, 10))), ["b/1", "b/2"]);
        assert_eq!(names(&keys.page(&options("b/", Some("/"), 10))), ["b/1", "b/2"]);
        assert_eq!(names(&keys.page(&options("", Some("/"), 10))), ["a", "b/", "c"]);
        assert!(names(&keys.page(&options("", None, 0))).is_empty());
    }

    #[test]
    fn the_next_page_is_announced_only_when_there_is_one() {
        let mut keys = keys(["a", "b/1", "b/2"]);
        let page = keys.page(&options("", Some("/"), 1));
        assert_eq!(page.next_start_after.as_deref(), Some("a"));
        let page = keys.page(&options("", Some("/"), 2));
        assert_eq!((names(&page), page.next_start_after), (vec!["a".into(), "b/".into()], None));
        assert_eq!(keys.page(&options("", None, 3)).next_start_after, None);
    }

    #[test]
    fn rolled_up_keys_are_skipped_not_read() {
        let many: Vec<String> = (0..5000).map(|n| format!("dir{}/{n:05}", n / 2500)).collect();
        let mut keys = keys(many.iter().map(String::as_str));
        assert_eq!(names(&keys.page(&options("", Some("/"), 1000))), ["dir0/", "dir1/"]);
        assert!(keys.read <= 300, "{} entries were read", keys.read);
        let small: Vec<String> = (0..4000).map(|n| format!("dir{:05}/{n}", n / 2)).collect();
        let mut keys = self::keys(small.iter().map(String::as_str));
        assert_eq!(keys.page(&options("", Some("/"), 1000)).common_prefixes.len(), 1000);
        assert!(keys.read <= 2200, "{} entries were read", keys.read);
    }

    /// The listing by its definition.
    fn expected(keys: &[String], options: &ListOptions) -> Vec<String> {
        let mut names: Vec<String> = keys
            .iter()
            .filter(|key| key.starts_with(&options.prefix))
            .map(|key| {
                let rest = &key[options.prefix.len()..];
                match options
                    .delimiter
                    .as_ref()
                    .and_then(|delimiter| Some((rest.find(delimiter)?, delimiter)))
                {
                    Some((at, delimiter)) => key[..options.prefix.len() + at + delimiter.len()].to_owned(),
                    None => key.clone(),
                }
            })
            .filter(|name| options.start_after.as_ref().is_none_or(|after| name > after))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    proptest! {
        #[test]
        fn pages_add_up_to_the_listing(
            names in prop::collection::btree_set("[ab/\u{e9}]{1,6}", 0..40),
            prefix in "[ab/]{0,2}",
            delimiter in prop::option::of(prop_oneof![Just("/"), Just("b/"), Just("a")]),
            start_after in prop::option::of("[ab/]{1,4}"),
            limit in 1usize..5,
        ) {
            let listed: Vec<String> = names.into_iter().collect();
            let mut keys = keys(listed.iter().map(String::as_str));
            let mut options = options(&prefix, delimiter, limit);
            options.start_after = start_after;
            let want = expected(&listed, &options);
            let mut got = Vec::new();
            loop {
                let page = keys.page(&options);
                let entries = self::names(&page);
                prop_assert!(entries.len() <= limit);
                got.extend(entries);
                match page.next_start_after {
                    Some(next) => options.start_after = Some(next),
                    None => break,
                }
            }
            prop_assert_eq!(got, want);
        }
    }
}
