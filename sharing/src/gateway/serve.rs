//! Answers requests for files.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures::stream::{self, StreamExt as _};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStoreExt as _};
use tarn_openapi::access::Sender;

use super::MOUNT;
use super::range::{Part, part};
use super::url::{InvalidUrl, Signed, Signer};
use crate::access::Gone;
use crate::stores::Stores;

/// Knows whether what a URL was given out for is still there (W2).
pub trait Tickets: Send + Sync + 'static {
    /// `Ok` only while the recipient, its token, its grant, the table in the share and the sharer's right to the file all
    /// stand, for who asks from where it asks. Asked with every piece of a file.
    fn still(&self, signed: &Signed, sender: Option<&Sender>, now_ms: i64) -> Result<(), Gone>;
}

/// What the gateway works with.
pub struct Gateway {
    /// Checks URLs.
    pub signer: Arc<Signer>,
    /// Checks what they stand on.
    pub tickets: Arc<dyn Tickets>,
    /// Where the files lie.
    pub stores: Stores,
}

/// Why a file is not sent. What it says to the reader is all the reader learns (W3).
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    #[error(transparent)]
    Gone(#[from] Gone),
    #[error("the file does not exist any more; read the table again")]
    Missing,
    #[error("the range lies behind the end of the file")]
    Range { size: u64 },
    #[error("the file could not be read")]
    Store(#[source] object_store::Error),
}

/// The gateway's routes, from [`MOUNT`] on.
pub fn router(gateway: Arc<Gateway>) -> Router {
    // A GET route answers HEAD too: clients ask for a file's size that way, with the URL they were given to GET.
    Router::new().route(&format!("{MOUNT}/{{*rest}}"), get(serve)).with_state(gateway)
}

async fn serve(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let head = request.method() == Method::HEAD;
    let (parts, _) = request.into_parts();
    let sender = parts.extensions.get::<Sender>().cloned();
    let path = parts.uri.path().strip_prefix(MOUNT).unwrap_or_default();
    let query = parts.uri.query().unwrap_or_default();
    match gateway.file(path, query, &parts.headers, sender, head).await {
        Ok(response) => response,
        Err(refused) => refused.into_response(),
    }
}

impl Gateway {
    async fn file(
        self: &Arc<Self>,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        sender: Option<Sender>,
        head: bool,
    ) -> Result<Response, Refused> {
        let now = Timestamp::now();
        let signed = self.signer.open(path, query, now.as_second())?;
        self.tickets.still(&signed, sender.as_ref(), now.as_millisecond())?;
        let store = self.stores.of(&signed.bucket);
        // Keys are compared as they are, so a path that says another key opens nothing.
        let key = Path::parse(&signed.key).map_err(|_| Refused::Missing)?;
        let meta = store.head(&key).await?;
        let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
        let (status, range) = match part(asked, meta.size) {
            Part::All => (StatusCode::OK, 0..meta.size),
            Part::Some(range) => (StatusCode::PARTIAL_CONTENT, range),
            Part::Unsatisfiable => return Err(Refused::Range { size: meta.size }),
        };
        let body = if head || range.is_empty() {
            Body::empty()
        } else {
            let options = GetOptions {
                range: Some(GetRange::Bounded(range.clone())),
                // One file, not the start of one and the end of another.
                if_match: meta.e_tag.clone(),
                ..GetOptions::default()
            };
            let found = store.get_opts(&key, options).await?;
            self.body(found, signed, sender)
        };
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        if let Some(tag) = meta.e_tag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
            headers.insert(header::ETAG, tag);
        }
        if status == StatusCode::PARTIAL_CONTENT {
            let told = format!("bytes {}-{}/{}", range.start, range.end - 1, meta.size);
            headers.insert(header::CONTENT_RANGE, HeaderValue::from_str(&told).expect("digits"));
        }
        Ok(response)
    }

    /// The bytes, as long as the URL is worth them (W2).
    fn body(self: &Arc<Self>, found: GetResult, signed: Signed, sender: Option<Sender>) -> Body {
        let (gateway, asked) = (self.clone(), Arc::new((signed, sender)));
        let pieces = found.into_stream();
        Body::from_stream(stream::unfold(Some(pieces), move |pieces| {
            let (gateway, asked) = (gateway.clone(), asked.clone());
            async move {
                let mut pieces = pieces?;
                let piece = pieces.next().await?;
                let (signed, sender) = &*asked;
                let still = gateway.tickets.still(signed, sender.as_ref(), Timestamp::now().as_millisecond());
                match (still, piece) {
                    (Ok(()), Ok(piece)) => Some((Ok(piece), Some(pieces))),
                    (Err(gone), _) => Some((Err(Refused::Gone(gone)), None)),
                    (Ok(()), Err(error)) => {
                        tracing::error!(%error, "a shared file could not be read to its end");
                        Some((Err(Refused::Store(error)), None))
                    }
                }
            }
        }))
    }
}

impl From<object_store::Error> for Refused {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } | object_store::Error::Precondition { .. } => Self::Missing,
            other => Self::Store(other),
        }
    }
}

