//! Planning changes of views.

use std::sync::Arc;

use super::super::limits::UPDATES_PER_TABLE_MAX;
use super::super::{
    CatalogState, Change, Conflict, CreateView, Mark, Relation, TableIdent, ViewChange, ViewEntry, ViewPut,
};
use super::tables::{check_location, file_version, metadata_file};
use super::{FreshIds, Loaded, Plan, check_properties};
use crate::metadata::view::{NewView, ViewBuilder, ViewUpdate};
use crate::metadata::{InvalidMetadata, Metadata, ViewMetadata};

impl CatalogState {
    pub(super) fn plan_create_view(
        &self,
        create: &CreateView,
        at: i64,
        ids: &mut FreshIds,
    ) -> Result<Plan, Conflict> {
        let ident = &create.ident;
        check_properties(&create.properties)?;
        self.check_absent(Relation::View, ident)?;
        let uuid = ids.uuid();
        let location = match &create.location {
            Some(location) => location.clone(),
            None => self.location_for(ident, uuid)?,
        };
        let new = NewView {
            schema: &create.schema,
            version: &create.version,
            location: &location,
            properties: &create.properties,
        };
        let metadata = ViewMetadata::create(&new, uuid, at).map_err(|error| update_error(ident, error))?;
        self.check_view_place(ident, None, metadata.location(), at)?;
        let mut plan = Plan::of(at, Vec::new());
        plan.write_view(ident, None, metadata, ids);
        Ok(plan)
    }

    pub(super) fn plan_commit_view(
        &self,
        change: &ViewChange,
        loaded: &Loaded,
        at: i64,
        ids: &mut FreshIds,
    ) -> Result<Plan, Conflict> {
        let ident = &change.ident;
        if change.updates.len() > UPDATES_PER_TABLE_MAX {
            let message = format!("a commit has at most {UPDATES_PER_TABLE_MAX} updates of a view");
            return Err(Conflict::Invalid(message));
        }
        let entry = self.find_view(ident)?;
        let base = loaded.get_view(ident, &entry.metadata_location)?;
        for requirement in &change.requirements {
            let failed = |failed| Conflict::ViewRequirement { view: ident.clone(), failed };
            requirement.check(base).map_err(failed)?;
        }
        let mut builder = ViewBuilder::next(base, at);
        for update in &change.updates {
            if let ViewUpdate::SetProperties(updates) = update {
                check_properties(updates)?;
            }
            builder.apply(update).map_err(|error| update_error(ident, error))?;
        }
        let mut plan = Plan::of(at, Vec::new());
        match builder.build().map_err(|error| update_error(ident, error))? {
            Some(metadata) => {
                if metadata.location() != base.location() {
                    self.check_view_place(ident, Some(&entry.location), metadata.location(), at)?;
                }
                plan.write_view(ident, Some(entry), metadata, ids);
            }
            None => plan.views.push((ident.clone(), entry.metadata_location.to_string(), Arc::clone(base))),
        }
        Ok(plan)
    }

    pub(super) fn plan_drop_view(&self, ident: &TableIdent, at: i64) -> Result<Plan, Conflict> {
        self.find_view(ident)?;
        Ok(Plan::of(at, vec![Change::DropView { ident: ident.clone() }]))
    }

    pub(super) fn plan_rename_view(
        &self,
        from: &TableIdent,
        to: &TableIdent,
        at: i64,
    ) -> Result<Plan, Conflict> {
        if from.warehouse != to.warehouse {
            return Err(Conflict::Invalid("a view is not renamed into another warehouse".to_owned()));
        }
        self.find_view(from)?;
        self.check_renamed(from, to)?;
        Ok(Plan::of(at, vec![Change::RenameView { from: from.clone(), to: to.clone() }]))
    }

    pub(super) fn plan_register_view(
        &self,
        ident: &TableIdent,
        metadata_location: &str,
        metadata: &Arc<ViewMetadata>,
        at: i64,
    ) -> Result<Plan, Conflict> {
        self.check_absent(Relation::View, ident)?;
        check_location(ident, metadata_location)?;
        self.check_view_place(ident, None, metadata.location(), at)?;
        let put = put_view(ident, metadata_location, metadata);
        let mut plan = Plan::of(at, vec![put, Change::Mark(Mark::Registered)]);
        plan.views.push((ident.clone(), metadata_location.to_owned(), Arc::clone(metadata)));
        Ok(plan)
    }

    fn find_view(&self, ident: &TableIdent) -> Result<&Arc<ViewEntry>, Conflict> {
        self.find_warehouse(&ident.warehouse)?;
        self.view(ident).ok_or_else(|| Conflict::NoSuchView(ident.clone()))
    }
}

impl Plan {
    /// Adds a view's new metadata: a file to write, a change, an answer.
    fn write_view(
        &mut self,
        ident: &TableIdent,
        before: Option<&ViewEntry>,
        metadata: ViewMetadata,
        ids: &mut FreshIds,
    ) {
        let version = before
            .and_then(|before| file_version(&before.metadata_location))
            .map_or(0, |version| version + 1);
        let directory = (metadata.location(), metadata.properties());
        let file = metadata_file(&ident.warehouse, directory, version, ids.uuid());
        let metadata = Arc::new(metadata);
        self.commit.changes.push(put_view(ident, &file, &metadata));
        if before.is_none() {
            self.commit.changes.push(Change::Mark(Mark::Created));
        }
        self.writes.push((file.clone(), Metadata::View(Arc::clone(&metadata))));
        self.views.push((ident.clone(), file, metadata));
    }
}

fn put_view(ident: &TableIdent, file: &str, metadata: &ViewMetadata) -> Change {
    Change::PutView(ViewPut {
        ident: ident.clone(),
        uuid: metadata.uuid(),
        location: metadata.location().into(),
        metadata_location: file.into(),
    })
}

fn update_error(view: &TableIdent, error: InvalidMetadata) -> Conflict {
    Conflict::ViewUpdate { view: view.clone(), error }
}
