//! What versions changed: the change feed, and files that came and went for who follows a table.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;

use super::SharingFront;
use super::call::{Caller, Client, Names};
use super::query::{Reading, after_latest};
use super::rows::{Rows, unfit};
use super::shared::{TableNames, since};
use super::walk::{Choice, Contents, Segment};
use crate::access::audit::Call;
use crate::directory::History;
use crate::protocol::{
    Bound, ChangesParams, Checksum, Failure, Form, Format, Head, Page, Part, Stamp, metadata_line,
    protocol_line, writes_changes,
};
use crate::table::{Column, DataType, Feature, Nested, TableVersion, VersionChanges};

/// What is told of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    /// Files that came and went.
    Files,
    /// Changed rows: where the table wrote them by themselves, those files.
    Rows,
}

/// Versions whose changes are told.
pub(super) struct Span {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) feed: Feed,
    /// Whether to tell what the table became in between.
    pub(super) historical_metadata: bool,
    /// Whether to tell what reading it takes in between.
    pub(super) historical_protocol: bool,
    pub(super) files_max: Option<u64>,
    pub(super) page_token: Option<String>,
    pub(super) checksum: Checksum,
}

/// Where a page of changes begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct From {
    version: i64,
    index: u64,
}

/// The change feed.
pub(super) async fn changes(
    caller: Caller,
    State(front): State<Arc<SharingFront>>,
    Names(names): Names<TableNames>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let client = Client::of(&headers)?;
    let params = ChangesParams::parse(query.as_deref())?;
    let opened = front.open(&caller, Call::Changes, names).await?;
    Reading { front, caller, client, opened }.feed(params).await
}

impl Reading {
    async fn feed(self, params: ChangesParams) -> Result<Response, Failure> {
        let first = match self.opened.shared.table.history {
            History::Shared { start } => start,
            History::Latest => return Err(self.no_feed()),
        };
        let latest = self.opened.versions().await?.latest;
        let start = match params.start {
            Bound::Version(version) => version,
            Bound::Timestamp(timestamp_ms) => self.opened.from(timestamp_ms).await?,
        };
        if start < first {
            return Err(since(first));
        }
        if start > latest {
            return Err(after_latest(start, latest));
        }
        let now_ms = self.caller.now_ms;
        let end = match params.end {
            None => latest,
            Some(Bound::Version(version)) => version.min(latest),
            Some(Bound::Timestamp(timestamp_ms)) => {
                self.opened.until(timestamp_ms.min(now_ms), now_ms).await?
            }
        };
        if end < start {
            return Err(Failure::invalid(format!(
                "CDF range from start {start} to end {end} was invalid. End cannot be before start."
            )));
        }
        let span = Span {
            start,
            end,
            feed: Feed::Rows,
            historical_metadata: params.historical_metadata,
            historical_protocol: params.historical_protocol,
            files_max: params.max_files,
            checksum: checksum(&params),
            page_token: params.page_token,
        };
        self.tell(span, Vec::new()).await
    }

    fn no_feed(&self) -> Failure {
        Failure::invalid(format!("cdf is not enabled on table {}", self.opened.shared.dotted()))
    }

    /// Tells the changes of a span.
    pub(super) async fn tell(self, span: Span, ignored: Vec<String>) -> Result<Response, Failure> {
        let (from, end) = self.page(&span)?;
        self.hold(span.start..=end).await?;
        // Who is told what the table became starts with what it was.
        let at = if span.historical_metadata { span.start } else { end };
        let head = self.opened.metadata(at).await?;
        match span.feed {
            Feed::Rows if !writes_changes(&head.metadata) => return Err(self.no_feed()),
            Feed::Rows | Feed::Files => {}
        }
        let untold = |error| self.opened.shared.untold(&error);
        let turn = self.front.versions.turn().await.map_err(untold)?;
        let changes = self.opened.source.changes(span.start..=end).await.map_err(untold)?;
        drop(turn);
        let partitions = partitions(&head, &changes)?;
        let rows = self.rows(&head, &changes)?;
        let features = features(&head, &changes);
        let why = not_plain(&head, &changes);
        let form = Form::choose(&self.client.capabilities, &features, why.as_deref().map_or(Ok(()), Err))?;
        let told_version = (span.historical_protocol && form.format == Format::Delta).then_some(at);
        let mut text = String::new();
        protocol_line(&form, &head.metadata, told_version, &mut text);
        let described = Head { version: Some(at), ..self.opened.head() };
        metadata_line(&form, &head.metadata, described, &mut text);
        let mut segments = Vec::new();
        for change in changes.iter().filter(|change| from.is_none_or(|from| change.version >= from.version)) {
            // What stands before a version's files was told on the page of its first.
            let is_new = change.version > at && from.is_none_or(|from| change.version > from.version);
            let before = if is_new && span.historical_metadata {
                self.before(&form, &span, change)
            } else {
                String::new()
            };
            push(&mut segments, span.feed, before, change, from);
        }
        let choice = Choice { rows, predicate: None, limit: None, files_max: span.files_max };
        let ending = self.ending(span.files_max.is_some(), span.checksum, Some(end));
        let contents = Contents { head: text, partitions, segments, choice, ending };
        Ok(self.answer(span.start, &form, ignored, contents))
    }

