//! A server with a Delta table that is shared, and what a recipient does with it.

use bytes::Bytes;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::Tarn;

/// The table of the recipient's share.
pub const ORDERS: &str = "shares/partners/schemas/sales/tables/orders";
/// Another table of the share.
pub const LINES: &str = "shares/partners/schemas/sales/tables/lines";
/// Bytes of the table's large file: far more than the sockets between server and client hold.
pub const LARGE_BYTES: usize = 24 << 20;

/// A server whose user `steward` shares `s3://lake/orders/` and `s3://lake/lines/` with `acme`.
pub struct Lake {
    pub tarn: Tarn,
    pub http: Client,
    /// The recipient's bearer token.
    pub token: String,
    /// Its id.
    pub token_id: String,
}

/// Which files `orders` has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Files {
    Small,
    /// One of them has [`LARGE_BYTES`].
    Large,
}

/// What is in a file of a table.
pub fn content(region: &str) -> Vec<u8> {
    format!("rows of {region};").repeat(256).into_bytes()
}

fn add(path: &str, region: &str, size: usize) -> Value {
    let stats =
        json!({"numRecords": 3, "minValues": {"id": 1}, "maxValues": {"id": 9}, "nullCount": {"id": 0}});
    json!({"add": {
        "path": path, "partitionValues": {"region": region}, "size": size, "modificationTime": 1_700_000_000_000_i64,
        "dataChange": true, "stats": stats.to_string(),
    }})
}

fn definition(id: u32) -> [Value; 2] {
    let column =
        |name: &str, kind: &str| json!({"name": name, "type": kind, "nullable": true, "metadata": {}});
    let schema = json!({"type": "struct", "fields": [column("id", "long"), column("region", "string")]});
    let metadata = json!({
        "id": format!("5fba94ed-9794-4965-ba6e-{id:012}"), "format": {"provider": "parquet", "options": {}},
        "schemaString": schema.to_string(), "partitionColumns": ["region"], "configuration": {},
        "createdTime": 1_700_000_000_000_i64,
    });
    [json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}), json!({"metaData": metadata})]
}

impl Lake {
    pub async fn start(files: Files) -> Self {
        let tarn = Tarn::start(1).await;
        let http = Client::builder().no_proxy().build().unwrap();
        let mut lake = Self { tarn, http, token: String::new(), token_id: String::new() };
        lake.fill(files).await;
        lake.share().await;
        (lake.token, lake.token_id) = lake.bearer("acme", json!({})).await;
        lake
    }

    async fn fill(&self, files: Files) {
        self.put("/lake", "").await;
        self.commit("orders", 0, &definition(1)).await;
        for region in ["eu", "us"] {
            self.put(&format!("/lake/orders/region={region}/a.parquet"), content(region)).await;
        }
        let mut added: Vec<Value> = ["eu", "us"]
            .map(|region| add(&format!("region={region}/a.parquet"), region, content(region).len()))
            .into();
        if files == Files::Large {
            self.put("/lake/orders/region=eu/large.parquet", vec![7; LARGE_BYTES]).await;
            added.push(add("region=eu/large.parquet", "eu", LARGE_BYTES));
        }
        self.commit("orders", 1, &added).await;
        self.commit("lines", 0, &definition(2)).await;
        self.put("/lake/lines/a.parquet", content("eu")).await;
        self.commit("lines", 1, &[add("a.parquet", "eu", content("eu").len())]).await;
    }

