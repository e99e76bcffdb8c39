//! Recipients that read the files of a table themselves, with credentials, through a whole server.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::events::table as iceberg_table;
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

/// The path of an S3 location.
fn path(location: &str) -> String {
    format!("/{}", location.strip_prefix("s3://").unwrap())
}

/// The version that the metadata tells, as a directory: what it tells of its place.
async fn told_place(tarn: &Tarn, token: &str, query: &str) -> Value {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let tables = format!("{}/_delta-sharing/v1/shares/partners/schemas/sales/tables", tarn.endpoint());
    let answer =
        http.get(format!("{tables}/orders/metadata{query}")).bearer_auth(token).send().await.unwrap();
    let text = answer.text().await.unwrap();
    let metadata: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    let place = &metadata["metaData"];
    json!([place["location"], place["accessModes"]])
}

#[tokio::test]
async fn a_version_of_an_iceberg_table_is_read_as_a_directory_and_nothing_beside_it_until_it_is_taken_back() {
    let tarn = with_tables().await;
    iceberg_table(&tarn, "main/sales", "orders2").await;
    let token = shared(&tarn).await;
    let (status, told) = vend(&tarn, &token, "orders").await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let root = told["credentials"]["location"].as_str().unwrap().to_owned();
    assert!(root.starts_with("s3://tarn-shares-s3alias/sharing/logs/") && root.ends_with("/0"), "{root}");
    let place = told_place(&tarn, &token, "?version=0").await;
    assert_eq!(place, json!([root, ["url", "dir"]]));

    let acme = session(&told);
    let ask = async |session: &Session, method: Method, path: &str| {
        tarn.send_as_session(session, method, path, b"").await.status()
    };
    let log = format!("{}/_delta_log/00000000000000000000.json", path(&root));
    let text = tarn.send_as_session(&acme, Method::GET, &log, b"").await.text().await.unwrap();
    assert!(text.contains("\"protocol\"") && text.contains("\"metaData\""), "{text}");
    let below = |bucket: &str, root: &str| {
        let key = root.strip_prefix(&format!("s3://{bucket}/")).unwrap();
        format!("/{bucket}?list-type=2&prefix={}%2F", key.replace('/', "%2F"))
    };
    let loaded = tarn.send(Method::GET, "/_iceberg/v1/main/namespaces/sales/tables/orders", b"").await;
    let table: Value = serde_json::from_str(&loaded.text().await.unwrap()).unwrap();
    let files = below("main", table["metadata"]["location"].as_str().unwrap());
    let file = path(table["metadata-location"].as_str().unwrap());
    let link = format!("{}/files{file}", path(&root));
    let listed = below("tarn-shares-s3alias", &root);
    for inside in [&listed, &files, &file, &link] {
        assert_eq!(ask(&acme, Method::GET, inside).await, StatusCode::OK, "{inside}");
    }
    assert_eq!(ask(&acme, Method::HEAD, &path(&root)).await, StatusCode::NOT_FOUND);
    for outside in [
        &link.replace(&file, LOG),
        &link.replace("/sales/orders", "/sales/orders2"),
        "/tarn-shares-s3alias?list-type=2",
        "/tarn-shares-s3alias?list-type=2&prefix=sharing%2Flogs%2F",
        "/tarn-shares-s3alias?list-type=2&prefix=catalog%2F",
        "/tarn-shares-s3alias/catalog/log",
        "/.tarn/sharing/logs",
        "/main?list-type=2",
        "/main?list-type=2&prefix=sales%2Forders2%2F",
        "/lake?list-type=2&prefix=lines%2F",
        LOG,
        "/_iceberg/v1/main/namespaces/sales/tables/orders",
    ] {
        assert!(ask(&acme, Method::GET, outside).await.is_client_error(), "{outside}");
    }
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(ask(&acme, method.clone(), &log).await, StatusCode::FORBIDDEN, "{method}");
        assert_eq!(
            tarn.send(method.clone(), &log, b"").await.status(),
            StatusCode::FORBIDDEN,
            "root, {method}"
        );
    }
    assert_eq!(tarn.send(Method::GET, &log, b"").await.status(), StatusCode::FORBIDDEN, "root");

    let (take, give) = (["share", "revoke", "partners", "acme"], ["share", "grant", "partners", "acme"]);
    let latest = ["share", "alter-table", "partners", "sales.orders", "--history", "latest"];
    let all = ["share", "alter-table", "partners", "sales.orders", "--history", "all"];
    let rows = ["share", "grant", "partners", "acme", "--rows", "sales.orders:region=eu"];
    for (ends, revives) in [(&take[..], &give[..]), (&latest, &all), (&rows, &give)] {
        let session = session(&vend(&tarn, &token, "orders").await.1);
        assert_eq!(ask(&session, Method::GET, &log).await, StatusCode::OK, "before {ends:?}");
        ok(&tarn, ends);
        assert!(ask(&session, Method::GET, &log).await.is_client_error(), "{ends:?}");
        assert!(ask(&session, Method::GET, &files).await.is_client_error(), "{ends:?}");
        assert!(ask(&session, Method::GET, &link).await.is_client_error(), "{ends:?}");
        assert!(vend(&tarn, &token, "orders").await.0.is_client_error(), "{ends:?}");
        ok(&tarn, revives);
        assert!(ask(&session, Method::GET, &log).await.is_client_error(), "{revives:?}");
    }
    assert!(ask(&acme, Method::GET, &log).await.is_client_error());
}

#[tokio::test]
async fn nobody_makes_a_bucket_or_warehouse_of_the_name_that_directories_are_read_by() {
    let tarn = with_tables().await;
    let made = tarn.send(Method::PUT, "/tarn-shares-s3alias", b"").await;
    assert_eq!(made.status(), StatusCode::FORBIDDEN);
    let warehouse = br#"{"name": "tarn-shares-s3alias"}"#;
    let made = tarn.send(Method::POST, "/_iceberg/v1/warehouses", warehouse).await;
    assert_eq!(made.status(), StatusCode::BAD_REQUEST);
}
