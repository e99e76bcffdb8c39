//! Bearer tokens: issued to an access key, valid for an hour or until the key is gone.
//!
//! - T1: a token is good only while its key exists with the secret it had at issue: the token carries a
//!   keyed fingerprint of both, so a key made anew under an old id does not revive old tokens.
//! - T2: only HS256 is accepted, whatever a token's header says.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::hmac;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::super::error::AuthError;
use super::super::key::AccessKey;
use super::super::keyring::Keyring;
use super::jwt;

/// How long a token is good, in seconds.
pub(super) const LIFETIME_SECONDS: i64 = 60 * 60;
const ISSUER: &str = "tarn";
const AUDIENCE: &str = "tarn/iceberg";

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// The access key's id.
    sub: String,
    iat: i64,
    exp: i64,
    /// The fingerprint of T1.
    key: String,
}

/// Issues and verifies bearer tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    fingerprints: hmac::Key,
}

impl Tokens {
    /// Signs with `secret`, which stays the same over restarts.
    pub fn new(secret: &[u8; 32]) -> Self {
        jwt::install();
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = |purpose: &[u8]| hmac::sign(&root, purpose);
        let signing = derived(b"tarn bearer token v1");
        Self {
            encoding: EncodingKey::from_secret(signing.as_ref()),
            decoding: DecodingKey::from_secret(signing.as_ref()),
            fingerprints: hmac::Key::new(hmac::HMAC_SHA256, derived(b"tarn key fingerprint v1").as_ref()),
        }
    }

    /// A token for `key`, good for [`LIFETIME_SECONDS`] from `now` (seconds since the Unix epoch).
    pub(super) fn issue(&self, key: &AccessKey, now: i64) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: (*key.id).into(),
            iat: now,
            exp: now + LIFETIME_SECONDS,
            key: self.fingerprint(key),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
    }

    /// The key a token was issued to, when the token is good at `now`.
    pub(crate) fn verify(
        &self,
        token: &str,
        keyring: &Keyring,
        now: i64,
    ) -> Result<Arc<AccessKey>, AuthError> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "sub", "iss", "aud"]);
        // Checked below against the given time.
        validation.validate_exp = false;
        let decoded = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation);
        let claims = decoded.map_err(|_| AuthError::InvalidBearer)?.claims;
        if now >= claims.exp {
            return Err(AuthError::ExpiredBearer);
        }
        let key = keyring.find(&claims.sub).ok_or(AuthError::InvalidBearer)?;
        let same = self.fingerprint(&key).as_bytes().ct_eq(claims.key.as_bytes());
        if bool::from(same) { Ok(key) } else { Err(AuthError::InvalidBearer) }
    }

    fn fingerprint(&self, key: &AccessKey) -> String {
        hex::encode(key.fingerprint(&self.fingerprints))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::super::super::secret::Secret;
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn key(secret: &str) -> AccessKey {
        AccessKey::root("root", Secret::new(secret.into()))
    }

    fn verify(token: &str, key: AccessKey, now: i64) -> Result<Arc<AccessKey>, AuthError> {
        Tokens::new(&[7; 32]).verify(token, &Keyring::new(key), now)
    }

    #[test]
    fn a_token_is_good_for_an_hour() {
        let token = Tokens::new(&[7; 32]).issue(&key("secret-1"), NOW).unwrap();
        assert_eq!(&*verify(&token, key("secret-1"), NOW + 3599).unwrap().id, "root");
        assert_eq!(verify(&token, key("secret-1"), NOW + 3600).unwrap_err(), AuthError::ExpiredBearer);
    }

    #[test]
    fn cve_2024_43784_a_key_made_anew_does_not_revive_old_tokens() {
        let token = Tokens::new(&[7; 32]).issue(&key("secret-1"), NOW).unwrap();
        assert_eq!(verify(&token, key("secret-2"), NOW).unwrap_err(), AuthError::InvalidBearer);
    }

    /// Made right in everything but the key: the server's secret itself, and keys derived for other purposes.
    #[test]
    fn keys_of_other_purposes_make_no_bearer_tokens() {
        let tokens = Tokens::new(&[7; 32]);
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: "root".into(),
            iat: NOW,
            exp: NOW + 60,
            key: tokens.fingerprint(&key("secret-1")),
        };
        let root = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let signed = |secret: &[u8]| {
            let header = Header::new(Algorithm::HS256);
            jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap()
        };
        let purpose = |name: &[u8]| hmac::sign(&root, name).as_ref().to_vec();
        assert!(verify(&signed(&purpose(b"tarn bearer token v1")), key("secret-1"), NOW).is_ok());
        for secret in
            [vec![7; 32], purpose(b"tarn key fingerprint v1"), purpose(b"tarn session v1"), Vec::new()]
        {
            let refused = verify(&signed(&secret), key("secret-1"), NOW).unwrap_err();
            assert_eq!(refused, AuthError::InvalidBearer);
        }
        // The right key, for another audience or issuer.
        for (iss, aud) in [("tarn", "tarn/other"), ("other", AUDIENCE)] {
            let claims = Claims {
                iss: iss.into(),
                aud: aud.into(),
                key: claims.key.clone(),
                sub: "root".into(),
                ..claims
            };
            let token =
                jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &tokens.encoding).unwrap();
            assert_eq!(verify(&token, key("secret-1"), NOW).unwrap_err(), AuthError::InvalidBearer);
        }
    }

    #[test]
    fn a_token_of_another_secret_or_algorithm_is_refused() {
        let foreign = Tokens::new(&[8; 32]).issue(&key("secret-1"), NOW).unwrap();
        assert_eq!(verify(&foreign, key("secret-1"), NOW).unwrap_err(), AuthError::InvalidBearer);
        let token = Tokens::new(&[7; 32]).issue(&key("secret-1"), NOW).unwrap();
        let body = token.split('.').nth(1).unwrap();
        for algorithm in ["none", "None", "HS384", "RS256"] {
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#));
            for forged in [format!("{header}.{body}."), format!("{header}.{body}.AAAA")] {
                assert_eq!(verify(&forged, key("secret-1"), NOW).unwrap_err(), AuthError::InvalidBearer);
            }
        }
        for junk in ["", ".", "..", "a.b.c", "\u{e9}"] {
            assert_eq!(verify(junk, key("secret-1"), NOW).unwrap_err(), AuthError::InvalidBearer);
        }
    }
}
