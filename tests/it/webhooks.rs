//! Webhooks: what receivers get, whatever happens to them and to the server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::events::{namespace, printed, table};
use crate::support::Tarn;

const PRIVATE: &[(&str, &str)] = &[("TARN_WEBHOOKS_ALLOW_PRIVATE", "true")];
/// Time for what must come to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a receiver does with a request.
#[derive(Debug, Clone, PartialEq)]
enum Manner {
    Take,
    Fail,
    Hang,
    Redirect(String),
}

struct Got {
    headers: BTreeMap<String, String>,
    body: String,
}

struct Shared {
    manner: Mutex<Manner>,
    got: Mutex<Vec<Got>>,
    more: Notify,
}

/// A server that takes webhooks, on this machine.
struct Receiver {
    shared: Arc<Shared>,
    url: String,
    task: JoinHandle<()>,
}

impl Receiver {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let shared =
            Arc::new(Shared { manner: Mutex::new(manner), got: Mutex::default(), more: Notify::new() });
        let serving = shared.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, serving.clone()));
            }
        });
        Self { shared, url, task }
    }

    fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    /// Waits until `enough` says so of all that came.
    async fn until(&self, enough: impl Fn(&[Got]) -> bool) {
        let waiting = async {
            loop {
                let more = self.shared.more.notified();
                if enough(&self.shared.got.lock().unwrap()) {
                    return;
                }
                more.await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("what must come has not come");
    }

    /// The ids of events in the order of their first arrival.
    fn ids(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let got = self.shared.got.lock().unwrap();
        let ids = got.iter().flat_map(|got| ids(&got.body));
        ids.filter(|id| seen.insert(id.clone())).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn ids(body: &str) -> Vec<String> {
    let id = |event: &Value| event["id"].as_str().unwrap().to_owned();
    match serde_json::from_str::<Value>(body).unwrap() {
        Value::Array(events) => events.iter().map(id).collect(),
        event => vec![id(&event)],
    }
}

/// One request after the other, as HTTP/1.1 has it.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
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
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let fields = head.lines().filter_map(|line| line.split_once(':'));
        let headers: BTreeMap<String, String> =
            fields.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        let length: usize = headers["content-length"].parse().unwrap();
        while bytes.len() < end + length {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let body = String::from_utf8(bytes[end..end + length].to_vec()).unwrap();
        bytes.drain(..end + length);
        let manner = shared.manner.lock().unwrap().clone();
        let answer = match &manner {
            Manner::Take => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            Manner::Fail => "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n".to_owned(),
            Manner::Redirect(to) => {
                format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
            }
            Manner::Hang => String::new(),
        };
        shared.got.lock().unwrap().push(Got { headers, body });
        shared.more.notify_waiters();
        if manner == Manner::Hang {
            // Until the other side has had enough.
            while stream.read_buf(&mut bytes).await.unwrap_or(0) > 0 {}
            return;
        }
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn put(tarn: &Tarn, id: &str, url: &str, more: &[&str]) -> Value {
    let arguments = [&["webhook", "put", id, "--url", url, "--json"], more].concat();
    let (code, made, error) = tarn.run(&arguments);
    assert_eq!(code, 0, "{error}");
    serde_json::from_str(&made).unwrap()
}

fn show(tarn: &Tarn, id: &str) -> Value {
    let (code, shown, error) = tarn.run(&["webhook", "show", id, "--json"]);
    assert_eq!(code, 0, "{error}");
    serde_json::from_str(&shown).unwrap()
}

/// Waits until the server knows that all events were taken.
async fn settled(tarn: &Tarn, id: &str) {
    let path = format!("/_admin/v1/webhooks/{id}");
    let waiting = async {
        loop {
            let shown: Value = tarn.send(Method::GET, &path, b"").await.json().await.unwrap();
            if shown["status"]["lag_records"] == 0 {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it does not come to the end of the log");
}

fn check_signature(got: &Got, secret: &str) {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let (id, at) = (&got.headers["webhook-id"], &got.headers["webhook-timestamp"]);
    mac.update(format!("{id}.{at}.{}", got.body).as_bytes());
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(got.headers["webhook-signature"], expected);
}

#[tokio::test]
async fn every_event_is_delivered_in_order_and_signed_though_the_server_is_killed_while_it_delivers() {
    let mut tarn = Tarn::start_with(1, PRIVATE).await;
    namespace(&tarn, "main", "sales").await;
    let receiver = Receiver::start(Manner::Take).await;
    let made = put(&tarn, "hook", &receiver.url, &["--after", "0", "--type", "tarn.table.*"]);
    let secret = made["secret"].as_str().unwrap().to_owned();
    for number in 0..4 {
        table(&tarn, "main/sales", &format!("before{number}")).await;
    }
    // All of them, or the one after the last taken fails for ever and nothing comes past it.
    receiver.until(|got| got.len() >= 4).await;
    receiver.behave(Manner::Fail);
    table(&tarn, "main/sales", "meanwhile").await;
    receiver.until(|got| got.iter().any(|got| got.body.contains("meanwhile"))).await;
    tarn.kill();
    receiver.behave(Manner::Take);
    tarn.restart().await;
    for number in 0..4 {
        table(&tarn, "main/sales", &format!("after{number}")).await;
    }
    receiver.until(|got| got.iter().any(|got| got.body.contains("after3"))).await;
    let log = printed(&tarn, &["--type", "tarn.table.*"]);
    let expected: Vec<&str> = log.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!((receiver.ids(), expected.len()), (expected.iter().map(|id| (*id).to_owned()).collect(), 9));
    for got in receiver.shared.got.lock().unwrap().iter() {
        check_signature(got, &secret);
        assert!(got.headers["content-type"].starts_with("application/cloudevents+json"));
        assert_eq!(ids(&got.body), [got.headers["webhook-id"].clone()]);
    }
    // A stop writes down where it stands: nothing comes twice after it.
    settled(&tarn, "hook").await;
    let before = receiver.shared.got.lock().unwrap().len();
    tarn.stop().await;
    tarn.restart().await;
    table(&tarn, "main/sales", "last").await;
    receiver.until(|got| got.last().unwrap().body.contains("last")).await;
    assert_eq!(receiver.shared.got.lock().unwrap().len(), before + 1);
}

#[tokio::test]
async fn what_waited_for_a_receiver_comes_in_batches_and_no_commit_waits_for_it() {
    let tarn = Tarn::start_with(1, PRIVATE).await;
    namespace(&tarn, "main", "sales").await;
    let receiver = Receiver::start(Manner::Hang).await;
    put(&tarn, "hook", &receiver.url, &["--mode", "batch", "--timeout-seconds", "1"]);
    table(&tarn, "main/sales", "first").await;
    receiver.until(|got| !got.is_empty()).await;
    for number in 0..5 {
        table(&tarn, "main/sales", &format!("t{number}")).await;
    }
    receiver.until(|got| got.len() >= 2).await;
    let status = show(&tarn, "hook")["status"].clone();
    assert_eq!((&status["state"], &status["events_sent"]), (&json!("retrying"), &json!(0)));
    assert!(status["last_failure"].as_str().unwrap().contains("in time"), "{status}");
    assert!(status["lag_records"].as_u64().unwrap() >= 6, "{status}");
    receiver.behave(Manner::Take);
    receiver.until(|got| got.iter().any(|got| ids(&got.body).len() == 5)).await;
    assert!(
        receiver.shared.got.lock().unwrap()[0].headers["content-type"].contains("cloudevents-batch+json")
    );
    assert_eq!(receiver.ids().len(), 6);
    let metrics = tarn.send(Method::GET, "/_metrics", b"").await.text().await.unwrap();
    assert!(
        metrics.contains("tarn_webhook_deliveries_total") && metrics.contains("tarn_webhook_lag_records")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let tarn = Tarn::start_with(1, PRIVATE).await;
    let target = Receiver::start(Manner::Take).await;
    let receiver = Receiver::start(Manner::Redirect(target.url.clone())).await;
    put(&tarn, "hook", &receiver.url, &[]);
    let (code, _, error) = tarn.run(&["webhook", "test", "hook"]);
    assert!(code == 1 && error.contains("307"), "{error}");
    receiver.behave(Manner::Take);
    assert_eq!(tarn.run(&["webhook", "test", "hook"]).0, 0);
    assert!(target.ids().is_empty());
    let got = receiver.shared.got.lock().unwrap();
    assert!(got.iter().all(|got| got.body.contains("tarn.webhook.test")));
}

#[tokio::test]
async fn this_machine_and_its_network_are_reached_only_where_that_is_set() {
    let tarn = Tarn::start(1).await;
    let receiver = Receiver::start(Manner::Take).await;
    let port = receiver.url.split(':').nth(2).unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
        put(&tarn, "hook", &format!("http://{host}:{port}"), &[]);
        let (code, _, error) = tarn.run(&["webhook", "test", "hook"]);
        assert!(code == 1 && error.contains("public"), "{host}: {error}");
    }
    assert!(receiver.shared.got.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_webhook_shows_its_secret_once_and_is_put_and_deleted_by_administrators_only() {
    let tarn = Tarn::start_with(1, PRIVATE).await;
    let made = put(&tarn, "hook", "http://127.0.0.1:1/", &["--warehouse", "main"]);
    let secret = made["secret"].as_str().unwrap();
    let again = put(&tarn, "hook", "http://127.0.0.1:1/other", &[]);
    assert!(again["secret"].is_null());
    let moved = put(&tarn, "hook", "http://127.0.0.1:2/", &[]);
    assert!(moved["secret"].as_str().is_some_and(|new| new != secret), "another receiver has another secret");
    for arguments in [&["webhook", "show", "hook", "--json"][..], &["webhook", "list", "--json"], &["events"]]
    {
        let (code, text, _) = tarn.run(arguments);
        assert!(code == 0 && !text.contains(secret), "{arguments:?}: {text}");
    }
    assert!(!tarn.log().contains(secret));
    let (_, key, _) = tarn.run(&["admin", "key", "create", "--policy", "readwrite", "--json"]);
    let key: Value = serde_json::from_str(&key).unwrap();
    let key = (key["id"].as_str().unwrap(), key["secret"].as_str().unwrap());
    for (method, path) in [
        (Method::GET, "/_admin/v1/webhooks"),
        (Method::GET, "/_admin/v1/webhooks/hook"),
        (Method::DELETE, "/_admin/v1/webhooks/hook"),
        (Method::POST, "/_admin/v1/webhooks/hook/test"),
    ] {
        let answer = tarn.send_as(key, method, path, b"").await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(tarn.run(&["webhook", "delete", "hook"]).0, 0);
    assert_eq!(tarn.run(&["webhook", "delete", "hook"]).0, 4);
    assert_eq!(tarn.run(&["webhook", "show", "hook"]).0, 4);
}
