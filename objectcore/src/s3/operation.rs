//! Which operation of S3 a request is.
//!
//! - O1: a sub-resource that Tarn does not know how to serve is refused by name. It never falls
//!   through to the plain operation: `PUT ?retention` must not overwrite the object.

use http::{HeaderMap, Method};

use crate::name::{BucketName, ObjectName};
use crate::types::UploadId;

use super::error::{Code, S3Error};
use super::headers;
use super::inventories::InventoryFace;
use super::query::Query;
use super::range;
use super::target::Target;

/// An operation and what it is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    /// `GET /`
    ListBuckets,
    /// On a bucket.
    Bucket(BucketName, BucketOperation),
    /// On an object.
    Object(ObjectName, ObjectOperation),
}

/// An operation on a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BucketOperation {
    Create,
    Delete,
    Head,
    List,
    ListV2,
    ListVersions,
    ListUploads,
    DeleteObjects,
    PutAcl,
    Inventory(InventoryFace, InventoryOperation),
    Metadata(MetadataOperation),
    ReadSetting(Setting),
    /// Deletes a setting that never was: nothing to do.
    ClearSetting(Setting),
}

/// An operation on the inventories of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InventoryOperation {
    Put,
    Get,
    List,
    Delete,
    /// AIStor: a definition to begin with.
    Template,
    /// AIStor: how it stands.
    Status,
}

/// An operation on the metadata tables of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetadataOperation {
    Create,
    Get,
    Delete,
    UpdateJournal,
    UpdateInventory,
    /// By the first API of these tables, which knew only the journal.
    CreateOlder,
    GetOlder,
    DeleteOlder,
}

/// An operation on an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ObjectOperation {
    Get,
    Head,
    Put,
    Copy,
    Delete,
    Attributes,
    GetAcl,
    PutAcl,
    GetTagging,
    PutTagging,
    ClearTagging,
    GetLock,
    CreateUpload,
    UploadPart(UploadId, u16),
    UploadPartCopy(UploadId, u16),
    Complete(UploadId),
    Abort(UploadId),
    ListParts(UploadId),
}

/// A setting of a bucket that clients read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    Accelerate,
    Acl,
    Analytics,
    Cors,
    Encryption,
    IntelligentTiering,
    Lifecycle,
    Location,
    Logging,
    Metrics,
    Notification,
    ObjectLock,
    OwnershipControls,
    Policy,
    PolicyStatus,
    PublicAccessBlock,
    Replication,
    RequestPayment,
    Tagging,
    Versioning,
    Website,
}

const SETTINGS: [(&str, Setting); 21] = [
    ("accelerate", Setting::Accelerate),
    ("acl", Setting::Acl),
    ("analytics", Setting::Analytics),
    ("cors", Setting::Cors),
    ("encryption", Setting::Encryption),
    ("intelligent-tiering", Setting::IntelligentTiering),
    ("lifecycle", Setting::Lifecycle),
    ("location", Setting::Location),
    ("logging", Setting::Logging),
    ("metrics", Setting::Metrics),
    ("notification", Setting::Notification),
    ("object-lock", Setting::ObjectLock),
    ("ownershipControls", Setting::OwnershipControls),
    ("policy", Setting::Policy),
    ("policyStatus", Setting::PolicyStatus),
    ("publicAccessBlock", Setting::PublicAccessBlock),
    ("replication", Setting::Replication),
    ("requestPayment", Setting::RequestPayment),
    ("tagging", Setting::Tagging),
    ("versioning", Setting::Versioning),
    ("website", Setting::Website),
];

/// The sub-resources of a bucket's metadata tables.
const METADATA: [&str; 4] =
    ["metadataConfiguration", "metadataInventoryTable", "metadataJournalTable", "metadataTable"];

/// Sub-resources of S3 that are refused whatever the method (O1).
const REFUSED: [&str; 8] = [
    "abac",
    "annotation",
    "metadataAnnotationTable",
    "renameObject",
    "restore",
    "select",
    "session",
    "torrent",
];

