//! Put: take the body in, make it durable, commit.

use std::sync::Arc;

use super::key;
use super::publish::Durable;
use super::receive::{Content, Hashing, Terms, receive};
use super::value::{Head, Object, Tag, Tail};
use crate::bucket::BucketState;
use crate::core::{ObjectCore, Set, now};
use crate::erasure::layout::BlobId;
use crate::journal::Making;
use crate::memory::write_bytes;
use crate::name::ObjectName;
use crate::set::{Draft, Op, Space};
use crate::types::{Attributes, Body, PutIf, PutOptions, Tagging, WriteError, Written};

impl ObjectCore {
    /// Puts an object. It is durable when this returns.
    pub async fn put(&self, at: &ObjectName, body: Body, options: PutOptions) -> Result<Written, WriteError> {
        let bucket = self.live_bucket(&at.bucket).map_err(|_| WriteError::NoSuchBucket)?;
        let set = Arc::clone(self.set_of(at));
        options.attributes.check()?;
        self.weigh_early(&set, at, &options.when).await?;
        let terms = Terms {
            inline_bytes_max: Some(self.inner.settings.inline_bytes_max),
            bytes_max: self.inner.settings.body_bytes_max,
            size: options.size,
            md5: options.content_md5,
            hashing: match (options.tagging, options.content_md5) {
                (Tagging::Md5, _) | (Tagging::Version, Some(_)) => Hashing::Md5,
                (Tagging::Version, None) => Hashing::None,
            },
        };
        let coding = set.log.coding();
        let share = self.admit(write_bytes(&coding, terms.size, terms.inline_bytes_max)).await?;
        let content = receive(&set, body, &terms).await?;
        let (core, at) = (self.clone(), at.clone());
        let PutOptions { when, attributes, tagging, .. } = options;
        self.to_the_end(async move {
            let _held = share;
            core.publish(set, bucket, at, content, (when, attributes, tagging)).await
        })
        .await?
    }

    /// Refuses before the body is taken in what would be refused after it. The commit decides.
    async fn weigh_early(&self, set: &Set, at: &ObjectName, when: &PutIf) -> Result<(), WriteError> {
        let wanted = match when {
            PutIf::Always | PutIf::Match(_) => return Ok(()),
            PutIf::Absent => false,
            PutIf::Exists => true,
        };
        let exists = set.log.entry(Space::Object, &key::object(at)).await?.is_some();
        if exists == wanted { Ok(()) } else { Err(WriteError::Precondition { exists }) }
    }

    async fn publish(
        &self,
        set: Arc<Set>,
        bucket: Arc<BucketState>,
        at: ObjectName,
        content: Content,
        (when, attributes, tagging): (PutIf, Attributes, Tagging),
    ) -> Result<Written, WriteError> {
        let Durable { stored, inline, short, writing: _writing } =
            self.make_durable(&set, content.kept, 0).await?;
        let version = BlobId::random();
        let object = Object {
            head: Head {
                size: content.size,
                modified: now(),
                tag: match tagging {
                    Tagging::Md5 => Tag::Md5(content.md5),
                    Tagging::Version => Tag::Version(version.0),
                },
                checksum: content.checksum,
            },
            tail: Tail { version, stored, attributes },
        };
        let key = key::object(&at);
        let put = Op::Put { space: Space::Object, key: key.clone(), value: object.encode().into() };
        let draft = Draft { ops: vec![put], expect: Vec::new(), inline };
        match self.commit_object(&set, &bucket, (&key, &when), draft, Making::Created(&object)).await {
            Ok(committed) => {
                self.condemn_entry(&set, committed.replaced.first().and_then(Option::as_ref));
                if short {
                    self.inner.healer.repairs.push(set.number, Space::Object, key);
                }
                Ok(object.head.written())
            }
            Err(refused) => {
                self.condemn_refused(&set, version, &object.tail.stored, &refused);
                Err(refused.into())
            }
        }
    }
}

impl Head {
    pub(crate) fn written(self) -> Written {
        Written { etag: self.tag.text(), size: self.size, modified: self.modified, checksum: self.checksum }
    }
}
