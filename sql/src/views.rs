//! Views of the catalog: what their current version says, over what the reader may read (Q5).
//!
//! A view grants nothing: the tables it names are found as if the reader named them, with the view's default warehouse and
//! namespace. Names of the view's own columns are its schema's, as engines that write views have it.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::ViewTable;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use tarn_catalog::metadata::ViewMetadata;
use tarn_catalog::metadata::view::{Representation, ViewVersion};
use tarn_catalog::state::{TableIdent, ViewEntry};

use crate::QueryError;
use crate::check::{only_reads, within};
use crate::names::{Scope, Warehouses};
use crate::parse::parse;

/// Views that lie in one another.
const DEPTH_MAX: usize = 16;
/// Dialects that are tried before others, the likeliest to be understood first.
const DIALECTS: [&str; 6] = ["tarn", "datafusion", "postgresql", "duckdb", "spark", "trino"];

/// A view as a table. The reader may read its definition.
pub(crate) async fn open(
    scope: &Arc<Scope>,
    ident: TableIdent,
    entry: &ViewEntry,
) -> Result<Arc<dyn TableProvider>, QueryError> {
    if scope.views.contains(&ident) {
        return Err(QueryError::Invalid(format!("view {ident} reads itself")));
    }
    if scope.views.len() >= DEPTH_MAX {
        return Err(QueryError::Invalid(format!("view {ident} lies in more than {DEPTH_MAX} other views")));
    }
    let metadata = scope.tables.catalog.read_view_metadata(&entry.metadata_location).await;
    let metadata = metadata.map_err(|error| QueryError::Failed(error.to_string(), Some(Box::new(error))))?;
    let no_version = || QueryError::Unsupported(format!("view {ident} has no version that can be read"));
    let version = metadata.current_version().ok_or_else(no_version)?;
    let state = session(scope, &ident, version);
    let mut why = Vec::new();
    for (dialect, sql) in statements(version) {
        match plan(&state, scope, sql).await {
            Ok(plan) => {
                let plan = named(plan, &metadata, version, &ident)?;
                return Ok(Arc::new(ViewTable::new(plan, Some(sql.to_owned()))));
            }
            // It is the same of every dialect.
            Err(limit @ QueryError::Limit(_)) => return Err(limit),
            Err(error) => why.push(format!("as {dialect}: {error}")),
        }
    }
    let why = if why.is_empty() { "it is not written in SQL".to_owned() } else { why.join("; ") };
    Err(QueryError::Unsupported(format!("view {ident} cannot be run: {why}")))
}

/// The view's statements by their dialects, the likeliest to be understood first.
fn statements(version: &ViewVersion) -> Vec<(&str, &str)> {
    let mut statements: Vec<(&str, &str)> = version
        .representations
        .iter()
        .filter_map(|one| match one {
            Representation::Sql { sql, dialect, .. } => Some((dialect.as_str(), sql.as_str())),
            Representation::Other { .. } => None,
        })
        .collect();
    let rank = |dialect: &str| DIALECTS.iter().position(|known| known.eq_ignore_ascii_case(dialect));
    statements.sort_by_key(|(dialect, _)| rank(dialect).unwrap_or(DIALECTS.len()));
    statements
}

/// What names in a view mean: a catalog that is no warehouse here is the view's own, whatever its writer called it.
fn session(scope: &Arc<Scope>, ident: &TableIdent, version: &ViewVersion) -> SessionState {
    let told = version.default_catalog.as_deref();
    let warehouse = told.filter(|name| scope.state.warehouse(name).is_some()).unwrap_or(&ident.warehouse);
    let config = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(warehouse, version.default_namespace.join("."));
    let mut views = scope.views.clone();
    views.push(ident.clone());
    let names =
        Warehouses { scope: Arc::new(Scope { views, ..Scope::clone(scope) }), default: warehouse.to_owned() };
    SessionStateBuilder::new_from_existing(scope.base.clone())
        .with_session_id(String::new())
        .with_config(config)
        .with_catalog_list(Arc::new(names))
        .build()
}

async fn plan(state: &SessionState, scope: &Scope, sql: &str) -> Result<LogicalPlan, QueryError> {
    let statement = parse(sql, &scope.settings)?;
    match &statement {
        Statement::Statement(statement) if matches!(**statement, SqlStatement::Query(_)) => {}
        _other => return Err(QueryError::NotAllowed("a view of anything but a query".into())),
    }
    let plan = state.statement_to_plan(statement).await?;
    only_reads(&plan)?;
    within(&plan, scope.settings.plan_parts_max)?;
    Ok(plan)
}

/// The plan with the names of the view's columns.
fn named(
    plan: LogicalPlan,
    metadata: &ViewMetadata,
    version: &ViewVersion,
    ident: &TableIdent,
) -> Result<LogicalPlan, QueryError> {
    let schema = metadata.schemas().iter().find(|schema| schema.id() == version.schema_id);
    let names = schema.map(|schema| schema.columns().fields.as_slice()).unwrap_or_default();
    let columns = plan.schema().columns();
    if names.len() != columns.len() {
        let (has, made) = (names.len(), columns.len());
        let why = format!("view {ident} has {has} columns, and its query makes {made}: it must be made anew");
        return Err(QueryError::Invalid(why));
    }
    let columns = columns.into_iter().zip(names);
    let columns: Vec<Expr> = columns.map(|(column, name)| Expr::Column(column).alias(&name.name)).collect();
    Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?)
}