impl Operation {
    /// Reads what the request asks for.
    pub(crate) fn parse(
        method: &Method,
        target: Target,
        query: &Query<'_>,
        headers: &HeaderMap,
    ) -> Result<Self, S3Error> {
        if let Some(refused) = query.names().find(|name| REFUSED.contains(name)) {
            return Err(S3Error::not_implemented(format!("The sub-resource {refused} is not implemented.")));
        }
        match target {
            Target::Server if method == Method::GET => Ok(Operation::ListBuckets),
            Target::Server => Err(method_not_allowed(method)),
            Target::Bucket(bucket) => Ok(Operation::Bucket(bucket, on_bucket(method, query)?)),
            Target::Object(object) => Ok(Operation::Object(object, on_object(method, query, headers)?)),
        }
    }

    /// S3's name of the operation, for metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Operation::ListBuckets => "ListBuckets",
            Operation::Bucket(_, operation) => match operation {
                BucketOperation::Create => "CreateBucket",
                BucketOperation::Delete => "DeleteBucket",
                BucketOperation::Head => "HeadBucket",
                BucketOperation::List => "ListObjects",
                BucketOperation::ListV2 => "ListObjectsV2",
                BucketOperation::ListVersions => "ListObjectVersions",
                BucketOperation::ListUploads => "ListMultipartUploads",
                BucketOperation::DeleteObjects => "DeleteObjects",
                BucketOperation::PutAcl => "PutBucketAcl",
                BucketOperation::Inventory(_, operation) => match operation {
                    InventoryOperation::Put => "PutBucketInventoryConfiguration",
                    InventoryOperation::Get => "GetBucketInventoryConfiguration",
                    InventoryOperation::List => "ListBucketInventoryConfigurations",
                    InventoryOperation::Delete => "DeleteBucketInventoryConfiguration",
                    InventoryOperation::Template => "GenerateBucketInventoryConfiguration",
                    InventoryOperation::Status => "GetBucketInventoryStatus",
                },
                BucketOperation::Metadata(operation) => match operation {
                    MetadataOperation::Create => "CreateBucketMetadataConfiguration",
                    MetadataOperation::Get => "GetBucketMetadataConfiguration",
                    MetadataOperation::Delete => "DeleteBucketMetadataConfiguration",
                    MetadataOperation::UpdateJournal => "UpdateBucketMetadataJournalTableConfiguration",
                    MetadataOperation::UpdateInventory => "UpdateBucketMetadataInventoryTableConfiguration",
                    MetadataOperation::CreateOlder => "CreateBucketMetadataTableConfiguration",
                    MetadataOperation::GetOlder => "GetBucketMetadataTableConfiguration",
                    MetadataOperation::DeleteOlder => "DeleteBucketMetadataTableConfiguration",
                },
                BucketOperation::ReadSetting(_) => "GetBucketSetting",
                BucketOperation::ClearSetting(_) => "DeleteBucketSetting",
            },
            Operation::Object(_, operation) => match operation {
                ObjectOperation::Get => "GetObject",
                ObjectOperation::Head => "HeadObject",
                ObjectOperation::Put => "PutObject",
                ObjectOperation::Copy => "CopyObject",
                ObjectOperation::Delete => "DeleteObject",
                ObjectOperation::Attributes => "GetObjectAttributes",
                ObjectOperation::GetAcl => "GetObjectAcl",
                ObjectOperation::PutAcl => "PutObjectAcl",
                ObjectOperation::GetTagging => "GetObjectTagging",
                ObjectOperation::PutTagging => "PutObjectTagging",
                ObjectOperation::ClearTagging => "DeleteObjectTagging",
                ObjectOperation::GetLock => "GetObjectLock",
                ObjectOperation::CreateUpload => "CreateMultipartUpload",
                ObjectOperation::UploadPart(..) => "UploadPart",
                ObjectOperation::UploadPartCopy(..) => "UploadPartCopy",
                ObjectOperation::Complete(_) => "CompleteMultipartUpload",
                ObjectOperation::Abort(_) => "AbortMultipartUpload",
                ObjectOperation::ListParts(_) => "ListParts",
            },
        }
    }
}

