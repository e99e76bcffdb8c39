//! What a batch reaches outside this server. Neither HTTP nor the object core is seen from here: the binary implements it.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bulk::{Carried, Item, ItemError, There};
use super::secret::{Secret, Used};
use crate::scan::ObjectAttributes;

/// The world outside.
#[async_trait]
pub trait Outside: Send + Sync + 'static {
    /// Refuses a URL that is none or that must not be reached, as far as it says so itself. Why is answered.
    fn check(&self, url: &str) -> Result<(), String>;

    /// Seals a secret so that only this server opens it, and only for this purpose.
    fn seal(&self, secret: &str, purpose: &str) -> Result<String, String>;

    /// An endpoint, with its secrets opened.
    fn connect(&self, endpoint: &Endpoint) -> Result<Arc<dyn Remote>, ItemError>;

    /// Tells a URL of something. Why it was not told is answered.
    async fn tell(&self, notify: &Notify, event: &Value) -> Result<(), String>;
}

/// An S3 endpoint, and this server's objects on the other side.
#[async_trait]
pub trait Remote: Send + Sync {
    /// Objects there whose keys begin so and lie behind `after`, in the order of the bytes of their keys.
    async fn list(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<Page, ItemError>;

    /// What clients said of an object there.
    async fn attributes(&self, bucket: &str, key: &str) -> Result<ObjectAttributes, ItemError>;

    /// Copies an object of this server there, of one that is named with its entity tag only this version.
    async fn push(
        &self,
        from: Item<'_>,
        to: Item<'_>,
        there: There,
        carried: Carried,
    ) -> Result<Replicated, ItemError>;

    /// Copies an object from there to this server, in the same way.
    async fn pull(
        &self,
        from: Item<'_>,
        to: Item<'_>,
        there: There,
        carried: Carried,
    ) -> Result<Replicated, ItemError>;
}

/// What became of a replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replicated {
    /// It was copied.
    Copied,
    /// It was there.
    Found,
}

/// Some of the objects of a bucket elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The objects.
    pub objects: Vec<Listed>,
    /// Whether there are no more behind them.
    pub is_last: bool,
}

/// An object elsewhere, as a listing tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its entity tag, whatever that is made of there.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last changed, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// An S3 endpoint elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// `http://` or `https://`, a host and a port.
    pub url: String,
    /// Where requests name the bucket.
    #[serde(default)]
    pub style: Style,
    /// The region that requests are signed for.
    pub region: String,
    /// Who asks.
    pub access_key: String,
    /// Its secret.
    pub secret_key: Secret,
    /// Of temporary credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<Secret>,
}

/// Where requests name the bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// In the path, but of AWS in the host.
    #[default]
    Auto,
    /// In the path.
    Path,
    /// In the host.
    Host,
}

/// Who is told at the end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Where a JSON document is posted to.
    pub endpoint: String,
    /// The value of the `Authorization` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

impl Endpoint {
    /// What its secret key is for, and nothing else: another endpoint never gets it.
    pub fn key_purpose(&self) -> String {
        format!("secret key of {} at {}", self.access_key, self.url)
    }

    pub(super) fn secrets(&mut self) -> Vec<Used<'_>> {
        let (key, token) = (self.key_purpose(), self.token_purpose());
        let mut secrets =
            vec![Used { purpose: key, at: "credentials.secretKey", secret: &mut self.secret_key }];
        if let Some(secret) = &mut self.session_token {
            secrets.push(Used { purpose: token, at: "credentials.sessionToken", secret });
        }
        secrets
    }

    /// The same of its session token.
    pub fn token_purpose(&self) -> String {
        format!("session token of {} at {}", self.access_key, self.url)
    }
}

impl Notify {
    pub(super) fn secret(&mut self) -> Option<Used<'_>> {
        let purpose = self.purpose();
        Some(Used { purpose, at: "notify.token", secret: self.token.as_mut()? })
    }

    /// What its token is for, and nothing else.
    pub fn purpose(&self) -> String {
        format!("token for {}", self.endpoint)
    }
}
