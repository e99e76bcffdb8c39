//! The keys that bearer tokens are signed with: one document of the catalog, so that a rotation is one commit.
//!
//! The last key signs. The ones before verify until every token that they can have signed has ended, or until they are
//! withdrawn. A number is never given twice, so a URL can name the key it stands on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::{Zeroize as _, Zeroizing};

/// The kind of the document.
pub(super) const KEY_KIND: &str = "sharing-key";
/// Its id: there is one.
pub(super) const KEY_ID: &str = "server";
/// The most keys that verify at a time.
pub(super) const KEYS_MAX: usize = 32;
/// How long a token may last at most, in milliseconds: a year.
pub const TOKEN_LIFETIME_MS_MAX: i64 = 365 * 24 * 60 * 60 * 1_000;

/// What becomes of the keys that signed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdraw {
    /// They verify until their tokens have ended.
    WhenTokensEnd,
    /// At once: every token they signed is refused at the next request, and the URLs had by them.
    Now,
}

/// The document.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct KeysDocument {
    /// What tells this deployment from every other: tokens name it.
    deployment: Uuid,
    /// The number of the next key.
    next: u32,
    /// Oldest first.
    keys: Vec<KeyDocument>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct KeyDocument {
    number: u32,
    kind: KeyKind,
    /// base64url: 32 bytes of Ed25519, 65 of an uncompressed point of P-256.
    public: String,
    /// base64url of 32 bytes, for a key that signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<Seed>,
    created_ms: i64,
    /// When the next key came to sign in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retired_ms: Option<i64>,
}

/// What a key signs with. Wiped from memory when dropped.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Seed(String);

impl Drop for Seed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What a key is; each has one algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum KeyKind {
    Ed25519,
    P256,
}

/// No more keys can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManyKeys;

/// A document that holds no keys to work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damaged;

impl KeysDocument {
    /// The first key of a deployment.
    pub(super) fn first(deployment: Uuid, seed: &[u8; 32], now_ms: i64) -> Self {
        Self { deployment, next: 2, keys: vec![KeyDocument::fresh(1, seed, now_ms)] }
    }

    /// The number of the key that signs.
    pub(super) fn signing_number(&self) -> u32 {
        self.next - 1
    }

    /// With a new key that signs from now on.
    pub(super) fn rotated(
        &self,
        seed: &[u8; 32],
        withdraw: Withdraw,
        now_ms: i64,
    ) -> Result<Self, TooManyKeys> {
        let kept = |key: &&KeyDocument| match withdraw {
            Withdraw::Now => false,
            Withdraw::WhenTokensEnd => key.verifies_at(now_ms),
        };
        let mut keys: Vec<KeyDocument> = self.keys.iter().filter(kept).cloned().collect();
        if keys.len() >= KEYS_MAX {
            return Err(TooManyKeys);
        }
        for key in &mut keys {
            key.retired_ms.get_or_insert(now_ms);
        }
        keys.push(KeyDocument::fresh(self.next, seed, now_ms));
        // A key a millisecond would last for weeks: what wraps here is a damaged document.
        let next = self.next.checked_add(1).ok_or(TooManyKeys)?;
        Ok(Self { deployment: self.deployment, next, keys })
    }
}

impl KeyDocument {
    fn fresh(number: u32, seed: &[u8; 32], now_ms: i64) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed of 32 bytes is a key");
        Self {
            number,
            kind: KeyKind::Ed25519,
            public: URL_SAFE_NO_PAD.encode(pair.public_key()),
            seed: Some(Seed(URL_SAFE_NO_PAD.encode(seed))),
            created_ms: now_ms,
            retired_ms: None,
        }
    }

    fn verifies_at(&self, now_ms: i64) -> bool {
        self.retired_ms.is_none_or(|retired| now_ms < retired.saturating_add(TOKEN_LIFETIME_MS_MAX))
    }
}

/// The keys, read.
pub(super) struct SigningKeys {
    document: KeysDocument,
    keys: Vec<Key>,
}

/// A key, read.
pub(super) struct Key {
    pub(super) number: u32,
    pub(super) kid: String,
    pub(super) kind: KeyKind,
    public: Vec<u8>,
    pair: Option<Ed25519KeyPair>,
    until_ms: Option<i64>,
}

