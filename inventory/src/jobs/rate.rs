//! How fast a run is, over the last seconds.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How far back a rate looks.
const WINDOW: Duration = Duration::from_secs(10);
/// The least time between two samples.
const STEP: Duration = Duration::from_millis(500);

/// How many items a run had looked at, and when.
#[derive(Default)]
pub(super) struct Samples {
    taken: VecDeque<(Instant, u64)>,
}

impl Samples {
    pub(super) fn take(&mut self, now: Instant, scanned: u64) {
        if self.taken.back().is_some_and(|(last, _)| now - *last < STEP) {
            return;
        }
        self.taken.push_back((now, scanned));
        while self.taken.len() > 1 && now - self.taken[0].0 > WINDOW {
            self.taken.pop_front();
        }
    }

    pub(super) fn clear(&mut self) {
        self.taken.clear();
    }

    /// Items per second, when enough is known.
    pub(super) fn rate(&self, now: Instant, scanned: u64) -> Option<f64> {
        let (since, before) = self.taken.front()?;
        let seconds = (now - *since).as_secs_f64();
        (seconds >= STEP.as_secs_f64()).then(|| scanned.saturating_sub(*before) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let (mut samples, start) = (Samples::default(), Instant::now());
        assert_eq!(samples.rate(start, 5), None);
        for second in 0..=20_u64 {
            let scanned = if second < 10 { second * 100 } else { 1000 + (second - 10) * 7 };
            samples.take(start + Duration::from_secs(second), scanned);
        }
        assert_eq!(samples.rate(start + Duration::from_secs(20), 1070), Some(7.0));
        samples.clear();
        assert_eq!(samples.rate(start + Duration::from_secs(21), 1070), None);
    }
}
