//! Queries: the files of a version, or of what came and went since one.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use uuid::Uuid;

use super::SharingFront;
use super::answer::{Told, lines, status, untold};
use super::call::{Caller, Client, Names, body};
use super::changes::{Feed, Span};
use super::describe::form_of;
use super::queries::{New, Owner, Progress, QUERY_BYTES_MAX};
use super::rows::Rows;
use super::shared::{Opened, TableNames, since};
use super::walk::{Choice, Contents, Ending, Segment, Walk, Writing};
use crate::access::audit::Call;
use crate::predicate::{Limit, Predicate};
use crate::protocol::{
    At, Bound, Checksum, Failure, FileIds, Form, Format, Head, Kind, Page, Part, Poll, Query, Refresh, Stamp,
    metadata_line, protocol_line,
};
use crate::table::{HoldTime, TableError};

/// A request for files, with all it is answered from.
pub(super) struct Reading {
    pub(super) front: Arc<SharingFront>,
    pub(super) caller: Caller,
    pub(super) client: Client,
    pub(super) opened: Opened,
}

/// A version, and the first of its files to tell.
struct Start {
    version: i64,
    from: u64,
}

/// The files of a table.
pub(super) async fn query(
    caller: Caller,
    State(front): State<Arc<SharingFront>>,
    Names(names): Names<TableNames>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, sent) = request.into_parts();
    let client = Client::of(&parts.headers)?;
    let sent = body(sent).await?;
    let query = Query::parse(&sent)?;
    let mut opened = front.open(&caller, Call::Query, names).await?;
    opened.shared.trail.asked(query.sql_hints.iter().chain(&query.json_hints));
    let reading = Reading { front, caller, client, opened };
    match query.at {
        At::Latest | At::Version(_) | At::Timestamp(_) => {
            let runs = reading.client.capabilities.async_query && query.page_token.is_none();
            if runs && sent.len() <= QUERY_BYTES_MAX {
                return reading.submit(query).await;
            }
            reading.snapshot(&query, None).await
        }
        At::Since { start, end } => reading.since(&query, start, end).await,
    }
}

/// A query that runs by itself: how far it is, or its answer.
pub(super) async fn poll(
    caller: Caller,
    State(front): State<Arc<SharingFront>>,
    Names((share, schema, table, id)): Names<(String, String, String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, sent) = request.into_parts();
    let client = Client::of(&parts.headers)?;
    let Poll { max_files, page_token } = Poll::parse(&body(sent).await?)?;
    let mut opened = front.open(&caller, Call::Query, (share, schema, table)).await?;
    let found = front.queries.find(&id, Owner::of(&opened.shared.ticket), caller.now_ms);
    let found = found.ok_or_else(|| Failure::new(Kind::Missing, format!("query '{id}' not found")))?;
    match found.progress().await {
        Progress::Ready => {
            let mut query = found.query.clone();
            query.max_files = max_files.or(query.max_files);
            query.page_token = page_token;
            opened.shared.trail.asked(query.sql_hints.iter().chain(&query.json_hints));
            Reading { front, caller, client, opened }.snapshot(&query, Some(found.version)).await
        }
        progress @ (Progress::Pending | Progress::Failed(_)) => {
            opened.shared.told(Some(found.version));
            Ok(status(found.id, &progress))
        }
    }
}

impl Reading {
    /// Lets a query run by itself.
    async fn submit(mut self, query: Query) -> Result<Response, Failure> {
        let start = self.start(&query, bound(&query.at).as_ref(), checksum(&query)).await?;
        self.hold(start.version..=start.version).await?;
        let new = New {
            id: Uuid::new_v4(),
            owner: Owner::of(&self.opened.shared.ticket),
            query,
            version: start.version,
            now_ms: self.caller.now_ms,
        };
        let (versions, source) = (self.front.versions.clone(), self.opened.source.clone());
        let missing = self.opened.shared.missing();
        let submitted = self.front.queries.submit(new, async move {
            loop {
                match versions.get(&source, start.version).await.as_ref().map_err(AsRef::as_ref) {
                    Ok(_) => return Ok(()),
                    // Nobody waits for it: it can wait.
                    Err(TableError::Busy { .. }) => {}
                    Err(error) => return Err(untold(error, || missing)),
                }
            }
        })?;
        self.opened.shared.told(Some(submitted.version));
        Ok(status(submitted.id, &Progress::Pending))
    }

