//! Grants: what a recipient may read, and which rows of it.

use std::collections::BTreeMap;

use serde::Deserialize;
use uuid::Uuid;

use super::limits::{
    FILTER_VALUES_MAX, FILTERS_OF_TABLE_MAX, GRANTS_OF_RECIPIENT_MAX, RECIPIENTS_MAX, TEXT_BYTES_MAX,
};
use super::name::lower;
use super::recipients::check_text;
use super::{
    Directory, DirectoryError, Grant, Named, NewRecipient, Recipient, RowFilter, RowValues, SHARE_KIND,
    Share, Token,
};

/// Row filters by `schema.table`.
pub type Filters = BTreeMap<String, Vec<RowFilter>>;

/// Which shares there are: their births by their names in lower case.
pub type Births = BTreeMap<String, Uuid>;

/// What tells a share from another of its name.
#[derive(Deserialize)]
struct Birth {
    id: Uuid,
}

impl Directory {
    /// Lets a recipient read a share: the rows that `filters` let pass of the tables they name, all rows of others. In the
    /// place of the grant it has; other filters end URLs that were given out by that.
    pub async fn grant(
        &self,
        recipient: &str,
        share: &str,
        filters: Filters,
        now_ms: i64,
    ) -> Result<Grant, DirectoryError> {
        let share = self.share(share)?;
        let filters = checked_filters(filters, &share)?;
        let shares = self.births();
        let id = Uuid::new_v4();
        let granted = self.update::<Recipient, Grant>(recipient, |recipient| {
            recipient.grants.retain(|name, grant| shares.get(name) == Some(&grant.share));
            let grant = Grant { id, share: share.id, created_ms: now_ms, filters: filters.clone() };
            recipient.put_grant(lower(&share.name), grant)
        });
        Ok(granted.await?.1)
    }

    /// Which shares there are.
    pub fn births(&self) -> Births {
        let state = self.catalog.snapshot();
        let births = state.documents(SHARE_KIND, None).filter_map(|(id, document)| {
            Some((id.to_string(), serde_json::from_str::<Birth>(&document.json).ok()?.id))
        });
        births.collect()
    }

    /// Makes a recipient, born with `birth`, that may read a share and has a token: all of it at once.
    pub async fn create_reader(
        &self,
        (new, birth): (NewRecipient, Uuid),
        share: &str,
        token: Token,
        now_ms: i64,
    ) -> Result<Recipient, DirectoryError> {
        let share = self.share(share)?;
        let mut recipient = Recipient::new(new, birth, now_ms)?;
        let grant =
            Grant { id: Uuid::new_v4(), share: share.id, created_ms: now_ms, filters: Filters::new() };
        recipient.put_grant(lower(&share.name), grant)?;
        recipient.add_token(token, now_ms)?;
        self.expect_room::<Recipient>(RECIPIENTS_MAX, "recipients")?;
        self.create(&recipient).await?;
        Ok(recipient)
    }

    /// Takes a grant back.
    pub async fn revoke(&self, recipient: &str, share: &str) -> Result<(), DirectoryError> {
        let revoked = self.update::<Recipient, ()>(recipient, |recipient| {
            recipient.grants.remove(&lower(share)).map(|_| ()).ok_or_else(|| DirectoryError::NoGrant {
                recipient: recipient.name.clone(),
                share: share.into(),
            })
        });
        revoked.await.map(|_| ())
    }
}

impl Recipient {
    /// Its grant on a share, if it means that one and not one before it (G1).
    pub fn grant_on(&self, share: &Share) -> Option<&Grant> {
        self.grants.get(&lower(&share.name)).filter(|grant| grant.share == share.id)
    }

    /// Puts a grant; the same one as there is stays as it is.
    pub(super) fn put_grant(&mut self, share: String, grant: Grant) -> Result<Grant, DirectoryError> {
        let full = self.grants.len() >= GRANTS_OF_RECIPIENT_MAX;
        match self.grants.get(&share) {
            Some(there) if there.share == grant.share && there.filters == grant.filters => {
                return Ok(there.clone());
            }
            None if full => {
                return Err(DirectoryError::Full {
                    most: GRANTS_OF_RECIPIENT_MAX,
                    of: "grants of one recipient",
                });
            }
            Some(_) | None => {}
        }
        self.grants.insert(share, grant.clone());
        Ok(grant)
    }
}

/// The filters by names in lower case. A table that is not in the share is refused: a filter that names none would let all
/// rows pass of the one that was meant.
fn checked_filters(filters: Filters, share: &Share) -> Result<Filters, DirectoryError> {
    let mut checked = Filters::new();
    for (table, filters) in filters {
        let named = table.split_once('.').and_then(|(schema, name)| share.table(schema, name));
        named.ok_or_else(|| DirectoryError::Missing { named: Named::Table, name: table.clone() })?;
        if filters.is_empty() {
            continue;
        }
        if filters.len() > FILTERS_OF_TABLE_MAX {
            return Err(DirectoryError::Full { most: FILTERS_OF_TABLE_MAX, of: "row filters of one table" });
        }
        filters.iter().try_for_each(check_filter)?;
        if checked.insert(lower(&table), filters).is_some() {
            return Err(DirectoryError::Invalid(format!("the row filters of {table:?} are given twice")));
        }
    }
    Ok(checked)
}

fn check_filter(filter: &RowFilter) -> Result<(), DirectoryError> {
    check_text("the column of a row filter", &filter.column)?;
    match &filter.values {
        RowValues::Property(name) => check_text("the property of a row filter", name),
        RowValues::In(values) if !(1..=FILTER_VALUES_MAX).contains(&values.len()) => {
            Err(DirectoryError::Invalid(format!("a row filter has 1 to {FILTER_VALUES_MAX} values")))
        }
        // The empty text is a value: it is how null is written.
        RowValues::In(values) if values.iter().any(|value| value.len() > TEXT_BYTES_MAX) => Err(
            DirectoryError::Invalid(format!("a value of a row filter has at most {TEXT_BYTES_MAX} bytes")),
        ),
        RowValues::In(_) => Ok(()),
    }
}
