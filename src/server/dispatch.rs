//! Sends a request to the front its path belongs to. Not a router: S3 keys are any text, and the
//! catalog's mounts must not hide a bucket called `iceberg`.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::uri::PathAndQuery;
use http::{Request, Uri};
use tower::ServiceExt as _;

use crate::identity::answer::Protocol;
use crate::identity::{oauth, sts};

/// The fronts.
#[derive(Clone)]
pub(crate) struct Fronts {
    pub(crate) s3: Router,
    /// Its routes begin with `/v1`.
    pub(crate) iceberg: Router,
    /// The token endpoint, below both mounts of the catalog.
    pub(crate) tokens: Router,
    /// Temporary credentials, on the root path of S3.
    pub(crate) sts: Router,
    /// Delta Sharing, and the files of its tables.
    pub(crate) sharing: Router,
    /// Everything else below `/_`.
    pub(crate) own: Router,
}

impl Fronts {
    pub(crate) async fn dispatch(self, mut request: Request<Body>) -> Response {
        let path = request.uri().path();
        let front = match Protocol::of_request(&request) {
            Protocol::Iceberg if oauth::is_token_path(path) => self.tokens,
            Protocol::S3 if sts::is_sts(&request) => self.sts,
            Protocol::S3 => self.s3,
            Protocol::Sharing => self.sharing,
            Protocol::Plain => self.own,
            Protocol::Iceberg => {
                if let Some(inner) = below_mount(request.uri()) {
                    *request.uri_mut() = inner;
                }
                self.iceberg
            }
        };
        front.oneshot(request).await.unwrap_or_else(|never| match never {})
    }
}

/// The URI without the catalog's mount.
fn below_mount(uri: &Uri) -> Option<Uri> {
    let target = uri.path_and_query()?.as_str();
    let below = target.strip_prefix("/_iceberg").or_else(|| target.strip_prefix("/iceberg"))?;
    let below = if below.starts_with('/') { below.to_owned() } else { format!("/{below}") };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(below.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_taken_off_and_nothing_else_changes() {
        for (from, to) in [
            ("/_iceberg/v1/config?warehouse=a%2Fb", "/v1/config?warehouse=a%2Fb"),
            ("/iceberg/v1/namespaces/a%1Fb", "/v1/namespaces/a%1Fb"),
            ("/_iceberg", "/"),
            ("/_iceberg?x", "/?x"),
        ] {
            assert_eq!(below_mount(&from.parse().unwrap()).unwrap().to_string(), to);
        }
    }
}
