//! Shares: made, listed, changed and deleted.

use uuid::Uuid;

use super::contents::Content;
use super::limits::SHARES_MAX;
use super::name::checked;
use super::tables::{NewTable, TableChange, check_comment};
use super::{Directory, DirectoryError, Grant, Named, Recipient, Share, Source};

impl Directory {
    /// Shares by name, those behind `after`, at most `most`.
    pub fn shares(&self, after: Option<&str>, most: usize) -> Vec<Share> {
        self.all(after, most)
    }

    /// One share.
    pub fn share(&self, name: &str) -> Result<Share, DirectoryError> {
        Ok(self.one(name)?.0)
    }

    /// Whether some share has this table.
    pub fn shares_table(&self, source: &Source) -> bool {
        let shares = self.shares(None, usize::MAX);
        let mut tables =
            shares.iter().flat_map(|share| share.schemas.values()).flat_map(|one| one.tables.values());
        tables.any(|table| table.source == *source)
    }

    /// Those who may read a share, with their grants, by name.
    pub fn grantees(&self, share: &Share) -> Vec<(Recipient, Grant)> {
        let recipients = self.all::<Recipient>(None, usize::MAX).into_iter();
        let granted = recipients.filter_map(|recipient| {
            let grant = recipient.grant_on(share)?.clone();
            Some((recipient, grant))
        });
        granted.collect()
    }

    /// Makes a share without tables.
    pub async fn create_share(
        &self,
        name: &str,
        comment: Option<String>,
        now_ms: i64,
    ) -> Result<Share, DirectoryError> {
        self.create_share_of(name, comment, Vec::new(), now_ms).await
    }

    /// Makes a share with tables, or with schemas that have none.
    pub async fn create_share_of(
        &self,
        name: &str,
        comment: Option<String>,
        contents: Vec<Content>,
        now_ms: i64,
    ) -> Result<Share, DirectoryError> {
        checked(Named::Share, name)?;
        check_comment(comment.as_deref())?;
        self.expect_room::<Share>(SHARES_MAX, "shares")?;
        let mut share = Share {
            id: Uuid::new_v4(),
            name: name.into(),
            comment,
            created_ms: now_ms,
            updated_ms: now_ms,
            schemas: Default::default(),
        };
        contents.iter().try_for_each(|content| share.add(content, Uuid::new_v4()))?;
        self.expect_sources(&contents).await?;
        self.create(&share).await?;
        Ok(share)
    }

    /// Changes what a share is for.
    pub async fn alter_share(
        &self,
        name: &str,
        comment: Option<String>,
        now_ms: i64,
    ) -> Result<Share, DirectoryError> {
        check_comment(comment.as_deref())?;
        self.change_share(name, now_ms, |share| {
            share.comment.clone_from(&comment);
            Ok(())
        })
        .await
    }

    /// Deletes a share. Grants on it mean nothing from now on (G1).
    pub async fn delete_share(&self, name: &str) -> Result<Share, DirectoryError> {
        self.remove(name).await
    }

    /// Adds a schema without tables.
    pub async fn add_schema(&self, share: &str, schema: &str, now_ms: i64) -> Result<Share, DirectoryError> {
        self.change_share(share, now_ms, |share| share.add_schema(schema)).await
    }

    /// Removes a schema without tables.
    pub async fn remove_schema(
        &self,
        share: &str,
        schema: &str,
        now_ms: i64,
    ) -> Result<Share, DirectoryError> {
        self.change_share(share, now_ms, |share| share.remove_schema(schema)).await
    }

    /// Adds a table that is there. Whether its sharer may read it was asked before.
    pub async fn add_table(
        &self,
        share: &str,
        table: NewTable,
        now_ms: i64,
    ) -> Result<Share, DirectoryError> {
        self.expect_source(&table.source).await?;
        let id = Uuid::new_v4();
        self.change_share(share, now_ms, |share| share.add_table(table.clone(), id)).await
    }

    /// Changes a table.
    pub async fn alter_table(
        &self,
        share: &str,
        table: (&str, &str),
        change: TableChange,
        now_ms: i64,
    ) -> Result<Share, DirectoryError> {
        let id = Uuid::new_v4();
        self.change_share(share, now_ms, |share| share.alter_table(table, change.clone(), id)).await
    }

    /// Removes a table. URLs of its files end.
    pub async fn remove_table(
        &self,
        share: &str,
        (schema, table): (&str, &str),
        now_ms: i64,
    ) -> Result<Share, DirectoryError> {
        self.change_share(share, now_ms, |share| share.remove_table(schema, table)).await
    }

    pub(super) async fn change_share(
        &self,
        name: &str,
        now_ms: i64,
        mut change: impl FnMut(&mut Share) -> Result<(), DirectoryError>,
    ) -> Result<Share, DirectoryError> {
        let changed = self.update::<Share, ()>(name, |share| {
            let was = share.clone();
            change(share)?;
            if *share != was {
                share.updated_ms = now_ms.max(was.updated_ms);
            }
            Ok(())
        });
        Ok(changed.await?.0)
    }
}
