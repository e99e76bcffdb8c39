//! The budget of memory: what bodies hold while they are read and written.
//!
//! - M1: the shares that are out add up to no more than the budget.
//! - M2: a request takes its share once, for all it will hold, before it has any effect. No request waits for
//!   memory while it holds some: requests cannot wait for each other.
//! - M3: who gets no share in time is refused as busy, and nothing was done.
//!
//! Shares are estimates from above. What is bounded by connections (headers, buffers of sockets) is not counted.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::erasure::layout::Coding;
use crate::types::StorageError;

/// Shares are counted in units of so many bytes.
const UNIT_BYTES: u64 = 1024;

/// What each drive buffers of a shard file being written, in bytes.
const DRIVE_BUFFER_BYTES: u64 = 260 << 10;

/// What a read of a large object holds at most, in stripes: two are read ahead, one is being sent, and the
/// connection keeps some of the one before.
const READ_STRIPES_MAX: u64 = 4;

/// A read takes whole blocks, four at a time, whatever it asks for.
const READ_BYTES_MIN: u64 = 272 << 10;

/// The memory that bodies may hold at once.
#[derive(Debug)]
pub struct Memory {
    free: Arc<Semaphore>,
    budget_units: u32,
    wait: Duration,
    held: metrics::Gauge,
}

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    permit: OwnedSemaphorePermit,
    held: metrics::Gauge,
}

impl Memory {
    /// A budget of `budget_bytes`. A request that cannot have its share within `wait` is refused.
    pub fn new(budget_bytes: u64, wait: Duration) -> Self {
        let budget_units = u32::try_from(budget_bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        metrics::gauge!("tarn_memory_budget_bytes").set(budget_bytes as f64);
        Self {
            free: Arc::new(Semaphore::new(budget_units as usize)),
            budget_units,
            wait,
            held: metrics::gauge!("tarn_memory_held_bytes"),
        }
    }

    /// Takes a share of `bytes`; of the whole budget where that is less, so that one request can always run.
    pub async fn share(&self, bytes: u64) -> Result<Share, StorageError> {
        if let Some(share) = self.share_now(bytes) {
            return Ok(share);
        }
        Ok(self.held_by(self.wait_for(self.units(bytes)).await?))
    }

    /// As [`Memory::share`], if it can be had at once.
    pub(crate) fn share_now(&self, bytes: u64) -> Option<Share> {
        let permit = Arc::clone(&self.free).try_acquire_many_owned(self.units(bytes)).ok()?;
        Some(self.held_by(permit))
    }

    fn units(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).min(self.budget_units)
    }

    fn held_by(&self, permit: OwnedSemaphorePermit) -> Share {
        self.held.increment(Self::bytes(&permit));
        Share { permit, held: self.held.clone() }
    }

    async fn wait_for(&self, units: u32) -> Result<OwnedSemaphorePermit, StorageError> {
        let waited = tokio::time::timeout(self.wait, Arc::clone(&self.free).acquire_many_owned(units)).await;
        match waited {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => {
                metrics::counter!("tarn_memory_refused_total").increment(1);
                Err(StorageError::Busy)
            }
        }
    }

    fn bytes(permit: &OwnedSemaphorePermit) -> f64 {
        (permit.num_permits() as u64 * UNIT_BYTES) as f64
    }

    /// What is not held by anyone, in bytes.
    #[cfg(test)]
    pub(crate) fn free_bytes(&self) -> u64 {
        self.free.available_permits() as u64 * UNIT_BYTES
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.decrement(Memory::bytes(&self.permit));
    }
}

/// What a read of `bytes` of a large object holds.
pub(crate) fn read_bytes(bytes: u64) -> u64 {
    let stripe = u64::from(Coding::STRIPE_BYTES);
    bytes.saturating_add(READ_BYTES_MIN).min(READ_STRIPES_MAX * stripe)
}

/// What a write holds: of a body of `size` bytes that goes inline, the body and its shards; of another, the
/// stripe being filled, the one being written, the encoder's copy of its shards, and what the drives buffer.
pub(crate) fn write_bytes(coding: &Coding, size: Option<u64>, inline_bytes_max: Option<usize>) -> u64 {
    let (data, total) = (coding.geometry.data() as u64, coding.geometry.total() as u64);
    let shards = |bytes: u64| (bytes * total).div_ceil(data);
    match size {
        Some(size) if inline_bytes_max.is_some_and(|max| size <= max as u64) => size + shards(size),
        Some(_) | None => {
            let stripe = size.unwrap_or(u64::MAX).min(u64::from(coding.stripe_bytes));
            2 * stripe + shards(stripe) + total * DRIVE_BUFFER_BYTES
        }
    }
}
