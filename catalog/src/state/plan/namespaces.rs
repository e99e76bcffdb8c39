//! Planning changes of warehouses and namespaces.

use std::sync::Arc;

use super::super::limits::LOCATION_BYTES_MAX;
use super::super::name::{check_warehouse_name, key_in_warehouse};
use super::super::{
    CatalogState, Change, Conflict, Guard, Mark, Namespace, NamespaceEntry, Properties, Warehouse, keep_ms_of,
};
use super::dropped::check_guard;
use super::{Plan, check_properties};

impl CatalogState {
    pub(super) fn plan_create_warehouse(
        &self,
        name: &Arc<str>,
        properties: &Properties,
        at: i64,
    ) -> Result<Plan, Conflict> {
        check_warehouse_name(name)?;
        check_warehouse_properties(properties)?;
        if self.warehouse(name).is_some() {
            return Err(Conflict::WarehouseExists(Arc::clone(name)));
        }
        let change = Change::PutWarehouse { name: Arc::clone(name), properties: properties.clone() };
        Ok(Plan::of(at, vec![change, Change::Mark(Mark::Created)]))
    }

    pub(super) fn plan_drop_warehouse(&self, name: &Arc<str>, at: i64) -> Result<Plan, Conflict> {
        if self.find_warehouse(name)?.namespace_count() > 0 {
            return Err(Conflict::WarehouseNotEmpty(Arc::clone(name)));
        }
        if self.keeps_dropped(name) {
            return Err(Conflict::WarehouseKeepsTables(Arc::clone(name)));
        }
        Ok(Plan::of(at, vec![Change::DropWarehouse { name: Arc::clone(name) }]))
    }

    pub(super) fn plan_create_namespace(
        &self,
        warehouse: &Arc<str>,
        namespace: &Namespace,
        properties: &Properties,
        at: i64,
    ) -> Result<Plan, Conflict> {
        let found = self.find_warehouse(warehouse)?;
        check_namespace_properties(warehouse, properties)?;
        if found.namespaces.contains_key(namespace) {
            return Err(Conflict::NamespaceExists(namespace.clone()));
        }
        // As in the reference catalogs, what lies around it need not be there: it comes with it.
        let mut changes = vec![put_namespace(warehouse, namespace, properties.clone())];
        let mut outer = namespace.parent();
        while let Some(parent) = outer.filter(|parent| !found.namespaces.contains_key(parent)) {
            changes.push(put_namespace(warehouse, &parent, Properties::new()));
            outer = parent.parent();
        }
        let outermost_first = changes.into_iter().rev();
        let changes = outermost_first.flat_map(|put| [put, Change::Mark(Mark::Created)]).collect();
        Ok(Plan::of(at, changes))
    }

    pub(super) fn plan_drop_namespace(
        &self,
        (warehouse, namespace): (&Arc<str>, &Namespace),
        guard: Guard,
        at: i64,
    ) -> Result<Plan, Conflict> {
        let entry = self.find_namespace(warehouse, namespace)?;
        check_guard(guard, Some(&entry.properties), || Conflict::NamespaceProtected(namespace.clone()))?;
        let has_child = self.namespaces(warehouse, Some(namespace), None).next().is_some();
        let has_function = self.functions(warehouse, namespace, None).next().is_some();
        if entry.table_count() > 0 || entry.view_count() > 0 || has_function || has_child {
            return Err(Conflict::NamespaceNotEmpty(namespace.clone()));
        }
        let change = Change::DropNamespace { warehouse: Arc::clone(warehouse), namespace: namespace.clone() };
        Ok(Plan::of(at, vec![change]))
    }

    pub(super) fn plan_update_namespace(
        &self,
        (warehouse, namespace): (&Arc<str>, &Namespace),
        updates: &Properties,
        removals: &[String],
        at: i64,
    ) -> Result<Plan, Conflict> {
        if let Some(both) = removals.iter().find(|key| updates.contains_key(*key)) {
            return Err(Conflict::SetAndRemoved(both.clone()));
        }
        let entry = self.find_namespace(warehouse, namespace)?;
        let mut properties = (*entry.properties).clone();
        let missing = removals.iter().filter(|key| properties.remove(*key).is_none()).cloned().collect();
        properties.extend(updates.iter().map(|(key, value)| (key.clone(), value.clone())));
        check_namespace_properties(warehouse, &properties)?;
        let changes = if properties == *entry.properties {
            Vec::new()
        } else {
            vec![put_namespace(warehouse, namespace, properties)]
        };
        Ok(Plan { missing, ..Plan::of(at, changes) })
    }

    pub(super) fn find_warehouse(&self, name: &Arc<str>) -> Result<&Warehouse, Conflict> {
        self.warehouse(name).ok_or_else(|| Conflict::NoSuchWarehouse(Arc::clone(name)))
    }

    pub(super) fn find_namespace(
        &self,
        warehouse: &Arc<str>,
        namespace: &Namespace,
    ) -> Result<&NamespaceEntry, Conflict> {
        let found = self.find_warehouse(warehouse)?.namespaces.get(namespace);
        found.ok_or_else(|| Conflict::NoSuchNamespace(namespace.clone()))
    }
}

fn put_namespace(warehouse: &Arc<str>, namespace: &Namespace, properties: Properties) -> Change {
    Change::PutNamespace { warehouse: Arc::clone(warehouse), namespace: namespace.clone(), properties }
}

pub(super) fn check_warehouse_properties(properties: &Properties) -> Result<(), Conflict> {
    check_properties(properties)?;
    keep_ms_of(properties).map(|_| ())
}

/// A namespace's `location` is where its tables go, so it lies in the warehouse.
fn check_namespace_properties(warehouse: &str, properties: &Properties) -> Result<(), Conflict> {
    check_properties(properties)?;
    let Some(location) = properties.get("location") else { return Ok(()) };
    let bare = location.strip_suffix('/').unwrap_or(location);
    let root = bare.strip_prefix("s3://") == Some(warehouse);
    if root || (location.len() <= LOCATION_BYTES_MAX && key_in_warehouse(warehouse, bare).is_some()) {
        return Ok(());
    }
    Err(Conflict::Invalid(format!("location '{location}' does not lie inside 's3://{warehouse}/'")))
}
