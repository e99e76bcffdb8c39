//! Recipients: made, listed, changed and deleted.

use std::collections::BTreeMap;

use tarn_openapi::network::Network;
use uuid::Uuid;

use super::limits::{ADDRESSES_MAX, PROPERTIES_MAX, RECIPIENTS_MAX, REQUESTS_PER_SECOND_MAX, TEXT_BYTES_MAX};
use super::name::checked;
use super::tables::check_comment;
use super::{Directory, DirectoryError, Named, Recipient, RowValues, Status};

/// A recipient to make.
#[derive(Debug, Clone, Default)]
pub struct NewRecipient {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub comment: Option<String>,
    /// What row filters may refer to.
    pub properties: BTreeMap<String, String>,
    /// From where it may come, in CIDR notation; empty is everywhere.
    pub addresses: Vec<String>,
    /// Requests per second and token; none is as the server has it.
    pub requests_per_second: Option<u32>,
}

/// What to change of a recipient; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct RecipientChange {
    /// What it is for.
    pub comment: Option<Option<String>>,
    /// What row filters may refer to, all of it.
    pub properties: Option<BTreeMap<String, String>>,
    /// From where it may come, all of it.
    pub addresses: Option<Vec<String>>,
    /// Requests per second and token.
    pub requests_per_second: Option<Option<u32>>,
    /// Whether it counts.
    pub status: Option<Status>,
}

impl Directory {
    /// Recipients by name, those behind `after`, at most `most`.
    pub fn recipients(&self, after: Option<&str>, most: usize) -> Vec<Recipient> {
        self.all(after, most)
    }

    /// One recipient.
    pub fn recipient(&self, name: &str) -> Result<Recipient, DirectoryError> {
        Ok(self.one(name)?.0)
    }

    /// Makes a recipient that may read nothing and has no token.
    pub async fn create_recipient(
        &self,
        new: NewRecipient,
        now_ms: i64,
    ) -> Result<Recipient, DirectoryError> {
        let recipient = Recipient::new(new, Uuid::new_v4(), now_ms)?;
        self.expect_room::<Recipient>(RECIPIENTS_MAX, "recipients")?;
        self.create(&recipient).await?;
        Ok(recipient)
    }

    /// Changes a recipient. What it counts for, it counts for the next request.
    pub async fn alter_recipient(
        &self,
        name: &str,
        change: RecipientChange,
    ) -> Result<Recipient, DirectoryError> {
        let changed =
            self.update::<Recipient, ()>(name, |recipient| recipient.alter(change.clone(), Uuid::new_v4));
        Ok(changed.await?.0)
    }

    /// Deletes a recipient with its grants and tokens.
    pub async fn delete_recipient(&self, name: &str) -> Result<Recipient, DirectoryError> {
        self.remove(name).await
    }
}

impl Recipient {
    /// A recipient born with `id`.
    pub(super) fn new(new: NewRecipient, id: Uuid, now_ms: i64) -> Result<Self, DirectoryError> {
        let NewRecipient { name, comment, properties, addresses, requests_per_second } = new;
        checked(Named::Recipient, &name)?;
        check_comment(comment.as_deref())?;
        check_properties(&properties)?;
        check_addresses(&addresses)?;
        check_rate(requests_per_second)?;
        Ok(Self {
            id,
            name,
            comment,
            created_ms: now_ms,
            status: Status::Enabled,
            properties,
            addresses,
            requests_per_second,
            grants: BTreeMap::new(),
            tokens: Vec::new(),
        })
    }

    /// Changes it. Grants whose rows a property chose are born anew when that changes: URLs of files with other rows must
    /// end (D3).
    pub(super) fn alter(
        &mut self,
        change: RecipientChange,
        mut fresh: impl FnMut() -> Uuid,
    ) -> Result<(), DirectoryError> {
        let RecipientChange { comment, properties, addresses, requests_per_second, status } = change;
        if let Some(comment) = comment {
            check_comment(comment.as_deref())?;
            self.comment = comment;
        }
        if let Some(properties) = properties {
            check_properties(&properties)?;
            let was = std::mem::replace(&mut self.properties, properties);
            let is = &self.properties;
            for grant in self.grants.values_mut() {
                let changed = grant.filters.values().flatten().any(|filter| match &filter.values {
                    RowValues::In(_) => false,
                    RowValues::Property(name) => was.get(name) != is.get(name),
                });
                if changed {
                    grant.id = fresh();
                }
            }
        }
        if let Some(addresses) = addresses {
            check_addresses(&addresses)?;
            self.addresses = addresses;
        }
        if let Some(requests_per_second) = requests_per_second {
            check_rate(requests_per_second)?;
            self.requests_per_second = requests_per_second;
        }
        if let Some(status) = status {
            self.status = status;
        }
        Ok(())
    }
}

/// Refuses a text that is empty or too long.
pub(super) fn check_text(what: &str, text: &str) -> Result<(), DirectoryError> {
    if (1..=TEXT_BYTES_MAX).contains(&text.len()) {
        return Ok(());
    }
    Err(DirectoryError::Invalid(format!("{what} has 1 to {TEXT_BYTES_MAX} bytes")))
}

fn check_properties(properties: &BTreeMap<String, String>) -> Result<(), DirectoryError> {
    if properties.len() > PROPERTIES_MAX {
        return Err(DirectoryError::Full { most: PROPERTIES_MAX, of: "properties of one recipient" });
    }
    properties.iter().try_for_each(|(name, value)| {
        check_text("the name of a property", name)?;
        check_text("the value of a property", value)
    })
}

fn check_addresses(addresses: &[String]) -> Result<(), DirectoryError> {
    if addresses.len() > ADDRESSES_MAX {
        return Err(DirectoryError::Full { most: ADDRESSES_MAX, of: "networks of one recipient" });
    }
    addresses.iter().try_for_each(|text| {
        let bad = || DirectoryError::Invalid(format!("{text:?} is no network, such as 192.0.2.0/24"));
        Network::parse(text).map(|_| ()).ok_or_else(bad)
    })
}

fn check_rate(rate: Option<u32>) -> Result<(), DirectoryError> {
    match rate {
        Some(rate) if !(1..=REQUESTS_PER_SECOND_MAX).contains(&rate) => {
            Err(DirectoryError::Invalid(format!("requests per second are 1 to {REQUESTS_PER_SECOND_MAX}")))
        }
        Some(_) | None => Ok(()),
    }
}
