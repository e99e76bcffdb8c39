//! Batches as a kind of job.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::outside::Notify;
use super::running::Running;
use super::spec::Spec;
use super::tasks::fatal;
use super::{Asked, Batch};
use crate::jobs::{Author, Context, Ended, InvalidSpec, Work, WorkError};

/// The kind of these jobs.
const KIND: &str = "batch";

#[async_trait]
impl Work for Batch {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn check(&self, spec: &Value, author: &Author) -> Result<Value, InvalidSpec> {
        let asked = super::check::check(self, spec, author).await?;
        Ok(asked.kept())
    }

    fn shown(&self, spec: &Value) -> Value {
        // What cannot be read may hold what must not be.
        let Ok(mut asked) = Asked::read(spec) else { return Value::Null };
        asked.hide();
        asked.kept()
    }

    fn fill(&self, spec: Value, before: Option<&Value>) -> Result<Value, InvalidSpec> {
        let unread = |message| InvalidSpec::Field { at: "spec".into(), message };
        let mut asked = Asked::read(&spec).map_err(unread)?;
        super::check::fill(&mut asked, before.and_then(|before| Asked::read(before).ok()))?;
        Ok(asked.kept())
    }

    async fn run(&self, context: &Context) -> Result<Value, WorkError> {
        let asked = asked(context)?;
        let notify = asked.notify().cloned();
        let outcome = match asked {
            Asked::Objects(spec) => self.run_objects(spec, context).await?,
            Asked::Catalog(catalog) => catalog.run(self, context).await?,
        };
        self.tell(context, notify, "completed", &outcome).await;
        Ok(outcome)
    }

    async fn discard(&self, context: &Context, end: Ended) -> Result<(), WorkError> {
        let Ok(asked) = asked(context) else { return Ok(()) };
        let notify = asked.notify().cloned();
        let told = match end {
            Ended::Canceled => "canceled",
            Ended::Failed => "failed",
        };
        let outcome = match asked {
            Asked::Objects(spec) => self.discard_objects(spec, context, told).await?,
            Asked::Catalog(catalog) => {
                catalog.discard(self, context, end).await?;
                Value::Null
            }
        };
        self.tell(context, notify, told, &outcome).await;
        Ok(())
    }
}

impl Batch {
    async fn run_objects(&self, spec: Spec, context: &Context) -> Result<Value, WorkError> {
        let mut running = Running::of(self, spec, context)?;
        // Buckets and rights may be others than when the batch was defined.
        let checked = super::check::places(self, &running.spec, &context.definition.author).await;
        checked.map_err(|refused| fatal(refused.to_string()))?;
        running.run().await
    }

    async fn discard_objects(&self, spec: Spec, context: &Context, end: &str) -> Result<Value, WorkError> {
        // What was done to objects stays done: the report tells it.
        let Ok(mut running) = Running::of(self, spec, context) else { return Ok(Value::Null) };
        running.interrupted().await?;
        running.report(end).await
    }

    /// Tells who wants to know that a run ended: at least once, if it can be told at all.
    async fn tell(&self, context: &Context, notify: Option<Notify>, end: &str, outcome: &Value) {
        let Some(notify) = notify else { return };
        let name = &context.definition.name;
        let event = json!({"job": name, "kind": KIND, "run": context.run, "end": end, "outcome": outcome});
        if let Err(error) = self.parts.outside.tell(&notify, &event).await {
            tracing::warn!(job = name, run.id = %context.run, error, "the end of a batch was not told");
        }
    }
}

fn asked(context: &Context) -> Result<Asked, WorkError> {
    Asked::read(&context.definition.spec).map_err(|error| fatal(format!("the batch cannot be read: {error}")))
}
