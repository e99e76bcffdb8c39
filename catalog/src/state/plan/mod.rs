//! Planning: a request and a state give a commit, or a conflict (T1).
//!
//! - L1: every requirement of every table named is checked, of tables only read too. Planning is serial
//!   on the state a commit is applied to, so what held at planning holds at the commit.
//! - L2: a plan uses a table's metadata only if it is that of the state's metadata file; else
//!   [`Conflict::NotLoaded`].
//! - L3: a request that changes nothing plans a commit without changes, which needs no log record.

mod documents;
mod dropped;
mod functions;
mod namespaces;
mod rollback;
mod tables;
mod views;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub(crate) use self::rollback::{RollbackRefusal, rollback_updates};
use super::limits::PROPERTIES_BYTES_MAX;
use super::{CatalogState, Change, Commit, Conflict, CreateTable, Properties, Request, TableIdent};
use crate::metadata::{Metadata, TableMetadata, ViewMetadata};

/// What to do for a request: write, append, answer.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the log gets; without changes it gets nothing (L3).
    pub commit: Commit,
    /// Metadata files to write before the commit is appended: location and content.
    pub writes: Vec<(String, Metadata)>,
    /// The tables of the request as they are after it: metadata file and content.
    pub tables: Vec<(TableIdent, String, Arc<TableMetadata>)>,
    /// The view of the request as it is after it: metadata file and content.
    pub views: Vec<(TableIdent, String, Arc<ViewMetadata>)>,
    /// Tables whose requirements were checked and that do not change.
    pub reads: Vec<TableIdent>,
    /// The places of tables that come to lie there in this commit.
    claimed: Vec<String>,
    /// For an update of a namespace: properties to remove that it does not have.
    pub missing: Vec<String>,
}

impl Plan {
    pub(super) fn of(at: i64, changes: Vec<Change>) -> Self {
        Self {
            commit: Commit { at, changes },
            writes: Vec::new(),
            tables: Vec::new(),
            views: Vec::new(),
            reads: Vec::new(),
            claimed: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Whether nothing changes and nothing needs to be logged.
    pub fn is_empty(&self) -> bool {
        self.commit.changes.is_empty()
    }
}

/// The metadata of tables and views, as loaded from their files.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    tables: HashMap<TableIdent, (Arc<str>, Arc<TableMetadata>)>,
    views: HashMap<TableIdent, (Arc<str>, Arc<ViewMetadata>)>,
    unreadable: HashMap<TableIdent, Arc<str>>,
}

impl Loaded {
    /// Adds the metadata of a table as it is in the file at `metadata_location`.
    pub fn insert(&mut self, ident: TableIdent, metadata_location: Arc<str>, metadata: Arc<TableMetadata>) {
        self.tables.insert(ident, (metadata_location, metadata));
    }

    /// Notes that the file at `metadata_location` is not there or holds no metadata.
    pub fn insert_unreadable(&mut self, ident: TableIdent, metadata_location: Arc<str>) {
        self.unreadable.insert(ident, metadata_location);
    }

    /// Adds the metadata of a view as it is in the file at `metadata_location`.
    pub fn insert_view(
        &mut self,
        ident: TableIdent,
        metadata_location: Arc<str>,
        metadata: Arc<ViewMetadata>,
    ) {
        self.views.insert(ident, (metadata_location, metadata));
    }

    /// The metadata of a table that has another name now.
    pub fn rename(&mut self, from: &TableIdent, to: &TableIdent) {
        if let Some(loaded) = self.tables.remove(from) {
            self.tables.insert(to.clone(), loaded);
        }
    }

    /// The metadata of a table, if it is that of this file (L2).
    fn get(&self, ident: &TableIdent, metadata_location: &str) -> Result<&Arc<TableMetadata>, Conflict> {
        match self.tables.get(ident) {
            Some((loaded, metadata)) if **loaded == *metadata_location => Ok(metadata),
            Some(_) | None => Err(Conflict::NotLoaded(ident.clone())),
        }
    }

    /// The same; `None` when the file cannot be read.
    fn get_readable(
        &self,
        ident: &TableIdent,
        metadata_location: &str,
    ) -> Result<Option<&Arc<TableMetadata>>, Conflict> {
        if self.unreadable.get(ident).is_some_and(|unreadable| **unreadable == *metadata_location) {
            return Ok(None);
        }
        self.get(ident, metadata_location).map(Some)
    }

