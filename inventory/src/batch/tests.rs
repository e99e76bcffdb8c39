use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use rand::prelude::*;
use serde_json::{Value, json};
use tarn_openapi::access::{Action, Resource};
use uuid::Uuid;

use super::*;
use crate::jobs::{Author, JobSettings, Jobs, NewDefinition, NoForeground, Put, Run, RunState, Work};
use crate::scan::{ETag, Objects, Scan, ScanError, ScanOptions};
use crate::testing::Memory;

/// Objects: by bucket and key their content, of which their tag is made.
#[derive(Default)]
struct Disk {
    objects: Mutex<BTreeMap<(String, String), u64>>,
    /// How often each was deleted or copied.
    done: Mutex<BTreeMap<String, usize>>,
    /// A key that cannot be changed now, so often.
    busy: Mutex<BTreeMap<String, u32>>,
    tags: Mutex<BTreeMap<(String, String), BTreeMap<String, String>>>,
}

struct InDisk(Arc<Disk>, String, ScanOptions);

/// Everything but the deletion of what is named so.
struct AllBut(&'static str);

impl Rights for AllBut {
    fn may(&self, _: &Author, action: Action, resource: Resource<'_>) -> bool {
        !(action == Action::DeleteObject && matches!(resource, Resource::Object(_, key) if key == self.0))
    }
}

fn tag(content: u64) -> ETag {
    ETag { digest: u128::from(content).to_be_bytes(), parts: None, is_multipart: false }
}

struct Scans(Arc<Disk>);

#[async_trait]
impl ObjectScan for Scans {
    async fn scan(&self, bucket: &str, options: &ScanOptions) -> Result<Box<dyn Scan>, ScanError> {
        Ok(Box::new(InDisk(self.0.clone(), bucket.into(), options.clone())))
    }
}

#[async_trait]
impl Scan for InDisk {
    async fn next(&mut self) -> Result<Option<Objects>, ScanError> {
        tokio::task::yield_now().await;
        let Self(disk, bucket, options) = self;
        let from = match &options.after {
            Some(after) => Bound::Excluded((bucket.clone(), after.clone())),
            None => Bound::Included((bucket.clone(), options.prefix.clone())),
        };
        let objects = disk.objects.lock().unwrap();
        let range = objects.range((from, Bound::Unbounded));
        let is_asked = |at: &(String, String)| at.0 == *bucket && at.1.starts_with(&options.prefix);
        let mut found = Objects::default();
        for ((_, key), content) in range.take_while(|(at, _)| is_asked(at)).take(7) {
            found.keys.push_str(key);
            found.key_ends.push(found.keys.len() as u32);
            found.sizes.push(*content);
            found.modified_ms.push(0);
            found.etags.push(tag(*content));
            found.checksums.push(None);
            options.after = Some(key.clone());
        }
        Ok((!found.is_empty()).then_some(found))
    }

    fn began_ms(&self) -> i64 {
        0
    }
}

fn failed(code: &'static str, status: u16, may_work_later: bool) -> ItemError {
    ItemError { code, status, message: code.to_lowercase(), may_work_later }
}

#[async_trait]
impl Bulk for Disk {
    async fn delete(&self, bucket: &str, key: &str, etag: Option<&str>) -> Result<(), ItemError> {
        tokio::task::yield_now().await;
        if let Some(left) = self.busy.lock().unwrap().get_mut(key).filter(|left| **left > 0) {
            *left -= 1;
            return Err(failed("SlowDown", 503, true));
        }
        let at = (bucket.to_owned(), key.to_owned());
        let mut objects = self.objects.lock().unwrap();
        if let (Some(content), Some(etag)) = (objects.get(&at), etag)
            && tag(*content).to_string() != etag
        {
            return Err(failed("PreconditionFailed", 412, false));
        }
        if objects.remove(&at).is_some() {
            *self.done.lock().unwrap().entry(key.to_owned()).or_default() += 1;
        }
        Ok(())
    }

    async fn copy(&self, from: Item<'_>, to: Item<'_>, there: There) -> Result<(), ItemError> {
        let mut objects = self.objects.lock().unwrap();
        let content = objects.get(&(from.bucket.to_owned(), from.key.to_owned())).copied();
        let content = content.ok_or_else(|| failed("NoSuchKey", 404, false))?;
        let to = (to.bucket.to_owned(), to.key.to_owned());
        if there == There::Kept && objects.get(&to).is_some_and(|kept| *kept != content) {
            return Err(failed("PreconditionFailed", 412, false));
        }
        objects.insert(to, content);
        Ok(())
    }

    async fn tag(&self, item: Item<'_>, change: &TagChange) -> Result<(), ItemError> {
        let at = (item.bucket.to_owned(), item.key.to_owned());
        let content = self.objects.lock().unwrap().get(&at).copied();
        let content = content.ok_or_else(|| failed("NoSuchKey", 404, false))?;
        if item.etag.is_some_and(|etag| tag(content).to_string() != etag) {
            return Err(failed("PreconditionFailed", 412, false));
        }
        let mut tags = self.tags.lock().unwrap();
        let tags = tags.entry(at).or_default();
        match change {
            TagChange::Replace(new) => *tags = new.iter().cloned().collect(),
            TagChange::Merge(new) => tags.extend(new.iter().cloned()),
            TagChange::Remove(keys) => keys.iter().for_each(|key| drop(tags.remove(key))),
        }
        Ok(())
    }
}

struct World {
    disk: Arc<Disk>,
    stores: Arc<Memory>,
    log: Arc<InMemory>,
}

impl World {
    fn new(keys: impl IntoIterator<Item = String>) -> Self {
        let disk = Disk::default();
        let objects =
            keys.into_iter().enumerate().map(|(number, key)| (("a".to_owned(), key), number as u64));
        *disk.objects.lock().unwrap() = objects.collect();
        Self { disk: Arc::new(disk), stores: Arc::default(), log: Arc::new(InMemory::new()) }
    }

    async fn start(&self) -> (Catalog, Jobs) {
        let stores: Arc<dyn WarehouseStores> = self.stores.clone();
        let settings = tarn_catalog::Settings::default();
        let catalog =
            Catalog::open(self.log.clone(), Path::from("log"), stores.clone(), settings).await.unwrap();
        let rights = Arc::new(AllBut("kept.log"));
        let parts = Parts {
            scans: Arc::new(Scans(self.disk.clone())),
            bulk: self.disk.clone(),
            stores,
            catalog: catalog.clone(),
            rights: rights.clone(),
        };
        let work: Arc<dyn Work> = Arc::new(Batch { parts, part: 17 });
        let settings = JobSettings { backoff: Duration::from_millis(1), ..JobSettings::default() };
        let jobs = Jobs::new(catalog.clone(), vec![work], rights, Arc::new(NoForeground), settings);
        jobs.start();
        (catalog, jobs)
    }

    fn keys(&self, bucket: &str) -> Vec<String> {
        let objects = self.disk.objects.lock().unwrap();
        objects.keys().filter(|(of, _)| of == bucket).map(|(_, key)| key.clone()).collect()
    }

    /// What lies at the place of reports, by name behind the run's place.
    async fn report(&self, run: Uuid) -> BTreeMap<String, Vec<u8>> {
        let store = self.stores.store("reports");
        let place = format!("done/job-{run}");
        let listed: Vec<_> = store.list(Some(&Path::from(place.clone()))).try_collect().await.unwrap();
        let mut files = BTreeMap::new();
        for file in listed {
            let bytes = store.get(&file.location).await.unwrap().bytes().await.unwrap().to_vec();
            let name = file.location.to_string().strip_prefix(&format!("{place}/")).unwrap().to_owned();
            files.insert(name, bytes);
        }
        files
    }

    /// The rows of a report, read as its manifest lists them: key, status, code.
    async fn rows(&self, run: Uuid) -> Vec<(String, String, String)> {
        let files = self.report(run).await;
        let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        let mut rows = Vec::new();
        for result in manifest["Results"].as_array().unwrap() {
            let key = result["Key"].as_str().unwrap();
            let bytes = &files[key.strip_prefix(&format!("done/job-{run}/")).unwrap()];
            assert_eq!(result["MD5Checksum"], completion::md5_of(bytes));
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]);
            rows.extend(reader.records().map(|record| {
                let record = record.unwrap();
                (record[1].to_owned(), record[3].to_owned(), record[4].to_owned())
            }));
        }
        rows.sort();
        rows
    }
}

