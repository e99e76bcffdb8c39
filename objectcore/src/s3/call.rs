//! One request as an operation sees it.

use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;
use tarn_openapi::access::{Action, Ask, Principal, Resource, Sender};
use tarn_openapi::request::{Authenticated, RequestId};

use crate::ObjectCore;
use crate::journal::Origin;
use crate::name::{BucketName, ObjectName};
use crate::types::NoSuchBucket;

use super::S3Front;
use super::error::S3Error;
use super::inventories::Inventories;
use super::metadata::MetadataTables;
use super::query::Query;
use super::window;

/// The owner of everything, in S3's terms. Tarn has no accounts.
pub(crate) const OWNER_ID: &str = "7461726e00000000000000000000000000000000000000000000000000000000";
/// The owner's name.
pub(crate) const OWNER_NAME: &str = "tarn";

/// A request whose operation is known.
pub(crate) struct Call<'r> {
    front: &'r S3Front,
    core: ObjectCore,
    head: &'r Parts,
    /// The decoded query.
    pub(crate) query: Query<'r>,
}

impl<'r> Call<'r> {
    pub(super) fn new(front: &'r S3Front, head: &'r Parts, query: Query<'r>) -> Self {
        let sender = head.extensions.get::<Sender>();
        let origin = Origin {
            principal: head.extensions.get().cloned().unwrap_or(Principal::Anonymous),
            address: sender.and_then(|sender| sender.address),
            request: head.extensions.get::<RequestId>().cloned(),
        };
        Self { front, core: front.core.on_behalf(origin), head, query }
    }

    /// The store, on behalf of who asks.
    pub(crate) fn core(&self) -> &ObjectCore {
        &self.core
    }

    /// Why the bucket must not be deleted.
    pub(crate) fn holds(&self, bucket: &BucketName) -> Option<String> {
        self.front.uses.holds(bucket)
    }

    /// What keeps definitions of inventories.
    pub(crate) fn inventories(&self) -> &'r dyn Inventories {
        &*self.front.inventories
    }

    /// What keeps tables of what changes in buckets.
    pub(crate) fn metadata(&self) -> Option<&'r Arc<dyn MetadataTables>> {
        self.front.metadata.as_ref()
    }

    /// Who asks.
    pub(crate) fn principal(&self) -> &'r Principal {
        self.head.extensions.get::<Principal>().unwrap_or(&Principal::Anonymous)
    }

    /// Where from and how it asks.
    pub(crate) fn sender(&self) -> Option<&'r Sender> {
        self.head.extensions.get::<Sender>()
    }

    /// The region the server says it is in.
    pub(crate) fn region(&self) -> &'r str {
        &self.front.region
    }

    /// The headers.
    pub(crate) fn headers(&self) -> &'r HeaderMap {
        &self.head.headers
    }

    /// The id of the request, for the log.
    pub(crate) fn request_id(&self) -> &'r str {
        self.head.extensions.get::<RequestId>().map_or("", |id| &id.0)
    }

    /// Whether the request proved who sent it.
    pub(crate) fn is_signed(&self) -> bool {
        match self.head.extensions.get::<Authenticated>() {
            Some(Authenticated::SignedHeader | Authenticated::SignedQuery | Authenticated::Bearer) => true,
            Some(Authenticated::Anonymous) | None => false,
        }
    }

    /// The name that clients have for a bucket: that of the window for what is behind it.
    pub(crate) fn name_of<'b>(&self, bucket: &'b BucketName) -> &'b str
    where
        'r: 'b,
    {
        match &self.front.window {
            Some(window) if bucket.is_system() => window.name.as_str(),
            Some(_) | None => bucket.as_str(),
        }
    }

    /// Refuses what no rule allows.
    pub(crate) fn authorize(&self, ask: Ask<'_>) -> Result<(), S3Error> {
        let window = self.front.window.as_ref().map(|window| window.name.as_str());
        if window.is_some() && ask.resource.bucket() == window && !window::may_look(self.principal()) {
            return Err(S3Error::denied());
        }
        let ask = ask.sent_by(self.sender());
        self.front.authorize.authorize(self.principal(), ask).map_err(|_| S3Error::denied())
    }

    /// [`Call::authorize`] for a bucket.
    pub(crate) fn authorize_bucket(&self, action: Action, bucket: &BucketName) -> Result<(), S3Error> {
        self.authorize(Ask::new(action, Resource::Bucket(self.name_of(bucket))))
    }

    /// [`Call::authorize`] for a listing of a bucket, which is of the names below the query's `prefix`. Rules may
    /// also look at the delimiter and at the most keys asked for.
    pub(crate) fn authorize_listing(&self, action: Action, bucket: &BucketName) -> Result<(), S3Error> {
        let text = |name| self.query.get(name).unwrap_or("");
        let values = [("s3:delimiter", text("delimiter")), ("s3:max-keys", text("max-keys"))];
        let first = usize::from(!self.query.has("delimiter"));
        let last = 1 + usize::from(!values[1].1.is_empty());
        let resource = Resource::Listing(self.name_of(bucket), text("prefix"));
        self.authorize(Ask::new(action, resource).with(&values[first..last]))
    }

    /// [`Call::authorize`] for an object.
    pub(crate) fn authorize_object(&self, action: Action, at: &ObjectName) -> Result<(), S3Error> {
        self.authorize(Ask::new(action, Resource::Object(self.name_of(&at.bucket), at.key.as_str())))
    }

    /// [`Call::authorize_object`] for the version the query names: naming one is a right of its own, also where it
    /// is the only one.
    pub(crate) fn authorize_version(
        &self,
        (latest, named): (Action, Action),
        at: &ObjectName,
    ) -> Result<(), S3Error> {
        let Some(version) = self.query.get("versionId").filter(|version| !version.is_empty()) else {
            return self.authorize_object(latest, at);
        };
        let resource = Resource::Object(self.name_of(&at.bucket), at.key.as_str());
        self.authorize(Ask::new(named, resource).with(&[("s3:VersionId", version)]))
    }

    /// Refuses a bucket that does not exist. Ask only after [`Call::authorize`].
    pub(crate) fn expect_bucket(&self, bucket: &BucketName) -> Result<(), S3Error> {
        match self.core().bucket(bucket) {
            Some(_) => Ok(()),
            None => Err(NoSuchBucket.into()),
        }
    }

    /// Refuses a version other than `null`: nothing here has another.
    pub(crate) fn expect_null_version(&self) -> Result<(), S3Error> {
        match self.query.get("versionId") {
            None | Some("null" | "") => Ok(()),
            Some(_) => Err(S3Error::no_such_version()),
        }
    }

    /// Whether keys are to be answered URL-encoded.
    pub(crate) fn url_encoding(&self) -> Result<Encoding, S3Error> {
        match self.query.get("encoding-type") {
            None | Some("") => Ok(Encoding::Plain),
            Some("url") => Ok(Encoding::Url),
            Some(other) => {
                Err(S3Error::argument("encoding-type", other, "Invalid Encoding Method specified in Request"))
            }
        }
    }
}

/// How keys are written in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As they are.
    Plain,
    /// URL-encoded (`encoding-type=url`).
    Url,
}
