//! The S3 front: requests in, operations of [`ObjectCore`](crate::ObjectCore), answers out.
//!
//! A request goes one way: [`target`] and [`query`] read the URI, [`operation`] names what is asked, one file per
//! operation converts, authorizes, calls the core once and converts back. What every operation needs
//! (conditions, ranges, checksums, bodies, XML, errors) stands beside it in this folder.
//!
//! - F1: nothing of the core is called before [`Call::authorize`] allowed it; who may not, learns not
//!   whether a thing exists.
//! - F2: authentication is over when a request arrives here: the [`Principal`] is in its extensions, its
//!   body is free of chunk framing. No principal means anonymous.
//! - F3: a failure of ours is logged once, where it is answered, with its cause.
//! - F4: an error in the middle of an answer's body aborts the connection; a short body never looks whole.
//!
//! Decisions about objects (what a condition means for a write, which bytes are intact) are the core's.

mod attributes;
mod body;
mod bucket;
mod call;
mod checksum;
mod condition;
mod date;
mod error;
mod headers;
mod inventories;
mod metadata;
mod multipart;
mod object;
mod operation;
mod query;
mod range;
mod target;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod window;
mod xml;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tarn_openapi::access::Authorize;
use tarn_openapi::request::{Authenticated, RequestId};

use crate::ObjectCore;
use crate::name::BucketName;

pub use inventories::{Inventories, InventoryCall, InventoryError, InventoryFace};
pub use metadata::{
    Expiration, LiveInventory, MetadataCall, MetadataError, MetadataStatus, MetadataTable, MetadataTables,
    MetadataTold, MetadataWanted,
};

use call::Call;
use error::S3Error;
use operation::{BucketOperation, ObjectOperation, Operation};
use query::Query;
use target::Target;
use xml::Writer;

pub use window::Window;

/// What else rests on buckets: the front knows only objects.
pub trait BucketUses: Send + Sync {
    /// Why the bucket must not be deleted, told to who tries; `None`: nothing rests on it.
    fn holds(&self, bucket: &BucketName) -> Option<String>;
}

/// What the S3 front works with.
#[derive(Clone)]
pub struct S3Front {
    /// The store.
    pub core: ObjectCore,
    /// Decides who may do what.
    pub authorize: Arc<dyn Authorize>,
    /// What keeps buckets from being deleted.
    pub uses: Arc<dyn BucketUses>,
    /// Keeps definitions of inventories.
    pub inventories: Arc<dyn Inventories>,
    /// Keeps tables of what changes in buckets. `None`: there are none, and asking for one is refused.
    pub metadata: Option<Arc<dyn MetadataTables>>,
    /// The region the server says it is in.
    pub region: String,
    /// Host names below which a host names a bucket (`bucket.domain`), without ports.
    pub domains: Vec<String>,
    /// Shows some of the system's own objects.
    pub window: Option<Window>,
}

/// A router that answers every request as S3. Made to be the fallback of the server's router.
pub fn router(front: S3Front) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(front))
}

async fn answer(State(front): State<Arc<S3Front>>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    if head.extensions.get::<Authenticated>() == Some(&Authenticated::SignedQuery)
        && let Err(error) = hoisted_headers(&mut head)
    {
        return error_answer(error, &head);
    }
    match serve(&front, &head, body).await {
        Ok(response) => response,
        Err(error) => error_answer(error, &head),
    }
}

async fn serve(front: &S3Front, head: &Parts, body: Body) -> Result<Response, S3Error> {
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).or(head.uri.host());
    let target = Target::parse(host, head.uri.path(), &front.domains)?;
    let query = Query::parse(head.uri.query())?;
    let mut operation = Operation::parse(&head.method, target, &query, &head.headers)?;
    if let Some(window) = &front.window {
        operation = window.through(operation)?;
    }
    metrics::counter!("tarn_s3_requests_total", "operation" => operation.name()).increment(1);
    let call = Call::new(front, head, query);
    if let Some(account) = headers::text(&head.headers, &headers::EXPECTED_OWNER)? {
        attributes::expect_owner(account)?;
    }
    match operation {
        Operation::ListBuckets => bucket::list_buckets::respond(&call),
        Operation::Bucket(name, operation) => on_bucket(&call, &name, operation, body).await,
        Operation::Object(name, operation) => on_object(&call, &name, operation, body).await,
    }
}

