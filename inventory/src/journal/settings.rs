//! Which buckets have a journal, and how: documents of the catalog's log.

use serde::{Deserialize, Serialize};
use tarn_catalog::Catalog;
use uuid::Uuid;

use crate::jobs::Author;

/// The kind of the documents; their ids are the buckets.
pub(super) const KIND: &str = "journal";
/// Days after which rows of a journal may go at the earliest, as S3 has it.
const EXPIRATION_DAYS_MIN: u32 = 7;
/// And at the latest.
const EXPIRATION_DAYS_MAX: u32 = i32::MAX as u32;

/// The journal of a bucket, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// The bucket.
    pub bucket: String,
    /// Rows older than so many days go; `None`: they stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_expiration_days: Option<u32>,
    /// Whether there is a table of the objects there are, too.
    pub inventory: bool,
    /// Who made it.
    pub author: Author,
    /// Tells it from one that was deleted before.
    pub epoch: Uuid,
    /// Counts how often the inventory was asked to begin anew.
    #[serde(default)]
    pub backfills: u64,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last changed.
    pub changed_ms: i64,
}

/// A journal to put.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewJournal {
    /// Rows older than so many days go: 7 to 2,147,483,647. `None`: they stay.
    #[serde(default)]
    pub record_expiration_days: Option<u32>,
    /// Whether there shall be a table of the objects there are, too.
    #[serde(default)]
    pub inventory: bool,
}

/// What a journal may not be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJournal {
    /// The days are out of their limits.
    #[error("record_expiration_days: {0} days; {EXPIRATION_DAYS_MIN} to {EXPIRATION_DAYS_MAX} are allowed")]
    Expiration(u32),
    /// The bucket cannot have one.
    #[error("bucket '{0}' cannot have a journal: tables of journals lie in it")]
    Bucket(String),
}

impl NewJournal {
    pub(super) fn check(&self, bucket: &str) -> Result<(), InvalidJournal> {
        // A journal of the bucket that journals lie in would write without end.
        if bucket == crate::system::WAREHOUSE {
            return Err(InvalidJournal::Bucket(bucket.to_owned()));
        }
        match self.record_expiration_days {
            Some(days) if !(EXPIRATION_DAYS_MIN..=EXPIRATION_DAYS_MAX).contains(&days) => {
                Err(InvalidJournal::Expiration(days))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The journal this makes of the one before.
    pub(super) fn over(
        self,
        bucket: &str,
        before: Option<&Journal>,
        author: Author,
        (epoch, now_ms): (Uuid, i64),
    ) -> Journal {
        let mut made = Journal {
            bucket: bucket.to_owned(),
            record_expiration_days: self.record_expiration_days,
            inventory: self.inventory,
            author,
            epoch: before.map_or(epoch, |before| before.epoch),
            backfills: before.map_or(0, |before| before.backfills),
            created_ms: before.map_or(now_ms, |before| before.created_ms),
            changed_ms: before.map_or(now_ms, |before| before.changed_ms),
        };
        if let Some(before) = before
            && made != *before
        {
            made.changed_ms = now_ms;
            // What was not followed while it was off is told by a scan.
            made.backfills += u64::from(made.inventory && !before.inventory);
        }
        made
    }
}

impl Journal {
    /// Names the backfill that the inventory is to have.
    pub(super) fn backfill(&self) -> String {
        format!("{}/{}", self.epoch, self.backfills)
    }
}

/// The journal of a bucket and the revision of its document.
pub(super) fn read(catalog: &Catalog, bucket: &str) -> Option<(Journal, u64)> {
    let document = catalog.get_document(KIND, bucket)?;
    match serde_json::from_str(&document.json) {
        Ok(journal) => Some((journal, document.revision)),
        Err(error) => {
            tracing::error!(bucket, %error, "the settings of a journal cannot be read");
            None
        }
    }
}

/// All journals in order of their buckets; `None`: one cannot be read.
pub(super) fn all(catalog: &Catalog) -> Option<Vec<Journal>> {
    let documents = catalog.list_documents(KIND);
    documents.iter().map(|(bucket, _)| read(catalog, bucket).map(|(journal, _)| journal)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author() -> Author {
        Author { key: None, fingerprint: None }
    }

    #[test]
    fn limits_are_those_of_s3() {
        let days = |days| NewJournal { record_expiration_days: Some(days), inventory: false };
        assert!(days(7).check("photos").is_ok() && days(2_147_483_647).check("photos").is_ok());
        let refused = days(6).check("photos").unwrap_err().to_string();
        assert_eq!(refused, "record_expiration_days: 6 days; 7 to 2147483647 are allowed");
        assert!(NewJournal::default().check("system").is_err());
    }

    #[test]
    fn an_inventory_that_was_off_is_filled_anew_and_a_journal_put_again_stays_the_same() {
        let put = |inventory, before: Option<&Journal>, at| {
            let new = NewJournal { record_expiration_days: None, inventory };
            new.over("photos", before, author(), (Uuid::from_u128(at), at as i64))
        };
        let first = put(true, None, 1);
        assert_eq!(put(true, Some(&first), 2), first);
        let off = put(false, Some(&first), 3);
        let on = put(true, Some(&off), 4);
        assert_eq!((on.epoch, on.changed_ms, on.created_ms), (first.epoch, 4, 1));
        assert_ne!(on.backfill(), first.backfill());
    }
}
