//! A share, a recipient, and the front before them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use serde_json::Value;
use tarn_catalog::state::Expect;
use tarn_catalog::{Catalog, InMemoryWarehouses, Settings, WarehouseStores as _};
use tarn_openapi::access::TableFiles;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::answer::Answer;
use super::memory::{Memory, State, change, data_file, version};
use crate::Sharers;
use crate::Stores;
use crate::access::{Access, AccessSettings, Endpoints, Ticket};
use crate::cache::VersionCache;
use crate::directory::{
    Grant, History, RECIPIENT_KIND, Recipient, SHARE_KIND, Share, SharedSchema, SharedTable, Sharer, Source,
    Status,
};
use crate::gateway::{Gateway, Signer, Standing};
use crate::logs::Logs;
use crate::protocol::Tokens;
use crate::rest::{Credentials, Queries, SharingFront, TableCredentials, Tables, router};
use crate::table::{TableError, TableSource};

struct OneTable(Arc<Memory>);

#[async_trait]
impl Tables for OneTable {
    async fn open(&self, _: &SharedTable) -> Result<Arc<dyn TableSource>, TableError> {
        Ok(self.0.clone())
    }
    async fn files(&self, _: &SharedTable) -> Result<Option<TableFiles>, TableError> {
        Ok(None)
    }
}

pub(super) struct Rights(pub(super) AtomicBool);

