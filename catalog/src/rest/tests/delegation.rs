//! Access to files: who is given what, where it is found, and when it is given anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, header};
use serde_json::{Value, json};
use tarn_openapi::access::{Action, Ask, Authorize, Denied, PrefixAccess, Principal, Resource, TableFiles};
use tarn_openapi::vend::{Credentials, SignOrder, Vend, VendError};

use super::super::{RestFront, ScanPlanning, router};
use super::{Answer, Server, create_request, error};

const T1: &str = "/v1/main/namespaces/sales/tables/t1";
const TABLES: &str = "/v1/main/namespaces/sales/tables";

/// Tells in each credential whom it is for and what it opens.
struct Teller {
    epoch: AtomicI64,
    expires_ms: i64,
}

impl Vend for Teller {
    fn vend(&self, principal: &Principal, files: Arc<TableFiles>, _: i64) -> Result<Credentials, VendError> {
        let opens: Vec<String> = files
            .prefixes
            .iter()
            .map(|prefix| {
                let access = match prefix.access() {
                    PrefixAccess::Read => "r",
                    PrefixAccess::ReadWrite => "rw",
                };
                format!("{access} {}/{}", prefix.bucket(), prefix.prefix())
            })
            .collect();
        Ok(Credentials {
            id: format!("{principal:?}"),
            secret: "secret".into(),
            token: opens.join(", "),
            expires_ms: self.expires_ms,
        })
    }

    fn sign(
        &self,
        principal: &Principal,
        files: Arc<TableFiles>,
        order: &SignOrder<'_>,
        now: i64,
    ) -> Result<Vec<(String, String)>, VendError> {
        let made = self.vend(principal, files, now)?;
        Ok(vec![("authorization".into(), format!("{} {} by {}", order.method, order.uri.path(), made.token))])
    }

    fn epoch(&self, _: &Principal, _: i64) -> Option<String> {
        Some(self.epoch.load(Ordering::Relaxed).to_string())
    }
}

/// Root may do all; `reader` may read tables and their data, `lister` tables only; `writer` may do all to tables
/// whose names begin with `t`, and to objects; `tables-only` the same without objects.
struct Rules;

impl Authorize for Rules {
    fn authorize(&self, principal: &Principal, ask: Ask<'_>) -> Result<(), Denied> {
        let reads = super::reads(ask.action);
        let allowed = match principal {
            Principal::Root => true,
            Principal::AccessKey(id) => match (&**id, ask.resource) {
                // Not the data of one.
                ("reader", Resource::Table(_, _, "hidden")) => reads && ask.action != Action::GetTableData,
                ("reader", _) => reads,
                ("lister", _) => reads && ask.action != Action::GetTableData,
                ("writer" | "tables-only", Resource::Table(_, _, name)) => name.starts_with('t'),
                ("writer", Resource::Object("main", _)) => true,
                _ => false,
            },
            Principal::Session(_) | Principal::Web(_) | Principal::Anonymous => false,
        };
        if allowed { Ok(()) } else { Err(Denied) }
    }
}

async fn server() -> (Server, Arc<Teller>) {
    server_until(1_750_000_000_000).await
}

/// With credentials that end then.
async fn server_until(expires_ms: i64) -> (Server, Arc<Teller>) {
    let (catalog, _, warehouses) = crate::testing::catalog().await;
    let teller = Arc::new(Teller { epoch: AtomicI64::new(1), expires_ms });
    let router = router(RestFront {
        catalog: catalog.clone(),
        authorize: Arc::new(Rules),
        vend: Some(teller.clone()),
        uri: Some("http://127.0.0.1:9000/_iceberg".into()),
        default_warehouse: Some("main".into()),
        region: "us-east-1".into(),
        s3_endpoint: Some("http://127.0.0.1:9000".into()),
        scan_planning: ScanPlanning::Client,
    });
    let server = Server { router, catalog, warehouses };
    let create = with_location("t1", "s3://main/sales/t1");
    assert_eq!(server.post(TABLES, create).await.status, StatusCode::OK);
    (server, teller)
}

