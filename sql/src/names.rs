//! What names mean to one reader (Q2): warehouses are the engine's catalogs, namespaces its schemas.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::TableType;
use tarn_catalog::state::{CatalogState, Namespace, TableEntry, TableIdent};
use tarn_openapi::access::{Action, Resource};

use crate::parse::VERSION;
use crate::system_tables::SystemTable;
use crate::table::{Tables, open};
use crate::{QueryError, Reader, SYSTEM, Settings, SystemTables, views};

/// What one query sees: the catalog as it was when it began, and who asks.
#[derive(Clone)]
pub(crate) struct Scope {
    pub(crate) state: Arc<CatalogState>,
    pub(crate) who: Arc<dyn Reader>,
    pub(crate) system: Arc<dyn SystemTables>,
    pub(crate) tables: Arc<Tables>,
    pub(crate) settings: Arc<Settings>,
    /// What views are planned with.
    pub(crate) base: SessionState,
    /// The views whose statements are looked into, outermost first.
    pub(crate) views: Vec<TableIdent>,
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Scope({:?})", self.who)
    }
}

impl Scope {
    /// Whether the reader may read the rows of a table (Q2).
    pub(crate) fn may_read(&self, ident: &TableIdent, entry: &TableEntry) -> bool {
        let TableIdent { warehouse, namespace, name } = ident;
        let table = Resource::Table(warehouse, namespace.levels(), name);
        if !self.who.may(Action::GetTableData, table) {
            return false;
        }
        let place = entry.location.strip_prefix("s3://").and_then(|place| place.split_once('/'));
        let Some((bucket, key)) = place else { return false };
        let below = format!("{}/", key.trim_end_matches('/'));
        !self.who.is_denied(Action::GetObject, Resource::Object(bucket, &below))
    }

    /// Whether the reader may read what a view says.
    fn may_see(&self, ident: &TableIdent) -> bool {
        let TableIdent { warehouse, namespace, name } = ident;
        self.who.may(Action::GetView, Resource::View(warehouse, namespace.levels(), name))
    }

    /// The namespace that a schema's name stands for.
    fn namespace(&self, warehouse: &str, name: &str) -> Option<Namespace> {
        let plain = Namespace::new(name.split('.').map(str::to_owned).collect()).ok();
        let is_there = |namespace: &Namespace| self.state.namespace(warehouse, namespace).is_some();
        // A level may hold a dot.
        let other = || {
            let tables = self.state.all_tables().map(|(ident, _)| ident);
            let mut own = tables.filter(|ident| &*ident.warehouse == warehouse);
            own.find(|ident| ident.namespace.levels().join(".") == name).map(|ident| ident.namespace)
        };
        plain.filter(is_there).or_else(other)
    }

    /// The namespaces of a warehouse with a table that the reader may read.
    fn readable(&self, warehouse: &str) -> BTreeSet<String> {
        let tables = self.state.all_tables().filter(|(ident, _)| &*ident.warehouse == warehouse);
        let tables = tables.filter(|(ident, entry)| self.may_read(ident, entry));
        tables.map(|(ident, _)| ident.namespace.levels().join(".")).collect()
    }
}

/// All warehouses.
#[derive(Debug)]
pub(crate) struct Warehouses {
    pub(crate) scope: Arc<Scope>,
    /// The warehouse of names that give none: it is told even when nothing in it may be read.
    pub(crate) default: String,
}

impl CatalogProviderList for Warehouses {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn register_catalog(
        &self,
        _name: String,
        _catalog: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        let all = self.scope.state.warehouses().map(|(name, _)| name.to_string());
        let readable = all.filter(|name| *name != self.default && !self.scope.readable(name).is_empty());
        std::iter::once(self.default.clone()).chain(readable).collect()
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        let is_known = self.scope.state.warehouse(name).is_some();
        // Whoever wrote a view may have called the whole catalog so.
        let is_foreign = !is_known && !self.scope.views.is_empty();
        let name = if is_foreign { self.default.as_str() } else { name };
        // The default one need not be there: the server's state can be asked without any.
        let is_there = name == self.default || is_known;
        is_there.then(|| Arc::new(OneWarehouse { scope: self.scope.clone(), name: name.into() }) as _)
    }
}

