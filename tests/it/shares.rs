//! Shares and recipients through a whole server: the admin API, the command line, and who may do what.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::events::{namespace, table as iceberg_table};
use crate::support::{ACCESS_KEY, SECRET_KEY, Tarn};

type Key<'k> = (&'k str, &'k str);

const ROOT: Key<'static> = (ACCESS_KEY, SECRET_KEY);

async fn ask(tarn: &Tarn, key: Key<'_>, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = tarn.send_as(key, method, &format!("/_admin/v1/{path}"), body.as_bytes()).await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

/// A server with an Iceberg table `main.sales.orders` and a Delta table at `s3://lake/lines/`.
pub async fn with_tables() -> Tarn {
    let tarn = Tarn::start(1).await;
    namespace(&tarn, "main", "sales").await;
    iceberg_table(&tarn, "main/sales", "orders").await;
    for (path, body) in [("/lake", &b""[..]), ("/lake/lines/_delta_log/00000000000000000000.json", b"{}")] {
        assert_eq!(tarn.send(Method::PUT, path, body).await.status(), StatusCode::OK);
    }
    tarn
}

pub fn ok(tarn: &Tarn, arguments: &[&str]) -> String {
    let (code, out, error) = tarn.run(arguments);
    assert_eq!(code, 0, "{arguments:?}: {error}");
    out
}

pub fn ok_json(tarn: &Tarn, arguments: &[&str]) -> Value {
    serde_json::from_str(&ok(tarn, &[arguments, &["--json"]].concat())).unwrap()
}

fn orders() -> Value {
    let source = json!({"type": "iceberg", "warehouse": "main", "namespace": ["sales"], "table": "orders"});
    json!({"schema": "sales", "name": "orders", "source": source})
}

fn lines() -> Value {
    json!({"schema": "sales", "name": "lines", "source": {"type": "delta", "bucket": "lake", "prefix": "lines"}})
}

async fn user(tarn: &Tarn, name: &str, actions: &[&str]) -> String {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
    let (status, told) = ask(tarn, ROOT, Method::PUT, &format!("policies/{name}"), policy).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{told}");
    let new = json!({"name": name, "policies": [name]});
    let (status, made) = ask(tarn, ROOT, Method::POST, "users", new).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made["secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn tables_are_shared_on_the_command_line_and_kept_over_a_restart() {
    let mut tarn = with_tables().await;
    assert_eq!(ok(&tarn, &["share", "create", "partners", "--comment", "for all"]), "created partners\n");
    let spec =
        ["share", "add-table", "partners", "sales.orders=iceberg:main.sales.orders", "--history", "all"];
    let added = ok(&tarn, &spec);
    assert!(added.contains("iceberg:main.sales.orders") && added.contains("root"), "{added}");
    ok(&tarn, &["share", "add-table", "partners", "sales.lines=delta:s3://lake/lines"]);
    ok(&tarn, &["share", "add-schema", "partners", "empty"]);
    let create = ["recipient", "create", "acme", "--property", "region=eu", "--address", "127.0.0.0/8"];
    ok(&tarn, &create);
    let rows = ["--rows", "sales.orders:region=eu,us", "--rows-by", "sales.orders:home=region"];
    ok(&tarn, &[&["share", "grant", "partners", "acme"][..], &rows].concat());
    let profile = ok_json(&tarn, &["recipient", "profile", "acme", "--expires", "30d"]);
    let token = profile["profile"]["bearerToken"].as_str().unwrap().to_owned();
    tarn.kill();
    tarn.restart().await;

    let shown = ok(&tarn, &["share", "show", "partners"]);
    for part in ["for all", "sales.orders", "sales.lines", "delta:s3://lake/lines/", "acme", "yes"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let shown = ok_json(&tarn, &["recipient", "show", "acme"]);
    let filters = &shown["grants"][0]["filters"]["sales.orders"];
    assert_eq!(filters[0], json!({"column": "region", "values": {"in": ["eu", "us"]}}));
    assert_eq!(filters[1], json!({"column": "home", "values": {"property": "region"}}));
    assert_eq!(
        (&shown["properties"]["region"], &shown["addresses"][0]),
        (&json!("eu"), &json!("127.0.0.0/8"))
    );
    assert_eq!(shown["tokens"][0]["kind"], "bearer");
    assert!(!shown.to_string().contains(&token), "a token is told once");
    assert!(ok(&tarn, &["recipient", "list"]).contains("partners"));
    assert!(ok(&tarn, &["share", "list"]).contains("for all"));

    let altered = ok(&tarn, &["share", "alter-table", "partners", "sales.orders", "--history", "7"]);
    assert!(altered.contains("from 7"), "{altered}");
    ok(&tarn, &["recipient", "alter", "acme", "--disable", "--no-addresses", "--requests-per-second", "5"]);
    let shown = ok_json(&tarn, &["recipient", "show", "ACME"]);
    assert_eq!((&shown["status"], &shown["addresses"]), (&json!("disabled"), &json!([])));
    assert_eq!(shown["requests_per_second"], 5);
    ok(&tarn, &["share", "revoke", "partners", "acme"]);
    assert_eq!(tarn.run(&["share", "revoke", "partners", "acme"]).0, 4, "it has no grant any more");
    ok(&tarn, &["share", "remove-table", "partners", "Sales.Orders"]);
    assert_eq!(tarn.run(&["share", "remove-schema", "partners", "sales"]).0, 1, "it has a table");
    ok(&tarn, &["share", "delete", "partners"]);
    assert_eq!(tarn.run(&["share", "show", "partners"]).0, 4);
    ok(&tarn, &["recipient", "delete", "acme"]);
    assert_eq!(tarn.run(&["recipient", "show", "acme"]).0, 4);
    assert_eq!(tarn.run(&["share", "add-table", "partners", "orders"]).0, 2, "where is it?");
    assert!(!tarn.log().contains(&token), "a token is in the log");
}

#[tokio::test]
async fn what_a_recipient_shows_is_told_once_and_ended_by_its_id() {
    let tarn = with_tables().await;
    ok(&tarn, &["recipient", "create", "acme"]);
    let file = tarn.directory().join("config.share");
    let path = file.to_str().unwrap();
    ok(&tarn, &["recipient", "token", "create", "acme", "--out", path, "--comment", "first"]);
    let profile: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(profile["shareCredentialsVersion"], 1);
    assert_eq!(profile["endpoint"], format!("{}/_delta-sharing/v1", tarn.endpoint()));
    let again = tarn.run(&["recipient", "profile", "acme", "--out", path]);
    assert_eq!(again.0, 1, "the file is there: {}", again.2);
    assert_eq!(
        ok_json(&tarn, &["recipient", "token", "list", "acme"])["tokens"].as_array().unwrap().len(),
        1
    );

    let client = ok_json(&tarn, &["recipient", "client", "acme"]);
    assert_eq!(client["profile"]["shareCredentialsVersion"], 2);
    assert_eq!(client["profile"]["clientId"], client["token"]["id"]);
    let link = ok(&tarn, &["recipient", "activation-link", "acme", "--link-expires", "1h"]);
    assert!(link.starts_with(&format!("{}/_delta-sharing/activation/", tarn.endpoint())), "{link}");
    let who = ["--issuer", "https://idp.example", "--audience", "tarn", "--claim", "azp", "--subject", "app"];
    ok(&tarn, &[&["recipient", "federation", "acme"][..], &who].concat());

    let rotated = ok_json(&tarn, &["recipient", "token", "rotate", "acme", "--grace", "0s"]);
    let tokens = ok_json(&tarn, &["recipient", "token", "list", "acme"]);
    let kinds: Vec<&str> =
        tokens["tokens"].as_array().unwrap().iter().map(|token| token["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["client", "federated", "bearer"], "bearer tokens and links were ended");
    assert_eq!(tokens["tokens"][1]["expires_ms"], Value::Null);
    assert!(ok(&tarn, &["share", "rotate-key", "--withdraw"]).starts_with("signing with key "));
    let id = rotated["token"]["id"].as_str().unwrap();
    ok(&tarn, &["recipient", "token", "revoke", "acme", id]);
    assert_eq!(tarn.run(&["recipient", "token", "revoke", "acme", id]).0, 4);
    for secret in [&profile["bearerToken"], &client["profile"]["clientSecret"]] {
        assert!(!tarn.log().contains(secret.as_str().unwrap()), "a secret is in the log");
    }
}

#[tokio::test]
async fn who_may_not_read_a_table_does_not_share_it() {
    let tarn = with_tables().await;
    ask(&tarn, ROOT, Method::POST, "shares", json!({"name": "partners"})).await;
    let secret = user(&tarn, "steward", &["sharing:*"]).await;
    let steward = ("steward", &*secret);
    let tables = "shares/partners/tables";
    for table in [orders(), lines()] {
        let (status, told) = ask(&tarn, steward, Method::POST, tables, table).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{told}");
    }
    let reader = json!({"Statement": [
        {"Effect": "Allow", "Action": "s3tables:GetTableData", "Resource": "*"},
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "arn:aws:s3:::lake*"}]});
    ask(&tarn, ROOT, Method::PUT, "policies/reader", reader).await;
    ask(&tarn, ROOT, Method::PUT, "users/steward/policies/reader", Value::Null).await;
    for (name, table) in [("orders", orders()), ("lines", lines())] {
        let (status, told) = ask(&tarn, steward, Method::POST, tables, table).await;
        assert_eq!((status, &told["shared_by"]), (StatusCode::CREATED, &json!("steward")), "{told}");
        assert_eq!((&told["name"], &told["readable"]), (&json!(name), &json!(true)));
    }
    // Its right counts at each request, and is told to administrators. A policy that denies the files wins.
    let readable = async || {
        let table = ask(&tarn, ROOT, Method::GET, "shares/partners/tables/sales/orders", Value::Null).await.1;
        table["readable"].as_bool().unwrap()
    };
    let deny = json!({"Statement": [{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::main/*"}]});
    ask(&tarn, ROOT, Method::PUT, "policies/no-files", deny).await;
    ask(&tarn, ROOT, Method::PUT, "users/steward/policies/no-files", Value::Null).await;
    assert!(!readable().await);
    ask(&tarn, ROOT, Method::DELETE, "users/steward/policies/no-files", Value::Null).await;
    assert!(readable().await);
    ask(&tarn, ROOT, Method::DELETE, "users/steward/policies/reader", Value::Null).await;
    assert!(!readable().await);
    // What nobody may read is shared by nobody.
    let system = json!({"schema": "s", "name": "t", "source": {"type": "delta", "bucket": ".tarn", "prefix": "catalog"}});
    let (status, told) = ask(&tarn, ROOT, Method::POST, tables, system).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{told}");
    let nothing =
        json!({"schema": "s", "name": "t", "source": {"type": "delta", "bucket": "lake", "prefix": "other"}});
    let (status, told) = ask(&tarn, ROOT, Method::POST, tables, nothing).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{told}");
}

#[tokio::test]
async fn each_route_asks_for_its_right_before_it_tells_anything() {
    let tarn = with_tables().await;
    ask(&tarn, ROOT, Method::POST, "shares", json!({"name": "partners"})).await;
    ask(&tarn, ROOT, Method::POST, "recipients", json!({"name": "acme"})).await;
    let secret = user(&tarn, "plain", &["s3:*", "s3tables:*", "admin:CreateUser"]).await;
    let junk = json!({"no": "such"});
    for (method, path) in [
        (Method::GET, "shares"),
        (Method::POST, "shares"),
        (Method::GET, "shares/partners"),
        (Method::PATCH, "shares/partners"),
        (Method::DELETE, "shares/partners"),
        (Method::PUT, "shares/partners/schemas/s"),
        (Method::DELETE, "shares/partners/schemas/s"),
        (Method::POST, "shares/partners/tables"),
        (Method::GET, "shares/partners/tables/s/t"),
        (Method::PATCH, "shares/partners/tables/s/t"),
        (Method::DELETE, "shares/partners/tables/s/t"),
        (Method::GET, "shares/partners/grants"),
        (Method::PUT, "shares/partners/grants/acme"),
        (Method::DELETE, "shares/partners/grants/acme"),
        (Method::GET, "recipients"),
        (Method::POST, "recipients"),
        (Method::GET, "recipients/acme"),
        (Method::PATCH, "recipients/acme"),
        (Method::DELETE, "recipients/acme"),
        (Method::GET, "recipients/acme/tokens"),
        (Method::POST, "recipients/acme/tokens"),
        (Method::DELETE, "recipients/acme/tokens/x"),
        (Method::POST, "recipients/acme/links"),
        (Method::POST, "recipients/acme/clients"),
        (Method::POST, "recipients/acme/federation"),
        (Method::POST, "recipients/acme/rotate"),
        (Method::POST, "sharing-keys/rotate"),
        (Method::GET, "delta-sharing/shares"),
        (Method::POST, "delta-sharing/shares"),
        (Method::GET, "delta-sharing/shares/partners"),
        (Method::PUT, "delta-sharing/shares/partners"),
        (Method::DELETE, "delta-sharing/shares/partners"),
        (Method::GET, "delta-sharing/shares/partners/tokens"),
        (Method::POST, "delta-sharing/shares/partners/tokens"),
        (Method::DELETE, "delta-sharing/tokens/x"),
        (Method::GET, "delta-sharing/tokens/x/profile"),
    ] {
        for body in [Value::Null, junk.clone()] {
            let (status, told) = ask(&tarn, ("plain", &secret), method.clone(), path, body).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {told}");
        }
    }
}

#[tokio::test]
async fn aistors_shapes_make_shares_and_tokens_and_its_names_of_rights_count() {
    let tarn = with_tables().await;
    let actions = ["admin:DeltaSharing*", "s3tables:GetTableData", "s3:GetObject", "s3:ListBucket"];
    let secret = user(&tarn, "steward", &actions).await;
    let steward = ("steward", &*secret);
    let tables = json!([
        {"name": "orders", "sourceType": "uniform", "warehouse": "main", "namespace": "sales", "table": "orders"},
        {"name": "lines", "sourceType": "delta", "bucket": "lake", "location": "lines"}]);
    let share = json!({"name": "partners", "description": "for all", "schemas": [{"name": "sales", "tables": tables}]});
    let (status, made) = ask(&tarn, steward, Method::POST, "delta-sharing/shares", share).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let shown = &made["share"]["schemas"][0]["tables"];
    assert_eq!(
        shown[0],
        json!({"name": "lines", "sourceType": "delta", "bucket": "lake", "location": "lines/"})
    );
    assert_eq!((&shown[1]["sourceType"], &shown[1]["namespace"]), (&json!("uniform"), &json!("sales")));
    let path = "delta-sharing/shares/partners";
    let (_, listed) = ask(&tarn, steward, Method::GET, "delta-sharing/shares", Value::Null).await;
    assert_eq!(listed["shares"][0], made["share"]);

    let tokens = format!("{path}/tokens");
    let (status, token) = ask(&tarn, steward, Method::POST, &tokens, json!({"description": "acme"})).await;
    assert_eq!(status, StatusCode::CREATED, "{token}");
    assert_eq!(token["profile"]["bearerToken"], token["token"]);
    let id = token["tokenId"].as_str().unwrap();
    let (_, listed) = ask(&tarn, steward, Method::GET, &tokens, Value::Null).await;
    assert_eq!(
        (&listed["tokens"][0]["tokenId"], &listed["tokens"][0]["description"]),
        (&json!(id), &json!("acme"))
    );
    assert_eq!(listed["tokens"][0]["shareId"], made["share"]["id"]);
    let recipient = ok_json(&tarn, &["recipient", "show", &format!("share-token.{id}")]);
    assert_eq!(
        (&recipient["grants"][0]["share"], &recipient["tokens"][0]["id"]),
        (&json!("partners"), &json!(id))
    );

    let kept = made["share"]["schemas"][0]["tables"][1].clone();
    let change = json!({"schemas": [{"name": "sales", "tables": [kept]}]});
    let (status, changed) = ask(&tarn, steward, Method::PUT, path, change).await;
    assert_eq!((status, &changed["share"]["description"]), (StatusCode::OK, &json!("for all")), "{changed}");
    assert_eq!(changed["share"]["schemas"][0]["tables"].as_array().unwrap().len(), 1);
    let volumes =
        json!({"schemas": [{"name": "sales", "tables": [], "volumes": [{"name": "v", "bucket": "lake"}]}]});
    let (status, told) = ask(&tarn, steward, Method::PUT, path, volumes).await;
    assert_eq!((status, &told["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("NotImplemented")));
    let profile = format!("delta-sharing/tokens/{id}/profile");
    let (status, told) = ask(&tarn, steward, Method::GET, &profile, Value::Null).await;
    assert_eq!((status, &told["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("NotImplemented")));

    let gone = format!("delta-sharing/tokens/{id}");
    assert_eq!(ask(&tarn, steward, Method::DELETE, &gone, Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ask(&tarn, steward, Method::DELETE, &gone, Value::Null).await.0, StatusCode::NOT_FOUND);
    ask(&tarn, steward, Method::POST, &tokens, json!({})).await;
    assert_eq!(ask(&tarn, steward, Method::DELETE, path, Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ok_json(&tarn, &["recipient", "list"])["recipients"], json!([]), "its tokens went with it");
    // A deny of a part of what a token is counts.
    let deny = json!({"Statement": [{"Effect": "Deny", "Action": "sharing:CreateGrant"}]});
    ask(&tarn, ROOT, Method::PUT, "policies/no-grants", deny).await;
    ask(&tarn, ROOT, Method::PUT, "users/steward/policies/no-grants", Value::Null).await;
    ask(&tarn, ROOT, Method::POST, "shares", json!({"name": "partners"})).await;
    assert_eq!(ask(&tarn, steward, Method::POST, &tokens, json!({})).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_recipient_sees_what_is_granted_until_any_of_it_is_taken_back() {
    let tarn = with_tables().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let profile = |made: &Value| made["profile"]["bearerToken"].as_str().unwrap().to_owned();
    let look = async |token: &str, path: &str| {
        let url = format!("{}/_delta-sharing/v1/{path}", tarn.endpoint());
        let answer = http.get(url).bearer_auth(token).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    ok(&tarn, &["share", "create", "Partners"]);
    ok(&tarn, &["share", "add-table", "partners", "Sales.Orders=iceberg:main.sales.orders"]);
    ok(&tarn, &["recipient", "create", "acme"]);
    let made = ok_json(&tarn, &["recipient", "token", "create", "acme"]);
    let (token, id) = (profile(&made), made["token"]["id"].as_str().unwrap());
    let (all, version) =
        ("shares/partners/all-tables", "shares/PARTNERS/schemas/sales/tables/orders/version");
    assert_eq!(look(&token, all).await.0, StatusCode::NOT_FOUND, "nothing is granted");

    ok(&tarn, &["share", "grant", "partners", "acme"]);
    let (status, tables) = look(&token, all).await;
    assert_eq!(status, StatusCode::OK, "{tables}");
    assert!(tables.contains("\"Orders\"") && tables.contains("\"Sales\""), "{tables}");
    assert_eq!(look(&token, version).await.0, StatusCode::OK);
    ok(&tarn, &["share", "revoke", "partners", "acme"]);
    assert_eq!(look(&token, version).await.0, StatusCode::NOT_FOUND);
    ok(&tarn, &["share", "grant", "partners", "acme"]);
    ok(&tarn, &["share", "remove-table", "partners", "sales.orders"]);
    assert_eq!(look(&token, version).await.0, StatusCode::NOT_FOUND);
    assert_eq!(look(&token, all).await.0, StatusCode::OK);

    ok(&tarn, &["recipient", "alter", "acme", "--address", "192.0.2.0/24"]);
    assert_eq!(look(&token, all).await.0, StatusCode::FORBIDDEN);
    ok(&tarn, &["recipient", "alter", "acme", "--no-addresses", "--disable"]);
    assert_eq!(look(&token, all).await.0, StatusCode::UNAUTHORIZED);
    ok(&tarn, &["recipient", "alter", "acme", "--enable"]);
    assert_eq!(look(&token, all).await.0, StatusCode::OK);
    let rotated = profile(&ok_json(&tarn, &["recipient", "token", "rotate", "acme"]));
    for token in [&token, &rotated] {
        assert_eq!(look(token, all).await.0, StatusCode::OK, "the old one has its time of grace");
    }
    ok(&tarn, &["recipient", "token", "revoke", "acme", id]);
    assert_eq!(look(&token, all).await.0, StatusCode::UNAUTHORIZED);
    ok(&tarn, &["share", "delete", "partners"]);
    ok(&tarn, &["share", "create", "partners"]);
    assert_eq!(
        look(&rotated, all).await.0,
        StatusCode::NOT_FOUND,
        "another share of its name is not granted"
    );
    ok(&tarn, &["share", "rotate-key", "--withdraw"]);
    assert_eq!(look(&rotated, "shares").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_table_is_refused_as_soon_as_who_shares_it_may_not_read_it() {
    let tarn = with_tables().await;
    let secret = user(&tarn, "steward", &["sharing:*", "s3tables:GetTableData"]).await;
    ask(&tarn, ROOT, Method::POST, "shares", json!({"name": "partners"})).await;
    let (status, told) =
        ask(&tarn, ("steward", &secret), Method::POST, "shares/partners/tables", orders()).await;
    assert_eq!(status, StatusCode::CREATED, "{told}");
    ok(&tarn, &["recipient", "create", "acme"]);
    ok(&tarn, &["share", "grant", "partners", "acme"]);
    let made = ok_json(&tarn, &["recipient", "profile", "acme"]);
    let token = made["profile"]["bearerToken"].as_str().unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let version =
        format!("{}/_delta-sharing/v1/shares/partners/schemas/sales/tables/orders/version", tarn.endpoint());
    let look = async || http.get(&version).bearer_auth(token).send().await.unwrap().status();
    assert_eq!(look().await, StatusCode::OK);
    ok(&tarn, &["admin", "user", "disable", "steward"]);
    let refused = look().await;
    assert!(refused.is_client_error(), "{refused}");
    ok(&tarn, &["admin", "user", "enable", "steward"]);
    assert_eq!(look().await, StatusCode::OK);
}
