//! Shares, schemas and tables.

use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn shares_schemas_and_tables_are_told_by_their_names_and_ids() {
    let world = world().await;
    let share = world.share.lock().unwrap().clone();
    let item = json!({"name": "Sales", "id": share.id, "comment": "what is sold"});
    let answer = world.get("/shares").await;
    assert_eq!(answer.json(), json!({"items": [item]}));
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(world.get("/shares/SALES").await.json(), json!({"share": item}));
    assert_eq!(
        world.get("/shares/sAles/schemas").await.json(),
        json!({"items": [{"name": "Empty", "share": "Sales"}, {"name": "EU", "share": "Sales"}]})
    );
    let tables = &share.schemas["eu"].tables;
    let table = |name: &str, key: &str| json!({"name": name, "schema": "EU", "share": "Sales", "shareId": share.id, "id": tables[key].id});
    let mut orders = table("Orders", "orders");
    orders["location"] = json!("s3://main/Orders");
    orders["accessModes"] = json!(["url", "dir"]);
    let all = json!({"items": [table("Late", "late"), orders, table("Plain", "plain")]});
    assert_eq!(world.get("/shares/sales/schemas/Eu/tables").await.json(), all);
    assert_eq!(world.get("/shares/sales/all-tables").await.json(), all);
    assert_eq!(world.get("/shares/sales/schemas/empty/tables").await.json(), json!({"items": []}));
}

/// The names of all pages of a list, one item each.
async fn walked(world: &World, path: &str) -> Vec<String> {
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("{path}?maxResults=1&pageToken={token}")).await.json();
        let items = page["items"].as_array().unwrap();
        names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        match &page["nextPageToken"] {
            Value::String(next) => token = next.clone(),
            _end => return names,
        }
    }
}

#[tokio::test]
async fn pages_of_a_list_are_the_list() {
    let world = world().await;
    assert_eq!(walked(&world, "/shares").await, ["Sales"]);
    assert_eq!(walked(&world, "/shares/sales/schemas").await, ["Empty", "EU"]);
    assert_eq!(walked(&world, "/shares/sales/schemas/eu/tables").await, ["Late", "Orders", "Plain"]);
    assert_eq!(walked(&world, "/shares/sales/all-tables").await, ["Late", "Orders", "Plain"]);
    let none = world.get("/shares/sales/schemas?maxResults=0").await.json();
    assert_eq!(none["items"], json!([]));
    let token = none["nextPageToken"].as_str().unwrap();
    let all = world.get(&format!("/shares/sales/schemas?pageToken={token}")).await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_page_of_another_list_and_a_wrong_size_are_refused() {
    let world = world().await;
    let page = world.get("/shares/sales/all-tables?maxResults=1").await.json();
    let token = page["nextPageToken"].as_str().unwrap();
    for path in ["/shares", "/shares/sales/schemas", "/shares/sales/schemas/eu/tables"] {
        for token in [token, "x", "AAAA", "%ff"] {
            let answer = world.get(&format!("{path}?pageToken={token}")).await;
            assert_eq!(answer.failure(), invalid("invalid 'nextPageToken'"), "{path} {token}");
        }
        let answer = world.get(&format!("{path}?maxResults=501")).await;
        let range = "Acceptable values of 'maxResults' are 0 to 500, inclusive. (Default: 500)";
        assert_eq!(answer.failure(), invalid(range));
    }
}

#[tokio::test]
async fn a_share_that_is_not_granted_is_none() {
    let world = world().await;
    world.change_recipient(|recipient| recipient.grants.clear()).await;
    assert_eq!(world.get("/shares").await.json(), json!({"items": []}));
    for path in [
        "/shares/sales",
        "/shares/sales/schemas",
        "/shares/sales/all-tables",
        "/shares/sales/schemas/eu/tables",
    ] {
        let missing = (404, "RESOURCE_DOES_NOT_EXIST".to_owned(), "share 'sales' not found".to_owned());
        assert_eq!(world.get(path).await.failure(), missing, "{path}");
    }
    let orders = world.get(&format!("{ORDERS}/version")).await.failure();
    let nowhere = world.get("/shares/sales/schemas/eu/tables/none/version").await.failure();
    assert_eq!(orders.2.replace("/orders'", "/none'"), nowhere.2);
    assert_eq!(
        orders.2,
        "[Share/Schema/Table] 'sales/eu/orders' does not exist, please contact your share provider for further \
         information."
    );
}

#[tokio::test]
async fn a_path_with_a_slash_too_many_is_the_path_without_it() {
    let world = world().await;
    let told = world.get("/shares/sales/all-tables?maxResults=1").await.json();
    assert_eq!(world.get("//shares/sales//all-tables?maxResults=1").await.json(), told);
    assert_eq!(world.ask("POST", "//shares", &[], "{}").await.status, 405);
    assert_eq!(world.get("//nothing").await.status, 404);
}
