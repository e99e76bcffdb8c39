//! Planning and running queries, on threads of their own (Q4).

use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig;
use futures::StreamExt as _;
use tarn_catalog::reads::ReadPlanner;
use tarn_catalog::{Catalog, WarehouseStores};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use crate::answer::{Answer, Batches, Tally};
use crate::check::{only_reads, within};
use crate::functions::bound;
use crate::names::{Scope, Warehouses};
use crate::parse::parse;
use crate::stores::Buckets;
use crate::table::Tables;
use crate::turns::{Turn, Turns};
use crate::{Bound, QueryError, Question, Reader, Settings, SystemTables};

/// The namespace of names that give none, where none is asked for.
const NAMESPACE: &str = "default";
/// The stack of a thread that plans, in bytes: a long chain of operators is a deep tree.
const STACK_BYTES: usize = 32 << 20;
/// How far threads that compute give way to those that serve.
const NICENESS: i32 = 10;
/// Batches that wait for who takes the answer.
const BATCHES_WAITING: usize = 2;

/// Values of the parameters of a question, by their names without the sign.
pub type Parameters = Vec<(String, ScalarValue)>;

/// Answers questions. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    tables: Arc<Tables>,
    system: Arc<dyn SystemTables>,
    settings: Arc<Settings>,
    base: SessionState,
    turns: Turns,
    threads: Threads,
}

/// What is asked, with its parameters, and who asks.
struct Asked {
    question: Question,
    parameters: Parameters,
    who: Arc<dyn Reader>,
}

/// How the sides of a join find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joins {
    /// One side is held in memory.
    Hashed,
    /// Both are sorted: that takes longer, and as little memory as there is, because sorting spills.
    Sorted,
}

/// A query that runs.
struct Running {
    rows: SendableRecordBatchStream,
    has_hashed_joins: bool,
}

/// The threads that compute. They are let go in the background: what waits for them may be one of another kind.
struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Engine {
    /// Over the tables of `catalog`, whose files lie in `stores`, and the server's own state.
    pub fn new(
        catalog: Catalog,
        stores: Arc<dyn WarehouseStores>,
        system: Arc<dyn SystemTables>,
        settings: Settings,
    ) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(settings.threads.max(1))
            .max_blocking_threads(settings.threads.max(1) * 4)
            .thread_name("sql")
            .thread_stack_size(STACK_BYTES)
            .on_thread_start(give_way)
            .enable_all()
            .build()?;
        let mut base = SessionStateBuilder::new_with_default_features().build();
        bound(&mut base).map_err(std::io::Error::other)?;
        let turns = Turns::new(settings.queries_at_once, settings.queries_of_one);
        let threads = Threads(Some(runtime));
        let planner = Arc::new(ReadPlanner::new(catalog.clone()));
        let (footers, files_max) = (Arc::default(), settings.files_max);
        let tables = Arc::new(Tables { catalog, stores, planner, footers, files_max });
        let settings = Arc::new(settings);
        Ok(Self(Arc::new(Inner { tables, system, settings, base, turns, threads })))
    }

    /// What it was made with.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Answers a question of `who`. The answer comes as it is computed; dropping it ends the query.
    pub async fn query(&self, question: Question, who: Arc<dyn Reader>) -> Result<Answer, QueryError> {
        self.query_with(question, Vec::new(), who).await
    }

    /// The same of a question with parameters, `$name` in its text.
    pub async fn query_with(
        &self,
        question: Question,
        parameters: Parameters,
        who: Arc<dyn Reader>,
    ) -> Result<Answer, QueryError> {
        let inner = &self.0;
        let wait = inner.settings.turn_wait;
        let Some(turn) = inner.turns.take(&who.name(), wait).await else {
            return Err(QueryError::Busy { retry_after: wait });
        };
        let Some(runtime) = &inner.threads.0 else { return Err(stopped()) };
        let (time, began) = (question.limits.time, Instant::now());
        let (sender, batches) = mpsc::channel(BATCHES_WAITING);
        let (told, schema) = oneshot::channel();
        let (engine, asked) = (self.clone(), Asked { question, parameters, who });
        let task = runtime.spawn(async move { engine.run(asked, told, sender, turn).await });
        let task = AbortOnDropHandle::new(task);
        let schema = match tokio::time::timeout(time, schema).await {
            Ok(Ok(Ok(schema))) => schema,
            Ok(Ok(Err(error))) => return Err(error),
            Ok(Err(_gone)) => return Err(stopped()),
            Err(_late) => return Err(Bound::Time(time).into()),
        };
        Ok(Answer::new(schema, Batches { batches, task }, (began, time)))
    }

    async fn run(
        self,
        asked: Asked,
        told: oneshot::Sender<Result<SchemaRef, QueryError>>,
        batches: mpsc::Sender<Result<RecordBatch, QueryError>>,
        _turn: Turn,
    ) {
        let (mut tally, began) = (Tally::new(asked.question.limits), Instant::now());
        let Running { mut rows, has_hashed_joins } = match self.0.begin(&asked, Joins::Hashed).await {
            Ok(running) => running,
            Err(error) => {
                metrics::counter!("tarn_sql_queries_total", "outcome" => "refused").increment(1);
                let _gone = told.send(Err(error));
                return;
            }
        };
        if told.send(Ok(rows.schema())).is_err() {
            return;
        }
        let mut first = next(&mut rows).await;
        // Nothing was answered yet, so it may begin anew.
        if has_hashed_joins && matches!(first, Some(Err(QueryError::Limit(Bound::Memory(_))))) {
            drop(rows);
            metrics::counter!("tarn_sql_queries_sorted_total").increment(1);
            match self.0.begin(&asked, Joins::Sorted).await {
                Ok(running) => rows = running.rows,
                Err(error) => {
                    let _gone = batches.send(Err(error)).await;
                    return;
                }
            }
            first = next(&mut rows).await;
        }
        let mut outcome = "done";
        while let Some(batch) = first {
            let batch = batch.and_then(|batch| tally.count(batch));
            let failed = batch.is_err();
            if failed {
                outcome = "failed";
            }
            if batches.send(batch).await.is_err() || failed {
                break;
            }
            first = next(&mut rows).await;
        }
        metrics::counter!("tarn_sql_queries_total", "outcome" => outcome).increment(1);
        metrics::histogram!("tarn_sql_query_duration_seconds").record(began.elapsed().as_secs_f64());
    }
}

