//! Groups. Who is in one stands with the user, so that a decision looks at few documents.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::write::Kind;
use super::{
    Change, Directory, DirectoryError, GROUP_KIND, GROUPS_MAX, Group, Reference, Status, changed, check_name,
};

const GROUP: Kind = Kind { kind: GROUP_KIND, called: "group" };

/// A group as it is listed.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct ListedGroup {
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) policies: Vec<String>,
    pub(crate) members: Vec<String>,
    /// RFC 3339.
    pub(crate) created: String,
}

impl Directory {
    /// All groups, by name.
    pub(crate) fn groups(&self) -> Vec<ListedGroup> {
        let memberships: Vec<_> = self.memberships().collect();
        let groups = self.all::<Group>(GROUP_KIND).into_iter();
        groups.map(|(name, group)| listed(&name, group, &memberships)).collect()
    }

    /// One group.
    pub(crate) fn group(&self, name: &str) -> Result<ListedGroup, DirectoryError> {
        let (group, _) = self.one::<Group>(GROUP, name)?;
        Ok(listed(name, group, &self.memberships().collect::<Vec<_>>()))
    }

    /// Makes a group.
    pub(crate) async fn create_group(
        &self,
        name: &str,
        policies: &[String],
        now: Timestamp,
    ) -> Result<(), DirectoryError> {
        check_name(name)?;
        self.expect_room(GROUP_KIND, GROUPS_MAX, "groups")?;
        let mut attached = Vec::new();
        for policy in policies {
            self.expect_policy(policy)?;
            changed(&mut attached, policy, Change::Add)?;
        }
        let created = format!("{now:.0}");
        let group = Group { birth: Uuid::new_v4(), created, status: Status::Enabled, policies: attached };
        self.create(GROUP_KIND, name, &group).await
    }

    /// Deletes a group without members.
    pub(crate) async fn delete_group(&self, name: &str) -> Result<(), DirectoryError> {
        let (group, revision) = self.one::<Group>(GROUP, name)?;
        if let Some((by, _)) = self.memberships().find(|(_, to)| is(to, name, &group)) {
            return Err(DirectoryError::InUse { name: name.into(), by });
        }
        // A user who joins at this moment refers to a group that is gone, and has nothing of it (U2).
        self.remove(GROUP, name, revision).await
    }

    /// Enables or disables a group: disabled, its policies count for nobody.
    pub(crate) async fn set_group_status(&self, name: &str, status: Status) -> Result<(), DirectoryError> {
        self.update::<Group>(GROUP, name, |group| {
            group.status = status;
            Ok(())
        })
        .await
    }

    /// Attaches a policy to a group or detaches it.
    pub(crate) async fn change_group_policy(
        &self,
        name: &str,
        policy: &str,
        change: Change,
    ) -> Result<(), DirectoryError> {
        if change == Change::Add {
            self.expect_policy(policy)?;
        }
        self.update::<Group>(GROUP, name, |group| changed(&mut group.policies, policy, change)).await
    }

    /// What refers to a group.
    pub(super) fn reference_to_group(&self, name: &str) -> Result<Reference, DirectoryError> {
        let (group, _) = self.one::<Group>(GROUP, name)?;
        Ok(Reference { name: name.into(), birth: group.birth })
    }
}

fn is(reference: &Reference, name: &str, group: &Group) -> bool {
    *reference.name == *name && reference.birth == group.birth
}

fn listed(name: &str, group: Group, memberships: &[(String, Reference)]) -> ListedGroup {
    let members = memberships.iter().filter(|(_, to)| is(to, name, &group));
    let members = members.map(|(user, _)| user.clone()).collect();
    let Group { status, policies, created, birth: _ } = group;
    let policies = policies.iter().map(ToString::to_string).collect();
    ListedGroup { name: name.into(), status, policies, members, created }
}