impl SigningKeys {
    pub(super) fn open(json: &str) -> Result<Self, Damaged> {
        let document: KeysDocument = serde_json::from_str(json).map_err(|_| Damaged)?;
        let keys: Vec<Key> = document.keys.iter().map(Key::open).collect::<Result<_, _>>()?;
        let rising = keys.windows(2).all(|pair| pair[0].number < pair[1].number);
        let signs = keys.last().is_some_and(|key| key.pair.is_some() && key.number < document.next);
        if rising && signs { Ok(Self { document, keys }) } else { Err(Damaged) }
    }

    pub(super) fn document(&self) -> &KeysDocument {
        &self.document
    }

    /// `iss` of this deployment's tokens.
    pub(super) fn issuer(&self) -> String {
        format!("tarn:{}", self.document.deployment)
    }

    /// `aud` of tokens for its shares.
    pub(super) fn audience(&self) -> String {
        format!("tarn-sharing:{}", self.document.deployment)
    }

    /// The key that signs.
    pub(super) fn signing(&self) -> &Key {
        self.keys.last().expect("opened keys have one that signs")
    }

    /// The key of that name, while it verifies.
    pub(super) fn verifying(&self, kid: &str, now_ms: i64) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == kid && key.verifies_at(now_ms))
    }

    /// Whether the key of that number verifies.
    pub(super) fn stands(&self, number: u32, now_ms: i64) -> bool {
        self.keys.iter().any(|key| key.number == number && key.verifies_at(now_ms))
    }

    /// The public keys (RFC 7517).
    pub(super) fn jwks(&self, now_ms: i64) -> Value {
        let keys = self.keys.iter().filter(|key| key.verifies_at(now_ms));
        json!({ "keys": keys.map(Key::jwk).collect::<Vec<_>>() })
    }
}

impl Key {
    fn open(document: &KeyDocument) -> Result<Self, Damaged> {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Damaged);
        let public = bytes(&document.public)?;
        let right = match document.kind {
            KeyKind::Ed25519 => public.len() == 32,
            KeyKind::P256 => public.len() == 65 && public[0] == 4,
        };
        let pair = match (&document.seed, document.kind) {
            (None, _) => None,
            (Some(seed), KeyKind::Ed25519) => {
                let seed = Zeroizing::new(bytes(&seed.0)?);
                Some(Ed25519KeyPair::from_seed_and_public_key(&seed, &public).map_err(|_| Damaged)?)
            }
            (Some(_), KeyKind::P256) => return Err(Damaged),
        };
        let until_ms = document.retired_ms.map(|retired| retired.saturating_add(TOKEN_LIFETIME_MS_MAX));
        let number = document.number;
        // 0 is no key's: tickets of other issuers' tokens say it.
        if !right || number == 0 {
            return Err(Damaged);
        }
        Ok(Self { number, kid: number.to_string(), kind: document.kind, public, pair, until_ms })
    }

    fn verifies_at(&self, now_ms: i64) -> bool {
        self.until_ms.is_none_or(|until| now_ms < until)
    }

    /// The one algorithm it is for.
    pub(super) fn algorithm(&self) -> &'static str {
        match self.kind {
            KeyKind::Ed25519 => "EdDSA",
            KeyKind::P256 => "ES256",
        }
    }

    /// Signs; only the last key of a document does.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let pair = self.pair.as_ref().expect("the last key signs");
        pair.sign(message).as_ref().to_vec()
    }

    pub(super) fn verifies(&self, message: &[u8], tag: &[u8]) -> bool {
        let by: &dyn signature::VerificationAlgorithm = match self.kind {
            KeyKind::Ed25519 => &signature::ED25519,
            KeyKind::P256 => &signature::ECDSA_P256_SHA256_FIXED,
        };
        UnparsedPublicKey::new(by, &self.public).verify(message, tag).is_ok()
    }

    fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (kid, alg) = (&self.kid, self.algorithm());
        match self.kind {
            KeyKind::Ed25519 => json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": alg, "kid": kid, "x": text(&self.public),
            }),
            KeyKind::P256 => json!({
                "kty": "EC", "crv": "P-256", "use": "sig", "alg": alg, "kid": kid,
                "x": text(&self.public[1..33]), "y": text(&self.public[33..]),
            }),
        }
    }
}
