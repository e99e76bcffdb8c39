//! Saved reports: which there are, and their answers as JSON, CSV or a chart.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures::TryStreamExt as _;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use serde_json::{Value, json};
use tarn_catalog::state::{Namespace, TableIdent};
use tarn_openapi::access::{Action, Resource};
use tarn_sql::datafusion::common::ScalarValue;
use tarn_sql::reports::{
    ALL, Answer, Bound, Column, InventoryTable, Kind, Objects, Report, Source, SourceError,
};
use tarn_sql::{Limits, QueryError, Question};

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::params::{Path, Query};
use crate::server::{Program, Shared};

/// How much a report may take.
const LIMITS: Limits = Limits { rows: 10_000, bytes: 64 << 20, time: Duration::from_secs(300) };

/// What a chart may do where it is shown by itself: nothing.
const CHART_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// Reports.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ReportList {
    reports: Vec<ShownReport>,
}

/// A report.
#[derive(Serialize, utoipa::ToSchema)]
struct ShownReport {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    parameters: Vec<ShownParameter>,
    columns: Vec<ShownColumn>,
    /// The column whose values are the chart's bars.
    bars: &'static str,
    /// Whether it reads an inventory: `none`, `optional`, or `runs`, which are two of its runs.
    inventory: &'static str,
}

/// A parameter of a report.
#[derive(Serialize, utoipa::ToSchema)]
struct ShownParameter {
    name: &'static str,
    description: &'static str,
    /// `text` or `integer`.
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    least: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<i64>,
    #[schema(value_type = Object)]
    default: Value,
}

/// A column of a report.
#[derive(Serialize, utoipa::ToSchema)]
struct ShownColumn {
    name: &'static str,
    /// `text`, `count`, `bytes` or `time` (milliseconds since 1970).
    #[schema(value_type = String)]
    unit: tarn_sql::reports::Unit,
}

/// What a report answers.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ReportAnswer {
    report: &'static str,
    title: &'static str,
    /// As they were bound, defaults included.
    #[schema(value_type = Object)]
    parameters: Bound,
    columns: Vec<ShownColumn>,
    bars: &'static str,
    #[schema(value_type = Vec<Object>)]
    rows: Answer,
}

/// In which form a report is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
    Svg,
}

/// Lists the saved reports.
#[utoipa::path(get, path = "/_admin/v1/reports", tag = "Reports", responses(
    (status = 200, description = "The reports by name", body = ReportList),
    (status = 403, description = "Not allowed", body = ErrorBody),
))]
pub(super) async fn list(caller: Caller) -> Result<Json<ReportList>, Failure> {
    caller.may(Action::InventoryQuery)?;
    Ok(Json(ReportList { reports: ALL.iter().map(ShownReport::from).collect() }))
}

/// Answers a saved report with what the caller may see.
#[utoipa::path(get, path = "/_admin/v1/reports/{name}", tag = "Reports",
    params(
        ("name" = String, Path, description = "The report. Its parameters follow as query parameters"),
        ("inventory" = Option<String>, Query, description = "Of this inventory's last run: `bucket/id`"),
        ("from" = Option<i64>, Query, description = "Of two runs the first: a snapshot of the inventory's table"),
        ("to" = Option<i64>, Query, description = "Of two runs the second"),
    ),
    responses(
        (status = 200, description = "The rows, as Accept asks: application/json, text/csv, or the chart as image/svg+xml",
            body = ReportAnswer),
        (status = 400, description = "A parameter is wrong, or a limit was met", body = ErrorBody),
        (status = 404, description = "There is no such report, inventory or run", body = ErrorBody),
        (status = 503, description = "Too many queries run now", body = ErrorBody),
    ))]
pub(super) async fn answer(
    caller: Caller,
    State(program): Shared,
    Path(name): Path<String>,
    Query(given): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    caller.may(Action::InventoryQuery)?;
    let form = form(&headers)?;
    let report =
        Report::named(&name).ok_or_else(|| Failure::Missing(format!("there is no report {name:?}")))?;
    let (origin, given) = Origin::split(given)?;
    let pairs = given.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let parameters = report.bind(pairs).map_err(|error| Failure::Invalid(error.to_string()))?;
    let source = origin.source(report, &caller, &program).await?;
    let sql = report.query(&source).map_err(|error| Failure::Invalid(error.to_string()))?;
    let question = Question { limits: LIMITS, ..Question::new(sql, program.warehouse.as_str()) };
    let bound = parameters.iter().map(|(name, value)| ((*name).to_owned(), scalar(value))).collect();
    let found = program.sql.query_with(question, bound, caller.asker()).await.map_err(failure)?;
    let batches: Vec<_> = found.try_collect().await.map_err(failure)?;
    let rows = Answer::new(report, &batches).map_err(|error| {
        tracing::error!(%error, "a report's query does not give its columns");
        Failure::Damaged(error.to_string())
    })?;
    respond(report, parameters, rows, (form, origin.told()))
}

