//! Requests through the router over a core in memory, answers compared whole.

mod access;
mod bucket;
mod changes;
mod checksum;
mod condition;
mod copy;
mod delete_objects;
mod fuzz;
mod inventory;
mod list;
mod malformed;
mod metadata;
mod multipart;
mod object;
mod tagging;
mod window;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use tarn_openapi::access::{Ask, Authorize, Denied, Principal};
use tarn_openapi::request::{Authenticated, RequestId};
use tower::ServiceExt as _;

use super::{BucketUses, MetadataTables, S3Front, Window, router};
use crate::ObjectCore;
use crate::name::BucketName;

/// Allows root everything and everyone else nothing.
struct OnlyRoot;

impl Authorize for OnlyRoot {
    fn authorize(&self, principal: &Principal, _: Ask<'_>) -> Result<(), Denied> {
        match principal {
            Principal::Root => Ok(()),
            Principal::Anonymous | Principal::AccessKey(_) | Principal::Session(_) | Principal::Web(_) => {
                Err(Denied)
            }
        }
    }
}

/// A front over a core in memory with the bucket `abc`.
struct Front {
    router: Router,
    principal: Principal,
    authenticated: Authenticated,
}

/// Something rests on the bucket `held`.
struct HeldIsHeld;

impl BucketUses for HeldIsHeld {
    fn holds(&self, bucket: &BucketName) -> Option<String> {
        (bucket.as_str() == "held").then(|| "Drop what rests on it first.".to_owned())
    }
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Front {
    async fn new() -> Self {
        let front = Self::over(Arc::new(OnlyRoot)).await;
        assert_eq!(front.put("/abc", "").await.status, StatusCode::OK);
        front
    }

    async fn over(authorize: Arc<dyn Authorize>) -> Self {
        Self::of(ObjectCore::in_memory(4).await, authorize)
    }

    /// With the window `shown` to what of the system's objects begins with `seen/`.
    fn of(core: ObjectCore, authorize: Arc<dyn Authorize>) -> Self {
        let domains = vec!["s3.tarn.test".to_owned()];
        let uses = Arc::new(HeldIsHeld);
        let inventories = Arc::new(inventory::Texts::default());
        let metadata: Option<Arc<dyn MetadataTables>> = Some(Arc::new(metadata::Kept::default()));
        let region = "eu-central-1".to_owned();
        let name = BucketName::new("shown").unwrap();
        let window = Some(Window { name, prefix: "seen/".to_owned(), link: "/to/".to_owned() });
        let router =
            router(S3Front { core, authorize, uses, inventories, metadata, region, domains, window });
        Self { router, principal: Principal::Root, authenticated: Authenticated::SignedHeader }
    }

    fn as_principal(&self, principal: Principal, authenticated: Authenticated) -> Self {
        Self { router: self.router.clone(), principal, authenticated }
    }

    async fn send(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body.into()).unwrap();
        request.extensions_mut().insert(self.principal.clone());
        request.extensions_mut().insert(self.authenticated);
        request.extensions_mut().insert(RequestId("R1".into()));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn get(&self, uri: &str) -> Answer {
        self.send("GET", uri, &[], "").await
    }

    async fn put(&self, uri: &str, body: &'static str) -> Answer {
        self.put_with(uri, &[], body).await
    }

    /// Puts with the length that a listener would have seen.
    async fn put_with(&self, uri: &str, headers: &[(&str, &str)], body: &'static str) -> Answer {
        let length = body.len().to_string();
        let mut all = vec![("content-length", length.as_str())];
        all.extend_from_slice(headers);
        self.send("PUT", uri, &all, body).await
    }

    async fn post(&self, uri: &str, body: &str) -> Answer {
        self.send("POST", uri, &[], body.to_owned()).await
    }

    async fn delete(&self, uri: &str) -> Answer {
        self.send("DELETE", uri, &[], "").await
    }

    /// Begins an upload and tells its id.
    async fn upload(&self, uri: &str, headers: &[(&str, &str)]) -> String {
        let answer = self.send("POST", &format!("{uri}?uploads"), headers, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.text_of("UploadId")
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The text of the first element of that name.
    fn text_of(&self, element: &str) -> String {
        let (_, rest) = self.body.split_once(&format!("<{element}>")).expect(&self.body);
        rest.split_once(&format!("</{element}>")).expect(&self.body).0.to_owned()
    }

    /// Status and code of an error.
    fn error(&self) -> (u16, String) {
        let code = if self.body.contains("<Code>") { self.text_of("Code") } else { String::new() };
        (self.status.as_u16(), code)
    }

    /// The XML behind its declaration, with every date replaced by `DATE`.
    fn xml(&self) -> String {
        assert_eq!(self.header("content-type"), "application/xml");
        let xml = self.body.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").expect(&self.body);
        let mut out = xml.replace(" xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"", "");
        for element in ["LastModified", "CreationDate", "Initiated"] {
            let (open, close) = (format!("<{element}>"), format!("</{element}>"));
            let pieces: Vec<&str> = out.split(&open).collect();
            let rest: Vec<String> = pieces[1..]
                .iter()
                .map(|piece| format!("{open}DATE{close}{}", piece.split_once(&close).unwrap().1))
                .collect();
            out = pieces[0].to_owned() + &rest.concat();
        }
        out
    }
}

/// `(status, code)` of an expected error.
fn failed(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
