//! Accepts connections, within limits, until it is told to stop; then lets running requests end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::front::Front;
use super::idle::{AtWork, IdleTimeout};
use crate::config::Limits;
use crate::identity::PeerAddress;

/// The most headers of a request.
const HEADERS_MAX: usize = 100;
/// Time to wait after a failed accept (no more file descriptors) before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The most requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;

/// Serves until `stop` turns true, then drains.
pub(crate) async fn serve(
    listener: TcpListener,
    front: Arc<Front>,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let builder = Arc::new(builder(&limits));
    let mut stopped = pin!(stop.wait_for(|stop| *stop));
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &slots) => accepted,
        };
        let (stream, peer, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let at_work = AtWork::default();
        let service = service_fn({
            let (front, at_work) = (front.clone(), at_work.clone());
            move |request: hyper::Request<hyper::body::Incoming>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(PeerAddress(peer));
                request.extensions_mut().insert(at_work.clone());
                let answer = front.clone().answer(request);
                async move { Ok::<_, std::convert::Infallible>(answer.await) }
            }
        });
        let watcher = graceful.watcher();
        let (builder, idle) = (builder.clone(), limits.idle_timeout);
        connections.spawn(async move {
            metrics::gauge!("tarn_http_open_connections").increment(1);
            let stream = TokioIo::new(IdleTimeout::new(stream, idle, at_work));
            let connection = builder.serve_connection(stream, service).into_owned();
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%error, "a connection ended with an error");
            }
            metrics::gauge!("tarn_http_open_connections").decrement(1);
            drop(slot);
        });
    }
    drop(listener);
    drain(graceful, connections, limits.drain_timeout).await;
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // With Nagle on, a body sent in more than one write waits 40 ms for the client's acknowledgement.
    stream.set_nodelay(true)?;
    Ok((stream, peer, slot))
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(HEADERS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(limits.header_timeout);
    builder
}

async fn drain(graceful: GracefulShutdown, mut connections: JoinSet<()>, timeout: Duration) {
    let open = connections.len();
    if open > 0 {
        tracing::info!(connections_open = open, "waiting for running requests");
    }
    if tokio::time::timeout(timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            connections_open = connections.len(),
            "requests still run at the end of the drain time"
        );
    }
    connections.shutdown().await;
}
