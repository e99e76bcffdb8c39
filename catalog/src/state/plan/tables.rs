//! Planning changes of tables.

use std::sync::Arc;

use uuid::Uuid;

use super::super::claims::Staged;
use super::super::limits::{STAGED_TABLES_MAX, TABLES_PER_COMMIT_MAX, UPDATES_PER_TABLE_MAX};
use super::super::name::{default_location, key_in_warehouse};
use super::super::places::{moved, touch};
use super::super::{
    CatalogState, Change, Conflict, CreateTable, Existing, Guard, Mark, Properties, Relation, StagedTable,
    TableChange, TableEntry, TableIdent, TablePut,
};
use super::dropped::check_guard;
use super::{FreshIds, Loaded, Plan, check_properties, repeated};
use crate::metadata::builder::{Builder, UpdateError};
use crate::metadata::create::NewTable;
use crate::metadata::{
    FormatVersion, InvalidMetadata, Metadata, TableMetadata, TableRequirement, TableUpdate,
};

/// A table to register.
pub(super) struct Register<'a> {
    pub(super) ident: &'a TableIdent,
    pub(super) metadata_location: &'a Arc<str>,
    pub(super) metadata: &'a Arc<TableMetadata>,
    pub(super) existing: Existing,
}

impl CatalogState {
    pub(super) fn plan_create_table(
        &self,
        create: &CreateTable,
        at: i64,
        ids: &mut FreshIds,
    ) -> Result<Plan, Conflict> {
        let metadata = self.new_table(create, at, ids)?;
        let mut plan = Plan::of(at, Vec::new());
        plan.write_table(self, &create.ident, metadata, ids);
        Ok(plan)
    }

    /// The first metadata of a table, which must not exist.
    pub(super) fn new_table(
        &self,
        create: &CreateTable,
        at: i64,
        ids: &mut FreshIds,
    ) -> Result<TableMetadata, Conflict> {
        let ident = &create.ident;
        check_properties(&create.properties)?;
        self.check_absent(Relation::Table, ident)?;
        let uuid = ids.uuid();
        let location = match &create.location {
            Some(location) => location.clone(),
            None => self.location_for(ident, uuid)?,
        };
        let table = NewTable {
            schema: &create.schema,
            spec: create.spec.as_ref(),
            order: create.order.as_ref(),
            location: &location,
            properties: &create.properties,
        };
        let metadata = TableMetadata::create(&table, uuid, at).map_err(|error| update_error(ident, error))?;
        self.places_of(ident, None, &metadata, Some(at))?;
        Ok(metadata)
    }

    pub(super) fn plan_commit_tables(
        &self,
        changes: &[TableChange],
        loaded: &Loaded,
        at: i64,
        ids: &mut FreshIds,
    ) -> Result<Plan, Conflict> {
        if changes.len() > TABLES_PER_COMMIT_MAX {
            return Err(Conflict::Invalid(format!("a commit names at most {TABLES_PER_COMMIT_MAX} tables")));
        }
        if let Some(twice) = repeated(changes.iter().map(|change| &change.ident)) {
            return Err(Conflict::Invalid(format!("table '{twice}' is named more than once")));
        }
        let mut plan = Plan::of(at, Vec::new());
        for change in changes {
            if change.updates.len() > UPDATES_PER_TABLE_MAX {
                return Err(Conflict::Invalid(format!(
                    "a commit has at most {UPDATES_PER_TABLE_MAX} updates of a table"
                )));
            }
            if change.is_create() {
                self.plan_create_by_commit(change, &mut plan, ids)?;
            } else {
                self.plan_update(change, loaded, &mut plan, ids)?;
            }
        }
        Ok(plan)
    }

