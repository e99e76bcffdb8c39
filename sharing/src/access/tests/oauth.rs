use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::super::{Refusal, routes};
use super::{DAY, HOUR, World, from, world, world_with};
use crate::directory::Status;

const TOKEN: &str = "/_delta-sharing/oauth/token";
const GRANT: &str = "grant_type=client_credentials";

/// Asks a route, as a sender from 192.0.2.1.
pub(super) async fn ask(
    world: &World,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(path).extension(from("192.0.2.1"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let (parts, body) = routes(world.access.clone()).oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

/// Asks for a token: `Authorization`, where there is one, and a form.
async fn token(world: &World, authorization: Option<&str>, form: &str) -> (StatusCode, HeaderMap, Value) {
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
    headers.extend(authorization.map(|value| ("authorization", value)));
    let (status, headers, body) = ask(world, "POST", TOKEN, &headers, form).await;
    (status, headers, serde_json::from_str(&body).unwrap())
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// A client that lasts for `lasts_ms`: its id and secret.
async fn client(world: &mut World, lasts_ms: i64) -> (String, String) {
    let (token, secret) = world.access.issue_client_secret(now() + lasts_ms, now()).unwrap();
    world.recipient.tokens.push(token.clone());
    world.put(&world.recipient).await;
    (token.id.to_string(), secret.to_string())
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

#[tokio::test]
async fn a_client_gets_a_short_token_that_ends_with_the_client() {
    let mut world = world().await;
    let (id, secret) = client(&mut world, 90 * DAY).await;
    let forms = [
        (Some(basic(&id, &secret)), GRANT.to_owned()),
        (
            Some(basic(&id, &secret).replacen("Basic", "basic", 1)),
            format!("{GRANT}&scope=all&client_id={id}"),
        ),
        (None, format!("{GRANT}&client_id={id}&client_secret={secret}")),
    ];
    for (authorization, form) in forms {
        let (status, headers, body) = token(&world, authorization.as_deref(), &form).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!((&body["token_type"], &body["expires_in"]), (&"Bearer".into(), &3600.into()));
        let jwt = body["access_token"].as_str().unwrap();
        let reader = world.reads(jwt, now()).await.unwrap();
        assert_eq!((reader.token.to_string(), &reader.recipient.name), (id.clone(), &"Acme".to_owned()));
        assert_eq!(world.reads(jwt, now() + HOUR).await.unwrap_err(), Refusal::Expired);
        let mut without = world.recipient.clone();
        without.tokens.pop();
        world.put(&without).await;
        assert_eq!(world.reads(jwt, now()).await.unwrap_err(), Refusal::Invalid);
        let (status, ..) = token(&world, Some(&basic(&id, &secret)), GRANT).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        world.put(&world.recipient).await;
    }
}

#[tokio::test]
async fn a_token_of_a_client_ends_no_later_than_the_client() {
    let mut world = world().await;
    let (id, secret) = client(&mut world, HOUR / 2).await;
    let (_, _, body) = token(&world, Some(&basic(&id, &secret)), GRANT).await;
    let expires_in = body["expires_in"].as_i64().unwrap();
    assert!((1..=1_800).contains(&expires_in), "{expires_in}");
}

#[tokio::test]
async fn whoever_has_not_the_secret_gets_no_token() {
    let mut world = world().await;
    let (id, secret) = client(&mut world, DAY).await;
    let bearer = world.recipient.tokens[0].id.to_string();
    let hash = super::super::issue::sha256_hex(&secret);
    let wrong = [
        basic(&id, ""),
        basic(&id, "x"),
        basic(&id, &hash),
        basic(&id, &format!("{secret}x")),
        basic("", &secret),
        basic("x", &secret),
        basic(&uuid::Uuid::new_v4().to_string(), &secret),
        basic(&bearer, &secret),
        basic(&bearer, &world.jwt),
        "Basic".into(),
        "Basic !".into(),
        format!("Bearer {}", world.jwt),
    ];
    for authorization in wrong {
        let (status, headers, body) = token(&world, Some(&authorization), GRANT).await;
        assert_eq!((status, &body["error"]), (StatusCode::UNAUTHORIZED, &"invalid_client".into()), "{body}");
        assert_eq!(headers["www-authenticate"], "Basic realm=\"tarn\"");
    }
    let (status, ..) = token(&world, None, GRANT).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    world.recipient.status = Status::Disabled;
    world.put(&world.recipient).await;
    let (status, ..) = token(&world, Some(&basic(&id, &secret)), GRANT).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_form_that_asks_for_something_else_is_refused() {
    let mut world = world().await;
    let (id, secret) = client(&mut world, DAY).await;
    let authorization = basic(&id, &secret);
    for (form, error) in [
        ("", "invalid_request"),
        ("grant_type=password", "unsupported_grant_type"),
        ("grant_type=CLIENT_CREDENTIALS", "unsupported_grant_type"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&client_secret=x", "invalid_request"),
        ("grant_type=client_credentials&client_id=other", "invalid_request"),
    ] {
        let (status, headers, body) = token(&world, Some(&authorization), form).await;
        assert_eq!((status, &body["error"]), (StatusCode::BAD_REQUEST, &error.into()), "{form}");
        assert_eq!(headers["cache-control"], "no-store");
    }
    let long = format!("{GRANT}&scope={}", "a".repeat(20_000));
    let (status, ..) = token(&world, Some(&authorization), &long).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let json = [("content-type", "application/json"), ("authorization", authorization.as_str())];
    let (status, ..) = ask(&world, "POST", TOKEN, &json, "{}").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    // Nothing is read from a query: addresses end up in logs.
    let path = format!("{TOKEN}?{GRANT}&client_id={id}&client_secret={secret}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(ask(&world, "POST", &path, &form, "").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(ask(&world, "GET", &path, &form, "").await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_client_comes_from_its_recipients_addresses_and_at_its_rate() {
    let mut world = world_with(None, 2).await;
    let (id, secret) = client(&mut world, DAY).await;
    world.recipient.addresses = vec!["198.51.100.0/24".into()];
    world.put(&world.recipient).await;
    let (status, _, body) = token(&world, Some(&basic(&id, &secret)), GRANT).await;
    assert_eq!((status, &body["error"]), (StatusCode::FORBIDDEN, &"unauthorized_client".into()));
    world.recipient.addresses = vec!["192.0.2.1".into()];
    world.recipient.requests_per_second = Some(0);
    world.put(&world.recipient).await;
    let (status, headers, _) = token(&world, Some(&basic(&id, &secret)), GRANT).await;
    assert_eq!((status, &headers["retry-after"]), (StatusCode::TOO_MANY_REQUESTS, &"60".parse().unwrap()));
}

#[tokio::test]
async fn the_public_keys_are_told_to_everybody() {
    let world = world().await;
    let (status, _, body) = ask(&world, "GET", "/_delta-sharing/.well-known/jwks.json", &[], "").await;
    let keys: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, keys), (StatusCode::OK, world.access.jwks(now()).unwrap()));
}