fn on_bucket(method: &Method, query: &Query<'_>) -> Result<BucketOperation, S3Error> {
    for (name, face) in [("inventory", InventoryFace::Aws), ("minio-inventory", InventoryFace::Aistor)] {
        if query.has(name) {
            return Ok(BucketOperation::Inventory(face, on_inventory(method, query, face)?));
        }
    }
    if let Some(name) = METADATA.into_iter().find(|name| query.has(name)) {
        return Ok(BucketOperation::Metadata(on_metadata(method, name)?));
    }
    let setting = SETTINGS.iter().find(|(name, _)| query.has(name)).copied();
    match (method, setting) {
        (&Method::GET, Some((_, setting))) => Ok(BucketOperation::ReadSetting(setting)),
        (&Method::PUT, Some((_, Setting::Acl))) => Ok(BucketOperation::PutAcl),
        (&Method::DELETE, Some((_, Setting::Acl | Setting::Location | Setting::Versioning))) => {
            Err(method_not_allowed(method))
        }
        (&Method::DELETE, Some((_, setting))) => Ok(BucketOperation::ClearSetting(setting)),
        (_, Some((name, _))) => {
            Err(S3Error::not_implemented(format!("Changing the bucket setting {name} is not implemented.")))
        }
        (&Method::GET, None) if query.has("uploads") => Ok(BucketOperation::ListUploads),
        (&Method::GET, None) if query.has("versions") => Ok(BucketOperation::ListVersions),
        (&Method::GET, None) => match query.get("list-type") {
            Some("2") => Ok(BucketOperation::ListV2),
            None | Some("1" | "") => Ok(BucketOperation::List),
            Some(other) => {
                Err(S3Error::argument("list-type", other, "Invalid List Type specified in Request"))
            }
        },
        (&Method::HEAD, None) => Ok(BucketOperation::Head),
        (&Method::PUT, None) => Ok(BucketOperation::Create),
        (&Method::DELETE, None) => Ok(BucketOperation::Delete),
        (&Method::POST, None) if query.has("delete") => Ok(BucketOperation::DeleteObjects),
        (&Method::POST, None) => Err(S3Error::not_implemented("Uploads by HTML form are not implemented.")),
        (_, None) => Err(method_not_allowed(method)),
    }
}

fn on_inventory(
    method: &Method,
    query: &Query<'_>,
    face: InventoryFace,
) -> Result<InventoryOperation, S3Error> {
    let has = |name| face == InventoryFace::Aistor && query.has(name);
    match *method {
        Method::GET if has("generate") => Ok(InventoryOperation::Template),
        Method::GET if has("status") => Ok(InventoryOperation::Status),
        Method::GET if query.has("id") => Ok(InventoryOperation::Get),
        Method::GET => Ok(InventoryOperation::List),
        Method::PUT => Ok(InventoryOperation::Put),
        Method::DELETE => Ok(InventoryOperation::Delete),
        _ => Err(method_not_allowed(method)),
    }
}

fn on_metadata(method: &Method, name: &str) -> Result<MetadataOperation, S3Error> {
    match (method, name) {
        (&Method::POST, "metadataConfiguration") => Ok(MetadataOperation::Create),
        (&Method::GET, "metadataConfiguration") => Ok(MetadataOperation::Get),
        (&Method::DELETE, "metadataConfiguration") => Ok(MetadataOperation::Delete),
        (&Method::PUT, "metadataJournalTable") => Ok(MetadataOperation::UpdateJournal),
        (&Method::PUT, "metadataInventoryTable") => Ok(MetadataOperation::UpdateInventory),
        (&Method::POST, "metadataTable") => Ok(MetadataOperation::CreateOlder),
        (&Method::GET, "metadataTable") => Ok(MetadataOperation::GetOlder),
        (&Method::DELETE, "metadataTable") => Ok(MetadataOperation::DeleteOlder),
        _ => Err(method_not_allowed(method)),
    }
}

