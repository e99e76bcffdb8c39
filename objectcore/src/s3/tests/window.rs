//! What of the system's own objects is seen through the window `shown`.

use std::sync::Arc;

use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use tarn_openapi::access::{
    Ask, Authorize, Denied, Prefix, PrefixAccess, Presence, Principal, Restriction, Session, TableFiles,
};
use tarn_openapi::request::Authenticated;

use super::{Front, failed};
use crate::name::BucketName;
use crate::{CoreStore, ObjectCore};

/// Root may do everything, and a session what it is restricted to.
struct Restricted;

impl Authorize for Restricted {
    fn authorize(&self, principal: &Principal, ask: Ask<'_>) -> Result<(), Denied> {
        let within = principal
            .sessions()
            .all(|session| session.restriction.prefixes_allow(ask.action, ask.resource) == Some(true));
        within.then_some(()).ok_or(Denied)
    }
}

fn session(restriction: Restriction) -> Principal {
    let id = "session".into();
    Principal::Session(Arc::new(Session {
        id,
        parent: Principal::Root,
        restriction,
        expires: 0,
        ticket: None,
    }))
}

fn places() -> [Prefix; 3] {
    [("shown", "seen/t"), ("shown", "unseen/t"), ("abc", "data")]
        .map(|(bucket, path)| Prefix::new(bucket, path, PrefixAccess::ReadWrite).unwrap())
}

fn of_files() -> Principal {
    session(Restriction::Files(Arc::new(TableFiles {
        prefixes: places().into(),
        warehouse: "abc".into(),
        levels: ["ns".to_owned()].into(),
        name: "t".into(),
        uuid: 1,
        presence: Presence::There,
    })))
}

async fn front() -> Front {
    let core = ObjectCore::in_memory(4).await;
    core.create_bucket(&BucketName::system()).await.ok();
    let own = CoreStore::new(core.clone(), BucketName::system());
    for key in ["seen/t/1", "seen/u/1", "unseen/t/1"] {
        own.put(&Path::from(key), "own".into()).await.unwrap();
    }
    let front = Front::of(core, Arc::new(Restricted));
    for (path, body) in [("/abc", ""), ("/abc/data/1", "of abc"), ("/abc/else/1", "of abc")] {
        assert_eq!(front.put(path, body).await.error(), failed(200, ""));
    }
    front
}

#[tokio::test]
async fn a_session_of_files_reads_what_it_names_and_writes_nothing() {
    let front = front().await.as_principal(of_files(), Authenticated::SignedHeader);
    assert_eq!(front.get("/shown/seen/t/1").await.body, "own");
    assert_eq!(front.send("HEAD", "/shown/seen/t/1", &[], "").await.error(), failed(200, ""));
    assert_eq!(front.get("/shown/seen/t/2").await.error(), failed(404, "NoSuchKey"));
    let listed = front.get("/shown?list-type=2&prefix=seen/t/").await;
    assert_eq!([listed.text_of("Name"), listed.text_of("Key")], ["shown", "seen/t/1"], "{}", listed.body);
    for (method, uri) in [
        ("GET", "/shown/seen/u/1"),
        ("GET", "/shown/unseen/t/1"),
        ("GET", "/shown?list-type=2"),
        ("GET", "/shown?list-type=2&prefix=seen/"),
        ("GET", "/shown?versions&prefix=seen/t/"),
        ("GET", "/shown/seen/t/1?attributes"),
        ("PUT", "/shown/seen/t/1"),
        ("PUT", "/shown/seen/t/2"),
        ("DELETE", "/shown/seen/t/1"),
        ("POST", "/shown/seen/t/1?uploads"),
        ("POST", "/shown?delete"),
        ("PUT", "/shown"),
        ("DELETE", "/shown"),
    ] {
        let answer = front.send(method, uri, &[("content-length", "0")], "").await;
        assert_eq!(answer.error(), failed(403, "AccessDenied"), "{method} {uri}");
    }
    assert_eq!(front.get("/shown/seen/t/1").await.body, "own");
}

#[tokio::test]
async fn a_link_is_another_name_for_an_object_and_no_other_right() {
    let root = front().await;
    let front = root.as_principal(of_files(), Authenticated::SignedHeader);
    for (uri, body) in [
        ("/shown/seen/t/to/abc/data/1", "of abc"),
        ("/shown/seen/x/to/abc/data/1", "of abc"),
        ("/shown/seen/t/to/shown/seen/t/1", "own"),
    ] {
        assert_eq!(front.get(uri).await.body, body, "{uri}");
        assert_eq!(front.send("HEAD", uri, &[], "").await.error(), failed(200, ""), "{uri}");
    }
    for (uri, code) in [
        ("/shown/seen/t/to/abc/data/2", failed(404, "NoSuchKey")),
        ("/shown/seen/t/to/abc/else/1", failed(403, "AccessDenied")),
        ("/shown/seen/t/to/abc", failed(403, "AccessDenied")),
        ("/shown/seen/t/to/.tarn/seen/t/1", failed(403, "AccessDenied")),
        ("/shown/seen/t/to/shown/unseen/t/1", failed(403, "AccessDenied")),
        ("/shown/seen/t/to/shown/seen/t/to/abc/data/1", failed(403, "AccessDenied")),
        ("/shown/unseen/t/to/abc/data/1", failed(403, "AccessDenied")),
    ] {
        assert_eq!(front.get(uri).await.error(), code, "{uri}");
    }
    for method in ["PUT", "DELETE"] {
        let answer = front.send(method, "/shown/seen/t/to/abc/data/1", &[("content-length", "0")], "").await;
        assert_eq!(answer.error(), failed(403, "AccessDenied"), "{method}");
    }
    assert_eq!(root.get("/shown/seen/t/to/abc/else/1").await.body, "of abc");
    assert_eq!(root.get("/shown/seen/t/to/shown/seen/t/1").await.error(), failed(403, "AccessDenied"));
}

#[tokio::test]
async fn rights_to_buckets_and_other_sessions_do_not_open_a_window() {
    let front = front().await;
    let others =
        [Principal::Root, Principal::AccessKey("a".into()), session(Restriction::Prefixes(places().into()))];
    for principal in others {
        let front = front.as_principal(principal.clone(), Authenticated::SignedHeader);
        for uri in ["/shown", "/shown/seen/t/1", "/shown?list-type=2&prefix=seen/t/", "/shown?location"] {
            assert_eq!(front.get(uri).await.error(), failed(403, "AccessDenied"), "{principal:?} {uri}");
        }
        let made = front.send("PUT", "/shown", &[("content-length", "0")], "").await;
        assert_eq!(made.error(), failed(403, "AccessDenied"), "{principal:?}");
    }
}
