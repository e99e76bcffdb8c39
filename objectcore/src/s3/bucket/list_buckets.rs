//! `GET /`

use axum::response::Response;
use http::StatusCode;
use tarn_openapi::access::{Action, Ask, Resource};
use tarn_openapi::page;

use crate::s3::call::Call;
use crate::s3::error::S3Error;
use crate::s3::xml::Writer;

use super::acl;

const BUCKETS_MAX: usize = 10_000;

pub(crate) fn respond(call: &Call<'_>) -> Result<Response, S3Error> {
    call.authorize(Ask::new(Action::ListAllMyBuckets, Resource::Server))?;
    let prefix = call.query.get("prefix").unwrap_or("");
    let limit = match call.query.count("max-buckets", BUCKETS_MAX)? {
        0 => return Err(S3Error::argument("max-buckets", "0", "max-buckets must be between 1 and 10000")),
        limit => limit,
    };
    let after = match call.query.get("continuation-token").filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => Some(page::decode(token).map_err(|_| {
            S3Error::argument("continuation-token", token, "The continuation token provided is incorrect")
        })?),
    };
    let elsewhere = call.query.get("bucket-region").is_some_and(|region| region != call.region());
    let mut buckets = call.core().buckets();
    buckets.retain(|bucket| {
        let name = bucket.name.as_str();
        !elsewhere && name.starts_with(prefix) && after.as_deref().is_none_or(|after| name > after)
    });
    let more = buckets.len() > limit;
    buckets.truncate(limit);

    let mut writer = Writer::new("ListAllMyBucketsResult", 128 * buckets.len());
    acl::owner(&mut writer);
    writer.open("Buckets");
    for bucket in &buckets {
        writer.open("Bucket").element("Name", bucket.name.as_str()).date("CreationDate", bucket.created);
        writer.element("BucketRegion", call.region()).close("Bucket");
    }
    writer.close("Buckets");
    if let Some(last) = buckets.last().filter(|_| more) {
        writer.element("ContinuationToken", &page::encode(last.name.as_str()));
    }
    if !prefix.is_empty() {
        writer.element("Prefix", prefix);
    }
    Ok(writer.answer(StatusCode::OK))
}
