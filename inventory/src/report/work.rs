//! Inventories as a kind of job.
//!
//! - R1: the rows of a completed run are those of one scan from its first key to its last, each once, whatever kills and
//!   resumptions lay between. A scan of one moment begins anew after a stop: its moment is gone.
//! - R2: of a run that did not complete nothing is left but what AIStor's layout tells: its finished files, with a manifest
//!   that says how it ended.
//! - R3: the checksum of the manifest is written last: where it is, all files told are there.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use tarn_catalog::{Catalog, WarehouseStores};

use super::check::{check, field, may};
use super::checkpoint::{Checkpoint, Role, Target, fingerprint};
use super::encoder::Kind;
use super::error::RunError;
use super::filter::CompiledFilter;
use super::iceberg::{Tables, ident, remove_drafts};
use super::manifest::{File, Status, Told, manifest, symlink};
use super::names::Places;
use super::run::Run;
use super::spec::{Destination, Layout, Spec};
use super::target::Stores;
use crate::jobs::{Author, Context, Ended, InvalidSpec, Rights, Work, WorkError};
use crate::scan::{ObjectScan, Point};

/// The kind of these jobs.
pub const KIND: &str = "inventory";
/// About how long files are meant to be where nobody says so, in bytes.
const FILE_BYTES: u64 = 256 << 20;
/// How many minutes ahead of its own a manifest may lie when others of the inventory were begun in that minute.
const FOLDERS_MAX: i64 = 60;

/// Makes inventories of buckets.
pub struct Inventory {
    scans: Arc<dyn ObjectScan>,
    stores: Stores,
    tables: Tables,
    rights: Arc<dyn Rights>,
}

impl Inventory {
    /// Inventories of what `scans` shows, written to `stores`, and to tables of `catalog`, with the rights that authors
    /// have.
    pub fn new(
        scans: Arc<dyn ObjectScan>,
        stores: Arc<dyn WarehouseStores>,
        catalog: Catalog,
        rights: Arc<dyn Rights>,
    ) -> Self {
        let stores = Stores::new(stores);
        let tables = Tables { catalog, stores: stores.clone() };
        Self { scans, stores, tables, rights }
    }

    /// The same, with parts of another size.
    #[cfg(test)]
    pub(super) fn with_parts(mut self, stores: Arc<dyn WarehouseStores>, part_bytes: usize) -> Self {
        self.stores = Stores::with_parts(stores, part_bytes);
        self.tables.stores = self.stores.clone();
        self
    }

    async fn check(&self, spec: &Value, author: &Author) -> Result<Value, InvalidSpec> {
        let spec: Spec =
            serde_json::from_value(spec.clone()).map_err(|error| field("spec", &error.to_string()))?;
        check(&spec)?;
        may(&*self.rights, author, &spec).map_err(InvalidSpec::Denied)?;
        let source = (&spec.bucket, "bucket");
        let to = spec.destination.as_ref().map(|to| (&to.bucket, "destination.bucket"));
        for (bucket, at) in std::iter::once(source).chain(to) {
            match self.stores.has(bucket).await {
                Ok(true) => {}
                Ok(false) => return Err(InvalidSpec::Missing(format!("{at}: there is no bucket {bucket}"))),
                Err(error) => return Err(field(at, &format!("it cannot be looked at now: {error}"))),
            }
        }
        serde_json::to_value(&spec).map_err(|error| field("spec", &error.to_string()))
    }

