use super::*;
use crate::testing::{World, ident};

fn begin(runs: &Arc<Runs>, table: Uuid, cause: Cause) -> Result<Ticket, Uuid> {
    runs.begin(Job::SnapshotManagement, (&ident("t"), table), Mode::Apply, cause, 5)
}

#[test]
fn a_table_has_one_run_at_a_time_and_a_stopped_run_counts_as_failed() {
    let (runs, table) = (Arc::new(Runs::default()), Uuid::from_u128(1));
    let first = begin(&runs, table, Cause::Request).ok().unwrap();
    let id = first.id;
    assert_eq!(begin(&runs, table, Cause::Request).err(), Some(id));
    assert!(begin(&runs, Uuid::from_u128(2), Cause::Request).is_ok());
    first.progress.add(7);
    assert_eq!(runs.find(id).map(|run| (run.stage, run.bytes)), Some((Stage::Running, 7)));
    drop(first);
    assert_eq!(runs.find(id).unwrap().stage, Stage::Failed);
    assert_eq!(runs.began(table, Job::SnapshotManagement), Some(5));
    assert!(begin(&runs, table, Cause::Request).is_ok());
}

#[tokio::test]
async fn only_the_last_runs_are_kept_and_idle_ones_of_policies_are_not() {
    let world = World::new(World::quick()).await;
    let (runs, table) = (Arc::new(Runs::default()), Uuid::from_u128(1));
    let nothing = || Ok(Outcome::Snapshots(Expired::default()));
    let idle = begin(&runs, table, Cause::Policy).ok().unwrap().end(6, nothing()).unwrap();
    keep(&world.catalog, &idle).await.unwrap();
    assert!(kept(&world.catalog, None).is_empty());
    let mut last = None;
    for _ in 0..KEPT_MAX + 2 {
        let run = begin(&runs, table, Cause::Request).ok().unwrap().end(6, nothing()).unwrap();
        keep(&world.catalog, &run).await.unwrap();
        last = Some(run);
    }
    let kept = kept(&world.catalog, Some(table));
    assert_eq!(kept.len(), KEPT_MAX);
    assert_eq!(kept.first(), last.as_ref());
}
