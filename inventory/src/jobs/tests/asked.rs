use std::sync::atomic::Ordering;

use super::*;
use crate::jobs::{ChangeError, Counts, DeleteError, Put, PutError, RunNow};

#[tokio::test]
async fn a_new_definition_runs_at_once_and_tells_what_it_did() {
    let world = World::new(Rows::default());
    let (catalog, jobs) = world.start().await;
    let made = jobs.put(new("a", 20), Put::Create, root()).await.unwrap();
    assert_eq!(made.spec, json!({"rows": 20, "of_file": 7}), "its full form, without its secret");
    let run = until(&jobs, "a", RunState::Completed).await.run;
    assert_eq!(run.outcome, Some(json!({"files": 3})));
    assert_eq!(run.counts, Counts { scanned: 20, written: 20, expected: 20, ..Counts::default() });
    assert_eq!((run.starts, run.errors, run.definition.spec.get("secret")), (1, 0, None));
    assert_eq!(world.rows.of(run.id), (0..20).collect::<Vec<_>>());
    assert!(jobs.watch(run.id).is_none() && jobs.next_ms(&made).is_none());
    jobs.put(new("a", 20), Put::Any, root()).await.unwrap();
    jobs.put(new("a", 3), Put::Replace, root()).await.unwrap();
    while jobs.runs(Some("a")).len() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    jobs.close().await;
    assert_eq!(jobs.runs(None).len(), 2, "what changes nothing runs nothing");
    catalog.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_definition_is_told() {
    let (_catalog, jobs) = World::new(Rows::default()).start().await;
    let wrong = NewDefinition { spec: json!({}), ..new("a", 1) };
    let refused = jobs.put(wrong, Put::Any, root()).await.unwrap_err();
    assert_eq!(refused.to_string(), "rows: a number of rows");
    let unknown = NewDefinition { kind: "other".into(), ..new("a", 1) };
    let refused = jobs.put(unknown, Put::Any, root()).await.unwrap_err();
    assert_eq!(refused.to_string(), "there is no kind of job 'other'; there are: rows");
    assert!(matches!(jobs.put(new("a", 1), Put::Replace, root()).await, Err(PutError::Missing(_))));
    jobs.put(new("a", 1), Put::Create, root()).await.unwrap();
    assert!(matches!(jobs.put(new("a", 1), Put::Create, root()).await, Err(PutError::Exists(_))));
    assert!(matches!(jobs.run("b").await, Err(RunNow::NoSuchJob(_))));
    assert!(matches!(jobs.delete("b").await, Err(DeleteError::Missing(_))));
    assert!(matches!(jobs.cancel(Uuid::nil()).await, Err(ChangeError::NoSuchRun(_))));
}

#[tokio::test]
async fn errors_are_told_and_after_too_many_in_a_row_a_run_has_failed() {
    let world = World::new(Rows::default());
    let (_catalog, jobs) = world.start().await;
    world.rows.failures.store(3, Ordering::Relaxed);
    jobs.put(new("a", 20), Put::Create, root()).await.unwrap();
    let run = until(&jobs, "a", RunState::Completed).await.run;
    assert_eq!((run.errors, run.starts, run.last_errors.len()), (3, 4, 3));
    assert_eq!(run.last_errors[0].message, "the disk is on fire");
    assert_eq!(world.rows.of(run.id).len(), 20);
    world.rows.failures.store(u64::MAX, Ordering::Relaxed);
    jobs.put(new("b", 20), Put::Create, root()).await.unwrap();
    let run = until(&jobs, "b", RunState::Failed).await.run;
    assert_eq!((run.errors, world.rows.discarded.load(Ordering::Relaxed)), (5, 1));
}

#[tokio::test]
async fn a_suspended_run_stays_so_over_a_restart_and_goes_on_when_it_is_resumed() {
    let gate = Arc::new(Semaphore::new(1));
    let world = World::new(Rows { gate: Some(gate.clone()), ..Rows::default() });
    let (catalog, jobs) = world.start().await;
    jobs.put(new("a", 20), Put::Create, root()).await.unwrap();
    let id = until(&jobs, "a", RunState::Running).await.run.id;
    while jobs.find(id).unwrap().run.counts.written < 7 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(matches!(jobs.run("a").await, Err(RunNow::AtWork(at_work)) if at_work == id));
    jobs.suspend(id).await.unwrap();
    jobs.close().await;
    catalog.close().await;
    let (_catalog, jobs) = world.start().await;
    gate.add_permits(100);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let run = jobs.find(id).unwrap().run;
    assert_eq!((run.state, run.counts.scanned), (RunState::Suspended, 7));
    jobs.resume(id).await.unwrap();
    let run = until(&jobs, "a", RunState::Completed).await.run;
    assert_eq!((run.id, run.starts, run.counts.scanned), (id, 2, 20));
    assert_eq!(world.rows.of(id), (0..20).collect::<Vec<_>>());
    assert!(matches!(
        jobs.suspend(id).await,
        Err(ChangeError::NotAllowed { state: RunState::Completed, .. })
    ));
}

#[tokio::test]
async fn a_canceled_run_leaves_nothing_and_the_next_begins() {
    let gate = Arc::new(Semaphore::new(1));
    let world = World::new(Rows { gate: Some(gate.clone()), ..Rows::default() });
    let (_catalog, jobs) = world.start().await;
    jobs.put(new("a", 20), Put::Create, root()).await.unwrap();
    let id = until(&jobs, "a", RunState::Running).await.run.id;
    while world.rows.of(id).is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut watch = jobs.watch(id).unwrap();
    assert_eq!(jobs.cancel(id).await.unwrap().run.state, RunState::Canceling);
    watch.wait_for(|run| run.state == RunState::Canceled).await.unwrap();
    assert_eq!((world.rows.of(id), world.rows.discarded.load(Ordering::Relaxed)), (vec![], 1));
    gate.add_permits(100);
    let next = loop {
        match jobs.run("a").await {
            Ok(seen) => break seen.run.id,
            Err(RunNow::AtWork(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(until(&jobs, "a", RunState::Completed).await.run.id, next);
}

#[tokio::test]
async fn of_those_that_wait_the_more_urgent_goes_first_and_a_deleted_one_does_not_run() {
    let gate = Arc::new(Semaphore::new(0));
    let mut world = World::new(Rows { gate: Some(gate.clone()), ..Rows::default() });
    world.settings.slots = 1;
    let (_catalog, jobs) = world.start().await;
    jobs.put(new("first", 1), Put::Create, root()).await.unwrap();
    until(&jobs, "first", RunState::Running).await;
    for (name, priority) in [("low", "low"), ("normal", "normal"), ("high", "high"), ("gone", "high")] {
        let priority = serde_json::from_value(json!(priority)).unwrap();
        jobs.put(NewDefinition { priority, ..new(name, 1) }, Put::Create, root()).await.unwrap();
        until(&jobs, name, RunState::Pending).await;
    }
    jobs.delete("gone").await.unwrap();
    assert!(jobs.get("gone").is_none());
    assert_eq!(jobs.runs(Some("gone"))[0].run.state, RunState::Canceled);
    gate.add_permits(100);
    let mut begun = Vec::new();
    for name in ["first", "low", "normal", "high"] {
        let run = until(&jobs, name, RunState::Completed).await.run;
        begun.push((run.started_ms.unwrap(), run.ended_ms.unwrap(), name));
    }
    begun.sort_by_key(|(started_ms, ended_ms, _)| (*started_ms, *ended_ms));
    let ended: Vec<_> = begun.iter().map(|(_, ended_ms, _)| *ended_ms).collect();
    assert!(ended.is_sorted(), "one at a time");
    let order = |name| begun.iter().position(|(.., of)| *of == name).unwrap();
    assert!(begun[order("high")].0 <= begun[order("normal")].0, "{begun:?}");
    assert!(begun[order("normal")].0 <= begun[order("low")].0, "{begun:?}");
}

#[tokio::test]
async fn of_the_runs_that_ended_the_oldest_go() {
    let mut world = World::new(Rows::default());
    (world.settings.kept_of_definition, world.settings.kept) = (3, 5);
    let (_catalog, jobs) = world.start().await;
    for name in ["a", "b", "c"] {
        jobs.put(new(name, 1), Put::Create, root()).await.unwrap();
        until(&jobs, name, RunState::Completed).await;
        for _ in 0..3 {
            let id = jobs.run(name).await.unwrap().run.id;
            while !jobs.find(id).is_some_and(|seen| seen.run.state == RunState::Completed) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            while jobs.watch(id).is_some() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    jobs.close().await;
    let count = |name| jobs.runs(Some(name)).len();
    assert_eq!((count("a"), count("b"), count("c")), (1, 2, 3));
}