fn on_object(method: &Method, query: &Query<'_>, headers: &HeaderMap) -> Result<ObjectOperation, S3Error> {
    if METADATA.into_iter().any(|name| query.has(name)) {
        return Err(method_not_allowed(method));
    }
    if let Some(name) = ["acl", "tagging", "retention", "legal-hold", "attributes", "encryption"]
        .into_iter()
        .find(|name| query.has(name))
    {
        return on_subresource(method, name);
    }
    let copy = headers.contains_key(headers::COPY_SOURCE);
    let upload = query.get("uploadId").map(upload_id).transpose()?;
    match (method, upload) {
        (&Method::GET, None) => Ok(ObjectOperation::Get),
        (&Method::HEAD, None) => Ok(ObjectOperation::Head),
        (&Method::PUT, None) if query.has("partNumber") => {
            Err(S3Error::argument("uploadId", "", "This operation needs an uploadId beside the partNumber."))
        }
        (&Method::PUT, None) if query.has("uploads") => Err(method_not_allowed(method)),
        (&Method::PUT, None) if copy => Ok(ObjectOperation::Copy),
        (&Method::PUT, None) => Ok(ObjectOperation::Put),
        (&Method::DELETE, None) if query.has("uploads") => Err(method_not_allowed(method)),
        (&Method::DELETE, None) => Ok(ObjectOperation::Delete),
        (&Method::POST, None) if query.has("uploads") => Ok(ObjectOperation::CreateUpload),
        (&Method::GET, Some(upload)) => Ok(ObjectOperation::ListParts(upload)),
        (&Method::PUT, Some(upload)) => {
            let number = range::part_number(query.get("partNumber").unwrap_or(""))?;
            Ok(if copy {
                ObjectOperation::UploadPartCopy(upload, number)
            } else {
                ObjectOperation::UploadPart(upload, number)
            })
        }
        (&Method::POST, Some(upload)) => Ok(ObjectOperation::Complete(upload)),
        (&Method::DELETE, Some(upload)) => Ok(ObjectOperation::Abort(upload)),
        (_, None | Some(_)) => Err(method_not_allowed(method)),
    }
}

fn on_subresource(method: &Method, name: &'static str) -> Result<ObjectOperation, S3Error> {
    match (method, name) {
        (&Method::GET, "acl") => Ok(ObjectOperation::GetAcl),
        (&Method::PUT, "acl") => Ok(ObjectOperation::PutAcl),
        (&Method::GET, "tagging") => Ok(ObjectOperation::GetTagging),
        (&Method::PUT, "tagging") => Ok(ObjectOperation::PutTagging),
        (&Method::DELETE, "tagging") => Ok(ObjectOperation::ClearTagging),
        (&Method::GET, "retention" | "legal-hold") => Ok(ObjectOperation::GetLock),
        (&Method::GET, "attributes") => Ok(ObjectOperation::Attributes),
        (&Method::PUT, _) => {
            Err(S3Error::not_implemented(format!("Changing the {name} of an object is not implemented.")))
        }
        _ => Err(method_not_allowed(method)),
    }
}

fn upload_id(text: &str) -> Result<UploadId, S3Error> {
    let plain = (1..=200).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
    if plain {
        return Ok(UploadId(text.to_owned()));
    }
    Err(S3Error::from(crate::types::UploadError::NoSuchUpload))
}

