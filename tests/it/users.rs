//! Users, groups, policies and service accounts through a whole server.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ACCESS_KEY, SECRET_KEY, Session, Tarn};

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

const TABLES: &str = "/_iceberg/v1/main/namespaces/sales/tables";

/// Rights to one table and to nothing else, objects included.
fn of_one_table(actions: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Catalog", "Effect": "Allow", "Action": "s3tables:GetConfig", "Resource": "*"},
        {"Sid": "T1", "Effect": "Allow", "Action": actions,
         "Resource": "arn:aws:s3tables:::bucket/main/table/sales/t1"}]})
}

async fn create_table(tarn: &Tarn, name: &str) {
    let fields = json!([{"id": 1, "name": "id", "required": true, "type": "long"}]);
    let table = json!({"name": name, "schema": {"type": "struct", "fields": fields}}).to_string();
    let made = tarn.send(Method::POST, TABLES, table.as_bytes()).await;
    assert_eq!(made.status(), StatusCode::OK, "{name}");
}

/// Loads a table as `key`: the credentials it is given, and the path of its metadata file.
async fn load_vended(tarn: &Tarn, key: &Key, name: &str) -> Result<(Session, String), StatusCode> {
    let delegation = [("x-iceberg-access-delegation", "vended-credentials")];
    let path = format!("{TABLES}/{name}");
    let answer = tarn.send_signed(key.pair(), Method::GET, &path, (b"", &delegation)).await;
    if answer.status() != StatusCode::OK {
        return Err(answer.status());
    }
    let loaded: Value = answer.json().await.unwrap();
    let config = &loaded["storage-credentials"][0]["config"];
    let text = |name: &str| config[name].as_str().unwrap().to_owned();
    let session = Session {
        id: text("s3.access-key-id"),
        secret: text("s3.secret-access-key"),
        token: text("s3.session-token"),
    };
    let file = loaded["metadata-location"].as_str().unwrap().strip_prefix("s3:/").unwrap().to_owned();
    Ok((session, file))
}

