//! What batches reach outside.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header;
use serde_json::Value;
use tarn_inventory::batch::{Endpoint, ItemError, Notify, Outside, Remote, Secret as Kept};
use tarn_objectcore::ObjectCore;

use super::s3::{Keys, S3};
use super::seal::Seal;
use super::transfer::Transfer;
use super::{Reach, client, refuses, unreachable, url};
use crate::identity::Secret;

/// How long a receiver may take to answer.
const TELL_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is tried, and how long between.
const TELL_TRIES: u32 = 3;
const TELL_PAUSE: Duration = Duration::from_secs(1);

/// The outside of batches over the objects of a core.
pub(crate) struct BatchOutside {
    core: ObjectCore,
    reach: Reach,
    seal: Seal,
}

impl BatchOutside {
    /// Its secrets are sealed with keys derived from `secret`.
    pub(crate) fn new(core: ObjectCore, reach: Reach, secret: &[u8; 32]) -> Self {
        Self { core, reach, seal: Seal::new(secret) }
    }

    fn open(&self, kept: &Kept, purpose: &str) -> Option<Secret> {
        match kept {
            Kept::Sealed(sealed) => self.seal.open(sealed, purpose),
            Kept::Given(_) | Kept::Kept => None,
        }
    }

    fn opened(&self, endpoint: &Endpoint) -> Option<Keys> {
        let session_token = match &endpoint.session_token {
            Some(token) => Some(self.open(token, &endpoint.token_purpose())?),
            None => None,
        };
        let secret_key = self.open(&endpoint.secret_key, &endpoint.key_purpose())?;
        Some(Keys { access_key: endpoint.access_key.clone(), secret_key, session_token })
    }

    async fn tell_once(&self, notify: &Notify, event: &Value) -> Result<(), String> {
        self.check(&notify.endpoint)?;
        let http = client(self.reach).timeout(TELL_TIMEOUT).build().map_err(unreachable)?;
        let mut request = http
            .post(&notify.endpoint)
            .header(header::CONTENT_TYPE, "application/json")
            .body(event.to_string());
        if let Some(token) = &notify.token {
            let token = self.open(token, &notify.purpose()).ok_or("its token cannot be opened")?;
            request = request.header(header::AUTHORIZATION, token.expose());
        }
        let status = request.send().await.map_err(unreachable)?.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answered {status}")) }
    }
}

#[async_trait]
impl Outside for BatchOutside {
    fn check(&self, text: &str) -> Result<(), String> {
        match refuses(self.reach, &url(text)?) {
            true => Err("the address is not a public one, and webhooks.allow_private is not set".into()),
            false => Ok(()),
        }
    }

    fn seal(&self, secret: &str, purpose: &str) -> Result<String, String> {
        self.seal.seal(secret, purpose).ok_or_else(|| "the system's random source failed".into())
    }

    fn connect(&self, endpoint: &Endpoint) -> Result<Arc<dyn Remote>, ItemError> {
        let invalid = |message: String| ItemError {
            code: "InvalidRequest",
            status: 400,
            message,
            may_work_later: false,
        };
        self.check(&endpoint.url).map_err(invalid)?;
        let keys = self.opened(endpoint);
        let keys = keys.ok_or_else(|| invalid("the credentials of the endpoint cannot be opened".into()))?;
        let s3 = S3::new(endpoint, keys, self.reach).map_err(invalid)?;
        Ok(Arc::new(Transfer { core: self.core.clone(), s3 }))
    }

    async fn tell(&self, notify: &Notify, event: &Value) -> Result<(), String> {
        let mut tries = 1;
        loop {
            match self.tell_once(notify, event).await {
                Err(_) if tries < TELL_TRIES => tries += 1,
                told => return told,
            }
            tokio::time::sleep(TELL_PAUSE).await;
        }
    }
}
