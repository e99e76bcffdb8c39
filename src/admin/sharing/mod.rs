//! Shares and recipients of Delta Sharing: what is shared, with whom, and what they show.
//!
//! - A2: who puts a table into a share must be allowed to read it, and shares it as the holder of a key of this server:
//!   that one's rights count at each request of a recipient.
//! - A3: tokens and secrets are told once, in the answer that makes them.

pub(super) mod aistor;
pub(super) mod entries;
pub(super) mod error;
pub(super) mod grants;
pub(super) mod recipients;
pub(super) mod shares;
pub(super) mod shown;
pub(super) mod tables;
pub(super) mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post, put};
use tarn_catalog::state::limits::DOCUMENT_BYTES_MAX;
use tarn_sharing::Sharers as _;
use tarn_sharing::directory::{Sharer, Source};

use super::access::Caller;
use super::error::Failure;
use crate::identity::with_rights;
use crate::server::Program;

/// The routes, with their full paths.
pub(super) fn router() -> Router<Arc<Program>> {
    Router::new()
        .route("/_admin/v1/shares", get(shares::list).post(shares::create))
        .route("/_admin/v1/shares/{share}", get(shares::show).patch(shares::alter).delete(shares::delete))
        .route(
            "/_admin/v1/shares/{share}/schemas/{schema}",
            put(shares::add_schema).delete(shares::remove_schema),
        )
        .route("/_admin/v1/shares/{share}/tables", post(tables::add))
        .route(
            "/_admin/v1/shares/{share}/tables/{schema}/{table}",
            get(tables::show).patch(tables::alter).delete(tables::remove),
        )
        .route("/_admin/v1/shares/{share}/grants", get(grants::list))
        .route(
            "/_admin/v1/shares/{share}/grants/{recipient}",
            put(grants::put).delete(grants::delete).layer(DefaultBodyLimit::max(DOCUMENT_BYTES_MAX)),
        )
        .route("/_admin/v1/recipients", get(recipients::list).post(recipients::create))
        .route(
            "/_admin/v1/recipients/{recipient}",
            get(recipients::show).patch(recipients::alter).delete(recipients::delete),
        )
        .route("/_admin/v1/recipients/{recipient}/tokens", get(tokens::list).post(tokens::create))
        .route("/_admin/v1/recipients/{recipient}/tokens/{id}", delete(tokens::revoke))
        .route("/_admin/v1/recipients/{recipient}/links", post(entries::create_link))
        .route("/_admin/v1/recipients/{recipient}/clients", post(tokens::create_client))
        .route("/_admin/v1/recipients/{recipient}/federation", post(entries::federate))
        .route("/_admin/v1/recipients/{recipient}/rotate", post(tokens::rotate))
        .route("/_admin/v1/sharing-keys/rotate", post(tokens::rotate_key))
        .merge(aistor())
}

/// The same in the shapes of AIStor's admin API.
fn aistor() -> Router<Arc<Program>> {
    Router::new()
        .route(
            "/_admin/v1/delta-sharing/shares",
            get(aistor::shares::list)
                .post(aistor::shares::create)
                .layer(DefaultBodyLimit::max(DOCUMENT_BYTES_MAX)),
        )
        .route(
            "/_admin/v1/delta-sharing/shares/{share}",
            get(aistor::shares::show)
                .put(aistor::shares::update)
                .delete(aistor::shares::delete)
                .layer(DefaultBodyLimit::max(DOCUMENT_BYTES_MAX)),
        )
        .route(
            "/_admin/v1/delta-sharing/shares/{share}/tokens",
            get(aistor::tokens::list_tokens).post(aistor::tokens::create_token),
        )
        .route("/_admin/v1/delta-sharing/tokens/{id}", delete(aistor::tokens::delete_token))
        .route("/_admin/v1/delta-sharing/tokens/{id}/profile", get(aistor::tokens::profile))
}

/// Who shares `source` when `caller` does. Refuses who may not read it (A2).
fn sharer(caller: &Caller, source: &Source) -> Result<Sharer, Failure> {
    let allowed = with_rights(source, |asked| {
        asked.iter().try_for_each(|(action, resource)| caller.may_on(*action, *resource))
    });
    allowed.unwrap_or(Err(Failure::Denied))?;
    let sharers = caller.sharers();
    let by = sharers.sharer(&caller.principal).ok_or_else(|| {
        let message = "a table is shared by the holder of an access key: whom an identity provider vouches for has none";
        Failure::Refused(message.into())
    })?;
    if sharers.may_read(&by, source) {
        return Ok(by);
    }
    let message = "the key behind this request may not read the table by itself; rights that hold for some addresses \
                   only do not count, as recipients come from others";
    Err(Failure::Refused(message.into()))
}

/// Now, in milliseconds since 1970.
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// An empty text is none.
fn text(comment: Option<String>) -> Option<String> {
    comment.filter(|text| !text.is_empty())
}
