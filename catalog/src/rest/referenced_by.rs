//! `referenced-by`: the views through which a client came to a table or view, outermost first.
//!
//! It is what the client says, so it grants nothing. It is read, and refused when it cannot be.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::Front;
use super::body::Query;
use super::error::Failure;
use super::path;
use crate::state::{InvalidName, Namespace};

/// Views that may be named.
const VIEWS_MAX: usize = 100;

/// The views named, outermost first: the levels of the namespace, and the name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ReferencedBy(pub(crate) Vec<(Namespace, String)>);

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Parameter {
    referenced_by: Option<String>,
}

impl FromRequestParts<Arc<Front>> for ReferencedBy {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, front: &Arc<Front>) -> Result<Self, Failure> {
        let Query(parameter) = Query::<Parameter>::from_request_parts(parts, front).await?;
        parse(parameter.referenced_by.as_deref().unwrap_or_default())
    }
}

/// Reads the parameter's value, out of which the query's own encoding is taken already. Names are
/// percent-encoded in it once more, as the specification asks for commas.
fn parse(text: &str) -> Result<ReferencedBy, Failure> {
    if text.is_empty() {
        return Ok(ReferencedBy(Vec::new()));
    }
    let views: Vec<&str> = text.split(',').collect();
    if views.len() > VIEWS_MAX {
        return Err(Failure::bad_request(format!("referenced-by names more than {VIEWS_MAX} views")));
    }
    views.into_iter().map(view).collect::<Result<_, _>>().map(ReferencedBy)
}

/// `<namespace><separator><view>`: the last separator ends the namespace.
fn view(text: &str) -> Result<(Namespace, String), Failure> {
    let broken = |why: &str| Failure::bad_request(format!("referenced-by: '{text}' {why}"));
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| broken("is not UTF-8"))?;
    let mut levels = path::levels(&decoded).map_err(|_| broken("is empty"))?;
    let name = levels.pop().filter(|name| !name.is_empty()).ok_or_else(|| broken("has no view name"))?;
    let namespace = Namespace::new(levels).map_err(|error: InvalidName| broken(&error.to_string()))?;
    Ok((namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(Vec<String>, String)> {
        let ReferencedBy(views) = parse(text).unwrap();
        views.into_iter().map(|(namespace, name)| (namespace.levels().to_vec(), name)).collect()
    }

    fn name(levels: &[&str], name: &str) -> (Vec<String>, String) {
        (levels.iter().map(|&level| level.to_owned()).collect(), name.to_owned())
    }

    #[test]
    fn views_are_read_in_order_however_their_separators_are_encoded() {
        let expected =
            [name(&["prod", "analytics"], "quarterly_view"), name(&["prod", "analytics"], "monthly_view")];
        for text in [
            "prod\u{1f}analytics\u{1f}quarterly_view,prod\u{1f}analytics\u{1f}monthly_view",
            "prod%1Fanalytics%1Fquarterly_view,prod%1Fanalytics%1Fmonthly_view",
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
        assert_eq!(names("a%1Fone%2Ctwo"), [name(&["a"], "one,two")]);
        assert_eq!(names(""), []);
    }

    #[test]
    fn what_names_no_view_is_refused() {
        let many = vec!["a%1Fv"; VIEWS_MAX + 1].join(",");
        for text in ["view", ",", "a%1Fv,", "a%1F", "%1Fv", "a%1F%1Fv", "a%1F%FF", "a%0Ab%1Fv", many.as_str()]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
