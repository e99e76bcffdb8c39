//! The catalog as it was, through the same routes: read-only, with the rights of today.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};
use serde_json::{Value, json};
use tarn_openapi::access::{Authorize, Principal};

use super::super::{RestFront, ScanPlanning, router};
use super::{Answer, Rules, Server, answer, append, create_request, error};
use crate::Settings;
use crate::testing::{MemoryWarehouses, catalog_over, settings};

async fn server_for(authorize: Arc<dyn Authorize>) -> Server {
    let warehouses = Arc::new(MemoryWarehouses::default());
    let kept = Settings { history_retention: Duration::from_secs(3600), ..settings() };
    let catalog = catalog_over(Arc::new(InMemory::new()), warehouses.clone(), kept).await;
    let router = router(RestFront {
        catalog: catalog.clone(),
        authorize,
        vend: None,
        uri: None,
        default_warehouse: Some("main".into()),
        region: "us-east-1".into(),
        s3_endpoint: Some("http://127.0.0.1:9000".into()),
        scan_planning: ScanPlanning::Client,
    });
    Server { router, catalog, warehouses }
}

async fn server() -> Server {
    server_for(Arc::new(Rules)).await
}

impl Server {
    /// Routes below the warehouse as it is now, for later.
    fn then(&self) -> String {
        format!("/v1/main@position:{}", self.catalog.watch().borrow().0)
    }

    async fn as_reader(&self, method: &str, path: &str) -> Answer {
        let reader = Principal::AccessKey("reader".into());
        let request = Request::builder().method(method).uri(path).extension(reader);
        self.send(request.body(Body::empty()).unwrap()).await.0
    }

    async fn put(&self, key: &str) {
        let store = crate::WarehouseStores::store(&*self.warehouses, "main");
        store.put(&Path::from(key), PutPayload::from_static(b"a manifest list")).await.unwrap();
    }

    async fn drop_orders(&self) {
        let dropped = self.delete("/v1/main/namespaces/sales/tables/orders").await;
        assert_eq!(dropped.status, StatusCode::NO_CONTENT);
    }
}

fn names(found: &Answer) -> Vec<&str> {
    let identifiers = found.body["identifiers"].as_array().unwrap().iter();
    identifiers.map(|identifier| identifier["name"].as_str().unwrap()).collect()
}

const ORDERS: &str = "/namespaces/sales/tables/orders";

#[tokio::test]
async fn config_answers_a_prefix_that_stays_where_the_client_attached() {
    let server = server().await;
    let position = server.catalog.watch().borrow().0;
    let time = server.catalog.time_of(crate::Seq(position)).await.unwrap().unwrap();
    let time = jiff::Timestamp::from_millisecond(time).unwrap().to_string();
    for at in [format!("position:{position}"), time.clone()] {
        for spelled in [at.clone(), at.replace(':', "%3A")] {
            let found = server.get(&format!("/v1/config?warehouse=main@{spelled}")).await;
            let prefix = format!("main@position:{position}");
            assert_eq!(found.body["overrides"]["prefix"], prefix, "{found:?}");
            assert_eq!(found.body["overrides"]["namespace-separator"], "%1F");
        }
    }
    server.create_table("orders").await;
    // A time as the prefix itself means the same.
    let time = time.replace(':', "%3A");
    for prefix in
        [format!("main@position:{position}"), format!("main%40position%3A{position}"), format!("main@{time}")]
    {
        let then = server.get(&format!("/v1/{prefix}/namespaces/sales/tables")).await;
        assert_eq!(then, answer(200, json!({"identifiers": [], "next-page-token": null})), "{prefix}");
    }
}

