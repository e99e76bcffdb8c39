//! Shares in the shapes of AIStor's admin API.
//!
//! A token of a share is a recipient with one grant and one bearer token: it is listed among the recipients, under a name
//! that its id follows from. Volumes are not shared here, and a token is told once, so its profile cannot be had later.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tarn_openapi::access::Action;
use tarn_sharing::directory::{
    Content, DirectoryError, EqualityDeletes, Grant, History, NewRecipient, NewTable, Recipient, Share,
    SharedTable, Source, UnsupportedColumns, token_end,
};
use uuid::Uuid;

use super::super::access::Caller;
use super::super::error::{ErrorBody, Failure};
use super::super::params::{Body, Path};
use super::{now_ms, sharer, text};

/// What the recipients of tokens are called, before the token's id.
const RECIPIENT_PREFIX: &str = "share-token.";
/// The most shares of an answer: all there can be.
const SHARES_LISTED_MAX: usize = tarn_sharing::directory::limits::SHARES_MAX;

/// A share in AIStor's shape.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct AistorShare {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// When it is changed, absent schemas stay.
    schemas: Option<Vec<AistorSchema>>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
}

/// A schema in AIStor's shape.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub(in super::super) struct AistorSchema {
    name: String,
    /// Must be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default)]
    tables: Option<Vec<AistorTable>>,
    /// Must be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    volumes: Option<Vec<Box<RawValue>>>,
}

/// A table in AIStor's shape.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub(in super::super) struct AistorTable {
    name: String,
    #[serde(flatten)]
    source: AistorSource,
}

/// What is shared, in AIStor's shape.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "sourceType", rename_all = "lowercase")]
enum AistorSource {
    /// A Delta table.
    Delta { bucket: String, location: String },
    /// An Iceberg table.
    Uniform { warehouse: String, namespace: AistorNamespace, table: String },
}

/// A namespace: its levels joined by dots, or each for itself.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
enum AistorNamespace {
    Joined(String),
    Levels(Vec<String>),
}

/// One share.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct AistorShareAnswer {
    share: AistorShare,
}

/// All shares.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct AistorShareList {
    shares: Vec<AistorShare>,
}

/// A token of a share, without itself.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct AistorToken {
    token_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    share_id: String,
    share_name: String,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    expires_at: String,
}

/// Tokens of a share.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct AistorTokenList {
    tokens: Vec<AistorToken>,
}

/// A token to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct AistorNewToken {
    #[serde(default)]
    description: Option<String>,
    /// RFC 3339; in 90 days when not given, in a year at most.
    #[serde(default)]
    expires_at: Option<String>,
}

/// A token just made. It is told only here.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct AistorMadeToken {
    token_id: String,
    token: String,
    /// RFC 3339.
    expires_at: String,
    #[schema(value_type = Object)]
    profile: Box<RawValue>,
}

/// Lists all shares.
#[utoipa::path(get, path = "/_admin/v1/delta-sharing/shares", tag = "Sharing (AIStor)", responses(
    (status = 200, description = "All shares", body = AistorShareList),
    (status = 403, description = "Not allowed", body = ErrorBody),
))]
pub(in super::super) async fn list(caller: Caller) -> Result<Json<AistorShareList>, Failure> {
    caller.may(Action::SharingListShares)?;
    let shares = caller.sharing().shares(None, SHARES_LISTED_MAX);
    Ok(Json(AistorShareList { shares: shares.iter().map(AistorShare::from).collect() }))
}

