//! An answer while it is written: files are unpacked, chosen, signed and written chunk by chunk (F3).

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures::stream::{self, Stream};
use jiff::Timestamp;

use super::answer::Coding;
use super::gzip::compressed;
use super::rows::Rows;
use crate::access::audit::Trail;
use crate::access::{Gone, Ticket};
use crate::gateway::{Signer, Standing};
use crate::predicate::{Fit, Limit, Predicate};
use crate::protocol::{
    Checksum, End, Fault, FileIds, FileLines, Format, LineError, Page, Part, Stamp, Subject, Tokens, end_line,
};
use crate::table::{DataFile, FileList};

/// Bytes a file's line is expected to take.
const LINE_BYTES: usize = 768;

/// Files told in one way, and what is told before them.
#[derive(Debug)]
pub(super) struct Segment {
    /// Lines written before the first file.
    pub(super) before: String,
    /// The version they are of.
    pub(super) version: i64,
    /// Whether and how files are stamped with it.
    pub(super) stamp: Option<Stamp>,
    pub(super) part: Part,
    pub(super) files: FileList,
    /// The place of the first file among those of its version.
    pub(super) first: u64,
    /// Files before this place were told on the pages before.
    pub(super) from: u64,
}

/// Which files of the segments are told.
pub(super) struct Choice {
    pub(super) rows: Rows,
    pub(super) predicate: Option<Predicate>,
    pub(super) limit: Option<Limit>,
    /// The most files of the answer.
    pub(super) files_max: Option<u64>,
}

/// How files are written.
pub(super) struct Writing {
    pub(super) signer: Arc<Signer>,
    pub(super) endpoint: Arc<str>,
    pub(super) ticket: Ticket,
    pub(super) standing: Arc<Standing>,
    /// Where the reader came from.
    pub(super) address: Option<IpAddr>,
    /// When URLs end, in seconds since 1970.
    pub(super) expires_s: i64,
    pub(super) format: Format,
    pub(super) ids: FileIds,
}

/// What the last line tells.
pub(super) struct Ending {
    /// Whether there is one.
    pub(super) wanted: bool,
    pub(super) refresh_token: Option<String>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) subject: Subject,
    pub(super) checksum: Checksum,
    pub(super) now_ms: i64,
    /// The last version of an answer about changes.
    pub(super) changes_until: Option<i64>,
}

/// What an answer is made of.
pub(super) struct Contents {
    /// Its first lines.
    pub(super) head: String,
    /// The partition columns it tells, by names in files.
    pub(super) partitions: Vec<String>,
    pub(super) segments: Vec<Segment>,
    pub(super) choice: Choice,
    pub(super) ending: Ending,
}

/// Why an answer cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// A file cannot be told.
    #[error(transparent)]
    Line(#[from] LineError),
    /// What the answer stands on is gone (F7).
    #[error("the table may not be read any more")]
    Gone,
}

/// An answer and how far it is written.
pub(super) struct Walk {
    partitions: Vec<String>,
    segments: std::vec::IntoIter<Segment>,
    choice: Choice,
    writing: Writing,
    ending: Ending,
    state: State,
    /// What was told so far.
    trail: Trail,
}

enum State {
    /// The text is written next.
    Head(String),
    /// Files of a segment, from this chunk on, whose first file has this place in its version.
    Files {
        segment: Segment,
        chunk: usize,
        place: u64,
    },
    /// The next segment begins.
    Between,
    /// The last line is written next. The version and place of the first file that was not told for want of room.
    End {
        rest: Option<(i64, u64)>,
    },
    Over,
}

impl Walk {
    pub(super) fn new(contents: Contents, writing: Writing, trail: Trail) -> Self {
        let Contents { head, partitions, segments, choice, ending } = contents;
        let segments = segments.into_iter();
        Self { partitions, segments, choice, writing, ending, state: State::Head(head), trail }
    }

    /// The body.
    pub(super) fn into_body(self, coding: Coding) -> Body {
        match coding {
            Coding::Identity => Body::from_stream(self.into_stream()),
            Coding::Gzip => Body::from_stream(compressed(self.into_stream())),
        }
    }

    fn into_stream(self) -> impl Stream<Item = Result<Bytes, Broken>> + Send {
        stream::unfold(self, |mut walk| async move {
            loop {
                match walk.step(Timestamp::now().as_millisecond())? {
                    // Whoever reads a list of which nothing is told lets others in between.
                    Ok(text) if text.is_empty() => tokio::task::yield_now().await,
                    Ok(text) => return Some((Ok(Bytes::from(text)), walk)),
                    Err(error) => return Some((Err(error), walk)),
                }
            }
        })
    }

