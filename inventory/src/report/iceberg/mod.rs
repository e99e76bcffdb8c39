//! Inventories as Iceberg tables: each run is a snapshot, which replaces all rows.
//!
//! The tables lie in warehouse `system`, in a namespace named as the bucket, and are called `inventory_<id>`. The server
//! makes them; whoever reads them needs the rights to them as to any table.
//!
//! - I1: a run has one snapshot: it carries the run's id, and a run that finds its own commits no other.
//! - I2: only a table that was made for this inventory is written to.

mod draft;
mod files;
mod schema;
mod snapshot;

use std::sync::Arc;

use iceberg::spec::TableMetadata;
use tarn_catalog::state::{Conflict, CreateTable, Namespace, Properties, Request, TableIdent};
use tarn_catalog::{Catalog, CommitError, LoadedTable};
use uuid::Uuid;

pub(super) use self::draft::remove_drafts;

use self::draft::Draft;
use self::files::Files;
use super::checkpoint::{Checkpoint, Role, Target};
use super::encoder::Kind;
use super::error::RunError;
use super::spec::Spec;
use super::target::Stores;
use crate::jobs::Context;
use crate::policy::{self, Policy, Scope, SnapshotManagement, Status};
use crate::system::{WAREHOUSE, make_namespace, make_once};

/// The property of a table that names the inventory it was made for.
const OWNER: &str = "tarn.inventory";
/// What a snapshot tells of its run.
const RUN: &str = "tarn.inventory.run";
/// How often a snapshot is tried on a newer head.
const TRIES: u32 = 5;
/// Snapshots of a table stay so long, unless its policy is changed: a quarter of a year.
const SNAPSHOT_HOURS: u32 = 90 * 24;
/// So many stay, however old.
const SNAPSHOTS_KEPT: u32 = 10;

/// The tables of inventories.
#[derive(Clone)]
pub(super) struct Tables {
    pub(super) catalog: Catalog,
    pub(super) stores: Stores,
}

/// A table that a run writes to.
pub(super) struct Table {
    pub(super) ident: TableIdent,
    loaded: LoadedTable,
    parsed: TableMetadata,
}

/// The table of an inventory.
pub(super) fn ident(spec: &Spec) -> Result<TableIdent, String> {
    let namespace = Namespace::new(vec![spec.bucket.clone()]).map_err(|error| error.to_string())?;
    TableIdent::new(WAREHOUSE, namespace, format!("inventory_{}", spec.id)).map_err(|error| error.to_string())
}

impl Tables {
    /// The table of an inventory, made if it is not there.
    pub(super) async fn ensure(&self, spec: &Spec) -> Result<Table, RunError> {
        let unreadable = |message| RunError::Denied(message);
        let ident = ident(spec).map_err(unreadable)?;
        if self.catalog.snapshot().table(&ident).is_none() {
            self.make(spec, &ident).await?;
        }
        self.load(ident, spec).await
    }

    async fn make(&self, spec: &Spec, ident: &TableIdent) -> Result<(), RunError> {
        make_namespace(&self.catalog, &ident.namespace, self.stores.create(WAREHOUSE)).await?;
        let unfit = |message| RunError::Unfit { table: ident.clone(), message };
        let create = CreateTable {
            ident: ident.clone(),
            schema: Arc::new(schema::table_schema().map_err(unfit)?),
            spec: None,
            order: None,
            location: None,
            properties: Properties::from([(OWNER.to_owned(), owner(spec))]),
        };
        make_once(&self.catalog, Request::CreateTable(create)).await?;
        let snapshots = SnapshotManagement {
            status: Some(Status::Enabled),
            max_snapshot_age_hours: Some(SNAPSHOT_HOURS),
            min_snapshots_to_keep: Some(SNAPSHOTS_KEPT),
            ..SnapshotManagement::default()
        };
        let policy = Policy { snapshots: Some(snapshots), ..Policy::default() };
        let put = policy::put(&self.catalog, &Scope::Table(ident.clone()), &policy).await;
        put.map_err(|error| unfit(error.to_string()))
    }

