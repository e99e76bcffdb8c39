//! The state as bytes: what a checkpoint of the catalog log holds.
//!
//! `version byte || postcard(Stored) || postcard(Vec<StoredViews>) || postcard(Vec<KeptReply>)
//! || postcard(Vec<StoredDropped>)`. Version 3 ends before the dropped tables, version 2 before the replies, version 1
//! before the views. The checkpoint's object carries magic, length and checksum.
//! Names that many tables share are stored once, so that 100,000 tables load in a fraction of a second.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::dropped::DroppedTables;
use super::reply::{KeptReply, Replies};
use super::{
    CatalogState, Document, DroppedTable, Namespace, NamespaceEntry, Properties, Purge, Revisions,
    TableEntry, TableIdent, ViewPut, Warehouse,
};

const VERSION: u8 = 4;
/// The version without dropped tables.
const VERSION_WITHOUT_DROPPED: u8 = 3;
/// The version without replies, too.
const VERSION_WITHOUT_REPLIES: u8 = 2;
/// The version without views, too.
const VERSION_WITHOUT_VIEWS: u8 = 1;

/// The bytes are not a checkpoint this version of Tarn reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCheckpoint {
    /// Written by a newer version.
    #[error("checkpoint version {0} is not supported")]
    Version(u8),
    /// Cut short or damaged.
    #[error("the checkpoint is damaged: {0}")]
    Damaged(postcard::Error),
}

/// Replies are in order of their end.
type Contents = (Stored, Vec<StoredViews>, Vec<Arc<KeptReply>>, Vec<StoredDropped>);

#[derive(Serialize, Deserialize)]
struct Stored {
    commits: u64,
    warehouses: Vec<StoredWarehouse>,
    documents: Vec<StoredDocument>,
}

#[derive(Serialize, Deserialize)]
struct StoredWarehouse {
    name: Arc<str>,
    properties: Properties,
    namespaces: Vec<StoredNamespace>,
}

#[derive(Serialize, Deserialize)]
struct StoredNamespace {
    namespace: Namespace,
    properties: Properties,
    tables: Vec<StoredTable>,
}

#[derive(Serialize, Deserialize)]
struct StoredTable {
    name: Arc<str>,
    uuid: Uuid,
    location: Arc<str>,
    /// Never empty: the last one is the current one and holds the metadata file.
    revisions: Revisions,
}

/// The views of one namespace; none is stored for a namespace without any.
#[derive(Serialize, Deserialize)]
struct StoredViews {
    warehouse: Arc<str>,
    namespace: Namespace,
    views: Vec<StoredView>,
}

#[derive(Serialize, Deserialize)]
struct StoredView {
    name: Arc<str>,
    uuid: Uuid,
    location: Arc<str>,
    metadata_location: Arc<str>,
}

/// A dropped table that is kept; its table's name is the one it had.
#[derive(Serialize, Deserialize)]
struct StoredDropped {
    id: Uuid,
    warehouse: Arc<str>,
    namespace: Namespace,
    table: StoredTable,
    at: i64,
    until: i64,
    purge: Purge,
}

#[derive(Serialize, Deserialize)]
struct StoredDocument {
    kind: Arc<str>,
    id: Arc<str>,
    document: Document,
}

impl CatalogState {
    /// The state as bytes.
    pub fn encode_checkpoint(&self) -> Vec<u8> {
        let stored = Stored {
            commits: self.commits,
            warehouses: self
                .warehouses
                .iter()
                .map(|(name, warehouse)| store_warehouse(name, warehouse))
                .collect(),
            documents: self.documents.iter().map(store_document).collect(),
        };
        let replies: Vec<&Arc<KeptReply>> = self.replies.iter().collect();
        let dropped: Vec<StoredDropped> = self.dropped.iter().map(|dropped| store_dropped(dropped)).collect();
        let contents = (stored, self.store_views(), replies, dropped);
        let bytes = postcard::to_extend(&contents, vec![VERSION]);
        // Serializing plain structs into memory has no way to fail.
        bytes.expect("a catalog state is serializable")
    }

    /// Reads what [`Self::encode_checkpoint`] made.
    pub fn decode_checkpoint(bytes: &[u8]) -> Result<Self, InvalidCheckpoint> {
        let (version, rest) = bytes
            .split_first()
            .ok_or(InvalidCheckpoint::Damaged(postcard::Error::DeserializeUnexpectedEnd))?;
        let ((stored, views, replies, dropped), rest): (Contents, &[u8]) = match *version {
            VERSION => postcard::take_from_bytes(rest),
            VERSION_WITHOUT_DROPPED => postcard::take_from_bytes(rest)
                .map(|((stored, views, replies), rest)| ((stored, views, replies, Vec::new()), rest)),
            VERSION_WITHOUT_REPLIES => postcard::take_from_bytes(rest)
                .map(|((stored, views), rest)| ((stored, views, Vec::new(), Vec::new()), rest)),
            VERSION_WITHOUT_VIEWS => postcard::take_from_bytes(rest)
                .map(|(stored, rest)| ((stored, Vec::new(), Vec::new(), Vec::new()), rest)),
            unknown => return Err(InvalidCheckpoint::Version(unknown)),
        }
        .map_err(InvalidCheckpoint::Damaged)?;
        if !rest.is_empty() {
            return Err(InvalidCheckpoint::Damaged(postcard::Error::DeserializeBadEncoding));
        }
        let mut state = Self {
            commits: stored.commits,
            locations: Default::default(),
            claims: Default::default(),
            warehouses: stored.warehouses.into_iter().map(load_warehouse).collect::<Result<_, _>>()?,
            documents: stored
                .documents
                .into_iter()
                .map(|stored| ((stored.kind, stored.id), stored.document))
                .collect(),
            replies: Replies::default(),
            dropped: DroppedTables::default(),
        };
        for stored in views {
            state.load_views(stored);
        }
        for kept in replies {
            // Which have ended is the next commit's to say.
            state.replies.keep(kept, i64::MIN);
        }
        for stored in dropped {
            state.dropped.insert(load_dropped(stored)?);
        }
        state.locations = state.collect_locations();
        state.claims = state.collect_claims();
        Ok(state)
    }

