//! The stream of change events of a server.

use std::time::Duration;

use futures::StreamExt as _;
use reqwest::Response;
use serde_json::Value;

use super::output::{line, text};
use super::{ClientError, Connection, path_segment};

/// Before the first try to connect again; twice as long each time.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(30);
/// The longest part of a stream that is read.
const PART_BYTES_MAX: usize = 16 << 20;

/// What to read.
pub(crate) struct Asked {
    pub(crate) after: Option<String>,
    pub(crate) warehouse: Option<String>,
    pub(crate) namespace: Option<Vec<String>>,
    pub(crate) types: Vec<String>,
    pub(crate) follow: bool,
}

impl Asked {
    fn path(&self) -> String {
        let namespace = self.namespace.as_ref().map(|levels| levels.join("\u{1f}"));
        let types = (!self.types.is_empty()).then(|| self.types.join(","));
        let given = [
            ("after", &self.after),
            ("warehouse", &self.warehouse),
            ("namespace", &namespace),
            ("type", &types),
        ];
        let mut path = format!("/_admin/v1/events?follow={}", self.follow);
        for (name, value) in given {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", path_segment(value)));
            }
        }
        path
    }
}

/// How a stream ended.
enum End {
    /// The server said so: the reason.
    Told(String),
    /// The connection broke.
    Broken,
}

/// Gives every event to `each` until the end; a stream that is followed is opened again when its connection breaks or
/// the server stops, behind the last event that was given.
pub(crate) async fn read(
    connection: &Connection,
    asked: &Asked,
    mut each: impl FnMut(&Value),
) -> Result<(), ClientError> {
    let path = asked.path();
    let mut last: Option<String> = None;
    let mut wait = AGAIN;
    loop {
        let opened = connection.stream(&path, last.as_deref()).await;
        let end = match opened {
            Ok(response) => {
                wait = AGAIN;
                parts(response, &mut last, &mut each).await?
            }
            // Before the first answer it is the caller who must know.
            Err(ClientError::Unreachable { .. }) if asked.follow && last.is_some() => End::Broken,
            Err(ClientError::Refused { status, .. })
                if asked.follow && last.is_some() && status == http::StatusCode::SERVICE_UNAVAILABLE =>
            {
                End::Broken
            }
            Err(error) => return Err(error),
        };
        match end {
            End::Told(reason) if reason == "end-of-log" => return Ok(()),
            End::Told(reason) if !(asked.follow && reason == "server-stops") => {
                return Err(ClientError::Ended { reason, last: last.unwrap_or_default() });
            }
            End::Broken if !asked.follow => {
                let reason = "the connection broke".into();
                return Err(ClientError::Ended { reason, last: last.unwrap_or_default() });
            }
            End::Told(_) | End::Broken => {}
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(AGAIN_MAX);
    }
}

async fn parts(
    response: Response,
    last: &mut Option<String>,
    each: &mut impl FnMut(&Value),
) -> Result<End, ClientError> {
    let mut parser = Parser::default();
    let mut bytes = response.bytes_stream();
    while let Some(Ok(chunk)) = bytes.next().await {
        for part in parser.feed(&chunk) {
            let wrong = || ClientError::Answer { path: "/_admin/v1/events".into() };
            if part.data.is_empty() {
                *last = part.id.or(last.take());
                continue;
            }
            let value: Value = serde_json::from_str(&part.data).map_err(|_| wrong())?;
            if part.event.as_deref() == Some("end") {
                *last = part.id.or(last.take());
                return Ok(End::Told(text(&value["reason"])));
            }
            each(&value);
            *last = part.id.or(last.take());
        }
        if parser.left.len() > PART_BYTES_MAX {
            return Err(ClientError::Answer { path: "/_admin/v1/events".into() });
        }
    }
    Ok(End::Broken)
}

/// Server-sent events from bytes in pieces of any size.
#[derive(Default)]
struct Parser {
    left: Vec<u8>,
}

#[derive(Debug, Default, PartialEq)]
struct Part {
    id: Option<String>,
    event: Option<String>,
    data: String,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) -> Vec<Part> {
        let searched = self.left.len().saturating_sub(1);
        self.left.extend_from_slice(bytes);
        let mut parts = Vec::new();
        let (mut from, mut at) = (0, searched);
        while let Some(found) = self.left[at..].windows(2).position(|pair| pair == b"\n\n") {
            let end = at + found;
            parts.push(part(&String::from_utf8_lossy(&self.left[from..end])));
            (from, at) = (end + 2, end + 2);
        }
        self.left.drain(..from);
        parts
    }
}

fn part(text: &str) -> Part {
    let mut part = Part::default();
    for field in text.lines() {
        let (name, value) = field.split_once(':').unwrap_or((field, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => part.id = Some(value.to_owned()),
            "event" => part.event = Some(value.to_owned()),
            "data" => part.data.push_str(value),
            // A comment, or a field of a later version.
            _ => {}
        }
    }
    part
}

/// One line for people.
pub(crate) fn print(event: &Value) {
    let data = &event["data"];
    let mut words =
        vec![text(&event["time"]), text(&event["id"]), text(&event["type"]), text(&event["subject"])];
    if data["from"].is_object() {
        let levels = data["from"]["namespace"].as_array().into_iter().flatten().map(text);
        let name: Vec<String> = levels.chain([text(&data["from"]["name"])]).collect();
        words.push(format!("from {}", name.join(".")));
    }
    if !data["snapshot-id"].is_null() {
        words.push(format!("snapshot {}", text(&data["snapshot-id"])));
    }
    if event["transactioncount"].as_u64().is_some_and(|count| count > 1) {
        let index = event["transactionindex"].as_u64().unwrap_or(0) + 1;
        words.push(format!("({index} of {})", text(&event["transactioncount"])));
    }
    line(&words.join("  "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_however_the_bytes_are_cut() {
        let text = ": beat\nid: 3\n\nid: 4-0-0\ndata: {\"a\":1}\n\nevent: end\nid: 5\ndata: {}\n\nid: 6";
        for cut in 0..text.len() {
            let mut parser = Parser::default();
            let mut parts = parser.feed(&text.as_bytes()[..cut]);
            parts.extend(parser.feed(&text.as_bytes()[cut..]));
            assert_eq!(parts.len(), 3, "{cut}: {parts:?}");
            assert_eq!(parts[0], Part { id: Some("3".into()), ..Part::default() });
            assert_eq!(parts[1].data, "{\"a\":1}");
            assert_eq!(parts[2].event.as_deref(), Some("end"));
            assert_eq!(parser.left, b"id: 6");
        }
    }
}