async fn with_tables(tarn: &Tarn) {
    let made = tarn.send(Method::POST, "/_iceberg/v1/main/namespaces", br#"{"namespace":["sales"]}"#).await;
    assert_eq!(made.status(), StatusCode::OK);
    for name in ["t1", "t10"] {
        create_table(tarn, name).await;
    }
}

#[tokio::test]
async fn a_right_to_one_table_is_one_to_its_files_as_long_as_it_lasts() {
    let tarn = Tarn::start(1).await;
    with_tables(&tarn).await;
    let all = of_one_table(json!("s3tables:*"));
    ask(&tarn, None, Method::PUT, "policies/t1", all.clone()).await;
    let alice = user(&tarn, "alice", &["t1"]).await;
    assert_eq!(load_vended(&tarn, &alice, "t10").await.map(|_| ()), Err(StatusCode::FORBIDDEN));
    let (session, file) = load_vended(&tarn, &alice, "t1").await.unwrap();
    let root = Key(ACCESS_KEY.into(), SECRET_KEY.into());
    let (_, other) = load_vended(&tarn, &root, "t10").await.unwrap();
    let as_session =
        async |method: Method, path: &str| tarn.send_as_session(&session, method, path, b"x").await.status();
    let (get, put) = (Method::GET, Method::PUT);
    let data = format!("{}/data/f", file.rsplit_once("/metadata/").unwrap().0);
    assert_eq!(reads(&tarn, &alice, &file).await, StatusCode::FORBIDDEN, "by herself she reads no object");
    assert_eq!(as_session(get.clone(), &file).await, StatusCode::OK);
    assert_eq!(as_session(put.clone(), &data).await, StatusCode::OK);
    assert_eq!(as_session(get.clone(), &other).await, StatusCode::FORBIDDEN);

    // Only to read now: what was handed out before writes no more.
    let read = of_one_table(json!(["s3tables:GetTableMetadataLocation", "s3tables:GetTableData"]));
    ask(&tarn, None, Method::PUT, "policies/t1", read).await;
    assert_eq!(as_session(get.clone(), &file).await, StatusCode::OK);
    assert_eq!(as_session(put.clone(), &data).await, StatusCode::FORBIDDEN);
    let (reader, _) = load_vended(&tarn, &alice, "t1").await.unwrap();
    ask(&tarn, None, Method::PUT, "policies/t1", all).await;
    let refused = tarn.send_as_session(&reader, put.clone(), &data, b"x").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN, "made to read, they read");

    // Another table of the name is not the one that was meant.
    assert_eq!(
        tarn.send(Method::DELETE, &format!("{TABLES}/t1"), b"").await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(as_session(get.clone(), &file).await, StatusCode::FORBIDDEN);
    create_table(&tarn, "t1").await;
    assert_eq!(as_session(get.clone(), &file).await, StatusCode::FORBIDDEN);
    let (session, file) = load_vended(&tarn, &alice, "t1").await.unwrap();
    let answer = tarn.send_as_session(&session, get.clone(), &file, b"").await;
    assert_eq!(answer.status(), StatusCode::OK);
    ask(&tarn, None, Method::PUT, "users/alice/status", json!({"status": "disabled"})).await;
    let answer = tarn.send_as_session(&session, get, &file, b"").await;
    assert!(answer.text().await.unwrap().contains("<Code>InvalidAccessKeyId</Code>"));
}

#[tokio::test]
async fn a_table_that_is_created_in_stages_is_written_with_the_right_to_it() {
    let tarn = Tarn::start(1).await;
    with_tables(&tarn).await;
    let staged = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3tables:*", "Resource": "arn:aws:s3tables:::bucket/main/table/sales/new"}]});
    ask(&tarn, None, Method::PUT, "policies/new", staged).await;
    let alice = user(&tarn, "alice", &["new"]).await;
    let fields = json!([{"id": 1, "name": "id", "required": true, "type": "long"}]);
    let table = json!({"name": "new", "stage-create": true, "schema": {"type": "struct", "fields": fields}});
    let headers =
        [("x-iceberg-access-delegation", "vended-credentials"), ("content-type", "application/json")];
    let body = table.to_string();
    let made = tarn.send_signed(alice.pair(), Method::POST, TABLES, (body.as_bytes(), &headers)).await;
    assert_eq!(made.status(), StatusCode::OK);
    let made: Value = made.json().await.unwrap();
    let config = &made["storage-credentials"][0]["config"];
    let text = |name: &str| config[name].as_str().unwrap().to_owned();
    let session = Session {
        id: text("s3.access-key-id"),
        secret: text("s3.secret-access-key"),
        token: text("s3.session-token"),
    };
    let place = made["metadata"]["location"].as_str().unwrap();
    let data = format!("{}/data/f", place.strip_prefix("s3:/").unwrap());
    let put = tarn.send_as_session(&session, Method::PUT, &data, b"x").await;
    assert_eq!(put.status(), StatusCode::OK);
    // Another's table comes to lie there.
    let taken = json!({"name": "other", "location": place, "schema": {"type": "struct", "fields": fields}});
    let taken = tarn.send(Method::POST, TABLES, taken.to_string().as_bytes()).await;
    assert_eq!(taken.status(), StatusCode::OK);
    let put = tarn.send_as_session(&session, Method::PUT, &data, b"x").await;
    assert_eq!(put.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn why_says_what_happens_and_is_told_only_to_whom_may_ask() {
    let tarn = with_objects().await;
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "FromHere", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::sales/*",
         "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}},
        {"Sid": "NotThat", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::sales/secret"}]});
    ask(&tarn, None, Method::PUT, "policies/read-sales", policy).await;
    ask(&tarn, None, Method::POST, "groups", json!({"name": "staff", "policies": ["read-sales"]})).await;
    let alice = user(&tarn, "alice", &["writeonly"]).await;
    ask(&tarn, None, Method::PUT, "groups/staff/members/alice", Value::Null).await;
    for (path, outcome, sid) in [
        ("sales/k", "allowed", json!("FromHere")),
        ("sales/secret", "denied", json!("NotThat")),
        ("other/k", "not-allowed", Value::Null),
    ] {
        let question = json!({"user": "alice", "action": "s3:GetObject", "resource": format!("arn:aws:s3:::{path}"),
            "conditions": {"aws:SourceIp": "127.0.0.1"}});
        let (status, told) = ask(&tarn, None, Method::POST, "why", question).await;
        assert_eq!((status, told["outcome"].as_str()), (StatusCode::OK, Some(outcome)), "{told}");
        assert_eq!(told["by"]["sid"], sid);
        let found = reads(&tarn, &alice, &format!("/{path}")).await;
        assert_eq!(found == StatusCode::OK, told["allowed"] == true, "{path}: {found}");
    }
    let resource = ["--resource", "arn:aws:s3:::sales/k", "--condition", "aws:SourceIp=127.0.0.1"];
    let question = ["admin", "why", "--user", "alice", "--action", "s3:GetObject"];
    let told = ok(&tarn, &[&question[..], &resource[..]].concat());
    assert!(
        told.starts_with("allowed by statement 0 (FromHere) of policy read-sales of group staff\n"),
        "{told}"
    );
    assert!(told.contains("writeonly"), "{told}");
    let told = ok(&tarn, &[&question[..], &resource[..2]].concat());
    assert!(
        told.starts_with("not allowed: no statement allows it (rule: user)\n"),
        "an address that is not given is none: {told}"
    );
    let asks = json!({"user": "alice", "action": "s3:GetObject"});
    assert_eq!(ask(&tarn, Some(&alice), Method::POST, "why", asks.clone()).await.0, StatusCode::FORBIDDEN);
    admin_policy(&tarn, "asks-why", &["admin:SimulatePrincipalPolicy"]).await;
    let auditor = user(&tarn, "auditor", &["asks-why"]).await;
    assert_eq!(ask(&tarn, Some(&auditor), Method::POST, "why", asks).await.0, StatusCode::OK);
    for (wrong, status) in [
        (json!({"user": "nobody", "action": "s3:GetObject"}), StatusCode::NOT_FOUND),
        (json!({"user": "alice", "action": "s3:Get*"}), StatusCode::BAD_REQUEST),
        (json!({"user": "alice", "action": "s3:GetObject", "resource": "sales/k"}), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(ask(&tarn, Some(&auditor), Method::POST, "why", wrong.clone()).await.0, status, "{wrong}");
    }
}

#[tokio::test]
async fn cve_2020_11012_the_admin_api_checks_the_secret() {
    let tarn = Tarn::start(1).await;
    let alice = user(&tarn, "alice", &["consoleAdmin"]).await;
    assert_eq!(ask(&tarn, Some(&alice), Method::GET, "users", Value::Null).await.0, StatusCode::OK);
    for wrong in [(ACCESS_KEY, "another-secret"), ("alice", "another-secret"), ("alice", SECRET_KEY)] {
        let refused = tarn.send_as(wrong, Method::GET, "/_admin/v1/users", b"").await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{wrong:?}");
    }
}

#[tokio::test]
async fn cve_2024_36107_conditions_of_who_may_not_read_tell_nothing() {
    let tarn = with_objects().await;
    let alice = user(&tarn, "alice", &["diagnostics"]).await;
    let conditions = [
        ("if-none-match", "*"),
        ("if-match", "\"nothing\""),
        ("if-modified-since", "Wed, 01 Jan 2031 00:00:00 GMT"),
        ("if-unmodified-since", "Wed, 01 Jan 2020 00:00:00 GMT"),
    ];
    for condition in conditions {
        for path in ["/sales/k", "/sales/no-such-key", "/no-such-bucket/k"] {
            let nobody = reqwest::Client::new().get(tarn.endpoint() + path).header(condition.0, condition.1);
            assert_eq!(nobody.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{path} {condition:?}");
            let refused = tarn.send_signed(alice.pair(), Method::GET, path, (b"", &[condition])).await;
            assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{path} {condition:?}");
        }
    }
}

#[tokio::test]
async fn cve_2026_54917_dots_in_a_path_reach_no_other_bucket() {
    let tarn = with_objects().await;
    ask(&tarn, None, Method::PUT, "policies/read-sales", serde_json::from_str(READ_SALES).unwrap()).await;
    let alice = user(&tarn, "alice", &["read-sales"]).await;
    assert_eq!(reads(&tarn, &alice, "/sales/k").await, StatusCode::OK);
    for path in
        ["/sales/../other/k", "/sales/%2e%2e/other/k", "/sales/..%2Fother%2Fk", "/sales/%2e%2e%2fother/k"]
    {
        let found = reads(&tarn, &alice, path).await;
        assert!(found.is_client_error(), "{path}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_is_no_text_is_refused_in_the_envelope_of_errors() {
    let tarn = Tarn::start(1).await;
    for path in ["policies/mine", "service-accounts/someone/policy"] {
        let answer = tarn.send(Method::PUT, &format!("/_admin/v1/{path}"), b"\xc3").await;
        let (status, told) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert_eq!(
            (status, &told["error"]["code"]),
            (StatusCode::BAD_REQUEST, &json!("InvalidRequest")),
            "{told}"
        );
    }
}
