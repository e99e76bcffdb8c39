//! The ceiling: an axum handler that answers bytes from memory. GET of the store is compared to it.

use anyhow::Result;
use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use axum::serve::ListenerExt;
use bytes::Bytes;

/// Serves `/<size>` with that many bytes until the process is ended.
pub async fn serve(listen: &str, size_bytes_max: usize) -> Result<()> {
    let bytes = Bytes::from(vec![0x5A; size_bytes_max]);
    let handler = move |Path(size): Path<usize>| async move { bytes.slice(0..size.min(bytes.len())) };
    let listener = tokio::net::TcpListener::bind(listen).await?.tap_io(|stream| {
        // A listener that cannot set it still serves; the figures then show it.
        let _ = stream.set_nodelay(true);
    });
    println!("listening on {listen}");
    axum::serve(listener, Router::new().route("/{size}", get(handler))).await?;
    Ok(())
}
