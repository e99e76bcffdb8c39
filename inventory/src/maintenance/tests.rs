//! Policies run by themselves, and what is asked for runs at once.

use serde_json::json;

use super::work::is_due;
use super::*;
use crate::NoReaders;
use crate::policy::{self, Policy, Scope};
use crate::runs::{Outcome, Stage};
use crate::testing::{Step, World, ident};

const HOUR_MS: i64 = 60 * 60 * 1000;

#[test]
fn only_what_is_enabled_is_due_and_only_after_its_interval() {
    let json = json!({"icebergSnapshotManagement": {"status": "enabled", "intervalHours": 2}});
    let policy: Policy = serde_json::from_value::<Policy>(json).unwrap().over(Policy::defaults());
    let due = |job, last_ms, now_ms| is_due(&policy, job, last_ms, now_ms);
    assert!(due(Job::SnapshotManagement, None, 0));
    assert!(!due(Job::SnapshotManagement, Some(0), 2 * HOUR_MS - 1));
    assert!(due(Job::SnapshotManagement, Some(0), 2 * HOUR_MS));
    assert!(!due(Job::UnreferencedFileRemoval, None, i64::MAX));
}

async fn old_table(world: &World) -> Maintenance {
    world.create("t", None).await;
    let now = now_ms();
    for (id, days) in [(1, 10), (2, 9)] {
        let at_ms = now - days * 24 * HOUR_MS;
        world
            .step(
                "t",
                &Step { id, at_ms, branch: "main", adds: &[["a"], ["b"]][id as usize - 1], drops: &[] },
            )
            .await;
    }
    Maintenance::new(world.catalog.clone(), world.stores.clone(), World::quick(), Arc::new(NoReaders))
}

#[tokio::test]
async fn a_policy_runs_by_itself_and_leaves_a_record() {
    let world = World::new(World::quick()).await;
    let maintenance = old_table(&world).await;
    maintenance.inner.run_due(now_ms()).await;
    assert!(maintenance.runs(None).is_empty(), "nothing is enabled");
    let json = json!({"icebergSnapshotManagement": {"status": "enabled"}});
    let policy = serde_json::from_value(json).unwrap();
    policy::put(&world.catalog, &Scope::Server, &policy).await.unwrap();
    maintenance.inner.run_due(now_ms()).await;
    maintenance.inner.run_due(now_ms()).await;
    let runs = maintenance.runs(None);
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].stage, runs[0].cause, runs[0].files), (Stage::Completed, Cause::Policy, 1));
    assert_eq!(world.metadata("t").await.snapshots().len(), 1);
}

#[tokio::test]
async fn a_run_that_was_asked_for_can_be_stopped_and_counts_as_failed() {
    let world = World::new(World::quick()).await;
    let maintenance = old_table(&world).await;
    let begun = maintenance.begin(&ident("t"), Job::SnapshotManagement, Mode::Apply, Grace::Kept).unwrap();
    maintenance.stop(begun.id).unwrap();
    let mut tasks = std::mem::take(&mut *maintenance.inner.tasks.lock().unwrap());
    assert!(tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
    let run = maintenance.find(begun.id).unwrap();
    assert_eq!((run.stage, run.error.as_deref()), (Stage::Failed, Some("the run was stopped")));
    assert_eq!(maintenance.stop(begun.id), Err(StopError::NotAtWork(begun.id)));
    assert_eq!(world.metadata("t").await.snapshots().len(), 2);
}

#[tokio::test]
async fn a_dry_run_that_is_asked_for_names_what_would_go() {
    let world = World::new(World::quick()).await;
    let maintenance = old_table(&world).await;
    let begun = maintenance.begin(&ident("t"), Job::SnapshotManagement, Mode::DryRun, Grace::Kept).unwrap();
    assert_eq!(begun.stage, Stage::Running);
    let mut tasks = std::mem::take(&mut *maintenance.inner.tasks.lock().unwrap());
    tasks.join_next().await.unwrap().unwrap();
    let run = maintenance.find(begun.id).unwrap();
    let Some(Outcome::Snapshots(expired)) = &run.outcome else { panic!("{run:?}") };
    assert_eq!((expired.snapshots, expired.removed.manifest_lists), (1, 1));
    assert!(expired.removed.listed[0].ends_with("/metadata/snap-1.avro"));
    assert_eq!(world.metadata("t").await.snapshots().len(), 2);
    let error =
        maintenance.begin(&ident("nowhere"), Job::SnapshotManagement, Mode::Apply, Grace::Kept).unwrap_err();
    assert!(matches!(error, BeginError::NoSuchTable(_)));
}
