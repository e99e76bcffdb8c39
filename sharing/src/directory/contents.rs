//! All that is in a share at once, for those who tell it as a whole.

use uuid::Uuid;

use super::tables::{NewTable, check_comment};
use super::{Directory, DirectoryError, Share, SharedTable};

/// A part of a share.
#[derive(Debug, Clone)]
pub enum Content {
    /// A schema, which may have no tables.
    Schema(String),
    /// A table; its schema is made if it is not there.
    Table(NewTable),
}

impl Directory {
    /// Makes of a share what is told; `None` stays. A table that is shared from the same source already stays as it is.
    pub async fn replace_share(
        &self,
        name: &str,
        comment: Option<Option<String>>,
        contents: Option<Vec<Content>>,
        now_ms: i64,
    ) -> Result<Share, DirectoryError> {
        if let Some(contents) = &contents {
            self.expect_sources(contents).await?;
        }
        self.change_share(name, now_ms, |share| {
            if let Some(comment) = &comment {
                check_comment(comment.as_deref())?;
                share.comment.clone_from(comment);
            }
            contents.as_ref().map_or(Ok(()), |contents| share.replace(contents, Uuid::new_v4))
        })
        .await
    }

    /// Refuses contents whose tables are not there.
    pub(super) async fn expect_sources(&self, contents: &[Content]) -> Result<(), DirectoryError> {
        for content in contents {
            match content {
                Content::Schema(_) => {}
                Content::Table(table) => self.expect_source(&table.source).await?,
            }
        }
        Ok(())
    }
}

impl Share {
    /// Adds a part. A schema that is there already is not another.
    pub(super) fn add(&mut self, content: &Content, id: Uuid) -> Result<(), DirectoryError> {
        match content {
            Content::Schema(name) if self.has_schema(name) => Ok(()),
            Content::Schema(name) => self.add_schema(name),
            Content::Table(table) => self.add_table(table.clone(), id),
        }
    }

    /// Puts `contents` in the place of what there is.
    pub(super) fn replace(
        &mut self,
        contents: &[Content],
        mut fresh: impl FnMut() -> Uuid,
    ) -> Result<(), DirectoryError> {
        let was = std::mem::take(&mut self.schemas);
        contents.iter().try_for_each(|content| self.add(content, fresh()))?;
        for (key, schema) in &mut self.schemas {
            for (name, table) in &mut schema.tables {
                let old = was.get(key).and_then(|schema| schema.tables.get(name));
                if let Some(old) = old.filter(|old| old.source == table.source) {
                    *table = SharedTable { name: table.name.clone(), ..old.clone() };
                }
            }
        }
        Ok(())
    }
}