fn with_location(name: &str, location: &str) -> Value {
    let mut request = create_request(name);
    request["location"] = json!(location);
    request
}

fn key(id: &str) -> Principal {
    Principal::AccessKey(id.into())
}

/// Sends as `principal` with what it asks for.
async fn ask(
    server: &Server,
    principal: Principal,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: Value,
) -> (Answer, HeaderMap) {
    let mut request = Request::builder().method(method).uri(path).extension(principal);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() { Body::empty() } else { body.to_string().into() };
    server.send(request.body(body).unwrap()).await
}

const VENDED: (&str, &str) = ("x-iceberg-access-delegation", "vended-credentials");
const SIGNING: (&str, &str) = ("x-iceberg-access-delegation", "remote-signing");

async fn load(server: &Server, principal: Principal, headers: &[(&str, &str)]) -> (Answer, HeaderMap) {
    ask(server, principal, ("GET", T1), headers, Value::Null).await
}

fn vended(id: &str, opens: &str) -> Value {
    json!({
        "client.region": "us-east-1", "region": "us-east-1", "s3.region": "us-east-1",
        "s3.endpoint": "http://127.0.0.1:9000", "s3.path-style-access": "true",
        "s3.access-key-id": id, "s3.secret-access-key": "secret", "s3.session-token": opens,
        "s3.session-token-expires-at-ms": "1750000000000",
        "client.refresh-credentials-endpoint": "v1/main/namespaces/sales/tables/t1/credentials",
    })
}

#[tokio::test]
async fn credentials_are_in_config_and_in_one_entry_for_the_location() {
    let (server, _) = server().await;
    let (plain, _) = load(&server, Principal::Root, &[]).await;
    let (answer, headers) = load(&server, Principal::Root, &[VENDED]).await;
    let config = vended("Root", "rw main/sales/t1/");
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["config"], config);
    let storage = json!([{"prefix": "s3://main/sales/t1", "config": config}]);
    assert_eq!(answer.body["storage-credentials"], storage);
    assert_eq!(answer.body["metadata"], plain.body["metadata"]);
    assert_eq!(answer.body["metadata-location"], plain.body["metadata-location"]);
    assert_eq!(headers[header::CACHE_CONTROL], "private, no-store");
    // Again on the same table, credentials are renewed without the table.
    let path = format!("{T1}/credentials?planId=p1");
    let (renewed, headers) = ask(&server, Principal::Root, ("GET", &path), &[], Value::Null).await;
    assert_eq!(renewed.body, json!({"storage-credentials": storage}));
    assert_eq!(headers[header::CACHE_CONTROL], "private, no-store");
    assert!(plain.body.get("storage-credentials").is_none() && !plain.body.to_string().contains("secret"));
}

