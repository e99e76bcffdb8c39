//! Buffers that shard files are read into.
//!
//! A fresh buffer costs as much as half the read: it is zeroed, and its pages are given back and faulted in again.
//! So a few are kept. The one that came back last is given first: it is the one still in the cache.

use std::sync::{Arc, Mutex, PoisonError};

/// Four blocks of 64 KiB, their hashes, and the header of the file.
const BUFFER_BYTES: usize = 4 * ((64 << 10) + 32) + 64;

/// Buffers kept for a set; together 8 MiB.
const KEPT_MAX: usize = 32;

#[derive(Default)]
pub(crate) struct Buffers {
    kept: Mutex<Vec<Vec<u8>>>,
}

/// Bytes to read into; their content is anything.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    length: usize,
    home: Arc<Buffers>,
}

impl Buffers {
    pub(crate) fn take(self: &Arc<Self>, length: usize) -> Buffer {
        let bytes = if length > BUFFER_BYTES {
            vec![0; length]
        } else {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
            kept.unwrap_or_else(|| vec![0; BUFFER_BYTES])
        };
        Buffer { bytes, length, home: Arc::clone(self) }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.len() == BUFFER_BYTES {
            let mut kept = self.home.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < KEPT_MAX {
                kept.push(std::mem::take(&mut self.bytes));
            }
        }
    }
}
