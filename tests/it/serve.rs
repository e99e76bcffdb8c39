//! The program as a whole: starts, is asked, stops.

use reqwest::{Method, StatusCode};

use crate::support::{ACCESS_KEY, SECRET_KEY, Tarn};

#[tokio::test]
async fn a_server_keeps_what_it_acknowledged_over_a_stop_and_a_kill() {
    let mut tarn = Tarn::start(4).await;
    assert_eq!(tarn.send(Method::PUT, "/kept", b"").await.status(), StatusCode::OK);
    assert_eq!(tarn.send(Method::PUT, "/kept/key", b"value").await.status(), StatusCode::OK);
    tarn.stop().await;
    tarn.restart().await;
    assert_eq!(tarn.send(Method::PUT, "/kept/other", b"second").await.status(), StatusCode::OK);
    tarn.kill();
    tarn.restart().await;
    for (key, value) in [("key", "value"), ("other", "second")] {
        let answer = tarn.send(Method::GET, &format!("/kept/{key}"), b"").await;
        assert_eq!(answer.text().await.unwrap(), value);
    }
}

#[tokio::test]
async fn requests_without_or_with_wrong_credentials_are_refused_in_their_protocol() {
    let tarn = Tarn::start(1).await;
    let wrong = tarn.send_as(("tarn-test-root", "another-secret"), Method::GET, "/", b"").await;
    assert_eq!(wrong.status(), StatusCode::FORBIDDEN);
    assert!(wrong.text().await.unwrap().contains("<Code>SignatureDoesNotMatch</Code>"));
    let wrong = tarn.send_as(("nobody", "another-secret"), Method::GET, "/_iceberg/v1/config", b"").await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    let error: serde_json::Value = wrong.json().await.unwrap();
    assert_eq!(error["error"]["type"], "NotAuthorizedException");
    for (path, status) in [
        ("/", StatusCode::FORBIDDEN),
        ("/_admin/v1/status", StatusCode::UNAUTHORIZED),
        ("/_metrics", StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(reqwest::get(tarn.endpoint() + path).await.unwrap().status(), status, "{path}");
    }
}

#[tokio::test]
async fn a_key_made_on_the_command_line_works_until_it_is_deleted() {
    let tarn = Tarn::start(1).await;
    let (code, made, error) = tarn.run(&["admin", "key", "create", "--policy", "readonly", "--json"]);
    assert_eq!(code, 0, "{error}");
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let list = tarn.send_as((id, secret), Method::GET, "/main", b"").await;
    assert_eq!(list.status(), StatusCode::OK);
    let put = tarn.send_as((id, secret), Method::PUT, "/main/key", b"value").await;
    assert_eq!(put.status(), StatusCode::FORBIDDEN);
    let status = tarn.send_as((id, secret), Method::GET, "/_admin/v1/status", b"").await;
    assert_eq!(status.status(), StatusCode::FORBIDDEN);
    let retry = "/_admin/v1/drives/retry";
    let refused = tarn.send_as((id, secret), Method::POST, retry, b"").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let retried = tarn.send_as((ACCESS_KEY, SECRET_KEY), Method::POST, retry, b"").await;
    assert_eq!(retried.status(), StatusCode::ACCEPTED);
    assert_eq!(retried.json::<serde_json::Value>().await.unwrap()["drives_not_online"], 0);
    assert!(tarn.run(&["admin", "key", "list"]).1.contains(id));
    assert_eq!(tarn.run(&["admin", "key", "delete", id]).0, 0);
    assert_eq!(tarn.run(&["admin", "key", "delete", id]).0, 4);
    let gone = tarn.send_as((id, secret), Method::GET, "/main", b"").await;
    assert!(gone.text().await.unwrap().contains("<Code>InvalidAccessKeyId</Code>"));
    let (code, status, _) = tarn.run(&["status"]);
    assert!(code == 0 && status.contains("set 0: 1+0") && status.contains("online"), "{status}");
}

#[tokio::test]
async fn metrics_and_status_need_an_administrator_and_no_secret_reaches_the_log() {
    let tarn = Tarn::start(2).await;
    let form = format!("grant_type=client_credentials&client_id={ACCESS_KEY}&client_secret={SECRET_KEY}");
    let ask = |url: String| {
        reqwest::Client::new().post(url).header("content-type", "application/x-www-form-urlencoded")
    };
    let answer = ask(tarn.endpoint() + "/_iceberg/v1/oauth/tokens").body(form).send().await.unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    let token = answer["access_token"].as_str().unwrap();
    let metrics =
        reqwest::Client::new().get(tarn.endpoint() + "/_metrics").bearer_auth(token).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for name in ["tarn_http_requests_total", "tarn_catalog_commits_total", "tarn_drive_sync_seconds"] {
        assert!(metrics.contains(name), "{name} is missing in {metrics}");
    }
    let document: serde_json::Value =
        reqwest::get(tarn.endpoint() + "/_openapi.json").await.unwrap().json().await.unwrap();
    assert!(document["paths"]["/_iceberg/v1/oauth/tokens"].is_object());

    let (_, made, _) = tarn.run(&["admin", "key", "create", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let secret = made["secret"].as_str().unwrap();
    let wrong = tarn.send_as((ACCESS_KEY, secret), Method::GET, "/", b"").await;
    assert_eq!(wrong.status(), StatusCode::FORBIDDEN);
    let log = tarn.log();
    assert!(log.contains("created an access key"), "{log}");
    for secret in [SECRET_KEY, secret, token] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
}

#[tokio::test]
async fn a_method_that_a_route_does_not_take_is_refused_in_words_and_told_which_it_takes() {
    let tarn = Tarn::start(1).await;
    for (path, allowed) in [("/_health/ready", "GET,HEAD"), ("/_iceberg/v1/oauth/tokens", "POST")] {
        let wrong = reqwest::Client::new().request(Method::TRACE, tarn.endpoint() + path);
        let answer = wrong.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.headers()["allow"], allowed, "{path}");
        let body: serde_json::Value = answer.json().await.unwrap();
        assert!(!body["error"].is_null(), "{path}: {body}");
    }
}

#[tokio::test]
async fn a_parameter_of_the_admin_api_that_cannot_be_read_is_refused_in_its_envelope() {
    let tarn = Tarn::start(1).await;
    for target in ["/_admin/v1/functions?page_size=-1", "/_admin/v1/functions/main/a/%FF"] {
        let answer = tarn.send(Method::GET, target, b"").await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{target}");
        let body: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], "InvalidRequest", "{target}");
    }
}

#[tokio::test]
async fn the_bucket_of_a_warehouse_goes_only_with_its_warehouse() {
    let tarn = Tarn::start(1).await;
    let refused = tarn.send(Method::DELETE, "/main", b"").await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    let told = refused.text().await.unwrap();
    assert!(told.contains("<Code>BucketNotEmpty</Code>"), "{told}");
    assert!(told.contains("DELETE /_iceberg/v1/warehouses/main"), "{told}");
    let dropped = tarn.send(Method::DELETE, "/_iceberg/v1/warehouses/main", b"").await;
    assert_eq!(dropped.status(), StatusCode::NO_CONTENT);
    assert_eq!(tarn.send(Method::HEAD, "/main", b"").await.status(), StatusCode::NOT_FOUND);
    // A bucket that is no warehouse is deleted as ever.
    assert_eq!(tarn.send(Method::PUT, "/plain", b"").await.status(), StatusCode::OK);
    assert_eq!(tarn.send(Method::DELETE, "/plain", b"").await.status(), StatusCode::NO_CONTENT);
}