    fn store_views(&self) -> Vec<StoredViews> {
        let mut stored = Vec::new();
        for (warehouse, entry) in &self.warehouses {
            for (namespace, entry) in entry.namespaces.iter().filter(|(_, entry)| entry.view_count() > 0) {
                let views = entry.views.iter().map(|(name, view)| StoredView {
                    name: Arc::clone(name),
                    uuid: view.uuid,
                    location: Arc::clone(&view.location),
                    metadata_location: Arc::clone(&view.metadata_location),
                });
                stored.push(StoredViews {
                    warehouse: Arc::clone(warehouse),
                    namespace: namespace.clone(),
                    views: views.collect(),
                });
            }
        }
        stored
    }

    fn load_views(&mut self, stored: StoredViews) {
        let StoredViews { warehouse, namespace, views } = stored;
        for StoredView { name, uuid, location, metadata_location } in views {
            let ident = TableIdent { warehouse: Arc::clone(&warehouse), namespace: namespace.clone(), name };
            self.put_view(&ViewPut { ident, uuid, location, metadata_location });
        }
    }
}

fn store_warehouse(name: &Arc<str>, warehouse: &Warehouse) -> StoredWarehouse {
    let namespaces = warehouse.namespaces.iter().map(|(namespace, entry)| StoredNamespace {
        namespace: namespace.clone(),
        properties: (*entry.properties).clone(),
        tables: entry.tables.iter().map(store_table).collect(),
    });
    StoredWarehouse {
        name: Arc::clone(name),
        properties: (*warehouse.properties).clone(),
        namespaces: namespaces.collect(),
    }
}

fn store_table((name, entry): (&Arc<str>, &Arc<TableEntry>)) -> StoredTable {
    StoredTable {
        name: Arc::clone(name),
        uuid: entry.uuid,
        location: Arc::clone(&entry.location),
        revisions: entry.revisions.clone(),
    }
}

fn store_dropped(dropped: &DroppedTable) -> StoredDropped {
    StoredDropped {
        id: dropped.id,
        warehouse: Arc::clone(&dropped.ident.warehouse),
        namespace: dropped.ident.namespace.clone(),
        table: store_table((&dropped.ident.name, &dropped.entry)),
        at: dropped.at,
        until: dropped.until,
        purge: dropped.purge,
    }
}

fn load_dropped(stored: StoredDropped) -> Result<DroppedTable, InvalidCheckpoint> {
    let StoredDropped { id, warehouse, namespace, table, at, until, purge } = stored;
    let (name, entry) = load_table(table)?;
    Ok(DroppedTable { id, ident: TableIdent { warehouse, namespace, name }, entry, at, until, purge })
}

fn store_document(((kind, id), document): (&(Arc<str>, Arc<str>), &Document)) -> StoredDocument {
    StoredDocument { kind: Arc::clone(kind), id: Arc::clone(id), document: document.clone() }
}

fn load_warehouse(stored: StoredWarehouse) -> Result<(Arc<str>, Warehouse), InvalidCheckpoint> {
    let namespaces = stored.namespaces.into_iter().map(|stored| {
        let tables = stored.tables.into_iter().map(load_table).collect::<Result<_, _>>()?;
        Ok((
            stored.namespace,
            NamespaceEntry { properties: Arc::new(stored.properties), tables, ..NamespaceEntry::empty() },
        ))
    });
    let namespaces = namespaces.collect::<Result<_, _>>()?;
    Ok((stored.name, Warehouse { properties: Arc::new(stored.properties), namespaces }))
}

fn load_table(stored: StoredTable) -> Result<(Arc<str>, Arc<TableEntry>), InvalidCheckpoint> {
    let last =
        stored.revisions.last().ok_or(InvalidCheckpoint::Damaged(postcard::Error::DeserializeBadEncoding))?;
    let entry = TableEntry {
        uuid: stored.uuid,
        location: stored.location,
        metadata_location: Arc::clone(&last.metadata_location),
        revision: last.number,
        revisions: stored.revisions,
    };
    Ok((stored.name, Arc::new(entry)))
}
