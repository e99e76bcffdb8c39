//! What answers SQL.

use std::io;
use std::sync::{Arc, OnceLock, Weak};

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _};
use tarn_catalog::{Catalog, WarehouseStores};
use tarn_inventory::batch::{Queries, Query, QueryFailure, Rows};
use tarn_inventory::jobs::Author;
use tarn_openapi::access::{Action, Resource};
use tarn_sql::{Answer, Engine, Limits, QueryError, Question, Reader as _, Settings, SystemTables};

use super::{Asker, Program, memory};
use crate::config::SqlSettings;

/// The least memory that a query is given where nothing is set, in bytes.
const QUERY_BYTES_MIN: usize = 64 << 20;

/// An engine over the catalog's tables and the server's state. Where nothing is set, all its queries together may hold
/// what bodies may.
pub(super) fn engine(
    catalog: &Catalog,
    stores: Arc<dyn WarehouseStores>,
    system: Arc<dyn SystemTables>,
    set: &SqlSettings,
) -> io::Result<Engine> {
    let usual = Settings::default();
    let budget = || usize::try_from(memory::budget_bytes()).unwrap_or(usize::MAX);
    let settings = Settings {
        memory_bytes: set
            .memory_bytes
            .unwrap_or_else(|| (budget() / set.queries_at_once).max(QUERY_BYTES_MIN)),
        spill_bytes: set.spill_bytes,
        spill_dir: set.spill_dir.clone().unwrap_or(usual.spill_dir),
        queries_at_once: set.queries_at_once,
        queries_of_one: set.queries_of_one,
        limits: set.limits,
        time_max: set.time_max,
        ..usual
    };
    Engine::new(catalog.clone(), stores, system, settings)
}

/// The queries of batches. The engine tells of jobs too, so it is made after them: it is found in the program, once that is
/// there and as long as it is.
#[derive(Default)]
pub(super) struct BatchQueries(OnceLock<Weak<Program>>);

impl BatchQueries {
    /// From now on `program` answers.
    pub(super) fn answered_by(&self, program: &Arc<Program>) {
        // There is one program of a server.
        let _again = self.0.set(Arc::downgrade(program));
    }

    async fn answer(&self, query: &Query, author: &Author, limits: Limits) -> Result<Answer, QueryFailure> {
        let later = |message: &str| QueryFailure { message: message.to_owned(), may_work_later: true };
        let denied = |message: &str| QueryFailure { message: message.to_owned(), may_work_later: false };
        let program = self.0.get().and_then(Weak::upgrade);
        let program = program.ok_or_else(|| later("the server does not answer queries now"))?;
        let (principal, sender) = program
            .sharing
            .sharers
            .acting(author)
            .ok_or_else(|| denied("access denied: the key of the author is gone"))?;
        let who = Asker { principal, sender: Some(sender), grants: program.grants.clone() };
        if !who.may(Action::InventoryQuery, Resource::Server) {
            return Err(denied("access denied: inventory:Query"));
        }
        let warehouse = query.warehouse.clone().unwrap_or_else(|| program.warehouse.clone());
        let question = Question { limits, ..Question::new(query.sql.clone(), warehouse) };
        program.sql.query(question, Arc::new(who)).await.map_err(failure)
    }
}

#[async_trait]
impl Queries for BatchQueries {
    async fn plan(&self, query: &Query, author: &Author) -> Result<SchemaRef, QueryFailure> {
        // A query that is planned begins; what is dropped here ends it.
        Ok(self.answer(query, author, Limits::default()).await?.schema().clone())
    }

    async fn ask(&self, query: &Query, author: &Author, rows_max: u64) -> Result<Rows, QueryFailure> {
        let limits = Limits { rows: rows_max, ..Limits::default() };
        Ok(self.answer(query, author, limits).await?.map_err(failure).boxed())
    }
}

fn failure(error: QueryError) -> QueryFailure {
    let may_work_later = match &error {
        QueryError::Busy { .. } | QueryError::Failed(..) => true,
        QueryError::Syntax(_)
        | QueryError::NotAllowed(_)
        | QueryError::Invalid(_)
        | QueryError::Unsupported(_)
        | QueryError::Limit(_)
        | QueryError::Values(_) => false,
    };
    QueryFailure { message: error.to_string(), may_work_later }
}
