//! The documents, as the catalog keeps them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::key::{Grant, Policy as GrantPolicy};
use super::super::secret::{Secret, exposed};

/// The kind of the documents that are access keys, users' and service accounts' included (U1).
pub(crate) const KEY_KIND: &str = "access-key";
/// The kind of the documents that are groups.
pub(crate) const GROUP_KIND: &str = "group";
/// The kind of the documents that are policies.
pub(crate) const POLICY_KIND: &str = "policy";

/// Whether a user, group or service account counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It counts.
    Enabled,
    /// It is kept and gives no rights.
    Disabled,
}

/// An access key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(crate) struct KeyDocument {
    pub(crate) secret: Secret,
    /// RFC 3339.
    pub(crate) created: String,
    pub(crate) holder: Holder,
}

/// Whose key it is.
#[derive(Debug, Clone)]
pub(crate) enum Holder {
    /// Nobody's: it has a grant of its own.
    Grant(Grant),
    User(User),
    ServiceAccount(ServiceAccount),
}

/// What a user is beside its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct User {
    /// Made anew with each user (U2).
    pub(crate) birth: Uuid,
    pub(crate) status: Status,
    /// Names of policies.
    pub(crate) policies: Vec<Arc<str>>,
    pub(crate) groups: Vec<Reference>,
}

/// A user or group that is meant, whatever comes to have its name later (U2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    pub(crate) name: Arc<str>,
    pub(crate) birth: Uuid,
}

/// What a service account is beside its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ServiceAccount {
    /// Made anew with each service account.
    pub(crate) birth: Uuid,
    /// The user; none is root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<Reference>,
    pub(crate) status: Status,
    /// A policy in JSON that it is held to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
}

/// A group.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Group {
    /// Made anew with each group (U2).
    pub(crate) birth: Uuid,
    /// RFC 3339.
    pub(crate) created: String,
    pub(crate) status: Status,
    /// Names of policies.
    pub(crate) policies: Vec<Arc<str>>,
}

/// A policy.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyDocument {
    /// The policy's own JSON, as it was given.
    pub(crate) text: Arc<str>,
    /// RFC 3339.
    pub(crate) updated: String,
}

/// An access key's members as they stand in its JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stored {
    #[serde(with = "exposed")]
    secret: Secret,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<GrantPolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    buckets: Option<Vec<String>>,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service_account: Option<ServiceAccount>,
}

impl TryFrom<Stored> for KeyDocument {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { secret, policy, buckets, created, user, service_account } = stored;
        let holder = match (policy, buckets, user, service_account) {
            (Some(policy), buckets, None, None) => {
                Holder::Grant(Grant { policy, buckets: buckets.map(|names| names.into_iter().collect()) })
            }
            (None, None, Some(user), None) => Holder::User(user),
            (None, None, None, Some(account)) => Holder::ServiceAccount(account),
            (_, _, _, _) => return Err("an access key has a policy, a user or a service account"),
        };
        Ok(Self { secret, created, holder })
    }
}

impl From<KeyDocument> for Stored {
    fn from(document: KeyDocument) -> Self {
        let KeyDocument { secret, created, holder } = document;
        let (mut policy, mut buckets, mut user, mut service_account) = (None, None, None, None);
        match holder {
            Holder::Grant(grant) => {
                policy = Some(grant.policy);
                buckets = grant.buckets.map(|names| names.into_iter().collect());
            }
            Holder::User(held) => user = Some(held),
            Holder::ServiceAccount(account) => service_account = Some(account),
        }
        Self { secret, policy, buckets, created, user, service_account }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One document of each kind, as this version writes it.
    const WRITTEN: [&str; 3] = [
        r#"{"secret":"secret-1","policy":"readonly","buckets":["a","b"],"created":"2026-01-01T00:00:00Z"}"#,
        r#"{"secret":"secret-1","created":"2026-01-01T00:00:00Z","user":{"birth":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b","status":"enabled","policies":["readwrite"],"groups":[{"name":"staff","birth":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c"}]}}"#,
        r#"{"secret":"secret-1","created":"2026-01-01T00:00:00Z","service-account":{"birth":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5d","parent":{"name":"alice","birth":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"},"status":"disabled","policy":"{}","description":"nightly"}}"#,
    ];

    #[test]
    fn documents_are_written_as_they_were_read() {
        for text in WRITTEN {
            let read: KeyDocument = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
    }

    #[test]
    fn a_document_that_is_none_of_the_three_or_two_of_them_is_refused() {
        for text in [
            r#"{"secret":"secret-1","created":"x"}"#,
            r#"{"secret":"secret-1","created":"x","buckets":["a"]}"#,
            r#"{"secret":"secret-1","created":"x","policy":"admin","service-account":{"birth":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5d","status":"enabled"}}"#,
            r#"{"secret":"secret-1","created":"x","policy":"admin","held-to":"a"}"#,
        ] {
            assert!(serde_json::from_str::<KeyDocument>(text).is_err(), "{text}");
        }
    }
}
