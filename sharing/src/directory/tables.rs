//! What is in a share, and how it changes.

use std::collections::btree_map::Entry;

use uuid::Uuid;

use super::limits::{COMMENT_BYTES_MAX, SCHEMAS_OF_SHARE_MAX, TABLES_OF_SHARE_MAX};
use super::name::{checked, lower};
use super::{
    DirectoryError, EqualityDeletes, History, Named, Share, SharedSchema, SharedTable, Sharer, Source,
    UnsupportedColumns,
};

/// A table to put into a share.
#[derive(Debug, Clone)]
pub struct NewTable {
    /// The schema; made if it is not there.
    pub schema: String,
    /// Its name in the share.
    pub name: String,
    /// What it is for.
    pub comment: Option<String>,
    /// What is shared.
    pub source: Source,
    /// Who shares it.
    pub by: Sharer,
    /// Which versions recipients may read.
    pub history: History,
    /// What is done with columns that no reader of Delta could read.
    pub unsupported_columns: UnsupportedColumns,
    /// What is done with equality deletes.
    pub equality_deletes: EqualityDeletes,
}

/// What to change of a shared table; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct TableChange {
    /// What it is for.
    pub comment: Option<Option<String>>,
    /// Which versions recipients may read.
    pub history: Option<History>,
    /// What is done with columns that no reader of Delta could read.
    pub unsupported_columns: Option<UnsupportedColumns>,
    /// What is done with equality deletes.
    pub equality_deletes: Option<EqualityDeletes>,
}

impl Share {
    /// The table of this name.
    pub fn table(&self, schema: &str, name: &str) -> Option<&SharedTable> {
        self.schemas.get(&lower(schema))?.tables.get(&lower(name))
    }

    pub(super) fn has_schema(&self, name: &str) -> bool {
        self.schemas.contains_key(&lower(name))
    }

    fn table_mut(&mut self, schema: &str, name: &str) -> Result<&mut SharedTable, DirectoryError> {
        let tables = self.schemas.get_mut(&lower(schema)).map(|schema| &mut schema.tables);
        let table = tables.and_then(|tables| tables.get_mut(&lower(name)));
        table.ok_or_else(|| no_table(schema, name))
    }

    /// Adds a schema without tables.
    pub(super) fn add_schema(&mut self, name: &str) -> Result<(), DirectoryError> {
        let schemas = self.schemas.len();
        match self.schemas.entry(checked(Named::Schema, name)?) {
            Entry::Occupied(_) => Err(DirectoryError::Exists { named: Named::Schema, name: name.into() }),
            Entry::Vacant(_) if schemas >= SCHEMAS_OF_SHARE_MAX => {
                Err(DirectoryError::Full { most: SCHEMAS_OF_SHARE_MAX, of: "schemas of one share" })
            }
            Entry::Vacant(free) => {
                free.insert(SharedSchema { name: name.into(), ..SharedSchema::default() });
                Ok(())
            }
        }
    }

    /// Removes a schema without tables.
    pub(super) fn remove_schema(&mut self, name: &str) -> Result<(), DirectoryError> {
        let missing = || DirectoryError::Missing { named: Named::Schema, name: name.into() };
        match self.schemas.entry(lower(name)) {
            Entry::Vacant(_) => Err(missing()),
            Entry::Occupied(there) if !there.get().tables.is_empty() => {
                Err(DirectoryError::NotEmpty(name.into()))
            }
            Entry::Occupied(there) => {
                there.remove();
                Ok(())
            }
        }
    }

    /// Adds a table, born with `id`, and its schema if it is not there.
    pub(super) fn add_table(&mut self, new: NewTable, id: Uuid) -> Result<(), DirectoryError> {
        let NewTable { schema, name, comment, source, by, history, unsupported_columns, equality_deletes } =
            new;
        let key = checked(Named::Table, &name)?;
        check_comment(comment.as_deref())?;
        check_history(history)?;
        if self.schemas.values().map(|schema| schema.tables.len()).sum::<usize>() >= TABLES_OF_SHARE_MAX {
            return Err(DirectoryError::Full { most: TABLES_OF_SHARE_MAX, of: "tables of one share" });
        }
        if !self.has_schema(&schema) {
            self.add_schema(&schema)?;
        }
        let tables = &mut self.schemas.entry(lower(&schema)).or_default().tables;
        match tables.entry(key) {
            Entry::Occupied(_) => Err(DirectoryError::Exists { named: Named::Table, name }),
            Entry::Vacant(free) => {
                free.insert(SharedTable {
                    id,
                    name,
                    comment,
                    source,
                    by,
                    history,
                    unsupported_columns,
                    equality_deletes,
                });
                Ok(())
            }
        }
    }

    /// Changes a table. Where less of its history may be read it is born anew with `id`: URLs of files that were given out
    /// for the versions that are gone must end (D3).
    pub(super) fn alter_table(
        &mut self,
        (schema, name): (&str, &str),
        change: TableChange,
        id: Uuid,
    ) -> Result<(), DirectoryError> {
        let TableChange { comment, history, unsupported_columns, equality_deletes } = change;
        let table = self.table_mut(schema, name)?;
        if let Some(comment) = comment {
            check_comment(comment.as_deref())?;
            table.comment = comment;
        }
        if let Some(history) = history {
            check_history(history)?;
            if narrows(table.history, history) {
                table.id = id;
            }
            table.history = history;
        }
        if let Some(unsupported_columns) = unsupported_columns {
            table.unsupported_columns = unsupported_columns;
        }
        if let Some(equality_deletes) = equality_deletes {
            table.equality_deletes = equality_deletes;
        }
        Ok(())
    }

    /// Removes a table. Its schema stays.
    pub(super) fn remove_table(&mut self, schema: &str, name: &str) -> Result<(), DirectoryError> {
        let tables = self.schemas.get_mut(&lower(schema)).map(|schema| &mut schema.tables);
        let removed = tables.and_then(|tables| tables.remove(&lower(name)));
        removed.map(|_| ()).ok_or_else(|| no_table(schema, name))
    }
}

fn no_table(schema: &str, name: &str) -> DirectoryError {
    DirectoryError::Missing { named: Named::Table, name: format!("{schema}.{name}") }
}

/// Whether versions that could be read cannot be read any more.
fn narrows(was: History, is: History) -> bool {
    match (was, is) {
        (History::Latest, History::Latest | History::Shared { .. }) => false,
        (History::Shared { .. }, History::Latest) => true,
        (History::Shared { start: was }, History::Shared { start: is }) => is > was,
    }
}

fn check_history(history: History) -> Result<(), DirectoryError> {
    match history {
        History::Shared { start } if start < 0 => {
            Err(DirectoryError::Invalid("a history starts at version 0 or later".into()))
        }
        History::Shared { .. } | History::Latest => Ok(()),
    }
}

pub(super) fn check_comment(comment: Option<&str>) -> Result<(), DirectoryError> {
    match comment {
        Some(text) if text.len() > COMMENT_BYTES_MAX => {
            Err(DirectoryError::Invalid(format!("a comment has at most {COMMENT_BYTES_MAX} bytes")))
        }
        Some(_) | None => Ok(()),
    }
}
