//! Planning a batch: each request on the state that the requests before it leave behind (W2).
//!
//! Pure once the metadata is loaded; the writer does the I/O.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::batch::Body;
use super::outcome::{CommitError, CommittedTable, CommittedView, Done};
use super::queue::Waiting;
use crate::files::{LoadError, MetadataFiles, MetadataKind};
use crate::metadata::Metadata;
use crate::state::{
    CatalogState, Change, Commit, Conflict, FreshIds, KeptReply, Loaded, Note, Plan, Reply, Request,
    RequestKey,
};

/// A batch that has grown to so many bytes takes no further request. One request adds a few MiB at
/// most (`state::limits`), far from what a record may hold.
const BODY_BYTES: usize = 16 << 20;

/// Metadata by its location, or why it cannot be had.
pub(crate) type Sources = HashMap<String, Result<Metadata, LoadError>>;

/// What a batch will do if its files and its record are written.
pub(crate) struct Planned {
    /// The state after it.
    pub(crate) state: CatalogState,
    pub(crate) body: Body,
    /// The files to write, with the index of the request that needs each.
    pub(crate) writes: Vec<(usize, String, Metadata)>,
    /// Per request, in order. Shorter than the requests when the batch is full, or when a request needs
    /// metadata that only an earlier one of it brought in: the rest begins the next batch.
    pub(crate) results: Vec<Result<Done, CommitError>>,
}

/// Plans every request in order.
pub(crate) fn plan(
    base: &CatalogState,
    waiting: &[Waiting],
    mut sources: Sources,
    at: i64,
    ids: &mut FreshIds,
) -> Planned {
    let mut planned = Planned {
        state: base.clone(),
        body: Body::default(),
        writes: Vec::new(),
        results: Vec::with_capacity(waiting.len()),
    };
    for (index, waiting) in waiting.iter().enumerate() {
        if planned.body.len() >= BODY_BYTES {
            break;
        }
        match plan_one(&mut planned, index, waiting, &mut sources, at, ids) {
            Ok(done) => planned.results.push(Ok(done)),
            Err(Stop::Failed(error)) => planned.results.push(Err(error)),
            Err(Stop::NotLoaded(conflict)) if index == 0 => {
                planned.results.push(Err(CommitError::Conflict(conflict)));
            }
            Err(Stop::NotLoaded(_)) => break,
        }
    }
    planned
}

enum Stop {
    Failed(CommitError),
    NotLoaded(Conflict),
}

fn plan_one(
    planned: &mut Planned,
    index: usize,
    waiting: &Waiting,
    sources: &mut Sources,
    at: i64,
    ids: &mut FreshIds,
) -> Result<Done, Stop> {
    let Waiting { request, key, by, .. } = waiting;
    if let Some(key) = key
        && let Some(kept) = planned.state.reply(&key.key, at)
    {
        return replay(key, kept).map_err(|conflict| Stop::Failed(CommitError::Conflict(conflict)));
    }
    let loaded = gather(&planned.state, request, sources)?;
    // Planning changes nothing but the ids, so a defect met by one request stops neither the batch nor
    // the writer.
    let planning = AssertUnwindSafe(|| planned.state.plan(request, &loaded, at, ids));
    let plan = catch_unwind(planning).map_err(|_panic| Stop::Failed(CommitError::Defect))?;
    let mut plan = match plan {
        Ok(plan) => plan,
        Err(conflict @ Conflict::NotLoaded(_)) => return Err(Stop::NotLoaded(conflict)),
        Err(conflict) => {
            if let (Some(key), Some(refusal)) = (key, conflict.refusal()) {
                let reply = Reply::refused(refusal, &conflict.to_string());
                planned.add(&Commit { at, changes: vec![keep(key, reply, at)] });
            }
            return Err(Stop::Failed(CommitError::Conflict(conflict)));
        }
    };
    if !plan.is_empty() {
        let note = Note { by: Arc::clone(by), verb: request.verb().into() };
        plan.commit.changes.push(Change::Note(Arc::new(note)));
    }
    if let Some(key) = key {
        plan.commit.changes.push(keep(key, reply(request, &plan), at));
    }
    if !plan.is_empty() {
        planned.add(&plan.commit);
    }
    for (location, metadata) in plan.writes {
        sources.insert(location.clone(), Ok(metadata.clone()));
        planned.writes.push((index, location, metadata));
    }
    let table = |(ident, metadata_location, metadata)| CommittedTable { ident, metadata_location, metadata };
    let view = |(ident, metadata_location, metadata)| CommittedView { ident, metadata_location, metadata };
    Ok(Done {
        tables: plan.tables.into_iter().map(table).collect(),
        views: plan.views.into_iter().map(view).collect(),
        missing: plan.missing,
        again: None,
    })
}

impl Planned {
    fn add(&mut self, commit: &Commit) {
        self.state.apply(commit);
        self.body.push(commit);
    }
}

