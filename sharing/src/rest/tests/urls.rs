//! URLs of an answer at the gateway.

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;

/// What is answered to the first URL of a query.
async fn fetch(world: &World) -> (u16, String) {
    let told = world.query(ORDERS, &[], empty()).await.lines();
    let url = told[2]["file"]["url"].as_str().unwrap();
    let path = url.strip_prefix("https://tarn.example").unwrap();
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (parts, body) = world.files.clone().oneshot(request).await.unwrap().into_parts();
    (parts.status.as_u16(), String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

#[tokio::test]
async fn a_url_of_an_answer_opens_its_file_until_its_time_and_no_longer() {
    assert_eq!(fetch(&world().await).await, (200, "ten bytes.".into()));
    for lifetime_s in [0, -1] {
        let (status, told) = fetch(&world_of(lifetime_s).await).await;
        assert!(status == 403 && told.contains("expired") && !told.contains("ten"), "{status} {told}");
    }
}
