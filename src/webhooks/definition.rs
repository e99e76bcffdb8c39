//! What a webhook is, as it is kept.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::{RngCore as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use tarn_catalog::events::Position;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::events::Filter;
use crate::identity::Secret;
use crate::outbound::{self, Reach};

/// The longest id, in bytes.
const ID_BYTES_MAX: usize = 64;
/// The longest URL, in bytes.
const URL_BYTES_MAX: usize = 2048;
/// What secrets begin with (Standard Webhooks).
const SECRET_PREFIX: &str = "whsec_";
/// Bytes of a secret that is made here.
const SECRET_BYTES: usize = 32;
/// The longest a receiver may take to answer, in seconds.
const TIMEOUT_SECONDS_MAX: u64 = 60;
/// How long it may take where that is not said.
const TIMEOUT_SECONDS: u64 = 10;

/// How events are sent.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
#[schema(as = WebhookMode)]
pub(crate) enum Mode {
    /// One a request, `application/cloudevents+json`.
    #[default]
    Single,
    /// Those that wait, up to 100, `application/cloudevents-batch+json`.
    Batch,
}

/// A webhook as a client asks for it.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookAsked)]
pub(crate) struct Asked {
    /// Where to: http or https.
    pub(crate) url: String,
    /// Only events of this warehouse.
    pub(crate) warehouse: Option<String>,
    /// Only events of this namespace of it, and those inside.
    pub(crate) namespace: Option<Vec<String>>,
    /// Only these types; `tarn.table.*` is all of tables. None: all.
    #[serde(default)]
    pub(crate) types: Vec<String>,
    #[serde(default)]
    pub(crate) mode: Mode,
    /// How long a receiver may take to answer, 1 to 60 seconds [default: 10].
    pub(crate) timeout_seconds: Option<u64>,
    /// `false`: nothing is sent, and where it stands is kept.
    #[serde(default = "yes")]
    pub(crate) enabled: bool,
    /// Where to begin or go on: an event's id or a record's number. Absent: where it stands; a new one with what comes
    /// from now on.
    pub(crate) after: Option<String>,
    /// The secret that signs: `whsec_` and 24 to 64 bytes in base64. Absent: the one it has; a new one gets one.
    #[schema(write_only)]
    pub(crate) secret: Option<String>,
}

fn yes() -> bool {
    true
}

/// A webhook.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    pub(crate) url: String,
    pub(crate) warehouse: Option<String>,
    pub(crate) namespace: Option<Vec<String>>,
    pub(crate) types: Vec<String>,
    pub(crate) mode: Mode,
    pub(crate) timeout: Duration,
    pub(crate) enabled: bool,
    pub(crate) start: Start,
    pub(crate) filter: Filter,
    pub(crate) secret: Secret,
}

/// Where a webhook began. What is known of its progress counts only for the same epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) epoch: Uuid,
    pub(crate) after: Position,
}

/// A webhook that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidWebhook(String);

/// A webhook as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warehouse: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    types: Vec<String>,
    mode: Mode,
    timeout_seconds: u64,
    enabled: bool,
    epoch: Uuid,
    after: String,
    secret: String,
}

/// Checks an id.
pub(super) fn check_id(id: &str) -> Result<(), InvalidWebhook> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    match (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(good) {
        true => Ok(()),
        false => Err(InvalidWebhook(format!(
            "the id of a webhook has 1 to {ID_BYTES_MAX} of a-z, A-Z, 0-9, '-', '_', '.'"
        ))),
    }
}

