//! Drives that are out are tried again and again, and filled when they are back.
//!
//! - N1: each try doubles the pause before the next one. A drive that stayed in its set for as long as the longest pause
//!   begins anew; one that went out soon after it came back does not.
//! - N2: a drive has one try at a time. One that hangs holds a thread of the blocking pool and nothing else.
//!
//! What a drive must show is in `set/rejoin.rs`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::fill;
use crate::core::{ObjectCore, Set};
use crate::set::{RejoinError, SlotState};

/// Asks for tries at once.
#[derive(Default)]
pub(crate) struct Rejoins(watch::Sender<u64>);

impl ObjectCore {
    /// Tries all drives that are out at once, and goes on with those that are not filled. Answers how many drives are
    /// out or being filled.
    pub fn retry_drives(&self) -> usize {
        self.inner.rejoins.0.send_modify(|asked| *asked += 1);
        let slots = self.inner.sets.iter().flat_map(|set| set.log.slots());
        slots.filter(|slot| slot.state() != SlotState::Online).count()
    }
}

/// The pauses between tries (N1).
struct Pauses {
    least: Duration,
    most: Duration,
    next: Duration,
    back: Option<Instant>,
}

impl Pauses {
    fn take(&mut self, now: Instant) -> Duration {
        if self.back.take().is_some_and(|back| now.duration_since(back) >= self.most) {
            self.next = self.least;
        }
        let pause = self.next;
        self.next = (self.next * 2).min(self.most);
        pause
    }
}

/// Looks after one drive until it is dropped.
pub(crate) async fn run(core: ObjectCore, set: Arc<Set>, number: usize) {
    let slot = set.log.slots()[number].clone();
    let (least, most) = set.log.rejoin_after();
    let mut pauses = Pauses { least, most, next: least, back: None };
    let mut asked = core.inner.rejoins.0.subscribe();
    let mut stalls = set.log.stalls();
    core.inner.fills.settle().await;
    loop {
        stalls.borrow_and_update();
        match slot.state() {
            SlotState::Online => {
                if stalls.changed().await.is_err() {
                    return;
                }
                continue;
            }
            SlotState::Out if slot.home().is_none() => return,
            SlotState::Out | SlotState::Filling => {}
        }
        asked.borrow_and_update();
        tokio::select! {
            () = tokio::time::sleep(pauses.take(Instant::now())) => {}
            _ = asked.changed() => {}
        }
        if slot.state() == SlotState::Out && !try_once(&set, number).await {
            continue;
        }
        if slot.state() == SlotState::Filling {
            fill::fill(&core.inner.healer, &core.inner.fills, &set, number).await;
        }
        pauses.back = Some(Instant::now());
    }
}

/// Answers whether the drive is back.
async fn try_once(set: &Arc<Set>, number: usize) -> bool {
    let log = set.log.clone();
    let tried = tokio::task::spawn_blocking(move || log.rejoin(number)).await;
    let error = match tried {
        Ok(Ok(()) | Err(RejoinError::NotOut)) => return true,
        Ok(Err(error)) => crate::set::chain(&error),
        Err(panic) => panic.to_string(),
    };
    let slot = &set.log.slots()[number];
    tracing::warn!(drive.path = slot.label(), error, "the drive does not come back");
    metrics::counter!("tarn_drive_returns_refused_total").increment(1);
    slot.stays_out(Some(error));
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_until_the_drive_stayed_for_the_longest() {
        let second = Duration::from_secs(1);
        let mut pauses = Pauses { least: second, most: second * 5, next: second, back: None };
        let now = Instant::now();
        let taken: Vec<_> = (0..4).map(|_| pauses.take(now).as_secs()).collect();
        assert_eq!(taken, [1, 2, 4, 5]);
        pauses.back = Some(now);
        assert_eq!(pauses.take(now + second).as_secs(), 5, "it went out again soon");
        pauses.back = Some(now);
        assert_eq!(pauses.take(now + second * 5).as_secs(), 1);
    }
}
