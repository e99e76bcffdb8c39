//! Users.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::super::key;
use super::super::secret::Secret;
use super::write::{Kind, read};
use super::{
    Change, Directory, DirectoryError, GROUPS_OF_USER_MAX, Holder, KEY_KIND, KeyDocument, Reference, Status,
    User, changed,
};

const USER: Kind = Kind { kind: KEY_KIND, called: "user" };

/// A user to make.
pub(crate) struct NewUser {
    pub(crate) name: String,
    /// Generated when not given.
    pub(crate) secret: Option<Secret>,
    pub(crate) policies: Vec<String>,
    pub(crate) groups: Vec<String>,
}

/// A user as it is listed.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct ListedUser {
    /// The name, which is the access key id.
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) policies: Vec<String>,
    pub(crate) groups: Vec<String>,
    /// RFC 3339.
    pub(crate) created: String,
}

impl Directory {
    /// Users by name, those behind `after`, `most` of them.
    pub(crate) fn users(&self, after: Option<&str>, most: usize) -> Vec<ListedUser> {
        let state = self.catalog.snapshot();
        let keys = read::<KeyDocument>(&state, KEY_KIND, after);
        keys.filter_map(|(name, document)| listed(name, document)).take(most).collect()
    }

    /// One user.
    pub(crate) fn user(&self, name: &str) -> Result<ListedUser, DirectoryError> {
        let (document, _) = self.one::<KeyDocument>(USER, name)?;
        listed(name, document).ok_or_else(|| USER.missing(name))
    }

    /// Makes a user. The secret is told only here.
    pub(crate) async fn create_user(&self, new: NewUser, now: Timestamp) -> Result<Secret, DirectoryError> {
        key::check_id(&new.name)?;
        if new.name == self.root {
            return Err(DirectoryError::Exists(new.name));
        }
        let secret = new.secret.unwrap_or_else(|| key::generate().1);
        key::check_secret(secret.expose())?;
        self.expect_room(KEY_KIND, self.keys_max, "access keys")?;
        let (birth, status) = (Uuid::new_v4(), Status::Enabled);
        let mut user = User { birth, status, policies: Vec::new(), groups: Vec::new() };
        for policy in &new.policies {
            self.expect_policy(policy)?;
            changed(&mut user.policies, policy, Change::Add)?;
        }
        for group in &new.groups {
            self.join(&mut user, group)?;
        }
        let holder = Holder::User(user);
        let document = KeyDocument { secret: secret.clone(), created: format!("{now:.0}"), holder };
        self.create(KEY_KIND, &new.name, &document).await?;
        Ok(secret)
    }

    /// Deletes a user and its service accounts. It is refused from the next request on.
    pub(crate) async fn delete_user(&self, name: &str) -> Result<(), DirectoryError> {
        let (mut document, revision) = self.one::<KeyDocument>(USER, name)?;
        let birth = held(&mut document, name)?.birth;
        self.remove(USER, name, revision).await?;
        // Without their user these keys are refused already (U2); one that stays does no harm.
        self.delete_service_accounts_of(name, birth).await
    }

    /// Gives a user another secret, told only here. Tokens and sessions made with the old one end.
    pub(crate) async fn renew_secret(&self, name: &str) -> Result<Secret, DirectoryError> {
        let fresh = key::generate().1;
        self.update::<KeyDocument>(USER, name, |document| {
            held(document, name)?;
            document.secret = fresh.clone();
            Ok(())
        })
        .await?;
        Ok(fresh)
    }

    /// Enables or disables a user, its sessions and its service accounts.
    pub(crate) async fn set_user_status(&self, name: &str, status: Status) -> Result<(), DirectoryError> {
        self.change_user(name, |user| {
            user.status = status;
            Ok(())
        })
        .await
    }

    /// Attaches a policy to a user or detaches it.
    pub(crate) async fn change_user_policy(
        &self,
        name: &str,
        policy: &str,
        change: Change,
    ) -> Result<(), DirectoryError> {
        if change == Change::Add {
            self.expect_policy(policy)?;
        }
        self.change_user(name, |user| changed(&mut user.policies, policy, change)).await
    }

    /// Puts a user into a group or takes it out.
    pub(crate) async fn change_member(
        &self,
        group: &str,
        name: &str,
        change: Change,
    ) -> Result<(), DirectoryError> {
        self.reference_to_group(group)?;
        self.change_user(name, |user| match change {
            Change::Add => self.join(user, group),
            Change::Remove => {
                user.groups.retain(|reference| *reference.name != *group);
                Ok(())
            }
        })
        .await
    }

    fn join(&self, user: &mut User, group: &str) -> Result<(), DirectoryError> {
        let reference = self.reference_to_group(group)?;
        user.groups.retain(|reference| *reference.name != *group);
        if user.groups.len() >= GROUPS_OF_USER_MAX {
            return Err(DirectoryError::Full { most: GROUPS_OF_USER_MAX, of: "groups of one user" });
        }
        user.groups.push(reference);
        Ok(())
    }

    async fn change_user(
        &self,
        name: &str,
        mut change: impl FnMut(&mut User) -> Result<(), DirectoryError>,
    ) -> Result<(), DirectoryError> {
        self.update::<KeyDocument>(USER, name, |document| change(held(document, name)?)).await
    }

    /// What refers to a user.
    pub(super) fn reference_to_user(&self, name: &str) -> Result<Reference, DirectoryError> {
        let (mut document, _) = self.one::<KeyDocument>(USER, name)?;
        Ok(Reference { name: name.into(), birth: held(&mut document, name)?.birth })
    }

    /// The memberships of all users.
    pub(super) fn memberships(&self) -> impl Iterator<Item = (String, Reference)> + use<> {
        let keys = self.all::<KeyDocument>(KEY_KIND).into_iter();
        keys.flat_map(|(name, document)| {
            let groups = match document.holder {
                Holder::User(user) => user.groups,
                Holder::Grant(_) | Holder::ServiceAccount(_) => Vec::new(),
            };
            groups.into_iter().map(move |reference| (name.to_string(), reference))
        })
    }
}

/// The user a key is.
fn held<'d>(document: &'d mut KeyDocument, name: &str) -> Result<&'d mut User, DirectoryError> {
    match &mut document.holder {
        Holder::User(user) => Ok(user),
        Holder::Grant(_) | Holder::ServiceAccount(_) => Err(USER.missing(name)),
    }
}

fn listed(name: &str, document: KeyDocument) -> Option<ListedUser> {
    let user = match document.holder {
        Holder::User(user) => user,
        Holder::Grant(_) | Holder::ServiceAccount(_) => return None,
    };
    let policies = user.policies.iter().map(ToString::to_string).collect();
    let groups = user.groups.iter().map(|reference| reference.name.to_string()).collect();
    Some(ListedUser { name: name.into(), status: user.status, policies, groups, created: document.created })
}
