//! What a policy is of.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tarn_catalog::state::{CatalogState, Namespace, TableIdent};

/// A part of the catalog that may have a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Server,
    /// A warehouse.
    Warehouse(Arc<str>),
    /// A namespace of a warehouse, those inside it included.
    Namespace(Arc<str>, Namespace),
    /// A table.
    Table(TableIdent),
}

impl Scope {
    /// The id of the policy's document: short, whatever the names' lengths, and of a table the same after it was
    /// renamed. `None` when there is no such scope.
    pub(crate) fn id(&self, state: &CatalogState) -> Option<String> {
        match self {
            Self::Server => Some("server".into()),
            Self::Warehouse(name) => state.warehouse(name).map(|_| format!("warehouse/{name}")),
            Self::Namespace(warehouse, namespace) => {
                state.namespace(warehouse, namespace)?;
                let mut hash = Sha256::new();
                for level in namespace.levels() {
                    hash.update(level);
                    // No level holds it.
                    hash.update([0x1f]);
                }
                let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
                Some(format!("namespace/{warehouse}/{hash}"))
            }
            Self::Table(ident) => state.table(ident).map(|entry| format!("table/{}", entry.uuid)),
        }
    }

    /// This scope and those around it, the innermost first.
    pub(crate) fn outwards(&self) -> Vec<Self> {
        let mut scopes = vec![self.clone()];
        let (warehouse, namespace) = match self {
            Self::Server => return scopes,
            Self::Warehouse(warehouse) => (warehouse, None),
            Self::Namespace(warehouse, namespace) => (warehouse, namespace.parent()),
            Self::Table(ident) => (&ident.warehouse, Some(ident.namespace.clone())),
        };
        let around = std::iter::successors(namespace, Namespace::parent);
        scopes.extend(around.map(|namespace| Self::Namespace(warehouse.clone(), namespace)));
        if !matches!(self, Self::Warehouse(_)) {
            scopes.push(Self::Warehouse(warehouse.clone()));
        }
        scopes.push(Self::Server);
        scopes
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Server => formatter.write_str("the server"),
            Self::Warehouse(name) => write!(formatter, "warehouse '{name}'"),
            Self::Namespace(_, namespace) => write!(formatter, "namespace '{namespace}'"),
            Self::Table(ident) => write!(formatter, "table '{ident}'"),
        }
    }
}
