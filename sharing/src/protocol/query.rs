//! The body of a query.

use serde::de::{Deserializer, Error as _, Unexpected};
use serde::{Deserialize, Serialize};

use super::{Failure, timestamp_ms};

/// The longest body, in bytes: a megabyte of predicates, and what is around and escaped in it.
pub const BODY_BYTES_MAX: usize = 3 << 20;
/// The longest idempotency key, in bytes.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 256;

/// What is asked of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Which files.
    pub at: At,
    /// Predicates in SQL; all hold.
    pub sql_hints: Vec<String>,
    /// A predicate in JSON.
    pub json_hints: Option<String>,
    /// Files with this many rows are enough.
    pub limit: Option<u64>,
    /// The most files of the answer.
    pub max_files: Option<u64>,
    /// Where the answer begins.
    pub page_token: Option<String>,
    /// Whether a token is asked for that names this version again.
    pub include_refresh_token: bool,
    /// Such a token.
    pub refresh_token: Option<String>,
    /// Whether to tell what reading the table took in between.
    pub historical_protocol: bool,
    /// Names the submission of a query that runs by itself: the same again is the same query.
    pub idempotency_key: Option<String>,
}

/// Which files of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum At {
    /// Those of the latest version.
    Latest,
    /// Those of this version.
    Version(i64),
    /// Those of the version of this time, in milliseconds since 1970.
    Timestamp(i64),
    /// Those that came and went from version `start` to `end`, both inclusive.
    Since {
        /// The first version.
        start: i64,
        /// The last; none is the latest.
        end: Option<i64>,
    },
}

/// As it is written. Old clients and those made from the protocol's declarations write some names in snake case; numbers
/// may be texts, as the JSON of protocol buffers has them.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Written {
    #[serde(alias = "predicate_hints", deserialize_with = "some")]
    predicate_hints: Option<Vec<String>>,
    #[serde(alias = "json_predicate_hints", deserialize_with = "some")]
    json_predicate_hints: Option<String>,
    #[serde(alias = "limit_hint", deserialize_with = "number")]
    limit_hint: Option<i64>,
    #[serde(deserialize_with = "number")]
    version: Option<i64>,
    #[serde(deserialize_with = "some")]
    timestamp: Option<String>,
    #[serde(alias = "starting_version", deserialize_with = "number")]
    starting_version: Option<i64>,
    #[serde(alias = "ending_version", deserialize_with = "number")]
    ending_version: Option<i64>,
    #[serde(alias = "max_files", deserialize_with = "number")]
    max_files: Option<i64>,
    #[serde(alias = "page_token", deserialize_with = "some")]
    page_token: Option<String>,
    #[serde(alias = "include_refresh_token", deserialize_with = "flag")]
    include_refresh_token: bool,
    #[serde(alias = "refresh_token", deserialize_with = "some")]
    refresh_token: Option<String>,
    #[serde(alias = "include_historical_protocol", deserialize_with = "flag")]
    include_historical_protocol: bool,
    #[serde(alias = "idempotency_key", deserialize_with = "some")]
    idempotency_key: Option<String>,
}

/// Which page of a query is asked for that runs by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// The most files of the answer.
    pub max_files: Option<u64>,
    /// Where the answer begins.
    pub page_token: Option<String>,
}

impl Poll {
    /// Reads a body; an empty one asks for all files.
    pub fn parse(body: &[u8]) -> Result<Self, Failure> {
        let mut query = Query::parse(body)?;
        let poll = Self { max_files: query.max_files.take(), page_token: query.page_token.take() };
        if query == Query::parse(b"")? {
            return Ok(poll);
        }
        Err(Failure::invalid("Only maxFiles and pageToken can be used when asking for a submitted query."))
    }
}

impl Query {
    /// Reads a body; an empty one asks for everything.
    pub fn parse(body: &[u8]) -> Result<Self, Failure> {
        let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
        // A derived reader takes a list for a struct.
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(Failure::malformed("the body is no JSON object"));
        }
        let written: Written = serde_json::from_slice(body)
            .map_err(|error| Failure::malformed(format!("the body cannot be read: {error}")))?;
        written.checked()
    }
}

