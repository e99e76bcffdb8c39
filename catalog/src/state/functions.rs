//! User-defined functions: documents with the names of a namespace.
//!
//! - FN1: a function lies in a namespace that exists: it is put only into one, and a namespace with functions
//!   is not dropped.
//!
//! The id of a document is a hash of warehouse and namespace, which may be longer than an id, then the name:
//! the functions of a namespace follow each other in order of name.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::limits::FUNCTION_NAME_BYTES_MAX;
use super::name::check_name;
use super::{CatalogState, Document, InvalidName, Namespace, TableIdent};
use crate::metadata::FunctionMetadata;

/// The kind of the documents.
pub(crate) const FUNCTION_KIND: &str = "function";

/// A function as it is stored, and as the admin API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// The warehouse.
    pub warehouse: String,
    /// The levels of the namespace.
    pub namespace: Vec<String>,
    /// The name in the namespace.
    pub name: String,
    /// Its metadata.
    pub metadata: Value,
}

impl Function {
    /// A function under this name.
    pub fn new(ident: &TableIdent, metadata: &FunctionMetadata) -> Self {
        Self {
            warehouse: ident.warehouse.to_string(),
            namespace: ident.namespace.levels().to_vec(),
            name: ident.name.to_string(),
            metadata: metadata.json().clone(),
        }
    }
}

/// The id of a function's document.
pub(crate) fn function_id(ident: &TableIdent) -> Result<Arc<str>, InvalidName> {
    check_name("function name", &ident.name, FUNCTION_NAME_BYTES_MAX)?;
    Ok(format!("{}{}", prefix(&ident.warehouse, &ident.namespace), ident.name).into())
}

/// What the ids of a namespace's functions begin with.
fn prefix(warehouse: &str, namespace: &Namespace) -> String {
    // No name holds a control character (N1).
    let mut hash = Sha256::new().chain_update(warehouse);
    for level in namespace.levels() {
        hash.update("\u{1f}");
        hash.update(level);
    }
    format!("{}/", hex::encode(&hash.finalize()[..16]))
}

impl CatalogState {
    /// A function's document.
    pub fn function(&self, ident: &TableIdent) -> Option<&Document> {
        self.document(FUNCTION_KIND, &function_id(ident).ok()?)
    }

    /// The names of a namespace's functions, in order, those after `after`.
    pub fn functions<'a>(
        &'a self,
        warehouse: &str,
        namespace: &Namespace,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a str> + use<'a> {
        let prefix = prefix(warehouse, namespace);
        let from = format!("{prefix}{}", after.unwrap_or_default());
        // Names are not empty, so the id that is only the prefix is none.
        self.documents(FUNCTION_KIND, Some(&from)).map_while(move |(id, _)| id.strip_prefix(prefix.as_str()))
    }

    /// All functions behind the one with the id `after`, each with its id. None where a document is damaged.
    pub fn all_functions<'a>(
        &'a self,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, Option<Function>)> + use<'a> {
        self.documents(FUNCTION_KIND, after)
            .map(|(id, document)| (id, serde_json::from_str(&document.json).ok()))
    }
}
