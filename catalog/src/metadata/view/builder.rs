//! Applying updates to a view, one after the other, as the Java reference's `ViewMetadata.Builder`.
//!
//! - VB1: a UUID, once there, never changes.
//! - VB2: an id, once given to a schema or version, is not given to another while it is there.
//! - VB3: no change, no new metadata: `build` gives `None`.
//! - VB4: a commit drops no dialect of the current version unless a property allows it: another
//!   engine would lose the view.
//! - VB5: the versions kept are those with the highest ids, the current one and those just added.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::parse::check_format_version;
use super::{Representation, VersionLogEntry, ViewMetadata, ViewUpdate, ViewVersion};
use crate::metadata::Schema;
use crate::metadata::object::InvalidMetadata;
use crate::metadata::parse::strip_trailing_slash;

/// How many versions are kept when the view does not say.
const HISTORY_DEFAULT: usize = 10;
/// The most versions a view may ask to keep.
const HISTORY_MAX: usize = 1_000;
/// Entries of the version log that are kept.
const LOG_ENTRIES_MAX: usize = 1_000;
const HISTORY: &str = "version.history.num-entries";
const DROP_DIALECT: &str = "replace.drop-dialect.allowed";
const APPEND_DIALECT: &str = "replace.append-dialect.allowed";
/// The id that means "the one added last in this commit".
const LAST_ADDED: i32 = -1;
const FIRST_VERSION_ID: i32 = 1;

/// What a new view is made of.
#[derive(Debug, Clone)]
pub struct NewView<'a> {
    /// The schema; it gets an id of its own.
    pub schema: &'a Arc<Schema>,
    /// The version; its schema is that one, whatever it names.
    pub version: &'a ViewVersion,
    /// The base location.
    pub location: &'a str,
    /// The properties.
    pub properties: &'a BTreeMap<String, String>,
}

/// The next metadata of a view in the making.
#[derive(Debug, Clone)]
pub struct ViewBuilder {
    view: ViewMetadata,
    /// The current version it began with; `None` for a new view.
    base: Option<Arc<ViewVersion>>,
    changed: bool,
    last_schema: Option<i32>,
    last_version: Option<i32>,
    added: BTreeSet<i32>,
    at: i64,
}

impl ViewMetadata {
    /// The first metadata of a view. `at` is now, in milliseconds since 1970.
    pub fn create(new: &NewView<'_>, uuid: Uuid, at: i64) -> Result<Self, InvalidMetadata> {
        let version = ViewVersion { schema_id: LAST_ADDED, ..new.version.clone() };
        let updates = [
            ViewUpdate::AddSchema(Arc::clone(new.schema)),
            ViewUpdate::AddVersion(version),
            ViewUpdate::SetCurrentVersion(LAST_ADDED),
            ViewUpdate::SetProperties(new.properties.clone()),
        ];
        let view = Self {
            uuid,
            location: location_of(new.location)?,
            schemas: Vec::new(),
            current_version_id: LAST_ADDED,
            versions: Vec::new(),
            version_log: Vec::new(),
            properties: BTreeMap::new(),
            extra: Default::default(),
        };
        let mut builder = ViewBuilder::of(view, None, at);
        for update in &updates {
            builder.apply(update)?;
        }
        builder.build()?.ok_or_else(|| InvalidMetadata::new("a new view has no metadata"))
    }
}

impl ViewBuilder {
    /// Begins with what there is. `at` is now, in milliseconds since 1970.
    pub fn next(base: &ViewMetadata, at: i64) -> Self {
        Self::of(base.clone(), base.current_version().cloned(), at)
    }

    fn of(view: ViewMetadata, base: Option<Arc<ViewVersion>>, at: i64) -> Self {
        Self { view, base, changed: false, last_schema: None, last_version: None, added: BTreeSet::new(), at }
    }

