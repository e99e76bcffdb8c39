//! Changes of many objects, by the object core.

use async_trait::async_trait;
use tarn_inventory::batch::{Bulk, Carried, Item, ItemError, TagChange, There};
use tarn_objectcore::ObjectCore;
use tarn_objectcore::name::{BucketName, ObjectKey, ObjectName};
use tarn_objectcore::types::{
    self, CopyOptions, ETag, InvalidTags, PutIf, ReadError, TagError, Tags, WriteError,
};

/// Changes objects of an object core.
pub(crate) struct CoreBulk(pub(crate) ObjectCore);

#[async_trait]
impl Bulk for CoreBulk {
    async fn delete(&self, bucket: &str, key: &str, etag: Option<&str>) -> Result<(), ItemError> {
        let at = name(bucket, key)?;
        let when = etag.map_or(PutIf::Always, |etag| PutIf::Match(ETag(etag.to_owned())));
        match self.0.delete(&at, when).await {
            // It is gone, as it should be.
            Ok(_) | Err(WriteError::Precondition { exists: false }) => Ok(()),
            Err(error) => Err(failure(&error)),
        }
    }

    async fn copy(
        &self,
        from: Item<'_>,
        to: Item<'_>,
        there: There,
        carried: Carried,
    ) -> Result<(), ItemError> {
        let (source, target) = (name(from.bucket, from.key)?, name(to.bucket, to.key)?);
        let etag = from.etag.map(|etag| ETag(etag.to_owned()));
        let when = match there {
            There::Replaced => PutIf::Always,
            There::Kept => PutIf::Absent,
        };
        let tags = match carried {
            Carried::Tags => None,
            Carried::NoTags => {
                self.expect_untagged(&source).await?;
                Some(Tags::default())
            }
        };
        let options = CopyOptions { when, tags, ..CopyOptions::default() };
        match self.0.copy(&source, etag, &target, options).await {
            Ok(_) => Ok(()),
            Err(error) if there == There::Kept && self.is_copied(&source, &target).await => {
                tracing::debug!(%error, "a copy is there already");
                Ok(())
            }
            Err(error) => Err(failure(&error)),
        }
    }

    async fn tag(&self, item: Item<'_>, change: &TagChange) -> Result<(), ItemError> {
        let at = name(item.bucket, item.key)?;
        let change = change_of(change).map_err(|error| tag_failure(&error.into()))?;
        let only = item.etag.map(|etag| ETag(etag.to_owned()));
        self.0.tag(&at, change, only).await.map(drop).map_err(|error| tag_failure(&error))
    }
}

impl CoreBulk {
    async fn expect_untagged(&self, source: &ObjectName) -> Result<(), ItemError> {
        match self.0.head(source).await {
            Ok(found) if !found.attributes.tags.is_empty() => Err(ItemError {
                code: "AccessDenied",
                status: 403,
                message: "the object has tags, which may not be copied".to_owned(),
                may_work_later: false,
            }),
            // Of what is not there the copy tells.
            Ok(_) | Err(ReadError::NoSuchBucket | ReadError::NoSuchKey | ReadError::InvalidRange { .. }) => {
                Ok(())
            }
            Err(ReadError::Storage(error)) => Err(ItemError {
                code: "ServiceUnavailable",
                status: 503,
                message: error.to_string(),
                may_work_later: true,
            }),
        }
    }

    async fn is_copied(&self, source: &ObjectName, target: &ObjectName) -> bool {
        match (self.0.head(source).await, self.0.head(target).await) {
            (Ok(source), Ok(target)) => source.etag == target.etag && source.size == target.size,
            _ => false,
        }
    }
}

fn name(bucket: &str, key: &str) -> Result<ObjectName, ItemError> {
    let invalid =
        |message: String| ItemError { code: "InvalidRequest", status: 400, message, may_work_later: false };
    let bucket = BucketName::new(bucket).map_err(|error| invalid(error.to_string()))?;
    let key = ObjectKey::new(key).map_err(|error| invalid(error.to_string()))?;
    Ok(ObjectName { bucket, key })
}

fn change_of(change: &TagChange) -> Result<types::TagChange, InvalidTags> {
    Ok(match change {
        TagChange::Replace(tags) => types::TagChange::Replace(Tags::new(tags.iter().cloned())?),
        TagChange::Merge(tags) => types::TagChange::Merge(Tags::new(tags.iter().cloned())?),
        TagChange::Remove(keys) => types::TagChange::Remove(keys.iter().cloned().collect()),
    })
}

