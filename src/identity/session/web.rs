//! Sessions of those whom an identity provider vouched for: what the token tells of them, and who they are by it.

use std::sync::Arc;

use tarn_openapi::access::{Principal, WebIdentity};

use super::super::oidc::{Issuers, Policies};
use super::claims::Web;

/// What a token tells of `identity`. `None` when its provider is not configured.
pub(super) fn told(identity: &WebIdentity, issuers: &Issuers) -> Option<Web> {
    let (provider, subject) = identity.id.split_once(':')?;
    let provider = issuers.named(provider)?;
    let policies = match &provider.policies {
        Policies::Claim(_) => identity.policies.clone(),
        // They are what the configuration says, not what it said.
        Policies::Fixed(_) => Vec::new(),
    };
    Some(Web {
        provider: provider.name.clone(),
        issuer: provider.issuer.clone(),
        subject: subject.to_owned(),
        policies,
        claims: identity.claims.clone(),
    })
}

/// Who a token tells of. `None` when its provider is not configured any more, or under another issuer.
pub(super) fn alive(told: Web, expires: i64, issuers: &Issuers) -> Option<Principal> {
    let provider = issuers.named(&told.provider).filter(|provider| provider.issuer == told.issuer)?;
    let policies = match &provider.policies {
        Policies::Claim(_) => told.policies,
        Policies::Fixed(names) => names.clone(),
    };
    let id = format!("{}:{}", told.provider, told.subject).into();
    Some(Principal::Web(Arc::new(WebIdentity { id, policies, claims: told.claims, expires })))
}
