//! Drives that hang: found by the age of their oldest operation, whoever waits for it.
//!
//! - H1: an operation that takes longer than `suspect_after` makes its drive suspect until it ends: reads go to
//!   other drives while there are enough.
//! - H2: one that takes longer than `drive_timeout` takes its drive out.
//! - H3: either is announced once, so that who waits for that drive can begin anew without it.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::watch;

use super::slot::{Slot, SlotState};

/// How often the operations are looked at within the time that makes a drive suspect.
const LOOKS: u32 = 4;
const LOOK_MIN: Duration = Duration::from_millis(1);

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Well,
    Suspect,
    Out,
}

fn level(slot: &Slot, limits: &Limits) -> Level {
    let oldest = slot.oldest_operation().unwrap_or_default();
    if slot.state() == SlotState::Out {
        return Level::Out;
    }
    if oldest >= limits.out_after {
        return Level::Out;
    }
    if oldest >= limits.suspect_after { Level::Suspect } else { Level::Well }
}

/// When an operation counts as hanging.
pub(super) struct Limits {
    pub(super) suspect_after: Duration,
    pub(super) out_after: Duration,
}

/// Looks after the drives until `stop` is dropped; counts in `stalls` what is announced.
pub(super) fn run(slots: &[Slot], limits: &Limits, stalls: &watch::Sender<u64>, stop: &Receiver<()>) {
    let pause = (limits.suspect_after / LOOKS).max(LOOK_MIN);
    let mut levels: Vec<Level> = slots.iter().map(|slot| level(slot, limits)).collect();
    while stop.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        for (slot, before) in slots.iter().zip(&mut levels) {
            let now = level(slot, limits);
            slot.suspect(now == Level::Suspect);
            if now == Level::Out && slot.state() != SlotState::Out {
                slot.fail(&format!("an operation took longer than {} s", limits.out_after.as_secs_f32()));
            }
            if now > *before {
                if now == Level::Suspect {
                    tracing::warn!(drive.path = slot.label(), "the drive is slow to answer: reads avoid it");
                    metrics::counter!("tarn_drive_stalls_total").increment(1);
                }
                stalls.send_modify(|stalls| *stalls += 1);
            }
            *before = now;
        }
    }
}
