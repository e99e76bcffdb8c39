//! File descriptors: connections must never take those of the drives.
//!
//! A drive that cannot open a file counts as failed, so a server out of descriptors would stop its own sets. The limit is
//! raised as far as it goes, and as many connections are let in as leave the drives enough.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the process has open beside drives and connections.
const RESERVE: u64 = 64;
/// What a drive has open by itself: 64 segments of its log, 48 files of its index, and what comes and goes.
const PER_DRIVE: u64 = 128;
/// The most drives of a set: a request has one file open on each.
const SET_DRIVES_MAX: u64 = 16;
/// With fewer connections a server is of no use.
const CONNECTIONS_MIN: u64 = 16;
/// No server starts with fewer descriptors.
const LIMIT_MIN: u64 = 512;

/// The limit is too low.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the limit of open files is {limit}; {drives} drives need {needed} or more (ulimit -n, LimitNOFILE)")]
pub struct TooFew {
    limit: u64,
    drives: usize,
    needed: u64,
}

/// Raises the limit of this process to what it may be. `None`: there is none.
pub(crate) fn raise() -> Option<u64> {
    let found = getrlimit(Resource::Nofile);
    if found.current == found.maximum {
        return found.current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: found.maximum, maximum: found.maximum }) {
        Ok(()) => found.maximum,
        Err(error) => {
            tracing::warn!(%error, limit = found.current, "the limit of open files could not be raised");
            found.current
        }
    }
}

/// How many connections `limit` descriptors allow beside `drives`, at most `asked`.
pub(crate) fn connections(limit: Option<u64>, drives: usize, asked: usize) -> Result<usize, TooFew> {
    let Some(limit) = limit else { return Ok(asked) };
    let count = drives as u64;
    let kept = RESERVE + PER_DRIVE * count;
    let per_connection = 1 + count.min(SET_DRIVES_MAX);
    let needed = (kept + CONNECTIONS_MIN * per_connection).max(LIMIT_MIN);
    if limit < needed {
        return Err(TooFew { limit, drives, needed });
    }
    let allowed = usize::try_from((limit - kept) / per_connection).unwrap_or(usize::MAX);
    if allowed < asked {
        tracing::warn!(
            limit,
            asked,
            allowed,
            "fewer connections are let in than set: the limit of open files is low"
        );
    }
    Ok(allowed.min(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_drives_their_descriptors() {
        assert_eq!(connections(None, 4, 4096), Ok(4096));
        assert_eq!(connections(Some(1 << 20), 4, 4096), Ok(4096));
        assert_eq!(connections(Some(1024), 4, 4096), Ok(89));
        assert_eq!(connections(Some(1024), 4, 50), Ok(50));
        for drives in 1..40 {
            let limit = 8192;
            let open = connections(Some(limit), drives, 4096).unwrap() as u64;
            let count = drives as u64;
            assert!(64 + 128 * count + open * (1 + count.min(16)) <= limit, "{drives}");
        }
    }

    #[test]
    fn a_limit_that_cannot_do_is_refused_with_the_one_that_can() {
        let refused = connections(Some(256), 1, 4096).unwrap_err();
        assert_eq!(refused, TooFew { limit: 256, drives: 1, needed: 512 });
        let needed = connections(Some(512), 16, 4096).unwrap_err().needed;
        assert_eq!(connections(Some(needed), 16, 4096), Ok(16));
    }

    #[test]
    fn the_limit_is_raised_to_the_hard_one() {
        let raised = raise();
        assert_eq!(raised, getrlimit(Resource::Nofile).current);
    }
}
