//! Answers while they are written.

use std::sync::atomic::Ordering;

use axum::body::Body;
use http::StatusCode;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;
use crate::directory::Status;
use crate::table::{Deletes, ListBuilder, OWN_BUCKET, Place};

/// What a frame may take: the files of one chunk.
const FRAME_BYTES_MAX: usize = 1 << 20;

#[tokio::test]
async fn a_table_of_200_000_files_is_told_piece_by_piece() {
    const FILES: u64 = 200_000;
    let world = world().await;
    world.table.change(|state| state.versions.push(version(3, 0..FILES)));
    let request = world.request("POST", &format!("{ORDERS}/query"), &[END], Body::empty());
    let mut body = world.router.clone().oneshot(request).await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    // The head comes before any file was looked at.
    assert_eq!(String::from_utf8_lossy(&first).lines().count(), 2);
    let (mut lines, mut pieces, mut last) = (0_u64, 0_u64, Vec::new());
    while let Some(frame) = body.frame().await {
        let piece = frame.unwrap().into_data().unwrap();
        assert!(piece.len() < FRAME_BYTES_MAX && piece.ends_with(b"\n"));
        lines += piece.iter().filter(|&&byte| byte == b'\n').count() as u64;
        pieces += 1;
        last = piece.to_vec();
    }
    assert_eq!(lines, FILES + 1);
    assert!(pieces > FILES / 600, "{pieces}");
    let last: Value = serde_json::from_slice(&last).unwrap();
    assert!(last["endStreamAction"]["errorMessage"].is_null());
}

/// A version that says of itself what its files are not.
fn lies(state: &mut State) {
    let mut latest = version(3, []);
    let mut list = ListBuilder::default();
    for number in 0..1000 {
        with_file(number, None, |file| list.push(file));
    }
    let at = Place { bucket: OWN_BUCKET, key: "v" };
    let deletes = Deletes { at, file_size: 9, offset: 1, size: 4, cardinality: 1 };
    with_file(1000, Some(deletes), |file| list.push(file));
    latest.files = list.finish();
    state.versions.push(latest);
}

#[tokio::test]
async fn an_answer_that_breaks_off_says_so_or_does_not_end() {
    let world = world().await;
    world.table.change(lies);
    let told = world.query(ORDERS, &[END], empty()).await;
    let lines = told.lines();
    let end = &lines.last().unwrap()["endStreamAction"];
    assert_eq!(end["errorMessage"], "the parquet format cannot tell that rows of a file are deleted");
    assert_eq!(end["httpStatusErrorCode"], 500);
    assert!(end.get("nextPageToken").is_none() && end.get("refreshToken").is_none());
    for accepted in ["identity", "gzip"] {
        let headers = [("accept-encoding", accepted)];
        let request = world.request("POST", &format!("{ORDERS}/query"), &headers, Body::empty());
        let response = world.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.into_body().collect().await.is_err(), "{accepted}");
    }
}

/// A slow reader of an answer of many files: what it got until `revoke`, and what came after.
async fn read_on(headers: &[(&str, &str)], revoke: impl AsyncFnOnce(&World)) -> Result<String, String> {
    let world = world().await;
    world.table.change(|state| state.versions.push(version(3, 0..20_000)));
    let request = world.request("POST", &format!("{ORDERS}/query"), headers, Body::empty());
    let mut body = world.router.clone().oneshot(request).await.unwrap().into_body();
    while !body.frame().await.unwrap().unwrap().into_data().unwrap().starts_with(b"{\"file\"") {}
    revoke(&world).await;
    match body.collect().await {
        Ok(rest) => Ok(String::from_utf8(rest.to_bytes().to_vec()).unwrap()),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test]
async fn an_answer_ends_when_what_it_stands_on_is_taken_back() {
    async fn ends(revoke: impl AsyncFn(&World)) {
        assert_eq!(read_on(&[], &revoke).await.unwrap_err(), "the table may not be read any more");
        let rest = read_on(&[END], &revoke).await.unwrap();
        let rest: Value = serde_json::from_str(&rest).expect("one line, and no file");
        assert_eq!(
            rest["endStreamAction"],
            serde_json::json!({"errorMessage": "the table may not be read any more", "httpStatusErrorCode": 403})
        );
    }
    ends(async |world| world.change_recipient(|recipient| recipient.grants.clear()).await).await;
    ends(async |world| world.change_recipient(|recipient| recipient.tokens.clear()).await).await;
    ends(async |world| world.change_recipient(|recipient| recipient.status = Status::Disabled).await).await;
    ends(async |world| world.change_share(|share| share.schemas.clear()).await).await;
    ends(async |world| world.rights.0.store(false, Ordering::SeqCst)).await;
    let rest = read_on(&[], async |_: &World| {}).await.unwrap();
    assert!(rest.lines().count() > 19_000);
}
