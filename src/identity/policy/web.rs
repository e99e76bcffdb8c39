//! What the holder of an identity provider's token may do: what the policies its token names allow.

use std::collections::BTreeMap;

use tarn_openapi::access::{Action, Ask, Principal, WebIdentity};

use super::super::key::{Grant, Policy};
use super::decide::Decision;
use super::grants::{Trail, check, step};

/// Decides by the policies of `identity`. A name of no policy allows nothing.
pub(super) fn evaluate(identity: &WebIdentity, ask: Ask<'_>, trail: Trail<'_>) -> bool {
    // Narrower credentials of one's own are no new right.
    let own = matches!(
        ask.action,
        Action::AssumeRole | Action::AssumeRoleWithWebIdentity | Action::GetSessionToken
    );
    let mut decision = if own { Decision::everything("own credentials") } else { Decision::NotAllowed };
    for policy in identity.policies.iter().filter_map(|name| named(name)) {
        match check(&Grant { policy, buckets: None }, ask) {
            allowed @ Decision::Allowed(_) => decision = allowed,
            denied @ Decision::Denied(_) => return step(trail, "web identity", denied),
            Decision::NotAllowed => {}
        }
    }
    step(trail, "web identity", decision)
}

/// The claims of whoever acts, for conditions.
pub(super) fn claims(holder: &Principal) -> BTreeMap<String, Vec<String>> {
    match holder {
        Principal::Web(identity) => identity.claims.clone(),
        Principal::Anonymous | Principal::Root | Principal::AccessKey(_) | Principal::Session(_) => {
            BTreeMap::new()
        }
    }
}

fn named(name: &str) -> Option<Policy> {
    match name {
        "admin" => Some(Policy::Admin),
        "readwrite" => Some(Policy::ReadWrite),
        "readonly" => Some(Policy::ReadOnly),
        _ => None,
    }
}