    /// Writes what comes next: of files at most a chunk. `None` when all is written.
    fn step(&mut self, now_ms: i64) -> Option<Result<String, Broken>> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Head(text) => {
                self.state = State::Between;
                Some(Ok(text))
            }
            State::Between => match self.segments.next() {
                None => self.end(None),
                Some(mut segment) => {
                    let before = std::mem::take(&mut segment.before);
                    let place = segment.first;
                    self.state = State::Files { segment, chunk: 0, place };
                    Some(Ok(before))
                }
            },
            State::Files { segment, chunk, place } => match self.writing.still(now_ms) {
                Ok(()) => self.files(segment, chunk, place),
                Err(Gone) => self.broken(Broken::Gone),
            },
            State::End { rest } => self.end(rest),
            State::Over => None,
        }
    }

    fn files(&mut self, segment: Segment, chunk: usize, place: u64) -> Option<Result<String, Broken>> {
        let Some(files) = segment.files.chunk_files(chunk) else {
            self.state = State::Between;
            return Some(Ok(String::new()));
        };
        let mut out = String::new();
        let next = place + u64::from(files);
        // Whole chunks that were told before need not be unpacked.
        if next > segment.from
            && let Some(open) = segment.files.chunk(chunk)
        {
            out.reserve(files as usize * LINE_BYTES);
            let urls = self.writing.signer.urls(
                &self.writing.endpoint,
                &self.writing.ticket,
                self.writing.expires_s,
            );
            let lines = FileLines {
                format: self.writing.format,
                ids: self.writing.ids,
                urls,
                partitions: &self.partitions,
            };
            for (file, place) in open.files().zip(place..).filter(|(_, place)| *place >= segment.from) {
                match self.choice.decide(&file, self.trail.files()) {
                    Decision::Pass => {}
                    Decision::Enough => {
                        self.state = State::End { rest: None };
                        return Some(Ok(out));
                    }
                    Decision::Full => {
                        self.state = State::End { rest: Some((segment.version, place)) };
                        return Some(Ok(out));
                    }
                    Decision::Tell => {
                        if let Err(error) = lines.write(segment.part, segment.stamp, &file, &mut out) {
                            return self.broken(error.into());
                        }
                        self.trail.file(file.size);
                    }
                }
            }
        }
        self.state = State::Files { segment, chunk: chunk + 1, place: next };
        Some(Ok(out))
    }

    /// The answer cannot go on: its reader must not take it for whole (F4).
    fn broken(&mut self, error: Broken) -> Option<Result<String, Broken>> {
        let status = match error {
            Broken::Line(_) => {
                tracing::error!(%error, "an answer of a shared table broke off");
                500
            }
            Broken::Gone => {
                tracing::info!("an answer of a shared table ended: its reader may not read it any more");
                403
            }
        };
        if !self.ending.wanted {
            return Some(Err(error));
        }
        let fault = Fault { error_message: error.to_string(), http_status_error_code: status };
        let mut out = String::new();
        end_line(&End { fault: Some(fault), ..End::default() }, &mut out);
        Some(Ok(out))
    }

    fn end(&mut self, rest: Option<(i64, u64)>) -> Option<Result<String, Broken>> {
        self.trail.whole();
        if !self.ending.wanted {
            return None;
        }
        let mut out = String::new();
        end_line(&self.ending.line(rest, self.trail.files(), self.writing.expires_s), &mut out);
        Some(Ok(out))
    }
}

impl Writing {
    fn still(&self, now_ms: i64) -> Result<(), Gone> {
        self.standing.of(&self.ticket, self.address, now_ms).map(|_| ())
    }
}

enum Decision {
    /// It is not of the answer.
    Pass,
    /// It is.
    Tell,
    /// It is, and the page is full.
    Full,
    /// Enough rows were told.
    Enough,
}

impl Choice {
    fn decide(&mut self, file: &DataFile<'_>, files_told: u64) -> Decision {
        if !self.rows.see(file) {
            return Decision::Pass;
        }
        let fit = self.predicate.as_ref().map_or(Fit::Every, |predicate| predicate.fit(file));
        match fit {
            Fit::None => return Decision::Pass,
            Fit::Some | Fit::Every => {}
        }
        if self.limit.as_ref().is_some_and(Limit::is_reached) {
            return Decision::Enough;
        }
        if self.files_max.is_some_and(|most| files_told >= most) {
            return Decision::Full;
        }
        if let Some(limit) = &mut self.limit {
            limit.count(file, fit);
        }
        Decision::Tell
    }
}

impl Ending {
    fn line(&self, rest: Option<(i64, u64)>, files_told: u64, expires_s: i64) -> End {
        let next = rest.map(|(version, index)| match self.changes_until {
            Some(end) => Page::Changes { version, index, end },
            None => Page::Snapshot { version, index },
        });
        let token = |page| self.tokens.page(page, self.subject, self.checksum, self.now_ms);
        End {
            refresh_token: self.refresh_token.clone(),
            next_page_token: next.map(token),
            min_url_expiration_timestamp: (files_told > 0).then_some(expires_s.saturating_mul(1000)),
            fault: None,
        }
    }
}
