//! The listener: limits, and stopping in order.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use super::front::{Front, RequestLog};
use super::listener;
use crate::config::Limits;

struct Listening {
    address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

async fn listen(program: Router, limits: Limits) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let front = Arc::new(Front::new(RequestLog::Failures, Vec::new()));
    front.open(program);
    let (stop, stopped) = watch::channel(false);
    Listening { address, stop, task: tokio::spawn(listener::serve(listener, front, limits, stopped)) }
}

fn limits() -> Limits {
    let patience = Duration::from_secs(30);
    Limits {
        connections_max: 8,
        memory_bytes: None,
        header_timeout: patience,
        idle_timeout: patience,
        drain_timeout: patience,
    }
}

async fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
}

#[tokio::test]
async fn a_running_request_ends_before_the_server_stops() {
    let (started, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begun, may_end) = (started.clone(), finish.clone());
    let program = Router::new().route(
        "/",
        get(async move || {
            begun.notify_one();
            may_end.notified().await;
            "done"
        }),
    );
    let server = listen(program, limits()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    ask(&mut stream).await;
    started.notified().await;
    server.stop.send(true).unwrap();
    finish.notify_one();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    server.task.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off_after_the_drain_time() {
    let started = Arc::new(Notify::new());
    let begun = started.clone();
    let program = Router::new().route(
        "/",
        get(async move || {
            begun.notify_one();
            std::future::pending::<&str>().await
        }),
    );
    let server = listen(program, Limits { drain_timeout: Duration::from_millis(20), ..limits() }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    ask(&mut stream).await;
    started.notified().await;
    server.stop.send(true).unwrap();
    server.task.await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
}

#[tokio::test]
async fn a_silent_connection_is_closed_and_gives_its_place_to_the_next() {
    let program = Router::new().route("/", get(async || "hello"));
    let brief = Duration::from_millis(50);
    let server = listen(program, Limits { connections_max: 1, idle_timeout: brief, ..limits() }).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut next = TcpStream::connect(server.address).await.unwrap();
    next.write_all(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    next.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
    let mut nothing = Vec::new();
    let _ = silent.read_to_end(&mut nothing).await;
    assert!(nothing.is_empty());
}