/// Makes a share with its tables.
#[utoipa::path(post, path = "/_admin/v1/delta-sharing/shares", tag = "Sharing (AIStor)", request_body = AistorShare,
    responses(
    (status = 201, description = "Made", body = AistorShareAnswer),
    (status = 400, description = "A name or source is not valid", body = ErrorBody),
    (status = 403, description = "Not allowed to make shares or to read a table", body = ErrorBody),
    (status = 404, description = "There is nothing where a table should be", body = ErrorBody),
    (status = 409, description = "The name is taken", body = ErrorBody),
    (status = 501, description = "Volumes are not shared", body = ErrorBody),
))]
pub(in super::super) async fn create(
    caller: Caller,
    Body(body): Body<AistorShare>,
) -> Result<Response, Failure> {
    caller.may(Action::SharingCreateShare)?;
    let AistorShare { name, description, schemas, .. } = body?;
    let contents = contents(&caller, schemas.unwrap_or_default())?;
    let share = caller.sharing().create_share_of(&name, text(description), contents, now_ms()).await?;
    tracing::info!(share = %name, "created a share");
    Ok((StatusCode::CREATED, Json(AistorShareAnswer { share: AistorShare::from(&share) })).into_response())
}

/// Shows a share.
#[utoipa::path(get, path = "/_admin/v1/delta-sharing/shares/{share}", tag = "Sharing (AIStor)",
    params(("share" = String, Path)), responses(
    (status = 200, description = "The share", body = AistorShareAnswer),
    (status = 404, description = "There is no such share", body = ErrorBody),
))]
pub(in super::super) async fn show(
    caller: Caller,
    Path(share): Path<String>,
) -> Result<Json<AistorShareAnswer>, Failure> {
    caller.may(Action::SharingGetShare)?;
    Ok(Json(AistorShareAnswer { share: AistorShare::from(&caller.sharing().share(&share)?) }))
}

/// Makes of a share what is told; what is absent stays, and so does a table that has the same source.
#[utoipa::path(put, path = "/_admin/v1/delta-sharing/shares/{share}", tag = "Sharing (AIStor)",
    params(("share" = String, Path)), request_body = AistorShare, responses(
    (status = 200, description = "The share", body = AistorShareAnswer),
    (status = 400, description = "A name or source is not valid", body = ErrorBody),
    (status = 403, description = "Not allowed to change shares or to read a table", body = ErrorBody),
    (status = 404, description = "There is no such share, or nothing where a table should be", body = ErrorBody),
    (status = 501, description = "Volumes are not shared", body = ErrorBody),
))]
pub(in super::super) async fn update(
    caller: Caller,
    Path(share): Path<String>,
    Body(body): Body<AistorShare>,
) -> Result<Json<AistorShareAnswer>, Failure> {
    caller.may(Action::SharingUpdateShare)?;
    let AistorShare { description, schemas, .. } = body?;
    let contents = schemas.map(|schemas| contents(&caller, schemas)).transpose()?;
    let comment = description.map(|description| text(Some(description)));
    let changed = caller.sharing().replace_share(&share, comment, contents, now_ms()).await?;
    tracing::info!(share, "changed a share");
    Ok(Json(AistorShareAnswer { share: AistorShare::from(&changed) }))
}

