//! The URLs: written and read. Pure.
//!
//! `<endpoint>/_delta-sharing/files/<ticket>/<bucket>/<key>?Expires=<seconds since 1970>&X-Amz-Signature=<hex>`
//!
//! Clients on Delta's kernel take a path for an object of the network only when its query has a parameter they know from
//! a cloud's presigned URLs, so the signature bears S3's name. It is no SigV4: one HMAC-SHA256 over what the URL says.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::{hkdf, hmac};

use super::MOUNT;
use crate::access::{TICKET_BYTES, Ticket};
use crate::table::Place;

/// What keys derived for URLs are derived for.
const PURPOSE: &[u8] = b"tarn sharing file urls 1";
/// What stands in a path as it is (RFC 3986, "unreserved").
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The same, and `/` between the parts of a key.
const KEY: &AsciiSet = &PLAIN.remove(b'/');

/// Signs URLs and checks them.
pub struct Signer {
    key: hmac::Key,
}

/// What a URL opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What it was given out for.
    pub ticket: Ticket,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
}

/// Why a URL opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// It is none of this server, or was altered.
    #[error("the URL is not one this server signed")]
    Forged,
    /// Its time is over.
    #[error("the URL has expired; read the table again for a new one")]
    Expired,
}

/// URLs of one answer: of one ticket and one end.
pub struct Urls<'a> {
    signer: &'a Signer,
    ticket: [u8; TICKET_BYTES],
    expires: i64,
    /// All before the bucket.
    front: String,
}

impl Signer {
    /// Signs with a key derived from `secret`, which stays the same over restarts.
    pub fn new(secret: &[u8; 32]) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, PURPOSE).extract(secret);
        let info: [&[u8]; 1] = [b"sign"];
        let derived = root.expand(&info, hmac::HMAC_SHA256).expect("a key of 32 bytes is never too long");
        Self { key: derived.into() }
    }

    /// URLs below `endpoint` (no slash at its end) that end at `expires`, in seconds since 1970.
    pub fn urls<'a>(&'a self, endpoint: &str, ticket: &Ticket, expires: i64) -> Urls<'a> {
        let ticket = ticket.to_bytes();
        let front = format!("{endpoint}{MOUNT}/{}/", URL_SAFE_NO_PAD.encode(ticket));
        Urls { signer: self, ticket, expires, front }
    }

    /// What a request's path (below [`MOUNT`], with its first slash) and query open at `now`, in seconds since 1970 (W1).
    pub fn open(&self, path: &str, query: &str, now: i64) -> Result<Signed, InvalidUrl> {
        let (ticket, bucket, key) = parts(path).ok_or(InvalidUrl::Forged)?;
        let (expires, signature) = parameters(query).ok_or(InvalidUrl::Forged)?;
        let message = message(&ticket, expires, Place { bucket: &bucket, key: &key });
        hmac::verify(&self.key, &message, &signature).map_err(|_| InvalidUrl::Forged)?;
        if now >= expires {
            return Err(InvalidUrl::Expired);
        }
        Ok(Signed { ticket: Ticket::of_bytes(&ticket), bucket, key, expires })
    }
}

impl Urls<'_> {
    /// Adds the URL of an object to `out`. What is added is ASCII that JSON needs no escapes for.
    pub fn write(&self, at: Place<'_>, out: &mut String) {
        let signature = hmac::sign(&self.signer.key, &message(&self.ticket, self.expires, at));
        out.push_str(&self.front);
        out.extend(utf8_percent_encode(at.bucket, PLAIN));
        out.push('/');
        out.extend(utf8_percent_encode(at.key, KEY));
        write!(out, "?Expires={}&X-Amz-Signature=", self.expires).expect("texts take everything");
        let mut hexed = [0; 64];
        hex::encode_to_slice(signature.as_ref(), &mut hexed).expect("two digits a byte");
        out.push_str(std::str::from_utf8(&hexed).expect("digits are ASCII"));
    }

    /// When they end, in milliseconds since 1970.
    pub fn expires_ms(&self) -> i64 {
        self.expires.saturating_mul(1000)
    }
}

