//! What a receiver gets of a log that is not kept, and one that wants nothing more.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use serde_json::{Value, json};
use tarn_catalog::Seq;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Asked, Webhooks};
use crate::events::tests::{forgetful, put_until};
use crate::outbound::Reach;

/// Answers every event with one status and gives it to the test.
struct Receiver {
    url: String,
    got: mpsc::UnboundedReceiver<Value>,
    serving: JoinHandle<()>,
}

impl Receiver {
    async fn start(status: StatusCode) -> Self {
        let (sender, got) = mpsc::unbounded_channel();
        let take = async move |State(sender): State<mpsc::UnboundedSender<Value>>, body: String| {
            let _ = sender.send(serde_json::from_str(&body).unwrap());
            status
        };
        let router = Router::new().route("/hook", post(take)).with_state(sender);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, got, serving }
    }

    fn asked(&self, more: &Value) -> Asked {
        let mut asked = json!({"url": self.url});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(asked).unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn start(catalog: &tarn_catalog::Catalog) -> Webhooks {
    // An error only says that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Webhooks::start(catalog.clone(), Arc::from("urn:test"), Reach::Everywhere)
}

fn shown(webhooks: &Webhooks) -> Value {
    json!(webhooks.show("hook").unwrap().1)
}

#[tokio::test]
async fn a_webhook_behind_the_kept_log_is_told_what_it_lost_and_goes_on() {
    let catalog = forgetful().await;
    put_until(&catalog, |oldest| oldest > Seq(1)).await;
    let mut receiver = Receiver::start(StatusCode::NO_CONTENT).await;
    let webhooks = start(&catalog);
    webhooks.put(&catalog, "hook", receiver.asked(&json!({"after": "0"}))).await.unwrap();
    let lost = receiver.got.recv().await.unwrap();
    assert_eq!((&lost["type"], &lost["data"]["from-record"]), (&json!("tarn.events.lost"), &json!(1)));
    let last = lost["data"]["to-record"].as_u64().unwrap();
    let next = receiver.got.recv().await.unwrap();
    assert_eq!(
        (&next["type"], &next["id"]),
        (&json!("tarn.document.put"), &json!(format!("{}-0-0", last + 1)))
    );
    assert_eq!(shown(&webhooks)["lost"], lost_records(1, last));
    webhooks.close().await;
}

fn lost_records(from: u64, to: u64) -> Value {
    json!({"from_record": from, "to_record": to})
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_sent_nothing_until_the_webhook_is_put_again() {
    let catalog = forgetful().await;
    let mut receiver = Receiver::start(StatusCode::GONE).await;
    let webhooks = start(&catalog);
    webhooks.put(&catalog, "hook", receiver.asked(&json!({}))).await.unwrap();
    for number in 0..3 {
        let json = number.to_string();
        catalog.put_document("policy", "p", &json, tarn_catalog::state::Expect::Any).await.unwrap();
    }
    let first = receiver.got.recv().await.unwrap();
    while shown(&webhooks)["state"] != "gone" {
        tokio::task::yield_now().await;
    }
    assert!(receiver.got.try_recv().is_err(), "one try was enough");
    webhooks.put(&catalog, "hook", receiver.asked(&json!({"timeout_seconds": 5}))).await.unwrap();
    assert_eq!(receiver.got.recv().await.unwrap()["id"], first["id"], "nothing was skipped");
    webhooks.close().await;
}
