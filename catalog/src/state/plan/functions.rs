//! Planning changes of functions: documents that lie in a namespace (FN1).

use std::sync::Arc;

use super::super::functions::{FUNCTION_KIND, function_id};
use super::super::{CatalogState, Change, Conflict, Expect, Function, Mark, TableIdent};
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
        let mut plan = self.plan_put_document((&FUNCTION_KIND.into(), &id), &json, Expect::Any, at)?;
        plan.commit.changes.push(Change::Mark(Mark::Of(ident.clone())));
        Ok(plan)
    }

    pub(super) fn plan_delete_function(&self, ident: &TableIdent, at: i64) -> Result<Plan, Conflict> {
        self.find_namespace(&ident.warehouse, &ident.namespace)?;
        let id = function_id(ident)?;
        if self.document(FUNCTION_KIND, &id).is_none() {
            return Err(Conflict::NoSuchFunction(ident.clone()));
        }
        let mut plan = self.plan_delete_document((&FUNCTION_KIND.into(), &id), Expect::Any, at)?;
        plan.commit.changes.push(Change::Mark(Mark::Of(ident.clone())));
        Ok(plan)
    }
}
