//! A provider's public keys (RFC 7517) and what they verify (J2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

use super::algorithm::Algorithm;

/// The most keys of one provider.
pub(super) const KEYS_MAX: usize = 100;
/// The length of an RSA modulus, in bytes: 2,048 to 8,192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The keys of a provider.
#[derive(Debug)]
pub(super) struct Keys(Vec<Key>);

/// A public key.
#[derive(Debug)]
pub(super) struct Key {
    kid: Option<String>,
    /// The one algorithm it says it is for.
    only: Option<Algorithm>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// Why a document holds no keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// It is no JSON Web Key Set.
    #[error("it is not a key set: {0}")]
    Syntax(String),
    /// There are too many to look through.
    #[error("it holds {0} keys and may hold {KEYS_MAX}")]
    TooMany(usize),
    /// None that could verify a token.
    #[error("it holds no key that could verify a token")]
    None,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Member {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Reads a key set. Keys for another use, or of a kind that is not known, are left out, as the RFC says.
    pub(super) fn read(document: &[u8]) -> Result<Self, InvalidKeys> {
        let document: Document =
            serde_json::from_slice(document).map_err(|error| InvalidKeys::Syntax(error.to_string()))?;
        if document.keys.len() > KEYS_MAX {
            return Err(InvalidKeys::TooMany(document.keys.len()));
        }
        let members = document.keys.into_iter().filter_map(|key| serde_json::from_value::<Member>(key).ok());
        let keys: Vec<Key> = members.filter_map(Member::key).collect();
        if keys.is_empty() { Err(InvalidKeys::None) } else { Ok(Self(keys)) }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The keys that may have signed: those of that name whose kind fits the algorithm. A token that names no key is
    /// tried only where there is no choice.
    pub(super) fn fitting(&self, kid: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        let fits = move |key: &&Key| key.fits(algorithm);
        let ambiguous = kid.is_none() && self.0.iter().filter(fits).count() != 1;
        let named = move |key: &&Key| !ambiguous && kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
        self.0.iter().filter(fits).filter(named)
    }
}

impl Member {
    /// `None` when it is not one to verify tokens with. Members that are secret are not looked at.
    fn key(self) -> Option<Key> {
        let verifies = self.key_ops.is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        if !verifies || self.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let only = match self.alg {
            Some(name) => Some(name.parse().ok()?),
            None => None,
        };
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let point = |length: usize, x, y| {
            let (x, y) = (bytes(x)?, bytes(y)?);
            (x.len() == length && y.len() == length).then(|| [&[4], &x[..], &y[..]].concat())
        };
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let n = without_zeros(bytes(self.n)?);
                let e = without_zeros(bytes(self.e)?);
                MODULUS_BYTES.contains(&n.len()).then_some(Material::Rsa { n, e })?
            }
            ("EC", Some("P-256")) => Material::P256(point(32, self.x, self.y)?),
            ("EC", Some("P-384")) => Material::P384(point(48, self.x, self.y)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(self.x).filter(|public| public.len() == 32)?),
            _ => return None,
        };
        Some(Key { kid: self.kid, only, material })
    }
}

fn without_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|&byte| byte == 0).collect()
}

impl Key {
    fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match (&self.material, algorithm) {
            (
                Material::Rsa { .. },
                Algorithm::Rs256
                | Algorithm::Rs384
                | Algorithm::Rs512
                | Algorithm::Ps256
                | Algorithm::Ps384
                | Algorithm::Ps512,
            )
            | (Material::P256(_), Algorithm::Es256)
            | (Material::P384(_), Algorithm::Es384)
            | (Material::Ed25519(_), Algorithm::EdDsa) => true,
            (Material::Rsa { .. } | Material::P256(_) | Material::P384(_) | Material::Ed25519(_), _) => false,
        };
        kind && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether the signature over `signed` is this key's.
    pub(super) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let rsa = |parameters: &RsaParameters| match &self.material {
            Material::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature).is_ok()
            }
            Material::P256(_) | Material::P384(_) | Material::Ed25519(_) => false,
        };
        let other = |by: &'static dyn VerificationAlgorithm, public: &Vec<u8>| {
            UnparsedPublicKey::new(by, public).verify(signed, signature).is_ok()
        };
        self.fits(algorithm)
            && match (algorithm, &self.material) {
                (Algorithm::Rs256, _) => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
                (Algorithm::Rs384, _) => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
                (Algorithm::Rs512, _) => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
                (Algorithm::Ps256, _) => rsa(&signature::RSA_PSS_2048_8192_SHA256),
                (Algorithm::Ps384, _) => rsa(&signature::RSA_PSS_2048_8192_SHA384),
                (Algorithm::Ps512, _) => rsa(&signature::RSA_PSS_2048_8192_SHA512),
                (Algorithm::Es256, Material::P256(point)) => {
                    other(&signature::ECDSA_P256_SHA256_FIXED, point)
                }
                (Algorithm::Es384, Material::P384(point)) => {
                    other(&signature::ECDSA_P384_SHA384_FIXED, point)
                }
                (Algorithm::EdDsa, Material::Ed25519(public)) => other(&signature::ED25519, public),
                (Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa, _) => false,
            }
    }
}