fn method_not_allowed(method: &Method) -> S3Error {
    S3Error::new(Code::MethodNotAllowed, "The specified method is not allowed against this resource.")
        .with("Method", method.as_str())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn parse(method: &str, uri: &str) -> Result<Operation, Code> {
        parse_with(method, uri, HeaderMap::new())
    }

    fn parse_with(method: &str, uri: &str, headers: HeaderMap) -> Result<Operation, Code> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
        let operation = || {
            let target = Target::parse(None, path, &[])?;
            Operation::parse(&method, target, &Query::parse(query)?, &headers)
        };
        operation().map_err(|error| error.code)
    }

    fn name(method: &str, uri: &str) -> Result<&'static str, Code> {
        parse(method, uri).map(|operation| operation.name())
    }

    #[test]
    fn requests_are_the_operations_of_s3() {
        for (method, uri, expected) in [
            ("GET", "/", "ListBuckets"),
            ("GET", "/?x-id=ListBuckets", "ListBuckets"),
            ("PUT", "/abc", "CreateBucket"),
            ("PUT", "/abc/", "CreateBucket"),
            ("HEAD", "/abc", "HeadBucket"),
            ("DELETE", "/abc", "DeleteBucket"),
            ("GET", "/abc", "ListObjects"),
            ("GET", "/abc?list-type=2&prefix=a", "ListObjectsV2"),
            ("GET", "/abc?versions", "ListObjectVersions"),
            ("GET", "/abc?uploads", "ListMultipartUploads"),
            ("GET", "/abc?location", "GetBucketSetting"),
            ("PUT", "/abc?inventory&id=a", "PutBucketInventoryConfiguration"),
            (
                "GET",
                "/abc?inventory&id=a&x-id=GetBucketInventoryConfiguration",
                "GetBucketInventoryConfiguration",
            ),
            ("GET", "/abc?inventory&continuation-token=a", "ListBucketInventoryConfigurations"),
            ("GET", "/abc?inventory&generate", "ListBucketInventoryConfigurations"),
            ("DELETE", "/abc?inventory&id=a", "DeleteBucketInventoryConfiguration"),
            ("GET", "/abc?minio-inventory&generate&id=a", "GenerateBucketInventoryConfiguration"),
            ("GET", "/abc?minio-inventory&id=a&status", "GetBucketInventoryStatus"),
            ("POST", "/abc?metadataConfiguration", "CreateBucketMetadataConfiguration"),
            ("GET", "/abc?metadataConfiguration", "GetBucketMetadataConfiguration"),
            ("DELETE", "/abc?metadataConfiguration", "DeleteBucketMetadataConfiguration"),
            ("PUT", "/abc?metadataJournalTable", "UpdateBucketMetadataJournalTableConfiguration"),
            ("PUT", "/abc?metadataInventoryTable", "UpdateBucketMetadataInventoryTableConfiguration"),
            ("POST", "/abc?metadataTable", "CreateBucketMetadataTableConfiguration"),
            ("GET", "/abc?metadataTable", "GetBucketMetadataTableConfiguration"),
            ("DELETE", "/abc?metadataTable", "DeleteBucketMetadataTableConfiguration"),
            ("PUT", "/abc?acl", "PutBucketAcl"),
            ("DELETE", "/abc?policy", "DeleteBucketSetting"),
            ("POST", "/abc?delete", "DeleteObjects"),
            ("GET", "/abc/k", "GetObject"),
            ("GET", "/abc/k?x-id=GetObject&partNumber=1", "GetObject"),
            ("HEAD", "/abc/k", "HeadObject"),
            ("PUT", "/abc/k?x-id=PutObject", "PutObject"),
            ("DELETE", "/abc/k", "DeleteObject"),
            ("GET", "/abc/k?attributes", "GetObjectAttributes"),
            ("POST", "/abc/k?uploads", "CreateMultipartUpload"),
            ("PUT", "/abc/k?uploadId=1&partNumber=2", "UploadPart"),
            ("POST", "/abc/k?uploadId=1", "CompleteMultipartUpload"),
            ("DELETE", "/abc/k?uploadId=1", "AbortMultipartUpload"),
            ("GET", "/abc/k?uploadId=1", "ListParts"),
            ("GET", "/abc/k?tagging", "GetObjectTagging"),
            ("PUT", "/abc/k?tagging", "PutObjectTagging"),
            ("DELETE", "/abc/k?tagging", "DeleteObjectTagging"),
        ] {
            assert_eq!(name(method, uri), Ok(expected), "{method} {uri}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(headers::COPY_SOURCE, HeaderValue::from_static("/abc/x"));
        let copied = |uri| parse_with("PUT", uri, headers.clone()).map(|operation| operation.name());
        assert_eq!(copied("/abc/k"), Ok("CopyObject"));
        assert_eq!(copied("/abc/k?uploadId=1&partNumber=2"), Ok("UploadPartCopy"));
    }

    #[test]
    fn what_is_not_served_never_falls_through_to_the_plain_operation() {
        for (method, uri, code) in [
            ("POST", "/abc/k?tagging", Code::MethodNotAllowed),
            ("PUT", "/abc/k?retention", Code::NotImplemented),
            ("PUT", "/abc/k?legal-hold", Code::NotImplemented),
            ("PUT", "/abc/k?renameObject", Code::NotImplemented),
            ("POST", "/abc/k?restore", Code::NotImplemented),
            ("POST", "/abc/k?select&select-type=2", Code::NotImplemented),
            ("GET", "/abc/k?torrent", Code::NotImplemented),
            ("GET", "/abc?session", Code::NotImplemented),
            ("PUT", "/abc?metadataAnnotationTable", Code::NotImplemented),
            ("PUT", "/abc?metadataConfiguration", Code::MethodNotAllowed),
            ("POST", "/abc?metadataJournalTable", Code::MethodNotAllowed),
            ("PUT", "/abc/k?metadataConfiguration", Code::MethodNotAllowed),
            ("DELETE", "/abc/k?metadataTable", Code::MethodNotAllowed),
            ("PUT", "/abc?versioning", Code::NotImplemented),
            ("PUT", "/abc?policy", Code::NotImplemented),
            ("POST", "/abc?inventory&id=a", Code::MethodNotAllowed),
            ("HEAD", "/abc?minio-inventory&id=a", Code::MethodNotAllowed),
            ("POST", "/abc", Code::NotImplemented),
            ("POST", "/abc/k", Code::MethodNotAllowed),
            ("PUT", "/abc/k?partNumber=1", Code::InvalidArgument),
            ("PUT", "/abc/k?uploadId=1", Code::InvalidArgument),
            ("PUT", "/abc/k?uploadId=1&partNumber=0", Code::InvalidArgument),
            ("PUT", "/abc/k?uploadId=&partNumber=1", Code::NoSuchUpload),
            ("PUT", "/abc/k?uploadId=a/b&partNumber=1", Code::NoSuchUpload),
            ("GET", "/abc?list-type=3", Code::InvalidArgument),
            ("PATCH", "/abc/k", Code::MethodNotAllowed),
            ("OPTIONS", "/abc/k", Code::MethodNotAllowed),
            ("PUT", "/", Code::MethodNotAllowed),
            ("DELETE", "/abc?location", Code::MethodNotAllowed),
        ] {
            assert_eq!(name(method, uri), Err(code), "{method} {uri}");
        }
    }

    proptest! {
        #[test]
        fn any_request_is_an_operation_or_refused(
            method in "GET|PUT|POST|HEAD|DELETE|PATCH",
            path in "/(abc|a|abc/k|abc/%2F)?",
            query in "(acl|uploads|uploadId=1|partNumber=2|list-type=2|delete|policy|&|=|%)*",
        ) {
            let _outcome = parse(&method, &format!("{path}?{query}"));
        }
    }
}