/// Deletes a share and its tokens.
#[utoipa::path(delete, path = "/_admin/v1/delta-sharing/shares/{share}", tag = "Sharing (AIStor)",
    params(("share" = String, Path)), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "There is no such share", body = ErrorBody),
))]
pub(in super::super) async fn delete(
    caller: Caller,
    Path(share): Path<String>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::SharingDeleteShare)?;
    let directory = caller.sharing();
    let gone = directory.delete_share(&share).await?;
    tracing::info!(share, "deleted a share");
    // Their grants mean nothing without it: one that stays does no harm.
    for (recipient, _) in tokens_of(&caller, &gone) {
        match directory.delete_recipient(&recipient.name).await {
            Ok(_) | Err(DirectoryError::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the tokens of a share that were made here.
#[utoipa::path(get, path = "/_admin/v1/delta-sharing/shares/{share}/tokens", tag = "Sharing (AIStor)",
    params(("share" = String, Path)), responses(
    (status = 200, description = "Its tokens", body = AistorTokenList),
    (status = 404, description = "There is no such share", body = ErrorBody),
))]
pub(in super::super) async fn list_tokens(
    caller: Caller,
    Path(share): Path<String>,
) -> Result<Json<AistorTokenList>, Failure> {
    caller.may(Action::DeltaSharingListTokens)?;
    let share = caller.sharing().share(&share)?;
    let held = tokens_of(&caller, &share);
    let tokens = held.iter().flat_map(|(recipient, _)| {
        recipient.tokens.iter().map(|token| AistorToken {
            token_id: token.id.to_string(),
            description: recipient.comment.clone(),
            share_id: share.id.to_string(),
            share_name: share.name.clone(),
            created_at: rfc3339(token.created_ms),
            expires_at: rfc3339(token.expires_ms),
        })
    });
    Ok(Json(AistorTokenList { tokens: tokens.collect() }))
}

/// Makes a token of a share: a recipient that may read it, with one bearer token.
#[utoipa::path(post, path = "/_admin/v1/delta-sharing/shares/{share}/tokens", tag = "Sharing (AIStor)",
    params(("share" = String, Path)), request_body = AistorNewToken, responses(
    (status = 201, description = "Made; it is told only now", body = AistorMadeToken),
    (status = 400, description = "Its end is not valid, or there are too many recipients", body = ErrorBody),
    (status = 404, description = "There is no such share", body = ErrorBody),
))]
pub(in super::super) async fn create_token(
    caller: Caller,
    Path(share): Path<String>,
    Body(body): Body<AistorNewToken>,
) -> Result<Response, Failure> {
    caller.may(Action::DeltaSharingCreateToken)?;
    // It is all of these; a deny of any counts.
    let parts = [Action::SharingCreateRecipient, Action::SharingCreateGrant, Action::SharingCreateToken];
    parts.into_iter().try_for_each(|part| caller.not_denied(part))?;
    let AistorNewToken { description, expires_at } = body?;
    let now_ms = now_ms();
    let lifetime = expires_at.map(|text| until(&text, now_ms)).transpose()?;
    let end_ms = token_end(lifetime, now_ms)?;
    let (access, birth) = (caller.access(), Uuid::new_v4());
    let (token, jwt) = access.issue_bearer(birth, end_ms, now_ms).await?;
    let name = format!("{RECIPIENT_PREFIX}{}", token.id);
    let new = NewRecipient { name, comment: text(description), ..NewRecipient::default() };
    let id = token.id;
    caller.sharing().create_reader((new, birth), &share, token, now_ms).await?;
    tracing::info!(share, token.id = %id, "made a token of a share");
    let profile = access.endpoints().bearer_profile(&jwt, end_ms).to_string();
    let made = AistorMadeToken {
        token_id: id.to_string(),
        token: jwt.to_string(),
        expires_at: rfc3339(end_ms),
        profile: RawValue::from_string(profile).expect("a profile is JSON"),
    };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(made)).into_response())
}

/// Ends a token, at once, and the URLs that were given out by it.
#[utoipa::path(delete, path = "/_admin/v1/delta-sharing/tokens/{id}", tag = "Sharing (AIStor)",
    params(("id" = String, Path)), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "There is no such token", body = ErrorBody),
))]
pub(in super::super) async fn delete_token(
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::DeltaSharingDeleteToken)?;
    let none = || DirectoryError::NoToken(id.clone());
    let known = Uuid::parse_str(&id).map_err(|_| none())?;
    match caller.sharing().delete_recipient(&format!("{RECIPIENT_PREFIX}{known}")).await {
        Err(DirectoryError::Missing { .. }) => return Err(none().into()),
        outcome => outcome?,
    };
    tracing::info!(token.id = id, "ended a token of a share");
    Ok(StatusCode::NO_CONTENT)
}

/// A token's profile is told when it is made, and never again.
#[utoipa::path(get, path = "/_admin/v1/delta-sharing/tokens/{id}/profile", tag = "Sharing (AIStor)",
    params(("id" = String, Path)), responses(
    (status = 501, description = "It is told only when the token is made", body = ErrorBody),
))]
pub(in super::super) async fn profile(caller: Caller) -> Result<StatusCode, Failure> {
    caller.may(Action::DeltaSharingListTokens)?;
    let message = "a profile is told when its token is made, and never again: make another token";
    Err(Failure::Unserved(message.into()))
}

