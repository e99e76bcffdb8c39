//! Users, groups, policies and service accounts through a whole server.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ACCESS_KEY, Tarn};

const READ_SALES: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::sales/*"}]}"#;

/// An access key id and its secret.
#[derive(Debug, Clone)]
struct Key(String, String);

impl Key {
    fn pair(&self) -> (&str, &str) {
        (&self.0, &self.1)
    }
}

async fn ask(tarn: &Tarn, key: Option<&Key>, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let path = format!("/_admin/v1/{path}");
    let answer = match key {
        Some(key) => tarn.send_as(key.pair(), method, &path, body.as_bytes()).await,
        None => tarn.send(method, &path, body.as_bytes()).await,
    };
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

async fn user(tarn: &Tarn, name: &str, policies: &[&str]) -> Key {
    let new = json!({"name": name, "policies": policies});
    let (status, made) = ask(tarn, None, Method::POST, "users", new).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    Key(name.into(), made["secret"].as_str().unwrap().into())
}

/// A policy that allows some actions of administration.
async fn admin_policy(tarn: &Tarn, name: &str, actions: &[&str]) {
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions}]});
    let (status, told) = ask(tarn, None, Method::PUT, &format!("policies/{name}"), policy).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{told}");
}

async fn service_account(tarn: &Tarn, key: Option<&Key>, ask_for: Value) -> Result<Key, StatusCode> {
    let (status, made) = ask(tarn, key, Method::POST, "service-accounts", ask_for).await;
    if status != StatusCode::CREATED {
        return Err(status);
    }
    Ok(Key(made["id"].as_str().unwrap().into(), made["secret"].as_str().unwrap().into()))
}

async fn reads(tarn: &Tarn, key: &Key, path: &str) -> StatusCode {
    tarn.send_as(key.pair(), Method::GET, path, b"").await.status()
}

async fn with_objects() -> Tarn {
    let tarn = Tarn::start(1).await;
    for bucket in ["sales", "other"] {
        assert_eq!(tarn.send(Method::PUT, &format!("/{bucket}"), b"").await.status(), StatusCode::OK);
        let put = tarn.send(Method::PUT, &format!("/{bucket}/k"), b"value").await;
        assert_eq!(put.status(), StatusCode::OK);
    }
    tarn
}

fn ok(tarn: &Tarn, arguments: &[&str]) -> String {
    let (code, out, error) = tarn.run(arguments);
    assert_eq!(code, 0, "{arguments:?}: {error}");
    out
}

#[tokio::test]
async fn users_are_kept_on_the_command_line_and_over_a_restart() {
    let mut tarn = with_objects().await;
    let file = tarn.directory().join("read-sales.json");
    std::fs::write(&file, READ_SALES).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(ok(&tarn, &["admin", "policy", "create", "read-sales", file]), "created read-sales\n");
    let shown: Value = serde_json::from_str(&ok(&tarn, &["admin", "policy", "show", "read-sales"])).unwrap();
    assert_eq!(shown, serde_json::from_str::<Value>(READ_SALES).unwrap());
    ok(&tarn, &["admin", "group", "create", "analysts", "--policy", "read-sales"]);
    let made = ok(&tarn, &["admin", "user", "create", "alice", "--group", "analysts", "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let alice = Key("alice".into(), made["secret"].as_str().unwrap().into());
    tarn.kill();
    tarn.restart().await;
    assert_eq!(reads(&tarn, &alice, "/sales/k").await, StatusCode::OK);
    assert_eq!(reads(&tarn, &alice, "/other/k").await, StatusCode::FORBIDDEN);

    let list = ok(&tarn, &["admin", "user", "list"]);
    assert!(list.contains("alice") && list.contains("analysts") && !list.contains(&alice.1), "{list}");
    let list = ok(&tarn, &["admin", "policy", "list"]);
    assert!(list.contains("consoleAdmin") && list.contains("read-sales"), "{list}");
    assert!(ok(&tarn, &["admin", "group", "show", "analysts"]).contains("alice"));
    assert_eq!(tarn.run(&["admin", "policy", "delete", "read-sales"]).0, 1, "it is attached");
    assert_eq!(tarn.run(&["admin", "group", "delete", "analysts"]).0, 1, "it has a member");
    assert_eq!(tarn.run(&["admin", "policy", "attach", "read-sales"]).0, 2, "to whom?");
    assert_eq!(tarn.run(&["admin", "policy", "attach", "no-such", "--user", "alice"]).0, 4);

    ok(&tarn, &["admin", "policy", "attach", "readonly", "--user", "alice"]);
    assert_eq!(reads(&tarn, &alice, "/other/k").await, StatusCode::OK);
    ok(&tarn, &["admin", "policy", "detach", "readonly", "--user", "alice"]);
    assert_eq!(reads(&tarn, &alice, "/other/k").await, StatusCode::FORBIDDEN);
    ok(&tarn, &["admin", "user", "disable", "alice"]);
    let refused = tarn.send_as(alice.pair(), Method::GET, "/sales/k", b"").await;
    assert!(refused.text().await.unwrap().contains("<Code>InvalidAccessKeyId</Code>"));
    ok(&tarn, &["admin", "user", "enable", "alice"]);
    let renewed: Value =
        serde_json::from_str(&ok(&tarn, &["admin", "user", "secret", "alice", "--json"])).unwrap();
    assert_eq!(reads(&tarn, &alice, "/sales/k").await, StatusCode::FORBIDDEN);
    let alice = Key("alice".into(), renewed["secret"].as_str().unwrap().into());
    assert_eq!(reads(&tarn, &alice, "/sales/k").await, StatusCode::OK);
    ok(&tarn, &["admin", "group", "remove", "analysts", "alice"]);
    assert_eq!(reads(&tarn, &alice, "/sales/k").await, StatusCode::FORBIDDEN);
    ok(&tarn, &["admin", "group", "delete", "analysts"]);
    ok(&tarn, &["admin", "policy", "delete", "read-sales"]);
    ok(&tarn, &["admin", "user", "delete", "alice"]);
    assert_eq!(tarn.run(&["admin", "user", "show", "alice"]).0, 4);
    assert!(!tarn.log().contains(&alice.1), "a secret is in the log");
}

#[tokio::test]
async fn a_user_keeps_its_own_service_accounts_narrower_than_itself() {
    let tarn = with_objects().await;
    let alice = user(&tarn, "alice", &["readwrite"]).await;
    let file = tarn.directory().join("narrow.json");
    std::fs::write(&file, READ_SALES).unwrap();
    let narrow =
        json!({"policy": serde_json::from_str::<Value>(READ_SALES).unwrap(), "description": "nightly"});
    let narrow = service_account(&tarn, Some(&alice), narrow).await.unwrap();
    let wide = service_account(&tarn, Some(&alice), json!({})).await.unwrap();
    assert_eq!(reads(&tarn, &narrow, "/sales/k").await, StatusCode::OK);
    assert_eq!(reads(&tarn, &narrow, "/other/k").await, StatusCode::FORBIDDEN);
    assert_eq!(reads(&tarn, &wide, "/other/k").await, StatusCode::OK);
    // Its own are told to a user, and nobody else's.
    let bob = user(&tarn, "bob", &["readwrite"]).await;
    let of = |list: Value| list["service_accounts"].as_array().unwrap().len();
    assert_eq!(of(ask(&tarn, Some(&alice), Method::GET, "service-accounts", Value::Null).await.1), 2);
    assert_eq!(of(ask(&tarn, Some(&bob), Method::GET, "service-accounts", Value::Null).await.1), 0);
    let theirs = ask(&tarn, Some(&bob), Method::GET, "service-accounts?user=alice", Value::Null).await;
    assert_eq!(theirs.0, StatusCode::FORBIDDEN);
    let path = format!("service-accounts/{}", narrow.0);
    for (key, status) in [(&alice, StatusCode::OK), (&bob, StatusCode::FORBIDDEN)] {
        assert_eq!(ask(&tarn, Some(key), Method::GET, &path, Value::Null).await.0, status);
    }
    assert_eq!(ask(&tarn, Some(&bob), Method::DELETE, &path, Value::Null).await.0, StatusCode::FORBIDDEN);
    ok(&tarn, &["admin", "service-account", "set-policy", &narrow.0]);
    assert_eq!(reads(&tarn, &narrow, "/other/k").await, StatusCode::OK);
    ok(&tarn, &["admin", "service-account", "set-policy", &narrow.0, file.to_str().unwrap()]);
    assert_eq!(reads(&tarn, &narrow, "/other/k").await, StatusCode::FORBIDDEN);
    assert!(ok(&tarn, &["admin", "service-account", "list", "--user", "alice"]).contains("nightly"));
    ok(&tarn, &["admin", "service-account", "disable", &wide.0]);
    assert_eq!(reads(&tarn, &wide, "/other/k").await, StatusCode::FORBIDDEN);
    assert_eq!(ask(&tarn, Some(&alice), Method::DELETE, &path, Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(reads(&tarn, &narrow, "/sales/k").await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn cve_2022_24842_nobody_makes_a_service_account_of_another_or_of_root_without_the_right() {
    let tarn = Tarn::start(1).await;
    let plain = user(&tarn, "plain", &["readwrite"]).await;
    admin_policy(&tarn, "makes-accounts", &["admin:CreateServiceAccount"]).await;
    let maker = user(&tarn, "maker", &["makes-accounts"]).await;
    let trusted = user(&tarn, "trusted", &["consoleAdmin"]).await;
    let refused = Err(StatusCode::FORBIDDEN);
    let of = |name: &str| json!({"user": name});
    for key in [&plain, &maker] {
        let made = service_account(&tarn, Some(key), of("trusted")).await;
        assert_eq!(made.map(|key| key.0), refused, "{key:?}");
    }
    for key in [&plain, &maker, &trusted] {
        let made = service_account(&tarn, Some(key), of(ACCESS_KEY)).await;
        assert_eq!(made.map(|key| key.0), refused, "{key:?}");
        assert!(service_account(&tarn, Some(key), json!({})).await.is_ok(), "its own: {key:?}");
    }
    assert!(service_account(&tarn, Some(&trusted), of("plain")).await.is_ok());
    // Root makes its own; nobody else changes it.
    let roots = service_account(&tarn, None, json!({})).await.unwrap();
    let path = format!("service-accounts/{}/status", roots.0);
    let disable = json!({"status": "disabled"});
    for key in [&plain, &maker, &trusted] {
        let changed = ask(&tarn, Some(key), Method::PUT, &path, disable.clone()).await;
        assert_eq!(changed.0, StatusCode::FORBIDDEN, "{key:?}");
    }
    // A deny counts for one's own too.
    let deny = json!({"Statement": [{"Effect": "Deny", "Action": "admin:CreateServiceAccount"}]});
    ask(&tarn, None, Method::PUT, "policies/no-accounts", deny).await;
    ask(&tarn, None, Method::PUT, "users/plain/policies/no-accounts", Value::Null).await;
    assert_eq!(service_account(&tarn, Some(&plain), json!({})).await.map(|key| key.0), refused);
}

#[tokio::test]
async fn cve_2024_24747_a_service_account_makes_and_changes_none_not_even_itself() {
    let tarn = Tarn::start(1).await;
    let trusted = user(&tarn, "trusted", &["consoleAdmin"]).await;
    let everything = json!({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let held = json!({"policy": {"Statement": [{"Effect": "Allow", "Action": ["s3:*", "admin:*"], "Resource": "*"}]}});
    let free = service_account(&tarn, Some(&trusted), json!({})).await.unwrap();
    let roots = service_account(&tarn, None, json!({})).await.unwrap();
    let held = service_account(&tarn, Some(&trusted), held).await.unwrap();
    for key in [&free, &roots, &held] {
        let made = service_account(&tarn, Some(key), json!({"user": "trusted"})).await;
        assert_eq!(made.map(|key| key.0), Err(StatusCode::FORBIDDEN));
        for (method, path) in [(Method::PUT, "policy"), (Method::DELETE, "policy")] {
            let path = format!("service-accounts/{}/{path}", held.0);
            let changed = ask(&tarn, Some(key), method, &path, everything.clone()).await;
            assert_eq!(changed.0, StatusCode::FORBIDDEN, "{path}");
        }
    }
    // With the right to it, it administers the rest.
    assert_eq!(ask(&tarn, Some(&held), Method::GET, "users", Value::Null).await.0, StatusCode::OK);
}

#[tokio::test]
async fn cve_2021_43858_who_may_make_users_cannot_raise_itself_or_another() {
    let tarn = Tarn::start(1).await;
    admin_policy(&tarn, "makes-users", &["admin:CreateUser", "admin:EnableUser", "admin:GetUser"]).await;
    let maker = user(&tarn, "maker", &["makes-users"]).await;
    user(&tarn, "trusted", &["consoleAdmin"]).await;
    ask(&tarn, None, Method::POST, "groups", json!({"name": "admins", "policies": ["consoleAdmin"]})).await;
    let denied = StatusCode::FORBIDDEN;
    for (method, path, body, status) in [
        (Method::POST, "users", json!({"name": "fresh", "policies": ["consoleAdmin"]}), denied),
        (Method::POST, "users", json!({"name": "fresh", "groups": ["admins"]}), denied),
        (Method::POST, "users", json!({"name": "maker", "secret": "another-secret"}), StatusCode::CONFLICT),
        (Method::POST, "users", json!({"name": "trusted", "secret": "another-secret"}), StatusCode::CONFLICT),
        (Method::POST, "users", json!({"name": ACCESS_KEY}), StatusCode::CONFLICT),
        (Method::POST, "users/trusted/secret", Value::Null, denied),
        (Method::PUT, "users/maker/policies/consoleAdmin", Value::Null, denied),
        (Method::DELETE, "users/trusted/policies/consoleAdmin", Value::Null, denied),
        (Method::PUT, "groups/admins/members/maker", Value::Null, denied),
        (Method::PUT, "policies/makes-users", json!({"Statement": []}), denied),
        (Method::POST, "keys", json!({"policy": "admin"}), denied),
        (Method::DELETE, "users/trusted", Value::Null, denied),
        (Method::PUT, "users/trusted/status", json!({"status": "disabled"}), denied),
        (Method::POST, "users", json!({"name": "fresh"}), StatusCode::CREATED),
        (Method::POST, "users/maker/secret", Value::Null, StatusCode::OK),
    ] {
        let (found, told) = ask(&tarn, Some(&maker), method, path, body).await;
        assert_eq!(found, status, "{path}: {told}");
    }
}

#[tokio::test]
async fn cve_2025_62506_a_session_does_for_its_own_account_only_what_its_policy_says() {
    let tarn = with_objects().await;
    let alice = user(&tarn, "alice", &["consoleAdmin"]).await;
    let form = |policy: &str| {
        let policy: String = policy.bytes().map(|byte| format!("%{byte:02X}")).collect();
        format!("Action=AssumeRole&Version=2011-06-15&RoleSessionName=s1&Policy={policy}")
    };
    let answer = tarn.send_form(alice.pair(), &form(READ_SALES)).await;
    let session = Tarn::session_of(&answer);
    let read = tarn.send_as_session(&session, Method::GET, "/sales/k", b"").await;
    assert_eq!(read.status(), StatusCode::OK);
    for (method, path, body) in [
        (Method::POST, "service-accounts", "{}"),
        (Method::GET, "service-accounts", ""),
        (Method::GET, "users/alice", ""),
        (Method::POST, "users/alice/secret", ""),
    ] {
        let path = format!("/_admin/v1/{path}");
        let refused = tarn.send_as_session(&session, method, &path, body.as_bytes()).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{path}");
    }
    // One that may do all its user may still makes no key: a key outlasts it.
    let everything = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let wide = Tarn::session_of(&tarn.send_form(alice.pair(), &form(everything)).await);
    let users = tarn.send_as_session(&wide, Method::GET, "/_admin/v1/users", b"").await;
    assert_eq!(users.status(), StatusCode::OK);
    let refused = tarn.send_as_session(&wide, Method::POST, "/_admin/v1/service-accounts", b"{}").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    ok(&tarn, &["admin", "user", "disable", "alice"]);
    let refused = tarn.send_as_session(&session, Method::GET, "/sales/k", b"").await;
    assert!(refused.text().await.unwrap().contains("<Code>InvalidAccessKeyId</Code>"));
}

#[tokio::test]
async fn what_is_no_policy_is_refused_with_its_place_and_names_are_told_apart() {
    let tarn = Tarn::start(1).await;
    let wrong = json!({"Statement": [{"Effect": "Allow", "Action": "s3:GetObjct", "Resource": "*"}]});
    let (status, told) = ask(&tarn, None, Method::PUT, "policies/wrong", wrong.clone()).await;
    assert_eq!((status, &told["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("MalformedPolicy")));
    assert!(told["error"]["message"].as_str().unwrap().contains("Statement[0].Action"), "{told}");
    let twice = br#"{"Statement":[{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let answer = tarn.send(Method::PUT, "/_admin/v1/policies/twice", twice).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let twice =
        br#"{"policy":{"Statement":[{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}]}}"#;
    let answer = tarn.send(Method::POST, "/_admin/v1/service-accounts", twice).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    for (path, body, status) in [
        ("users", json!({"name": "a b"}), StatusCode::BAD_REQUEST),
        ("users", json!({"name": "alice", "secret": "short"}), StatusCode::BAD_REQUEST),
        ("users", json!({"name": "alice", "admin": true}), StatusCode::BAD_REQUEST),
        ("users", json!({"name": "alice", "policies": ["no-such"]}), StatusCode::NOT_FOUND),
        ("users", json!({"name": "alice", "groups": ["no-such"]}), StatusCode::NOT_FOUND),
        ("groups", json!({"name": "a/b"}), StatusCode::BAD_REQUEST),
        ("service-accounts", json!({"user": "nobody"}), StatusCode::NOT_FOUND),
        ("service-accounts", json!({"policy": wrong}), StatusCode::BAD_REQUEST),
        ("service-accounts", json!({"description": "x".repeat(257)}), StatusCode::BAD_REQUEST),
    ] {
        let (found, told) = ask(&tarn, None, Method::POST, path, body.clone()).await;
        assert_eq!(found, status, "{path} {body}: {told}");
    }
    for name in ["alice", "bob1", "carl"] {
        user(&tarn, name, &[]).await;
    }
    let (_, page) = ask(&tarn, None, Method::GET, "users?page_size=2", Value::Null).await;
    assert_eq!(page["users"][1]["name"], "bob1");
    let rest = format!("users?page_token={}", page["next_page_token"].as_str().unwrap());
    let (_, rest) = ask(&tarn, None, Method::GET, &rest, Value::Null).await;
    assert_eq!((rest["users"].as_array().unwrap().len(), &rest["users"][0]["name"]), (1, &json!("carl")));
    assert!(rest["next_page_token"].is_null() && !rest.to_string().contains("secret"));
}
