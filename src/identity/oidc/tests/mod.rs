//! Tokens as providers sign them, and as attackers would like them to count.

mod attacks;
mod claims;
mod foreign;
mod front;
pub(crate) mod issuer;
mod keys;
mod shape;

use std::time::Duration;

use serde_json::Value;

use super::*;
use issuer::{NOW, Signing, TestIssuer};

/// Asks often, so that tests need not wait.
fn quick() -> Pace {
    Pace { gap: Duration::ZERO, ..Pace::default() }
}

/// Asks once, and never again in a test.
fn once() -> Pace {
    Pace { gap: Duration::from_secs(3600), refresh: Duration::from_secs(7200), ..Pace::default() }
}

fn open(issuer: &TestIssuer, pace: Pace) -> Issuers {
    Issuers::open(vec![issuer.provider()], pace).unwrap()
}

/// A provider with one key of each kind.
struct World {
    issuer: TestIssuer,
    issuers: Issuers,
    rsa: Signing,
    p256: Signing,
    ed25519: Signing,
}

impl World {
    async fn new() -> Self {
        let (rsa, p256, ed25519) = (Signing::rsa("r"), Signing::p256("p"), Signing::ed25519("e"));
        let issuer = TestIssuer::start(&[&rsa, &p256, &ed25519]).await;
        let issuers = open(&issuer, once());
        Self { issuer, issuers, rsa, p256, ed25519 }
    }

    async fn flaw(&self, token: &str) -> Flaw {
        match self.issuers.verify(token, NOW).await {
            Err(TokenError::Invalid(flaw)) => flaw,
            other => panic!("{token}: {other:?}"),
        }
    }

    /// Claims with some of their own; null takes one out.
    fn claims(&self, change: Value) -> Value {
        let mut claims = self.issuer.claims();
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        claims
    }

    async fn outcome(&self, change: Value) -> Result<Verified, TokenError> {
        self.issuers.verify(&self.p256.token(&self.claims(change)), NOW).await
    }
}
