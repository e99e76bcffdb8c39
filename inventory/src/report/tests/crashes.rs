//! Kills between any two operations, suspensions and cancelations: the same rows, none twice, and nothing left behind.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

use super::read::{manifest, table};
use super::store::Fate;
use super::world::{World, rows, spec};
use crate::jobs::{Ended, Stopped, WorkError};
use crate::report::Spec;
use crate::scan::Point;

/// A report of several files that have several parts.
fn small_files(format: &str, compression: &str, layout: &str) -> Spec {
    let mut spec = spec(format, compression, layout);
    spec.destination.as_mut().unwrap().file_bytes_hint = 12_000;
    spec
}

/// The keys told by the manifest, and that nothing lies in the destination beside what it names.
async fn keys_told(world: &World, spec: &Spec) -> Vec<String> {
    let manifest = manifest(world).await;
    let mut files: Vec<String> = world.keys().await;
    files.retain(|key| key.contains("/data/"));
    let mut named: Vec<String> = manifest["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["key"].as_str().unwrap().to_owned())
        .collect();
    named.sort_unstable();
    assert_eq!(files, named, "orphans");
    assert!(world.disks.uploads.lock().unwrap().is_empty(), "uploads were left");
    let name = if spec.destination.as_ref().unwrap().format == crate::report::Format::Parquet {
        "key"
    } else {
        "Key"
    };
    table(world, &manifest).await.into_iter().map(|row| row[name].clone()).collect()
}

#[tokio::test]
async fn a_run_killed_again_and_again_at_random_moments_tells_every_object_once_and_leaves_nothing_behind() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut kills = 0;
    for round in 0..40 {
        let format = ["csv", "json", "parquet"][round % 3];
        let layout = ["aws", "aistor"][round % 2];
        let mut spec = small_files(format, "none", layout);
        if round % 5 == 4 {
            spec.point = Point::Consistent;
        }
        let world = World::new(rows(800)).await;
        let all: Vec<String> = world.rows.lock().unwrap().keys().cloned().collect();
        loop {
            // A run of one moment begins anew each time, so it must live longer.
            let operations = if spec.point == Point::Consistent {
                random.random_range(1..400)
            } else {
                random.random_range(1..60)
            };
            match world.run(&spec, &Fate::after(operations)).await {
                None => kills += 1,
                Some(done) => {
                    done.unwrap();
                    break;
                }
            }
        }
        assert_eq!(keys_told(&world, &spec).await, all, "seed {seed}, round {round}");
    }
    assert!(kills > 100, "{kills} kills");
}

#[tokio::test]
async fn a_run_whose_last_objects_go_while_it_is_dead_leaves_no_file_that_it_had_begun() {
    for operations in 1.. {
        let spec = small_files("csv", "none", "aws");
        let world = World::new(rows(150)).await;
        let killed = world.run(&spec, &Fate::after(operations)).await.is_none();
        let after = world
            .kept
            .checkpoint
            .lock()
            .unwrap()
            .as_ref()
            .and_then(|kept| kept["after"].as_str().map(str::to_owned));
        world.rows.lock().unwrap().retain(|key, _| Some(key) <= after.as_ref());
        world.complete(&spec).await;
        keys_told(&world, &spec).await;
        if !killed {
            break;
        }
    }
}

#[tokio::test]
async fn a_changed_specification_begins_anew_and_takes_away_what_was_of_the_old_one() {
    for operations in (1..120).step_by(7) {
        let world = World::new(rows(400)).await;
        let all: Vec<String> = world.rows.lock().unwrap().keys().cloned().collect();
        let _ = world.run(&small_files("csv", "none", "aistor"), &Fate::after(operations)).await;
        let changed = small_files("json", "zstd", "aistor");
        world.complete(&changed).await;
        assert_eq!(keys_told(&world, &changed).await, all);
    }
}

#[tokio::test]
async fn a_canceled_run_of_aws_leaves_no_file() {
    for operations in (1..160).step_by(5) {
        let spec = small_files("parquet", "zstd", "aws");
        let world = World::new(rows(400)).await;
        let _ = world.run(&spec, &Fate::after(operations)).await;
        // It may be killed while it discards, too.
        for fate in 1.. {
            if world.discard(&spec, Ended::Canceled, &Fate::after(fate)).await.is_some() {
                break;
            }
        }
        assert_eq!(world.keys().await, Vec::<String>::new());
        assert!(world.disks.uploads.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_canceled_run_of_aistor_tells_the_files_it_had_finished() {
    let mut partial = 0;
    for (operations, end) in (20..160).step_by(10).zip([Ended::Canceled, Ended::Failed].into_iter().cycle()) {
        let spec = small_files("json", "none", "aistor");
        let world = World::new(rows(1500)).await;
        let all: Vec<String> = world.rows.lock().unwrap().keys().cloned().collect();
        assert!(world.run(&spec, &Fate::after(operations)).await.is_none());
        for fate in 1.. {
            if world.discard(&spec, end, &Fate::after(fate)).await.is_some() {
                break;
            }
        }
        let told = keys_told(&world, &spec).await;
        assert!(all.starts_with(&told));
        let extension = manifest(&world).await["minioExtension"].clone();
        let reason = if end == Ended::Canceled { "the run was canceled" } else { "the run failed" };
        assert_eq!((&extension["status"], &extension["reason"]), (&json!("canceled"), &json!(reason)));
        assert_eq!(extension["partialResultsAvailable"], json!(!told.is_empty()));
        partial += usize::from(!told.is_empty());
    }
    assert!(partial > 3);
}

#[tokio::test]
async fn a_run_suspended_again_and_again_goes_on_where_it_was() {
    let spec = small_files("csv", "gzip", "aws");
    let world = World::new(rows(1000)).await;
    let all: Vec<String> = world.rows.lock().unwrap().keys().cloned().collect();
    let mut random = StdRng::seed_from_u64(7);
    for _ in 0..20 {
        let _ = world.run(&spec, &Fate::after(random.random_range(10..40))).await;
        *world.kept.stop.lock().unwrap() = Some(Stopped::Suspended);
        let stopped = world.run(&spec, &Fate::never()).await.unwrap();
        assert!(matches!(stopped, Err(WorkError::Stopped(Stopped::Suspended))), "{stopped:?}");
        *world.kept.stop.lock().unwrap() = None;
    }
    world.complete(&spec).await;
    assert_eq!(keys_told(&world, &spec).await, all);
}
