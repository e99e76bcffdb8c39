//! Who reads: bearer tokens, grants, addresses and rates of recipients.
//!
//! - A1: what is asked for is decided on one state of the catalog, the newest when the request came. Nothing is cached but
//!   by revision, so a token, grant, share, recipient or key that is gone is gone for the next request.
//! - A2: what is kept of a token, a secret or a code lets nobody in; each is shown once.

mod activation;
pub mod audit;
mod foreign;
mod issue;
mod jwt;
mod keys;
mod known;
mod oauth;
mod profile;
mod rate;
mod reader;
#[cfg(test)]
pub(crate) mod records;
mod routes;
mod signing;
mod still;
#[cfg(test)]
mod tests;
mod ticket;

use std::sync::{Arc, Mutex};

use tarn_catalog::Catalog;

pub use activation::RedeemError;
pub use foreign::{ForeignRefusal, ForeignTokens};
pub use issue::{ACTIVATION_LIFETIME_MS, IssueError};
pub use keys::{TOKEN_LIFETIME_MS_MAX, Withdraw};
pub use profile::Endpoints;
pub use reader::{Granted, Reader, Refusal, bearer};
pub use routes::{openapi, routes};
pub use signing::KeyError;
pub use still::StillGranted;
pub(crate) use ticket::TICKET_BYTES;
pub use ticket::{Gone, Ticket};

use known::Known;
use rate::Rates;
use signing::KeyCache;

/// What [`Access`] is set to.
#[derive(Debug, Clone)]
pub struct AccessSettings {
    /// Where clients come to.
    pub endpoints: Endpoints,
    /// Requests per second of a token whose recipient has no rate of its own.
    pub requests_per_second: u32,
    /// Requests per second of all tokens together.
    pub requests_per_second_all: u32,
}

impl AccessSettings {
    /// For clients that come to `endpoints`: 100 requests per second and token, 1,000 in all.
    pub fn new(endpoints: Endpoints) -> Self {
        Self { endpoints, requests_per_second: 100, requests_per_second_all: 1_000 }
    }
}

/// Recipients and what they may read, over the documents of a catalog.
pub struct Access {
    catalog: Catalog,
    endpoints: Endpoints,
    /// Verifies tokens of identity providers, when there are any.
    foreign: Option<Arc<dyn ForeignTokens>>,
    keys: KeyCache,
    known: Known,
    rates: Limits,
}

struct Limits {
    per_token: u32,
    buckets: Mutex<Rates>,
}

impl Access {
    /// Over the documents of `catalog`.
    pub fn new(catalog: Catalog, settings: AccessSettings, foreign: Option<Arc<dyn ForeignTokens>>) -> Self {
        let rates = Limits {
            per_token: settings.requests_per_second,
            buckets: Mutex::new(Rates::new(settings.requests_per_second_all)),
        };
        Self {
            catalog,
            endpoints: settings.endpoints,
            foreign,
            keys: KeyCache::default(),
            known: Known::default(),
            rates,
        }
    }

    /// Where clients come to.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }
}
