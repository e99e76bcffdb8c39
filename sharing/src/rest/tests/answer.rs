//! Answers, read to their end.

use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{:?}", String::from_utf8_lossy(&self.body)))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(super) fn lines(&self) -> Vec<Value> {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        assert_eq!(self.headers["content-type"], "application/x-ndjson; charset=utf-8");
        assert!(self.body.ends_with(b"\n"));
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Numbers of the files told, with the kinds of their lines.
    pub(super) fn told(&self) -> Vec<(String, u64)> {
        self.lines().iter().filter_map(told).collect()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The status and the envelope.
    pub(super) fn failure(&self) -> (u16, String, String) {
        assert_eq!(self.headers["content-type"], "application/json; charset=utf-8");
        let body = self.json();
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (self.status.as_u16(), text("errorCode"), text("message"))
    }
}

/// The kind and the number of a file's line of either format.
pub(super) fn told(line: &Value) -> Option<(String, u64)> {
    let (mut kind, mut action) = line.as_object().unwrap().iter().next().unwrap();
    if let Some(inner) = action.get("deltaSingleAction") {
        (kind, action) = inner.as_object().unwrap().iter().next().unwrap();
    }
    let url = action.get("url").or_else(|| action.get("path"))?.as_str().unwrap();
    let number = url.split("/t/").nth(1).unwrap().split(".parquet?").next().unwrap();
    Some((kind.clone(), number.parse().unwrap()))
}