impl Written {
    fn checked(self) -> Result<Query, Failure> {
        let timestamp = self.timestamp.as_deref().filter(|text| !text.is_empty());
        let versions = [self.version.is_some(), timestamp.is_some(), self.starting_version.is_some()];
        let named = versions.iter().filter(|&&named| named).count();
        let page_token = self.page_token.filter(|token| !token.is_empty());
        let refresh_token = self.refresh_token.filter(|token| !token.is_empty());
        for (wrong, message) in [
            (named > 1, "Please only provide one of: version,timestamp,startingVersion"),
            (self.version.is_some_and(i64::is_negative), "table version cannot be negative."),
            (self.starting_version.is_some_and(i64::is_negative), "startingVersion cannot be negative."),
            (
                self.ending_version.is_some() && self.starting_version.is_none(),
                "endingVersion can be used with startingVersion only.",
            ),
            (self.max_files.is_some_and(|files| files <= 0), "maxFiles must be positive."),
            (
                self.idempotency_key.as_ref().is_some_and(|key| key.len() > IDEMPOTENCY_KEY_BYTES_MAX),
                "idempotencyKey is longer than 256 bytes.",
            ),
            (
                named > 0 && self.include_refresh_token,
                "includeRefreshToken cannot be used when querying a specific version.",
            ),
            (
                page_token.is_some() && self.include_refresh_token,
                "includeRefreshToken must be used in the first page request.",
            ),
            (
                named > 0 && refresh_token.is_some(),
                "refreshToken cannot be used when querying a specific version.",
            ),
            (
                page_token.is_some() && refresh_token.is_some(),
                "refreshToken must be used in the first page request.",
            ),
        ] {
            if wrong {
                return Err(Failure::invalid(message));
            }
        }
        let at = match (self.version, timestamp, self.starting_version) {
            (Some(version), _, _) => At::Version(version),
            (None, Some(text), _) => At::Timestamp(timestamp_ms("timestamp", text)?),
            (None, None, Some(start)) => since(start, self.ending_version)?,
            (None, None, None) => At::Latest,
        };
        Ok(Query {
            at,
            sql_hints: self.predicate_hints.unwrap_or_default(),
            json_hints: self.json_predicate_hints.filter(|hints| !hints.trim().is_empty()),
            // Clients made from the protocol's example send 0 and want everything. A hint may be passed over.
            limit: self.limit_hint.and_then(|limit| u64::try_from(limit).ok()).filter(|&limit| limit > 0),
            max_files: self.max_files.map(i64::unsigned_abs),
            page_token,
            include_refresh_token: self.include_refresh_token,
            refresh_token,
            historical_protocol: self.include_historical_protocol,
            idempotency_key: self.idempotency_key.filter(|key| !key.is_empty()),
        })
    }
}

fn since(start: i64, end: Option<i64>) -> Result<At, Failure> {
    match end {
        Some(end) if end < start => Err(Failure::invalid(format!(
            "startingVersion({start}) must be smaller than or equal to endingVersion({end})."
        ))),
        end => Ok(At::Since { start, end }),
    }
}

/// A value, or null for none.
fn some<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(from)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient {
    Flag(bool),
    Number(i64),
    Text(String),
}

/// A whole number, as a number or a text.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    match Option::<Lenient>::deserialize(from)? {
        None => Ok(None),
        Some(Lenient::Number(number)) => Ok(Some(number)),
        Some(Lenient::Text(text)) => match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(D::Error::invalid_value(Unexpected::Str(&text), &"a whole number")),
        },
        Some(Lenient::Flag(flag)) => Err(D::Error::invalid_type(Unexpected::Bool(flag), &"a whole number")),
    }
}

