//! A share as a catalog for Iceberg clients, through a whole server.

use std::io::Read as _;

use flate2::read::GzDecoder;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::events::table as iceberg_table;
use crate::shares::{ok, ok_json, with_tables};
use crate::support::{Session, Tarn};

const ORDERS: &str = "v1/shares/Partners/namespaces/sales/tables/orders";

struct Acme {
    tarn: Tarn,
    http: reqwest::Client,
    endpoint: String,
    token: String,
}

impl Acme {
    async fn ask(&self, method: Method, path: &str) -> (StatusCode, Value) {
        let request = self.http.request(method, format!("{}/{path}", self.endpoint)).bearer_auth(&self.token);
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask(Method::GET, path).await
    }

    /// What a table's answer lets read, and its metadata file.
    async fn load(&self) -> (Session, String) {
        let (status, told) = self.get(ORDERS).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        (session(&told), told["metadata-location"].as_str().unwrap().replace("s3://", "/"))
    }

    async fn reads(&self, session: &Session, path: &str) -> StatusCode {
        self.tarn.send_as_session(session, Method::GET, path, b"").await.status()
    }
}

fn session(told: &Value) -> Session {
    let config = &told["storage-credentials"][0]["config"];
    let field = |name: &str| config[name].as_str().unwrap().to_owned();
    Session {
        id: field("s3.access-key-id"),
        secret: field("s3.secret-access-key"),
        token: field("s3.session-token"),
    }
}

/// `acme` may read `Partners`: `sales.orders` with its history, `sales.late` without, and `sales.lines`, a Delta table.
async fn acme() -> Acme {
    let tarn = with_tables().await;
    for name in ["late", "secret"] {
        iceberg_table(&tarn, "main/sales", name).await;
    }
    ok(&tarn, &["share", "create", "Partners"]);
    for (table, history) in [
        ("Sales.Orders=iceberg:main.sales.orders", "all"),
        ("sales.late=iceberg:main.sales.late", "latest"),
        ("sales.lines=delta:s3://lake/lines", "all"),
    ] {
        ok(&tarn, &["share", "add-table", "partners", table, "--history", history]);
    }
    ok(&tarn, &["share", "create", "others"]);
    ok(&tarn, &["recipient", "create", "acme"]);
    ok(&tarn, &["share", "grant", "partners", "acme"]);
    let made = ok_json(&tarn, &["recipient", "profile", "acme"]);
    let profile = |name: &str| made["profile"][name].as_str().unwrap().to_owned();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    Acme { tarn, http, endpoint: profile("icebergEndpoint"), token: profile("bearerToken") }
}

