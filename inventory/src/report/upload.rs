//! A file on its way into a store: in one piece when it is short, else in parts of which a bounded number is in memory.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, Result};
use tokio::task::JoinSet;

/// Parts that are sent at a time.
const SENDING_MAX: usize = 2;

/// A file being written.
pub(super) struct Upload {
    store: Arc<dyn ObjectStore>,
    key: Path,
    part_bytes: usize,
    /// What no part has yet.
    rest: Vec<u8>,
    parts: Option<Box<dyn MultipartUpload>>,
    sending: JoinSet<Result<()>>,
}

impl Upload {
    pub(super) fn new(store: Arc<dyn ObjectStore>, key: Path, part_bytes: usize) -> Self {
        Self { store, key, part_bytes, rest: Vec::new(), parts: None, sending: JoinSet::new() }
    }

    pub(super) async fn write(&mut self, chunk: Vec<u8>) -> Result<()> {
        if self.rest.is_empty() {
            self.rest = chunk;
        } else {
            self.rest.extend_from_slice(&chunk);
        }
        while self.rest.len() > self.part_bytes {
            let after = self.rest.split_off(self.part_bytes);
            let part = std::mem::replace(&mut self.rest, after);
            self.send(part).await?;
        }
        Ok(())
    }

    /// The file is there, whole, when this is answered.
    pub(super) async fn finish(mut self) -> Result<()> {
        let rest = std::mem::take(&mut self.rest);
        if self.parts.is_none() {
            return self.store.put(&self.key, rest.into()).await.map(|_| ());
        }
        let ended = self.end(rest).await;
        if ended.is_err() {
            self.abort().await;
        }
        ended
    }

    /// Gives the parts back. What it leaves behind when the store fails is for the next run to find.
    pub(super) async fn abort(mut self) {
        self.sending.shutdown().await;
        if let Some(parts) = &mut self.parts
            && let Err(error) = parts.abort().await
        {
            tracing::warn!(file.key = %self.key, error = %error, "an upload was not aborted");
        }
    }

    async fn end(&mut self, rest: Vec<u8>) -> Result<()> {
        self.send(rest).await?;
        while let Some(sent) = self.sending.join_next().await {
            joined(sent)?;
        }
        match &mut self.parts {
            Some(parts) => parts.complete().await.map(|_| ()),
            None => Ok(()),
        }
    }

    async fn send(&mut self, part: Vec<u8>) -> Result<()> {
        while self.sending.len() >= SENDING_MAX {
            if let Some(sent) = self.sending.join_next().await {
                joined(sent)?;
            }
        }
        if self.parts.is_none() {
            self.parts = Some(self.store.put_multipart(&self.key).await?);
        }
        if let Some(parts) = &mut self.parts {
            self.sending.spawn(parts.put_part(part.into()));
        }
        Ok(())
    }
}

fn joined(sent: std::result::Result<Result<()>, tokio::task::JoinError>) -> Result<()> {
    match sent {
        Ok(sent) => sent,
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Err(source) => Err(object_store::Error::Generic { store: "upload", source: source.into() }),
    }
}