    /// The metadata of a view, if it is that of this file (L2).
    fn get_view(&self, ident: &TableIdent, metadata_location: &str) -> Result<&Arc<ViewMetadata>, Conflict> {
        match self.views.get(ident) {
            Some((loaded, metadata)) if **loaded == *metadata_location => Ok(metadata),
            Some(_) | None => Err(Conflict::NotLoaded(ident.clone())),
        }
    }
}

/// Ids nobody has had before, as many as are asked for, made from one random seed.
#[derive(Debug, Clone)]
pub struct FreshIds {
    seed: u128,
    given: u64,
}

impl FreshIds {
    /// Ids from a seed, which must be random and used once.
    pub fn new(seed: u128) -> Self {
        Self { seed, given: 0 }
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        self.given += 1;
        let digest = Sha256::new()
            .chain_update(self.seed.to_le_bytes())
            .chain_update(self.given.to_le_bytes())
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

impl CatalogState {
    /// Decides what `request` does to this state. `at` is now, in milliseconds since 1970.
    pub fn plan(
        &self,
        request: &Request,
        loaded: &Loaded,
        at: i64,
        ids: &mut FreshIds,
    ) -> Result<Plan, Conflict> {
        let plan = match request {
            Request::CreateWarehouse { name, properties } => self.plan_create_warehouse(name, properties, at),
            Request::DropWarehouse { name } => self.plan_drop_warehouse(name, at),
            Request::CreateNamespace { warehouse, namespace, properties } => {
                self.plan_create_namespace(warehouse, namespace, properties, at)
            }
            Request::UpdateWarehouse { name, updates, removals } => {
                self.plan_update_warehouse(name, updates, removals, at)
            }
            Request::DropNamespace { warehouse, namespace, guard } => {
                self.plan_drop_namespace((warehouse, namespace), *guard, at)
            }
            Request::UpdateNamespace { warehouse, namespace, updates, removals } => {
                self.plan_update_namespace((warehouse, namespace), updates, removals, at)
            }
            Request::CreateTable(create) => self.plan_create_table(create, at, ids),
            Request::CommitTables(changes) => self.plan_commit_tables(changes, loaded, at, ids),
            Request::RollbackTables(tables) => self.plan_rollback_tables(tables, loaded, at, ids),
            Request::DropTable(drop) => self.plan_drop_table(drop, loaded, at, ids),
            Request::StageTable(staged) => self.plan_stage_table(staged, at),
            Request::UndropTable(undrop) => self.plan_undrop_table(undrop, at),
            Request::RemoveDropped { id } => self.plan_remove_dropped(*id, at),
            Request::ExpireDropped { now } => self.plan_expire_dropped(*now, at),
            Request::UnregisterTable { ident } => self.plan_unregister_table(ident, loaded, at),
            Request::RenameTable { from, to } => self.plan_rename_table(from, to, at),
            Request::RegisterTable { ident, metadata_location, metadata, existing } => {
                let register = tables::Register { ident, metadata_location, metadata, existing: *existing };
                self.plan_register_table(&register, loaded, at, ids)
            }
            Request::CreateView(create) => self.plan_create_view(create, at, ids),
            Request::CommitView(change) => self.plan_commit_view(change, loaded, at, ids),
            Request::DropView { ident } => self.plan_drop_view(ident, at),
            Request::RenameView { from, to } => self.plan_rename_view(from, to, at),
            Request::RegisterView { ident, metadata_location, metadata } => {
                self.plan_register_view(ident, metadata_location, metadata, at)
            }
            Request::Refuse { refusal, message } => {
                Err(Conflict::Refused { refusal: *refusal, message: Arc::clone(message) })
            }
            Request::PutFunction { ident, metadata } => self.plan_put_function(ident, metadata, at),
            Request::DeleteFunction { ident } => self.plan_delete_function(ident, at),
            Request::PutDocument { kind, id, json, expect } => {
                self.plan_put_document((kind, id), json, *expect, at)
            }
            Request::DeleteDocument { kind, id, expect } => {
                self.plan_delete_document((kind, id), *expect, at)
            }
        }?;
        self.check_purges(&plan.commit)?;
        Ok(plan)
    }

    /// What creating the table would give, without creating it (`stage-create`).
    pub fn stage(
        &self,
        create: &CreateTable,
        at: i64,
        ids: &mut FreshIds,
    ) -> Result<Arc<TableMetadata>, Conflict> {
        self.new_table(create, at, ids).map(Arc::new)
    }
}

pub(super) fn check_properties(properties: &Properties) -> Result<(), Conflict> {
    let bytes: usize = properties.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > PROPERTIES_BYTES_MAX {
        return Err(Conflict::Invalid(format!(
            "properties have {bytes} bytes, at most {PROPERTIES_BYTES_MAX} are allowed"
        )));
    }
    if properties.keys().any(String::is_empty) {
        return Err(Conflict::Invalid("a property has an empty key".to_owned()));
    }
    Ok(())
}

/// The first of `names` that is there twice.
pub(super) fn repeated<'a, T: Ord>(names: impl Iterator<Item = &'a T>) -> Option<&'a T> {
    let mut seen = BTreeMap::new();
    names.into_iter().find(|name| seen.insert(*name, ()).is_some())
}
