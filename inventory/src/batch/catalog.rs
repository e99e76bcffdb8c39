//! The kind `catalog`: an inventory that is made once, by what makes inventories.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Batch;
use super::outside::Notify;
use super::tasks::fatal;
use crate::jobs::{Author, Context, Definition, Ended, InvalidSpec, Work, WorkError};
use crate::report::{self, PlanError, plan};

/// An export of the metadata of a bucket's objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// What is told, and where.
    pub catalog: report::Spec,
    /// Only tell what would be told.
    #[serde(default)]
    pub dry_run: bool,
    /// Who is told at the end of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// The text it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
}

impl Catalog {
    /// Checks it as an inventory is checked.
    pub(super) async fn check(self, batch: &Batch, author: &Author) -> Result<Self, InvalidSpec> {
        let full = Work::check(&*batch.parts.inventory, &json!(self.catalog), author).await?;
        let catalog = serde_json::from_value(full)
            .map_err(|error| InvalidSpec::Field { at: "catalog".into(), message: error.to_string() })?;
        Ok(Self { catalog, ..self })
    }

    pub(super) async fn run(self, batch: &Batch, context: &Context) -> Result<Value, WorkError> {
        if !self.dry_run {
            return Work::run(&*batch.parts.inventory, &self.inner(context)).await;
        }
        let may = report::may(&*context.rights, &context.definition.author, &self.catalog);
        may.map_err(fatal)?;
        let plan = plan(&*batch.parts.scans, &self.catalog, context.started_ms).await;
        let plan = plan.map_err(|error| match error {
            PlanError::Invalid(_) | PlanError::NoSuchBucket(_) => fatal(error.to_string()),
            PlanError::Failed(_) => WorkError::Retry(error.to_string(), Some(Box::new(error))),
        })?;
        Ok(json!({"dry_run": true, "plan": plan}))
    }

    pub(super) async fn discard(self, batch: &Batch, context: &Context, end: Ended) -> Result<(), WorkError> {
        if self.dry_run {
            return Ok(());
        }
        Work::discard(&*batch.parts.inventory, &self.inner(context), end).await
    }

    /// The run as one of an inventory: its checkpoints are the run's.
    fn inner(&self, context: &Context) -> Context {
        let definition = Definition { spec: json!(self.catalog), ..Definition::clone(&context.definition) };
        Context {
            definition: Arc::new(definition),
            checkpoint: context.checkpoint.clone(),
            progress: context.progress.clone(),
            rights: context.rights.clone(),
            hold: context.hold.clone(),
            ..*context
        }
    }
}
