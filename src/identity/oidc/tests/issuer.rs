//! An identity provider on the loopback: keys it signs with, and the documents it serves.

use std::sync::Mutex;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, Uri};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};

use super::super::*;

pub(crate) const NOW: i64 = 1_800_000_000;

/// A key that signs tokens.
pub(crate) struct Signing {
    kid: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signing {
    /// Always the same one: it cannot be made here.
    pub(crate) fn rsa(kid: &'static str) -> Self {
        let pair = RsaKeyPair::from_pkcs8(include_bytes!("rsa-2048-only-for-tests.der")).unwrap();
        Self { kid, pair: Pair::Rsa(pair) }
    }

    pub(crate) fn p256(kid: &'static str) -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random);
        Self { kid, pair: Pair::P256(pair.unwrap()) }
    }

    pub(crate) fn ed25519(kid: &'static str) -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { kid, pair: Pair::Ed25519(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap()) }
    }

    /// The public key as a provider shows it.
    pub(crate) fn jwk(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                let (n, e) = (base64url(public.n), base64url(public.e));
                json!({"kty": "RSA", "use": "sig", "kid": self.kid, "n": n, "e": e})
            }
            Pair::P256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                let (x, y) = (base64url(x), base64url(y));
                json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "x": x, "y": y})
            }
            Pair::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": base64url(pair.public_key())})
            }
        }
    }

    /// The name of the algorithm it signs by.
    pub(crate) fn algorithm(&self) -> &'static str {
        match &self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
            Pair::Ed25519(_) => "EdDSA",
        }
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_of(&json!({"alg": self.algorithm(), "kid": self.kid}).to_string(), &claims.to_string())
    }

    /// Signs header and claims as they are.
    pub(crate) fn token_of(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", base64url(header), base64url(claims));
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let pss = header.contains("PS256");
                let mut signature = vec![0; pair.public().modulus_len()];
                let (padding, message) = (
                    if pss {
                        &RSA_PSS_SHA256 as &dyn ring::signature::RsaEncoding
                    } else {
                        &RSA_PKCS1_SHA256
                    },
                    signed.as_bytes(),
                );
                pair.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::P256(pair) => pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", base64url(signature))
    }
}

/// What a provider answers with.
#[derive(Clone, Default)]
pub(crate) struct Answers {
    pub(crate) keys: Vec<Value>,
    pub(crate) down: bool,
    /// In place of its own addresses.
    pub(crate) issuer: Option<String>,
    pub(crate) jwks_uri: Option<String>,
    /// Answers every request with a redirect there.
    pub(crate) redirect: Option<String>,
    /// Appended to each document, in bytes.
    pub(crate) padding: usize,
    /// The paths that were asked for.
    pub(crate) asked: Vec<String>,
}

/// A provider that listens. It ends when dropped.
pub(crate) struct TestIssuer {
    pub(crate) url: String,
    answers: Arc<Mutex<Answers>>,
    _serving: JoinSet<()>,
}

impl TestIssuer {
    pub(crate) async fn start(keys: &[&Signing]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keys = keys.iter().map(|key| key.jwk()).collect();
        let answers = Arc::new(Mutex::new(Answers { keys, ..Answers::default() }));
        let program = Router::new().fallback(answer).with_state((url.clone(), answers.clone()));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, program).await.unwrap() });
        Self { url, answers, _serving: serving }
    }

    /// Changes what it answers.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Answers)) {
        change(&mut self.answers.lock().unwrap());
    }

    /// How often its keys were asked for.
    pub(crate) fn fetches(&self) -> usize {
        self.answers.lock().unwrap().asked.iter().filter(|path| *path == "/keys").count()
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.answers.lock().unwrap().asked.clone()
    }

    /// As it is configured unless a test says otherwise.
    pub(crate) fn provider(&self) -> Provider {
        provider("idp", &self.url)
    }

    /// Claims of a token that is good at [`NOW`].
    pub(crate) fn claims(&self) -> Value {
        claims(&self.url)
    }
}

pub(crate) fn provider(name: &str, issuer: &str) -> Provider {
    Provider {
        name: name.into(),
        issuer: issuer.into(),
        keys: KeysAt::Discovered(check_issuer(issuer).unwrap()),
        audiences: vec!["tarn".into()],
        algorithms: vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa],
        policies: Policies::Claim("policy".into()),
        subject_claim: "sub".into(),
        claims: Vec::new(),
        leeway_seconds: 60,
        outlive_seconds: 0,
        ca_file: None,
    }
}

pub(crate) fn claims(issuer: &str) -> Value {
    json!({"iss": issuer, "aud": "tarn", "sub": "alice", "exp": NOW + 600, "iat": NOW, "policy": "readonly"})
}

async fn answer(State((url, answers)): State<(String, Arc<Mutex<Answers>>)>, uri: Uri) -> Response {
    let mut answers = answers.lock().unwrap();
    answers.asked.push(uri.path().to_owned());
    if answers.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if let Some(to) = &answers.redirect {
        return (StatusCode::FOUND, [("location", to.clone())]).into_response();
    }
    let mut document = match uri.path() {
        "/.well-known/openid-configuration" => {
            let jwks_uri = answers.jwks_uri.clone().unwrap_or_else(|| format!("{url}/keys"));
            json!({"issuer": answers.issuer.clone().unwrap_or(url), "jwks_uri": jwks_uri})
        }
        "/keys" | "/elsewhere" => json!({"keys": answers.keys}),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    document["padding"] = " ".repeat(answers.padding).into();
    Json(document).into_response()
}