#[tokio::test]
async fn tables_and_namespaces_are_as_they_were() {
    let server = server().await;
    server.create_table("orders").await;
    let before = server.get(&format!("/v1/main{ORDERS}")).await;
    let then = server.then();
    server.put("sales/snap-1.avro").await;
    server.post(&format!("/v1/main{ORDERS}"), append(1, None, 1)).await;
    server.create_table("later").await;
    server.post("/v1/main/namespaces", json!({"namespace": ["new"]})).await;
    let mut was = server.get(&format!("{then}{ORDERS}")).await;
    // Clients delete no files of the past.
    assert_eq!(was.body["config"]["s3.delete-enabled"].take(), "false");
    was.body["config"].as_object_mut().unwrap().remove("s3.delete-enabled");
    assert_eq!(was, before);
    assert_eq!(names(&server.get(&format!("{then}/namespaces/sales/tables")).await), ["orders"]);
    let spaces = server.get(&format!("{then}/namespaces")).await;
    assert_eq!(spaces.body["namespaces"], json!([["sales"]]));
    assert_eq!(server.head(&format!("{then}/namespaces/new")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.head(&format!("{then}{ORDERS}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(
        server.head(&format!("{then}/namespaces/sales/tables/later")).await.status,
        StatusCode::NOT_FOUND
    );
    let later = server.get(&format!("{}{ORDERS}", server.then())).await;
    assert_eq!(later.body["metadata"]["current-snapshot-id"], 1);
}

#[tokio::test]
async fn the_past_is_not_written_by_any_route() {
    let server = server().await;
    server.create_table("orders").await;
    let then = server.then();
    let read_only = |answer: &Answer| {
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(message.contains("is read-only"), "{answer:?}");
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.body["error"]["type"], "ForbiddenException");
    };
    for (path, body) in [
        ("/namespaces", json!({"namespace": ["new"]})),
        ("/namespaces/sales/properties", json!({"updates": {"k": "v"}})),
        ("/namespaces/sales/tables", create_request("new")),
        (ORDERS, append(1, None, 1)),
        ("/transactions/commit", json!({"table-changes": []})),
        ("/tables/rename", json!({})),
        ("/namespaces/sales/register", json!({})),
        ("/namespaces/sales/views", json!({})),
        ("/views/rename", json!({})),
        ("/namespaces/sales/tables/orders/undrop", json!({})),
        ("/namespaces/sales/tables/orders/unregister", json!({})),
    ] {
        read_only(&server.post(&format!("{then}{path}"), body).await);
    }
    for path in [ORDERS, "/namespaces/sales", "/namespaces/sales/views/v"] {
        read_only(&server.delete(&format!("{then}{path}")).await);
    }
    let warehouse = then.replace("/v1/", "/v1/warehouses/");
    read_only(&server.delete(&warehouse).await);
    // Nobody is told anything.
    let request = Request::builder().method("DELETE").uri(format!("{then}{ORDERS}"));
    let nobody = server.send(request.body(Body::empty()).unwrap()).await.0;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    assert_eq!(names(&server.get("/v1/main/namespaces/sales/tables").await), ["orders"]);
}

#[tokio::test]
async fn a_dropped_table_is_closed_but_to_an_administrator() {
    let server = server().await;
    server.create_table("orders").await;
    let then = server.then();
    assert_eq!(server.as_reader("GET", &format!("{then}{ORDERS}")).await.status, StatusCode::OK);
    server.drop_orders().await;
    let moment = then.split_once('@').unwrap().1;
    let message =
        format!("table 'sales.orders' as of {moment} is not there any more: only an administrator reads it");
    let closed = error(404, "NoSuchTableException", &message);
    assert_eq!(server.as_reader("GET", &format!("{then}{ORDERS}")).await, closed);
    assert_eq!(names(&server.as_reader("GET", &format!("{then}/namespaces/sales/tables")).await), [""; 0]);
    assert_eq!(server.get(&format!("{then}{ORDERS}")).await.status, StatusCode::OK);
    assert_eq!(names(&server.get(&format!("{then}/namespaces/sales/tables")).await), ["orders"]);
    // Another table that takes the name does not open the one before.
    server.create_table("orders").await;
    assert_eq!(server.as_reader("GET", &format!("{then}{ORDERS}")).await, closed);
    // Neither is a namespace that is gone.
    server.drop_orders().await;
    server.delete("/v1/main/namespaces/sales").await;
    let space = server.as_reader("GET", &format!("{then}/namespaces/sales")).await;
    assert_eq!(
        (space.status, &space.body["error"]["type"]),
        (StatusCode::NOT_FOUND, &json!("NoSuchNamespaceException"))
    );
    assert_eq!(server.as_reader("GET", &format!("{then}/namespaces")).await.body["namespaces"], json!([]));
    assert_eq!(server.get(&format!("{then}/namespaces")).await.body["namespaces"], json!([["sales"]]));
}

/// `reader` may read what is not called `secret`.
struct NoSecrets;

impl Authorize for NoSecrets {
    fn authorize(
        &self,
        principal: &Principal,
        ask: tarn_openapi::access::Ask<'_>,
    ) -> Result<(), tarn_openapi::access::Denied> {
        match (principal, ask.resource) {
            (Principal::AccessKey(_), tarn_openapi::access::Resource::Table(_, _, "secret")) => {
                Err(tarn_openapi::access::Denied)
            }
            _other => Rules.authorize(principal, ask),
        }
    }
}

#[tokio::test]
async fn a_renamed_table_needs_rights_on_both_names() {
    let server = server_for(Arc::new(NoSecrets)).await;
    server.create_table("orders").await;
    let then = server.then();
    let name = |name: &str| json!({"namespace": ["sales"], "name": name});
    let renamed = |to: &str| json!({"source": name("orders"), "destination": name(to)});
    server.post("/v1/main/tables/rename", renamed("sold")).await;
    assert_eq!(server.as_reader("GET", &format!("{then}{ORDERS}")).await.status, StatusCode::OK);
    let back = json!({"source": name("sold"), "destination": name("secret")});
    server.post("/v1/main/tables/rename", back).await;
    assert_eq!(server.as_reader("GET", &format!("{then}{ORDERS}")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(server.get(&format!("{then}{ORDERS}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn files_that_were_removed_since_are_told_and_not_served() {
    let server = server().await;
    server.create_table("orders").await;
    server.put("sales/snap-1.avro").await;
    server.post(&format!("/v1/main{ORDERS}"), append(1, None, 1)).await;
    let then = server.then();
    server.put("sales/snap-2.avro").await;
    server.post(&format!("/v1/main{ORDERS}"), append(2, Some(1), 2)).await;
    let expire =
        json!({"requirements": [], "updates": [{"action": "remove-snapshots", "snapshot-ids": [1]}]});
    server.post(&format!("/v1/main{ORDERS}"), expire).await;
    // Expired, and its files are there still.
    assert_eq!(server.get(&format!("{then}{ORDERS}")).await.status, StatusCode::OK);
    let store = crate::WarehouseStores::store(&*server.warehouses, "main");
    store.delete(&Path::from("sales/snap-1.avro")).await.unwrap();
    let moment = then.split_once('@').unwrap().1;
    let message =
        format!("table 'sales.orders' as of {moment} has snapshot 1, whose files were removed since");
    assert_eq!(server.get(&format!("{then}{ORDERS}")).await, error(404, "NotFoundException", &message));
}

#[tokio::test]
async fn a_moment_that_cannot_be_read_says_what_can() {
    let server = server().await;
    let last = server.catalog.watch().borrow().0;
    for (at, status, said) in [
        ("yesterday", 400, "is no moment"),
        ("position:99", 400, &*format!("the last position is {last}")),
        ("9999-01-01T00%3A00%3A00Z", 400, "is not there yet"),
        ("1999-01-01T00%3A00%3A00Z", 404, "does not exist"),
    ] {
        for path in [format!("/v1/config?warehouse=main@{at}"), format!("/v1/main@{at}/namespaces")] {
            let found = server.get(&path).await;
            let message = found.body["error"]["message"].as_str().unwrap_or_default();
            assert!(found.status == status && message.contains(said), "{path}: {found:?}");
        }
    }
    let other = server.get("/v1/config?warehouse=other@position:1").await;
    assert_eq!(other, error(404, "NoSuchWarehouseException", "warehouse 'other' does not exist"));
}

#[tokio::test]
async fn a_table_is_planned_as_it_was_and_its_plans_are_not_those_of_today() {
    let server = server().await;
    server.create_table("orders").await;
    let then = server.then();
    let planned = server.post(&format!("{then}{ORDERS}/plan"), json!({})).await;
    assert_eq!((planned.status, &planned.body["status"]), (StatusCode::OK, &json!("completed")));
    let id = planned.body["plan-id"].as_str().unwrap();
    assert_eq!(server.get(&format!("{then}{ORDERS}/plan/{id}")).await.status, StatusCode::OK);
    let today = server.get(&format!("/v1/main{ORDERS}/plan/{id}")).await;
    assert_eq!(
        (today.status, &today.body["error"]["type"]),
        (StatusCode::NOT_FOUND, &json!("NoSuchPlanIdException"))
    );
    let report = server.post(&format!("{then}{ORDERS}/metrics"), json!({"report-type": "scan-report"})).await;
    assert_eq!((report.status, report.body), (StatusCode::NO_CONTENT, Value::Null));
}
