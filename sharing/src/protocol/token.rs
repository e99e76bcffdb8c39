//! Page tokens and refresh tokens: made here, opaque to clients, worth nothing elsewhere.
//!
//! A token says which version or versions an answer was of, so that the pages of one answer, and its URLs made anew, are
//! of the same files whatever was committed since. It is no right: whoever comes with one is let in as without.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::{hkdf, hmac};
use serde::{Deserialize, Serialize};

use super::Failure;

/// How long a page token is good, in milliseconds: three days.
const PAGE_LIFETIME_MS: i64 = 3 * 24 * 3600 * 1000;
/// How long a refresh token is good, in milliseconds: an hour.
const REFRESH_LIFETIME_MS: i64 = 3600 * 1000;
/// The longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 512;
/// Bytes of a token's authentication code.
const CODE_BYTES: usize = 16;
/// What the key is derived for.
const PURPOSE: &[u8] = b"tarn sharing page tokens 1";

/// Which table, read by whom, a token is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject([u8; 16]);

/// What a query said beside its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum([u8; 16]);

/// Where the next page of an answer begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Page {
    /// Of the files of a version.
    Snapshot {
        /// The version.
        version: i64,
        /// The first file, counted from 0 before any predicate.
        index: u64,
    },
    /// Of what versions changed.
    Changes {
        /// The version of the first file.
        version: i64,
        /// The first file of that version, counted from 0 before any filter.
        index: u64,
        /// The last version of the answer.
        end: i64,
    },
}

/// The version an answer was of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// The version.
    pub version: i64,
}

#[derive(Serialize, Deserialize)]
enum Written {
    Page { page: Page, subject: Subject, checksum: Checksum, expires_ms: i64 },
    Refresh { refresh: Refresh, subject: Subject, expires_ms: i64 },
}

/// Makes tokens and reads them.
pub struct Tokens {
    key: hmac::Key,
}

impl Subject {
    /// Of what names the table and the reader. Parts are told apart by their lengths.
    pub fn of(parts: &[&[u8]]) -> Self {
        Self(hash(parts))
    }
}

impl Checksum {
    /// Of what a query said.
    pub fn of(parts: &[&[u8]]) -> Self {
        Self(hash(parts))
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut message = Vec::new();
    for part in parts {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    let hashed = digest(&SHA256, &message);
    hashed.as_ref()[..16].try_into().expect("a hash is 32 bytes")
}

impl Tokens {
    /// With a key derived from `secret`, which stays the same over restarts.
    pub fn new(secret: &[u8; 32]) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, PURPOSE).extract(secret);
        let info: [&[u8]; 1] = [b"sign"];
        let derived = root.expand(&info, hmac::HMAC_SHA256).expect("a key of 32 bytes is never too long");
        Self { key: derived.into() }
    }

    /// The token of the page that begins at `page`.
    pub fn page(&self, page: Page, subject: Subject, checksum: Checksum, now_ms: i64) -> String {
        self.write(&Written::Page { page, subject, checksum, expires_ms: now_ms + PAGE_LIFETIME_MS })
    }

    /// The token that names a version again.
    pub fn refresh(&self, refresh: Refresh, subject: Subject, now_ms: i64) -> String {
        self.write(&Written::Refresh { refresh, subject, expires_ms: now_ms + REFRESH_LIFETIME_MS })
    }

    /// Reads a page token of this table and reader, and of the same query.
    pub fn read_page(
        &self,
        token: &str,
        subject: Subject,
        checksum: Checksum,
        now_ms: i64,
    ) -> Result<Page, Failure> {
        let Some(Written::Page { page, subject: of, checksum: said, expires_ms }) = self.read(token) else {
            return Err(Failure::invalid("Error decoding the page token."));
        };
        if now_ms >= expires_ms {
            return Err(Failure::invalid("The page token has expired. Please restart the query."));
        }
        if of != subject {
            let message = "The table specified in the page token does not match the table being queried.";
            return Err(Failure::invalid(message));
        }
        if said != checksum {
            return Err(Failure::invalid(
                "Query parameter mismatch detected for the next page query. The query parameter cannot change when \
                 querying the next page results.",
            ));
        }
        Ok(page)
    }