/// The answer that was given to this key, if it was this request's.
pub(crate) fn replay(key: &RequestKey, kept: &KeptReply) -> Result<Done, Conflict> {
    if kept.request != key.request {
        return Err(Conflict::KeyReused);
    }
    let done = |missing, again| Done { tables: Vec::new(), views: Vec::new(), missing, again };
    match &kept.reply {
        Reply::Done => Ok(done(Vec::new(), None)),
        Reply::Metadata(location) => Ok(done(Vec::new(), Some(Arc::clone(location)))),
        Reply::Missing(missing) => Ok(done(missing.clone(), None)),
        Reply::Refused { refusal, message } => {
            Err(Conflict::Refused { refusal: *refusal, message: Arc::clone(message) })
        }
    }
}

fn keep(key: &RequestKey, reply: Reply, at: i64) -> Change {
    let until = at.saturating_add(key.lifetime_ms);
    Change::KeepReply(Arc::new(KeptReply { key: key.key, request: key.request, until, reply }))
}

/// What to keep of the answer to a request that was planned.
fn reply(request: &Request, plan: &Plan) -> Reply {
    match request {
        Request::CreateTable(_)
        | Request::RegisterTable { .. }
        | Request::UnregisterTable { .. }
        | Request::CommitTables(_) => {
            match &plan.tables[..] {
                [(_, location, _)] => Reply::Metadata(location.as_str().into()),
                // Only a transaction names several; its answer holds none.
                _ => Reply::Done,
            }
        }
        Request::CreateView(_) | Request::CommitView(_) | Request::RegisterView { .. } => {
            match &plan.views[..] {
                [(_, location, _)] => Reply::Metadata(location.as_str().into()),
                _ => Reply::Done,
            }
        }
        Request::UpdateNamespace { .. } | Request::UpdateWarehouse { .. } => {
            Reply::Missing(plan.missing.clone())
        }
        Request::CreateWarehouse { .. }
        | Request::DropWarehouse { .. }
        | Request::CreateNamespace { .. }
        | Request::DropNamespace { .. }
        | Request::RollbackTables(_)
        | Request::DropTable(_)
        | Request::StageTable(_)
        | Request::UndropTable(_)
        | Request::RemoveDropped { .. }
        | Request::ExpireDropped { .. }
        | Request::RenameTable { .. }
        | Request::DropView { .. }
        | Request::RenameView { .. }
        | Request::Refuse { .. }
        | Request::PutFunction { .. }
        | Request::DeleteFunction { .. }
        | Request::PutDocument { .. }
        | Request::DeleteDocument { .. } => Reply::Done,
    }
}

/// The metadata of every table and view the request names that exists.
fn gather(state: &CatalogState, request: &Request, sources: &Sources) -> Result<Loaded, Stop> {
    let mut loaded = Loaded::default();
    let (tables, view) = request.reads();
    let tables = tables.into_iter().filter_map(|ident| {
        let entry = state.table(ident)?;
        Some((ident, &entry.metadata_location))
    });
    let view = view.and_then(|ident| Some((ident, &state.view(ident)?.metadata_location)));
    for (ident, location) in tables.chain(view) {
        match sources.get(&**location) {
            Some(Ok(Metadata::Table(metadata))) => {
                loaded.insert(ident.clone(), location.clone(), metadata.clone());
            }
            Some(Ok(Metadata::View(metadata))) => {
                loaded.insert_view(ident.clone(), location.clone(), metadata.clone());
            }
            Some(Err(error)) if request.reads_readable() && error.is_final() => {
                loaded.insert_unreadable(ident.clone(), location.clone());
            }
            Some(Err(error)) => return Err(Stop::Failed(CommitError::Load(error.clone()))),
            // Brought in earlier in this batch; planning says so.
            None => {}
        }
    }
    Ok(loaded)
}

/// Loads the metadata of every table and view that the requests name, many at a time.
pub(crate) async fn load(
    base: &CatalogState,
    waiting: &[Waiting],
    files: &MetadataFiles,
    at_once: usize,
) -> Sources {
    use futures::StreamExt as _;
    let requests = || waiting.iter().map(|waiting| &waiting.request);
    let tables = requests()
        .flat_map(|request| request.reads().0)
        .filter_map(|ident| Some((&base.table(ident)?.metadata_location, MetadataKind::Table)));
    let views = requests()
        .filter_map(|request| request.reads().1)
        .filter_map(|ident| Some((&base.view(ident)?.metadata_location, MetadataKind::View)));
    let mut locations: Vec<(String, MetadataKind)> =
        tables.chain(views).map(|(location, kind)| (location.to_string(), kind)).collect();
    locations.sort_unstable();
    locations.dedup();
    futures::stream::iter(locations)
        .map(|(location, kind)| async move {
            let loaded = files.load_kind(&location, kind).await;
            (location, loaded)
        })
        .buffer_unordered(at_once)
        .collect()
        .await
}
