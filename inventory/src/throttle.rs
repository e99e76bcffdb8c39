//! The pace of maintenance: calls and bytes per second.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Lets calls through at a pace. What waits is served in order.
pub(crate) struct Throttle {
    operations_per_second: f64,
    bytes_per_second: f64,
    /// When the next call may begin.
    next: Mutex<Option<Instant>>,
}

impl Throttle {
    pub(crate) fn new(operations_per_second: u32, bytes_per_second: u64) -> Self {
        Self {
            operations_per_second: f64::from(operations_per_second.max(1)),
            bytes_per_second: bytes_per_second.max(1) as f64,
            next: Mutex::new(None),
        }
    }

    /// Waits for the turn of a call that moves `bytes`; those after it wait the longer.
    pub(crate) async fn take(&self, bytes: u64) {
        let cost = (1.0 / self.operations_per_second).max(bytes as f64 / self.bytes_per_second);
        let turn = {
            let mut next = self.next.lock().await;
            let now = Instant::now();
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + Duration::from_secs_f64(cost));
            turn
        };
        sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_and_bytes_take_their_time() {
        let throttle = Throttle::new(10, 1000);
        let began = Instant::now();
        for _ in 0..11 {
            throttle.take(0).await;
        }
        assert_eq!(began.elapsed().as_millis(), 1000);
        throttle.take(5000).await;
        throttle.take(0).await;
        assert_eq!(began.elapsed().as_millis(), 6100);
    }
}
