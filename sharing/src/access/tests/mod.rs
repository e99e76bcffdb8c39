//! A catalog in memory with one share, one recipient and one token, and what becomes of it.

mod activation;
mod attacks;
mod audit;
mod federation;
mod keys;
mod oauth;
mod readers;
mod revocation;

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use tarn_catalog::state::Expect;
use tarn_catalog::{Catalog, InMemoryWarehouses, Settings};
use tarn_openapi::access::Sender;
use uuid::Uuid;

use super::{Access, AccessSettings, Endpoints, ForeignTokens, Reader, Refusal, Ticket};
use crate::directory::{
    Grant, RECIPIENT_KIND, Recipient, SHARE_KIND, Share, SharedSchema, SharedTable, Sharer, Source, Status,
    Token,
};

pub(super) const NOW: i64 = 1_800_000_000_000;
pub(super) const HOUR: i64 = 3_600_000;
pub(super) const DAY: i64 = 24 * HOUR;

pub(super) struct World {
    pub(super) catalog: Catalog,
    pub(super) access: Arc<Access>,
    pub(super) share: Share,
    pub(super) recipient: Recipient,
    pub(super) jwt: String,
}

/// Share `sales` with table `eu.orders`, granted to `acme`, whose one bearer token ends in 30 days.
pub(super) async fn world() -> World {
    world_with(None, 1_000_000).await
}

pub(super) async fn world_with(foreign: Option<Arc<dyn ForeignTokens>>, per_second: u32) -> World {
    let root = Path::from(".tarn/catalog");
    let opened = Catalog::open(
        Arc::new(InMemory::new()),
        root,
        Arc::new(InMemoryWarehouses::default()),
        Settings::default(),
    )
    .await;
    let catalog = opened.unwrap();
    let endpoints = Endpoints::below("https://tarn.example");
    let settings =
        AccessSettings { requests_per_second: per_second, requests_per_second_all: u32::MAX, endpoints };
    let access = Arc::new(Access::new(catalog.clone(), settings, foreign));
    let share = share("Sales");
    let mut recipient = recipient("Acme");
    recipient.grants.insert("sales".into(), grant(&share));
    let (token, jwt) = access.issue_bearer(recipient.id, NOW + 30 * DAY, NOW).await.unwrap();
    recipient.tokens.push(token);
    let world = World { catalog, access, share, recipient, jwt: jwt.to_string() };
    world.put_share(&world.share).await;
    world.put(&world.recipient).await;
    world
}

pub(super) fn share(name: &str) -> Share {
    let source = Source::Delta { bucket: "main".into(), prefix: "orders/".into() };
    let table = SharedTable {
        id: Uuid::new_v4(),
        name: "Orders".into(),
        comment: None,
        source,
        by: Sharer { key: None, fingerprint: None },
        history: Default::default(),
        unsupported_columns: Default::default(),
        equality_deletes: Default::default(),
    };
    let schema = SharedSchema { name: "EU".into(), tables: BTreeMap::from([("orders".into(), table)]) };
    Share {
        id: Uuid::new_v4(),
        name: name.into(),
        comment: None,
        created_ms: NOW,
        updated_ms: NOW,
        schemas: BTreeMap::from([("eu".into(), schema)]),
    }
}

pub(super) fn recipient(name: &str) -> Recipient {
    Recipient {
        id: Uuid::new_v4(),
        name: name.into(),
        comment: None,
        created_ms: NOW,
        status: Status::Enabled,
        properties: BTreeMap::new(),
        addresses: Vec::new(),
        requests_per_second: None,
        grants: BTreeMap::new(),
        tokens: Vec::new(),
    }
}

pub(super) fn grant(share: &Share) -> Grant {
    Grant { id: Uuid::new_v4(), share: share.id, created_ms: NOW, filters: BTreeMap::new() }
}

pub(super) fn from(address: &str) -> Sender {
    Sender { address: Some(address.parse().unwrap()), ..Sender::default() }
}

impl World {
    pub(super) async fn put(&self, recipient: &Recipient) {
        let (id, json) = (recipient.name.to_lowercase(), serde_json::to_string(recipient).unwrap());
        self.catalog.put_document(RECIPIENT_KIND, &id, &json, Expect::Any).await.unwrap();
    }

    pub(super) async fn put_share(&self, share: &Share) {
        let (id, json) = (share.name.to_lowercase(), serde_json::to_string(share).unwrap());
        self.catalog.put_document(SHARE_KIND, &id, &json, Expect::Any).await.unwrap();
    }

    pub(super) async fn delete(&self, kind: &str, id: &str) {
        self.catalog.delete_document(kind, id, Expect::Any).await.unwrap();
    }

    /// The recipient as the catalog has it now.
    pub(super) fn kept(&self) -> Recipient {
        let document = self.catalog.get_document(RECIPIENT_KIND, "acme").unwrap();
        serde_json::from_str(&document.json).unwrap()
    }

    pub(super) async fn reader(&self, now_ms: i64) -> Result<Reader, Refusal> {
        self.access.reader(Some(&self.jwt), &from("192.0.2.1"), now_ms).await
    }

    pub(super) async fn reads(&self, jwt: &str, now_ms: i64) -> Result<Reader, Refusal> {
        self.access.reader(Some(jwt), &from("192.0.2.1"), now_ms).await
    }

    /// What a URL of `eu.orders` stands on.
    pub(super) async fn ticket(&self) -> Ticket {
        let reader = self.reader(NOW).await.unwrap();
        let granted = self.access.share(&reader, "SALES").unwrap();
        reader.ticket(&granted.grant, &granted.share.schemas["eu"].tables["orders"])
    }

    pub(super) fn token(&self) -> &Token {
        &self.recipient.tokens[0]
    }
}
