//! Whole runs: what files say.

use serde_json::{Value, json};

use super::read::{manifest, table};
use super::store::Fate;
use super::world::{Row, SEALED, World, rows, spec};
use crate::jobs::{Stopped, WorkError};
use crate::report::{Field, Spec};

/// The names a format has for: key, size, tag, time, multipart, checksum.
fn names(format: &str, layout: &str) -> [&'static str; 6] {
    match (format, layout) {
        ("parquet", _) => {
            ["key", "size", "e_tag", "last_modified_date", "is_multipart_uploaded", "checksum_algorithm"]
        }
        (_, "aws") => ["Key", "Size", "ETag", "LastModifiedDate", "IsMultipartUploaded", "ChecksumAlgorithm"],
        _ => ["Key", "Size", "ETag", "LastModified", "IsMultipart", "ChecksumAlgorithm"],
    }
}

/// A time as any format tells it.
fn as_ms(text: &str) -> i64 {
    format!("{}Z", text.trim_end_matches('Z')).parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

#[tokio::test]
async fn every_format_packing_and_layout_tells_each_object_once_in_order_and_as_it_is() {
    for format in ["csv", "json", "parquet"] {
        for compression in ["none", "gzip", "zstd"] {
            for layout in ["aws", "aistor"] {
                let world = World::new(rows(1500)).await;
                let mut spec = spec(format, compression, layout);
                spec.destination.as_mut().unwrap().file_bytes_hint = 20_000;
                let outcome = world.complete(&spec).await;
                let manifest = manifest(&world).await;
                let told = table(&world, &manifest).await;
                let case = format!("{format} {compression} {layout}");
                assert!(manifest["files"].as_array().unwrap().len() > 1, "{case}");
                let [key, size, tag, modified, multipart, checksum] = names(format, layout);
                let objects = world.rows.lock().unwrap().clone();
                assert_eq!(told.len(), objects.len(), "{case}");
                for (row, (own_key, object)) in told.iter().zip(&objects) {
                    assert_eq!(&row[key], own_key, "{case}");
                    assert_eq!(row[size], object.size.to_string(), "{case}");
                    assert_eq!(row[tag], object.etag.to_string(), "{case}");
                    assert_eq!(row[multipart], object.etag.is_multipart.to_string(), "{case}");
                    assert_eq!(row[checksum], object.checksum.map_or("", |of| of.name()), "{case}");
                    assert_eq!(as_ms(&row[modified]), object.modified_ms, "{case}");
                }
                assert_eq!(
                    (outcome["matched"].clone(), outcome["scanned"].clone()),
                    (json!(1500), json!(1500))
                );
                assert!(world.disks.uploads.lock().unwrap().is_empty(), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn aws_files_lie_and_say_what_its_documentation_does() {
    let world = World::new(rows(10)).await;
    world.complete(&spec("csv", "gzip", "aws")).await;
    let keys = world.keys().await;
    let data = keys.iter().find(|key| key.starts_with("inv/source/daily/data/")).unwrap();
    assert!(data.ends_with(".csv.gz"));
    assert_eq!(
        keys.iter().filter(|key| *key != data).collect::<Vec<_>>(),
        [
            "inv/source/daily/2026-11-21T13-30Z/manifest.checksum",
            "inv/source/daily/2026-11-21T13-30Z/manifest.json",
            "inv/source/daily/hive/dt=2026-11-21-13-30/symlink.txt",
        ]
    );
    let symlink = world.bytes("inv/source/daily/hive/dt=2026-11-21-13-30/symlink.txt").await;
    assert_eq!(String::from_utf8(symlink).unwrap(), format!("s3://reports/{data}\n"));
    let told = manifest(&world).await;
    let file = &told["files"][0];
    assert_eq!(
        told,
        json!({
            "sourceBucket": "source",
            "destinationBucket": "arn:aws:s3:::reports",
            "version": "2016-11-30",
            "creationTimestamp": "1795267805255",
            "fileFormat": "CSV",
            "fileSchema": "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, \
                           IsMultipartUploaded, ReplicationStatus, EncryptionStatus, ObjectLockRetainUntilDate, \
                           ChecksumAlgorithm",
            "files": [{"key": data, "size": file["size"], "MD5checksum": file["MD5checksum"]}],
        })
    );
    let first = table(&world, &told).await.remove(1);
    assert_eq!(first["Bucket"], "source");
    assert_eq!((&*first["VersionId"], &*first["IsLatest"], &*first["IsDeleteMarker"]), ("", "true", "false"));
    assert_eq!((&*first["StorageClass"], &*first["EncryptionStatus"]), ("STANDARD", "NOT-SSE"));
}

#[tokio::test]
async fn a_parquet_file_has_exactly_the_schema_its_manifest_tells() {
    let world = World::new(rows(10)).await;
    let mut spec = spec("parquet", "zstd", "aws");
    // Whatever is asked for first, AWS's order holds.
    spec.fields.reverse();
    world.complete(&spec).await;
    let told = manifest(&world).await;
    let schema = "message s3.inventory { required binary bucket (UTF8); required binary key (UTF8); \
                  optional binary version_id (UTF8); optional boolean is_latest; optional boolean is_delete_marker; \
                  optional int64 size; optional int64 last_modified_date (TIMESTAMP_MILLIS); \
                  optional binary e_tag (UTF8); optional binary storage_class (UTF8); \
                  optional boolean is_multipart_uploaded; optional binary replication_status (UTF8); \
                  optional binary encryption_status (UTF8); \
                  optional int64 object_lock_retain_until_date (TIMESTAMP_MILLIS); \
                  optional binary checksum_algorithm (UTF8); }";
    assert_eq!(told["fileSchema"], schema);
    let bytes = world.bytes(told["files"][0]["key"].as_str().unwrap()).await;
    let metadata = parquet::file::metadata::ParquetMetaDataReader::new()
        .parse_and_finish(&bytes::Bytes::from(bytes))
        .unwrap();
    let own = metadata.file_metadata().schema_descr().root_schema_ptr();
    assert_eq!(*own, parquet::schema::parser::parse_message_type(schema).unwrap());
}

#[tokio::test]
async fn an_empty_report_has_an_empty_list_of_files() {
    let world = World::new(rows(0)).await;
    world.complete(&spec("csv", "gzip", "aistor")).await;
    let told = manifest(&world).await;
    assert_eq!(told["files"], json!([]));
    assert_eq!(
        told["minioExtension"],
        json!({"status": "completed", "scannedObjects": 0, "matchedObjects": 0, "partialResultsAvailable": false})
    );
}

#[tokio::test]
async fn two_runs_of_one_minute_have_manifests_of_their_own() {
    let mut world = World::new(rows(10)).await;
    let spec = spec("csv", "gzip", "aws");
    world.complete(&spec).await;
    world.run = uuid::Uuid::from_u128(0x52);
    *world.kept.checkpoint.lock().unwrap() = None;
    world.complete(&spec).await;
    let keys = world.keys().await;
    for folder in ["2026-11-21T13-30Z", "2026-11-21T13-31Z"] {
        assert!(keys.contains(&format!("inv/source/daily/{folder}/manifest.json")), "{keys:?}");
    }
    assert_eq!(keys.iter().filter(|key| key.contains("/data/")).count(), 2);
}

/// The keys that a filter lets through.
async fn told(filter: Value) -> Vec<String> {
    let mut objects = rows(100);
    for (number, row) in objects.values_mut().enumerate() {
        row.user_metadata =
            vec![("owner".into(), format!("team {}", number % 4)), ("n".into(), number.to_string())];
        row.tags = vec![("Owner".into(), format!("team {}", number % 4)), ("n".into(), number.to_string())];
    }
    let world = World::new(objects).await;
    let spec = Spec { filter: serde_json::from_value(filter).unwrap(), ..spec("json", "none", "aistor") };
    world.complete(&spec).await;
    let manifest = manifest(&world).await;
    table(&world, &manifest).await.iter().map(|row| row["Key"].clone()).collect()
}

/// The keys of the same objects for which `holds`.
fn expected(holds: impl Fn(&str, &Row, usize) -> bool) -> Vec<String> {
    let all = rows(100);
    let kept = all.iter().enumerate().filter(|(number, (key, row))| holds(key, row, *number));
    kept.map(|(_, (key, _))| key.clone()).collect()
}

#[tokio::test]
async fn each_part_of_a_filter_lets_through_what_it_says() {
    use super::world::STARTED_MS;
    const DAY_MS: i64 = 86_400_000;
    assert_eq!(
        told(json!({"prefixes": ["logs/", "data/year", "data/", "logs/2026/00000"]})).await,
        expected(|key, _, _| key.starts_with("logs/") || key.starts_with("data/"))
    );
    assert_eq!(
        told(json!({"exclude_prefixes": ["logs/", "z"]})).await,
        expected(|key, _, _| !key.starts_with("logs/") && !key.starts_with('z'))
    );
    assert_eq!(
        told(json!({"size": {"greater_than": 100_000, "less_than": 500_000}})).await,
        expected(|_, row, _| row.size > 100_000 && row.size < 500_000)
    );
    assert_eq!(
        told(json!({"older_than_ms": 10 * DAY_MS, "newer_than_ms": 50 * DAY_MS})).await,
        expected(|_, row, _| row.modified_ms < STARTED_MS - 10 * DAY_MS
            && row.modified_ms > STARTED_MS - 50 * DAY_MS)
    );
    assert_eq!(
        told(json!({"modified_before_ms": STARTED_MS - 30 * DAY_MS})).await,
        expected(|_, row, _| row.modified_ms < STARTED_MS - 30 * DAY_MS)
    );
    assert_eq!(
        told(
            json!({"names": [{"match": "data*9.parquet"}, {"contains": "\u{f6}/00000"}, {"regex": "^z/.*1"}]})
        )
        .await,
        expected(|key, _, _| {
            (key.starts_with("data") && key.ends_with("9.parquet"))
                || key.contains("\u{f6}/00000")
                || (key.starts_with("z/") && key.contains('1'))
        })
    );
    assert_eq!(
        told(json!({"user_metadata": {"and": [
            ["X-Amz-Meta-Owner", {"match": "team [12]"}],
            ["n", {"number": {"less_than": 50.0, "greater_than": null, "equal_to": null}}],
        ]}}))
        .await,
        expected(|_, _, number| matches!(number % 4, 1 | 2) && number < 50)
    );
    assert_eq!(
        told(json!({"user_metadata": {"or": [["owner", {"contains": "3"}], ["n", {"regex": "^7.$"}]]}}))
            .await,
        expected(|_, _, number| number % 4 == 3 || (70..80).contains(&number))
    );
}

#[tokio::test]
async fn tags_are_asked_for_by_their_whole_key_and_metadata_is_no_tag() {
    assert_eq!(
        told(json!({"tags": {"and": [
            ["Owner", {"match": "team [12]"}],
            ["n", {"number": {"less_than": 50.0, "greater_than": null, "equal_to": null}}],
        ]}}))
        .await,
        expected(|_, _, number| matches!(number % 4, 1 | 2) && number < 50)
    );
    assert_eq!(
        told(json!({"tags": {"or": [["Owner", {"contains": "3"}], ["n", {"regex": "^7.$"}]]}})).await,
        expected(|_, _, number| number % 4 == 3 || (70..80).contains(&number))
    );
    for key in ["owner", "x-amz-meta-Owner", "other"] {
        assert_eq!(told(json!({"tags": {"and": [[key, {"contains": ""}]]}})).await, Vec::<String>::new());
    }
    let both = json!({"user_metadata": {"and": [["owner", {"contains": "1"}]]}, "tags": {"and": [["n", {"contains": "5"}]]}});
    assert_eq!(
        told(both).await,
        expected(|_, _, number| number % 4 == 1 && number.to_string().contains('5'))
    );
}

#[tokio::test]
async fn what_this_server_has_not_matches_nothing() {
    assert_eq!(told(json!({"versions_count": {"greater_than": 1}})).await, Vec::<String>::new());
    assert_eq!(told(json!({"versions_count": {"equal_to": 1}, "tags": {"or": []}})).await.len(), 100);
}

#[tokio::test]
async fn user_metadata_and_tags_are_told_in_every_format() {
    for format in ["csv", "json", "parquet"] {
        for layout in ["aws", "aistor"] {
            let mut objects = rows(2);
            let metadata =
                vec![("a".to_owned(), "say \"hi\", \\ \u{e4}".to_owned()), ("b".to_owned(), "2".to_owned())];
            let mut first = objects.first_entry().unwrap();
            first.get_mut().user_metadata = metadata.clone();
            first.get_mut().tags = vec![("t".to_owned(), "v".to_owned())];
            let world = World::new(objects).await;
            let mut spec = spec(format, "zstd", layout);
            spec.fields.extend([Field::UserMetadata, Field::Tags]);
            world.complete(&spec).await;
            let told = table(&world, &manifest(&world).await).await;
            let name = if format == "parquet" { "user_metadata" } else { "UserMetadata" };
            let read: serde_json::Map<String, Value> = serde_json::from_str(&told[0][name]).unwrap();
            let read: Vec<_> =
                read.into_iter().map(|(name, value)| (name, value.as_str().unwrap().to_owned())).collect();
            assert_eq!(read, metadata, "{format} {layout}");
            assert_eq!(told[1][name], "", "{format} {layout}");
            let tags = if format == "parquet" { "tags" } else { "Tags" };
            assert_eq!(told[0][tags], r#"{"t":"v"}"#, "{format} {layout}");
            assert_eq!(told[1][tags], "", "{format} {layout}");
        }
    }
}

#[tokio::test]
async fn user_metadata_of_what_the_author_may_not_read_is_not_told_and_matches_no_filter() {
    let said = |key: &str| {
        let mut row = Row::numbered(1);
        row.user_metadata = vec![("owner".into(), "alice".into())];
        (key.to_owned(), row)
    };
    let world = World::new([said("data/open"), said(SEALED)].into()).await;
    let mut spec = spec("json", "none", "aistor");
    spec.fields.push(Field::UserMetadata);
    world.complete(&spec).await;
    let file = world.keys().await.into_iter().find(|key| key.ends_with(".json") && key.contains("/data/"));
    let text = String::from_utf8(world.bytes(&file.unwrap()).await).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["UserMetadata"], json!({"owner": "alice"}));
    assert_eq!((&lines[1]["Key"], &lines[1]["UserMetadata"]), (&json!(SEALED), &Value::Null));
    let world = World::new([said("data/open"), said(SEALED)].into()).await;
    spec.filter.user_metadata =
        serde_json::from_value(json!({"and": [["owner", {"contains": "a"}]]})).unwrap();
    assert_eq!(world.complete(&spec).await["matched"], json!(1));
}

#[tokio::test]
async fn a_run_tells_how_far_it_is_and_stops_when_it_is_told_to() {
    use std::sync::atomic::Ordering;
    let world = World::new(rows(1000)).await;
    let mut spec = spec("csv", "none", "aws");
    spec.destination.as_mut().unwrap().file_bytes_hint = 20_000;
    *world.kept.stop.lock().unwrap() = Some(Stopped::Suspended);
    let stopped = world.run(&spec, &Fate::never()).await.unwrap();
    assert!(matches!(stopped, Err(WorkError::Stopped(Stopped::Suspended))), "{stopped:?}");
    assert!(world.disks.uploads.lock().unwrap().is_empty());
    *world.kept.stop.lock().unwrap() = None;
    world.complete(&spec).await;
    let progress = &world.progress;
    assert_eq!(progress.scanned.load(Ordering::Relaxed), 1000);
    assert_eq!(progress.matched.load(Ordering::Relaxed), 1000);
    assert_eq!(progress.written.load(Ordering::Relaxed), 1000);
    let files = manifest(&world).await["files"].as_array().unwrap().clone();
    assert_eq!(progress.files.load(Ordering::Relaxed), files.len() as u64);
    let bytes: u64 = files.iter().map(|file| file["size"].as_u64().unwrap()).sum();
    assert_eq!(progress.bytes.load(Ordering::Relaxed), bytes);
}
