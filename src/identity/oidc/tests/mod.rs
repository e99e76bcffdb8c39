//! Tokens as providers sign them, and as attackers would like them to count.

mod attacks;
mod claims;
mod front;
pub(crate) mod issuer;
mod keys;

use std::time::Duration;

use super::*;
use issuer::TestIssuer;

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
