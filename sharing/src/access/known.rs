//! Documents as they were read, by revision, and which document a birth id belongs to.
//!
//! - N1: what is kept is kept for one revision of one document; another revision is read again.
//! - N2: the index only tells where to look: what it names is checked in the document itself. It can lack only what came
//!   after the commit it was read at, and is then read on from there.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tarn_catalog::state::{CatalogState, Document};
use tarn_openapi::network::Network;
use uuid::Uuid;

use crate::directory::{Grant, RECIPIENT_KIND, Recipient, SHARE_KIND, Share, SharedTable, Token, TokenKind};

/// Documents that are kept, in bytes of their JSON.
const KEPT_BYTES_MAX: usize = 64 << 20;
/// Names in the index. Those that are gone stay in it until there are so many.
const NAMES_MAX: usize = 1_000_000;

/// A recipient, read.
pub(super) struct KnownRecipient {
    pub(super) recipient: Arc<Recipient>,
    /// The share's name in lower case by the grant's birth.
    grants: HashMap<Uuid, Arc<str>>,
    /// Where it may come from. `None` is a line that cannot be read: it lets nobody in.
    networks: Vec<Option<Network>>,
}

/// A share, read.
pub(super) struct KnownShare {
    pub(super) share: Arc<Share>,
    /// Schema and name by the table's birth, both in lower case.
    tables: HashMap<Uuid, (Arc<str>, Arc<str>)>,
}

impl KnownRecipient {
    fn read(json: &str) -> Option<Self> {
        let recipient: Recipient = serde_json::from_str(json).ok()?;
        let networks = recipient.addresses.iter().map(|text| Network::parse(text)).collect();
        let grants =
            recipient.grants.iter().map(|(share, grant)| (grant.id, share.as_str().into())).collect();
        Some(Self { recipient: Arc::new(recipient), grants, networks })
    }

    /// Whether it may come from an address; from none it may only when it may from everywhere.
    pub(super) fn may_come_from(&self, address: Option<std::net::IpAddr>) -> bool {
        let inside = |address| self.networks.iter().flatten().any(|network| network.contains(address));
        self.networks.is_empty() || address.is_some_and(inside)
    }

    /// The grant of that birth: the share's name in lower case, and what it is.
    pub(super) fn grant(&self, birth: Uuid) -> Option<(&Arc<str>, &Grant)> {
        let share = self.grants.get(&birth)?;
        Some((share, self.recipient.grants.get(&**share)?))
    }

    /// The token of that id, while it lasts.
    pub(super) fn token(&self, id: Uuid, now_ms: i64) -> Option<&Token> {
        self.recipient.tokens.iter().find(|token| token.id == id && now_ms < token.expires_ms)
    }
}

impl KnownShare {
    fn read(json: &str) -> Option<Self> {
        let share: Share = serde_json::from_str(json).ok()?;
        let mut tables = HashMap::new();
        for (schema, held) in &share.schemas {
            let schema: Arc<str> = schema.as_str().into();
            for (name, table) in &held.tables {
                tables.insert(table.id, (schema.clone(), name.as_str().into()));
            }
        }
        Some(Self { share: Arc::new(share), tables })
    }

    /// The table of that birth: its schema and name in lower case, and what it is.
    pub(super) fn table(&self, birth: Uuid) -> Option<(&Arc<str>, &Arc<str>, &SharedTable)> {
        let (schema, name) = self.tables.get(&birth)?;
        let table = self.share.schemas.get(&**schema)?.tables.get(&**name)?;
        Some((schema, name, table))
    }
}

/// Documents of one kind as they were read last.
struct Kept<T>(Mutex<Entries<T>>);

struct Entries<T> {
    by_id: HashMap<Arc<str>, Entry<T>>,
    /// Of all of them.
    bytes: usize,
}

struct Entry<T> {
    revision: u64,
    bytes: usize,
    /// `None` is a document that cannot be read.
    read: Option<Arc<T>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::new(Entries { by_id: HashMap::new(), bytes: 0 }))
    }
}

impl<T> Kept<T> {
    fn get(&self, id: &str, document: &Document, read: impl FnOnce(&str) -> Option<T>) -> Option<Arc<T>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = kept.by_id.get(id).filter(|entry| entry.revision == document.revision) {
            return entry.read.clone();
        }
        let read = read(&document.json).map(Arc::new);
        if read.is_none() {
            tracing::error!(document.id = id, "a document of sharing cannot be read");
        }
        let bytes = document.json.len();
        if kept.bytes + bytes > KEPT_BYTES_MAX {
            *kept = Entries { by_id: HashMap::new(), bytes: 0 };
        }
        let entry = Entry { revision: document.revision, bytes, read: read.clone() };
        let before = kept.by_id.insert(id.into(), entry);
        kept.bytes = kept.bytes + bytes - before.map_or(0, |before| before.bytes);
        read
    }
}

