//! Parameters and texts of the admin API: what cannot be read is refused in the API's own envelope.

use std::convert::Infallible;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection, StringRejection};
use axum::extract::{self, FromRequest, FromRequestParts, Request};
use http::request::Parts;
use serde::de::DeserializeOwned;
use tarn_openapi::page;

use super::error::Failure;

/// The parameters after `?`.
pub(super) struct Query<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let query: Result<extract::Query<T>, QueryRejection> = extract::Query::try_from_uri(&parts.uri);
        query.map(|query| Self(query.0)).map_err(|rejection| Failure::Invalid(rejection.body_text()))
    }
}

/// The names in the path.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path: Result<extract::Path<T>, PathRejection> =
            extract::Path::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|rejection| Failure::Invalid(rejection.body_text()))
    }
}

/// A JSON body, or why it is none: the handler asks for the right first, and tells nobody else of the body.
pub(super) struct Body<T>(pub(super) Result<T, Failure>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        let body: Result<Json<T>, JsonRejection> = Json::from_request(request, state).await;
        Ok(Self(body.map(|body| body.0).map_err(|rejection| Failure::Invalid(rejection.body_text()))))
    }
}

/// A body that is read by other means than serde.
pub(super) struct Text(pub(super) String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let text: Result<String, StringRejection> = String::from_request(request, state).await;
        text.map(Self).map_err(|rejection| Failure::Invalid(rejection.body_text()))
    }
}

/// The most entries of a page; a list of names has as many unless it is told.
const PAGE_SIZE_MAX: usize = 1000;

/// How many entries a page has that was asked for with `page_size`.
pub(super) fn page_size(asked: Option<usize>, default: usize) -> Result<usize, Failure> {
    let size = asked.unwrap_or(default);
    if !(1..=PAGE_SIZE_MAX).contains(&size) {
        return Err(Failure::Invalid(format!("page_size is 1 to {PAGE_SIZE_MAX}")));
    }
    Ok(size)
}

/// What a page token holds.
pub(super) fn page_token(token: &str) -> Result<String, Failure> {
    page::decode(token).map_err(|error| Failure::Invalid(error.to_string()))
}

/// What part of a list to answer.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Where the page before ended.
    page_token: Option<String>,
    /// Entries per page, at most 1000.
    page_size: Option<usize>,
}

impl Page {
    /// Where the page before ended, and how many entries are asked for.
    pub(super) fn bounds(&self) -> Result<(Option<String>, usize), Failure> {
        let size = page_size(self.page_size, PAGE_SIZE_MAX)?;
        Ok((self.page_token.as_deref().map(page_token).transpose()?, size))
    }

    /// The entries behind where the page before ended, of which `list` finds as many as it is told, and the token of
    /// the next page.
    pub(super) fn of<T>(
        &self,
        list: impl FnOnce(Option<&str>, usize) -> Vec<T>,
        name: impl FnOnce(&T) -> &str,
    ) -> Result<(Vec<T>, Option<String>), Failure> {
        let (after, size) = self.bounds()?;
        let mut found = list(after.as_deref(), size + 1);
        let more = found.len() > size;
        found.truncate(size);
        let next = found.last().filter(|_| more).map(|last| page::encode(name(last)));
        Ok((found, next))
    }
}
