//! What maintenance does to which tables: policies of the server, a warehouse, a namespace and a table.
//!
//! A policy is a document in the catalog log. What a table's own leaves open is taken from its namespace's, then those
//! around it, the warehouse's, the server's, and last the defaults. Nothing runs by itself until a policy enables it.

mod rules;
mod scope;
#[cfg(test)]
mod tests;

use tarn_catalog::state::{CatalogState, Expect, TableIdent};
use tarn_catalog::{Catalog, CommitError};

pub use self::rules::{
    Compaction, InvalidPolicy, Policy, SnapshotManagement, Status, Strategy, UnreferencedFileRemoval,
};
pub use self::scope::Scope;

/// The kind of the documents.
pub(crate) const KIND: &str = "maintenance-policy";

/// A policy could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// There is no such warehouse, namespace or table.
    #[error("{0} does not exist")]
    NoSuchScope(Scope),
    /// The policy makes no sense.
    #[error(transparent)]
    Invalid(#[from] InvalidPolicy),
    /// The kept document is not a policy.
    #[error("the policy of {0} cannot be read")]
    Damaged(Scope),
    /// The catalog did not take it.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// The policy set right at a scope.
pub fn get(state: &CatalogState, scope: &Scope) -> Result<Option<Policy>, PolicyError> {
    let id = scope.id(state).ok_or_else(|| PolicyError::NoSuchScope(scope.clone()))?;
    let Some(document) = state.document(KIND, &id) else { return Ok(None) };
    let read = serde_json::from_str(&document.json);
    read.map(Some).map_err(|_| PolicyError::Damaged(scope.clone()))
}

/// What holds at a scope: its policy over those around it over the defaults. Every field is there.
pub fn effective(state: &CatalogState, scope: &Scope) -> Result<Policy, PolicyError> {
    let mut policy = Policy::default();
    for scope in scope.outwards() {
        policy = policy.over(get(state, &scope)?.unwrap_or_default());
    }
    Ok(policy.over(Policy::defaults()))
}

/// What holds for a table.
pub fn of_table(state: &CatalogState, ident: &TableIdent) -> Result<Policy, PolicyError> {
    effective(state, &Scope::Table(ident.clone()))
}

/// Sets the policy of a scope.
pub async fn put(catalog: &Catalog, scope: &Scope, policy: &Policy) -> Result<(), PolicyError> {
    policy.check()?;
    let id = scope.id(&catalog.snapshot()).ok_or_else(|| PolicyError::NoSuchScope(scope.clone()))?;
    let json = serde_json::json!(policy).to_string();
    catalog.put_document(KIND, &id, &json, Expect::Any).await?;
    Ok(())
}

/// Takes the policy of a scope away; whether there was one.
pub async fn delete(catalog: &Catalog, scope: &Scope) -> Result<bool, PolicyError> {
    let state = catalog.snapshot();
    let id = scope.id(&state).ok_or_else(|| PolicyError::NoSuchScope(scope.clone()))?;
    if state.document(KIND, &id).is_none() {
        return Ok(false);
    }
    catalog.delete_document(KIND, &id, Expect::Any).await?;
    Ok(true)
}
