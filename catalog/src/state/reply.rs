//! Answers kept for requests that carry an idempotency key.
//!
//! - K1: an answer is part of the commit it answers, so both are there after a crash or neither is.
//! - K2: an answer is given again only to the same request: same caller, same route, same body.
//! - K3: an answer ends at its time, which is part of the commit; when all take more than
//!   [`REPLIES_BYTES_MAX`], the oldest go before theirs.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::limits::{REPLIES_BYTES_MAX, REPLY_MESSAGE_BYTES_MAX};

/// What an answer takes in memory beside its texts, roughly.
const REPLY_BYTES: usize = 256;

/// A request's idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestKey {
    /// The key.
    pub key: Uuid,
    /// SHA-256 over who asks what: the same key with another one is refused.
    pub request: [u8; 32],
    /// How long the answer is kept, in milliseconds.
    pub lifetime_ms: i64,
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptReply {
    /// The key of the request.
    pub key: Uuid,
    /// The hash of the request.
    pub request: [u8; 32],
    /// Kept until then; milliseconds since 1970.
    pub until: i64,
    /// The answer.
    pub reply: Reply,
}

/// What was answered. The order of the variants is their number on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// 0: done; the request says the rest.
    Done,
    /// 1: done; what is answered is in this metadata file.
    Metadata(Arc<str>),
    /// 2: done; these properties to remove were not there.
    Missing(Vec<String>),
    /// 3: not done, and it would not be done either if nothing had changed.
    Refused {
        /// Why.
        refusal: Refusal,
        /// For a person; at most [`REPLY_MESSAGE_BYTES_MAX`] bytes.
        message: Arc<str>,
    },
}

/// Why a request was refused, as a front tells it. The order of the variants is their number on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// 0
    BadRequest,
    /// 1
    NoSuchWarehouse,
    /// 2
    NoSuchNamespace,
    /// 3
    NoSuchTable,
    /// 4
    NotFound,
    /// 5
    AlreadyExists,
    /// 6
    NotEmpty,
    /// 7
    CommitFailed,
    /// 8
    Unprocessable,
    /// 9
    NoSuchView,
    /// 10
    Protected,
    /// 11
    IllegalArgument,
}

impl KeptReply {
    fn bytes(&self) -> usize {
        let texts = match &self.reply {
            Reply::Done => 0,
            Reply::Metadata(location) => location.len(),
            Reply::Missing(names) => names.iter().map(|name| name.len() + 24).sum(),
            Reply::Refused { message, .. } => message.len(),
        };
        REPLY_BYTES + texts
    }
}

impl Reply {
    pub(crate) fn refused(refusal: Refusal, message: &str) -> Self {
        let message = message[..message.floor_char_boundary(REPLY_MESSAGE_BYTES_MAX)].into();
        Self::Refused { refusal, message }
    }
}

/// The answers that are kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Replies {
    by_key: OrdMap<Uuid, Arc<KeptReply>>,
    by_end: OrdSet<(i64, Uuid)>,
    bytes: usize,
}

impl Replies {
    /// The answer to this key at this time.
    pub(crate) fn get(&self, key: &Uuid, at: i64) -> Option<&Arc<KeptReply>> {
        self.by_key.get(key).filter(|kept| kept.until > at)
    }

    /// Those that have not ended at `at`, in order of their end.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<KeptReply>> {
        self.by_end.iter().filter_map(|(_, key)| self.by_key.get(key))
    }

    /// Keeps one more.
    pub(crate) fn keep(&mut self, kept: Arc<KeptReply>, at: i64) {
        self.forget(kept.key);
        self.bytes += kept.bytes();
        self.by_end.insert((kept.until, kept.key));
        self.by_key.insert(kept.key, kept);
        self.forget_ended(at);
    }

    /// Forgets those that have ended at `at`, and the oldest while all take too much (K3).
    pub(crate) fn forget_ended(&mut self, at: i64) {
        while let Some(&(until, key)) = self.by_end.get_min()
            && (until <= at || self.bytes > REPLIES_BYTES_MAX)
        {
            self.forget(key);
        }
    }

    fn forget(&mut self, key: Uuid) {
        if let Some(kept) = self.by_key.remove(&key) {
            self.by_end.remove(&(kept.until, key));
            self.bytes -= kept.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(key: u128, until: i64, reply: Reply) -> Arc<KeptReply> {
        Arc::new(KeptReply { key: Uuid::from_u128(key), request: [7; 32], until, reply })
    }

    #[test]
    fn answers_end_at_their_time() {
        let mut replies = Replies::default();
        replies.keep(kept(1, 100, Reply::Done), 0);
        assert!(replies.get(&Uuid::from_u128(1), 99).is_some());
        assert!(replies.get(&Uuid::from_u128(1), 100).is_none());
        replies.keep(kept(2, 200, Reply::Done), 100);
        assert_eq!((replies.iter().count(), replies.bytes), (1, REPLY_BYTES));
        replies.forget_ended(200);
        assert_eq!(replies, Replies::default());
    }

    #[test]
    fn when_all_take_too_much_the_oldest_go_first() {
        let mut replies = Replies::default();
        let large = || Reply::Missing(vec!["x".repeat(REPLIES_BYTES_MAX / 3)]);
        for key in 1..=4 {
            replies.keep(kept(key, 100 + key as i64, large()), 0);
        }
        let left: Vec<u128> = replies.iter().map(|kept| kept.key.as_u128()).collect();
        assert_eq!(left, [3, 4]);
        assert!(replies.bytes <= REPLIES_BYTES_MAX);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let Reply::Refused { message, .. } = Reply::refused(Refusal::BadRequest, &"\u{e9}".repeat(4000))
        else {
            panic!("it is a refusal");
        };
        assert!(message.len() <= REPLY_MESSAGE_BYTES_MAX && message.ends_with('\u{e9}'));
    }
}
