//! Page tokens: opaque to clients, they name the last item of the page before.
//!
//! A token is `base64url(version byte || last item)`, so it stays valid over restarts and needs
//! no memory on the server. A token that does not decode is the client's error.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const VERSION: u8 = 1;

/// A page token could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the page token is not one this server made")]
pub struct InvalidPageToken;

/// The token that continues after `last`.
pub fn encode(last: &str) -> String {
    let mut bytes = Vec::with_capacity(1 + last.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(last.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The item after which the page begins.
pub fn decode(token: &str) -> Result<String, InvalidPageToken> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidPageToken)?;
    match bytes.split_first() {
        Some((&VERSION, rest)) => String::from_utf8(rest.to_vec()).map_err(|_| InvalidPageToken),
        Some(_) | None => Err(InvalidPageToken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_the_item_it_was_made_from() {
        for item in ["", "a", "namespace\u{1f}child", "Stra\u{df}e"] {
            assert_eq!(decode(&encode(item)).unwrap(), item);
        }
    }

    #[test]
    fn a_foreign_token_is_refused() {
        for token in ["!", "", "AAAA", "Ag"] {
            assert_eq!(decode(token), Err(InvalidPageToken));
        }
    }
}