    /// Reads a refresh token of this table and reader.
    pub fn read_refresh(&self, token: &str, subject: Subject, now_ms: i64) -> Result<Refresh, Failure> {
        let Some(Written::Refresh { refresh, subject: of, expires_ms }) = self.read(token) else {
            return Err(Failure::invalid("Error decoding refresh token."));
        };
        if now_ms >= expires_ms {
            return Err(Failure::invalid("The refresh token has expired. Please restart the query."));
        }
        if of != subject {
            let message = "The table specified in the refresh token does not match the table being queried.";
            return Err(Failure::invalid(message));
        }
        Ok(refresh)
    }

    fn write(&self, written: &Written) -> String {
        let mut bytes = postcard::to_stdvec(written).expect("numbers always serialize");
        let code = hmac::sign(&self.key, &bytes);
        bytes.extend_from_slice(&code.as_ref()[..CODE_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn read(&self, token: &str) -> Option<Written> {
        let short = (token.len() <= TOKEN_BYTES_MAX).then_some(token)?;
        let bytes = URL_SAFE_NO_PAD.decode(short).ok()?;
        let (message, code) = bytes.split_at_checked(bytes.len().checked_sub(CODE_BYTES)?)?;
        let wanted = hmac::sign(&self.key, message);
        let same = subtle::ConstantTimeEq::ct_eq(&wanted.as_ref()[..CODE_BYTES], code);
        if !bool::from(same) {
            return None;
        }
        postcard::from_bytes(message).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: Page = Page::Changes { version: 3, index: 7, end: 9 };
    const NOW_MS: i64 = 1_000_000;

    fn made() -> (Tokens, Subject, Checksum, String) {
        let (tokens, subject, checksum) =
            (Tokens::new(&[1; 32]), Subject::of(&[b"t", b"r"]), Checksum::of(&[b"q"]));
        let token = tokens.page(PAGE, subject, checksum, NOW_MS);
        (tokens, subject, checksum, token)
    }

    #[test]
    fn a_token_is_read_for_the_same_table_reader_and_query_until_it_ends() {
        let (tokens, subject, checksum, token) = made();
        assert_eq!(tokens.read_page(&token, subject, checksum, NOW_MS + PAGE_LIFETIME_MS - 1), Ok(PAGE));
        let message = |failure: Result<Page, Failure>| failure.unwrap_err().message;
        assert_eq!(
            message(tokens.read_page(&token, subject, checksum, NOW_MS + PAGE_LIFETIME_MS)),
            "The page token has expired. Please restart the query."
        );
        let other = Subject::of(&[b"tr", b""]);
        assert!(
            message(tokens.read_page(&token, other, checksum, NOW_MS)).starts_with("The table specified")
        );
        let changed = Checksum::of(&[b"p"]);
        assert!(
            message(tokens.read_page(&token, subject, changed, NOW_MS))
                .starts_with("Query parameter mismatch")
        );
        let refresh = tokens.refresh(Refresh { version: 4 }, subject, NOW_MS);
        assert_eq!(tokens.read_refresh(&refresh, subject, NOW_MS), Ok(Refresh { version: 4 }));
        assert_eq!(
            tokens.read_refresh(&refresh, subject, NOW_MS + REFRESH_LIFETIME_MS).unwrap_err().message,
            "The refresh token has expired. Please restart the query."
        );
    }

    #[test]
    fn a_forged_altered_or_foreign_token_is_no_token() {
        let (tokens, subject, checksum, token) = made();
        let refresh = tokens.refresh(Refresh { version: 4 }, subject, NOW_MS);
        let foreign = Tokens::new(&[2; 32]).page(PAGE, subject, checksum, NOW_MS);
        let long = "A".repeat(1 << 20);
        let mut altered = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for at in 0..altered.len() {
            altered[at] ^= 1;
            let token = URL_SAFE_NO_PAD.encode(&altered);
            assert!(tokens.read_page(&token, subject, checksum, NOW_MS).is_err(), "byte {at}");
            altered[at] ^= 1;
        }
        for token in ["", "a", "!!", &refresh, &foreign, &long, &token[1..]] {
            let failure = tokens.read_page(token, subject, checksum, NOW_MS).unwrap_err();
            assert_eq!(failure.message, "Error decoding the page token.");
        }
        assert!(tokens.read_refresh(&token, subject, NOW_MS).is_err());
    }
}