    async fn share(&self) {
        let reads = json!({"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::lake", "arn:aws:s3:::lake/*"]}]});
        let shares = json!({"Statement": [{"Effect": "Allow", "Action": "sharing:*", "Resource": "*"}]});
        self.admin(Method::PUT, "policies/reads", reads).await;
        self.admin(Method::PUT, "policies/shares", shares).await;
        let user = json!({"name": "steward", "policies": ["reads", "shares"]});
        let steward = self.admin(Method::POST, "users", user).await;
        self.admin(Method::POST, "shares", json!({"name": "partners"})).await;
        for table in ["orders", "lines"] {
            let source = json!({"type": "delta", "bucket": "lake", "prefix": table});
            let history = json!({"mode": "shared", "start": 0});
            let new =
                json!({"schema": "sales", "name": table, "source": source, "history": history}).to_string();
            let key = ("steward", steward["secret"].as_str().unwrap());
            let path = "/_admin/v1/shares/partners/tables";
            let added = self.tarn.send_as(key, Method::POST, path, new.as_bytes()).await;
            assert_eq!(added.status(), StatusCode::CREATED, "{}", added.text().await.unwrap());
        }
        self.recipient("acme").await;
        self.grant("acme", json!({})).await;
    }

    /// Puts an object as root.
    pub async fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let put = self.tarn.send(Method::PUT, path, content.as_ref()).await;
        assert_eq!(put.status(), StatusCode::OK, "{path}: {}", put.text().await.unwrap());
    }

    /// Writes a commit of a Delta table.
    pub async fn commit(&self, table: &str, version: u64, actions: &[Value]) {
        let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
        self.put(&format!("/lake/{table}/_delta_log/{version:020}.json"), lines.join("\n")).await;
    }

    /// What an administrator is answered.
    pub async fn admin(&self, method: Method, path: &str, body: Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.tarn.send(method, &format!("/_admin/v1/{path}"), body.as_bytes()).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    /// Makes a recipient that may ask often.
    pub async fn recipient(&self, name: &str) {
        self.admin(Method::POST, "recipients", json!({"name": name, "requests_per_second": 10_000})).await;
    }

    pub async fn grant(&self, recipient: &str, filters: Value) {
        self.admin(Method::PUT, &format!("shares/partners/grants/{recipient}"), json!({"filters": filters}))
            .await;
    }

    /// A new token of a recipient, and its id.
    pub async fn bearer(&self, recipient: &str, new: Value) -> (String, String) {
        let made = self.admin(Method::POST, &format!("recipients/{recipient}/tokens"), new).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&made["profile"]["bearerToken"]), text(&made["token"]["id"]))
    }

    /// The protocol's URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}/_delta-sharing/v1/{path}", self.tarn.endpoint())
    }

    pub async fn get(&self, path: &str) -> Response {
        self.http.get(self.url(path)).bearer_auth(&self.token).send().await.unwrap()
    }

    /// A query of a table by a token.
    pub fn ask(&self, token: &str, table: &str, body: &Value) -> RequestBuilder {
        self.http.post(self.url(&format!("{table}/query"))).bearer_auth(token).json(body)
    }

    /// The lines that the recipient is answered.
    pub async fn query(&self, table: &str, body: Value) -> Vec<Value> {
        lines(self.ask(&self.token, table, &body).send().await.unwrap()).await
    }

    /// The URL of a file of `orders` whose key has this text in it.
    pub async fn file(&self, part: &str) -> String {
        self.file_of(&self.token, ORDERS, part).await
    }

    pub async fn file_of(&self, token: &str, table: &str, part: &str) -> String {
        let told = lines(self.ask(token, table, &json!({})).send().await.unwrap()).await;
        urls(&told).into_iter().find(|url| url.contains(part)).expect("a file of that name")
    }

    /// What is answered to a URL of a file: its status, and its bytes if they came whole.
    pub async fn fetch(&self, url: &str) -> (StatusCode, Option<Bytes>) {
        let answer = self.http.get(url).send().await.unwrap();
        (answer.status(), answer.bytes().await.ok())
    }
}

/// The lines of an answer.
pub async fn lines(answer: Response) -> Vec<Value> {
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, StatusCode::OK, "{text}");
    parsed(&text)
}

/// The lines of a text.
pub fn parsed(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The URLs of files in an answer.
pub fn urls(lines: &[Value]) -> Vec<String> {
    lines.iter().filter_map(|line| line["file"]["url"].as_str()).map(str::to_owned).collect()
}

/// The status, code and message of an answer that refuses.
pub async fn failure(answer: Response) -> (u16, String, String) {
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    let told: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}"));
    let fields = told.as_object().unwrap();
    assert_eq!(fields.len(), 2, "{text}");
    let text = |name: &str| fields[name].as_str().unwrap().to_owned();
    (status.as_u16(), text("errorCode"), text("message"))
}