    /// A commit that requires the table not to exist makes it from its updates.
    fn plan_create_by_commit(
        &self,
        change: &TableChange,
        plan: &mut Plan,
        ids: &mut FreshIds,
    ) -> Result<(), Conflict> {
        let ident = &change.ident;
        self.find_namespace(&ident.warehouse, &ident.namespace)?;
        if self.table(ident).is_some() {
            let failed = crate::metadata::RequirementFailed::new("table already exists");
            return Err(Conflict::Requirement { table: ident.clone(), failed });
        }
        self.check_no_view(ident)?;
        if change.requirements.iter().any(|requirement| *requirement != TableRequirement::Create) {
            return Err(Conflict::Invalid(format!(
                "table '{ident}': a create has no requirement but assert-create"
            )));
        }
        let version = change.updates.iter().find_map(|update| {
            let TableUpdate::UpgradeFormatVersion(number) = update else { return None };
            Some(*number)
        });
        let version = version.map_or(Ok(FormatVersion::V2), FormatVersion::from_number);
        let version = version.map_err(|error| update_error(ident, error))?;
        let uuid = ids.uuid();
        let location = self.location_for(ident, uuid)?;
        let builder = Builder::new(version, uuid, &location, plan.commit.at);
        let metadata = apply_updates(change, builder)?;
        let metadata =
            metadata.ok_or_else(|| Conflict::Invalid(format!("table '{ident}' has no metadata")))?;
        plan.claim(self.places_of(ident, None, &metadata, Some(plan.commit.at))?)?;
        plan.write_table(self, ident, metadata, ids);
        Ok(())
    }

    pub(super) fn plan_update(
        &self,
        change: &TableChange,
        loaded: &Loaded,
        plan: &mut Plan,
        ids: &mut FreshIds,
    ) -> Result<(), Conflict> {
        let ident = &change.ident;
        let entry = self.find_table(ident)?;
        let base = loaded.get(ident, &entry.metadata_location)?;
        for requirement in &change.requirements {
            let failed = |failed| Conflict::Requirement { table: ident.clone(), failed };
            requirement.check(Some(base)).map_err(failed)?;
        }
        // The table's clock never goes back, whatever the machine's does.
        let at = plan.commit.at.max(base.last_updated_ms());
        let mut builder = Builder::next(base, Some(&entry.metadata_location), at);
        if base.uuid().is_none() {
            let assign = TableUpdate::AssignUuid(entry.uuid);
            // It takes effect with the first real change.
            if !change.updates.is_empty() {
                apply(ident, &mut builder, &assign)?;
            }
        }
        match apply_updates(change, builder)? {
            Some(metadata) => {
                if moved(base, &metadata) {
                    plan.claim(self.places_of(ident, Some(entry), &metadata, Some(plan.commit.at))?)?;
                }
                plan.write_table(self, ident, metadata, ids);
            }
            None => {
                plan.reads.push(ident.clone());
                plan.tables.push((ident.clone(), entry.metadata_location.to_string(), Arc::clone(base)));
            }
        }
        Ok(())
    }

    pub(super) fn plan_unregister_table(
        &self,
        ident: &TableIdent,
        loaded: &Loaded,
        at: i64,
    ) -> Result<Plan, Conflict> {
        let entry = self.find_table(ident)?;
        let metadata = loaded.get(ident, &entry.metadata_location)?;
        check_guard(Guard::Respect, Some(metadata.properties()), || Conflict::TableProtected(ident.clone()))?;
        let drop = Change::DropTable { ident: ident.clone() };
        let mut plan = Plan::of(at, vec![drop, Change::Mark(Mark::Unregistered)]);
        plan.commit.changes.extend(self.release(entry.uuid));
        plan.tables.push((ident.clone(), entry.metadata_location.to_string(), Arc::clone(metadata)));
        Ok(plan)
    }

    /// Claims the places of a staged table, so that nobody else is given access to them before it is created.
    pub(super) fn plan_stage_table(&self, staged: &StagedTable, at: i64) -> Result<Plan, Conflict> {
        self.check_absent(Relation::Table, &staged.ident)?;
        let places = self.places_of_staged(staged, at)?;
        if self.staged_claims() >= STAGED_TABLES_MAX {
            return Err(Conflict::TooManyStaged);
        }
        let StagedTable { ident, metadata, owner, until } = staged;
        let uuid =
            metadata.uuid().ok_or_else(|| Conflict::Invalid("a staged table has no UUID".to_owned()))?;
        let held = Staged { table: ident.clone(), owner: owner.to_string(), until: *until };
        Ok(Plan::of(at, self.claim_staged(uuid, places, held, at)))
    }