    async fn load(&self, ident: TableIdent, spec: &Spec) -> Result<Table, RunError> {
        let unfit = |message: String| RunError::Unfit { table: ident.clone(), message };
        let Some(loaded) = self.catalog.load(&ident).await? else {
            return Err(unfit("it was dropped".into()));
        };
        // I2.
        if loaded.metadata.properties().get(OWNER) != Some(&owner(spec)) {
            return Err(unfit(format!(
                "its property {OWNER} is not '{}': it was not made for it",
                owner(spec)
            )));
        }
        let parsed = serde_json::from_slice(&loaded.metadata.to_json());
        let parsed = parsed.map_err(|error| unfit(format!("its metadata is not understood: {error}")))?;
        Ok(Table { ident, loaded, parsed })
    }

    /// Makes the files of a run the rows of the table (I1); the id of the snapshot.
    pub(super) async fn commit(
        &self,
        context: &Context,
        spec: &Spec,
        state: &Checkpoint,
    ) -> Result<i64, RunError> {
        let index = state.targets.iter().position(|target| target.role == Role::Table);
        let (Some(index), Some(token)) = (index, state.draft) else {
            return Err(RunError::Denied(
                "the run has no files of a table, or no names for its snapshot".into(),
            ));
        };
        let mut made = None;
        for number in 0..TRIES {
            let table = self.ensure(spec).await?;
            if let Some(own) = table.snapshot_of(context.run) {
                return Ok(own);
            }
            if table.target()? != state.targets[index] {
                return Err(table.unfit("it was made anew while the run was at work".into()));
            }
            let files = Files { stores: &self.stores, table: &table };
            if made.is_none() {
                made = Some(files.describe(context.run, state, index).await?);
            }
            let draft = Draft { token, number };
            let next = snapshot::Next { files, context, state, draft };
            let change = next.change(made.as_deref().unwrap_or_default()).await?;
            match self.catalog.commit(Request::CommitTables(vec![change])).await {
                Ok(_) => return Ok(draft.id()),
                Err(CommitError::Conflict(Conflict::Requirement { .. } | Conflict::Stale { .. })) => {
                    draft.remove(&self.stores, &state.targets[index]).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(RunError::Overtaken(ident(spec).map_err(RunError::Denied)?))
    }

    /// Whether a run has its snapshot.
    pub(super) async fn has_committed(&self, spec: &Spec, run: Uuid) -> Result<bool, RunError> {
        let ident = ident(spec).map_err(RunError::Denied)?;
        let Some(loaded) = self.catalog.load(&ident).await? else { return Ok(false) };
        Ok(snapshot_of(&loaded, run).is_some())
    }
}

impl Table {
    /// Where data files of the table go.
    pub(super) fn target(&self) -> Result<Target, RunError> {
        let location = self.loaded.metadata.location();
        Target::of_table(location).ok_or_else(|| self.unfit(format!("it lies at {location}")))
    }

    /// How data files of the table are made.
    pub(super) fn kind(&self, spec: &Spec) -> Result<Kind, RunError> {
        schema::shape(self.parsed.current_schema(), spec)
            .map(Kind::table)
            .map_err(|message| self.unfit(message))
    }

    fn snapshot_of(&self, run: Uuid) -> Option<i64> {
        snapshot_of(&self.loaded, run)
    }

    fn unfit(&self, message: String) -> RunError {
        RunError::Unfit { table: self.ident.clone(), message }
    }
}

fn snapshot_of(loaded: &LoadedTable, run: Uuid) -> Option<i64> {
    let run = run.to_string();
    let own = loaded.metadata.snapshots().find(|snapshot| snapshot.summary().get(RUN) == Some(&run))?;
    Some(own.id())
}

fn owner(spec: &Spec) -> String {
    format!("{}/{}", spec.bucket, spec.id)
}