    /// The files of a version; `settled` is one that was found before.
    async fn snapshot(self, query: &Query, settled: Option<i64>) -> Result<Response, Failure> {
        let (checksum, at) = (checksum(query), bound(&query.at));
        let settled = settled.filter(|_| query.page_token.is_none());
        let start = match settled {
            Some(version) => {
                self.opened.shared.reaches(version)?;
                Start { version, from: 0 }
            }
            None => self.start(query, at.as_ref(), checksum).await?,
        };
        self.hold(start.version..=start.version).await?;
        let found = self.front.versions.get(&self.opened.source, start.version).await;
        let found = found.map_err(|error| self.opened.shared.untold(&error))?;
        let rows = Rows::of(&self.opened.shared.filters, &self.caller.reader.recipient, &found.metadata)?;
        let form = form_of(&self.client, &found)?;
        let (predicate, ignored) = Predicate::of_hints(
            &query.sql_hints,
            query.json_hints.as_deref(),
            &found.metadata,
            &found.hidden,
        );
        let stamp =
            at.is_some().then_some(Stamp { version: found.version, timestamp_ms: found.timestamp_ms });
        let size = rows.are_all().then(|| (found.files.size_bytes(), found.files.len()));
        let head = Head { version: stamp.map(|stamp| stamp.version), size, ..self.opened.head() };
        let mut text = String::new();
        protocol_line(&form, &found.metadata, None, &mut text);
        metadata_line(&form, &found.metadata, head, &mut text);
        let segment = Segment {
            before: String::new(),
            version: found.version,
            stamp,
            part: Part::Live,
            files: found.files.clone(),
            first: 0,
            from: start.from,
        };
        let limit = query.limit.map(Limit::of_rows);
        let choice = Choice { rows, predicate, limit, files_max: query.max_files };
        let refresh = query.include_refresh_token.then_some(Refresh { version: found.version });
        let mut ending = self.ending(query.max_files.is_some() || refresh.is_some(), checksum, None);
        ending.refresh_token =
            refresh.map(|refresh| ending.tokens.refresh(refresh, ending.subject, ending.now_ms));
        let ignored = ignored.iter().map(ToString::to_string).collect();
        let partitions = found.metadata.partitions();
        let contents = Contents { head: text, partitions, segments: vec![segment], choice, ending };
        Ok(self.answer(found.version, &form, ignored, contents))
    }

    /// Which version, and where to begin: as a token says, or as the query does.
    async fn start(&self, query: &Query, at: Option<&Bound>, checksum: Checksum) -> Result<Start, Failure> {
        let (tokens, subject, now_ms) = (&self.front.tokens, self.opened.subject, self.caller.now_ms);
        let start = match (&query.page_token, &query.refresh_token) {
            (Some(token), _) => match tokens.read_page(token, subject, checksum, now_ms)? {
                Page::Snapshot { version, index } => Start { version, from: index },
                Page::Changes { .. } => return Err(Failure::invalid("Error decoding the page token.")),
            },
            (None, Some(token)) => {
                Start { version: tokens.read_refresh(token, subject, now_ms)?.version, from: 0 }
            }
            (None, None) => Start { version: self.opened.resolve(at, now_ms).await?, from: 0 },
        };
        self.opened.shared.reaches(start.version)?;
        Ok(start)
    }