impl Definition {
    /// A webhook in the place of `before`, where `end` is the end of the log; and its secret, if it is new.
    pub(super) fn new(
        asked: Asked,
        before: Option<Self>,
        end: Position,
    ) -> Result<(Self, Option<Secret>), InvalidWebhook> {
        let Asked { url, warehouse, namespace, types, mode, timeout_seconds, enabled, after, secret } = asked;
        check_url(&url)?;
        let filter = filter(&warehouse, &namespace, &types).map_err(InvalidWebhook)?;
        let seconds = timeout_seconds.unwrap_or(TIMEOUT_SECONDS);
        if !(1..=TIMEOUT_SECONDS_MAX).contains(&seconds) {
            return Err(InvalidWebhook(format!("timeout_seconds is 1 to {TIMEOUT_SECONDS_MAX}")));
        }
        let anew = |after| Start { epoch: Uuid::new_v4(), after };
        let start = match (after, &before) {
            (Some(after), _) => anew(position(&after, end)?),
            (None, Some(before)) => before.start,
            (None, None) => anew(end),
        };
        // Who receives elsewhere must not know what the one before signs with, nor the other way round.
        let kept = before.filter(|before| is_same_receiver(&before.url, &url));
        let (secret, is_new) = match (secret, kept) {
            (Some(secret), _) => (check_secret(secret)?, false),
            (None, Some(before)) => (before.secret, false),
            (None, None) => (make_secret(), true),
        };
        let told = is_new.then(|| secret.clone());
        let timeout = Duration::from_secs(seconds);
        Ok((Self { url, warehouse, namespace, types, mode, timeout, enabled, start, filter, secret }, told))
    }

    /// A webhook from its document; `None` when that is none.
    pub(super) fn read(json: &str) -> Option<Self> {
        let document: Document = serde_json::from_str(json).ok()?;
        let Document {
            url,
            warehouse,
            namespace,
            types,
            mode,
            timeout_seconds,
            enabled,
            epoch,
            after,
            secret,
        } = document;
        let filter = filter(&warehouse, &namespace, &types).ok()?;
        let start = Start { epoch, after: after.parse().ok()? };
        let (timeout, secret) = (Duration::from_secs(timeout_seconds), Secret::new(secret));
        Some(Self { url, warehouse, namespace, types, mode, timeout, enabled, start, filter, secret })
    }

    pub(super) fn to_json(&self) -> Zeroizing<String> {
        let document = Document {
            url: self.url.clone(),
            warehouse: self.warehouse.clone(),
            namespace: self.namespace.clone(),
            types: self.types.clone(),
            mode: self.mode,
            timeout_seconds: self.timeout.as_secs(),
            enabled: self.enabled,
            epoch: self.start.epoch,
            after: self.start.after.to_string(),
            secret: self.secret.expose().to_owned(),
        };
        let json = Zeroizing::new(serde_json::to_string(&document).unwrap_or_default());
        drop(Zeroizing::new(document.secret));
        json
    }

    /// The bytes of its secret.
    pub(super) fn key(&self) -> Zeroizing<Vec<u8>> {
        decode(self.secret.expose()).unwrap_or_default()
    }
}

fn filter(
    warehouse: &Option<String>,
    namespace: &Option<Vec<String>>,
    types: &[String],
) -> Result<Filter, String> {
    let filter = Filter::new(warehouse.clone(), namespace.clone(), types.iter().map(String::as_str));
    filter.map_err(|error| error.to_string())
}

/// Whether two URLs are of one scheme, host and port.
fn is_same_receiver(one: &str, other: &str) -> bool {
    let origin = |url: &str| reqwest::Url::parse(url).ok().map(|url| url.origin());
    origin(one).is_some_and(|of_one| origin(other) == Some(of_one))
}

fn check_url(url: &str) -> Result<(), InvalidWebhook> {
    if url.len() > URL_BYTES_MAX {
        return Err(InvalidWebhook(format!("a URL has at most {URL_BYTES_MAX} bytes")));
    }
    outbound::url(url).map(drop).map_err(InvalidWebhook)
}

impl Definition {
    /// Whether the host of the URL is an address that is not allowed, where it is an address at all.
    pub(super) fn is_refused(&self, reach: Reach) -> bool {
        reqwest::Url::parse(&self.url).is_ok_and(|url| outbound::refuses(reach, &url))
    }
}

fn position(text: &str, end: Position) -> Result<Position, InvalidWebhook> {
    let after: Position = text.parse().map_err(|error| InvalidWebhook(format!("{error}")))?;
    match after.seq() > end.seq() {
        true => {
            Err(InvalidWebhook(format!("position {after} lies behind the end of the log, which is {end}")))
        }
        false => Ok(after),
    }
}