fn tag_failure(error: &TagError) -> ItemError {
    let (code, status, may_work_later) = match error {
        TagError::NoSuchBucket => ("NoSuchBucket", 404, false),
        TagError::NoSuchKey => ("NoSuchKey", 404, false),
        TagError::Precondition => ("PreconditionFailed", 412, false),
        TagError::Invalid(InvalidTags::TooMany { .. }) => ("BadRequest", 400, false),
        TagError::Invalid(
            InvalidTags::Key(_)
            | InvalidTags::Reserved(_)
            | InvalidTags::Value { .. }
            | InvalidTags::Twice(_),
        ) => ("InvalidTag", 400, false),
        TagError::Storage(_) => ("ServiceUnavailable", 503, true),
    };
    let message = match error {
        TagError::Precondition => "the object was changed meanwhile".to_owned(),
        TagError::Invalid(invalid) => invalid.to_string(),
        TagError::NoSuchBucket | TagError::NoSuchKey | TagError::Storage(_) => error.to_string(),
    };
    ItemError { code, status, message, may_work_later }
}

fn failure(error: &WriteError) -> ItemError {
    let (code, status, may_work_later) = match error {
        WriteError::NoSuchBucket => ("NoSuchBucket", 404, false),
        WriteError::NoSuchSource => ("NoSuchKey", 404, false),
        WriteError::Precondition { .. } => ("PreconditionFailed", 412, false),
        WriteError::Body(_) => ("InternalError", 500, true),
        WriteError::Storage(_) => ("ServiceUnavailable", 503, true),
    };
    let message = match error {
        WriteError::Precondition { .. } => "the object was changed meanwhile, or another is there".to_owned(),
        WriteError::NoSuchBucket
        | WriteError::NoSuchSource
        | WriteError::Body(_)
        | WriteError::Storage(_) => error.to_string(),
    };
    ItemError { code, status, message, may_work_later }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tarn_objectcore::types::{Body, PutOptions};

    use super::*;

    #[tokio::test]
    async fn tags_of_an_object_are_changed_and_of_another_version_are_not() {
        let core = ObjectCore::in_memory(1).await;
        let at = name("photos", "a").unwrap();
        core.create_bucket(&at.bucket).await.unwrap();
        let put = async || {
            let body = Body::from_bytes(Bytes::from_static(b"four"));
            core.put(&at, body, PutOptions::default()).await.unwrap().etag.0
        };
        let etag = put().await;
        let bulk = CoreBulk(core.clone());
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let tag = async |etag, change| bulk.tag(Item { bucket: "photos", key: "a", etag }, &change).await;
        for (change, expected) in [
            (TagChange::Replace(vec![pair("b", "2"), pair("a", "1")]), "a=1 b=2 "),
            (TagChange::Merge(vec![pair("b", "3")]), "a=1 b=3 "),
            (TagChange::Remove(vec!["a".to_owned()]), "b=3 "),
        ] {
            tag(Some(etag.as_str()), change).await.unwrap();
            let tags = core.head(&at).await.unwrap().attributes.tags;
            let told: String = tags.iter().map(|(key, value)| format!("{key}={value} ")).collect();
            assert_eq!(told, expected);
        }
        let refused = |result: Result<(), ItemError>| result.unwrap_err().code;
        let other = Some("0".repeat(32));
        assert_eq!(refused(tag(other.as_deref(), TagChange::Replace(vec![])).await), "PreconditionFailed");
        assert_eq!(refused(tag(None, TagChange::Merge(vec![pair("?", "")])).await), "InvalidTag");
        let many = (0..11).map(|number| pair(&number.to_string(), "")).collect();
        assert_eq!(refused(tag(None, TagChange::Replace(many)).await), "BadRequest");
        let gone =
            bulk.tag(Item { bucket: "photos", key: "b", etag: None }, &TagChange::Remove(vec![])).await;
        assert_eq!(refused(gone), "NoSuchKey");
    }

    #[tokio::test]
    async fn a_copy_has_the_tags_of_its_source_or_is_not_made_of_one_that_has_some() {
        let core = ObjectCore::in_memory(1).await;
        let [plain, tagged, copy] = ["plain", "tagged", "copy"].map(|key| name("photos", key).unwrap());
        core.create_bucket(&copy.bucket).await.unwrap();
        for at in [&plain, &tagged] {
            core.put(at, Body::from_bytes(Bytes::from_static(b"four")), PutOptions::default()).await.unwrap();
        }
        let bulk = CoreBulk(core.clone());
        let item = |key| Item { bucket: "photos", key, etag: None };
        bulk.tag(item("tagged"), &TagChange::Merge(vec![("a".to_owned(), "1".to_owned())])).await.unwrap();
        for (source, carried, expected) in [
            ("tagged", Carried::Tags, Ok(1)),
            ("plain", Carried::NoTags, Ok(0)),
            ("tagged", Carried::NoTags, Err("AccessDenied")),
            ("none", Carried::NoTags, Err("NoSuchKey")),
        ] {
            let copied = bulk.copy(item(source), item("copy"), There::Replaced, carried).await;
            let told = match copied {
                Ok(()) => Ok(core.head(&copy).await.unwrap().attributes.tags.len()),
                Err(error) => Err(error.code),
            };
            assert_eq!(told, expected, "{source} {carried:?}");
        }
    }
}
