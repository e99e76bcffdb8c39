//! What a signed URL stands on. All of it must still be there when the URL is used (D3).

use uuid::Uuid;

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

/// What a URL stood on is gone: it was revoked, disabled, deleted or ended. Says no more to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the URL is not valid any more")]
pub struct Gone;