fn check_secret(secret: String) -> Result<Secret, InvalidWebhook> {
    let bytes = decode(&secret).map(|bytes| bytes.len());
    match bytes.is_some_and(|bytes| (24..=64).contains(&bytes)) {
        true => Ok(Secret::new(secret)),
        false => Err(InvalidWebhook(format!("a secret is {SECRET_PREFIX} and 24 to 64 bytes in base64"))),
    }
}

fn decode(secret: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = STANDARD.decode(secret.strip_prefix(SECRET_PREFIX)?).ok()?;
    Some(Zeroizing::new(bytes))
}

fn make_secret() -> Secret {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    rand::rngs::StdRng::from_os_rng().fill_bytes(&mut *bytes);
    Secret::new(format!("{SECRET_PREFIX}{}", STANDARD.encode(*bytes)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tarn_catalog::Seq;

    use super::*;

    const END: Position = Position::Record(Seq(9));

    fn asked(more: Value) -> Asked {
        let mut asked = json!({"url": "https://example.com/hook"});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(asked).unwrap()
    }

    fn put(more: Value, before: Option<Definition>) -> Result<Definition, InvalidWebhook> {
        Definition::new(asked(more), before, END).map(|(definition, _)| definition)
    }

    #[test]
    fn a_webhook_reads_back_as_it_was_kept_and_shows_its_secret_to_no_log() {
        let made =
            put(json!({"warehouse": "main", "namespace": ["a"], "types": ["tarn.table.*"]}), None).unwrap();
        let read = Definition::read(&made.to_json()).unwrap();
        assert_eq!((&read.url, &read.start, &read.filter), (&made.url, &made.start, &made.filter));
        assert_eq!(read.secret.expose(), made.secret.expose());
        assert_eq!(read.key().len(), SECRET_BYTES);
        assert!(!format!("{made:?}").contains(made.secret.expose()));
    }

    #[test]
    fn a_secret_is_told_only_when_it_is_made_and_stays_with_its_receiver() {
        let (first, told) = Definition::new(asked(json!({})), None, END).unwrap();
        assert_eq!(told.unwrap().expose(), first.secret.expose());
        let (second, told) = Definition::new(asked(json!({})), Some(first.clone()), END).unwrap();
        assert!(told.is_none() && second.secret.expose() == first.secret.expose());
        let own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G";
        let (third, told) = Definition::new(asked(json!({"secret": own})), Some(second), END).unwrap();
        assert!(told.is_none() && third.secret.expose() == own);
        let path = json!({"url": "https://example.com/other"});
        let (fourth, told) = Definition::new(asked(path), Some(third), END).unwrap();
        assert!(told.is_none() && fourth.secret.expose() == own);
        let host = json!({"url": "https://example.org/hook"});
        let (fifth, told) = Definition::new(asked(host), Some(fourth), END).unwrap();
        assert!(
            fifth.secret.expose() != own && told.is_some(),
            "a receiver elsewhere has a secret of its own"
        );
    }

    #[test]
    fn a_webhook_goes_on_where_it_stands_unless_a_position_is_asked_for() {
        let first = put(json!({}), None).unwrap();
        assert_eq!(first.start.after, END, "a new one begins with what comes");
        let moved = put(json!({"url": "https://example.com/other"}), Some(first.clone())).unwrap();
        assert_eq!(moved.start, first.start);
        let again = put(json!({"after": "3-0-1"}), Some(first.clone())).unwrap();
        assert!(again.start.epoch != first.start.epoch && again.start.after.to_string() == "3-0-1");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for more in [
            json!({"url": "ftp://example.com/"}),
            json!({"url": "example.com"}),
            json!({"url": "https://user:secret@example.com/"}),
            json!({"url": format!("https://example.com/{}", "x".repeat(URL_BYTES_MAX))}),
            json!({"types": ["tarn.nothing"]}),
            json!({"namespace": ["a"]}),
            json!({"timeout_seconds": 0}),
            json!({"timeout_seconds": 61}),
            json!({"after": "10"}),
            json!({"after": "now"}),
            json!({"secret": "short"}),
            json!({"secret": "whsec_c2hvcnQ="}),
        ] {
            assert!(put(more.clone(), None).is_err(), "{more}");
        }
        for id in ["", "a b", "a/b", &"x".repeat(ID_BYTES_MAX + 1)] {
            assert!(check_id(id).is_err(), "{id}");
        }
    }
}
