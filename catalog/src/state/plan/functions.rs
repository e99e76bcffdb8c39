//! Planning changes of functions: documents that lie in a namespace (FN1).

use std::sync::Arc;

use super::super::functions::{FUNCTION_KIND, function_id};
use super::super::{CatalogState, Conflict, Expect, Function, TableIdent};
use super::Plan;
use crate::metadata::FunctionMetadata;

impl CatalogState {
    pub(super) fn plan_put_function(
        &self,
        ident: &TableIdent,
        metadata: &FunctionMetadata,
        at: i64,
    ) -> Result<Plan, Conflict> {
        self.find_namespace(&ident.warehouse, &ident.namespace)?;
        let id = function_id(ident)?;
        let json: Arc<str> = serde_json::json!(Function::new(ident, metadata)).to_string().into();
        self.plan_put_document((&FUNCTION_KIND.into(), &id), &json, Expect::Any, at)
    }

    pub(super) fn plan_delete_function(&self, ident: &TableIdent, at: i64) -> Result<Plan, Conflict> {
        self.find_namespace(&ident.warehouse, &ident.namespace)?;
        let id = function_id(ident)?;
        if self.document(FUNCTION_KIND, &id).is_none() {
            return Err(Conflict::NoSuchFunction(ident.clone()));
        }
        self.plan_delete_document((&FUNCTION_KIND.into(), &id), Expect::Any, at)
    }
}