impl Sharers for Rights {
    fn may_read(&self, _: &Sharer, _: &Source) -> bool {
        self.0.load(Ordering::SeqCst)
    }
    fn may_read_object(&self, _: &Sharer, _: &str, _: &str) -> bool {
        false
    }
    fn may_send(&self, _: &Sharer, _: &Source, _: &str, _: &str) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

struct Directories;

#[async_trait]
impl TableCredentials for Directories {
    fn location(&self, table: &SharedTable) -> Option<String> {
        (table.name != "Plain").then(|| format!("s3://main/{}", table.name))
    }
    async fn vend(&self, _: &Ticket, _: &SharedTable, expires_ms: i64) -> Result<Credentials, TableError> {
        Ok(Credentials {
            access_key_id: "key".into(),
            secret_access_key: "secret".into(),
            session_token: "session".into(),
            expires_ms,
        })
    }
    async fn vend_files(
        &self,
        ticket: &Ticket,
        table: &SharedTable,
        _: TableFiles,
        expires_ms: i64,
    ) -> Result<Credentials, TableError> {
        self.vend(ticket, table, expires_ms).await
    }
}

pub(super) struct World {
    pub(super) router: Router,
    /// The gateway of files: those of the versions there are at first have ten bytes each.
    pub(super) files: Router,
    pub(super) catalog: Catalog,
    pub(super) share: Mutex<Share>,
    pub(super) recipient: Mutex<Recipient>,
    pub(super) jwt: String,
    pub(super) table: Arc<Memory>,
    pub(super) rights: Arc<Rights>,
}

pub(super) fn shared_table(name: &str, history: History) -> SharedTable {
    SharedTable {
        id: Uuid::new_v4(),
        name: name.into(),
        comment: None,
        source: Source::Iceberg { warehouse: "main".into(), namespace: vec!["a".into()], table: "t".into() },
        by: Sharer { key: None, fingerprint: None },
        history,
        unsupported_columns: Default::default(),
        equality_deletes: Default::default(),
    }
}

pub(super) fn new_share() -> Share {
    let tables = [
        shared_table("Orders", History::Shared { start: 0 }),
        shared_table("Late", History::Shared { start: 1 }),
        shared_table("Plain", History::Latest),
    ];
    let schema = SharedSchema {
        name: "EU".into(),
        tables: tables.into_iter().map(|table| (table.name.to_lowercase(), table)).collect(),
    };
    let empty = SharedSchema { name: "Empty".into(), tables: BTreeMap::new() };
    Share {
        id: Uuid::new_v4(),
        name: "Sales".into(),
        comment: Some("what is sold".into()),
        created_ms: 0,
        updated_ms: 0,
        schemas: BTreeMap::from([("eu".into(), schema), ("empty".into(), empty)]),
    }
}

pub(super) const ORDERS: &str = "/shares/sales/schemas/eu/tables/orders";
pub(super) const LATE: &str = "/shares/sales/schemas/eu/tables/late";
pub(super) const PLAIN: &str = "/shares/sales/schemas/eu/tables/plain";
pub(super) const DELTA: (&str, &str) =
    ("delta-sharing-capabilities", "responseformat=delta;readerfeatures=deletionvectors,columnmapping");
pub(super) const END: (&str, &str) = ("delta-sharing-capabilities", "includeendstreamaction=true");

/// Share `Sales` with schema `EU` and three tables, all of which are one with versions 0 to 2; `Acme` may read it.
pub(super) async fn world() -> World {
    world_of(3600).await
}

/// The same with URLs that last so many seconds.
pub(super) async fn world_of(url_lifetime_s: i64) -> World {
    let root = Path::from(".tarn/catalog");
    let buckets = Arc::new(InMemoryWarehouses::default());
    for number in 0..3 {
        buckets.store("main").put(&Path::from(data_file(number).0), "ten bytes.".into()).await.unwrap();
    }
    let opened = Catalog::open(Arc::new(InMemory::new()), root, buckets.clone(), Settings::default());
    let catalog = opened.await.unwrap();
    let iceberg = Some("https://tarn.example/_delta-sharing/iceberg".to_owned());
    let settings = AccessSettings {
        requests_per_second: 1_000_000,
        requests_per_second_all: 1_000_000,
        ..AccessSettings::new(Endpoints { iceberg, ..Endpoints::below("https://tarn.example") })
    };
    let access = Arc::new(Access::new(catalog.clone(), settings, None));
    let share = new_share();
    let mut recipient = Recipient {
        id: Uuid::new_v4(),
        name: "Acme".into(),
        comment: None,
        created_ms: 0,
        status: Status::Enabled,
        properties: BTreeMap::from([("region".into(), "eu".into())]),
        addresses: Vec::new(),
        requests_per_second: None,
        grants: BTreeMap::new(),
        tokens: Vec::new(),
    };
    let grant = Grant { id: Uuid::new_v4(), share: share.id, created_ms: 0, filters: BTreeMap::new() };
    recipient.grants.insert("sales".into(), grant);
    let now_ms = Timestamp::now().as_millisecond();
    let (token, jwt) = access.issue_bearer(recipient.id, now_ms + 86_400_000, now_ms).await.unwrap();
    recipient.tokens.push(token);
    let state = State {
        versions: (0..3).map(|number| version(number, 0..=number.unsigned_abs())).collect(),
        changes: (0..3).map(|number| change(number, [number.unsigned_abs()], [])).collect(),
        ..State::default()
    };
    let table = Arc::new(Memory { state: Mutex::new(state) });
    let rights = Arc::new(Rights(AtomicBool::new(true)));
    let standing = Arc::new(Standing::new(access.clone(), rights.clone()));
    let signer = Arc::new(Signer::new(&[1; 32]));
    let gateway = Arc::new(Gateway {
        signer: signer.clone(),
        tickets: standing.clone(),
        stores: Stores::new(buckets.clone(), Arc::new(InMemory::new())),
    });
    let front = SharingFront {
        access,
        sharers: rights.clone(),
        tables: Arc::new(OneTable(table.clone())),
        versions: Arc::new(VersionCache::new(1 << 20)),
        signer,
        logs: Arc::new(Logs::new(Arc::new(InMemory::new()))),
        tokens: Arc::new(Tokens::new(&[2; 32])),
        endpoint: "https://tarn.example".into(),
        url_lifetime_s,
        credentials: Some(Arc::new(Directories)),
        standing,
        queries: Queries::default(),
    };
    let (router, files) = (router(Arc::new(front)), crate::gateway::router(gateway));
    let (share, recipient) = (Mutex::new(share), Mutex::new(recipient));
    let world = World { router, files, catalog, share, recipient, jwt: jwt.to_string(), table, rights };
    world.change_share(|_| {}).await;
    world.change_recipient(|_| {}).await;
    world
}

impl World {
    pub(super) async fn change_share(&self, change: impl FnOnce(&mut Share)) {
        let json = {
            let mut share = self.share.lock().unwrap();
            change(&mut share);
            serde_json::to_string(&*share).unwrap()
        };
        self.catalog.put_document(SHARE_KIND, "sales", &json, Expect::Any).await.unwrap();
    }

    pub(super) async fn change_recipient(&self, change: impl FnOnce(&mut Recipient)) {
        let json = {
            let mut recipient = self.recipient.lock().unwrap();
            change(&mut recipient);
            serde_json::to_string(&*recipient).unwrap()
        };
        self.catalog.put_document(RECIPIENT_KIND, "acme", &json, Expect::Any).await.unwrap();
    }

    pub(super) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", format!("Bearer {}", self.jwt));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body).unwrap()
    }

    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let request = self.request(method, path, headers, body.into());
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        assert_eq!(parts.headers.get("cache-control").unwrap(), "no-store", "{path}");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], Body::empty()).await
    }

    pub(super) async fn query(&self, table: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        self.ask("POST", &format!("{table}/query"), headers, body.to_string()).await
    }

    /// The files of the latest version for a client that says nothing.
    pub(super) async fn numbers(&self, table: &str, body: Value) -> Vec<u64> {
        self.query(table, &[], body).await.told().into_iter().map(|(_, number)| number).collect()
    }
}
