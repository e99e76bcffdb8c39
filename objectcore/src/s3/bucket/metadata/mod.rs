//! `?metadataConfiguration`, `?metadataJournalTable`, `?metadataInventoryTable` and the older `?metadataTable`: the
//! tables of a bucket's changes and of its objects, by AWS's API.

mod documents;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use tarn_openapi::access::Action;

use crate::name::BucketName;
use crate::s3::body;
use crate::s3::call::Call;
use crate::s3::error::{Code, S3Error};
use crate::s3::metadata::{
    Expiration, LiveInventory, MetadataCall, MetadataError, MetadataTables, MetadataWanted,
};
use crate::s3::operation::MetadataOperation;

use super::delete;

/// The longest document, in bytes.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;

pub(crate) async fn respond(
    call: &Call<'_>,
    bucket: &BucketName,
    operation: MetadataOperation,
    body: Body,
) -> Result<Response, S3Error> {
    call.authorize_bucket(to_do(operation), bucket)?;
    call.expect_bucket(bucket)?;
    let tables =
        call.metadata().ok_or_else(|| S3Error::not_implemented("There are no metadata tables here."))?;
    let ask = MetadataCall { bucket, caller: call.principal(), sender: call.sender() };
    match operation {
        MetadataOperation::Create => {
            let wanted = documents::configuration(&read(call.headers(), body).await?)?;
            tables.create(&ask, wanted).await.map_err(refused)?;
            Ok(Response::new(Body::empty()))
        }
        MetadataOperation::Get => {
            let told = tables.get(&ask).await.map_err(refused)?;
            Ok(documents::told(&told, call.region()).answer(StatusCode::OK))
        }
        MetadataOperation::Delete | MetadataOperation::DeleteOlder => {
            tables.delete(&ask).await.map_err(refused)?;
            Ok(delete::no_content())
        }
        MetadataOperation::UpdateJournal => {
            let after = documents::journal_update(&read(call.headers(), body).await?)?;
            tables.expire(&ask, after).await.map_err(refused)?;
            Ok(Response::new(Body::empty()))
        }
        MetadataOperation::UpdateInventory => {
            let inventory = documents::inventory_update(&read(call.headers(), body).await?)?;
            tables.keep_inventory(&ask, inventory).await.map_err(refused)?;
            Ok(Response::new(Body::empty()))
        }
        MetadataOperation::CreateOlder => {
            let (table_bucket, table) = documents::older(&read(call.headers(), body).await?)?;
            create_older(&**tables, &ask, (&table_bucket, &table)).await?;
            Ok(Response::new(Body::empty()))
        }
        MetadataOperation::GetOlder => {
            let told = tables.get(&ask).await.map_err(refused)?;
            Ok(documents::told_older(&told, call.region()).answer(StatusCode::OK))
        }
    }
}

/// The older API lets clients choose table and table bucket; here they are where they are.
async fn create_older(
    tables: &dyn MetadataTables,
    ask: &MetadataCall<'_>,
    (table_bucket, table): (&str, &str),
) -> Result<(), S3Error> {
    let is_ours = table_bucket.starts_with("arn:aws:s3tables:")
        && table_bucket.ends_with(&format!(":bucket/{}", documents::WAREHOUSE));
    if !is_ours {
        let message = format!(
            "The table bucket can only be {0}, as in arn:aws:s3tables:::bucket/{0}.",
            documents::WAREHOUSE
        );
        return Err(S3Error::argument("TableBucketArn", table_bucket, message));
    }
    if table != documents::JOURNAL {
        let message = format!("The table can only be called {}.", documents::JOURNAL);
        return Err(S3Error::argument("TableName", table, message));
    }
    let wanted = MetadataWanted { expiration: Expiration::Never, inventory: LiveInventory::Disabled };
    tables.create(ask, wanted).await.map_err(refused)
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, S3Error> {
    Ok(body::collect(headers, body, DOCUMENT_BYTES_MAX).await?.to_vec())
}

/// Tables of a bucket that was deleted are written as long as something is left to write. They end before a bucket of its
/// name is made.
pub(crate) async fn forget(call: &Call<'_>, bucket: &BucketName) -> Result<(), S3Error> {
    let Some(tables) = call.metadata().map(Arc::clone) else { return Ok(()) };
    tables.forget(bucket).await.map_err(refused)
}

fn to_do(operation: MetadataOperation) -> Action {
    match operation {
        MetadataOperation::Create | MetadataOperation::CreateOlder => {
            Action::CreateBucketMetadataTableConfiguration
        }
        MetadataOperation::Get | MetadataOperation::GetOlder => Action::GetBucketMetadataTableConfiguration,
        MetadataOperation::Delete | MetadataOperation::DeleteOlder => {
            Action::DeleteBucketMetadataTableConfiguration
        }
        MetadataOperation::UpdateJournal => Action::UpdateBucketMetadataJournalTableConfiguration,
        MetadataOperation::UpdateInventory => Action::UpdateBucketMetadataInventoryTableConfiguration,
    }
}

fn refused(error: MetadataError) -> S3Error {
    match error {
        MetadataError::Invalid { name, value, message } => S3Error::argument(name, &value, message),
        MetadataError::Denied(message) => S3Error::new(Code::AccessDenied, message),
        MetadataError::Missing => S3Error::new(
            Code::MetadataConfigurationNotFound,
            "The metadata configuration of the bucket does not exist.",
        ),
        MetadataError::Exists => S3Error::new(
            Code::MetadataConfigurationAlreadyExists,
            "The bucket has a metadata configuration; update or delete it.",
        ),
        MetadataError::Busy => S3Error::new(Code::ServiceUnavailable, "Please try again."),
        MetadataError::Failed(source) => S3Error::failed(source),
    }
}
