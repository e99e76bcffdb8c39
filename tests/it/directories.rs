//! Recipients that read the files of a table themselves, with credentials, through a whole server.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::shares::{ok, ok_json, with_tables};
use crate::support::{Session, Tarn};

const LOG: &str = "/lake/lines/_delta_log/00000000000000000000.json";

/// Shares both tables with `acme`, their history too, and gives what it shows.
async fn shared(tarn: &Tarn) -> String {
    ok(tarn, &["share", "create", "partners"]);
    for table in ["sales.orders=iceberg:main.sales.orders", "sales.lines=delta:s3://lake/lines"] {
        ok(tarn, &["share", "add-table", "partners", table, "--history", "all"]);
    }
    ok(tarn, &["recipient", "create", "acme"]);
    ok(tarn, &["share", "grant", "partners", "acme"]);
    let made = ok_json(tarn, &["recipient", "profile", "acme"]);
    made["profile"]["bearerToken"].as_str().unwrap().to_owned()
}

async fn vend(tarn: &Tarn, token: &str, table: &str) -> (StatusCode, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let tables = format!("{}/_delta-sharing/v1/shares/partners/schemas/sales/tables", tarn.endpoint());
    let url = format!("{tables}/{table}/temporary-table-credentials");
    let answer = http.post(url).bearer_auth(token).send().await.unwrap();
    (answer.status(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

fn session(told: &Value) -> Session {
    let aws = &told["credentials"]["awsTempCredentials"];
    let field = |name: &str| aws[name].as_str().unwrap().to_owned();
    Session { id: field("accessKeyId"), secret: field("secretAccessKey"), token: field("sessionToken") }
}

#[tokio::test]
async fn a_delta_table_is_read_as_a_directory_and_nothing_beside_it_until_it_is_taken_back() {
    let tarn = with_tables().await;
    for other in ["/lake/lines2/secret", "/lake/secret"] {
        assert_eq!(tarn.send(Method::PUT, other, b"secret").await.status(), StatusCode::OK);
    }
    let token = shared(&tarn).await;
    let (status, told) = vend(&tarn, &token, "lines").await;
    assert_eq!(
        (status, &told["credentials"]["location"]),
        (StatusCode::OK, &json!("s3://lake/lines")),
        "{told}"
    );
    let acme = session(&told);
    let ask = async |session: &Session, method: Method, path: &str| {
        tarn.send_as_session(session, method, path, b"").await.status()
    };
    for inside in [LOG, "/lake?list-type=2&prefix=lines%2F"] {
        assert_eq!(ask(&acme, Method::GET, inside).await, StatusCode::OK, "{inside}");
    }
    for outside in [
        "/lake/lines2/secret",
        "/lake/secret",
        "/lake?list-type=2",
        "/lake?list-type=2&prefix=lines",
        "/main?list-type=2&prefix=sales%2F",
        "/",
        "/_admin/v1/shares",
        "/_iceberg/v1/main/namespaces/sales/tables/orders",
    ] {
        assert_eq!(ask(&acme, Method::GET, outside).await, StatusCode::FORBIDDEN, "{outside}");
    }
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(ask(&acme, method.clone(), LOG).await, StatusCode::FORBIDDEN, "{method}");
    }

    // Each of what it stands on ends it, and nothing that is given again revives it.
    let (take, give) = (["share", "revoke", "partners", "acme"], ["share", "grant", "partners", "acme"]);
    let latest = ["share", "alter-table", "partners", "sales.lines", "--history", "latest"];
    let all = ["share", "alter-table", "partners", "sales.lines", "--history", "all"];
    let rows = ["share", "grant", "partners", "acme", "--rows", "sales.lines:region=eu"];
    for (ends, revives) in [(&take[..], &give[..]), (&latest, &all), (&rows, &give)] {
        let session = session(&vend(&tarn, &token, "lines").await.1);
        assert_eq!(ask(&session, Method::GET, LOG).await, StatusCode::OK, "before {ends:?}");
        ok(&tarn, ends);
        assert!(ask(&session, Method::GET, LOG).await.is_client_error(), "{ends:?}");
        assert!(vend(&tarn, &token, "lines").await.0.is_client_error(), "{ends:?}");
        ok(&tarn, revives);
        assert!(ask(&session, Method::GET, LOG).await.is_client_error(), "{revives:?}");
    }
    assert!(ask(&acme, Method::GET, LOG).await.is_client_error());
    let last = session(&vend(&tarn, &token, "lines").await.1);
    ok(&tarn, &["recipient", "alter", "acme", "--disable"]);
    assert!(ask(&last, Method::GET, LOG).await.is_client_error());
}

#[tokio::test]
async fn an_iceberg_table_is_no_directory() {
    let tarn = with_tables().await;
    let token = shared(&tarn).await;
    let (status, told) = vend(&tarn, &token, "orders").await;
    assert_eq!(
        (status, &told["errorCode"]),
        (StatusCode::BAD_REQUEST, &json!("UNSUPPORTED_OPERATION")),
        "{told}"
    );
}
