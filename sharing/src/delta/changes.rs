//! What versions changed, from their commits alone.
//!
//! - C1: actions whose `dataChange` is false move rows about and are left out.
//! - C2: a version whose commit is gone cannot be told; the ones behind it can.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::bench::Bench;
use super::commit::{DefinitionLine, FileLine, FilesLine, Lines};
use super::definition::{Definition, Vectors};
use super::file::{Files, size_of_object};
use super::times::Times;
use crate::table::{ListBuilder, TableError, VersionChanges, Versions};

/// Actions that become files together.
const ACTIONS_AT_ONCE: usize = 512;

/// Reads commits in order, and knows what the table is meanwhile.
pub(super) struct Reader<'a> {
    bench: &'a Bench,
    definition: Definition,
    times: Times<'a>,
    there: Versions,
}

/// Whether a commit says what the table is.
#[derive(PartialEq)]
enum Told {
    Anew,
    Nothing,
}

/// Actions on their way into a list.
#[derive(Default)]
struct Pending {
    lines: Vec<FileLine>,
    list: ListBuilder,
}

/// The range of versions, when it is not too long to read.
pub(super) fn checked(bench: &Bench, start: i64, end: i64) -> Result<RangeInclusive<i64>, TableError> {
    let most = bench.limits.changed_versions_max;
    if start.abs_diff(end) >= most {
        let what = "the range of versions whose changes are asked for".to_owned();
        return Err(TableError::TooLarge { what, most: format!("{most} versions") });
    }
    Ok(start..=end)
}

impl<'a> Reader<'a> {
    /// `definition` is what the table is at the first version that will be read.
    pub(super) fn new(bench: &'a Bench, definition: Definition, times: Times<'a>, there: Versions) -> Self {
        Self { bench, definition, times, there }
    }

    /// What a version changed. Those before it, from the first on, must have been read.
    pub(super) fn read(&mut self, version: i64) -> Result<VersionChanges, TableError> {
        // A commit may say behind its files what they are files of.
        let told = self.define(version)?;
        let timestamp_ms = self.times.of(version)?;
        let [added, removed, changed] = self.lists(version, timestamp_ms)?;
        let vectors = if self.definition.may_have_vectors { Vectors::Some } else { Vectors::None };
        let (metadata, features) = match told {
            Told::Anew => {
                let (metadata, features) = self.definition.with(vectors);
                (Some(metadata), features)
            }
            Told::Nothing => (None, Default::default()),
        };
        let [added, removed, changed] = [added, removed, changed].map(|pending| pending.list.finish());
        Ok(VersionChanges { version, timestamp_ms, metadata, features, added, removed, changed })
    }

    fn lines(&self, version: i64) -> Result<Lines<'a>, TableError> {
        let Versions { latest, earliest } = self.there;
        let missing = || TableError::NoSuchVersion {
            version,
            // The next one may be there (C2).
            earliest: earliest.max(version.saturating_add(1)).min(latest),
            latest,
        };
        Lines::of(self.bench, version)?.ok_or_else(missing)
    }

    fn define(&mut self, version: i64) -> Result<Told, TableError> {
        let (mut meta_data, mut protocol) = (None, None);
        let mut lines = self.lines(version)?;
        while let Some(line) = lines.next::<DefinitionLine>()? {
            meta_data = line.meta_data.or(meta_data);
            protocol = line.protocol.or(protocol);
        }
        if meta_data.is_none() && protocol.is_none() {
            return Ok(Told::Nothing);
        }
        let before = &self.definition;
        let meta_data = meta_data.unwrap_or_else(|| Arc::clone(&before.meta_data));
        let protocol = protocol.unwrap_or_else(|| Arc::clone(&before.protocol));
        self.definition = Definition::new(meta_data, protocol)?;
        Ok(Told::Anew)
    }

    /// Files that came, that went, and those of the change feed.
    fn lists(&self, version: i64, timestamp_ms: i64) -> Result<[Pending; 3], TableError> {
        let mut files = Files::new(self.bench, &self.definition.partition_names);
        let mut lists: [Pending; 3] = Default::default();
        let mut lines = self.lines(version)?;
        while let Some(FilesLine { add, remove, cdc }) = lines.next()? {
            // Actions of the change feed never change data themselves (C1).
            let changing = |line: &FileLine| line.data_change != Some(false);
            let found = [add.filter(changing), remove.filter(changing), cdc];
            for (pending, line) in lists.iter_mut().zip(found) {
                pending.lines.extend(line);
                if pending.lines.len() >= ACTIONS_AT_ONCE {
                    self.settle(&mut files, pending, timestamp_ms)?;
                }
            }
        }
        lists.iter_mut().try_for_each(|pending| self.settle(&mut files, pending, timestamp_ms))?;
        Ok(lists)
    }

    fn settle(
        &self,
        files: &mut Files<'_>,
        pending: &mut Pending,
        timestamp_ms: i64,
    ) -> Result<(), TableError> {
        let lines = std::mem::take(&mut pending.lines);
        let actions = lines.iter().map(|line| Ok(line.action(self.size(line)?, timestamp_ms)));
        let actions: Vec<_> = actions.collect::<Result<_, TableError>>()?;
        files.push(&actions, &mut pending.list)
    }

    /// The size of a file. Those who remove one need not write it, nor the partition it was in.
    fn size(&self, line: &FileLine) -> Result<i64, TableError> {
        if line.partition_values.is_none() && !self.definition.partition_names.is_empty() {
            let what = "the table's log does not say which partitions removed files were in";
            return Err(TableError::Unsupported(what.into()));
        }
        match line.size {
            Some(size) => Ok(size),
            None => {
                let key = self.bench.root.key_of(&line.path)?;
                let size = self.bench.wait(size_of_object(self.bench, &key))?;
                i64::try_from(size).map_err(|_| TableError::Invalid("a file is too large".into()))
            }
        }
    }
}
