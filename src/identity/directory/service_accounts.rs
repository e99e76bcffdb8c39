//! Service accounts: access keys of a user or of root.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::super::key;
use super::super::policy::Policy;
use super::super::secret::Secret;
use super::write::{Kind, read};
use super::{
    Directory, DirectoryError, Holder, KEY_KIND, KeyDocument, Reference, SERVICE_ACCOUNTS_OF_USER_MAX,
    ServiceAccount, Status,
};

const SERVICE_ACCOUNT: Kind = Kind { kind: KEY_KIND, called: "service account" };
/// The longest description, in bytes.
const DESCRIPTION_BYTES_MAX: usize = 256;

/// A service account to make.
pub(crate) struct NewServiceAccount {
    /// Generated when not given.
    pub(crate) id: Option<String>,
    /// The user; none is root.
    pub(crate) parent: Option<String>,
    /// A policy it is held to.
    pub(crate) policy: Option<String>,
    pub(crate) description: Option<String>,
}

/// A service account as it is listed.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct ListedServiceAccount {
    pub(crate) id: String,
    /// The user it belongs to; none is root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<String>,
    pub(crate) status: Status,
    /// The policy it is held to, as text in JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// RFC 3339.
    pub(crate) created: String,
}

impl Directory {
    /// Service accounts by id, those behind `after`, `most` of them; of one user or of all.
    pub(crate) fn service_accounts(
        &self,
        of: Option<&str>,
        after: Option<&str>,
        most: usize,
    ) -> Vec<ListedServiceAccount> {
        let state = self.catalog.snapshot();
        let keys = read::<KeyDocument>(&state, KEY_KIND, after);
        let accounts = keys.filter_map(|(id, document)| listed(id, document));
        accounts.filter(|account| of.is_none() || account.parent.as_deref() == of).take(most).collect()
    }

    /// One service account.
    pub(crate) fn service_account(&self, id: &str) -> Result<ListedServiceAccount, DirectoryError> {
        let (document, _) = self.one::<KeyDocument>(SERVICE_ACCOUNT, id)?;
        listed(id, document).ok_or_else(|| SERVICE_ACCOUNT.missing(id))
    }

    /// Makes a service account and tells its id and secret, the secret only here.
    pub(crate) async fn create_service_account(
        &self,
        new: NewServiceAccount,
        now: Timestamp,
    ) -> Result<(String, Secret), DirectoryError> {
        let (generated, secret) = key::generate();
        let id = new.id.unwrap_or(generated);
        key::check_id(&id)?;
        if id == self.root {
            return Err(DirectoryError::Exists(id));
        }
        let policy = new.policy.as_deref().map(checked).transpose()?;
        if new.description.as_ref().is_some_and(|text| text.len() > DESCRIPTION_BYTES_MAX) {
            return Err(DirectoryError::Description { bytes_max: DESCRIPTION_BYTES_MAX });
        }
        self.expect_room(KEY_KIND, self.keys_max, "access keys")?;
        let parent = new.parent.map(|name| self.reference_to_user(&name)).transpose()?;
        if parent.as_ref().is_some_and(|parent| self.count_of(parent) >= SERVICE_ACCOUNTS_OF_USER_MAX) {
            return Err(DirectoryError::Full {
                most: SERVICE_ACCOUNTS_OF_USER_MAX,
                of: "service accounts of one user",
            });
        }
        let (birth, status) = (Uuid::new_v4(), Status::Enabled);
        let account = ServiceAccount { birth, parent, status, policy, description: new.description };
        let holder = Holder::ServiceAccount(account);
        let document = KeyDocument { secret: secret.clone(), created: format!("{now:.0}"), holder };
        self.create(KEY_KIND, &id, &document).await?;
        Ok((id, secret))
    }

    /// Deletes a service account. It is refused from the next request on.
    pub(crate) async fn delete_service_account(&self, id: &str) -> Result<(), DirectoryError> {
        let (mut document, revision) = self.one::<KeyDocument>(SERVICE_ACCOUNT, id)?;
        held(&mut document, id)?;
        self.remove(SERVICE_ACCOUNT, id, revision).await
    }

    /// Enables or disables a service account.
    pub(crate) async fn set_service_account_status(
        &self,
        id: &str,
        status: Status,
    ) -> Result<(), DirectoryError> {
        self.change_service_account(id, |account| account.status = status).await
    }

    /// Holds a service account to a policy, or to none but its parent's.
    pub(crate) async fn set_service_account_policy(
        &self,
        id: &str,
        policy: Option<&str>,
    ) -> Result<(), DirectoryError> {
        let policy = policy.map(checked).transpose()?;
        self.change_service_account(id, |account| account.policy.clone_from(&policy)).await
    }

    async fn change_service_account(
        &self,
        id: &str,
        change: impl Fn(&mut ServiceAccount),
    ) -> Result<(), DirectoryError> {
        self.update::<KeyDocument>(SERVICE_ACCOUNT, id, |document| {
            change(held(document, id)?);
            Ok(())
        })
        .await
    }

    fn count_of(&self, user: &Reference) -> usize {
        let state = self.catalog.snapshot();
        let keys = read::<KeyDocument>(&state, KEY_KIND, None);
        let own = keys.filter(|(_, document)| match &document.holder {
            Holder::ServiceAccount(account) => account.parent.as_ref() == Some(user),
            Holder::Grant(_) | Holder::User(_) => false,
        });
        own.count()
    }

    pub(super) async fn delete_service_accounts_of(
        &self,
        user: &str,
        birth: Uuid,
    ) -> Result<(), DirectoryError> {
        for (id, document) in self.all::<KeyDocument>(KEY_KIND) {
            let parent = match document.holder {
                Holder::ServiceAccount(account) => account.parent,
                Holder::Grant(_) | Holder::User(_) => None,
            };
            if parent.is_some_and(|parent| *parent.name == *user && parent.birth == birth) {
                match self.delete_service_account(&id).await {
                    Ok(()) | Err(DirectoryError::Missing { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

fn checked(policy: &str) -> Result<Arc<str>, DirectoryError> {
    Policy::parse(policy).map_err(DirectoryError::Policy)?;
    Ok(policy.into())
}

/// The service account a key is.
fn held<'d>(document: &'d mut KeyDocument, id: &str) -> Result<&'d mut ServiceAccount, DirectoryError> {
    match &mut document.holder {
        Holder::ServiceAccount(account) => Ok(account),
        Holder::Grant(_) | Holder::User(_) => Err(SERVICE_ACCOUNT.missing(id)),
    }
}

fn listed(id: &str, document: KeyDocument) -> Option<ListedServiceAccount> {
    let account = match document.holder {
        Holder::ServiceAccount(account) => account,
        Holder::Grant(_) | Holder::User(_) => return None,
    };
    let parent = account.parent.map(|parent| parent.name.to_string());
    let (policy, status) = (account.policy.map(|text| text.to_string()), account.status);
    let (description, created) = (account.description, document.created);
    Some(ListedServiceAccount { id: id.into(), parent, status, policy, description, created })
}
