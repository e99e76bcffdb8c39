//! The trim boundary: the highest log sequence number that may already be deleted.
//!
//! Create-if-absent protects only objects that exist. Once `trim` deletes `log/7`, a writer that
//! stalled before creating it would succeed and believe its commit durable. Therefore:
//!
//! - B1: `log/n` is deleted only after a boundary `>= n` is durable.
//! - B2: an append of `n` counts only if the boundary read after it is `< n`.
//!
//! What to keep is decided in `checkpoint.rs`, not here.

use bytes::{BufMut, Bytes, BytesMut};
use object_store::UpdateVersion;

use super::record::{array, checksum};
use super::store::{PutError, Store};
use super::{ReadError, Seq};

const KEY: &str = "boundary";
const MAGIC: [u8; 8] = *b"TARNCBND";
const VERSION: u16 = 1;
const LEN: usize = 22;

/// The boundary as it was last read or written.
#[derive(Debug, Clone)]
pub(crate) struct Boundary {
    pub(crate) through: Seq,
    version: Option<UpdateVersion>,
}

/// Why the boundary did not move.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdvanceError {
    #[error("another writer moved the boundary while this one wanted it at {wanted}")]
    Moved { wanted: Seq },
    #[error("the store failed while the boundary was written")]
    Store(#[source] object_store::Error),
}

impl Boundary {
    pub(crate) async fn read(store: &Store) -> Result<Self, ReadError> {
        let Some((bytes, version)) = store.read(KEY).await.map_err(ReadError::Store)? else {
            return Ok(Self { through: Seq::ZERO, version: None });
        };
        let through = decode(&bytes).ok_or(ReadError::Boundary)?;
        Ok(Self { through, version: Some(version) })
    }

    /// Moves the boundary forward to `through`; the returned boundary is durable (B1).
    pub(crate) async fn advance(self, store: &Store, through: Seq) -> Result<Self, AdvanceError> {
        assert!(through >= self.through, "a boundary never moves back");
        let bytes = encode(through);
        let written = match self.version {
            Some(version) => store.replace(KEY, version, bytes).await,
            None => store.create(KEY, bytes).await,
        };
        match written {
            Ok(version) => Ok(Self { through, version: Some(version) }),
            Err(PutError::Changed) => Err(AdvanceError::Moved { wanted: through }),
            // An unknown outcome is safe here: a boundary too high refuses work, it loses none.
            Err(PutError::Unknown(source) | PutError::Refused(source)) => Err(AdvanceError::Store(source)),
        }
    }
}

fn encode(through: Seq) -> Bytes {
    let mut bytes = BytesMut::with_capacity(LEN);
    bytes.put_slice(&MAGIC);
    bytes.put_u16_le(VERSION);
    bytes.put_u64_le(through.0);
    bytes.put_u32_le(checksum(&bytes, &[]));
    bytes.freeze()
}

fn decode(bytes: &[u8]) -> Option<Seq> {
    if bytes.len() != LEN || bytes[..8] != MAGIC || bytes[8..10] != VERSION.to_le_bytes() {
        return None;
    }
    if u32::from_le_bytes(array(&bytes[18..22])) != checksum(&bytes[..18], &[]) {
        return None;
    }
    Some(Seq(u64::from_le_bytes(array(&bytes[10..18]))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::testing::memory_store;

    #[test]
    fn a_boundary_with_a_flipped_bit_is_refused() {
        let bytes = encode(Seq(42));
        assert_eq!(decode(&bytes), Some(Seq(42)));
        for at in 0..bytes.len() {
            let mut broken = bytes.to_vec();
            broken[at] ^= 0x10;
            assert_eq!(decode(&broken), None, "byte {at}");
        }
    }

    #[tokio::test]
    async fn advance_is_refused_after_another_node_moved_it() {
        let store = memory_store();
        let first = Boundary::read(&store).await.unwrap().advance(&store, Seq(3)).await.unwrap();
        let stale = first.clone();
        first.advance(&store, Seq(5)).await.unwrap();
        assert!(matches!(stale.advance(&store, Seq(9)).await, Err(AdvanceError::Moved { wanted: Seq(9) })));
        assert_eq!(Boundary::read(&store).await.unwrap().through, Seq(5));
    }
}