#[derive(Debug)]
struct OneWarehouse {
    scope: Arc<Scope>,
    name: Arc<str>,
}

impl CatalogProvider for OneWarehouse {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema_names(&self) -> Vec<String> {
        let mut names = self.scope.readable(&self.name);
        names.insert(SYSTEM.into());
        names.into_iter().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let (scope, warehouse) = (self.scope.clone(), self.name.clone());
        let namespace = scope.namespace(&warehouse, name);
        if name == SYSTEM {
            return Some(Arc::new(OneNamespace { scope, warehouse, namespace, with_system: true }));
        }
        let namespace = Some(namespace?);
        Some(Arc::new(OneNamespace { scope, warehouse, namespace, with_system: false }))
    }
}

/// A namespace, or the server's state before the namespace of that name.
#[derive(Debug)]
struct OneNamespace {
    scope: Arc<Scope>,
    warehouse: Arc<str>,
    namespace: Option<Namespace>,
    with_system: bool,
}

impl OneNamespace {
    fn ident(&self, name: &str) -> Option<TableIdent> {
        TableIdent::new(&*self.warehouse, self.namespace.clone()?, name).ok()
    }

    /// A table that the reader may read, at a version.
    async fn find(
        &self,
        name: &str,
        version: Option<&str>,
    ) -> Result<Option<Arc<dyn TableProvider>>, QueryError> {
        let Some(ident) = self.ident(name) else { return Ok(None) };
        let scope = &self.scope;
        let Some(entry) = scope.state.table(&ident) else {
            let Some(entry) = scope.state.view(&ident).filter(|_| scope.may_see(&ident)) else {
                return Ok(None);
            };
            return match version {
                Some(_) => {
                    Err(QueryError::Unsupported(format!("view {ident} can be read only as it is now")))
                }
                None => Ok(Some(views::open(scope, ident, entry).await?)),
            };
        };
        if !scope.may_read(&ident, entry) {
            return Ok(None);
        }
        let table = open(&scope.tables, ident, entry, version, scope.who.clone()).await?;
        Ok(Some(Arc::new(table)))
    }

    fn is_system(&self, name: &str) -> bool {
        self.with_system && self.scope.system.names().contains(&name)
    }
}

#[async_trait]
impl SchemaProvider for OneNamespace {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_names(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        if self.with_system {
            names.extend(self.scope.system.names().into_iter().map(str::to_owned));
        }
        if let Some(namespace) = &self.namespace {
            for (name, entry) in self.scope.state.tables(&self.warehouse, namespace, None) {
                let ident = self.ident(name);
                if ident.is_some_and(|ident| self.scope.may_read(&ident, entry)) {
                    names.insert(name.to_string());
                }
            }
        }
        names.into_iter().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if self.is_system(name) {
            let tables = self.scope.system.clone();
            let Some(schema) = tables.schema(name) else { return Ok(None) };
            let who = self.scope.who.clone();
            return Ok(Some(Arc::new(SystemTable { tables, name: name.to_owned(), schema, who })));
        }
        if let Some(found) = self.find(name, None).await? {
            return Ok(Some(found));
        }
        match name.rsplit_once(VERSION) {
            Some((table, version)) => Ok(self.find(table, Some(version)).await?),
            None => Ok(None),
        }
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        let is_view = self.ident(name).is_some_and(|ident| self.scope.state.view(&ident).is_some());
        let of = if is_view && !self.is_system(name) { TableType::View } else { TableType::Base };
        Ok(self.table_exist(name).then_some(of))
    }

    fn table_exist(&self, name: &str) -> bool {
        let readable = |ident: TableIdent| match self.scope.state.table(&ident) {
            Some(entry) => self.scope.may_read(&ident, entry),
            None => self.scope.state.view(&ident).is_some() && self.scope.may_see(&ident),
        };
        self.is_system(name) || self.ident(name).is_some_and(readable)
    }
}