/// True or false, as such or a text.
fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    match Option::<Lenient>::deserialize(from)? {
        None => Ok(false),
        Some(Lenient::Flag(flag)) => Ok(flag),
        Some(Lenient::Text(text)) => Ok(text.eq_ignore_ascii_case("true")),
        Some(Lenient::Number(number)) => {
            Err(D::Error::invalid_type(Unexpected::Signed(number), &"true or false"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Query, Failure> {
        Query::parse(body.as_bytes())
    }

    #[test]
    fn an_empty_body_and_what_nobody_knows_ask_for_everything() {
        let all = parse("{}").unwrap();
        assert_eq!((all.at, all.limit, all.max_files), (At::Latest, None, None));
        for body in [
            "",
            "  \n",
            r#"{"responseFormat":"delta","requested_columns":["a"],"queryDeltaLog":true,"new":{"a":[1]}}"#,
            r#"{"version":null,"timestamp":"","limitHint":0,"pageToken":"","jsonPredicateHints":" "}"#,
            r#"{"limitHint":-5,"endingVersion":null,"idempotencyKey":""}"#,
        ] {
            assert_eq!(parse(body).as_ref(), Ok(&all), "{body}");
        }
    }

    #[test]
    fn every_field_is_read_in_both_spellings() {
        let camel = r#"{"predicateHints":["a = 1"],"jsonPredicateHints":"{}","limitHint":3,"startingVersion":1,
            "endingVersion":"4","maxFiles":7,"pageToken":"t","includeHistoricalProtocol":true}"#;
        let snake = r#"{"predicate_hints":["a = 1"],"json_predicate_hints":"{}","limit_hint":"3","starting_version":1,
            "ending_version":4,"max_files":7,"page_token":"t","include_historical_protocol":"TRUE"}"#;
        let query = parse(camel).unwrap();
        assert_eq!(parse(snake).as_ref(), Ok(&query));
        assert_eq!(query.at, At::Since { start: 1, end: Some(4) });
        assert_eq!(
            (query.limit, query.max_files, query.page_token.as_deref()),
            (Some(3), Some(7), Some("t"))
        );
        assert!(query.historical_protocol && query.sql_hints == ["a = 1"]);
        let refreshed = parse(r#"{"refresh_token":"r","include_refresh_token":true}"#).unwrap();
        assert_eq!((refreshed.refresh_token.as_deref(), refreshed.include_refresh_token), (Some("r"), true));
        assert_eq!(parse(r#"{"version":7}"#).unwrap().at, At::Version(7));
        assert_eq!(parse(r#"{"timestamp":"1970-01-01T00:00:01Z"}"#).unwrap().at, At::Timestamp(1000));
    }

    #[test]
    fn what_contradicts_itself_is_refused_in_the_words_of_the_reference() {
        for (body, message) in [
            (
                r#"{"version":1,"startingVersion":1}"#,
                "Please only provide one of: version,timestamp,startingVersion",
            ),
            (
                r#"{"version":1,"timestamp":"x"}"#,
                "Please only provide one of: version,timestamp,startingVersion",
            ),
            (r#"{"version":-1}"#, "table version cannot be negative."),
            (r#"{"startingVersion":-1}"#, "startingVersion cannot be negative."),
            (r#"{"maxFiles":0}"#, "maxFiles must be positive."),
            (r#"{"endingVersion":3}"#, "endingVersion can be used with startingVersion only."),
            (r#"{"version":1,"endingVersion":3}"#, "endingVersion can be used with startingVersion only."),
            (
                r#"{"version":1,"includeRefreshToken":true}"#,
                "includeRefreshToken cannot be used when querying a specific version.",
            ),
            (
                r#"{"pageToken":"a","includeRefreshToken":true}"#,
                "includeRefreshToken must be used in the first page request.",
            ),
            (
                r#"{"startingVersion":1,"refreshToken":"a"}"#,
                "refreshToken cannot be used when querying a specific version.",
            ),
            (
                r#"{"pageToken":"a","refreshToken":"b"}"#,
                "refreshToken must be used in the first page request.",
            ),
            (
                r#"{"startingVersion":5,"endingVersion":4}"#,
                "startingVersion(5) must be smaller than or equal to endingVersion(4).",
            ),
        ] {
            assert_eq!(parse(body), Err(Failure::invalid(message)), "{body}");
        }
    }

    #[test]
    fn a_hostile_body_is_refused_and_nothing_else() {
        for body in [
            "[]",
            "1",
            "\"a\"",
            "null",
            "{",
            "{}{}",
            "\u{feff}{}",
            "{\"version\":1.5}",
            "{\"version\":true}",
            "{\"version\":99999999999999999999}",
            "{\"version\":\"a\"}",
            "{\"predicateHints\":\"a\"}",
            "{\"predicateHints\":[1]}",
            "{\"jsonPredicateHints\":{}}",
            "{\"version\":1,\"version\":2}",
            "{\"includeRefreshToken\":1}",
            "{\"timestamp\":1}",
            "[null,null]",
        ] {
            let failure = parse(body).unwrap_err();
            assert_eq!(failure.kind, super::super::Kind::Malformed, "{}", &body[..body.len().min(40)]);
        }
        assert!(Query::parse(b"{\"timestamp\":\"\xff\"}").is_err());
        // What nobody knows is passed over without a stack.
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse(&deep).unwrap().at, At::Latest);
    }
}
