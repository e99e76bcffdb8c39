//! Tables of another Iceberg REST catalog, whose files lie in this server's S3, come here by `tarn migrate`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::events::{namespace, printed, table};
use crate::support::Tarn;

/// Answers by path and query, without the page token. Lists are given one name a page; after one with a field `later`
/// comes what that holds.
type Answers = BTreeMap<String, Value>;

/// Another catalog: it answers GET, to who knows its token and header.
struct Other {
    uri: String,
    answers: Arc<Mutex<Answers>>,
    task: JoinHandle<()>,
}

impl Other {
    async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/other", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(answers));
        let served = answers.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, served.clone()));
            }
        });
        Self { uri, answers, task }
    }

    /// The table's metadata file is another one from now on.
    fn set(&self, path: &str, location: &str) {
        self.answers.lock().unwrap().insert(path.to_owned(), at(location));
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, answers: Arc<Mutex<Answers>>) {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        bytes.drain(..end);
        let (status, body) = answer(&head, &mut answers.lock().unwrap());
        let moved = body["moved"].as_str().map(str::to_owned);
        let body = body.to_string();
        let moved = moved.map(|to| format!("location: {to}\r\n")).unwrap_or_default();
        let head = format!("HTTP/1.1 {status}\r\n{moved}content-length: {}\r\n\r\n", body.len());
        if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
            return;
        }
    }
}

fn answer(head: &str, answers: &mut Answers) -> (&'static str, Value) {
    let target = head.split(' ').nth(1).unwrap();
    if !head.contains("authorization: bearer hush\r\n") || !head.contains("x-realm: one\r\n") {
        return ("401 Unauthorized", json!({"error": {"message": "who are you", "code": 401}}));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (mut asked, mut page) = (path.to_owned(), None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').unwrap() {
            ("pagetoken", token) => page = Some(token.parse::<usize>().unwrap_or(0)),
            ("pagesize", _) => {}
            _other => asked = format!("{asked}?{pair}"),
        }
    }
    let Some(found) = answers.get(&asked).cloned() else {
        return ("404 Not Found", json!({"error": {"message": format!("no {asked}"), "code": 404}}));
    };
    if found["moved"].is_string() {
        return ("307 Temporary Redirect", found);
    }
    if found["later"].is_object() {
        answers.insert(asked, found["later"].clone());
    }
    let list = found.as_object().and_then(|fields| fields.iter().find(|(_, value)| value.is_array()));
    match (page, list) {
        (Some(page), Some((field, Value::Array(all)))) => {
            let next = (page + 1 < all.len()).then(|| (page + 1).to_string());
            let one: Vec<&Value> = all.iter().skip(page).take(1).collect();
            ("200 OK", json!({field: one, "next-page-token": next}))
        }
        _ => ("200 OK", found),
    }
}

fn at(location: &str) -> Value {
    json!({"metadata-location": location, "metadata": {}})
}

/// The metadata file of a table here.
async fn file(tarn: &Tarn, namespace: &str, name: &str) -> Option<String> {
    let path = format!("/_iceberg/v1/main/namespaces/{namespace}/tables/{name}");
    let answer = tarn.send(Method::GET, &path, b"").await;
    let found = answer.status() == StatusCode::OK;
    let table: Value = answer.json().await.unwrap();
    found.then(|| table["metadata-location"].as_str().unwrap().to_owned())
}

/// A table whose files are here and whose entry is not.
async fn homeless(tarn: &Tarn, name: &str) -> String {
    table(tarn, "main/old", name).await;
    let location = file(tarn, "old", name).await.unwrap();
    let path = format!("/_iceberg/v1/main/namespaces/old/tables/{name}/unregister");
    let answer = tarn.send(Method::POST, &path, b"").await;
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    location
}

fn view() -> Value {
    json!({
        "metadata-location": "gs://far/v/1.json",
        "metadata": {
            "current-version-id": 1, "properties": {"k": "v"},
            "schemas": [{"type": "struct", "schema-id": 0,
                "fields": [{"id": 1, "name": "a", "required": false, "type": "long"}]}],
            "versions": [{"version-id": 1, "schema-id": 0, "timestamp-ms": 1, "summary": {},
                "default-namespace": ["sales"],
                "representations": [{"type": "sql", "sql": "select a from sales.a", "dialect": "spark"}]}],
        },
    })
}