/// Which recipient's document something is in.
#[derive(Default)]
struct Index {
    /// The commits whose documents are in it.
    commits: u64,
    recipients: HashMap<Uuid, Arc<str>>,
    tokens: HashMap<Uuid, Arc<str>>,
    /// By the code's hash as it is kept.
    links: HashMap<Box<str>, Arc<str>>,
    issuers: HashMap<Box<str>, BTreeSet<Arc<str>>>,
}

/// All that is kept of documents.
#[derive(Default)]
pub(super) struct Known {
    recipients: Kept<KnownRecipient>,
    shares: Kept<KnownShare>,
    index: Mutex<Index>,
}

impl Known {
    /// The recipient whose document has this id.
    fn recipient_named(&self, state: &CatalogState, id: &str) -> Option<Arc<KnownRecipient>> {
        self.recipients.get(id, state.document(RECIPIENT_KIND, id)?, KnownRecipient::read)
    }

    /// The share whose document has this id.
    pub(super) fn share(&self, state: &CatalogState, id: &str) -> Option<Arc<KnownShare>> {
        self.shares.get(id, state.document(SHARE_KIND, id)?, KnownShare::read)
    }

    /// The recipient of that birth.
    pub(super) fn recipient(&self, state: &CatalogState, birth: Uuid) -> Option<Arc<KnownRecipient>> {
        let (_, known) = self.find(state, |index| index.recipients.get(&birth).cloned())?;
        (known.recipient.id == birth).then_some(known)
    }

    /// The recipient that has this token, ended or not.
    pub(super) fn holder(&self, state: &CatalogState, token: Uuid) -> Option<Arc<KnownRecipient>> {
        let (_, known) = self.find(state, |index| index.tokens.get(&token).cloned())?;
        known.recipient.tokens.iter().any(|held| held.id == token).then_some(known)
    }

    /// The document that may have the activation link of this hash: its id, and the recipient.
    pub(super) fn link(&self, state: &CatalogState, hash: &str) -> Option<(Arc<str>, Arc<KnownRecipient>)> {
        self.find(state, |index| index.links.get(hash).cloned())
    }

    /// The recipients that may take tokens of an issuer, in order of their documents' ids.
    pub(super) fn federated(&self, state: &CatalogState, issuer: &str) -> Vec<Arc<KnownRecipient>> {
        let names = {
            let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
            self.read_on(&mut index, state);
            index.issuers.get(issuer).cloned().unwrap_or_default()
        };
        names.iter().filter_map(|id| self.recipient_named(state, id)).collect()
    }

    fn find(
        &self,
        state: &CatalogState,
        look: impl Fn(&Index) -> Option<Arc<str>>,
    ) -> Option<(Arc<str>, Arc<KnownRecipient>)> {
        let id = {
            let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
            match look(&index) {
                Some(id) => id,
                None => {
                    self.read_on(&mut index, state);
                    look(&index)?
                }
            }
        };
        let known = self.recipient_named(state, &id)?;
        Some((id, known))
    }

    /// Reads the documents that came after those in the index: a document's revision is the number of its commit.
    fn read_on(&self, index: &mut Index, state: &CatalogState) {
        if index.commits >= state.commits() {
            return;
        }
        if index.len() > NAMES_MAX {
            *index = Index::default();
        }
        let read = index.commits;
        for (id, document) in state.documents(RECIPIENT_KIND, None) {
            if document.revision > read
                && let Some(known) = self.recipients.get(id, document, KnownRecipient::read)
            {
                index.add(id, &known.recipient);
            }
        }
        index.commits = state.commits();
    }
}

impl Index {
    fn len(&self) -> usize {
        let issuers: usize = self.issuers.values().map(BTreeSet::len).sum();
        self.recipients.len() + self.tokens.len() + self.links.len() + issuers
    }

    fn add(&mut self, id: &Arc<str>, recipient: &Recipient) {
        self.recipients.insert(recipient.id, id.clone());
        for token in &recipient.tokens {
            self.tokens.insert(token.id, id.clone());
            match &token.kind {
                TokenKind::Bearer { activation: Some(hash), .. } => {
                    self.links.insert(hash.as_str().into(), id.clone());
                }
                TokenKind::Federated { issuer, .. } => {
                    self.issuers.entry(issuer.as_str().into()).or_default().insert(id.clone());
                }
                TokenKind::Bearer { activation: None, .. } | TokenKind::Client { .. } => {}
            }
        }
    }
}
