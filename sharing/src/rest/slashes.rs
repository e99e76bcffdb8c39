//! Paths with a slash too many: some clients put one between an endpoint and a path that begins with one.
//!
//! No name has a slash and none is empty, so such a path can mean one thing only.

use axum::extract::Request;
use http::Uri;

/// The request, its path with single slashes.
pub(super) fn single(mut request: Request) -> Request {
    if let Some(uri) = collapsed(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

/// `None` where nothing is to be changed.
fn collapsed(uri: &Uri) -> Option<Uri> {
    if !uri.path().contains("//") {
        return None;
    }
    let names: Vec<&str> = uri.path().split('/').filter(|name| !name.is_empty()).collect();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("/{}{query}", names.join("/")).parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_too_many_are_left_out_of_the_path_only() {
        let of = |uri: &str| collapsed(&uri.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(of("//shares///a%2Fb//?x=//y").as_deref(), Some("/shares/a%2Fb?x=//y"));
        assert_eq!(of("//").as_deref(), Some("/"));
        assert_eq!(of("/shares/a/?x=//y"), None);
    }
}