fn new(name: &str, yaml: &str) -> NewDefinition {
    let spec = json!({ "yaml": yaml });
    serde_json::from_value(json!({"name": name, "kind": "batch", "spec": spec})).unwrap()
}

fn root() -> Author {
    Author { key: None, fingerprint: None }
}

async fn end_of(jobs: &Jobs, name: &str) -> Run {
    for _ in 0..20_000 {
        let run = jobs.runs(Some(name)).into_iter().find(|seen| seen.run.state.is_ended());
        if let Some(seen) = run {
            return seen.run;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{name} does not end: {:?}", jobs.runs(Some(name)));
}

const EXPIRE: &str = "expire:\n  apiVersion: v1\n  bucket: a\n  rules:\n    - name: '*.log'\n    - size: {greaterThan: 95}\n  report: {bucket: reports, prefix: done}\n";

fn named(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("k{number:04}.{}", if number % 2 == 0 { "log" } else { "txt" }))
}

#[tokio::test]
async fn what_rules_let_through_is_deleted_and_each_object_is_told() {
    let world = World::new(named(100).chain(["kept.log".into(), "none".into()]));
    world.disk.busy.lock().unwrap().extend([("k0000.log".to_owned(), 2), ("k0002.log".to_owned(), 99)]);
    let (_catalog, jobs) = world.start().await;
    let dry = format!("{EXPIRE}  dryRun: true\n");
    jobs.put(new("dry", &dry), Put::Create, root()).await.unwrap();
    let run = end_of(&jobs, "dry").await;
    assert_eq!((run.state, world.keys("a").len()), (RunState::Completed, 102));
    let rows = world.rows(run.id).await;
    // 50 named so, k0097 and k0099 by their size, and the last two, of which one may not be deleted.
    assert_eq!(rows.len(), 54);
    assert_eq!(rows.iter().filter(|row| row.1 == "dry-run").count(), 53);

    let real = format!("{EXPIRE}  retry: {{delay: 1ms}}\n");
    jobs.put(new("real", &real), Put::Create, root()).await.unwrap();
    let run = end_of(&jobs, "real").await;
    let rows = world.rows(run.id).await;
    let failed: Vec<_> = rows.iter().filter(|row| row.1 == "failed").map(|row| (&*row.0, &*row.2)).collect();
    assert_eq!(failed, [("k0002.log", "SlowDown"), ("kept.log", "AccessDenied")]);
    assert_eq!((run.counts.scanned, run.counts.matched), (102, 54));
    assert_eq!((run.counts.written, run.counts.failed), (52, 2));
    let outcome = run.outcome.unwrap();
    assert_eq!((&outcome["tasks"], &outcome["failed"]), (&json!(54), &json!(2)));
    let left = world.keys("a");
    assert_eq!(left.len(), 50, "{left:?}");
    assert!(left.iter().all(|key| key.ends_with(".txt") || ["k0002.log", "kept.log"].contains(&&**key)));
}

#[tokio::test]
async fn over_kills_at_random_each_object_is_told_once_and_done_once() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut kills = 0;
    for _ in 0..8 {
        let world = World::new(named(300));
        let (mut catalog, mut jobs) = world.start().await;
        let yaml = EXPIRE.replace("    - size: {greaterThan: 95}\n", "");
        jobs.put(new("b", &yaml), Put::Create, root()).await.unwrap();
        let run = loop {
            for _ in 0..random.random_range(0..250) {
                tokio::task::yield_now().await;
            }
            let run = jobs.runs(Some("b")).into_iter().find(|seen| seen.run.state.is_ended());
            if let Some(seen) = run {
                break seen.run;
            }
            jobs.kill().await;
            drop(catalog);
            kills += 1;
            (catalog, jobs) = world.start().await;
        };
        assert_eq!(run.state, RunState::Completed, "seed {seed}: {:?}", run.last_errors);
        let rows = world.rows(run.id).await;
        let wanted: Vec<_> = named(300).filter(|key| key.ends_with(".log")).collect();
        let told: Vec<_> = rows.iter().map(|row| row.0.clone()).collect();
        assert_eq!(told, wanted, "seed {seed}");
        assert!(rows.iter().all(|row| row.1 == "succeeded"), "seed {seed}: {rows:?}");
        assert!(world.disk.done.lock().unwrap().values().all(|times| *times == 1), "seed {seed}");
        assert_eq!(world.keys("a").len(), 150, "seed {seed}");
        assert!(!world.report(run.id).await.keys().any(|name| name.starts_with("tasks/")), "seed {seed}");
        jobs.kill().await;
    }
    println!("{kills} kills");
}