    async fn run(&self, context: &Context) -> Result<Value, RunError> {
        let spec = read_spec(context)?;
        may(&*context.rights, &context.definition.author, &spec).map_err(RunError::Denied)?;
        if let Some(to) = &spec.destination
            && !self.stores.has(&to.bucket).await?
        {
            return Err(RunError::NoDestination(to.bucket.clone()));
        }
        let (kinds, targets) = self.outputs(&spec).await?;
        let mut run = Run {
            scans: &*self.scans,
            stores: &self.stores,
            context,
            spec: &spec,
            filter: Arc::new(CompiledFilter::new(&spec.filter, context.started_ms)?),
            kinds,
            file_bytes: spec.destination.as_ref().map_or(FILE_BYTES, |to| to.file_bytes_hint),
            state: self.begin(context, &spec, targets).await?,
        };
        run.keep().await?;
        run.tell();
        run.scan().await?;
        let snapshot = match spec.iceberg {
            true => {
                run.draft().await?;
                Some(self.tables.commit(context, &spec, &run.state).await?)
            }
            false => None,
        };
        if let Some(to) = &spec.destination {
            self.tell_files(context, &spec, to, &run.state, Status::Completed).await?;
        }
        Ok(outcome(&spec, &run.state, snapshot))
    }

    /// What files are made, and where they go.
    async fn outputs(&self, spec: &Spec) -> Result<(Arc<[Kind]>, Vec<Target>), RunError> {
        let (mut kinds, mut targets) = (Vec::new(), Vec::new());
        if let Some(to) = &spec.destination {
            kinds.push(Kind::report(spec, to)?);
            targets.push(Places::new(spec, to).target(to));
        }
        if spec.iceberg {
            let table = self.tables.ensure(spec).await?;
            kinds.push(table.kind(spec)?);
            targets.push(table.target()?);
        }
        Ok((kinds.into(), targets))
    }

    /// Where the run goes on from; what cannot be gone on from is taken away.
    async fn begin(
        &self,
        context: &Context,
        spec: &Spec,
        targets: Vec<Target>,
    ) -> Result<Checkpoint, RunError> {
        let Some(mut state) = read_state(context)? else {
            let folder_ms = match &spec.destination {
                Some(to) => self.folder(context, spec, to).await?,
                None => context.started_ms,
            };
            return Ok(Checkpoint::new(spec, targets, folder_ms));
        };
        let is_committed = self.is_committed(context, spec, &state).await?;
        if !is_committed {
            remove_drafts(&self.stores, &state).await?;
            state.draft = None;
        }
        let is_of_moment = spec.point == Point::Consistent && !state.is_scanned;
        if state.spec != fingerprint(spec) || state.targets != targets || is_of_moment {
            self.stores
                .remove_all(context.run, &state, |target| !is_committed || target.role != Role::Table)
                .await?;
            return Ok(Checkpoint::new(spec, targets, state.folder_ms));
        }
        if !state.is_scanned {
            self.stores.remove_unfinished(context.run, &state).await?;
        }
        Ok(state)
    }

    /// Whether the files of a run are those of a table: then they stay.
    async fn is_committed(
        &self,
        context: &Context,
        spec: &Spec,
        state: &Checkpoint,
    ) -> Result<bool, RunError> {
        let has_table = state.targets.iter().any(|target| target.role == Role::Table);
        Ok(has_table && state.is_scanned && self.tables.has_committed(spec, context.run).await?)
    }

    /// The minute whose folder the run's manifest goes to: that of its begin, or the next that no other run has taken.
    async fn folder(&self, context: &Context, spec: &Spec, to: &Destination) -> Result<i64, RunError> {
        const MINUTE_MS: i64 = 60_000;
        let places = Places::new(spec, to);
        for ahead in 0..FOLDERS_MAX {
            let at_ms = context.started_ms + ahead * MINUTE_MS;
            if !self.stores.is_there(&to.bucket, &places.manifest(at_ms)).await? {
                return Ok(at_ms);
            }
        }
        Err(RunError::TooManyRuns)
    }