async fn next(rows: &mut SendableRecordBatchStream) -> Option<Result<RecordBatch, QueryError>> {
    rows.next().await.map(|batch| batch.map_err(QueryError::from))
}

fn has_hashed_joins(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.as_any().is::<HashJoinExec>() || plan.children().into_iter().any(has_hashed_joins)
}

impl Inner {
    async fn begin(&self, asked: &Asked, joins: Joins) -> Result<Running, QueryError> {
        let state = self.session(asked, joins)?;
        let plan = self.plan(asked, &state).await?;
        let has_hashed_joins = has_hashed_joins(&plan);
        Ok(Running { rows: execute_stream(plan, state.task_ctx())?, has_hashed_joins })
    }

    /// What one query is planned and run with.
    fn session(&self, asked: &Asked, joins: Joins) -> Result<SessionState, QueryError> {
        let question = &asked.question;
        let namespace = question.namespace.as_deref().unwrap_or(NAMESPACE);
        let threads = match joins {
            Joins::Hashed => self.settings.threads.max(1),
            // The engine sorts for joins only what it divides.
            Joins::Sorted => self.settings.threads.max(2),
        };
        let mut config = SessionConfig::new()
            .with_target_partitions(threads)
            .with_information_schema(true)
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(&question.warehouse, namespace);
        config.options_mut().optimizer.prefer_hash_join = joins == Joins::Hashed;
        let scope = Scope {
            state: self.tables.catalog.snapshot(),
            who: asked.who.clone(),
            system: self.system.clone(),
            tables: self.tables.clone(),
            settings: self.settings.clone(),
            base: self.base.clone(),
            views: Vec::new(),
        };
        let names = Warehouses { scope: Arc::new(scope), default: question.warehouse.clone() };
        let builder = SessionStateBuilder::new_from_existing(self.base.clone())
            .with_session_id(String::new())
            .with_config(config)
            .with_runtime_env(self.resources()?)
            .with_catalog_list(Arc::new(names));
        let mut state = builder.build();
        // The time that `now()` is: without it there is none.
        state.mark_start_execution();
        Ok(state)
    }

    /// Memory and disk of one query (Q3).
    fn resources(&self) -> Result<Arc<RuntimeEnv>, QueryError> {
        let Settings { memory_bytes, spill_bytes, spill_dir, .. } = &*self.settings;
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![spill_dir.clone()]))
            .with_max_temp_directory_size(*spill_bytes);
        let builder = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(*memory_bytes)))
            .with_disk_manager_builder(disk)
            .with_object_store_registry(Arc::new(Buckets(self.tables.stores.clone())));
        Ok(builder.build_arc()?)
    }

    async fn plan(&self, asked: &Asked, state: &SessionState) -> Result<Arc<dyn ExecutionPlan>, QueryError> {
        let statement = parse(&asked.question.sql, &self.settings)?;
        let plan = state.statement_to_plan(statement).await?;
        let parameters = &asked.parameters;
        let plan = if parameters.is_empty() { plan } else { plan.with_param_values(parameters.clone())? };
        only_reads(&plan)?;
        within(&plan, self.settings.plan_parts_max)?;
        Ok(state.create_physical_plan(&plan).await?)
    }
}

fn stopped() -> QueryError {
    QueryError::Failed("the engine ended the query without an answer".into(), None)
}

/// Where the system does not let it, queries compete with what serves.
fn give_way() {
    let _niceness = rustix::process::nice(NICENESS);
}
