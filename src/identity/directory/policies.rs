//! Named policies: those every server has, and those that are kept.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::super::policy::{Policy, builtin};
use super::write::Kind;
use super::{
    Directory, DirectoryError, GROUP_KIND, Group, Holder, KEY_KIND, KeyDocument, POLICIES_MAX, POLICY_KIND,
    PolicyDocument, check_name,
};

const POLICY: Kind = Kind { kind: POLICY_KIND, called: "policy" };

/// A policy as it is listed.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct ListedPolicy {
    pub(crate) name: String,
    /// Every server has it; it cannot be changed.
    pub(crate) built_in: bool,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) updated: Option<String>,
}

impl Directory {
    /// All policies: the built-in ones, then the kept ones by name.
    pub(crate) fn policies(&self) -> Vec<ListedPolicy> {
        let built_in = builtin::POLICIES.iter();
        let built_in =
            built_in.map(|(name, _)| ListedPolicy { name: (*name).into(), built_in: true, updated: None });
        let kept = self.all::<PolicyDocument>(POLICY_KIND).into_iter().map(|(name, document)| ListedPolicy {
            name: name.to_string(),
            built_in: false,
            updated: Some(document.updated),
        });
        built_in.chain(kept).collect()
    }

    /// The text of a policy.
    pub(crate) fn policy(&self, name: &str) -> Result<Arc<str>, DirectoryError> {
        match builtin::text(name) {
            Some(text) => Ok(text.into()),
            None => Ok(self.one::<PolicyDocument>(POLICY, name)?.0.text),
        }
    }

    /// Makes a policy or replaces it. It counts from the next request on.
    pub(crate) async fn put_policy(
        &self,
        name: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<(), DirectoryError> {
        check_name(name)?;
        if builtin::text(name).is_some() {
            return Err(DirectoryError::BuiltIn(name.into()));
        }
        Policy::parse(text).map_err(DirectoryError::Policy)?;
        let fresh = || PolicyDocument { text: text.into(), updated: format!("{now:.0}") };
        let replaced = self.update::<PolicyDocument>(POLICY, name, |kept| {
            *kept = fresh();
            Ok(())
        });
        match replaced.await {
            Err(DirectoryError::Missing { .. }) => {}
            outcome => return outcome,
        }
        self.expect_room(POLICY_KIND, POLICIES_MAX, "policies")?;
        self.create(POLICY_KIND, name, &fresh()).await
    }

    /// Deletes a policy that is attached to nobody.
    pub(crate) async fn delete_policy(&self, name: &str) -> Result<(), DirectoryError> {
        if builtin::text(name).is_some() {
            return Err(DirectoryError::BuiltIn(name.into()));
        }
        let (_, revision) = self.one::<PolicyDocument>(POLICY, name)?;
        if let Some(by) = self.holder_of(name) {
            return Err(DirectoryError::InUse { name: name.into(), by });
        }
        // Attached at this moment, its name is one of no policy and allows nothing.
        self.remove(POLICY, name, revision).await
    }

    /// A user or group that has a policy.
    fn holder_of(&self, policy: &str) -> Option<String> {
        let has = |policies: &[Arc<str>]| policies.iter().any(|known| **known == *policy);
        let mut keys = self.all::<KeyDocument>(KEY_KIND).into_iter();
        let user = keys.find(|(_, key)| match &key.holder {
            Holder::User(user) => has(&user.policies),
            Holder::Grant(_) | Holder::ServiceAccount(_) => false,
        });
        let mut groups = self.all::<Group>(GROUP_KIND).into_iter();
        let group = || groups.find(|(_, group)| has(&group.policies)).map(|(name, _)| name);
        user.map(|(name, _)| name).or_else(group).map(|name| name.to_string())
    }

    /// Only what exists can be attached.
    pub(super) fn expect_policy(&self, name: &str) -> Result<(), DirectoryError> {
        let known = builtin::text(name).is_some() || self.catalog.get_document(POLICY_KIND, name).is_some();
        if known { Ok(()) } else { Err(POLICY.missing(name)) }
    }
}
