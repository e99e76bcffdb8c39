//! Parameters and texts of the admin API: what cannot be read is refused in the API's own envelope.

use axum::extract::rejection::{PathRejection, QueryRejection, StringRejection};
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

/// A body that is read by other means than serde.
pub(super) struct Text(pub(super) String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let text: Result<String, StringRejection> = String::from_request(request, state).await;
        text.map(Self).map_err(|rejection| Failure::Invalid(rejection.body_text()))
    }
}

/// Entries of a page when `page_size` is not given, and the most it may be.
const PAGE_SIZE_MAX: usize = 1000;

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
    /// The entries behind where the page before ended, of which `list` finds as many as it is told, and the token of
    /// the next page.
    pub(super) fn of<T>(
        &self,
        list: impl FnOnce(Option<&str>, usize) -> Vec<T>,
        name: impl FnOnce(&T) -> &str,
    ) -> Result<(Vec<T>, Option<String>), Failure> {
        let size = self.page_size.unwrap_or(PAGE_SIZE_MAX);
        if !(1..=PAGE_SIZE_MAX).contains(&size) {
            return Err(Failure::Invalid(format!("page_size is 1 to {PAGE_SIZE_MAX}")));
        }
        let after = self.page_token.as_deref().map(page::decode).transpose();
        let after = after.map_err(|error| Failure::Invalid(error.to_string()))?;
        let mut found = list(after.as_deref(), size + 1);
        let more = found.len() > size;
        found.truncate(size);
        let next = found.last().filter(|_| more).map(|last| page::encode(name(last)));
        Ok((found, next))
    }
}
