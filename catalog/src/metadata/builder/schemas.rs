//! Updates of schemas, partition specs and sort orders.

use std::collections::HashSet;
use std::sync::Arc;

use super::Builder;
use crate::metadata::{FormatVersion, InvalidMetadata, PartitionSpec, Schema, SortOrder};

/// The id that means "the one added last in this commit".
const LAST_ADDED: i32 = -1;
const FIRST_SORT_ORDER_ID: i32 = 1;

impl Builder {
    pub(super) fn add_schema(&mut self, schema: &Arc<Schema>) -> Result<(), InvalidMetadata> {
        let last_column_id = self.table.last_column_id.max(schema.highest_field_id());
        schema.check_version(self.table.format_version)?;
        schema.check_defaults()?;
        if let Some(same) = self.table.schemas.iter().find(|known| known.same_as(schema)) {
            self.last_schema = Some(same.id());
            self.changed |= last_column_id != self.table.last_column_id;
            self.table.last_column_id = last_column_id;
            return Ok(());
        }
        let known = self.table.schemas.iter().map(|schema| schema.id());
        let id = next_id(self.table.current_schema_id, known.chain(self.removed_schema))?;
        let schema = if schema.id() == id { Arc::clone(schema) } else { Arc::new(schema.with_id(id)) };
        self.table.schemas.push(schema);
        self.table.last_column_id = last_column_id;
        self.last_schema = Some(id);
        self.changed = true;
        Ok(())
    }

    pub(super) fn set_current_schema(&mut self, id: i32) -> Result<(), InvalidMetadata> {
        let id = resolve(id, self.last_schema, "schema")?;
        if id == self.table.current_schema_id {
            return Ok(());
        }
        if self.table.schema(id).is_none() {
            return Err(InvalidMetadata::new(format!("schema {id} does not exist")));
        }
        self.table.current_schema_id = id;
        self.changed = true;
        Ok(())
    }

    pub(super) fn current_schema(&self) -> Result<Arc<Schema>, InvalidMetadata> {
        self.table.current_schema().cloned().ok_or_else(|| {
            InvalidMetadata::new(format!(
                "the current schema {} does not exist",
                self.table.current_schema_id
            ))
        })
    }

    pub(super) fn add_spec(&mut self, spec: PartitionSpec) -> Result<(), InvalidMetadata> {
        let schema = self.current_schema()?;
        // Also of a spec that is there already: its columns may be gone.
        spec.check_names(&schema)?;
        spec.check_sources(&schema)?;
        self.check_arguments(spec.fields.iter().map(|field| &field.source_ids))?;
        if let Some(same) = self.table.specs.iter().find(|known| known.compatible_with(&spec)) {
            self.last_spec = Some(same.id);
            return Ok(());
        }
        let id = next_id(0, self.table.specs.iter().map(|spec| spec.id))?;
        let mut spec = spec.with_field_ids(&self.table.specs, self.table.last_partition_id)?;
        let mut field_ids = HashSet::new();
        if !spec.fields.iter().all(|field| field_ids.insert(field.field_id)) {
            return Err(InvalidMetadata::new("a partition field id is used more than once"));
        }
        if self.table.format_version == FormatVersion::V1 && !spec.has_sequential_ids() {
            return Err(InvalidMetadata::new(
                "a V1 table needs partition field ids 1000, 1001, ... in order",
            ));
        }
        spec.id = id;
        self.table.last_partition_id = self.table.last_partition_id.max(spec.last_field_id());
        self.table.specs.push(Arc::new(spec));
        self.last_spec = Some(id);
        self.changed = true;
        Ok(())
    }

    /// Transforms of several columns came with V3: older readers know one source of a field.
    fn check_arguments<'a>(
        &self,
        mut sources: impl Iterator<Item = &'a Vec<i32>>,
    ) -> Result<(), InvalidMetadata> {
        let version = self.table.format_version;
        if version < FormatVersion::V3 && sources.any(|ids| ids.len() > 1) {
            return Err(InvalidMetadata::new(format!(
                "a transform of several columns needs format version 3, the table has {version}"
            )));
        }
        Ok(())
    }

    pub(super) fn set_default_spec(&mut self, id: i32) -> Result<(), InvalidMetadata> {
        let id = resolve(id, self.last_spec, "partition spec")?;
        if id == self.table.default_spec_id {
            return Ok(());
        }
        if self.table.spec(id).is_none() {
            return Err(InvalidMetadata::new(format!("partition spec {id} does not exist")));
        }
        self.table.default_spec_id = id;
        self.changed = true;
        Ok(())
    }

    pub(super) fn add_sort_order(&mut self, order: &SortOrder) -> Result<(), InvalidMetadata> {
        let schema = self.current_schema()?;
        order.check_sources(&schema)?;
        self.check_arguments(order.fields.iter().map(|field| &field.source_ids))?;
        let known = self
            .table
            .sort_orders
            .iter()
            .find(|known| known.fields == order.fields && (order.is_unsorted() == (known.id == 0)));
        if let Some(known) = known {
            self.last_order = Some(known.id);
            return Ok(());
        }
        let id = if order.is_unsorted() {
            0
        } else {
            next_id(FIRST_SORT_ORDER_ID, self.table.sort_orders.iter().map(|order| order.id))?
        };
        self.table.sort_orders.push(Arc::new(SortOrder { id, ..order.clone() }));
        self.last_order = Some(id);
        self.changed = true;
        Ok(())
    }

    pub(super) fn set_default_sort_order(&mut self, id: i32) -> Result<(), InvalidMetadata> {
        let id = resolve(id, self.last_order, "sort order")?;
        if id == self.table.default_sort_order_id {
            return Ok(());
        }
        if self.table.sort_order(id).is_none() {
            return Err(InvalidMetadata::new(format!("sort order {id} does not exist")));
        }
        self.table.default_sort_order_id = id;
        self.changed = true;
        Ok(())
    }

    pub(super) fn remove_specs(&mut self, ids: &[i32]) -> Result<(), InvalidMetadata> {
        if ids.contains(&self.table.default_spec_id) {
            return Err(InvalidMetadata::new("the default partition spec cannot be removed"));
        }
        self.changed |= !ids.is_empty();
        self.table.specs.retain(|spec| !ids.contains(&spec.id));
        Ok(())
    }

    pub(super) fn remove_schemas(&mut self, ids: &[i32]) -> Result<(), InvalidMetadata> {
        if ids.contains(&self.table.current_schema_id) {
            return Err(InvalidMetadata::new("the current schema cannot be removed"));
        }
        self.changed |= !ids.is_empty();
        let removed = self.table.schemas.iter().map(|schema| schema.id()).filter(|id| ids.contains(id));
        self.removed_schema = self.removed_schema.max(removed.max());
        self.table.schemas.retain(|schema| !ids.contains(&schema.id()));
        Ok(())
    }
}

/// The id given, or the one added last.
fn resolve(id: i32, last: Option<i32>, what: &str) -> Result<i32, InvalidMetadata> {
    if id != LAST_ADDED {
        return Ok(id);
    }
    last.ok_or_else(|| InvalidMetadata::new(format!("cannot set the last added {what}: none was added")))
}

/// The first id, from `start`, above all of `ids`.
fn next_id(start: i32, ids: impl Iterator<Item = i32>) -> Result<i32, InvalidMetadata> {
    let mut next = start;
    for id in ids.filter(|&id| id >= start) {
        let after = id.checked_add(1).ok_or_else(|| InvalidMetadata::new("no id is left"))?;
        next = next.max(after);
    }
    Ok(next)
}
