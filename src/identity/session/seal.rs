//! Seals claims into a token, and derives id and secret from it.
//!
//! A token is base64url of `version, salt, sealed claims`. The salt is random; from it and the server's secret
//! follow the key that seals this one token, the access key id and the secret. As no key seals twice, its nonce is
//! zero. Version and salt are authenticated with the claims.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{hkdf, hmac};

use super::super::secret::Secret;
use super::IssueError;

const VERSION: u8 = 1;
const SALT_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + SALT_BYTES;

/// What the keys are for. Each makes keys of its own from the one secret.
const PURPOSE: &[u8] = b"tarn session v1";
const SEALING: &[u8] = b"seal";
const IDENTITY: &[u8] = b"id";
const SIGNING: &[u8] = b"secret";
const FINGERPRINTS: &[u8] = b"key fingerprint";

/// Seals and opens tokens.
pub(super) struct Seal {
    root: hkdf::Prk,
}

/// A token as it is given out.
pub(super) struct Sealed {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) token: Secret,
}

/// What a token holds.
pub(super) struct Opened {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) claims: Vec<u8>,
}

impl Seal {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self { root: hkdf::Salt::new(hkdf::HKDF_SHA256, PURPOSE).extract(secret) }
    }

    /// The key of the fingerprints of access keys.
    pub(super) fn fingerprints(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.derive::<32>(FINGERPRINTS, &[]))
    }

    pub(super) fn seal(&self, claims: &[u8]) -> Result<Sealed, IssueError> {
        let mut token = vec![VERSION; HEAD_BYTES];
        SystemRandom::new().fill(&mut token[1..]).map_err(|_| IssueError::Random)?;
        let (id, secret) = self.credentials(&token[1..]);
        let mut sealed = claims.to_vec();
        let head = Aad::from(&token[..]);
        let key = self.sealing_key(&token[1..]);
        key.seal_in_place_append_tag(nonce(), head, &mut sealed).map_err(|_| IssueError::TooLarge)?;
        token.extend_from_slice(&sealed);
        Ok(Sealed { id, secret, token: Secret::new(URL_SAFE_NO_PAD.encode(token)) })
    }

    /// `None` when this server did not seal it, or it was changed.
    pub(super) fn open(&self, token: &str) -> Option<Opened> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (head, sealed) = bytes.split_at_checked(HEAD_BYTES)?;
        let (&version, salt) = head.split_first()?;
        if version != VERSION {
            return None;
        }
        let mut sealed = sealed.to_vec();
        let claims = self.sealing_key(salt).open_in_place(nonce(), Aad::from(head), &mut sealed).ok()?;
        let claims = claims.to_vec();
        let (id, secret) = self.credentials(salt);
        Some(Opened { id, secret, claims })
    }

    fn credentials(&self, salt: &[u8]) -> (String, Secret) {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let letters =
            self.derive::<16>(IDENTITY, salt).map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
        let id = format!("TEMP{}", letters.iter().collect::<String>());
        (id, Secret::new(URL_SAFE_NO_PAD.encode(self.derive::<30>(SIGNING, salt))))
    }

    fn sealing_key(&self, salt: &[u8]) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, &self.derive::<32>(SEALING, salt));
        LessSafeKey::new(key.expect("the key has the algorithm's length"))
    }

    fn derive<const N: usize>(&self, purpose: &[u8], salt: &[u8]) -> [u8; N] {
        let mut bytes = [0; N];
        let parts = [purpose, b"\0", salt];
        let key = self.root.expand(&parts, Length(N)).and_then(|okm| okm.fill(&mut bytes));
        key.expect("HKDF gives up to 8,160 bytes");
        bytes
    }
}

/// A key seals one token only.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