/// Namespaces `sales`, `sales.eu` and `lab`, with tables that can come and some that cannot.
async fn other(tarn: &Tarn) -> Other {
    namespace(tarn, "main", "old").await;
    let names = |names: &[&str]| {
        let one = |name: &&str| json!({"namespace": ["x"], "name": name});
        json!({"identifiers": names.iter().map(one).collect::<Vec<_>>()})
    };
    let mut answers = Answers::new();
    let mut put = |path: &str, answer: Value| answers.insert(format!("/other/v1/{path}"), answer);
    put("config?warehouse=theirs", json!({"defaults": {}, "overrides": {"prefix": "p"}}));
    put("p/namespaces", json!({"namespaces": [["lab"], ["sales"]]}));
    put("p/namespaces?parent=sales", json!({"namespaces": [["sales", "eu"]]}));
    put("p/namespaces?parent=lab", json!({"namespaces": []}));
    put("p/namespaces?parent=sales%1feu", json!({"namespaces": []}));
    put("p/namespaces/sales", json!({"properties": {"owner": "me", "location": "gs://far/sales"}}));
    put("p/namespaces/sales%1feu", json!({"properties": {}}));
    put("p/namespaces/lab", json!({"properties": {}}));
    put("p/namespaces/sales/tables", names(&["a", "c"]));
    put("p/namespaces/sales%1feu/tables", names(&["b"]));
    put("p/namespaces/lab/tables", names(&["far", "lost", "damaged"]));
    put("p/namespaces/sales/views", names(&["v"]));
    put("p/namespaces/sales%1feu/views", names(&[]));
    put("p/namespaces/lab/views", names(&[]));
    put("p/namespaces/sales/views/v", view());
    put("p/namespaces/sales/tables/a", at(&homeless(tarn, "a").await));
    put("p/namespaces/sales/tables/c", at(&homeless(tarn, "c").await));
    put("p/namespaces/sales%1feu/tables/b", at(&homeless(tarn, "b").await));
    put("p/namespaces/lab/tables/far", at("gs://far/t/metadata/1.json"));
    put("p/namespaces/lab/tables/lost", at("s3://main/lost/metadata/1.json"));
    Other::start(answers).await
}

fn migrate(tarn: &Tarn, other: &Other, more: &[&str]) -> (i32, Value) {
    let flags = ["--from-warehouse", "theirs", "--token-env", "MIGRATE_TOKEN", "--header", "x-realm: one"];
    let arguments = [&["migrate", "--from", &other.uri, "--json"], &flags[..], more].concat();
    let (code, told, error) = tarn.run(&arguments);
    let told = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{code} {told} {error}"));
    (code, told)
}

/// What is told of each name.
fn told(answer: &Value, field: &str) -> BTreeMap<String, String> {
    let items = answer["items"].as_array().unwrap().iter().map(|item| {
        let levels = item["namespace"].as_array().unwrap().iter().map(|level| level.as_str().unwrap());
        let name: Vec<&str> = levels.chain(item["name"].as_str()).collect();
        (name.join("."), item[field].as_str().unwrap().to_owned())
    });
    items.collect()
}

