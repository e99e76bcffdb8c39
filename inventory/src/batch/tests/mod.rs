use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;
use std::time::Duration;

use arrow_array::{RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use rand::prelude::*;
use serde_json::{Value, json};
use tarn_catalog::InMemoryWarehouses;
use tarn_openapi::access::{Action, Resource};
use uuid::Uuid;

mod elsewhere;

use self::elsewhere::{Elsewhere, PULL, PUSH};
use super::*;
use crate::jobs::{Author, JobSettings, Jobs, NewDefinition, NoForeground, Put, Run, RunState, Work};
use crate::scan::{Depth, ETag, ObjectAttributes, Objects, Scan, ScanError, ScanOptions};

/// Objects: by bucket and key their content, of which their tag is made.
#[derive(Default)]
struct Disk {
    objects: Mutex<BTreeMap<(String, String), u64>>,
    /// How often each was deleted or copied.
    done: Mutex<BTreeMap<String, usize>>,
    /// A key that cannot be changed now, so often.
    busy: Mutex<BTreeMap<String, u32>>,
    tags: Mutex<BTreeMap<(String, String), BTreeMap<String, String>>>,
    /// How often the query was answered.
    asked: Mutex<usize>,
    /// What was told outside, with the token.
    told: Mutex<Vec<(String, Value)>>,
}

struct InDisk(Arc<Disk>, String, ScanOptions);

/// Everything but the deletion of what is named so, and reading its tags.
struct AllBut(&'static str);

impl Rights for AllBut {
    fn may(&self, _: &Author, action: Action, resource: Resource<'_>) -> bool {
        let is_it = matches!(resource, Resource::Object(_, key) if key == self.0);
        !(is_it && [Action::DeleteObject, Action::GetObjectTagging].contains(&action))
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
            if options.depth == Depth::Attributes {
                let tags = disk.tags.lock().unwrap().get(&(bucket.clone(), key.clone())).cloned();
                let tags = tags.unwrap_or_default().into_iter().collect();
                found.attributes.push(ObjectAttributes { tags, ..ObjectAttributes::default() });
            }
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

    async fn copy(
        &self,
        from: Item<'_>,
        to: Item<'_>,
        there: There,
        carried: Carried,
    ) -> Result<(), ItemError> {
        let mut objects = self.objects.lock().unwrap();
        let from = (from.bucket.to_owned(), from.key.to_owned());
        let content = objects.get(&from).copied();
        let content = content.ok_or_else(|| failed("NoSuchKey", 404, false))?;
        if carried == Carried::NoTags && self.tags.lock().unwrap().contains_key(&from) {
            return Err(failed("AccessDenied", 403, false));
        }
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

/// Answers every query with the keys of bucket `a` that end as it says; by the second time they are none.
#[async_trait]
impl Queries for Disk {
    async fn plan(&self, query: &Query, _author: &Author) -> Result<SchemaRef, QueryFailure> {
        let column = query.sql.split(' ').nth(1).unwrap_or_default();
        match query.sql.starts_with("SELECT") {
            true => Ok(Arc::new(Schema::new(vec![Field::new(column, DataType::Utf8, true)]))),
            false => {
                Err(QueryFailure { message: "line 1, column 1: no query".into(), may_work_later: false })
            }
        }
    }

    async fn ask(&self, query: &Query, author: &Author, _rows_max: u64) -> Result<Rows, QueryFailure> {
        let schema = self.plan(query, author).await?;
        let ending = query.sql.split(' ').next_back().unwrap_or_default();
        *self.asked.lock().unwrap() += 1;
        let keys: Vec<String> = self.objects.lock().unwrap().keys().map(|(_, key)| key.clone()).collect();
        let batches: Vec<_> = keys
            .chunks(9)
            .map(|keys| keys.iter().filter(|key| key.ends_with(ending)).map(Some).collect::<StringArray>())
            .map(|keys| Ok(RecordBatch::try_new(schema.clone(), vec![Arc::new(keys)]).unwrap()))
            .collect();
        Ok(futures::stream::iter(batches).boxed())
    }
}

struct World {
    disk: Arc<Disk>,
    stores: Arc<InMemoryWarehouses>,
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

    async fn start(&self) -> (tarn_catalog::Catalog, Jobs) {
        for bucket in ["a", "abc", "b", "c", "lists", "reports"] {
            self.stores.store(bucket);
        }
        let stores: Arc<dyn WarehouseStores> = self.stores.clone();
        let settings = tarn_catalog::Settings::default();
        let catalog =
            tarn_catalog::Catalog::open(self.log.clone(), Path::from("log"), stores.clone(), settings)
                .await
                .unwrap();
        let rights = Arc::new(AllBut("kept.log"));
        let scans = Arc::new(Scans(self.disk.clone()));
        let inventory = Inventory::new(scans.clone(), stores.clone(), catalog.clone(), rights.clone());
        let parts = Parts {
            scans,
            bulk: self.disk.clone(),
            stores,
            catalog: catalog.clone(),
            inventory: Arc::new(inventory),
            queries: self.disk.clone(),
            outside: Arc::new(Elsewhere(self.disk.clone())),
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

const BY_QUERY: &str = "delete:\n  apiVersion: v1\n  bucket: a\n  manifest: {sql: 'SELECT key FROM .log'}\n  report: {bucket: reports, prefix: done}\n";

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
    assert_eq!((run.counts.expected, run.counts.scanned, run.counts.matched), (102, 102, 54));
    assert_eq!((run.counts.written, run.counts.failed), (52, 2));
    let outcome = run.outcome.unwrap();
    assert_eq!((&outcome["tasks"], &outcome["failed"]), (&json!(54), &json!(2)));
    let left = world.keys("a");
    assert_eq!(left.len(), 50, "{left:?}");
    assert!(left.iter().all(|key| key.ends_with(".txt") || ["k0002.log", "kept.log"].contains(&&**key)));
}

/// Runs a batch to its end while the server is killed at random.
async fn over_kills(world: &World, yaml: &str, random: &mut StdRng) -> (Run, Jobs) {
    let (mut catalog, mut jobs) = world.start().await;
    jobs.put(new("b", yaml), Put::Create, root()).await.unwrap();
    loop {
        for _ in 0..random.random_range(0..250) {
            tokio::task::yield_now().await;
        }
        let run = jobs.runs(Some("b")).into_iter().find(|seen| seen.run.state.is_ended());
        if let Some(seen) = run {
            return (seen.run, jobs);
        }
        jobs.kill().await;
        drop(catalog);
        (catalog, jobs) = world.start().await;
    }
}

#[tokio::test]
async fn over_kills_at_random_each_object_is_told_once_and_done_once() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let rules = EXPIRE.replace("    - size: {greaterThan: 95}\n", "");
    for (yaml, asked) in [(&*rules, 0), (BY_QUERY, 1)].into_iter().cycle().take(12) {
        let world = World::new(named(300));
        let (run, jobs) = over_kills(&world, yaml, &mut random).await;
        assert_eq!(run.state, RunState::Completed, "seed {seed}: {:?}", run.last_errors);
        let rows = world.rows(run.id).await;
        let wanted: Vec<_> = named(300).filter(|key| key.ends_with(".log")).collect();
        let told: Vec<_> = rows.iter().map(|row| row.0.clone()).collect();
        assert_eq!(told, wanted, "seed {seed}");
        assert!(rows.iter().all(|row| row.1 == "succeeded"), "seed {seed}: {rows:?}");
        assert!(world.disk.done.lock().unwrap().values().all(|times| *times == 1), "seed {seed}");
        assert_eq!(world.keys("a").len(), 150, "seed {seed}");
        assert!(!world.report(run.id).await.keys().any(|name| name.starts_with("tasks/")), "seed {seed}");
        // Before its answer was kept a query may be asked again; then never more.
        assert!((*world.disk.asked.lock().unwrap() > 0) == (asked > 0), "seed {seed}");
        jobs.kill().await;
    }
}

#[tokio::test]
async fn who_may_not_read_the_tags_of_an_object_neither_copies_them_nor_asks_by_them() {
    for (tagged, denied) in
        [(&["kept.log", "k0000.log"][..], vec![("kept.log", "AccessDenied")]), (&["k0000.log"], vec![])]
    {
        let world = World::new(named(3).chain(["kept.log".into()]));
        let tags = tagged.iter().map(|key| (("a".to_owned(), (*key).to_owned()), BTreeMap::new()));
        world.disk.tags.lock().unwrap().extend(tags);
        let (_catalog, jobs) = world.start().await;
        let yaml = "copy:\n  apiVersion: v1\n  source: {bucket: a, prefix: k}\n  target: {bucket: c, prefix: q/}\n  report: {bucket: reports, prefix: done}\n";
        jobs.put(new("copy", yaml), Put::Create, root()).await.unwrap();
        let rows = world.rows(end_of(&jobs, "copy").await.id).await;
        assert_eq!(rows.len(), 4);
        let failed: Vec<_> =
            rows.iter().filter(|row| row.1 == "failed").map(|row| (&*row.0, &*row.2)).collect();
        assert_eq!(failed, denied);
    }
    let world = World::new(["kept.log".into()]);
    let tags = BTreeMap::from([("state".to_owned(), "old".to_owned())]);
    world.disk.tags.lock().unwrap().insert(("a".to_owned(), "kept.log".to_owned()), tags);
    let (_catalog, jobs) = world.start().await;
    let yaml = "tag:\n  apiVersion: v1\n  bucket: a\n  filter: {tags: [{key: state, value: old}]}\n  merge: [{key: b, value: c}]\n  report: {bucket: reports, prefix: done}\n";
    jobs.put(new("tag", yaml), Put::Create, root()).await.unwrap();
    let rows = world.rows(end_of(&jobs, "tag").await.id).await;
    assert_eq!(rows, [("kept.log".to_owned(), "failed".to_owned(), "AccessDenied".to_owned())]);
}

#[tokio::test]
async fn tags_are_changed_over_kills_and_what_is_tagged_already_is_done() {
    let world = World::new(named(200));
    let yaml = "tag:\n  apiVersion: v1\n  bucket: a\n  filter: {name: '*.log'}\n  merge: [{key: state, value: old}]\n  report: {bucket: reports, prefix: done}\n";
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let (run, jobs) = over_kills(&world, yaml, &mut StdRng::seed_from_u64(seed)).await;
    let rows = world.rows(run.id).await;
    assert_eq!((run.state, rows.len()), (RunState::Completed, 100), "seed {seed}: {:?}", run.last_errors);
    assert!(rows.iter().all(|row| row.1 == "succeeded"), "seed {seed}: {rows:?}");
    let tags = world.disk.tags.lock().unwrap().clone();
    assert!(tags.values().all(|tags| tags.get("state").is_some_and(|value| value == "old")));
    assert_eq!(tags.len(), 100);
    jobs.kill().await;
}

#[tokio::test]
async fn a_query_that_cannot_name_objects_is_refused_when_the_batch_is_put() {
    let world = World::new([]);
    let (_catalog, jobs) = world.start().await;
    for (sql, told) in [
        ("SELECT key FROM a.log", None),
        (
            "SELECT size FROM a",
            Some("manifest.sql: there is a column \"size\"; allowed: key, bucket, etag, version"),
        ),
        ("SELECT bucket FROM a", Some("manifest.sql: there is no column \"key\"")),
        ("DROP TABLE a", Some("manifest.sql: line 1, column 1: no query")),
    ] {
        let put = jobs.put(new("q", &BY_QUERY.replace("SELECT key FROM .log", sql)), Put::Any, root()).await;
        match (put, told) {
            (Ok(_), None) => {}
            (Err(refused), Some(told)) => assert!(refused.to_string().contains(told), "{refused}"),
            (put, told) => panic!("{sql}: {told:?} {put:?}"),
        }
    }
}

#[tokio::test]
async fn a_parquet_inventory_is_a_list_and_is_gone_on_with_at_its_row() {
    let world = World::new(named(60));
    let keys: StringArray = named(60).filter(|key| key.ends_with(".log")).map(Some).collect();
    let buckets: StringArray = keys.iter().map(|_| Some("a")).collect();
    let sizes: arrow_array::Int64Array = keys.iter().map(|_| Some(1)).collect();
    let columns: [(&str, arrow_array::ArrayRef); 3] =
        [("bucket", Arc::new(buckets)), ("size", Arc::new(sizes)), ("key", Arc::new(keys))];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let properties =
        parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(7));
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties.build())).unwrap();
    writer.write(&rows).unwrap();
    let lists = world.stores.store("lists");
    lists.put(&"data/1.parquet".into(), writer.into_inner().unwrap().into()).await.unwrap();
    let manifest =
        json!({"fileFormat": "Parquet", "fileSchema": "message", "files": [{"key": "data/1.parquet"}]});
    lists.put(&"manifest.json".into(), manifest.to_string().into()).await.unwrap();
    let list = "{format: S3InventoryReport_Parquet_20161130, bucket: lists, key: manifest.json}";
    let yaml = BY_QUERY.replace("{sql: 'SELECT key FROM .log'}", list);
    let mut random = StdRng::seed_from_u64(7);
    let (run, jobs) = over_kills(&world, &yaml, &mut random).await;
    let told: Vec<String> = world.rows(run.id).await.into_iter().map(|row| row.0).collect();
    let wanted: Vec<String> = named(60).filter(|key| key.ends_with(".log")).collect();
    assert_eq!((run.state, told), (RunState::Completed, wanted), "{:?}", run.last_errors);
    assert_eq!(world.keys("a").len(), 30);
    jobs.kill().await;
}

#[tokio::test]
async fn a_catalog_is_made_as_an_inventory_is_and_a_dry_run_only_tells() {
    let world = World::new(named(40));
    let (_catalog, jobs) = world.start().await;
    let yaml = "catalog:\n  apiVersion: v1\n  bucket: abc\n  destination: {bucket: lists, prefix: p, format: csv, compression: off}\n";
    {
        let mut objects = world.disk.objects.lock().unwrap();
        let of_a: Vec<String> = objects.keys().map(|(_, key)| key.clone()).collect();
        objects.extend(of_a.into_iter().map(|key| (("abc".to_owned(), key), 1)));
    }
    jobs.put(new("dry", &format!("{yaml}  dryRun: true\n")), Put::Create, root()).await.unwrap();
    let run = end_of(&jobs, "dry").await;
    assert_eq!(run.outcome.as_ref().unwrap()["plan"]["matched"], 40, "{run:?}");
    assert_eq!(world.stores.store("lists").list(None).count().await, 0);
    jobs.put(new("real", yaml), Put::Create, root()).await.unwrap();
    let run = end_of(&jobs, "real").await;
    let outcome = run.outcome.unwrap();
    assert_eq!((run.state, &outcome["matched"]), (RunState::Completed, &json!(40)), "{:?}", run.last_errors);
    let manifest = outcome["manifest"].as_str().unwrap().strip_prefix("s3://lists/").unwrap().to_owned();
    let read = world.stores.store("lists").get(&Path::from(manifest)).await.unwrap().bytes().await.unwrap();
    let manifest: Value = serde_json::from_slice(&read).unwrap();
    assert_eq!(manifest["minioExtension"]["matchedObjects"], 40, "{manifest}");
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
    world.stores.store("lake");
    for (yaml, told) in [
        (EXPIRE.replace("bucket: a", "bucket: lake"), "lake is a warehouse"),
        (EXPIRE.replace("prefix: done", "prefix: a//b"), "report.prefix"),
        (EXPIRE.replace("*.log", "[a"), "rules"),
        ("compress: {}\n".into(), "NotImplemented: this server does no compress"),
        (PUSH.replace("https://far", "ftp://far"), "endpoint: the URL begins with http"),
        (PULL.replace("bucket: b}", "bucket: lake}"), "target.bucket: lake is a warehouse"),
        (EXPIRE.replace("apiVersion: v1", "apiVersion: v9"), "line 2, column 15: apiVersion"),
    ] {
        let refused = jobs.put(new("x", &yaml), Put::Any, root()).await.unwrap_err().to_string();
        assert!(
            refused.contains(told) || (told == "rules" && refused.contains("names")),
            "{told}: {refused}"
        );
    }
}
