//! Checkpoints: the whole state at one sequence number, so that recovery reads only what follows.
//!
//! - C1: a checkpoint at `n` is written after record `n` is durable and applied, never before.
//! - C2: the newest two checkpoints are kept, and every record after the older one, so that a
//!   damaged newest checkpoint costs time and no data. More of both are kept as history (`retention.rs`).
//! - C3: nothing is trimmed before the checkpoint that replaces it was written.
//!
//! What the body means is decided in `commit/batch.rs`. Layout: docs/FORMAT.md.

use bytes::{BufMut, Bytes, BytesMut};

use super::record::{RecordHash, array, checksum};
use super::store::{PutError, Store};
use super::{ReadError, Seq};

const FOLDER: &str = "checkpoint";
const MAGIC: [u8; 8] = *b"TARNCCKP";
const VERSION: u16 = 1;
const HEADER_LEN: usize = 62;
const CRC_AT: usize = 58;

/// The state after record `seq`, and that record's hash, which record `seq + 1` carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) seq: Seq,
    pub(crate) hash: RecordHash,
    pub(crate) body: Bytes,
}

/// A checkpoint as a listing tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed {
    pub(crate) seq: Seq,
    /// When it was written, by the store's clock.
    pub(crate) written_ms: i64,
    pub(crate) bytes: u64,
}

impl Checkpoint {
    fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEADER_LEN + self.body.len());
        bytes.put_slice(&MAGIC);
        bytes.put_u16_le(VERSION);
        bytes.put_u64_le(self.seq.0);
        bytes.put_u64_le(self.body.len() as u64);
        bytes.put_slice(&self.hash.0);
        bytes.put_u32_le(checksum(&bytes, &self.body));
        bytes.put_slice(&self.body);
        bytes.freeze()
    }

    fn decode(bytes: &Bytes) -> Option<Self> {
        if bytes.len() < HEADER_LEN || bytes[..8] != MAGIC || bytes[8..10] != VERSION.to_le_bytes() {
            return None;
        }
        let body = bytes.slice(HEADER_LEN..);
        if u64::from_le_bytes(array(&bytes[18..26])) != body.len() as u64
            || u32::from_le_bytes(array(&bytes[CRC_AT..HEADER_LEN])) != checksum(&bytes[..CRC_AT], &body)
        {
            return None;
        }
        Some(Self {
            seq: Seq(u64::from_le_bytes(array(&bytes[10..18]))),
            hash: RecordHash(array(&bytes[26..58])),
            body,
        })
    }

    pub(crate) async fn write(&self, store: &Store) -> Result<(), PutError> {
        store.write(&key(self.seq), self.encode()).await.map(|_version| ())
    }

    /// The checkpoints that exist, in order.
    pub(crate) async fn list(store: &Store) -> Result<Vec<Listed>, object_store::Error> {
        let mut listed: Vec<Listed> = store
            .list(FOLDER)
            .await?
            .iter()
            .filter_map(|meta| {
                let seq = Seq::parse(meta.location.filename()?)?;
                Some(Listed { seq, written_ms: meta.last_modified.timestamp_millis(), bytes: meta.size })
            })
            .collect();
        listed.sort_unstable_by_key(|listed| listed.seq);
        Ok(listed)
    }

    /// The checkpoint at `seq`; `None` when it is damaged, of another version or gone.
    pub(crate) async fn read(store: &Store, seq: Seq) -> Result<Option<Self>, ReadError> {
        let read = store.read(&key(seq)).await.map_err(ReadError::Store)?;
        Ok(read.and_then(|(bytes, _version)| Self::decode(&bytes)).filter(|found| found.seq == seq))
    }

    pub(crate) async fn remove(store: &Store, seq: Seq) -> Result<(), object_store::Error> {
        store.remove(&key(seq)).await
    }
}

fn key(seq: Seq) -> String {
    format!("{FOLDER}/{}", seq.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_with_a_flipped_or_missing_byte_is_refused() {
        let checkpoint =
            Checkpoint { seq: Seq(12), hash: RecordHash([3; 32]), body: Bytes::from_static(b"state") };
        let bytes = checkpoint.encode();
        assert_eq!(Checkpoint::decode(&bytes), Some(checkpoint));
        for at in 0..bytes.len() {
            let mut broken = bytes.to_vec();
            broken[at] ^= 0x04;
            assert_eq!(Checkpoint::decode(&broken.into()), None, "byte {at}");
            assert_eq!(Checkpoint::decode(&bytes.slice(..at)), None, "cut at {at}");
        }
    }
}