#[tokio::test]
async fn whoever_may_only_read_is_given_credentials_to_read_and_others_none() {
    let (server, _) = server().await;
    let (answer, _) = load(&server, key("reader"), &[VENDED]).await;
    assert_eq!(answer.body["config"]["s3.session-token"], "r main/sales/t1/");
    let (answer, _) = load(&server, key("writer"), &[VENDED]).await;
    assert_eq!(answer.body["config"]["s3.session-token"], "rw main/sales/t1/");
    let (answer, _) = load(&server, key("lister"), &[VENDED]).await;
    assert_eq!((answer.status, &answer.body["config"]["s3.session-token"]), (StatusCode::OK, &Value::Null));
    let path = format!("{T1}/credentials");
    let (refused, _) = ask(&server, key("lister"), ("GET", &path), &[], Value::Null).await;
    assert_eq!(refused, error(403, "ForbiddenException", "access denied"));
    let missing = format!("{TABLES}/t9/credentials");
    let (missing, _) = ask(&server, Principal::Root, ("GET", &missing), &[], Value::Null).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_answer_kept_for_one_is_never_given_to_another() {
    let (server, _) = server().await;
    for principal in [Principal::Root, key("reader"), key("writer"), Principal::Root] {
        let (answer, _) = load(&server, principal.clone(), &[VENDED]).await;
        assert_eq!(answer.body["config"]["s3.access-key-id"], format!("{principal:?}"));
        let (plain, _) = load(&server, principal, &[]).await;
        assert_eq!(plain.body["config"]["s3.access-key-id"], Value::Null);
    }
}

#[tokio::test]
async fn an_etag_stands_for_mode_means_rights_and_epoch() {
    let (server, teller) = server().await;
    let etag = async |principal: Principal, headers: &[(&str, &str)]| {
        load(&server, principal, headers).await.1[header::ETAG].to_str().unwrap().to_owned()
    };
    let tags = [
        etag(Principal::Root, &[]).await,
        etag(Principal::Root, &[VENDED]).await,
        etag(Principal::Root, &[SIGNING]).await,
        etag(key("reader"), &[VENDED]).await,
    ];
    for (at, tag) in tags.iter().enumerate() {
        assert!(!tags[at + 1..].contains(tag), "{tags:?}");
    }
    let known = [VENDED, ("if-none-match", tags[1].as_str())];
    assert_eq!(load(&server, Principal::Root, &known).await.0.status, StatusCode::NOT_MODIFIED);
    // The tag of another form, and of an epoch that is over, brings the table.
    let other = [VENDED, ("if-none-match", tags[0].as_str())];
    assert_eq!(load(&server, Principal::Root, &other).await.0.status, StatusCode::OK);
    let plain = [("if-none-match", tags[1].as_str())];
    assert_eq!(load(&server, Principal::Root, &plain).await.0.status, StatusCode::OK);
    teller.epoch.fetch_add(1, Ordering::Relaxed);
    assert_eq!(load(&server, Principal::Root, &known).await.0.status, StatusCode::OK);
}

#[tokio::test]
async fn cve_2026_42809_a_staged_table_is_given_credentials_only_for_a_place_of_its_own() {
    let (server, _) = server().await;
    let stage = async |location: &str| {
        let mut request = with_location("t2", location);
        request["stage-create"] = json!(true);
        ask(&server, key("writer"), ("POST", TABLES), &[VENDED], request).await.0
    };
    for location in
        ["s3://main/sales/t1", "s3://main/sales", "s3://main", "s3://other/t", "s3://main/.tarn/t"]
    {
        let refused = stage(location).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{location}: {refused:?}");
        assert!(!refused.body.to_string().contains("session-token"), "{refused:?}");
    }
    let staged = stage("s3://main/sales/t10").await;
    assert_eq!(staged.body["config"]["s3.session-token"], "rw main/sales/t10/");
    assert_eq!(staged.body["metadata-location"], Value::Null);
    // Nobody can renew them before the table is there.
    assert_eq!(staged.body["config"]["client.refresh-credentials-endpoint"], Value::Null);
}

#[tokio::test]
async fn a_chosen_place_of_a_staged_table_is_opened_to_nobody_else_while_its_credentials_last() {
    const YEAR_2100_MS: i64 = 4_102_444_800_000;
    let (server, _) = server_until(YEAR_2100_MS).await;
    let stage = async |who: Principal, name: &str, location: &str| {
        let mut request = with_location(name, location);
        request["stage-create"] = json!(true);
        ask(&server, who, ("POST", TABLES), &[VENDED], request).await.0
    };
    let place = "s3://main/sales/chosen";
    assert_eq!(stage(key("writer"), "t2", place).await.status, StatusCode::OK);
    // The same again is the same caller's second try.
    assert_eq!(stage(key("writer"), "t2", place).await.status, StatusCode::OK);
    for (who, name, location) in [
        (key("writer"), "t3", place),
        (key("writer"), "t3", "s3://main/sales/chosen/inner"),
        (Principal::Root, "t2", place),
    ] {
        let refused = stage(who, name, location).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{refused:?}");
        assert!(!refused.body.to_string().contains("session-token"), "{refused:?}");
    }
    let create = with_location("t3", place);
    assert_eq!(server.post(TABLES, create).await.status, StatusCode::BAD_REQUEST);
    // Who staged it creates it.
    let commit = json!({"requirements": [{"type": "assert-create"}], "updates": [
        {"action": "add-schema", "schema": create_request("t2")["schema"]},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "set-location", "location": place},
    ]});
    let created = server.post(&format!("{TABLES}/t2"), commit).await;
    assert_eq!(created.status, StatusCode::OK, "{created:?}");
}

