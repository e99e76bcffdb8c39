//! `?inventory` and `?minio-inventory` of a bucket: definitions of its inventories, by AWS's and AIStor's API.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use tarn_openapi::access::Action;

use crate::name::BucketName;
use crate::s3::body;
use crate::s3::call::Call;
use crate::s3::error::{Code, S3Error};
use crate::s3::inventories::{InventoryCall, InventoryError, InventoryFace};
use crate::s3::operation::InventoryOperation;

use super::delete;

/// The longest definition, in bytes.
const DEFINITION_BYTES_MAX: usize = 64 * 1024;

const XML: &str = "application/xml";
const JSON: &str = "application/json";
const YAML: &str = "application/x-yaml";

pub(crate) async fn respond(
    call: &Call<'_>,
    bucket: &BucketName,
    (face, operation): (InventoryFace, InventoryOperation),
    body: Body,
) -> Result<Response, S3Error> {
    call.authorize_bucket(to_do(operation), bucket)?;
    call.expect_bucket(bucket)?;
    let id = match operation {
        InventoryOperation::List => "",
        InventoryOperation::Put
        | InventoryOperation::Get
        | InventoryOperation::Delete
        | InventoryOperation::Template
        | InventoryOperation::Status => id(call)?,
    };
    let ask = InventoryCall { face, bucket, id, caller: call.principal(), sender: call.sender() };
    let inventories = call.inventories();
    let told = match face {
        InventoryFace::Aws => XML,
        InventoryFace::Aistor => JSON,
    };
    let refused = |error| refused(face, error);
    match operation {
        InventoryOperation::Put => {
            let text = body::collect(call.headers(), body, DEFINITION_BYTES_MAX).await?;
            inventories.put(&ask, &text).await.map_err(refused)?;
            Ok(Response::new(Body::empty()))
        }
        InventoryOperation::Delete => {
            inventories.delete(&ask).await.map_err(refused)?;
            Ok(delete::no_content())
        }
        InventoryOperation::Get => inventories.get(&ask).map(|text| document(told, text)).map_err(refused),
        InventoryOperation::List => {
            let token = call.query.get("continuation-token").filter(|token| !token.is_empty());
            inventories.list(&ask, token).map(|text| document(told, text)).map_err(refused)
        }
        InventoryOperation::Template => {
            inventories.template(&ask).map(|text| document(YAML, text)).map_err(refused)
        }
        InventoryOperation::Status => {
            inventories.status(&ask).map(|text| document(JSON, text)).map_err(refused)
        }
    }
}

/// Definitions of a bucket that was deleted go with it. Those that a crash left go before a bucket of its name is made.
pub(crate) async fn forget(call: &Call<'_>, bucket: &BucketName) -> Result<(), S3Error> {
    call.inventories().forget(bucket).await.map_err(|error| refused(InventoryFace::Aws, error))
}

fn to_do(operation: InventoryOperation) -> Action {
    match operation {
        InventoryOperation::Put | InventoryOperation::Delete => Action::PutInventoryConfiguration,
        InventoryOperation::Get
        | InventoryOperation::List
        | InventoryOperation::Template
        | InventoryOperation::Status => Action::GetInventoryConfiguration,
    }
}

fn id<'a>(call: &'a Call<'_>) -> Result<&'a str, S3Error> {
    let id = call.query.get("id").filter(|id| !id.is_empty());
    id.ok_or_else(|| S3Error::argument("id", "", "This operation needs the id of an inventory."))
}

fn document(content_type: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn refused(face: InventoryFace, error: InventoryError) -> S3Error {
    match error {
        InventoryError::Malformed(message) => match face {
            InventoryFace::Aws => {
                let told = S3Error::malformed_xml().message;
                S3Error::new(Code::MalformedXML, format!("{told}: {message}"))
            }
            InventoryFace::Aistor => S3Error::new(Code::InvalidRequest, message),
        },
        InventoryError::Invalid { name, value, message } => S3Error::argument(&name, &value, message),
        InventoryError::NotImplemented(message) => S3Error::not_implemented(message),
        InventoryError::Denied(message) => S3Error::new(Code::AccessDenied, message),
        InventoryError::Missing => {
            S3Error::new(Code::NoSuchConfiguration, "The specified configuration does not exist.")
        }
        InventoryError::TooMany { limit } => S3Error::new(
            Code::TooManyConfigurations,
            format!(
                "You are attempting to create a new configuration but have already reached the limit of {limit}."
            ),
        ),
        InventoryError::Busy => S3Error::new(Code::ServiceUnavailable, "Please try again."),
        InventoryError::Failed(source) => S3Error::failed(source),
    }
}
