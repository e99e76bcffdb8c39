//! The pace of runs: a rate per run and one of all together, and giving way to the foreground.
//!
//! While clients ask, a piece of work that took `t` is followed by a pause until nothing was asked for [`LOOK`], of
//! [`GIVE_WAY`] times `t` at most: runs then take a tenth of the time or less, and still go on. That no request is in flight
//! at one moment means nothing: short ones come and go between two looks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::work::Stopped;

/// How many times as long as its last piece of work a run gives way.
const GIVE_WAY: u32 = 9;
/// The longest pause of giving way.
const PAUSE_MAX: Duration = Duration::from_millis(250);
/// How often the foreground is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(1);

/// The requests of clients that jobs give way to.
pub trait Foreground: Send + Sync + 'static {
    /// Requests in flight.
    fn in_flight(&self) -> usize;

    /// How many requests ever began.
    fn begun(&self) -> u64;
}

/// Nobody to give way to.
pub struct NoForeground;

impl Foreground for NoForeground {
    fn in_flight(&self) -> usize {
        0
    }

    fn begun(&self) -> u64 {
        0
    }
}

/// Lets so much through per second. Who waits is served in order.
pub(super) struct Rate {
    per_second: f64,
    next: Mutex<Option<Instant>>,
}

impl Rate {
    pub(super) fn new(per_second: u64) -> Self {
        Self { per_second: per_second.max(1) as f64, next: Mutex::new(None) }
    }

    async fn turn(&self, amount: u64) -> Instant {
        let mut next = self.next.lock().await;
        let now = Instant::now();
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(turn + Duration::from_secs_f64(amount as f64 / self.per_second));
        turn
    }
}

/// What all runs together may do.
pub(super) struct Shared {
    pub(super) items: Option<Rate>,
    pub(super) bytes: Option<Rate>,
    pub(super) foreground: Arc<dyn Foreground>,
}

/// The pace of one run.
pub(super) struct Pace {
    shared: Arc<Shared>,
    items: Option<Rate>,
    kind: &'static str,
    /// When the piece of work began that is under way, and how many requests had begun then.
    began: std::sync::Mutex<(Instant, u64)>,
}

impl Pace {
    pub(super) fn new(shared: Arc<Shared>, items_per_second: Option<u64>, kind: &'static str) -> Self {
        let began = std::sync::Mutex::new((Instant::now(), shared.foreground.begun()));
        Self { shared, items: items_per_second.map(Rate::new), kind, began }
    }

    /// Waits for the turn of so many items and bytes, or for `stop` to tell to stop.
    pub(super) async fn take(
        &self,
        items: u64,
        bytes: u64,
        mut stop: watch::Receiver<Option<Stopped>>,
    ) -> Result<(), Stopped> {
        let waiting = async {
            self.give_way().await;
            for (rate, amount) in
                [(&self.items, items), (&self.shared.items, items), (&self.shared.bytes, bytes)]
            {
                if let Some(rate) = rate {
                    sleep_until(rate.turn(amount).await).await;
                }
            }
        };
        let stopped = tokio::select! {
            biased;
            told = stop.wait_for(Option::is_some) => told.map_or(Some(Stopped::Closing), |told| *told),
            () = waiting => None,
        };
        *self.began() = (Instant::now(), self.shared.foreground.begun());
        stopped.map_or(Ok(()), Err)
    }

    async fn give_way(&self) {
        let foreground = &self.shared.foreground;
        let (began, mut begun) = *self.began();
        let mut is_asked = || {
            let before = std::mem::replace(&mut begun, foreground.begun());
            foreground.in_flight() > 0 || begun != before
        };
        let since = Instant::now();
        let until = since + ((since - began) * GIVE_WAY).clamp(LOOK, PAUSE_MAX);
        while is_asked() && Instant::now() < until {
            sleep(LOOK).await;
        }
        let waited = since.elapsed().as_micros() as u64;
        metrics::counter!("tarn_job_given_way_microseconds_total", "kind" => self.kind).increment(waited);
    }

    fn began(&self) -> std::sync::MutexGuard<'_, (Instant, u64)> {
        self.began.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Busy {
        in_flight: AtomicUsize,
        begun: AtomicU64,
        /// Requests that come and go between two looks.
        between: AtomicU64,
    }

    impl Foreground for Busy {
        fn in_flight(&self) -> usize {
            self.in_flight.load(Ordering::Relaxed)
        }

        fn begun(&self) -> u64 {
            self.begun.fetch_add(self.between.load(Ordering::Relaxed), Ordering::Relaxed)
        }
    }

    fn pace(items: Option<u64>, all: Option<u64>) -> (Pace, Arc<Busy>) {
        let busy = Arc::new(Busy::default());
        let shared = Shared { items: all.map(Rate::new), bytes: None, foreground: busy.clone() };
        (Pace::new(Arc::new(shared), items, "test"), busy)
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_keeps_to_its_own_rate_and_to_that_of_all() {
        for (own, all) in [(Some(100), None), (Some(10_000), Some(100))] {
            let (pace, _) = pace(own, all);
            let (_stop, stopped) = watch::channel(None);
            let began = Instant::now();
            for _ in 0..11 {
                pace.take(10, 0, stopped.clone()).await.unwrap();
            }
            assert_eq!(began.elapsed().as_millis(), 1000);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_requests_are_in_flight_a_run_works_a_tenth_of_the_time() {
        let (pace, busy) = pace(None, None);
        let (_stop, stopped) = watch::channel(None);
        let work = Duration::from_millis(10);
        for (in_flight, between, took_ms) in [(0, 0, 100), (3, 0, 1000), (0, 0, 100), (0, 5, 1000)] {
            busy.in_flight.store(in_flight, Ordering::Relaxed);
            busy.between.store(between, Ordering::Relaxed);
            busy.begun.fetch_add(between, Ordering::Relaxed);
            let began = Instant::now();
            for _ in 0..10 {
                sleep(work).await;
                pace.take(1, 1, stopped.clone()).await.unwrap();
            }
            assert_eq!(began.elapsed().as_millis(), took_ms);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_waits_for_its_turn_stops_when_it_is_told() {
        let (pace, _) = pace(Some(1), None);
        let (stop, stopped) = watch::channel(None);
        pace.take(1000, 0, stopped.clone()).await.unwrap();
        let began = Instant::now();
        let (paced, ()) = tokio::join!(pace.take(1, 0, stopped), async {
            sleep(Duration::from_secs(1)).await;
            stop.send_replace(Some(Stopped::Suspended));
        });
        assert_eq!((paced, began.elapsed().as_secs()), (Err(Stopped::Suspended), 1));
    }
}