    pub(super) fn plan_rename_table(
        &self,
        from: &TableIdent,
        to: &TableIdent,
        at: i64,
    ) -> Result<Plan, Conflict> {
        if from.warehouse != to.warehouse {
            return Err(Conflict::Invalid("a table is not renamed into another warehouse".to_owned()));
        }
        self.find_table(from)?;
        self.check_renamed(from, to)?;
        Ok(Plan::of(at, vec![Change::RenameTable { from: from.clone(), to: to.clone() }]))
    }

    pub(super) fn plan_register_table(
        &self,
        register: &Register<'_>,
        loaded: &Loaded,
        at: i64,
        ids: &mut FreshIds,
    ) -> Result<Plan, Conflict> {
        let Register { ident, metadata_location, metadata, existing } = register;
        match existing {
            Existing::Refuse => self.check_absent(Relation::Table, ident)?,
            Existing::Overwrite => {
                self.find_namespace(&ident.warehouse, &ident.namespace)?;
                self.check_no_view(ident)?;
            }
        }
        let replaced = self.table(ident);
        if let Some(replaced) = replaced {
            // What the file says of protection counts from now on; what the table says, until now.
            let before = loaded.get_readable(ident, &replaced.metadata_location)?;
            let properties = before.map(|before| before.properties());
            check_guard(Guard::Respect, properties, || Conflict::TableProtected((*ident).clone()))?;
        }
        check_location(ident, metadata_location)?;
        self.places_of(ident, replaced.map(|entry| &**entry), metadata, Some(at))?;
        let uuid = metadata.uuid().unwrap_or_else(|| ids.uuid());
        let put = put_table(ident, uuid, metadata_location, metadata);
        let mut plan = Plan::of(at, vec![put, Change::Mark(Mark::Registered)]);
        if let Some(replaced) = replaced.filter(|replaced| replaced.uuid != uuid) {
            plan.commit.changes.extend(self.release(replaced.uuid));
        }
        plan.commit.changes.extend(self.claim_places(ident, uuid, metadata));
        plan.tables.push(((*ident).clone(), metadata_location.to_string(), Arc::clone(metadata)));
        Ok(plan)
    }

    pub(super) fn find_table(&self, ident: &TableIdent) -> Result<&Arc<TableEntry>, Conflict> {
        self.find_warehouse(&ident.warehouse)?;
        self.table(ident).ok_or_else(|| Conflict::NoSuchTable(ident.clone()))
    }

    /// The namespace is there, and in it neither a table nor a view of the name that `wanted` is to have.
    pub(super) fn check_absent(&self, wanted: Relation, ident: &TableIdent) -> Result<(), Conflict> {
        self.find_namespace(&ident.warehouse, &ident.namespace)?;
        let name = ident.clone();
        Err(match (wanted, self.relation(ident)) {
            (_, None) => return Ok(()),
            (Relation::Table, Some(Relation::Table)) => Conflict::TableExists(name),
            (Relation::View, Some(Relation::View)) => Conflict::ViewExists(name),
            (_, Some(by)) => Conflict::NameTaken { name, by },
        })
    }

    /// The namespace is there, and in it neither a table nor a view of the new name.
    pub(super) fn check_renamed(&self, from: &TableIdent, to: &TableIdent) -> Result<(), Conflict> {
        self.find_namespace(&to.warehouse, &to.namespace)?;
        match self.relation(to) {
            Some(by) => Err(Conflict::RenamedOnto { from: from.clone(), to: to.clone(), by }),
            None => Ok(()),
        }
    }

    fn check_no_view(&self, ident: &TableIdent) -> Result<(), Conflict> {
        match self.view(ident) {
            Some(_) => Err(Conflict::NameTaken { name: ident.clone(), by: Relation::View }),
            None => Ok(()),
        }
    }

    fn relation(&self, ident: &TableIdent) -> Option<Relation> {
        let table = self.table(ident).map(|_| Relation::Table);
        table.or_else(|| self.view(ident).map(|_| Relation::View))
    }

    pub(super) fn location_for(&self, ident: &TableIdent, uuid: Uuid) -> Result<String, Conflict> {
        let namespace = self.find_namespace(&ident.warehouse, &ident.namespace)?;
        Ok(default_location(ident, namespace.properties.get("location").map(String::as_str), uuid))
    }
}

