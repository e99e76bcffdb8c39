//! What a signed URL stands on. All of it must still be there when the URL is used (D3).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// Bytes of a ticket: four ids and the number of a key.
pub(crate) const TICKET_BYTES: usize = 68;

/// What a file's URL was given out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// The recipient.
    pub recipient: Uuid,
    /// The token it came with.
    pub token: Uuid,
    /// The number of this server's key that signed what was shown; 0 where another issuer signed it. A key that is
    /// withdrawn takes the URLs with it that were had by its tokens, forged ones included.
    pub key: u32,
    /// The grant that let it read the share.
    pub grant: Uuid,
    /// The table in the share.
    pub table: Uuid,
}

impl Ticket {
    /// The ticket as bytes of one length.
    pub(crate) fn to_bytes(self) -> [u8; TICKET_BYTES] {
        let Ticket { recipient, token, key, grant, table } = self;
        let mut bytes = [0; TICKET_BYTES];
        for (slot, id) in bytes.chunks_exact_mut(16).zip([recipient, token, grant, table]) {
            slot.copy_from_slice(id.as_bytes());
        }
        bytes[64..].copy_from_slice(&key.to_be_bytes());
        bytes
    }

    pub(crate) fn of_bytes(bytes: &[u8; TICKET_BYTES]) -> Self {
        let id = |at: usize| Uuid::from_slice(&bytes[at * 16..at * 16 + 16]).expect("an id is 16 bytes");
        let key = u32::from_be_bytes(bytes[64..].try_into().expect("a number is 4 bytes"));
        Self { recipient: id(0), token: id(1), key, grant: id(2), table: id(3) }
    }

    /// The ticket as text of a path.
    pub fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(self.to_bytes())
    }

    /// What [`Ticket::encode`] wrote.
    pub fn decode(text: &str) -> Option<Self> {
        Some(Self::of_bytes(&URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }
}

/// What a URL stood on is gone: it was revoked, disabled, deleted or ended. Says no more to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the URL is not valid any more")]
pub struct Gone;
