//! The line at the end.

use serde::Serialize;

/// What the last line tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    /// Names the version again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    /// When the first URL of the answer ends, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_url_expiration_timestamp: Option<i64>,
    /// Why the answer is not whole.
    #[serde(flatten)]
    pub fault: Option<Fault>,
}

/// Why an answer is not whole: the client must not use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// For a person.
    pub error_message: String,
    /// The status it would have had.
    pub http_status_error_code: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    end_stream_action: &'a End,
}

/// The line.
pub fn end_line(end: &End, out: &mut String) {
    let line = Line { end_stream_action: end };
    out.push_str(&serde_json::to_string(&line).expect("texts and numbers always become JSON"));
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_tells_only_what_there_is() {
        let line = |end: &End| {
            let mut out = String::new();
            end_line(end, &mut out);
            out
        };
        assert_eq!(line(&End::default()), "{\"endStreamAction\":{}}\n");
        let paged = End {
            next_page_token: Some("p".into()),
            min_url_expiration_timestamp: Some(5),
            ..End::default()
        };
        assert_eq!(
            line(&paged),
            "{\"endStreamAction\":{\"nextPageToken\":\"p\",\"minUrlExpirationTimestamp\":5}}\n"
        );
        let fault = Fault { error_message: "it broke".into(), http_status_error_code: 500 };
        let broken = End { fault: Some(fault), ..End::default() };
        assert_eq!(
            line(&broken),
            "{\"endStreamAction\":{\"errorMessage\":\"it broke\",\"httpStatusErrorCode\":500}}\n"
        );
    }
}
