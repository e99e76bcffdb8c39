//! Seals what must be kept and never read by anybody (OB2).
//!
//! A sealed text is base64url of `version, salt, sealed bytes`. The salt is random; from it and the server's secret follows
//! the key that seals this one text, so its nonce is zero. Version, salt and purpose are authenticated with the bytes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::identity::Secret;

const VERSION: u8 = 1;
const SALT_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + SALT_BYTES;
const PURPOSE: &[u8] = b"tarn outbound secrets v1";

/// Seals and opens secrets.
pub(super) struct Seal {
    root: hkdf::Prk,
}

impl Seal {
    /// With keys derived from the server's secret, which stays the same over restarts.
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self { root: hkdf::Salt::new(hkdf::HKDF_SHA256, PURPOSE).extract(secret) }
    }

    /// `None` when the system has no randomness to give.
    pub(super) fn seal(&self, secret: &str, purpose: &str) -> Option<String> {
        let mut whole = vec![VERSION; HEAD_BYTES];
        SystemRandom::new().fill(&mut whole[1..]).ok()?;
        let mut bytes = secret.as_bytes().to_vec();
        let aad = Aad::from([&whole, purpose.as_bytes()].concat());
        self.key(&whole[1..]).seal_in_place_append_tag(nonce(), aad, &mut bytes).ok()?;
        whole.extend_from_slice(&bytes);
        Some(URL_SAFE_NO_PAD.encode(whole))
    }

    /// `None` when this server did not seal it for this purpose.
    pub(super) fn open(&self, sealed: &str, purpose: &str) -> Option<Secret> {
        let whole = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (head, bytes) = whole.split_at_checked(HEAD_BYTES)?;
        let (version, salt) = head.split_first()?;
        if *version != VERSION {
            return None;
        }
        let mut bytes = bytes.to_vec();
        let aad = Aad::from([head, purpose.as_bytes()].concat());
        let opened = self.key(salt).open_in_place(nonce(), aad, &mut bytes).ok()?;
        let text = String::from_utf8(opened.to_vec()).ok()?;
        Some(Secret::new(text))
    }

    fn key(&self, salt: &[u8]) -> LessSafeKey {
        let mut bytes = [0; 32];
        let parts = [b"seal\0".as_slice(), salt];
        let key = self.root.expand(&parts, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut bytes));
        key.expect("HKDF gives 32 bytes");
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).expect("the key has the algorithm's length"))
    }
}

/// A key seals one text only.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_purpose_with_its_server_and_unchanged_only() {
        let seal = Seal::new(&[7; 32]);
        let sealed = seal.seal("hunter2", "at one").unwrap();
        assert!(!sealed.contains("hunter2"));
        assert_ne!(sealed, seal.seal("hunter2", "at one").unwrap(), "two seals of one secret tell nothing");
        assert_eq!(seal.open(&sealed, "at one").unwrap().expose(), "hunter2");
        assert!(seal.open(&sealed, "at another").is_none());
        assert!(Seal::new(&[8; 32]).open(&sealed, "at one").is_none());
        let mut bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert!(seal.open(&URL_SAFE_NO_PAD.encode(&bytes), "at one").is_none(), "byte {at}");
            bytes[at] ^= 1;
        }
    }
}
