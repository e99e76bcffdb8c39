use super::*;
use crate::jobs::Put;

#[tokio::test]
async fn a_run_expects_as_many_items_as_the_last_completed_one_that_looked_at_the_same() {
    let gate = Arc::new(Semaphore::new(100));
    let rows = Rows { gate: Some(gate.clone()), is_silent: true, ..Rows::default() };
    let world = World::new(rows);
    let (catalog, jobs) = world.start().await;
    jobs.put(new("a", 20), Put::Create, root()).await.unwrap();
    let first = until(&jobs, "a", RunState::Completed).await.run;
    assert_eq!((first.counts.scanned, first.counts.expected), (20, 0), "nobody knows");
    jobs.put(new("b", 20), Put::Create, root()).await.unwrap();
    assert_eq!(until(&jobs, "b", RunState::Completed).await.run.counts.expected, 20, "another job tells");
    jobs.put(new("b", 21), Put::Replace, root()).await.unwrap();
    let changed = |seen: &Seen| seen.run.counts.scanned == 21 && seen.run.state == RunState::Completed;
    while !jobs.runs(Some("b")).iter().any(changed) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(jobs.runs(Some("b"))[0].run.counts.expected, 0, "it looks at something else");
    jobs.close().await;
    catalog.close().await;

    let (_catalog, jobs) = world.start().await;
    gate.forget_permits(1000);
    gate.add_permits(1);
    let id = jobs.run("a").await.unwrap().run.id;
    // Some seconds of work, as far as the rate knows.
    while jobs.find(id).unwrap().run.counts.scanned < 7 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let seen = loop {
        let seen = jobs.find(id).unwrap();
        if seen.remaining_seconds.is_some() {
            break seen;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    assert_eq!(
        (seen.run.counts.scanned, seen.run.counts.expected),
        (7, 20),
        "it is known after a restart too"
    );
    gate.add_permits(100);
    until(&jobs, "a", RunState::Completed).await;
}
