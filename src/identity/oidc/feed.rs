//! A provider's keys as they are known, and when they are asked for again.
//!
//! One task of the provider fetches; requests never do. A request whose key is not known wakes it and waits for one
//! attempt, at most. So there is never more than one fetch at a time, a request that goes away takes none with it,
//! and a provider that does not answer holds up nobody whose key is known.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::fetch::Source;
use super::jwk::Keys;

/// How often a provider is asked, and how long its last answer counts.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Time from a fetch that worked to the next.
    pub refresh: Duration,
    /// Time from a fetch that failed to the next.
    pub retry: Duration,
    /// The least time between two fetches, whoever sends what.
    pub gap: Duration,
    /// How long keys count after they were fetched, when every fetch since failed.
    pub kept: Duration,
    /// Time for one answer of the provider.
    pub timeout: Duration,
    /// How long a request waits for a fetch.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(10 * 60),
            retry: Duration::from_secs(30),
            gap: Duration::from_secs(10),
            kept: Duration::from_secs(24 * 60 * 60),
            timeout: Duration::from_secs(5),
            patience: Duration::from_secs(12),
        }
    }
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The provider has no such key.
    Key,
    /// No key of the provider is known.
    All,
}

/// What is known at a moment.
#[derive(Debug, Default)]
struct Known {
    keys: Option<(Arc<Keys>, Instant)>,
    /// Attempts that ended, and when the last one did.
    attempts: u64,
    ended: Option<Instant>,
}

/// What a request does next.
#[derive(Debug)]
enum Step {
    Use(Arc<Keys>),
    /// The next attempt may bring it.
    Wait,
    Refuse(Missing),
}

impl Known {
    fn step(&self, fits: impl Fn(&Keys) -> bool, at: Instant, pace: &Pace) -> Step {
        let kept = self.keys.as_ref().filter(|(_, fetched)| at.duration_since(*fetched) < pace.kept);
        match kept {
            Some((keys, _)) if fits(keys) => Step::Use(keys.clone()),
            // What an attempt just failed to bring, another right after it would not.
            kept if self.ended.is_some_and(|ended| at.duration_since(ended) < pace.gap) => {
                Step::Refuse(if kept.is_some() { Missing::Key } else { Missing::All })
            }
            Some(_) | None => Step::Wait,
        }
    }
}

/// The keys of one provider.
pub(super) struct Feed {
    known: watch::Sender<Known>,
    wanted: Notify,
    pace: Pace,
}

impl Feed {
    pub(super) fn new(pace: Pace) -> Self {
        Self { known: watch::Sender::default(), wanted: Notify::new(), pace }
    }

    /// Keys with one that `fits`.
    pub(super) async fn keys(&self, fits: impl Fn(&Keys) -> bool) -> Result<Arc<Keys>, Missing> {
        let mut watched = self.known.subscribe();
        let (step, attempts) = {
            let known = watched.borrow();
            (known.step(&fits, Instant::now(), &self.pace), known.attempts)
        };
        match step {
            Step::Use(keys) => return Ok(keys),
            Step::Refuse(missing) => {
                // Later than now, but sooner than its time: the key may be new.
                self.wanted.notify_one();
                return Err(missing);
            }
            Step::Wait => self.wanted.notify_one(),
        }
        let attempt = watched.wait_for(|known| known.attempts > attempts);
        // Whatever came of it: what is known then decides.
        let _ = tokio::time::timeout(self.pace.patience, attempt).await;
        let known = self.known.borrow();
        match known.step(&fits, Instant::now(), &self.pace) {
            Step::Use(keys) => Ok(keys),
            Step::Refuse(missing) => Err(missing),
            Step::Wait => Err(if known.keys.is_some() { Missing::Key } else { Missing::All }),
        }
    }

    /// Fetches for ever.
    pub(super) async fn keep(self: Arc<Self>, source: Source) {
        loop {
            let fetched = source.fetch().await;
            let pause = match &fetched {
                Ok(_) => self.pace.refresh,
                Err(_) => self.pace.retry,
            };
            self.settle(fetched.ok());
            tokio::time::sleep(self.pace.gap).await;
            tokio::select! {
                () = tokio::time::sleep(pause.saturating_sub(self.pace.gap)) => {}
                () = self.wanted.notified() => {}
            }
        }
    }

    /// A fetch that failed leaves the keys as they are (J5).
    fn settle(&self, fetched: Option<Keys>) {
        let at = Instant::now();
        self.known.send_modify(|known| {
            if let Some(keys) = fetched {
                known.keys = Some((Arc::new(keys), at));
            }
            known.attempts += 1;
            known.ended = Some(at);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn known(fetched: Instant, ended: Instant) -> Known {
        let document =
            br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#;
        let keys = Arc::new(Keys::read(document).unwrap());
        Known { keys: Some((keys, fetched)), attempts: 2, ended: Some(ended) }
    }

    #[test]
    fn keys_count_for_a_day_after_they_were_fetched_and_not_longer() {
        let (pace, fetched) = (Pace::default(), Instant::now());
        let day = Duration::from_secs(24 * 60 * 60);
        let step = |at: Instant| known(fetched, at - SECOND).step(|_| true, at, &pace);
        assert!(matches!(step(fetched + day - SECOND), Step::Use(_)));
        assert!(matches!(step(fetched + day), Step::Refuse(Missing::All)));
    }

    #[test]
    fn a_key_that_is_not_known_is_waited_for_only_when_the_last_attempt_is_ten_seconds_old() {
        let (pace, ended) = (Pace::default(), Instant::now());
        let step = |seconds| known(ended, ended).step(|_| false, ended + seconds * SECOND, &pace);
        assert!(matches!(step(0), Step::Refuse(Missing::Key)));
        assert!(matches!(step(9), Step::Refuse(Missing::Key)));
        assert!(matches!(step(10), Step::Wait));
        assert!(matches!(Known::default().step(|_| false, ended, &pace), Step::Wait));
    }
}