/// What is signed: everything of fixed length first, so that no two URLs say the same.
fn message(ticket: &[u8; TICKET_BYTES], expires: i64, at: Place<'_>) -> Vec<u8> {
    let length = u32::try_from(at.bucket.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(TICKET_BYTES + 12 + at.bucket.len() + at.key.len());
    message.extend_from_slice(ticket);
    message.extend_from_slice(&expires.to_be_bytes());
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(at.bucket.as_bytes());
    message.extend_from_slice(at.key.as_bytes());
    message
}

fn parts(path: &str) -> Option<([u8; TICKET_BYTES], String, String)> {
    let (ticket, rest) = path.strip_prefix('/')?.split_once('/')?;
    let (bucket, key) = rest.split_once('/')?;
    let ticket = URL_SAFE_NO_PAD.decode(ticket).ok()?.try_into().ok()?;
    let text = |part: &str| percent_decode_str(part).decode_utf8().ok().map(|text| text.into_owned());
    Some((ticket, text(bucket)?, text(key)?))
}

/// Each once and no others, in whatever order.
fn parameters(query: &str) -> Option<(i64, [u8; 32])> {
    let (mut expires, mut signature) = (None, None);
    for pair in query.split('&') {
        match pair.split_once('=')? {
            ("Expires", value) if expires.is_none() => expires = Some(value.parse().ok()?),
            ("X-Amz-Signature", value) if signature.is_none() => {
                let mut bytes = [0; 32];
                hex::decode_to_slice(value, &mut bytes).ok()?;
                signature = Some(bytes);
            }
            _ => return None,
        }
    }
    Some((expires?, signature?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn ticket() -> Ticket {
        let id = Uuid::from_u128;
        Ticket { recipient: id(1), token: id(2), key: 7, grant: id(3), table: id(4) }
    }

    fn url(signer: &Signer, bucket: &str, key: &str, expires: i64) -> (String, String) {
        let mut url = String::new();
        signer.urls("http://h:1", &ticket(), expires).write(Place { bucket, key }, &mut url);
        assert!(url.is_ascii() && !url.contains(['"', '\\']), "{url}");
        let below = url.strip_prefix("http://h:1/_delta-sharing/files").unwrap();
        let (path, query) = below.split_once('?').unwrap();
        (path.to_owned(), query.to_owned())
    }

    proptest! {
        #[test]
        fn a_url_opens_what_it_was_written_for(bucket in "[a-z0-9.-]{3,20}", key in "\\PC{1,60}") {
            let signer = Signer::new(&[7; 32]);
            let (path, query) = url(&signer, &bucket, &key, 100);
            let opened = signer.open(&path, &query, 99).unwrap();
            prop_assert_eq!(opened, Signed { ticket: ticket(), bucket, key, expires: 100 });
            prop_assert_eq!(signer.open(&path, &query, 100), Err(InvalidUrl::Expired));
            prop_assert_eq!(Signer::new(&[8; 32]).open(&path, &query, 99), Err(InvalidUrl::Forged));
        }
    }

    #[test]
    fn an_altered_url_opens_nothing() {
        let signer = Signer::new(&[7; 32]);
        let (path, query) = url(&signer, "main", "t/data/a.parquet", 1_000);
        let other = Ticket { table: Uuid::from_u128(9), ..ticket() };
        let mut foreign = String::new();
        signer.urls("", &other, 1_000).write(Place { bucket: "main", key: "t/data/a.parquet" }, &mut foreign);
        let foreign_ticket = foreign.split('/').nth(3).unwrap().to_owned();
        let (_, rest) = path[1..].split_once('/').unwrap();
        for altered in [
            path.replace("a.parquet", "b.parquet"),
            path.replace("/main/", "/main2/"),
            path.replace("/main/t/", "/maint/"),
            path.replace("/main/t/", "/main%2Ft/"),
            format!("/{foreign_ticket}/{rest}"),
            path.replace("t/data/a", "t/data/../data/a"),
            String::new(),
            "/".into(),
            "/x/y/z".into(),
        ] {
            assert_eq!(signer.open(&altered, &query, 0), Err(InvalidUrl::Forged), "{altered}");
        }
        let shorter = query.rsplit_once('=').unwrap().0;
        for altered in [
            query.replace("Expires=1000", "Expires=2000"),
            query.replace("Expires=1000&", ""),
            format!("{query}&Expires=2000"),
            format!("{query}&a=b"),
            format!("{shorter}="),
            format!("{shorter}={}", "0".repeat(64)),
            String::new(),
        ] {
            assert_eq!(signer.open(&path, &altered, 0), Err(InvalidUrl::Forged), "{altered}");
        }
    }
}