#[tokio::test]
async fn a_share_is_a_catalog_of_the_iceberg_tables_all_of_which_are_shared() {
    let acme = acme().await;
    let (status, config) = acme.get("v1/config?warehouse=PARTNERS").await;
    assert_eq!((status, &config["overrides"]), (StatusCode::OK, &json!({"prefix": "shares/Partners"})));
    let namespaces = json!({"namespaces": [["Sales"]], "next-page-token": null});
    for base in ["v1/shares/Partners", "v1/shares%2Fpartners"] {
        assert_eq!(acme.get(&format!("{base}/namespaces")).await, (StatusCode::OK, namespaces.clone()));
    }
    let (_, listed) = acme.get("v1/shares/Partners/namespaces/sales/tables").await;
    assert_eq!(listed["identifiers"], json!([{"namespace": ["Sales"], "name": "Orders"}]));
    assert_eq!(acme.ask(Method::HEAD, ORDERS).await.0, StatusCode::NO_CONTENT);
    assert_eq!(acme.ask(Method::POST, &format!("{ORDERS}/metrics")).await.0, StatusCode::NO_CONTENT);
    for (path, status, name) in [
        ("v1/config?warehouse=others", 404, "NoSuchWarehouseException"),
        ("v1/config", 400, "BadRequestException"),
        ("v1/shares/others/namespaces", 404, "NoSuchWarehouseException"),
        ("v1/shares/partners/namespaces/main", 404, "NoSuchNamespaceException"),
        ("v1/shares/partners/namespaces/sales/tables/secret", 404, "NoSuchTableException"),
        ("v1/shares/partners/namespaces/sales/tables/lines", 404, "NoSuchTableException"),
        ("v1/shares/partners/namespaces/sales/tables/late", 403, "ForbiddenException"),
        ("v1/shares/partners/views", 404, "NotFoundException"),
    ] {
        let (answered, told) = acme.get(path).await;
        assert_eq!((answered.as_u16(), &told["error"]["type"]), (status, &json!(name)), "{path}: {told}");
    }
    for (method, path) in [
        (Method::POST, ORDERS),
        (Method::DELETE, ORDERS),
        (Method::POST, "v1/shares/partners/namespaces"),
        (Method::POST, "v1/shares/partners/transactions/commit"),
    ] {
        let (status, told) = acme.ask(method, path).await;
        assert_eq!(
            (status.as_u16(), &told["error"]["message"]),
            (405, &json!("a share is read only")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn credentials_of_a_shared_iceberg_table_open_its_files_only_until_it_is_taken_back() {
    let acme = acme().await;
    let (first, metadata) = acme.load().await;
    assert_eq!(acme.reads(&first, &metadata).await, StatusCode::OK);
    let (_, renewed) = acme.get(&format!("{ORDERS}/credentials")).await;
    assert_eq!(acme.reads(&session(&renewed), &metadata).await, StatusCode::OK);
    for outside in [
        "/lake/lines/_delta_log/00000000000000000000.json",
        "/main?list-type=2",
        "/_iceberg/v1/main/namespaces/sales/tables/orders",
        "/",
    ] {
        assert_eq!(acme.reads(&first, outside).await, StatusCode::FORBIDDEN, "{outside}");
    }
    for method in [Method::PUT, Method::DELETE] {
        let status = acme.tarn.send_as_session(&first, method.clone(), &metadata, b"").await.status();
        assert_eq!(status, StatusCode::FORBIDDEN, "{method}");
    }

    // Each of what it stands on ends it, and nothing that is given again revives it.
    let give = ["share", "grant", "partners", "acme"];
    let rows = ["share", "grant", "partners", "acme", "--rows", "sales.orders:region=eu"];
    let latest = ["share", "alter-table", "partners", "sales.orders", "--history", "latest"];
    let all = ["share", "alter-table", "partners", "sales.orders", "--history", "all"];
    for (ends, revives) in [(&rows[..], &give[..]), (&latest, &all)] {
        let (session, _) = acme.load().await;
        ok(&acme.tarn, ends);
        assert!(acme.reads(&session, &metadata).await.is_client_error(), "{ends:?}");
        assert_eq!(acme.get(ORDERS).await.0, StatusCode::FORBIDDEN, "{ends:?}");
        let (_, listed) = acme.get("v1/shares/partners/namespaces/sales/tables").await;
        assert_eq!(listed["identifiers"], json!([]), "{ends:?}");
        ok(&acme.tarn, revives);
        assert!(acme.reads(&session, &metadata).await.is_client_error(), "{revives:?}");
    }
    let (last, _) = acme.load().await;
    ok(&acme.tarn, &["share", "revoke", "partners", "acme"]);
    assert!(acme.reads(&last, &metadata).await.is_client_error());
    assert_eq!(acme.get(ORDERS).await.0, StatusCode::NOT_FOUND);
    ok(&acme.tarn, &["recipient", "alter", "acme", "--disable"]);
    assert_eq!(acme.get("v1/config?warehouse=partners").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn who_has_a_tables_answer_is_not_sent_it_again_and_a_long_one_is_sent_packed() {
    let acme = acme().await;
    let ask = |token: &str, etag: &str, coding: &str| {
        let request = acme.http.get(format!("{}/{ORDERS}", acme.endpoint)).bearer_auth(token);
        request.header("if-none-match", etag).header("accept-encoding", coding).send()
    };
    let first = ask(&acme.token, "\"other\"", "gzip").await.unwrap();
    assert_eq!(first.headers().get("content-encoding"), None, "it is short");
    let etag = first.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(first.headers()["cache-control"], "no-store");
    // The credentials' lifetime may come to its half in between.
    let again = ask(&acme.token, &etag, "identity").await.unwrap();
    let is_other_half = again.headers()["etag"] != etag.as_str();
    assert_eq!(again.status(), if is_other_half { StatusCode::OK } else { StatusCode::NOT_MODIFIED });
    assert!(is_other_half || again.bytes().await.unwrap().is_empty());
    let other = ok_json(&acme.tarn, &["recipient", "profile", "acme"]);
    let other = other["profile"]["bearerToken"].as_str().unwrap();
    assert_eq!(ask(other, &etag, "identity").await.unwrap().status(), StatusCode::OK, "for another token");

    let comment = "a b c ".repeat(8000);
    let update = json!({"requirements": [], "updates": [{"action": "set-properties", "updates": {"comment": comment}}]});
    let path = "/_iceberg/v1/main/namespaces/sales/tables/orders";
    let changed = acme.tarn.send(Method::POST, path, update.to_string().as_bytes()).await;
    assert_eq!(changed.status(), StatusCode::OK, "{}", changed.text().await.unwrap());
    let packed = ask(&acme.token, &etag, "gzip").await.unwrap();
    assert_eq!(
        (packed.status(), &packed.headers()["content-encoding"]),
        (StatusCode::OK, &"gzip".parse().unwrap())
    );
    let mut text = String::new();
    let bytes = packed.bytes().await.unwrap();
    GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
    assert!(bytes.len() < text.len() / 4);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["metadata"]["properties"]["comment"], comment.as_str());
    ok(&acme.tarn, &["share", "revoke", "partners", "acme"]);
    assert_eq!(ask(&acme.token, "*", "gzip").await.unwrap().status(), StatusCode::NOT_FOUND);
}
