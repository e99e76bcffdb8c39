//! Where a request points: warehouse (and moment), namespace and table, decoded once.
//!
//! Namespace levels are joined with the unit separator (`%1F`). Java encodes path segments as
//! forms, so a space arrives as `+`; every client encodes a real plus as `%2B`. Plus is therefore
//! rewritten before routing (`plus_to_space`).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, RawPathParams, Request};
use http::Uri;
use http::request::Parts;
use tarn_openapi::access::Principal;

use super::Front;
use super::dto::TableIdentifier;
use super::error::{Failure, Kind};
use crate::history::{InvalidMoment, Moment};
use crate::state::TableIdent;

/// The separator of namespace levels in a path and in `parent`.
pub(crate) const SEPARATOR: char = '\u{1f}';
/// The same as `/v1/config` tells it. It is the default, so old clients and new ones send the same.
pub(crate) const SEPARATOR_ENCODED: &str = "%1F";

/// The place a path names. What the route does not have is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) warehouse: Arc<str>,
    /// Of the past; `None` is now.
    pub(crate) at: Option<Moment>,
    pub(crate) levels: Vec<String>,
    pub(crate) name: String,
}

impl FromRequestParts<Arc<Front>> for Place {
    type Rejection = Failure;

    /// The past does not change: only routes that read take it ([`super::call::Call`]).
    async fn from_request_parts(parts: &mut Parts, front: &Arc<Front>) -> Result<Self, Failure> {
        let place = Self::read(parts, front).await?;
        match (place.at, parts.extensions.get::<Principal>()) {
            (None, _) => Ok(place),
            (Some(_), None | Some(Principal::Anonymous)) => {
                Err(Failure::new(Kind::NotAuthorized, "the request carries no credentials"))
            }
            (Some(at), Some(_)) => {
                let message = format!("warehouse '{}' as of {at} is read-only", place.warehouse);
                Err(Failure::new(Kind::Forbidden, message))
            }
        }
    }
}

impl Place {
    /// The place of a path, of the past too.
    pub(crate) async fn read(parts: &mut Parts, front: &Arc<Front>) -> Result<Self, Failure> {
        // `RawPathParams` fails only on text that is not UTF-8 after decoding.
        RawPathParams::from_request_parts(parts, front)
            .await
            .map_err(|_| Failure::bad_request("the path is not UTF-8"))?;
        let Path(mut found) = Path::<HashMap<String, String>>::from_request_parts(parts, front)
            .await
            .map_err(|_| Failure::bad_request("the path is not UTF-8"))?;
        let (warehouse, at) = match found.remove("prefix") {
            Some(prefix) => split_prefix(&prefix)?,
            None => (front.default_warehouse()?, None),
        };
        let levels = match found.remove("namespace") {
            Some(text) => levels(&text)?,
            None => Vec::new(),
        };
        let name =
            ["table", "view", "function"].iter().find_map(|key| found.remove(*key)).unwrap_or_default();
        Ok(Self { warehouse, at, levels, name })
    }

    /// A table or view as it is.
    pub(crate) fn of(ident: &TableIdent) -> Self {
        Self {
            warehouse: ident.warehouse.clone(),
            at: None,
            levels: ident.namespace.levels().to_vec(),
            name: ident.name.to_string(),
        }
    }

    /// What stands for the warehouse in paths.
    pub(crate) fn prefix(&self) -> Cow<'_, str> {
        match self.at {
            None => Cow::Borrowed(&self.warehouse),
            Some(at) => Cow::Owned(format!("{}@{at}", self.warehouse)),
        }
    }
}

/// A warehouse, and behind an `@`, which no name of one holds, a moment of the past.
pub(crate) fn split_prefix(text: &str) -> Result<(Arc<str>, Option<Moment>), Failure> {
    match text.split_once('@') {
        None => Ok((text.into(), None)),
        Some((warehouse, at)) => {
            let at = at.parse().map_err(|error: InvalidMoment| Failure::bad_request(error.to_string()))?;
            Ok((warehouse.into(), Some(at)))
        }
    }
}

/// The plan a path names.
pub(crate) struct PlanId(pub(crate) String);

impl FromRequestParts<Arc<Front>> for PlanId {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, front: &Arc<Front>) -> Result<Self, Failure> {
        let Path(mut found) = Path::<HashMap<String, String>>::from_request_parts(parts, front)
            .await
            .map_err(|_| Failure::bad_request("the path is not UTF-8"))?;
        Ok(Self(found.remove("plan-id").unwrap_or_default()))
    }
}

impl Front {
    pub(crate) fn default_warehouse(&self) -> Result<Arc<str>, Failure> {
        self.default_warehouse.clone().ok_or_else(|| {
            Failure::new(Kind::NoSuchWarehouse, "no warehouse is named and there is no default one")
        })
    }
}

/// The levels of a namespace as it stands in a path or in `parent`.
pub(crate) fn levels(text: &str) -> Result<Vec<String>, Failure> {
    if text.is_empty() {
        return Err(Failure::bad_request("the namespace is empty"));
    }
    Ok(text.split(SEPARATOR).map(str::to_owned).collect())
}

/// Rewrites `+` in the path to `%20`, before routes are matched.
pub(crate) fn plus_to_space(mut request: Request) -> Request {
    let path = request.uri().path();
    if path.contains('+') {
        let path = path.replace('+', "%20");
        let rewritten = match request.uri().query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        let mut parts = request.uri().clone().into_parts();
        if let Ok(path_and_query) = rewritten.parse() {
            parts.path_and_query = Some(path_and_query);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    request
}

impl Place {
    /// The table of this warehouse that a body names.
    pub(crate) fn with(&self, table: TableIdentifier) -> Self {
        Self { warehouse: self.warehouse.clone(), at: None, levels: table.namespace, name: table.name }
    }
}
