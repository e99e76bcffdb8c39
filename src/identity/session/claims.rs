//! What a token says. JSON, deflated: the prefixes of a table have most of their text in common.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use tarn_openapi::access::{Prefix, PrefixAccess, Presence, Restriction, TableFiles};
use uuid::Uuid;

use super::Use;

/// The most bytes of claims before they are deflated.
const CLAIMS_BYTES_MAX: usize = 16 * 1024;

/// The claims. A server that does not know a field refuses the token: it must not pass over a restriction.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    /// The id of the parent's access key, and the keyed fingerprint of that key (Z2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<[u8; 16]>,
    /// In place of these: the parent as its provider's token told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    web: Option<Web>,
    /// When it began, in seconds since the Unix epoch.
    issued: i64,
    /// When it ends.
    pub(super) expires: i64,
    bearer: bool,
    /// What it stands on beside its parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ticket: Option<Arc<str>>,
    /// All hold; the outermost first.
    within: Vec<Within>,
}

/// Whom a session acts for.
pub(super) enum Parent {
    /// The holder of an access key.
    Key { id: String, fingerprint: [u8; 16] },
    /// The holder of a provider's token.
    Web(Web),
}

/// Who a provider's token spoke of.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Web {
    /// The provider's configured name and its issuer URL.
    pub(super) provider: String,
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) policies: Vec<String>,
    pub(super) claims: BTreeMap<String, Vec<String>>,
}

#[derive(Serialize, Deserialize)]
enum Within {
    Prefixes(Vec<Place>),
    Policy(Arc<str>),
    Files(Files),
}

/// The files of a table.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    places: Vec<Place>,
    warehouse: String,
    levels: Vec<String>,
    name: String,
    uuid: Uuid,
    staged: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    bucket: String,
    prefix: String,
    write: bool,
}

impl Claims {
    pub(super) fn new(
        parent: Parent,
        restrictions: &[Restriction],
        purpose: Use,
        (issued, expires): (i64, i64),
        ticket: Option<Arc<str>>,
    ) -> Self {
        let within = restrictions.iter().map(Within::of).collect();
        let (key, fingerprint, web) = match parent {
            Parent::Key { id, fingerprint } => (Some(id), Some(fingerprint), None),
            Parent::Web(web) => (None, None, Some(web)),
        };
        Self { key, fingerprint, web, issued, expires, bearer: purpose == Use::Bearer, ticket, within }
    }

    /// Whom it acts for; `None` when it names nobody, or two.
    pub(super) fn parent(&mut self) -> Option<Parent> {
        match (self.key.take(), self.fingerprint.take(), self.web.take()) {
            (Some(id), Some(fingerprint), None) => Some(Parent::Key { id, fingerprint }),
            (None, None, Some(web)) => Some(Parent::Web(web)),
            (Some(_) | None, Some(_) | None, Some(_) | None) => None,
        }
    }

    pub(super) fn purpose(&self) -> Use {
        if self.bearer { Use::Bearer } else { Use::Signing }
    }

    /// `None` when one cannot be.
    pub(super) fn restrictions(&self) -> Option<Vec<Restriction>> {
        self.within.iter().map(Within::restriction).collect()
    }

    /// `None` when they are too long.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let json = serde_json::to_vec(self).ok().filter(|json| json.len() <= CLAIMS_BYTES_MAX)?;
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::best());
        deflated.write_all(&json).ok()?;
        deflated.finish().ok()
    }

    pub(super) fn decode(deflated: &[u8]) -> Option<Self> {
        let mut json = Vec::new();
        let inflated = DeflateDecoder::new(deflated).take(CLAIMS_BYTES_MAX as u64).read_to_end(&mut json);
        inflated.ok().and_then(|_| serde_json::from_slice(&json).ok())
    }
}

impl Within {
    fn of(restriction: &Restriction) -> Self {
        match restriction {
            Restriction::Prefixes(prefixes) => Self::Prefixes(prefixes.iter().map(Place::of).collect()),
            Restriction::Policy(policy) => Self::Policy(policy.clone()),
            Restriction::Files(files) => Self::Files(Files::of(files)),
        }
    }

    fn restriction(&self) -> Option<Restriction> {
        match self {
            Self::Prefixes(places) => {
                let prefixes: Option<Vec<Prefix>> = places.iter().map(Place::prefix).collect();
                Some(Restriction::Prefixes(prefixes?.into()))
            }
            Self::Policy(policy) => Some(Restriction::Policy(policy.clone())),
            Self::Files(files) => Some(Restriction::Files(Arc::new(files.files()?))),
        }
    }
}

impl Files {
    fn of(files: &TableFiles) -> Self {
        Self {
            places: files.prefixes.iter().map(Place::of).collect(),
            warehouse: files.warehouse.to_string(),
            levels: files.levels.to_vec(),
            name: files.name.to_string(),
            uuid: Uuid::from_u128(files.uuid),
            staged: files.presence == Presence::Staged,
        }
    }

    fn files(&self) -> Option<TableFiles> {
        let prefixes: Option<Vec<Prefix>> = self.places.iter().map(Place::prefix).collect();
        Some(TableFiles {
            prefixes: prefixes?.into(),
            warehouse: self.warehouse.as_str().into(),
            levels: self.levels.as_slice().into(),
            name: self.name.as_str().into(),
            uuid: self.uuid.as_u128(),
            presence: if self.staged { Presence::Staged } else { Presence::There },
        })
    }
}

impl Place {
    fn of(prefix: &Prefix) -> Self {
        let write = match prefix.access() {
            PrefixAccess::Read => false,
            PrefixAccess::ReadWrite => true,
        };
        Self { bucket: prefix.bucket().into(), prefix: prefix.prefix().into(), write }
    }

    fn prefix(&self) -> Option<Prefix> {
        let access = if self.write { PrefixAccess::ReadWrite } else { PrefixAccess::Read };
        Prefix::new(&self.bucket, &self.prefix, access)
    }
}