/// The recipients that are tokens of a share.
fn tokens_of(caller: &Caller, share: &Share) -> Vec<(Recipient, Grant)> {
    let mut found = caller.sharing().grantees(share);
    found.retain(|(recipient, _)| recipient.name.starts_with(RECIPIENT_PREFIX));
    found
}

/// What is told of schemas, as it is kept. The caller must be allowed to read all of it.
fn contents(caller: &Caller, schemas: Vec<AistorSchema>) -> Result<Vec<Content>, Failure> {
    let mut contents = Vec::new();
    for AistorSchema { name, description, tables, volumes } in schemas {
        if volumes.is_some_and(|volumes| !volumes.is_empty()) {
            return Err(Failure::Unserved("volumes are not shared by this server".into()));
        }
        if text(description).is_some() {
            return Err(Failure::Invalid("schemas have no description here".into()));
        }
        contents.push(Content::Schema(name.clone()));
        for AistorTable { name: table, source } in tables.unwrap_or_default() {
            let source = source.read()?;
            contents.push(Content::Table(NewTable {
                schema: name.clone(),
                name: table,
                comment: None,
                by: sharer(caller, &source)?,
                source,
                history: History::default(),
                unsupported_columns: UnsupportedColumns::default(),
                equality_deletes: EqualityDeletes::default(),
            }));
        }
    }
    Ok(contents)
}

impl AistorSource {
    fn read(self) -> Result<Source, DirectoryError> {
        match self {
            Self::Delta { bucket, location } => Source::delta(&bucket, location.trim_start_matches('/')),
            Self::Uniform { warehouse, namespace, table } => {
                let namespace = match namespace {
                    AistorNamespace::Joined(text) => text.split('.').map(str::to_owned).collect(),
                    AistorNamespace::Levels(levels) => levels,
                };
                Ok(Source::Iceberg { warehouse, namespace, table })
            }
        }
    }
}

impl From<&Share> for AistorShare {
    fn from(share: &Share) -> Self {
        let schemas = share.schemas.values().map(|schema| AistorSchema {
            name: schema.name.clone(),
            description: None,
            tables: Some(schema.tables.values().map(AistorTable::from).collect()),
            volumes: None,
        });
        Self {
            id: Some(share.id.to_string()),
            name: share.name.clone(),
            description: share.comment.clone(),
            schemas: Some(schemas.collect()),
            created_at: Some(rfc3339(share.created_ms)),
            updated_at: Some(rfc3339(share.updated_ms)),
        }
    }
}

impl From<&SharedTable> for AistorTable {
    fn from(table: &SharedTable) -> Self {
        let source = match &table.source {
            Source::Delta { bucket, prefix } => {
                AistorSource::Delta { bucket: bucket.clone(), location: prefix.clone() }
            }
            Source::Iceberg { warehouse, namespace, table } => AistorSource::Uniform {
                warehouse: warehouse.clone(),
                // Levels with dots in them would be told apart no more.
                namespace: if namespace.iter().any(|level| level.contains('.')) {
                    AistorNamespace::Levels(namespace.clone())
                } else {
                    AistorNamespace::Joined(namespace.join("."))
                },
                table: table.clone(),
            },
        };
        Self { name: table.name.clone(), source }
    }
}

fn rfc3339(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    format!("{moment:.3}")
}

/// How long it is until a moment, in milliseconds.
fn until(text: &str, now_ms: i64) -> Result<i64, Failure> {
    let moment: jiff::Timestamp =
        text.parse().map_err(|_| Failure::Invalid(format!("{text:?} is no time in RFC 3339")))?;
    Ok(moment.as_millisecond().saturating_sub(now_ms))
}
