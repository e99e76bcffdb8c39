use rand::prelude::*;

use super::*;
use crate::jobs::Put;

/// Kills there are at least.
const KILLS: usize = 200;
/// Rows of a run.
const ROWS: u64 = 400;

impl Jobs {
    /// Ends all tasks where they wait, as a kill of the process does: nothing is told to stop.
    pub(crate) async fn kill(&self) {
        let mut tasks = std::mem::take(&mut *self.inner.tasks.lock().unwrap());
        tasks.shutdown().await;
    }
}

#[tokio::test]
async fn over_kills_at_random_no_row_is_missing_and_none_is_there_twice() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::new(Rows::default());
    let (mut kills, mut runs) = (0, 0);
    while kills < KILLS {
        let name = format!("run-{runs}");
        let (mut catalog, mut jobs) = world.start().await;
        jobs.put(new(&name, ROWS), Put::Create, root()).await.unwrap();
        loop {
            for _ in 0..random.random_range(0..200) {
                tokio::task::yield_now().await;
            }
            match jobs.runs(Some(&name)).first().map(|seen| seen.run.clone()) {
                Some(run) if run.state == RunState::Completed => {
                    assert_eq!(world.rows.of(run.id), (0..ROWS).collect::<Vec<_>>(), "seed {seed}");
                    let counts = (run.counts.scanned, run.counts.written);
                    assert_eq!(counts, (ROWS, ROWS), "seed {seed}: what is done again is counted once");
                    break;
                }
                Some(run) if run.state == RunState::Suspended => drop(jobs.resume(run.id).await),
                Some(run) if random.random_bool(0.1) => drop(jobs.suspend(run.id).await),
                Some(_) | None => {}
            }
            jobs.kill().await;
            drop(catalog);
            kills += 1;
            (catalog, jobs) = world.start().await;
        }
        jobs.kill().await;
        drop(catalog);
        runs += 1;
    }
    println!("{kills} kills over {runs} runs");
}

#[tokio::test]
async fn a_run_that_was_canceled_leaves_nothing_over_kills_at_random() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::new(Rows::default());
    for number in 0..40 {
        let name = format!("run-{number}");
        let (mut catalog, mut jobs) = world.start().await;
        jobs.put(new(&name, 60), Put::Create, root()).await.unwrap();
        let mut canceled = false;
        let run = loop {
            for _ in 0..random.random_range(0..150) {
                tokio::task::yield_now().await;
            }
            let run = jobs.runs(Some(&name)).first().map(|seen| seen.run.clone());
            match run {
                Some(run) if run.state.is_ended() => break run,
                Some(run) => canceled |= jobs.cancel(run.id).await.is_ok(),
                None => {}
            }
            jobs.kill().await;
            drop(catalog);
            (catalog, jobs) = world.start().await;
        };
        let ended = if canceled { RunState::Canceled } else { RunState::Completed };
        assert_eq!(run.state, ended, "seed {seed}");
        assert_eq!(world.rows.of(run.id).is_empty(), canceled, "seed {seed}");
        jobs.kill().await;
    }
}