impl Plan {
    /// Refuses places where another table of the same commit comes to lie.
    fn claim(&mut self, places: Vec<String>) -> Result<(), Conflict> {
        let touched = places.iter().find(|place| self.claimed.iter().any(|claimed| touch(claimed, place)));
        if let Some(place) = touched {
            return Err(Conflict::Invalid(format!("'{place}' overlaps with another table of the commit")));
        }
        self.claimed.extend(places);
        Ok(())
    }

    /// Adds a table's new metadata: a file to write, a change, an answer.
    fn write_table(
        &mut self,
        state: &CatalogState,
        ident: &TableIdent,
        metadata: TableMetadata,
        ids: &mut FreshIds,
    ) {
        let before = state.table(ident);
        let uuid = metadata.uuid().or(before.map(|before| before.uuid)).unwrap_or_else(|| ids.uuid());
        let version = before
            .and_then(|before| file_version(&before.metadata_location))
            .map_or(0, |version| version + 1);
        let directory = (metadata.location(), metadata.properties());
        let file = metadata_file(&ident.warehouse, directory, version, ids.uuid());
        let metadata = Arc::new(metadata);
        self.commit.changes.push(put_table(ident, uuid, &file, &metadata));
        if before.is_none() {
            self.commit.changes.push(Change::Mark(Mark::Created));
        }
        self.commit.changes.extend(state.claim_places(ident, uuid, &metadata));
        self.writes.push((file.clone(), Metadata::Table(Arc::clone(&metadata))));
        self.tables.push((ident.clone(), file, metadata));
    }
}

fn apply_updates(change: &TableChange, mut builder: Builder) -> Result<Option<TableMetadata>, Conflict> {
    for update in &change.updates {
        apply(&change.ident, &mut builder, update)?;
    }
    builder.build().map_err(|error| update_error(&change.ident, error))
}

fn apply(ident: &TableIdent, builder: &mut Builder, update: &TableUpdate) -> Result<(), Conflict> {
    if let TableUpdate::SetProperties(updates) = update {
        check_properties(updates)?;
    }
    builder.apply(update).map_err(|error| match error {
        UpdateError::Stale { message } => Conflict::Stale { table: ident.clone(), message },
        UpdateError::Invalid(error) => update_error(ident, error),
    })
}

fn update_error(ident: &TableIdent, error: InvalidMetadata) -> Conflict {
    Conflict::Update { table: ident.clone(), error }
}

pub(super) fn check_location(ident: &TableIdent, location: &str) -> Result<(), Conflict> {
    let warehouse = &ident.warehouse;
    if key_in_warehouse(warehouse, location).is_some() {
        return Ok(());
    }
    Err(Conflict::Invalid(format!("location '{location}' does not lie inside 's3://{warehouse}/'")))
}

fn put_table(ident: &TableIdent, uuid: Uuid, file: &str, metadata: &TableMetadata) -> Change {
    Change::PutTable(TablePut {
        ident: ident.clone(),
        uuid,
        location: metadata.location().into(),
        metadata_location: file.into(),
        snapshot_id: metadata.current_snapshot_id(),
        schema_id: metadata.current_schema_id(),
    })
}

/// `<location>/metadata/<5-digit version>-<uuid>[.gz].metadata.json`. `write.metadata.path` moves it,
/// if it stays in the warehouse.
pub(super) fn metadata_file(
    warehouse: &str,
    (location, properties): (&str, &Properties),
    version: u64,
    uuid: Uuid,
) -> String {
    let codec = properties.get("write.metadata.compression-codec");
    let suffix = if codec.is_some_and(|codec| codec.eq_ignore_ascii_case("gzip")) { ".gz" } else { "" };
    let path = properties.get("write.metadata.path").map(|path| path.trim_end_matches('/'));
    let path = path.filter(|path| key_in_warehouse(warehouse, path).is_some());
    let directory = path.map_or_else(|| format!("{location}/metadata"), str::to_owned);
    format!("{directory}/{version:05}-{uuid}{suffix}.metadata.json")
}

/// The version in a metadata file's name, `00003-<uuid>.metadata.json` or `v3.metadata.json`.
pub(super) fn file_version(location: &str) -> Option<u64> {
    let name = location.rsplit('/').next()?;
    let digits = name.strip_prefix('v').unwrap_or(name);
    let end = digits.find(|char: char| !char.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok().filter(|&version| version < u64::MAX)
}