fn respond(
    report: &'static Report,
    parameters: Bound,
    rows: Answer,
    (form, origin): (Form, String),
) -> Result<Response, Failure> {
    let (kind, body) = match form {
        Form::Json => {
            let columns = shown_columns(report.columns);
            let (name, title, bars) = (report.name, report.title, report.chart.value);
            let body = ReportAnswer { report: name, title, parameters, columns, bars, rows };
            return Ok(no_store(Json(body).into_response()));
        }
        Form::Csv => ("text/csv; charset=utf-8", rows.to_csv()),
        Form::Svg => {
            let bars = rows.bars(report, subtitle(&parameters, &origin));
            let svg = bars.to_svg().map_err(|error| Failure::Damaged(error.to_string()))?;
            ("image/svg+xml", svg)
        }
    };
    let mut response = no_store(([(header::CONTENT_TYPE, kind)], body).into_response());
    let policy = HeaderValue::from_static(CHART_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

fn no_store(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Of what a chart is: where its objects come from, and what was chosen.
fn subtitle(parameters: &Bound, origin: &str) -> String {
    let chosen = parameters.iter().filter_map(|(name, value)| match value {
        tarn_sql::reports::Value::Text(text) if text.is_empty() => None,
        tarn_sql::reports::Value::Text(text) => Some(format!("{name} {text}")),
        tarn_sql::reports::Value::Integer(number) => Some(format!("{name} {number}")),
    });
    [origin.to_owned()].into_iter().chain(chosen).collect::<Vec<_>>().join(", ")
}

/// The form that `Accept` asks for.
fn form(headers: &HeaderMap) -> Result<Form, Failure> {
    let asked = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    for kind in asked.split(',') {
        match kind.split(';').next().unwrap_or("").trim() {
            "application/json" | "application/*" | "*/*" => return Ok(Form::Json),
            "text/csv" | "text/*" => return Ok(Form::Csv),
            "image/svg+xml" | "image/*" => return Ok(Form::Svg),
            "image/png" => {
                let message = "charts are told as image/svg+xml only";
                return Err(Failure::Unserved(message.into()));
            }
            _other => {}
        }
    }
    let message = "reports are told as application/json, text/csv and image/svg+xml";
    Err(Failure::Invalid(message.into()))
}

/// Where objects are to come from, as it was asked.
struct Origin {
    inventory: Option<InventoryTable>,
    /// Two snapshots of its table.
    runs: (Option<i64>, Option<i64>),
}

impl Origin {
    /// Takes what says where objects come from out of what was given.
    fn split(given: Vec<(String, String)>) -> Result<(Self, Vec<(String, String)>), Failure> {
        let mut origin = Self { inventory: None, runs: (None, None) };
        let mut rest = Vec::new();
        for (name, value) in given {
            let run = || {
                let id = value.parse::<i64>();
                id.map_err(|_| Failure::Invalid(format!("{name} is the id of a snapshot, not {value:?}")))
            };
            match name.as_str() {
                "inventory" => {
                    let table = InventoryTable::named(&value);
                    origin.inventory = Some(table.map_err(|error| Failure::Invalid(error.to_string()))?);
                }
                "from" => origin.runs.0 = Some(run()?),
                "to" => origin.runs.1 = Some(run()?),
                _parameter => rest.push((name, value)),
            }
        }
        Ok((origin, rest))
    }

    async fn source(
        &self,
        report: &'static Report,
        caller: &Caller,
        program: &Program,
    ) -> Result<Source, Failure> {
        let invalid = |error: SourceError| Failure::Invalid(error.to_string());
        let Some(table) = &self.inventory else {
            return match (report.objects, self.runs) {
                (Objects::TwoRuns, _) => Err(invalid(SourceError::Needed(report.name))),
                (Objects::None | Objects::LiveOrInventory, (None, None)) => Ok(Source::Live),
                (Objects::None | Objects::LiveOrInventory, _runs) => {
                    Err(Failure::Invalid("from and to are runs of an inventory: name one".into()))
                }
            };
        };
        match report.objects {
            Objects::None => Err(invalid(SourceError::Unused(report.name))),
            Objects::LiveOrInventory => Ok(Source::Inventory(table.clone())),
            Objects::TwoRuns => self.two_runs(table, caller, program).await,
        }
    }

    /// The runs that are asked for, else the last two.
    async fn two_runs(
        &self,
        table: &InventoryTable,
        caller: &Caller,
        program: &Program,
    ) -> Result<Source, Failure> {
        let missing = || Failure::Missing(format!("there is no inventory {}/{}", table.bucket, table.id));
        let (levels, name) = ([table.bucket.clone()], table.name());
        let may_read =
            caller.may_on(Action::GetTableData, Resource::Table(InventoryTable::WAREHOUSE, &levels, &name));
        may_read.map_err(|_| missing())?;
        let namespace = Namespace::new(levels.to_vec()).map_err(|_| missing())?;
        let ident =
            TableIdent::new(InventoryTable::WAREHOUSE, namespace, name.as_str()).map_err(|_| missing())?;
        let loaded =
            program.catalog.load(&ident).await.map_err(|error| Failure::Damaged(error.to_string()))?;
        let metadata = loaded.ok_or_else(missing)?.metadata;
        let mut runs: Vec<(i64, i64)> =
            metadata.snapshots().map(|snapshot| (snapshot.sequence_number(), snapshot.id())).collect();
        runs.sort_unstable();
        let ids: Vec<i64> = runs.into_iter().map(|(_, id)| id).collect();
        let after = self.runs.1.or(ids.last().copied());
        let at = |id: i64| ids.iter().position(|found| *found == id);
        let before = self.runs.0.or_else(|| ids.get(at(after?)?.checked_sub(1)?).copied());
        match (before, after) {
            (Some(before), Some(after)) if at(before).is_some() && at(after).is_some() => {
                Ok(Source::Runs { table: table.clone(), before, after })
            }
            (Some(_), Some(_)) => Err(Failure::Missing("the inventory has no such run".into())),
            (None, _) | (_, None) => {
                let message = "the inventory has no two runs yet, or none before the one named";
                Err(Failure::Missing(message.into()))
            }
        }
    }

    fn told(&self) -> String {
        match &self.inventory {
            None => "live".into(),
            Some(InventoryTable { bucket, id }) => format!("inventory {bucket}/{id}"),
        }
    }
}

/// Why there is no answer, as callers learn it.
fn failure(error: QueryError) -> Failure {
    let message = error.to_string();
    match error {
        QueryError::Busy { .. } => Failure::Busy(message),
        QueryError::Unsupported(_) => Failure::Unserved(message),
        // The queries are the server's own: what is not there is the inventory that was named.
        QueryError::Invalid(_) | QueryError::Limit(_) | QueryError::Values(_) => Failure::Invalid(message),
        QueryError::Syntax(_) | QueryError::NotAllowed(_) | QueryError::Failed(..) => {
            tracing::error!(error = %message, "a report failed");
            Failure::Damaged(message)
        }
    }
}

fn scalar(value: &tarn_sql::reports::Value) -> ScalarValue {
    match value {
        tarn_sql::reports::Value::Text(text) => ScalarValue::Utf8(Some(text.clone())),
        tarn_sql::reports::Value::Integer(number) => ScalarValue::Int64(Some(*number)),
    }
}

impl From<&'static Report> for ShownReport {
    fn from(report: &'static Report) -> Self {
        Self {
            name: report.name,
            title: report.title,
            description: report.description,
            parameters: report.parameters.iter().map(ShownParameter::from).collect(),
            columns: shown_columns(report.columns),
            bars: report.chart.value,
            inventory: match report.objects {
                Objects::None => "none",
                Objects::LiveOrInventory => "optional",
                Objects::TwoRuns => "runs",
            },
        }
    }
}

impl From<&tarn_sql::reports::Parameter> for ShownParameter {
    fn from(parameter: &tarn_sql::reports::Parameter) -> Self {
        let (r#type, least, most) = match parameter.kind {
            Kind::Text => ("text", None, None),
            Kind::Integer { least, most, default: _ } => ("integer", Some(least), Some(most)),
        };
        let default = json!(parameter.kind.default());
        Self { name: parameter.name, description: parameter.description, r#type, least, most, default }
    }
}

fn shown_columns(columns: &[Column]) -> Vec<ShownColumn> {
    columns.iter().map(|column| ShownColumn { name: column.name, unit: column.unit }).collect()
}