#[tokio::test]
async fn cve_2026_42810_a_name_with_a_wildcard_opens_its_own_place_only() {
    let (server, _) = server().await;
    let create = with_location("t*", "s3://main/sales/t*");
    let (created, _) = ask(&server, key("writer"), ("POST", TABLES), &[VENDED], create).await;
    assert_eq!(created.body["config"]["s3.session-token"], "rw main/sales/t*/", "{created:?}");
}

#[tokio::test]
async fn cve_2026_42812_a_changed_write_path_is_checked_and_then_part_of_the_credentials() {
    let (server, _) = server().await;
    server.post(TABLES, with_location("t2", "s3://main/sales/t2")).await;
    let set = |path: &str| {
        json!({"requirements": [], "updates": [
            {"action": "set-properties", "updates": {"write.data.path": path}},
        ]})
    };
    let refused = server.post(T1, set("s3://main/sales/t2/data")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{refused:?}");
    assert_eq!(server.post(T1, set("s3://main/data/t1")).await.status, StatusCode::OK);
    let (answer, _) = load(&server, Principal::Root, &[VENDED]).await;
    assert_eq!(answer.body["config"]["s3.session-token"], "rw main/sales/t1/, rw main/data/t1/");
}

#[tokio::test]
async fn a_created_and_a_registered_table_are_answered_with_credentials() {
    let (server, _) = server().await;
    let (created, _) = ask(&server, Principal::Root, ("POST", TABLES), &[VENDED], create_request("t2")).await;
    let opens = created.body["config"]["s3.session-token"].as_str().unwrap().to_owned();
    assert!(opens.starts_with("rw main/sales/t2-") && opens.ends_with('/'), "{opens}");
    let file = created.body["metadata-location"].clone();
    assert_eq!(server.delete("/v1/main/namespaces/sales/tables/t2").await.status, StatusCode::NO_CONTENT);
    let register = json!({"name": "t3", "metadata-location": file});
    let path = "/v1/main/namespaces/sales/register";
    let (registered, _) = ask(&server, Principal::Root, ("POST", path), &[VENDED], register).await;
    assert_eq!(registered.body["config"]["s3.session-token"], opens);
}

#[tokio::test]
async fn a_client_that_asks_for_a_signer_is_told_where_it_is() {
    let (server, _) = server().await;
    let (answer, _) = load(&server, key("reader"), &[SIGNING]).await;
    let config = &answer.body["config"];
    assert_eq!(config["s3.remote-signing-enabled"], "true");
    for name in ["signer.endpoint", "s3.signer.endpoint"] {
        assert_eq!(config[name], "v1/main/namespaces/sales/tables/t1/sign");
    }
    for name in ["signer.uri", "s3.signer.uri"] {
        assert_eq!(config[name], "http://127.0.0.1:9000/_iceberg");
    }
    assert_eq!(answer.body["remote-signing-config"], json!({"properties": {}, "headers": {}}));
    assert!(answer.body.get("storage-credentials").is_none());
    let both = ("x-iceberg-access-delegation", "remote-signing,vended-credentials");
    let (answer, _) = load(&server, key("reader"), &[both]).await;
    assert_eq!(answer.body["config"]["s3.remote-signing-enabled"], Value::Null);
    assert_eq!(answer.body["config"]["s3.session-token"], "r main/sales/t1/");
}

#[tokio::test]
async fn a_plan_carries_credentials_for_those_who_ask_for_them() {
    let (server, _) = server().await;
    let plan = format!("{T1}/plan");
    let (plain, headers) = ask(&server, Principal::Root, ("POST", &plan), &[], json!({})).await;
    assert_eq!((plain.status, plain.body.get("storage-credentials")), (StatusCode::OK, None));
    assert!(!headers.contains_key(header::CACHE_CONTROL));
    let (answer, headers) = ask(&server, Principal::Root, ("POST", &plan), &[VENDED], json!({})).await;
    let storage = json!([{"prefix": "s3://main/sales/t1", "config": vended("Root", "rw main/sales/t1/")}]);
    assert_eq!(answer.body["storage-credentials"], storage);
    assert_eq!(headers[header::CACHE_CONTROL], "private, no-store");
    let path = format!("{plan}/{}", answer.body["plan-id"].as_str().unwrap());
    let (again, _) = ask(&server, Principal::Root, ("GET", &path), &[VENDED], Value::Null).await;
    assert_eq!(again.body["storage-credentials"], storage);
}

async fn sign(server: &Server, principal: Principal, request: Value) -> (Answer, HeaderMap) {
    ask(server, principal, ("POST", &format!("{T1}/sign")), &[], request).await
}

fn to_sign(method: &str, uri: &str) -> Value {
    json!({"region": "us-east-1", "method": method, "uri": format!("http://127.0.0.1:9000{uri}"),
        "headers": {"User-Agent": ["test"]}, "provider": "s3"})
}

#[tokio::test]
async fn a_request_for_a_file_of_the_table_is_signed_and_a_read_may_be_kept() {
    let (server, _) = server().await;
    let (signed, headers) = sign(&server, key("reader"), to_sign("GET", "/main/sales/t1/data/a%20b")).await;
    let expected = json!({
        "uri": "http://127.0.0.1:9000/main/sales/t1/data/a%20b",
        "headers": {"authorization": ["GET /main/sales/t1/data/a%20b by r main/sales/t1/"]},
    });
    assert_eq!((signed.status, signed.body), (StatusCode::OK, expected));
    assert_eq!(headers[header::CACHE_CONTROL], "private");
    for (method, uri) in
        [("PUT", "/main/sales/t1/f"), ("POST", "/main/sales/t1/f?uploads"), ("DELETE", "/main/sales/t1/f")]
    {
        let (signed, headers) = sign(&server, key("writer"), to_sign(method, uri)).await;
        assert_eq!(signed.status, StatusCode::OK, "{method} {signed:?}");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        let (refused, _) = sign(&server, key("reader"), to_sign(method, uri)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method}");
    }
    let listing = to_sign("GET", "/main?list-type=2&prefix=sales%2Ft1%2Fdata");
    assert_eq!(sign(&server, key("reader"), listing).await.0.status, StatusCode::OK);
}

#[tokio::test]
async fn nothing_outside_the_table_is_signed() {
    let (server, _) = server().await;
    for (method, uri) in [
        ("GET", "/main/sales/t10/f"),
        ("GET", "/main/sales/t1"),
        ("GET", "/other/sales/t1/f"),
        ("GET", "/main/sales%2Ft10/f"),
        ("GET", "/main?list-type=2"),
        ("GET", "/main?list-type=2&prefix=sales%2Ft1"),
    ] {
        let (refused, _) = sign(&server, Principal::Root, to_sign(method, uri)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {uri}: {refused:?}");
    }
    let mut copy = to_sign("PUT", "/main/sales/t1/f");
    copy["headers"]["X-Amz-Copy-Source"] = json!(["/main/sales/t10/f"]);
    assert_eq!(sign(&server, Principal::Root, copy).await.0.status, StatusCode::FORBIDDEN);
    let mut delete = to_sign("POST", "/main?delete");
    let keys = |second: &str| {
        json!(format!(
            "<Delete><Object><Key>sales/t1/a</Key></Object><Object><Key>{second}</Key></Object></Delete>"
        ))
    };
    delete["body"] = keys("sales/t1/b");
    assert_eq!(sign(&server, Principal::Root, delete.clone()).await.0.status, StatusCode::OK);
    let mut unseen = delete.clone();
    unseen.as_object_mut().unwrap().remove("body");
    assert_eq!(sign(&server, Principal::Root, unseen).await.0.status, StatusCode::OK);
    delete["body"] = keys("sales/t10/b");
    assert_eq!(sign(&server, Principal::Root, delete).await.0.status, StatusCode::FORBIDDEN);
    let get = to_sign("GET", "/main/sales/t1/f");
    let (refused, _) = sign(&server, key("lister"), get.clone()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let path = format!("{TABLES}/t9/sign");
    let (missing, _) = ask(&server, Principal::Root, ("POST", &path), &[], get).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn credentials_of_the_past_only_read_and_never_what_lies_there_today() {
    let (server, _) = server().await;
    let then = T1.replace("main", &format!("main@position:{}", server.catalog.watch().borrow().0));
    let was = ask(&server, Principal::Root, ("GET", &then), &[VENDED], Value::Null).await.0;
    assert_eq!(was.body["config"]["s3.session-token"], "r main/sales/t1/");
    let refresh = was.body["config"]["client.refresh-credentials-endpoint"].as_str().unwrap();
    let renewed = ask(&server, Principal::Root, ("GET", &format!("/{refresh}")), &[], Value::Null).await.0;
    assert_eq!(renewed.body["storage-credentials"][0]["config"]["s3.session-token"], "r main/sales/t1/");
    let sign = |method: &str| {
        let uri = "http://127.0.0.1:9000/main/sales/t1/data/f";
        json!({"region": "us-east-1", "uri": uri, "method": method, "headers": {}})
    };
    let path = format!("{then}/sign");
    let read = ask(&server, Principal::Root, ("POST", &path), &[], sign("GET")).await.0;
    let written = ask(&server, Principal::Root, ("POST", &path), &[], sign("PUT")).await.0;
    assert_eq!((read.status, written.status), (StatusCode::OK, StatusCode::FORBIDDEN));
    // Another table lies in its place by now: its files are not given away.
    assert_eq!(server.delete(T1).await.status, StatusCode::NO_CONTENT);
    let taken = server.post(TABLES, with_location("t2", "s3://main/sales/t1")).await;
    assert_eq!(taken.status, StatusCode::OK);
    let was = ask(&server, Principal::Root, ("GET", &then), &[VENDED], Value::Null).await.0;
    assert_eq!((was.status, &was.body["config"]["s3.session-token"]), (StatusCode::OK, &Value::Null));
    let refused =
        ask(&server, Principal::Root, ("GET", &format!("{then}/credentials")), &[], Value::Null).await.0;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn credentials_of_the_past_need_the_right_to_the_data_under_the_name_of_today_too() {
    let (server, _) = server().await;
    let then = T1.replace("main", &format!("main@position:{}", server.catalog.watch().borrow().0));
    let was = ask(&server, key("reader"), ("GET", &then), &[VENDED], Value::Null).await.0;
    assert_eq!(was.body["config"]["s3.session-token"], "r main/sales/t1/");
    let name = |name: &str| json!({"namespace": ["sales"], "name": name});
    let rename = json!({"source": name("t1"), "destination": name("hidden")});
    assert_eq!(server.post("/v1/main/tables/rename", rename).await.status, StatusCode::NO_CONTENT);
    let was = ask(&server, key("reader"), ("GET", &then), &[VENDED], Value::Null).await.0;
    assert_eq!((was.status, &was.body["config"]["s3.session-token"]), (StatusCode::OK, &Value::Null));
    let path = format!("{then}/credentials");
    let refused = ask(&server, key("reader"), ("GET", &path), &[], Value::Null).await.0;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

/// A right to a table's data opens its places, so a place that somebody names must be theirs already.
#[tokio::test]
async fn who_has_no_rights_to_objects_chooses_no_place_for_a_table() {
    let (server, _) = server().await;
    let sent =
        async |path: &str, body: Value| ask(&server, key("tables-only"), ("POST", path), &[], body).await.0;
    let status = async |path: &str, body: Value| sent(path, body).await.status;
    let forbidden = StatusCode::FORBIDDEN;
    let uploads = "s3://main/uploads";

    let mut elsewhere = create_request("t2");
    elsewhere["properties"] = json!({"write.data.path": uploads});
    assert_eq!(status(TABLES, elsewhere).await, forbidden);
    let mut staged = with_location("t2", uploads);
    assert_eq!(status(TABLES, staged.clone()).await, forbidden);
    staged["stage-create"] = json!(true);
    assert_eq!(status(TABLES, staged).await, forbidden);

    let moved = |updates: Value| json!({"requirements": [], "updates": updates});
    let to = |place: &str| moved(json!([{"action": "set-location", "location": place}]));
    let writing =
        |place: &str| moved(json!([{"action": "set-properties", "updates": {"write.metadata.path": place}}]));
    for change in [to(uploads), writing(uploads), writing("s3://main/sales/t10")] {
        assert_eq!(status(T1, change.clone()).await, forbidden, "{change}");
        let mut named = change.clone();
        named["identifier"] = json!({"namespace": ["sales"], "name": "t1"});
        let transaction = json!({"table-changes": [named]});
        assert_eq!(status("/v1/main/transactions/commit", transaction).await, forbidden, "{change}");
    }
    for change in [to("s3://main/sales/t1"), writing("s3://main/sales/t1/metadata")] {
        assert_eq!(status(T1, change.clone()).await, StatusCode::OK, "{change}");
    }
    let created = json!([{"action": "assign-uuid", "uuid": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"},
        {"action": "set-location", "location": uploads}]);
    let created = json!({"requirements": [{"type": "assert-create"}], "updates": created});
    assert_eq!(status(&format!("{TABLES}/t2"), created).await, forbidden);

    // A file that it may not read shows it nothing, and a place in a file is one that it names.
    let loaded = server.get(T1).await;
    let file = loaded.body["metadata-location"].as_str().unwrap();
    let register = json!({"name": "t3", "metadata-location": file});
    let refused = sent("/v1/main/namespaces/sales/register", register).await;
    assert_eq!(refused, error(403, "ForbiddenException", "access denied"));

    // Where the catalog chooses, the right to the table is enough, staged or at once.
    let mut staged = create_request("t4");
    staged["stage-create"] = json!(true);
    let metadata = sent(TABLES, staged).await.body["metadata"].clone();
    let commit = json!({"requirements": [{"type": "assert-create"}], "updates": [
        {"action": "assign-uuid", "uuid": metadata["table-uuid"]},
        {"action": "upgrade-format-version", "format-version": 2},
        {"action": "add-schema", "schema": metadata["schemas"][0]},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "add-spec", "spec": {"spec-id": 0, "fields": []}},
        {"action": "set-default-spec", "spec-id": -1},
        {"action": "add-sort-order", "sort-order": {"order-id": 0, "fields": []}},
        {"action": "set-default-sort-order", "sort-order-id": -1},
        {"action": "set-location", "location": metadata["location"]},
    ]});
    let made = sent(&format!("{TABLES}/t4"), commit).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
    assert_eq!(status(TABLES, create_request("t5")).await, StatusCode::OK);
}