fn expect(answer: &Value, field: &str, expected: &[(&str, &str)]) {
    let expected = expected.iter().map(|(name, word)| ((*name).to_owned(), (*word).to_owned()));
    assert_eq!(told(answer, field), expected.collect(), "{answer:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_come_comes_once_and_what_cannot_is_named() {
    let tarn = Tarn::start_with(1, &[("MIGRATE_TOKEN", "hush")]).await;
    let other = other(&tarn).await;
    let before = printed(&tarn, &[]).len();
    let (code, planned) = migrate(&tarn, &other, &[]);
    assert_eq!(code, 0);
    expect(
        &planned,
        "plan",
        &[
            ("sales", "create"),
            ("sales.eu", "create"),
            ("lab", "create"),
            ("sales.a", "register"),
            ("sales.c", "register"),
            ("sales.v", "copy"),
            ("sales.eu.b", "register"),
            ("lab.far", "elsewhere"),
            ("lab.lost", "missing"),
            ("lab.damaged", "unreadable"),
        ],
    );
    assert_eq!(printed(&tarn, &[]).len(), before, "a plan changes nothing");
    let (code, done) = migrate(&tarn, &other, &["--apply", "--include", "sales.*", "--include", "sales"]);
    assert_eq!(code, 0, "{done:#}");
    expect(
        &done,
        "outcome",
        &[
            ("sales", "made"),
            ("sales.eu", "made"),
            ("sales.a", "made"),
            ("sales.c", "made"),
            ("sales.v", "made"),
            ("sales.eu.b", "made"),
        ],
    );
    let answers = other.answers.lock().unwrap().clone();
    let there = |path: &str| answers[path]["metadata-location"].as_str().map(str::to_owned);
    assert_eq!(file(&tarn, "sales", "a").await, there("/other/v1/p/namespaces/sales/tables/a"));
    assert_eq!(file(&tarn, "sales%1Feu", "b").await, there("/other/v1/p/namespaces/sales%1feu/tables/b"));
    let sales = tarn.send(Method::GET, "/_iceberg/v1/main/namespaces/sales", b"").await;
    let sales: Value = sales.json().await.unwrap();
    let expected = json!({"owner": "me", "location": "s3://main/sales"});
    assert_eq!(sales["properties"], expected, "a location elsewhere does not come along");
    // What a run left the next one does; what is there stays.
    let (code, rest) = migrate(&tarn, &other, &["--apply", "--exclude", "lab.damaged"]);
    assert_eq!(code, 1, "two tables cannot come");
    expect(
        &rest,
        "outcome",
        &[
            ("sales", "untouched"),
            ("sales.eu", "untouched"),
            ("lab", "made"),
            ("sales.a", "untouched"),
            ("sales.c", "untouched"),
            ("sales.v", "untouched"),
            ("sales.eu.b", "untouched"),
            ("lab.far", "untouched"),
            ("lab.lost", "untouched"),
        ],
    );
    assert_eq!(told(&rest, "plan")["sales.v"], "done", "a view that was made anew is not made again");
    // The other catalog goes on: the name is taken by an older file.
    other.set("/other/v1/p/namespaces/sales/tables/a", "s3://main/old/a/metadata/9.json");
    let (_, clash) = migrate(&tarn, &other, &["--include", "sales.a"]);
    assert_eq!(told(&clash, "plan")["sales.a"], "clash");
    let registered = printed(&tarn, &["--type", "tarn.table.registered"]);
    assert_eq!(registered.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_is_copied_names_the_file_it_was_read_from_when_it_is_replaced_meanwhile() {
    let tarn = Tarn::start_with(1, &[("MIGRATE_TOKEN", "hush")]).await;
    let other = other(&tarn).await;
    let mut replaced = view();
    replaced["metadata-location"] = json!("gs://far/v/2.json");
    let mut first = view();
    first["later"] = replaced;
    other.answers.lock().unwrap().insert("/other/v1/p/namespaces/sales/views/v".into(), first);
    let only = ["--include", "sales.v"];
    let (code, done) = migrate(&tarn, &other, &[&["--apply"], &only[..]].concat());
    assert_eq!((code, told(&done, "outcome")["sales.v"].as_str()), (0, "made"), "{done:#}");
    let copied = tarn.send(Method::GET, "/_iceberg/v1/main/namespaces/sales/views/v", b"").await;
    let copied: Value = copied.json().await.unwrap();
    assert_eq!(copied["metadata"]["properties"]["tarn.migrated-from"], "gs://far/v/1.json");
    let (_, again) = migrate(&tarn, &other, &only);
    assert_eq!(told(&again, "plan")["sales.v"], "clash", "the copy is not of the view as it is now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_that_refuses_is_told_and_nothing_is_done() {
    let tarn = Tarn::start_with(1, &[("MIGRATE_TOKEN", "wrong")]).await;
    let other = other(&tarn).await;
    let arguments = ["migrate", "--from", &other.uri, "--token-env", "MIGRATE_TOKEN", "--apply"];
    let (code, _, error) = tarn.run(&arguments);
    assert!(code == 1 && error.contains("401") && error.contains("who are you"), "{error}");
    let (code, _, error) = tarn.run(&["migrate", "--from", "nowhere", "--apply"]);
    assert!(code == 2 && error.contains("nowhere"), "{error}");
    let (code, _, _) = tarn.run(&["migrate", "--from", &other.uri, "--token-env", "NO_SUCH_VARIABLE"]);
    assert_eq!(code, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_that_sends_elsewhere_is_not_followed_with_its_headers() {
    let tarn = Tarn::start_with(1, &[("MIGRATE_TOKEN", "hush")]).await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("http://{}/v1/config", elsewhere.local_addr().unwrap());
    let other = Other::start(Answers::from([("/other/v1/config".into(), json!({"moved": to}))])).await;
    let flags = ["--token-env", "MIGRATE_TOKEN", "--header", "x-realm: one"];
    let (code, _, error) = tarn.run(&[&["migrate", "--from", &other.uri], &flags[..]].concat());
    assert!(code == 1 && error.contains("redirected to") && error.contains(&to), "{error}");
    assert!(elsewhere.into_std().unwrap().accept().is_err(), "nobody came");
}