    /// Applies one update.
    pub fn apply(&mut self, update: &ViewUpdate) -> Result<(), InvalidMetadata> {
        match update {
            ViewUpdate::AssignUuid(uuid) if *uuid == self.view.uuid => {}
            ViewUpdate::AssignUuid(uuid) => {
                return Err(InvalidMetadata::new(format!(
                    "the view's UUID is {} and cannot become {uuid}",
                    self.view.uuid
                )));
            }
            ViewUpdate::UpgradeFormatVersion(number) => check_format_version(*number)?,
            ViewUpdate::AddSchema(schema) => self.add_schema(schema)?,
            ViewUpdate::SetLocation(location) => {
                let location = location_of(location)?;
                self.changed |= location != self.view.location;
                self.view.location = location;
            }
            ViewUpdate::SetProperties(updates) => {
                self.view.properties.extend(updates.clone());
                self.changed |= !updates.is_empty();
            }
            ViewUpdate::RemoveProperties(removals) => {
                self.view.properties.retain(|key, _| !removals.contains(key));
                self.changed |= !removals.is_empty();
            }
            ViewUpdate::AddVersion(version) => self.add_version(version)?,
            ViewUpdate::SetCurrentVersion(id) => self.set_current_version(*id)?,
        }
        Ok(())
    }

    fn add_schema(&mut self, schema: &Arc<Schema>) -> Result<(), InvalidMetadata> {
        if let Some(same) = self.view.schemas.iter().find(|known| known.same_as(schema)) {
            self.last_schema = Some(same.id());
            return Ok(());
        }
        let highest = self.view.schemas.iter().map(|schema| schema.id()).max();
        let id = highest.map_or(Ok(0), |id| after(id.max(-1)))?;
        let schema = if schema.id() == id { Arc::clone(schema) } else { Arc::new(schema.with_id(id)) };
        self.view.schemas.push(schema);
        self.last_schema = Some(id);
        self.changed = true;
        Ok(())
    }

    fn add_version(&mut self, version: &ViewVersion) -> Result<(), InvalidMetadata> {
        let schema_id = match (version.schema_id, self.last_schema) {
            (LAST_ADDED, Some(last)) => last,
            (LAST_ADDED, None) => {
                return Err(InvalidMetadata::new("cannot use the last added schema: none was added"));
            }
            (id, _) => id,
        };
        if !self.view.schemas.iter().any(|schema| schema.id() == schema_id) {
            return Err(InvalidMetadata::new(format!("schema {schema_id} does not exist")));
        }
        check_representations(version)?;
        let mut version = ViewVersion { schema_id, ..version.clone() };
        if let Some(same) = self.view.versions.iter().find(|known| known.same_as(&version)) {
            self.last_version = Some(same.id);
            return Ok(());
        }
        // An id the client chose is kept when it is above all others.
        let highest = self.view.versions.iter().map(|version| version.id).max();
        let lowest = highest.map_or(Ok(FIRST_VERSION_ID), after)?;
        version.id = version.id.max(lowest);
        self.last_version = Some(version.id);
        self.added.insert(version.id);
        self.view.versions.push(Arc::new(version));
        self.changed = true;
        Ok(())
    }

    fn set_current_version(&mut self, id: i32) -> Result<(), InvalidMetadata> {
        let id = match (id, self.last_version) {
            (LAST_ADDED, Some(last)) => last,
            (LAST_ADDED, None) => {
                return Err(InvalidMetadata::new("cannot set the last added version: none was added"));
            }
            (id, _) => id,
        };
        if self.view.version(id).is_none() {
            return Err(InvalidMetadata::new(format!("version {id} does not exist")));
        }
        self.changed |= id != self.view.current_version_id;
        self.view.current_version_id = id;
        Ok(())
    }

    /// The next metadata; `None` when nothing changed (VB3).
    pub fn build(mut self) -> Result<Option<ViewMetadata>, InvalidMetadata> {
        if !self.changed {
            return Ok(None);
        }
        let current = self.view.current_version().cloned();
        let current = current.ok_or_else(|| InvalidMetadata::new("the view has no current version"))?;
        self.check_dialects(&current)?;
        self.log(&current);
        self.expire(&current)?;
        self.view.check()?;
        Ok(Some(self.view))
    }

