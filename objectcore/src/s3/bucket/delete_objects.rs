//! `POST /bucket?delete`: up to 1,000 keys in one request, each with its own outcome.

use axum::body::Body;
use axum::response::Response;
use futures::stream::{self, StreamExt as _};
use http::StatusCode;
use tarn_openapi::access::Action;

use crate::name::{BucketName, ObjectName};
use crate::s3::body;
use crate::s3::call::Call;
use crate::s3::condition::unquote;
use crate::s3::error::{Code, S3Error};
use crate::s3::target;
use crate::s3::xml::{Element, Writer};
use crate::types::{ETag, PutIf};

const KEYS_MAX: usize = 1000;
const DOCUMENT_BYTES_MAX: usize = 2 << 20;
/// How many deletes of one request wait for the drives at a time; they share a log write.
const UNDER_WAY_MAX: usize = 128;

pub(crate) async fn respond(call: &Call<'_>, bucket: &BucketName, body: Body) -> Result<Response, S3Error> {
    // Which keys are meant is in the body: each key is authorized on its own below. A principal that may write no key
    // learns nothing here, since a missing bucket is told only after one key was allowed.
    let document = body::collect(call.headers(), body, DOCUMENT_BYTES_MAX).await?;
    let document = Element::parse(&document, "Delete")?;
    let wanted: Vec<Wanted> = document.all("Object").map(Wanted::parse).collect::<Result<_, _>>()?;
    if wanted.is_empty() || wanted.len() > KEYS_MAX {
        return Err(S3Error::malformed_xml());
    }
    let deletes: Vec<_> = wanted.iter().map(|wanted| delete(call, bucket, wanted)).collect();
    let outcomes: Vec<Result<(), S3Error>> = stream::iter(deletes).buffered(UNDER_WAY_MAX).collect().await;
    let allowed =
        outcomes.iter().any(|outcome| !matches!(outcome, Err(error) if error.code == Code::AccessDenied));
    if allowed {
        call.expect_bucket(bucket)?;
    }

    let quiet = document.text_of("Quiet").is_some_and(|quiet| quiet.eq_ignore_ascii_case("true"));
    let mut writer = Writer::new("DeleteResult", 96 * wanted.len());
    for (wanted, outcome) in wanted.iter().zip(&outcomes) {
        match outcome {
            Ok(()) if quiet => {}
            Ok(()) => {
                writer.open("Deleted").element("Key", &wanted.key);
                wanted.version_element(&mut writer);
                writer.close("Deleted");
            }
            Err(error) => {
                writer.open("Error").element("Key", &wanted.key);
                wanted.version_element(&mut writer);
                writer.element("Code", error.code.as_str()).element("Message", &error.message);
                writer.close("Error");
                error.log_cause(call.request_id());
            }
        }
    }
    Ok(writer.answer(StatusCode::OK))
}

struct Wanted {
    key: String,
    version: Option<String>,
    etag: Option<String>,
    /// Size or time was given: conditions of directory buckets.
    foreign_condition: bool,
}

impl Wanted {
    fn parse(element: &Element) -> Result<Self, S3Error> {
        let Some(key) = element.child("Key") else { return Err(S3Error::malformed_xml()) };
        Ok(Self {
            key: key.text.clone(),
            version: element.text_of("VersionId").filter(|text| !text.is_empty()).map(str::to_owned),
            etag: element.text_of("ETag").filter(|text| !text.is_empty()).map(str::to_owned),
            foreign_condition: element.child("Size").is_some() || element.child("LastModifiedTime").is_some(),
        })
    }

    fn version_element(&self, writer: &mut Writer) {
        if let Some(version) = &self.version {
            writer.element("VersionId", version);
        }
    }
}

async fn delete(call: &Call<'_>, bucket: &BucketName, wanted: &Wanted) -> Result<(), S3Error> {
    let at = ObjectName { bucket: bucket.clone(), key: target::object_key(&wanted.key)? };
    let action = if wanted.version.is_some() { Action::DeleteObjectVersion } else { Action::DeleteObject };
    call.authorize_object(action, &at)?;
    if wanted.version.as_deref().is_some_and(|version| version != "null") {
        return Err(S3Error::no_such_version());
    }
    if wanted.foreign_condition {
        return Err(S3Error::not_implemented("Conditions on size and time are those of directory buckets."));
    }
    let when = match wanted.etag.as_deref() {
        None => PutIf::Always,
        Some("*") => PutIf::Exists,
        Some(tag) => PutIf::Match(ETag(unquote(tag).to_owned())),
    };
    call.core().delete(&at, when).await?;
    Ok(())
}