    /// Where the page begins, and the last version of the whole answer: what was committed since is no part of it.
    fn page(&self, span: &Span) -> Result<(Option<From>, i64), Failure> {
        let Some(token) = &span.page_token else { return Ok((None, span.end)) };
        let (subject, now_ms) = (self.opened.subject, self.caller.now_ms);
        match self.front.tokens.read_page(token, subject, span.checksum, now_ms)? {
            Page::Changes { version, index, end } => Ok((Some(From { version, index }), end)),
            Page::Snapshot { .. } => Err(Failure::invalid("Error decoding the page token.")),
        }
    }

    /// The rows that are seen: by one column throughout, or the table cannot be told (F5).
    fn rows(&self, head: &TableVersion, changes: &[VersionChanges]) -> Result<Rows, Failure> {
        let filters = &self.opened.shared.filters;
        let recipient = &self.caller.reader.recipient;
        let rows = Rows::of(filters, recipient, &head.metadata)?;
        for metadata in changes.iter().filter_map(|change| change.metadata.as_ref()) {
            if let Some(filter) = filters.first()
                && Rows::of(filters, recipient, metadata)? != rows
            {
                return Err(unfit(filter));
            }
        }
        Ok(rows)
    }

    /// What a table became at a version.
    fn before(&self, form: &Form, span: &Span, change: &VersionChanges) -> String {
        let mut text = String::new();
        let Some(metadata) = &change.metadata else { return text };
        if span.historical_protocol && form.format == Format::Delta {
            protocol_line(form, metadata, Some(change.version), &mut text);
        }
        metadata_line(
            form,
            metadata,
            Head { version: Some(change.version), ..self.opened.head() },
            &mut text,
        );
        text
    }
}

fn push(
    segments: &mut Vec<Segment>,
    feed: Feed,
    mut before: String,
    change: &VersionChanges,
    from: Option<From>,
) {
    let from = from.filter(|from| from.version == change.version).map_or(0, |from| from.index);
    let stamp = Some(Stamp { version: change.version, timestamp_ms: change.timestamp_ms });
    let mut first = 0;
    let by_rows = feed == Feed::Rows && !change.changed.is_empty();
    let lists = match by_rows {
        true => vec![(Part::Changed, &change.changed)],
        false => vec![(Part::Removed, &change.removed), (Part::Added, &change.added)],
    };
    for (part, files) in lists {
        segments.push(Segment {
            before: std::mem::take(&mut before),
            version: change.version,
            stamp,
            part,
            files: files.clone(),
            first,
            from,
        });
        first += files.len();
    }
}

/// What files are partitioned by, by names in files. Readers take each file for one of the table they were told first, so
/// files that lack a column of that cannot be told with it.
fn partitions(head: &TableVersion, changes: &[VersionChanges]) -> Result<Vec<String>, Failure> {
    let partitions = head.metadata.partitions();
    for change in changes {
        let Some(metadata) = &change.metadata else { continue };
        let known = metadata.partitions();
        if !partitions.iter().all(|column| known.contains(column)) {
            return Err(Failure::unsupported(format!(
                "version {} changed what the table is partitioned by; changes up to that version and from it on can be \
                 read apart",
                change.version
            )));
        }
    }
    Ok(partitions)
}

/// What reading all of it takes.
fn features(head: &TableVersion, changes: &[VersionChanges]) -> BTreeSet<Feature> {
    let mut features = head.features.clone();
    features.extend(changes.iter().flat_map(|change| change.features.iter().copied()));
    if changes.iter().any(has_deletes) {
        features.insert(Feature::DeletionVectors);
    }
    features
}

fn has_deletes(change: &VersionChanges) -> bool {
    [&change.added, &change.removed, &change.changed].into_iter().any(|files| files.has_deletes())
}

/// Why the changes cannot be read by the names of columns alone, if they cannot.
fn not_plain(head: &TableVersion, changes: &[VersionChanges]) -> Option<String> {
    if let Err(why) = &head.plain {
        return Some(why.clone());
    }
    if changes.iter().any(has_deletes) {
        return Some("rows of files were deleted in these versions".to_owned());
    }
    let evolved = changes.iter().any(|change| {
        let beyond = |&feature: &Feature| match feature {
            Feature::ColumnMapping | Feature::DeletionVectors => false,
            Feature::TimestampNtz | Feature::VariantType | Feature::TypeWidening => true,
        };
        let renamed =
            change.metadata.as_ref().is_some_and(|metadata| !metadata.schema.fields.iter().all(by_name));
        renamed || change.features.iter().any(beyond)
    });
    evolved.then(|| "columns were renamed or changed their types in these versions".to_owned())
}

/// Whether a column and all within it have in files the names they have.
fn by_name(column: &Column) -> bool {
    column.physical_name() == column.name && type_by_name(&column.data_type)
}

fn type_by_name(data_type: &DataType) -> bool {
    let DataType::Nested(nested) = data_type else { return true };
    match &**nested {
        Nested::Struct { fields } => fields.iter().all(by_name),
        Nested::Array { element_type, .. } => type_by_name(element_type),
        Nested::Map { key_type, value_type, .. } => type_by_name(key_type) && type_by_name(value_type),
    }
}

/// What the pages of an answer must have in common.
fn checksum(params: &ChangesParams) -> Checksum {
    let bound = |bound: Option<&Bound>| match bound {
        None => (0, 0),
        Some(Bound::Version(version)) => (1, *version),
        Some(Bound::Timestamp(timestamp_ms)) => (2, *timestamp_ms),
    };
    let said = (
        bound(Some(&params.start)),
        bound(params.end.as_ref()),
        params.historical_metadata,
        params.historical_protocol,
    );
    let said = postcard::to_stdvec(&said).expect("numbers always serialize");
    Checksum::of(&[b"changes", &said])
}