    /// VB4.
    fn check_dialects(&self, current: &ViewVersion) -> Result<(), InvalidMetadata> {
        let may_drop = self.is_true(DROP_DIALECT);
        if may_drop && self.is_true(APPEND_DIALECT) {
            return Err(InvalidMetadata::new(format!(
                "{DROP_DIALECT} and {APPEND_DIALECT} cannot both be true"
            )));
        }
        let Some(base) = &self.base else { return Ok(()) };
        let kept: BTreeSet<String> = current.dialects().collect();
        match base.dialects().find(|dialect| !kept.contains(dialect)) {
            Some(lost) if !may_drop => Err(InvalidMetadata::new(format!(
                "the new version has no representation in dialect '{lost}', which the current one has; \
                 {DROP_DIALECT}=true allows it"
            ))),
            Some(_) | None => Ok(()),
        }
    }

    fn is_true(&self, key: &str) -> bool {
        self.view.properties.get(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// A version that is current since this commit goes into the log, with its own time when it is new.
    fn log(&mut self, current: &ViewVersion) {
        if self.base.as_ref().is_some_and(|base| base.id == current.id) {
            return;
        }
        let time = if self.added.contains(&current.id) { current.timestamp_ms } else { self.at };
        let last = self.view.version_log.last().map_or(time, |entry| entry.timestamp_ms);
        self.view.version_log.push(VersionLogEntry {
            timestamp_ms: time.max(last),
            version_id: current.id,
            extra: Default::default(),
        });
        let surplus = self.view.version_log.len().saturating_sub(LOG_ENTRIES_MAX);
        self.view.version_log.drain(..surplus);
    }

    /// VB5. The log begins behind the last entry that names a version which is gone.
    fn expire(&mut self, current: &ViewVersion) -> Result<(), InvalidMetadata> {
        let mut must_stay = std::mem::take(&mut self.added);
        must_stay.insert(current.id);
        let keep = must_stay.len().max(self.history()?);
        if self.view.versions.len() <= keep {
            return Ok(());
        }
        let mut ids: Vec<i32> = self.view.versions.iter().map(|version| version.id).collect();
        ids.sort_unstable_by_key(|id| (!must_stay.contains(id), std::cmp::Reverse(*id)));
        let kept: BTreeSet<i32> = ids.into_iter().take(keep).collect();
        self.view.versions.retain(|version| kept.contains(&version.id));
        let gone = self.view.version_log.iter().rposition(|entry| !kept.contains(&entry.version_id));
        self.view.version_log.drain(..gone.map_or(0, |position| position + 1));
        Ok(())
    }

    fn history(&self) -> Result<usize, InvalidMetadata> {
        let Some(text) = self.view.properties.get(HISTORY) else { return Ok(HISTORY_DEFAULT) };
        let count = text.trim().parse().ok().filter(|count| (1..=HISTORY_MAX).contains(count));
        count.ok_or_else(|| {
            InvalidMetadata::new(format!("{HISTORY}={text} is not a number from 1 to {HISTORY_MAX}"))
        })
    }
}

/// A version that is added is SQL, and once per dialect.
fn check_representations(version: &ViewVersion) -> Result<(), InvalidMetadata> {
    if version.representations.is_empty() {
        return Err(InvalidMetadata::new("a view version has no representation"));
    }
    let mut dialects = BTreeSet::new();
    for representation in &version.representations {
        match representation {
            Representation::Sql { dialect, .. } if !dialects.insert(dialect.to_lowercase()) => {
                return Err(InvalidMetadata::new(format!(
                    "Invalid view version: Cannot add multiple queries for dialect {dialect}"
                )));
            }
            Representation::Sql { .. } => {}
            Representation::Other { kind, .. } => {
                return Err(InvalidMetadata::new(format!("unknown view representation '{kind}'")));
            }
        }
    }
    Ok(())
}

fn location_of(location: &str) -> Result<Arc<str>, InvalidMetadata> {
    match strip_trailing_slash(location) {
        "" => Err(InvalidMetadata::new("a view location is empty")),
        location => Ok(location.into()),
    }
}

fn after(id: i32) -> Result<i32, InvalidMetadata> {
    id.checked_add(1).ok_or_else(|| InvalidMetadata::new("no id is left"))
}
