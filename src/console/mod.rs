//! The console: one page that shows saved reports.
//!
//! - K1: the page is static and tells nothing. What it shows it asks the admin API for, with a bearer token that whoever looks at
//!   it gets for a key and its secret; both are in its memory only, and in no URL.
//! - K2: it runs no script but its own, loads nothing from elsewhere, and is shown in no frame. What it shows of names is text.

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderName, HeaderValue, header};

/// What the page may do (K2). Charts are images made of what the API answered.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob:; connect-src 'self'; \
    form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-cache"),
];

/// The routes, with their full paths.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route(
            "/_console/reports",
            get(async || file("text/html; charset=utf-8", include_str!("reports.html"))),
        )
        .route(
            "/_console/reports.css",
            get(async || file("text/css; charset=utf-8", include_str!("reports.css"))),
        )
        .route(
            "/_console/reports.js",
            get(async || file("text/javascript; charset=utf-8", include_str!("reports.js"))),
        )
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let mut response = ([(header::CONTENT_TYPE, kind)], text).into_response();
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    /// K2: nothing inline, nothing from elsewhere, no text that becomes markup.
    #[test]
    fn the_page_has_no_inline_script_or_style_and_loads_nothing_from_elsewhere() {
        let (page, script) = (include_str!("reports.html"), include_str!("reports.js"));
        for forbidden in ["<script>", "onclick", "onload", "style=", "http:", "https:", "<style"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "eval(",
            "document.write",
            "localStorage",
            "sessionStorage",
        ] {
            assert!(!script.contains(forbidden), "{forbidden}");
        }
        assert!(page.is_ascii() && script.is_ascii());
    }
}
