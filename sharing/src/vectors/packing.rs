//! Vectors into packs, one after the other.

use uuid::Uuid;

use super::packs::{OpenPack, Packs, Placed};
use super::record::DeletedRows;
use crate::table::TableError;

/// Packs in the making.
pub struct Packing<'a> {
    packs: &'a Packs,
    now_ms: i64,
    pack: OpenPack,
    placed: Vec<Placed>,
    record_bytes: u64,
}

impl<'a> Packing<'a> {
    pub(super) fn new(packs: &'a Packs, table: Uuid, now_ms: i64) -> Self {
        Self { packs, now_ms, pack: OpenPack::new(table), placed: Vec::new(), record_bytes: 0 }
    }

    /// Adds a vector.
    pub async fn push(&mut self, rows: &DeletedRows) -> Result<(), TableError> {
        let record = rows.encode()?;
        if !self.pack.takes(record.len()) {
            self.placed.extend(self.packs.write(&mut self.pack, self.now_ms).await?);
        }
        self.record_bytes += record.len() as u64;
        self.pack.push(&record, rows.cardinality());
        Ok(())
    }

    /// The bytes of all records so far.
    pub fn record_bytes(&self) -> u64 {
        self.record_bytes
    }

    /// Where the vectors lie, in the order they were pushed. All are durable (V1).
    pub async fn finish(mut self) -> Result<Vec<Placed>, TableError> {
        self.placed.extend(self.packs.write(&mut self.pack, self.now_ms).await?);
        Ok(self.placed)
    }
}
