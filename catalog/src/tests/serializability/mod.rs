//! Are transactions strictly serializable, whatever is killed, stalls or loses its answers?
//!
//! `check.rs` decides that of a history: who required and saw which version of what, who made which, and when each
//! was answered. `planted.rs` shows that it finds every kind of anomaly. `episode.rs` runs clients (`clients.rs`)
//! against a catalog whose store fails and which is killed and opened again, and makes the history.
//!
//! One episode runs on one thread with a paused clock. A seed fixes the faults and what clients ask; the order of
//! tasks varies a little, so a seed repeats most of a run, not every step.

mod check;
mod clients;
mod episode;
mod graph;
mod planted;
mod random;
mod record;

use std::sync::atomic::{AtomicU64, Ordering};

pub(super) use self::check::check;
pub(super) use self::record::{Outcome, Transaction};

/// Seed of the run that every test run does.
const SEED: u64 = 20_261_121;
/// Episodes of that run, and the least of transactions done in them.
const EPISODES: u64 = 120;
const DONE_MIN: u64 = 8_000;
/// Transactions over two tables or more that the whole run does.
const WHOLE: u64 = 200_000;

/// Adds up what episodes did.
#[derive(Default)]
struct Sum {
    episodes: AtomicU64,
    done: AtomicU64,
    over_many: AtomicU64,
    unknown: AtomicU64,
    refused: AtomicU64,
    created: AtomicU64,
    ended: AtomicU64,
    openings: AtomicU64,
}

impl Sum {
    fn add(&self, seed: u64) {
        let did = episode::run(seed).unwrap_or_else(|anomaly| panic!("seed {seed}: {anomaly:?}"));
        let pairs = [
            (&self.episodes, 1),
            (&self.done, did.done),
            (&self.over_many, did.over_many),
            (&self.unknown, did.unknown),
            (&self.refused, did.refused),
            (&self.created, did.created),
            (&self.ended, did.ended),
            (&self.openings, did.openings),
        ];
        for (sum, one) in pairs {
            sum.fetch_add(one, Ordering::Relaxed);
        }
    }

    fn tell(&self, seed: u64) {
        let get = |sum: &AtomicU64| sum.load(Ordering::Relaxed);
        println!(
            "seed {seed}: {} episodes, {} transactions done, {} of them over two tables or more, {} of unknown \
             outcome, {} refused, {} tables created in a transaction, {} renames and drops, {} openings",
            get(&self.episodes),
            get(&self.done),
            get(&self.over_many),
            get(&self.unknown),
            get(&self.refused),
            get(&self.created),
            get(&self.ended),
            get(&self.openings),
        );
    }
}

#[test]
fn transactions_are_strictly_serializable_under_kills_stalls_and_lost_answers() {
    let sum = Sum::default();
    for episode in 0..EPISODES {
        sum.add(SEED + episode);
    }
    sum.tell(SEED);
    assert!(sum.done.load(Ordering::Relaxed) >= DONE_MIN);
    for each in [&sum.unknown, &sum.refused, &sum.created, &sum.ended] {
        assert!(each.load(Ordering::Relaxed) >= EPISODES, "the workload does not reach everything");
    }
}

/// `TARN_SEED=1 cargo test -p tarn-catalog two_hundred_thousand -- --ignored --nocapture`
#[test]
#[ignore = "takes long; needs no more than a seed"]
fn two_hundred_thousand_transactions_are_strictly_serializable() {
    let given = std::env::var("TARN_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = given.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 16);
    println!("TARN_SEED={seed}");
    let (sum, next) = (Sum::default(), AtomicU64::new(seed));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while sum.over_many.load(Ordering::Relaxed) < WHOLE {
                    sum.add(next.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
    });
    sum.tell(seed);
}