    /// Keeps the files of versions as long as the URLs count that are given out now. A version that is kept read may be
    /// one whose files are gone: this fails then.
    pub(super) async fn hold(&self, versions: RangeInclusive<i64>) -> Result<(), Failure> {
        let now_ms = self.caller.now_ms;
        let until_ms = now_ms.saturating_add(self.front.url_lifetime_s.saturating_mul(1000));
        let held = self.opened.source.hold(versions, HoldTime { now_ms, until_ms }).await;
        held.map_err(|error| self.opened.shared.untold(&error))
    }

    async fn since(self, query: &Query, start: i64, end: Option<i64>) -> Result<Response, Failure> {
        let first = self.opened.shared.history()?;
        if start < first {
            return Err(since(first));
        }
        let latest = self.opened.versions().await?.latest;
        if start > latest {
            return Err(after_latest(start, latest));
        }
        let span = Span {
            start,
            end: end.map_or(latest, |end| end.min(latest)),
            feed: Feed::Files,
            historical_metadata: true,
            historical_protocol: query.historical_protocol,
            files_max: query.max_files,
            page_token: query.page_token.clone(),
            checksum: checksum(query),
        };
        let hints = !query.sql_hints.is_empty() || query.json_hints.is_some();
        let ignored = hints.then(|| "predicates: with startingVersion no file is left out".to_owned());
        self.tell(span, ignored.into_iter().collect()).await
    }

    fn writing(&self, form: &Form) -> Writing {
        let now_s = self.caller.now_ms.div_euclid(1000);
        let token_ends_s = self.caller.reader.token_expires_ms.div_euclid(1000);
        let by_format = match form.format {
            Format::Parquet => FileIds::Parquet,
            Format::Delta => FileIds::Delta,
        };
        Writing {
            signer: self.front.signer.clone(),
            endpoint: self.front.endpoint.clone(),
            ticket: self.opened.shared.ticket,
            standing: self.front.standing.clone(),
            address: self.caller.reader.address,
            expires_s: now_s.saturating_add(self.front.url_lifetime_s).min(token_ends_s),
            format: form.format,
            ids: self.client.ids.unwrap_or(by_format),
        }
    }

    /// The end of an answer: with a line when the client said that it knows such lines, or asked for what only they tell.
    pub(super) fn ending(&self, asked: bool, checksum: Checksum, changes_until: Option<i64>) -> Ending {
        Ending {
            wanted: asked || self.client.capabilities.end_stream,
            refresh_token: None,
            tokens: self.front.tokens.clone(),
            subject: self.opened.subject,
            checksum,
            now_ms: self.caller.now_ms,
            changes_until,
        }
    }

    /// The answer, which is written while it is read.
    pub(super) fn answer(
        self,
        version: i64,
        form: &Form,
        ignored: Vec<String>,
        contents: Contents,
    ) -> Response {
        let (writing, coding) = (self.writing(form), self.client.coding);
        let end_line = self.client.capabilities.end_stream;
        let told = Told { version, format: form.format, end_line, ids: self.client.ids, ignored };
        let mut trail = self.opened.shared.trail;
        trail.tells(Some(version));
        lines(&told, coding, Walk::new(contents, writing, trail).into_body(coding))
    }
}

/// The version a query names.
fn bound(at: &At) -> Option<Bound> {
    match at {
        At::Version(version) => Some(Bound::Version(*version)),
        At::Timestamp(timestamp_ms) => Some(Bound::Timestamp(*timestamp_ms)),
        At::Latest | At::Since { .. } => None,
    }
}

/// The answer to who asks for what is yet to come.
pub(super) fn after_latest(start: i64, latest: i64) -> Failure {
    Failure::invalid(format!(
        "Provided Start version({start}) for reading change data is invalid. Start version cannot be greater than the \
         latest version of the table({latest})."
    ))
}

/// What the pages of an answer must have in common.
fn checksum(query: &Query) -> Checksum {
    let said = (&query.at, &query.sql_hints, &query.json_hints, query.limit, query.historical_protocol);
    let said = postcard::to_stdvec(&said).expect("texts and numbers always serialize");
    Checksum::of(&[b"query", &said])
}
