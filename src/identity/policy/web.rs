//! Who the holder of an identity provider's token is to policies.

use tarn_openapi::access::WebIdentity;

use super::facts::Who;

pub(super) fn who(identity: &WebIdentity) -> Who {
    Who {
        username: Some(identity.id.to_string()),
        user_id: Some(identity.id.to_string()),
        kind: "FederatedUser",
        groups: Vec::new(),
        claims: identity.claims.clone(),
    }
}
