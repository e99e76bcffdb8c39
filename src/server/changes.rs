//! What changed in buckets, by the object core.

use async_trait::async_trait;
use tarn_inventory::journal::{Change, ChangeLog, ChangeLogError, Changed, Origin, State};
use tarn_objectcore::name::BucketName;
use tarn_objectcore::types::{BucketError, StorageError};
use tarn_objectcore::{ChangedBy, ObjectCore, ObjectState};

use super::scan::{algorithm, attributes, etag, milliseconds};

/// Tells the changes of an object core.
pub struct CoreChanges(pub ObjectCore);

#[async_trait]
impl ChangeLog for CoreChanges {
    async fn watch(&self, bucket: &str, watch: bool) -> Result<bool, ChangeLogError> {
        let no_such = || ChangeLogError::NoSuchBucket(bucket.to_owned());
        let name = BucketName::new(bucket).map_err(|_| no_such())?;
        self.0.watch(&name, watch).await.map_err(|error| match error {
            BucketError::NoSuchBucket => no_such(),
            BucketError::Exists
            | BucketError::NotEmpty
            | BucketError::TooMany { .. }
            | BucketError::Storage(_) => ChangeLogError::Store(error.into()),
        })
    }

    fn sets(&self) -> usize {
        self.0.sets()
    }

    async fn changes(&self, set: usize, after: u64, limit: usize) -> Result<Vec<Change>, ChangeLogError> {
        let told = self.0.changes(set, after, limit).await.map_err(store)?;
        Ok(told.into_iter().map(change).collect())
    }

    async fn forget(&self, set: usize, through: u64) -> Result<(), ChangeLogError> {
        self.0.forget_changes(set, through).await.map_err(store)
    }
}

fn store(error: StorageError) -> ChangeLogError {
    ChangeLogError::Store(error.into())
}

fn change(told: tarn_objectcore::Change) -> Change {
    use tarn_objectcore::Changed as Told;
    let tarn_objectcore::Change { bucket, key, sequence, at, changed, by } = told;
    let changed = match changed {
        Told::Created(object) => Changed::Created(state(object)),
        Told::Updated(object) => Changed::Updated(state(object)),
        Told::Deleted => Changed::Deleted,
    };
    Change { bucket, key, sequence, at_ms: milliseconds(at), changed, origin: by.map(origin) }
}

fn state(object: ObjectState) -> State {
    let ObjectState { size, modified, tag, checksum, attributes: said } = object;
    State {
        size,
        modified_ms: milliseconds(modified),
        etag: etag(tag),
        checksum: checksum.map(algorithm),
        attributes: attributes(said),
    }
}

fn origin(by: ChangedBy) -> Origin {
    let ChangedBy { requester, address, request } = by;
    let source_ip = address.map(|address| address.to_string()).unwrap_or_default();
    Origin { requester, source_ip, request_id: request }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tarn_inventory::scan::{ObjectScan, Point, ScanOptions};
    use tarn_objectcore::name::{ObjectKey, ObjectName};
    use tarn_objectcore::types::{Attributes, Body, PutIf, PutOptions, TagChange, Tags};
    use tarn_openapi::access::Principal;
    use tarn_openapi::request::RequestId;

    use super::*;
    use crate::server::scan::CoreScan;

    fn at(key: &str) -> ObjectName {
        ObjectName { bucket: BucketName::new("photos").unwrap(), key: ObjectKey::new(key).unwrap() }
    }

    async fn put(core: &ObjectCore, key: &str) {
        let attributes = Attributes {
            content_type: Some("image/png".into()),
            user: [("place".to_owned(), "sea".to_owned())].into(),
            ..Attributes::default()
        };
        let options = PutOptions { attributes, ..PutOptions::default() };
        core.put(&at(key), Body::from_bytes(Bytes::from_static(b"four")), options).await.unwrap();
    }

    async fn check(drives: usize) {
        let core = ObjectCore::in_memory(drives).await;
        let log = CoreChanges(core.clone());
        assert!(matches!(log.watch("photos", true).await, Err(ChangeLogError::NoSuchBucket(_))));
        core.create_bucket(&at("a").bucket).await.unwrap();
        put(&core, "before").await;
        assert!(!log.watch("photos", true).await.unwrap());
        assert!(log.watch("photos", true).await.unwrap());
        let asker = tarn_objectcore::Origin {
            principal: Principal::AccessKey("alice".into()),
            address: Some("192.0.2.1".parse().unwrap()),
            request: Some(RequestId("request-1".into())),
        };
        put(&core.on_behalf(asker), "a").await;
        let tags = Tags::new([("k".to_owned(), "v".to_owned())]).unwrap();
        core.tag(&at("a"), TagChange::Replace(tags), None).await.unwrap();
        core.delete(&at("a"), PutIf::Always).await.unwrap();
        let mut told = Vec::new();
        for set in 0..log.sets() {
            told.extend(log.changes(set, 0, 100).await.unwrap());
        }
        let [created, tagged, deleted] = &told[..] else { panic!("{told:?}") };
        assert_eq!((created.bucket.as_str(), created.key.as_str()), ("photos", "a"));
        let origin = Origin {
            requester: "alice".into(),
            source_ip: "192.0.2.1".into(),
            request_id: "request-1".into(),
        };
        assert_eq!(created.origin, Some(origin));
        let Changed::Created(state) = &created.changed else { panic!("{created:?}") };
        assert_eq!((state.size, state.modified_ms), (4, created.at_ms));
        assert_eq!(state.attributes.content_type.as_deref(), Some("image/png"));
        assert_eq!(state.attributes.user_metadata, [("place".to_owned(), "sea".to_owned())]);
        let Changed::Updated(now) = &tagged.changed else { panic!("{tagged:?}") };
        assert_eq!(now.attributes.tags, [("k".to_owned(), "v".to_owned())]);
        assert_eq!((now.size, now.modified_ms, now.etag), (state.size, state.modified_ms, state.etag));
        assert_eq!((&deleted.changed, &deleted.origin), (&Changed::Deleted, &None));
        assert!(deleted.sequence > created.sequence);
        // A moment says what it holds.
        let options = ScanOptions { point: Point::Consistent, ..ScanOptions::default() };
        let scan = CoreScan(core.clone()).scan("photos", &options).await.unwrap();
        let held = scan.sequences();
        assert_eq!(held.len(), log.sets());
        put(&core, "later").await;
        let later = log.changes(0, held[0], 100).await.unwrap();
        assert_eq!(later.iter().map(|change| change.key.as_str()).collect::<Vec<_>>(), ["later"]);
        log.forget(0, held[0]).await.unwrap();
        assert_eq!(log.changes(0, 0, 100).await.unwrap(), later);
        assert!(log.watch("photos", false).await.unwrap());
        put(&core, "after").await;
        assert_eq!(log.changes(0, 0, 100).await.unwrap(), later);
        core.close().await;
    }

    #[tokio::test]
    async fn what_is_written_while_a_bucket_is_watched_is_told_and_nothing_else() {
        for drives in [1, 4] {
            check(drives).await;
        }
    }
}
