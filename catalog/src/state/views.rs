//! The views of the state. A view and a table of one namespace never share a name.

use std::ops::Bound;
use std::sync::Arc;

use uuid::Uuid;

use super::{CatalogState, Namespace, TableIdent, ViewPut};

/// What the catalog knows of a view. The rest is in its metadata file.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewEntry {
    /// The view's UUID.
    pub uuid: Uuid,
    /// Its base location.
    pub location: Arc<str>,
    /// Its current metadata file.
    pub metadata_location: Arc<str>,
}

impl CatalogState {
    /// A view.
    pub fn view(&self, ident: &TableIdent) -> Option<&Arc<ViewEntry>> {
        self.namespace(&ident.warehouse, &ident.namespace)?.views.get(&ident.name)
    }

    /// The views of a namespace in order of name, those after `after`.
    pub fn views<'a>(
        &'a self,
        warehouse: &str,
        namespace: &Namespace,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<ViewEntry>)> {
        let from = match after {
            Some(name) => Bound::Excluded(Arc::from(name)),
            None => Bound::Unbounded,
        };
        let views =
            self.namespace(warehouse, namespace).map(|found| found.views.range((from, Bound::Unbounded)));
        views.into_iter().flatten()
    }

    /// Every view of the catalog.
    pub fn all_views(&self) -> impl Iterator<Item = (TableIdent, &Arc<ViewEntry>)> {
        self.warehouses.iter().flat_map(|(warehouse, entry)| {
            entry.namespaces.iter().flat_map(move |(namespace, entry)| {
                entry.views.iter().map(move |(name, view)| {
                    let ident = TableIdent {
                        warehouse: Arc::clone(warehouse),
                        namespace: namespace.clone(),
                        name: Arc::clone(name),
                    };
                    (ident, view)
                })
            })
        })
    }

    pub(super) fn put_view(&mut self, put: &ViewPut) {
        let entry = ViewEntry {
            uuid: put.uuid,
            location: Arc::clone(&put.location),
            metadata_location: Arc::clone(&put.metadata_location),
        };
        let views = &mut self.namespace_mut(&put.ident.warehouse, &put.ident.namespace).views;
        let replaced = views.insert(Arc::clone(&put.ident.name), Arc::new(entry));
        if let Some(replaced) = replaced {
            self.locations.remove(&replaced.location);
        }
        self.locations.add(&put.location);
    }

    pub(super) fn take_view(&mut self, ident: &TableIdent) -> Option<Arc<ViewEntry>> {
        let warehouse = self.warehouses.get_mut(&ident.warehouse)?;
        warehouse.namespaces.get_mut(&ident.namespace)?.views.remove(&ident.name)
    }

    pub(super) fn rename_view(&mut self, from: &TableIdent, to: &TableIdent) {
        if let Some(view) = self.take_view(from) {
            let views = &mut self.namespace_mut(&to.warehouse, &to.namespace).views;
            if let Some(replaced) = views.insert(Arc::clone(&to.name), view) {
                self.locations.remove(&replaced.location);
            }
        }
    }
}
