//! The shell around planning: reads manifests, keeps plans, and makes one answer at a time.
//!
//! - Q3: a task names a part of what never changes, so it is answered the same whenever it is asked.
//! - Q4: memory holds the entries of the manifests that are read now, the files of the answers that
//!   are made now, and the delete files of their snapshots; never all files of a table.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::bind::BoundFilter;
use super::deletes::DeleteIndex;
use super::error::PlanError;
use super::evaluate::file_may_match;
use super::filter::Expr;
use super::limits::Limits;
use super::manifest::{ContentFile, Entry, Manifest, ManifestContent, ManifestFile, Status};
use super::partition::{Partition, SpecScan};
use super::plans::Plans;
use super::reader::ManifestReader;
use super::request::{Part, Scan, Source};
use super::task::{Split, Splitter, TaskId, TaskRange};
use crate::cache::ByteCache;
use crate::warehouses::WarehouseStores;

/// A manifest, its place in its list and its entry there.
type Loaded<'a> = Result<(u32, &'a ManifestFile, Arc<Manifest>), PlanError>;

/// Plans scans.
pub(crate) struct Planner {
    reader: ManifestReader,
    /// By metadata file and manifest list: the first says what the partitions of the second mean.
    deletes: ByteCache<(Arc<str>, Arc<str>), Arc<DeleteIndex>>,
    plans: Plans,
    answers: Semaphore,
    limits: Limits,
}

/// Some files of a scan.
#[derive(Default)]
pub(crate) struct Page {
    /// What the tasks' deletes are positions in.
    pub(crate) deletes: Arc<DeleteIndex>,
    pub(crate) tasks: Vec<FileTask>,
    /// What did not fit.
    pub(crate) rest: Vec<TaskRange>,
    /// About how long the answer is.
    bytes: usize,
}

/// A data file to read.
pub(crate) struct FileTask {
    manifest: Arc<Manifest>,
    entry: usize,
    pub(crate) group: Arc<Group>,
    pub(crate) first_row_id: Option<i64>,
    /// Of its rows: its own or inherited.
    pub(crate) sequence_number: i64,
    pub(crate) deletes: Vec<u32>,
}

/// What the files of a partition have in common.
pub(crate) struct Group {
    pub(crate) partition: Arc<Partition>,
    /// What is to be tested on the rows.
    pub(crate) residual: BoundFilter,
}

impl FileTask {
    pub(crate) fn file(&self) -> &ContentFile {
        &self.manifest.entries[self.entry].file
    }
}

/// A plan and the first answer to it.
pub(crate) struct Planned {
    pub(crate) id: Uuid,
    pub(crate) scan: Arc<Scan>,
    pub(crate) page: Page,
}

