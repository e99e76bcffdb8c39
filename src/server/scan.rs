//! Scans of buckets, by the object core.

use std::sync::Arc;

use async_trait::async_trait;
use tarn_inventory::scan::{
    ChecksumAlgorithm, Depth, ETag, ObjectAttributes, ObjectScan, Objects, Point, Scan, ScanError,
    ScanOptions,
};
use tarn_objectcore::name::BucketName;
use tarn_objectcore::types::{self, Attributes};
use tarn_objectcore::{BucketScan, ObjectCore, ScanDepth, ScanRows, ScanTag};

/// Scans the buckets of an object core.
pub struct CoreScan(pub ObjectCore);

struct Running(BucketScan);

#[async_trait]
impl ObjectScan for CoreScan {
    async fn scan(&self, bucket: &str, options: &ScanOptions) -> Result<Box<dyn Scan>, ScanError> {
        let no_such = || ScanError::NoSuchBucket(bucket.to_owned());
        let name = BucketName::new(bucket).map_err(|_| no_such())?;
        self.0.bucket(&name).ok_or_else(no_such)?;
        let moment = match options.point {
            Point::Running => None,
            Point::Consistent => {
                Some(Arc::new(self.0.moment().await.map_err(|error| ScanError::Store(error.into()))?))
            }
        };
        let options = tarn_objectcore::ScanOptions {
            prefix: options.prefix.clone(),
            after: options.after.clone(),
            through: options.through.clone(),
            moment,
            depth: match options.depth {
                Depth::Listing => ScanDepth::Listing,
                Depth::Attributes => ScanDepth::Attributes,
            },
        };
        let scan = self.0.scan(&name, &options).map_err(|error| scan_error(bucket, error))?;
        Ok(Box::new(Running(scan)))
    }
}

#[async_trait]
impl Scan for Running {
    async fn next(&mut self) -> Result<Option<Objects>, ScanError> {
        let rows = self.0.next().await.map_err(|error| scan_error("", error))?;
        Ok(rows.map(objects))
    }

    fn began_ms(&self) -> i64 {
        milliseconds(self.0.began())
    }

    fn sequences(&self) -> Vec<u64> {
        self.0.sequences().to_vec()
    }
}

pub(super) fn milliseconds(at: types::Millis) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

fn scan_error(bucket: &str, error: tarn_objectcore::ScanError) -> ScanError {
    use tarn_objectcore::ScanError as Failed;
    match error {
        Failed::NoSuchBucket(_) => ScanError::NoSuchBucket(bucket.to_owned()),
        Failed::Expired { .. } | Failed::Lost | Failed::Over | Failed::Storage(_) => {
            ScanError::Store(error.into())
        }
    }
}

fn objects(rows: ScanRows) -> Objects {
    Objects {
        keys: rows.keys,
        key_ends: rows.key_ends,
        sizes: rows.sizes,
        modified_ms: rows.modified_ms,
        etags: rows.tags.into_iter().map(etag).collect(),
        checksums: rows.checksums.into_iter().map(|checksum| checksum.map(algorithm)).collect(),
        attributes: rows.attributes.into_iter().map(attributes).collect(),
    }
}

pub(super) fn etag(ScanTag { digest, parts, is_multipart }: ScanTag) -> ETag {
    ETag { digest, parts, is_multipart }
}

pub(super) fn algorithm(algorithm: types::ChecksumAlgorithm) -> ChecksumAlgorithm {
    match algorithm {
        types::ChecksumAlgorithm::Crc32 => ChecksumAlgorithm::Crc32,
        types::ChecksumAlgorithm::Crc32c => ChecksumAlgorithm::Crc32c,
        types::ChecksumAlgorithm::Crc64Nvme => ChecksumAlgorithm::Crc64Nvme,
        types::ChecksumAlgorithm::Sha1 => ChecksumAlgorithm::Sha1,
        types::ChecksumAlgorithm::Sha256 => ChecksumAlgorithm::Sha256,
    }
}

pub(super) fn attributes(attributes: Attributes) -> ObjectAttributes {
    ObjectAttributes {
        content_type: attributes.content_type,
        user_metadata: attributes.user.into_iter().collect(),
        tags: attributes.tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tarn_objectcore::name::{ObjectKey, ObjectName};
    use tarn_objectcore::types::{Body, PutOptions, Tags};

    use super::*;

    #[tokio::test]
    async fn objects_are_told_as_they_were_put() {
        let core = ObjectCore::in_memory(1).await;
        let bucket = BucketName::new("photos").unwrap();
        core.create_bucket(&bucket).await.unwrap();
        for key in ["b", "a"] {
            let at = ObjectName { bucket: bucket.clone(), key: ObjectKey::new(key).unwrap() };
            let attributes = Attributes {
                content_type: Some("image/png".into()),
                user: [("place".to_owned(), "sea".to_owned())].into(),
                tags: Tags::new([("k".to_owned(), "v".to_owned())]).unwrap(),
                ..Attributes::default()
            };
            let options = PutOptions { attributes, ..PutOptions::default() };
            core.put(&at, Body::from_bytes(Bytes::from_static(b"four")), options).await.unwrap();
        }
        let scans = CoreScan(core);
        for point in [Point::Running, Point::Consistent] {
            let options = ScanOptions { point, depth: Depth::Attributes, ..ScanOptions::default() };
            let mut scan = scans.scan("photos", &options).await.unwrap();
            let objects = scan.next().await.unwrap().unwrap();
            assert_eq!((objects.len(), objects.key(0), objects.key(1)), (2, "a", "b"));
            assert_eq!(objects.sizes, [4, 4]);
            assert_eq!(objects.attributes[1].content_type.as_deref(), Some("image/png"));
            assert_eq!(objects.attributes[0].user_metadata, [("place".to_owned(), "sea".to_owned())]);
            assert_eq!(objects.attributes[0].tags, [("k".to_owned(), "v".to_owned())]);
            assert_eq!(scan.next().await.unwrap(), None);
            assert!(objects.modified_ms[0] <= scan.began_ms());
        }
        let refused = scans.scan("nowhere", &ScanOptions::default()).await.err().unwrap();
        assert!(matches!(refused, ScanError::NoSuchBucket(bucket) if bucket == "nowhere"));
    }
}