    /// Writes Hive's list, the manifest and its checksum, in this order (R3).
    async fn tell_files(
        &self,
        context: &Context,
        spec: &Spec,
        to: &Destination,
        state: &Checkpoint,
        status: Status,
    ) -> Result<(), RunError> {
        let places = Places::new(spec, to);
        let folder_ms = state.folder_ms;
        let target = places.target(to);
        let keys = (0..state.sets.len()).map(|number| target.key(context.run, number));
        let keys: Vec<_> = keys.collect();
        let files = state.sets.iter().zip(&keys).filter_map(|(set, key)| {
            let file = set.files.first()?;
            Some(File { key: key.clone(), bytes: file.0, md5: file.1.clone() })
        });
        let told = Told {
            spec,
            to,
            began_ms: state.began_ms.unwrap_or(context.started_ms),
            files: files.collect(),
            status,
            scanned: state.scanned,
            matched: state.rows(),
        };
        let unreadable = |source| RunError::Unreadable { what: "the manifest", source };
        let (manifest, checksum) = manifest(told).map_err(unreadable)?;
        let bucket = &to.bucket;
        self.stores.put(bucket, &places.symlink(folder_ms), symlink(to, &keys)).await?;
        self.stores.put(bucket, &places.manifest(folder_ms), manifest).await?;
        self.stores.put(bucket, &places.checksum(folder_ms), checksum).await
    }

    async fn discard(&self, context: &Context, end: Ended) -> Result<(), RunError> {
        // Nothing is written before the first checkpoint.
        let Some(state) = read_state(context)? else { return Ok(()) };
        let spec = read_spec(context)?;
        self.stores.remove_unfinished(context.run, &state).await?;
        if !self.is_committed(context, &spec, &state).await? {
            remove_drafts(&self.stores, &state).await?;
            self.stores.remove_all(context.run, &state, |target| target.role == Role::Table).await?;
        }
        let Some(to) = &spec.destination else { return Ok(()) };
        if !self.stores.has(&to.bucket).await? {
            return Ok(());
        }
        match to.layout {
            Layout::Aws => {
                let places = Places::new(&spec, to);
                for key in [
                    places.checksum(state.folder_ms),
                    places.manifest(state.folder_ms),
                    places.symlink(state.folder_ms),
                ] {
                    self.stores.delete(&to.bucket, &key).await?;
                }
                self.stores.remove_all(context.run, &state, |target| target.role == Role::Report).await
            }
            Layout::Aistor => {
                let status = match end {
                    Ended::Canceled => Status::Canceled,
                    Ended::Failed => Status::Failed,
                };
                self.tell_files(context, &spec, to, &state, status).await
            }
        }
    }
}

#[async_trait]
impl Work for Inventory {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn check(&self, spec: &Value, author: &Author) -> Result<Value, InvalidSpec> {
        self.check(spec, author).await
    }

    async fn run(&self, context: &Context) -> Result<Value, WorkError> {
        Ok(self.run(context).await?)
    }

    fn looks_at(&self, spec: &Value) -> String {
        format!("{} {}", spec["bucket"], spec["filter"]["prefixes"])
    }

    async fn discard(&self, context: &Context, end: Ended) -> Result<(), WorkError> {
        Ok(self.discard(context, end).await?)
    }
}

fn read_spec(context: &Context) -> Result<Spec, RunError> {
    let spec = serde_json::from_value(context.definition.spec.clone());
    spec.map_err(|source| RunError::Unreadable { what: "the specification", source })
}

fn read_state(context: &Context) -> Result<Option<Checkpoint>, RunError> {
    let state = context.checkpoint.clone().map(serde_json::from_value).transpose();
    state.map_err(|source| RunError::Unreadable { what: "the checkpoint", source })
}

/// What is told of a run that is complete.
fn outcome(spec: &Spec, state: &Checkpoint, snapshot: Option<i64>) -> Value {
    let manifest = spec
        .destination
        .as_ref()
        .map(|to| format!("s3://{}/{}", to.bucket, Places::new(spec, to).manifest(state.folder_ms)));
    json!({
        "scanned": state.scanned,
        "matched": state.rows(),
        "files": state.sets.iter().map(|set| set.files.len()).sum::<usize>(),
        "bytes": state.bytes(),
        "manifest": manifest,
        "table": snapshot.and_then(|_| ident(spec).ok()).map(|ident| format!("{}.{ident}", ident.warehouse)),
        "snapshot_id": snapshot,
        "scan_began_ms": state.began_ms,
        "scan_ended_ms": state.ended_ms,
    })
}