impl Refused {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            Self::Url(InvalidUrl::Forged | InvalidUrl::Expired) | Self::Gone(Gone) => {
                (StatusCode::FORBIDDEN, "PERMISSION_DENIED")
            }
            Self::Missing => (StatusCode::NOT_FOUND, "RESOURCE_DOES_NOT_EXIST"),
            Self::Range { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "INVALID_PARAMETER_VALUE"),
            Self::Store(error) => {
                tracing::error!(%error, "a shared file could not be read");
                (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR")
            }
        };
        let body = axum::Json(serde_json::json!({"errorCode": code, "message": self.to_string()}));
        let mut response = (status, body).into_response();
        if let Self::Range { size } = self {
            let told = HeaderValue::from_str(&format!("bytes */{size}")).expect("digits");
            response.headers_mut().insert(header::CONTENT_RANGE, told);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use http_body_util::BodyExt as _;
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;
    use tarn_catalog::{InMemoryWarehouses, WarehouseStores as _};
    use tower::ServiceExt as _;
    use uuid::Uuid;

    use super::*;
    use crate::access::Ticket;
    use crate::table::Place;

    #[derive(Default)]
    struct Revocable(AtomicBool);

    impl Tickets for Revocable {
        fn still(&self, _: &Signed, _: Option<&Sender>, _: i64) -> Result<(), Gone> {
            if self.0.load(Ordering::SeqCst) { Err(Gone) } else { Ok(()) }
        }
    }

    struct Fixture {
        router: Router,
        tickets: Arc<Revocable>,
        url: String,
    }

    async fn fixture(key: &str, content: Vec<u8>) -> Fixture {
        let buckets = Arc::new(InMemoryWarehouses::default());
        buckets.store("main").put(&Path::parse(key).unwrap(), content.into()).await.unwrap();
        let stores = Stores::new(buckets, Arc::new(InMemory::new()));
        let (signer, tickets) = (Arc::new(Signer::new(&[1; 32])), Arc::new(Revocable::default()));
        let id = Uuid::from_u128(1);
        let ticket = Ticket { recipient: id, token: id, key: 1, grant: id, table: id };
        let mut url = String::new();
        let expires = Timestamp::now().as_second() + 1000;
        signer.urls("", &ticket, expires).write(Place { bucket: "main", key }, &mut url);
        let router = router(Arc::new(Gateway { signer, tickets: tickets.clone(), stores }));
        Fixture { router, tickets, url }
    }

    impl Fixture {
        async fn ask(
            &self,
            method: &str,
            url: &str,
            range: Option<&str>,
        ) -> (StatusCode, HeaderMap, Vec<u8>) {
            let mut request = http::Request::builder().method(method).uri(url);
            if let Some(range) = range {
                request = request.header("range", range);
            }
            let answer = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let (parts, body) = answer.into_parts();
            (parts.status, parts.headers, body.collect().await.unwrap().to_bytes().to_vec())
        }
    }

    #[tokio::test]
    async fn a_file_is_read_whole_in_part_and_by_head() {
        let fixture = fixture("t/data/a b+%.parquet", b"0123456789".to_vec()).await;
        let (status, headers, body) = fixture.ask("GET", &fixture.url, None).await;
        assert_eq!(
            (status, body.as_slice(), &headers["content-length"]),
            (StatusCode::OK, &b"0123456789"[..], &HeaderValue::from(10))
        );
        let (status, headers, body) = fixture.ask("GET", &fixture.url, Some("bytes=2-4")).await;
        assert_eq!((status, body.as_slice()), (StatusCode::PARTIAL_CONTENT, &b"234"[..]));
        assert_eq!(headers["content-range"], "bytes 2-4/10");
        let (status, headers, body) = fixture.ask("HEAD", &fixture.url, None).await;
        assert_eq!(
            (status, body.len(), &headers["content-length"]),
            (StatusCode::OK, 0, &HeaderValue::from(10))
        );
        assert_eq!(headers["accept-ranges"], "bytes");
        let (status, headers, _) = fixture.ask("GET", &fixture.url, Some("bytes=10-")).await;
        assert_eq!(
            (status, &headers["content-range"]),
            (StatusCode::RANGE_NOT_SATISFIABLE, &HeaderValue::from_static("bytes */10"))
        );
    }

    #[tokio::test]
    async fn an_altered_url_and_one_whose_ticket_is_gone_open_nothing() {
        let fixture = fixture("t/a", b"secret".to_vec()).await;
        let altered = fixture.url.replace("/t/a?", "/t/b?");
        for url in [altered.as_str(), "/_delta-sharing/files/x", "/_delta-sharing/files/a/b/c?Expires=1"] {
            let (status, _, body) = fixture.ask("GET", url, None).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{url}");
            assert!(!String::from_utf8_lossy(&body).contains("secret"));
        }
        fixture.tickets.0.store(true, Ordering::SeqCst);
        for method in ["GET", "HEAD"] {
            assert_eq!(fixture.ask(method, &fixture.url, None).await.0, StatusCode::FORBIDDEN);
        }
        assert_eq!(fixture.ask("PUT", &fixture.url, None).await.0, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn a_download_that_runs_ends_when_its_ticket_goes() {
        let fixture = fixture("t/a", vec![7; 64]).await;
        let request = http::Request::get(&fixture.url).body(Body::empty()).unwrap();
        let answer = fixture.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        fixture.tickets.0.store(true, Ordering::SeqCst);
        assert!(answer.into_body().collect().await.is_err());
    }
}