#[tokio::test]
async fn a_list_is_done_line_by_line_and_too_many_failures_end_it() {
    let world = World::new(["p/one".into(), "p/two words".into()]);
    let list = "a,p/one\na,p/two+words\nother,x\na,p/missing\n";
    world.stores.store("lists").put(&"l.csv".into(), list.into()).await.unwrap();
    let yaml = "copy:\n  apiVersion: v1\n  source: {bucket: a, prefix: p/}\n  target: {bucket: c, prefix: q/}\n  manifest: {format: S3BatchOperations_CSV_20180820, bucket: lists, key: l.csv}\n  report: {bucket: reports, prefix: done}\n";
    let (_catalog, jobs) = world.start().await;
    jobs.put(new("c", yaml), Put::Create, root()).await.unwrap();
    let run = end_of(&jobs, "c").await;
    assert_eq!(
        (run.state, world.keys("c")),
        (RunState::Completed, vec!["q/one".into(), "q/two words".into()])
    );
    let codes: Vec<_> = world.rows(run.id).await.into_iter().map(|row| row.2).collect();
    assert_eq!(codes, ["NoSuchKey", "", "", "InvalidRequest"]);

    let strict = format!("{yaml}  failureThreshold: {{percent: 49, after: 4}}\n");
    jobs.put(new("strict", &strict), Put::Create, root()).await.unwrap();
    let run = end_of(&jobs, "strict").await;
    assert_eq!(run.state, RunState::Failed);
    assert!(run.last_errors[0].message.contains("2 of 4 objects failed"), "{:?}", run.last_errors);
    assert_eq!(world.rows(run.id).await.len(), 4, "what was done is told");
}