impl Planner {
    pub(crate) fn new(warehouses: Arc<dyn WarehouseStores>, limits: Limits) -> Self {
        Self {
            reader: ManifestReader::new(warehouses, &limits),
            deletes: ByteCache::new(limits.deletes_bytes_max),
            plans: Plans::new(&limits),
            answers: Semaphore::new(limits.answers_at_once),
            limits,
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Plans `scan` and keeps the plan, which takes `bytes`, for the tasks that were not answered.
    pub(crate) async fn begin(&self, scan: Scan, bytes: usize, now: Instant) -> Result<Planned, PlanError> {
        let (id, scan) = (Uuid::new_v4(), Arc::new(scan));
        let page = self.first_page(&scan).await?;
        self.plans.keep(id, scan.clone(), bytes, now)?;
        metrics::counter!("tarn_catalog_plans_total").increment(1);
        Ok(Planned { id, scan, page })
    }

    /// The same answer again, for whoever has the plan.
    pub(crate) async fn again(&self, table: &str, id: &str, now: Instant) -> Result<Planned, PlanError> {
        let (id, scan) = self.plan(table, id, now)?;
        let page = self.first_page(&scan).await?;
        Ok(Planned { id, scan, page })
    }

    /// Forgets a plan.
    pub(crate) fn cancel(&self, table: &str, id: &str, now: Instant) -> Result<(), PlanError> {
        let (id, _scan) = self.plan(table, id, now)?;
        self.plans.forget(id);
        Ok(())
    }

    /// The files of a task.
    pub(crate) async fn task(&self, table: &str, id: &str, now: Instant) -> Result<Planned, PlanError> {
        let task: TaskId = id.parse()?;
        let unknown = || PlanError::NoSuchTask(task.to_string());
        let scan = self.plans.get(task.plan, now).filter(|scan| &*scan.table == table).ok_or_else(unknown)?;
        let page = self.page(&scan, vec![task.range.clone()]).await?;
        metrics::counter!("tarn_catalog_plan_tasks_total").increment(1);
        Ok(Planned { id: task.plan, scan, page })
    }

    /// All files of a scan in one page; `None` when there are more than `files_max`. Whoever asks holds them in memory.
    pub(crate) async fn all(&self, scan: &Scan, files_max: usize) -> Result<Option<Page>, PlanError> {
        let mut rest: VecDeque<TaskRange> = self.split(scan).await?.ranges.into();
        let mut all = Page { deletes: self.deletes(scan).await?, ..Page::default() };
        while let Some(range) = rest.pop_front() {
            let page = self.page(scan, vec![range]).await?;
            all.tasks.extend(page.tasks);
            if all.tasks.len() > files_max {
                return Ok(None);
            }
            for range in page.rest.into_iter().rev() {
                rest.push_front(range);
            }
        }
        Ok(Some(all))
    }

    fn plan(&self, table: &str, id: &str, now: Instant) -> Result<(Uuid, Arc<Scan>), PlanError> {
        let found = Uuid::try_parse(id).ok().and_then(|uuid| Some((uuid, self.plans.get(uuid, now)?)));
        let found = found.filter(|(_, scan)| &*scan.table == table);
        found.ok_or_else(|| PlanError::NoSuchPlan(id.chars().take(100).collect()))
    }

    /// All files, where they are few; else the tasks.
    async fn first_page(&self, scan: &Scan) -> Result<Page, PlanError> {
        let Split { ranges, inline } = self.split(scan).await?;
        if inline { self.page(scan, ranges).await } else { Ok(Page { rest: ranges, ..Page::default() }) }
    }

    async fn split(&self, scan: &Scan) -> Result<Split, PlanError> {
        let mut splitter = Splitter::default();
        let mut loads: Vec<BoxFuture<'_, _>> = Vec::with_capacity(scan.sources.len());
        for source in &scan.sources {
            loads.push(Box::pin(async move {
                Ok::<_, PlanError>((source, self.reader.list(&scan.area, &source.manifest_list).await?))
            }));
        }
        let mut lists = stream::iter(loads).buffered(self.limits.reads_at_once);
        while let Some((source, list)) = lists.try_next().await? {
            splitter.add(scan, source, &list, &self.limits)?;
        }
        Ok(splitter.finish(&self.limits))
    }

    async fn page(&self, scan: &Scan, ranges: Vec<TaskRange>) -> Result<Page, PlanError> {
        // The semaphore is never closed.
        let _one_of_few = self.answers.acquire().await;
        let mut page = Page { deletes: self.deletes(scan).await?, ..Page::default() };
        for range in ranges {
            if page.is_full(&self.limits) {
                page.rest.push(range);
            } else {
                self.fill(&mut page, scan, range).await?;
            }
        }
        metrics::counter!("tarn_catalog_plan_files_total").increment(page.tasks.len() as u64);
        Ok(page)
    }

    /// Adds the files of a range, and what is left of it when the page is full.
    async fn fill(&self, page: &mut Page, scan: &Scan, range: TaskRange) -> Result<(), PlanError> {
        let unknown = || PlanError::NoSuchTask(format!("of snapshot {}", range.source));
        let source = scan.sources.get(range.source as usize).ok_or_else(unknown)?;
        let list = self.reader.list(&scan.area, &source.manifest_list).await?;
        let (first, end) = (range.manifests.start, range.manifests.end.min(list.len() as u32));
        let mut wanted = Vec::new();
        for place in first..end {
            let manifest = &list[place as usize];
            if scan.wants(source, manifest)? {
                wanted.push((place, manifest));
            }
        }
        let mut loaded = stream::iter(self.loads(scan, wanted)).buffered(self.limits.reads_at_once);
        while let Some((place, listed, manifest)) = loaded.try_next().await? {
            let files = Files { scan, source, listed, manifest };
            let to = range.entries.end.min(files.manifest.entries.len() as u32);
            let next = files.add_to(page, range.entries.start..to, &self.limits)?;
            if page.is_full(&self.limits) {
                if next < to {
                    let entries = next..range.entries.end;
                    page.rest.push(TaskRange { manifests: place..place + 1, entries, ..range.clone() });
                }
                if place + 1 < end {
                    page.rest.push(TaskRange { manifests: place + 1..end, ..range.clone() });
                }
                break;
            }
        }
        Ok(())
    }

    /// Loads of manifests, each with its place in the list; none is begun.
    fn loads<'a>(
        &'a self,
        scan: &'a Scan,
        wanted: Vec<(u32, &'a ManifestFile)>,
    ) -> Vec<BoxFuture<'a, Loaded<'a>>> {
        let mut loads: Vec<BoxFuture<'a, Loaded<'a>>> = Vec::with_capacity(wanted.len());
        for (place, listed) in wanted {
            loads.push(Box::pin(async move {
                Ok((place, listed, self.reader.manifest(&scan.area, listed).await?))
            }));
        }
        loads
    }

    /// The delete files of the scan's snapshot. What was appended is answered as it was appended.
    async fn deletes(&self, scan: &Scan) -> Result<Arc<DeleteIndex>, PlanError> {
        let [Source { manifest_list, part: Part::All }] = scan.sources.as_slice() else {
            return Ok(Arc::default());
        };
        let key = (scan.metadata_location.clone(), manifest_list.clone());
        if let Some(found) = self.deletes.get(&key) {
            return Ok(found);
        }
        let list = self.reader.list(&scan.area, manifest_list).await?;
        let mut of_deletes = Vec::new();
        for (place, manifest) in (0..).zip(list.iter()) {
            if manifest.content == ManifestContent::Deletes {
                of_deletes.push((place, manifest));
            }
        }
        let mut loaded = stream::iter(self.loads(scan, of_deletes)).buffered(self.limits.reads_at_once);
        let (mut index, mut size_bytes) = (DeleteIndex::default(), 0);
        while let Some((_, listed, manifest)) = loaded.try_next().await? {
            size_bytes += manifest.size_bytes + manifest.entries.len() * DeleteIndex::ENTRY_BYTES;
            if size_bytes > self.limits.deletes_bytes_max {
                let why = "the snapshot has more delete files than are planned here";
                return Err(PlanError::Unsupported(why.into()));
            }
            add_deletes(&mut index, scan.spec(listed)?, listed, &manifest)?;
        }
        let index = Arc::new(index);
        self.deletes.insert(key, index.clone(), size_bytes);
        Ok(index)
    }
}

impl Page {
    fn is_full(&self, limits: &Limits) -> bool {
        self.tasks.len() >= limits.task_files_max as usize || self.bytes >= limits.answer_bytes_max
    }
}

fn add_deletes(
    index: &mut DeleteIndex,
    spec: &SpecScan,
    listed: &ManifestFile,
    manifest: &Arc<Manifest>,
) -> Result<(), PlanError> {
    let places = spec.places(manifest);
    let mut last: Option<(&Entry, Arc<Partition>)> = None;
    for (at, entry) in manifest.entries.iter().enumerate() {
        if entry.status == Status::Deleted {
            continue;
        }
        let partition = match &last {
            Some((before, partition)) if before.file.partition == entry.file.partition => partition.clone(),
            Some(_) | None => Arc::new(partition(spec, entry, &places)?),
        };
        index.add(manifest, at, &partition, sequence_number(entry, listed));
        last = Some((entry, partition));
    }
    Ok(())
}

fn partition(spec: &SpecScan, entry: &Entry, places: &[Option<usize>]) -> Result<Partition, PlanError> {
    let wrong = || PlanError::Partition { location: entry.file.path.clone() };
    spec.partition(&entry.file.partition, places).ok_or_else(wrong)
}

fn sequence_number(entry: &Entry, listed: &ManifestFile) -> i64 {
    entry.sequence_number.unwrap_or(listed.sequence_number)
}

/// The files of one manifest, as a scan sees them.
struct Files<'a> {
    scan: &'a Scan,
    source: &'a Source,
    listed: &'a ManifestFile,
    manifest: Arc<Manifest>,
}

impl Files<'_> {
    /// Adds those of `entries` that may hold a matching row until the page is full; returns where it
    /// stopped.
    fn add_to(
        &self,
        page: &mut Page,
        entries: std::ops::Range<u32>,
        limits: &Limits,
    ) -> Result<u32, PlanError> {
        let spec = self.scan.spec(self.listed)?;
        let places = spec.places(&self.manifest);
        let mut last: Option<(&Entry, Arc<Group>)> = None;
        for at in entries.clone() {
            if page.is_full(limits) {
                return Ok(at);
            }
            let entry = &self.manifest.entries[at as usize];
            if !self.source.has(self.listed, entry) {
                continue;
            }
            let group = match &last {
                Some((before, group)) if before.file.partition == entry.file.partition => group.clone(),
                Some(_) | None => Arc::new(group(spec, entry, &places)?),
            };
            if group.residual != Expr::False && file_may_match(&group.residual, &entry.file) {
                page.bytes += self.scan.answer_bytes(&entry.file);
                page.tasks.push(self.task(&page.deletes, at as usize, entry, &group));
            }
            last = Some((entry, group));
        }
        Ok(entries.end)
    }

    fn task(&self, deletes: &DeleteIndex, at: usize, entry: &Entry, group: &Arc<Group>) -> FileTask {
        let inherited = self.listed.first_row_id.map(|first| first.saturating_add(entry.rows_before));
        let applied = if deletes.is_empty() {
            Vec::new()
        } else {
            deletes.of(&entry.file.path, &group.partition.key, sequence_number(entry, self.listed))
        };
        FileTask {
            manifest: self.manifest.clone(),
            entry: at,
            group: group.clone(),
            first_row_id: entry.file.first_row_id.or(inherited),
            sequence_number: sequence_number(entry, self.listed),
            deletes: applied,
        }
    }
}

fn group(spec: &SpecScan, entry: &Entry, places: &[Option<usize>]) -> Result<Group, PlanError> {
    let partition = Arc::new(partition(spec, entry, places)?);
    Ok(Group { residual: spec.filter.residual(&partition.values), partition })
}
