//! An epoch: who belongs to the set, from which seq on.
//!
//! - E1: an epoch is durable on every member before a batch is written under it. So a drive that is named a
//!   member and lacks the epoch proves that nothing was written under it.
//! - E2: a member that is left out keeps in `valid_through` the last seq of the set at that moment. What it
//!   holds beyond was never acknowledged.

use super::Seq;
use super::record::{Cursor, Invalid};

/// What a drive is to its set. The numbers are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Standing {
    /// Takes every write and holds every entry.
    Complete = 1,
    /// Takes every write; older entries are being written to it.
    Filling = 2,
    /// Takes nothing.
    Out = 3,
}

/// One slot of the set in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) drive: u128,
    pub(crate) standing: Standing,
    /// The epoch that put the drive out; 0 for members.
    pub(crate) since: u64,
    /// Where its own log stops counting (E2); 0 for members.
    pub(crate) valid_through: Seq,
}

/// An epoch as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EpochBody {
    /// Ascending.
    pub(crate) number: u64,
    /// Random: two epochs of the same number that know nothing of each other differ here.
    pub(crate) id: u128,
    /// The last seq of the set when the epoch began. What has a later seq and an older epoch never was.
    pub(crate) resume_after: Seq,
    /// The last batch when the epoch began.
    pub(crate) batch: u64,
    pub(crate) members: Vec<Member>,
}

impl EpochBody {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&self.resume_after.0.to_le_bytes());
        out.extend_from_slice(&self.batch.to_le_bytes());
        out.extend_from_slice(&(self.members.len() as u16).to_le_bytes());
        for member in &self.members {
            out.extend_from_slice(&member.drive.to_le_bytes());
            out.push(member.standing as u8);
            out.extend_from_slice(&member.since.to_le_bytes());
            out.extend_from_slice(&member.valid_through.0.to_le_bytes());
        }
    }

    pub(crate) fn decode(from: &mut Cursor<'_>) -> Result<Self, Invalid> {
        let (number, id) = (from.u64()?, from.u128()?);
        let (resume_after, batch) = (Seq(from.u64()?), from.u64()?);
        let count = from.u16()?;
        let mut members = Vec::new();
        for _ in 0..count {
            let drive = from.u128()?;
            let number = from.u8()?;
            let standing = [Standing::Complete, Standing::Filling, Standing::Out]
                .into_iter()
                .find(|standing| *standing as u8 == number)
                .ok_or(Invalid::Damaged)?;
            members.push(Member { drive, standing, since: from.u64()?, valid_through: Seq(from.u64()?) });
        }
        Ok(Self { number, id, resume_after, batch, members })
    }
}