#[tokio::test]
async fn a_canceled_batch_tells_what_it_did() {
    let world = World::new(named(300));
    let (_catalog, jobs) = world.start().await;
    let slow = NewDefinition { items_per_second_max: Some(200), ..new("b", EXPIRE) };
    jobs.put(slow, Put::Create, root()).await.unwrap();
    let id = loop {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if let Some(seen) = jobs.runs(Some("b")).into_iter().find(|seen| seen.run.counts.written > 0) {
            break seen.run.id;
        }
    };
    jobs.cancel(id).await.unwrap();
    let run = end_of(&jobs, "b").await;
    let files = world.report(run.id).await;
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    assert_eq!((run.state, &manifest["tarn"]["end"]["end"]), (RunState::Canceled, &json!("canceled")));
    let gone: Vec<String> = world.disk.done.lock().unwrap().keys().cloned().collect();
    let told: Vec<String> = world.rows(id).await.into_iter().map(|row| row.0).collect();
    assert!(!gone.is_empty() && gone.iter().all(|key| told.contains(key)), "{gone:?} {told:?}");
}

#[tokio::test]
async fn what_a_batch_must_not_do_is_refused_when_it_is_put() {
    let world = World::new([]);
    let (catalog, jobs) = world.start().await;
    let warehouse =
        tarn_catalog::state::Request::CreateWarehouse { name: "lake".into(), properties: Default::default() };
    catalog.commit(warehouse).await.unwrap();
    for (yaml, told) in [
        (EXPIRE.replace("bucket: a", "bucket: lake"), "lake is a warehouse"),
        (EXPIRE.replace("prefix: done", "prefix: a//b"), "report.prefix"),
        (EXPIRE.replace("*.log", "[a"), "rules"),
        ("tag: {}\n".into(), "NotImplemented: this server does no tag"),
        (EXPIRE.replace("apiVersion: v1", "apiVersion: v9"), "line 2, column 15: apiVersion"),
    ] {
        let refused = jobs.put(new("x", &yaml), Put::Any, root()).await.unwrap_err().to_string();
        assert!(
            refused.contains(told) || (told == "rules" && refused.contains("names")),
            "{told}: {refused}"
        );
    }
}