async fn on_bucket(
    call: &Call<'_>,
    name: &BucketName,
    operation: BucketOperation,
    body: Body,
) -> Result<Response, S3Error> {
    match operation {
        BucketOperation::Create => bucket::create::respond(call, name, body).await,
        BucketOperation::Delete => bucket::delete::respond(call, name).await,
        BucketOperation::Head => bucket::head::respond(call, name),
        BucketOperation::List => bucket::list::respond_v1(call, name).await,
        BucketOperation::ListV2 => bucket::list::respond_v2(call, name).await,
        BucketOperation::ListVersions => bucket::list_versions::respond(call, name).await,
        BucketOperation::ListUploads => multipart::list_uploads::respond(call, name).await,
        BucketOperation::DeleteObjects => bucket::delete_objects::respond(call, name, body).await,
        BucketOperation::PutAcl => bucket::acl::put(call, name, body).await,
        BucketOperation::Inventory(face, operation) => {
            bucket::inventory::respond(call, name, (face, operation), body).await
        }
        BucketOperation::Metadata(operation) => bucket::metadata::respond(call, name, operation, body).await,
        BucketOperation::ReadSetting(setting) => bucket::settings::read(call, name, setting),
        BucketOperation::ClearSetting(setting) => bucket::settings::clear(call, name, setting),
    }
}

async fn on_object(
    call: &Call<'_>,
    at: &crate::name::ObjectName,
    operation: ObjectOperation,
    body: Body,
) -> Result<Response, S3Error> {
    match operation {
        ObjectOperation::Get => object::get::respond(call, at).await,
        ObjectOperation::Head => object::head::respond(call, at).await,
        ObjectOperation::Put => object::put::respond(call, at, body).await,
        ObjectOperation::Copy => object::copy::respond(call, at).await,
        ObjectOperation::Delete => object::delete::respond(call, at).await,
        ObjectOperation::Attributes => object::attributes::respond(call, at).await,
        ObjectOperation::GetAcl => object::settings::acl(call, at).await,
        ObjectOperation::PutAcl => object::settings::put_acl(call, at, body).await,
        ObjectOperation::GetTagging => object::tagging::get(call, at).await,
        ObjectOperation::PutTagging => object::tagging::put(call, at, body).await,
        ObjectOperation::ClearTagging => object::tagging::clear(call, at).await,
        ObjectOperation::GetLock => object::settings::lock(call, at).await,
        ObjectOperation::CreateUpload => multipart::create::respond(call, at).await,
        ObjectOperation::UploadPart(upload, number) => {
            multipart::upload_part::respond(call, at, &upload, number, body).await
        }
        ObjectOperation::UploadPartCopy(upload, number) => {
            multipart::upload_part_copy::respond(call, at, &upload, number).await
        }
        ObjectOperation::Complete(upload) => multipart::complete::respond(call, at, &upload, body).await,
        ObjectOperation::Abort(upload) => multipart::abort::respond(call, at, &upload).await,
        ObjectOperation::ListParts(upload) => multipart::list_parts::respond(call, at, &upload).await,
    }
}

/// Signers of URLs move `x-amz-*` headers into the query; there they mean the same. The signature
/// covers the query, so they are as trustworthy as signed headers. A header that is sent wins.
fn hoisted_headers(head: &mut Parts) -> Result<(), S3Error> {
    const OF_THE_SIGNATURE: [&str; 8] = [
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-signedheaders",
        "x-amz-signature",
        "x-amz-security-token",
        "x-amz-content-sha256",
    ];
    for (name, value) in Query::parse(head.uri.query())?.pairs() {
        let name = name.to_ascii_lowercase();
        if !name.starts_with("x-amz-") || OF_THE_SIGNATURE.contains(&name.as_str()) {
            continue;
        }
        let invalid = || S3Error::argument(&name, value, "The parameter cannot be a header.");
        let header = HeaderName::try_from(&name).map_err(|_| invalid())?;
        let content = HeaderValue::from_str(value).map_err(|_| invalid())?;
        head.headers.entry(header).or_insert(content);
    }
    Ok(())
}

fn error_answer(error: S3Error, head: &Parts) -> Response {
    let request_id = head.extensions.get::<RequestId>().map_or("", |id| &id.0);
    let status = error.code.status();
    error.log_cause(request_id);
    let mut response = if head.method == Method::HEAD {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        response
    } else {
        error_document(&error, head.uri.path(), request_id).answer(status)
    };
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn error_document(error: &S3Error, resource: &str, request_id: &str) -> Writer {
    let mut writer = Writer::plain("Error");
    writer.element("Code", error.code.as_str()).element("Message", &error.message);
    for (name, value) in &error.details {
        writer.element(name, value);
    }
    writer.element("Resource", resource).element("RequestId", request_id);
    writer
}
