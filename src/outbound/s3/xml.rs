//! The XML of answers.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tarn_inventory::batch::{Listed, Page};

/// Why an endpoint did not do it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    contents: Vec<Contents>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Contents {
    key: String,
    last_modified: String,
    #[serde(rename = "ETag", default)]
    etag: String,
    size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Begun {
    upload_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tagging {
    tag_set: TagSet,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagSet {
    #[serde(default)]
    tag: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

/// `None`: it is no such document.
fn read<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    quick_xml::de::from_str(std::str::from_utf8(text).ok()?).ok()
}

pub(super) fn error(text: &[u8]) -> Option<Refusal> {
    read(text)
}

pub(super) fn tags(text: &[u8]) -> Option<Vec<(String, String)>> {
    let tagging: Tagging = read(text)?;
    Some(tagging.tag_set.tag.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

pub(super) fn upload(text: &[u8]) -> Option<String> {
    read(text).map(|begun: Begun| begun.upload_id)
}

/// Whether a completed upload is one: S3 answers 200 before it knows.
pub(super) fn is_completed(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.contains("CompleteMultipartUploadResult")
}

/// A page of a listing whose keys are URL-encoded.
pub(super) fn page(text: &[u8]) -> Option<Page> {
    let listing: Listing = read(text)?;
    let objects = listing.contents.into_iter().map(|object| {
        let encoded = object.key.replace('+', " ");
        let key = percent_encoding::percent_decode_str(&encoded).decode_utf8().ok()?;
        let modified: jiff::Timestamp = object.last_modified.parse().ok()?;
        Some(Listed {
            key: key.into_owned(),
            etag: object.etag.trim_matches('"').to_owned(),
            size: object.size,
            modified_ms: modified.as_millisecond(),
        })
    });
    Some(Page { objects: objects.collect::<Option<_>>()?, is_last: !listing.is_truncated })
}

/// What completes an upload of these parts.
pub(super) fn complete(etags: &[String]) -> String {
    let parts = etags.iter().enumerate().map(|(index, etag)| {
        let etag = etag.replace('&', "&amp;").replace('<', "&lt;");
        format!("<Part><PartNumber>{}</PartNumber><ETag>&quot;{etag}&quot;</ETag></Part>", index + 1)
    });
    let parts: String = parts.collect();
    format!(
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{parts}</CompleteMultipartUpload>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_s3_writes_them() {
        let listing = br#"<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><IsTruncated>true</IsTruncated><Contents><Key>a+b/%C3%A9</Key><LastModified>2026-11-21T08:00:00.000Z</LastModified><ETag>&quot;0a-2&quot;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents><Contents><Key>z</Key><LastModified>2026-11-21T08:00:00Z</LastModified><ETag>"0b"</ETag><Size>0</Size></Contents><KeyCount>2</KeyCount></ListBucketResult>"#;
        let page = page(listing).unwrap();
        assert!(!page.is_last);
        assert_eq!((&*page.objects[0].key, &*page.objects[0].etag), ("a b/\u{e9}", "0a-2"));
        assert_eq!((page.objects[1].size, page.objects.len()), (0, 2));
        let refusal =
            error(b"<Error><Code>NoSuchKey</Code><Message>no</Message><RequestId>1</RequestId></Error>");
        assert_eq!(refusal.unwrap().code, "NoSuchKey");
        let begun = upload(b"<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>u1</UploadId></InitiateMultipartUploadResult>");
        assert_eq!(begun.as_deref(), Some("u1"));
        let tagging = b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value/></Tag></TagSet></Tagging>";
        assert_eq!(tags(tagging).unwrap(), [("a".into(), "1".into()), ("b".into(), String::new())]);
        assert!(tags(b"<Tagging><TagSet/></Tagging>").unwrap().is_empty());
        assert!(error(b"no").is_none() && !is_completed(b"<Error><Code>InternalError</Code></Error>"));
        assert!(complete(&["0a".into()]).contains("<PartNumber>1</PartNumber><ETag>&quot;0a&quot;</ETag>"));
    }
}
