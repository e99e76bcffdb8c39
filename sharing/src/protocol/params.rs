//! Parameters in the query of a URL. An empty value is none; parameters nobody knows are passed over.

use super::{Failure, timestamp_ms};

/// The most items of a page of a list, and how many it has when nothing is said.
pub const PAGE_ITEMS_MAX: usize = 500;

/// Of the lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListParams {
    /// The most items of the page.
    pub items_max: usize,
    /// Where the page begins.
    pub page_token: Option<String>,
}

/// Of a table's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionParams {
    /// The earliest version at this time or after is asked for: as it was written, and in milliseconds since 1970.
    pub starting: Option<(String, i64)>,
}

/// Of a table's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataParams {
    /// At which version or time; `None` is the latest.
    pub at: Option<Bound>,
}

/// A version, or a time that stands for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// This version.
    Version(i64),
    /// The version of this time, in milliseconds since 1970.
    Timestamp(i64),
}

/// Of a table's changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangesParams {
    /// From here on.
    pub start: Bound,
    /// Up to here, inclusive; `None` is the latest.
    pub end: Option<Bound>,
    /// Whether to tell what the table was in between.
    pub historical_metadata: bool,
    /// Whether to tell what reading it took in between.
    pub historical_protocol: bool,
    /// The most files of the answer.
    pub max_files: Option<u64>,
    /// Where the answer begins.
    pub page_token: Option<String>,
}

/// A query, read.
struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn of(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    fn number(&self, name: &str) -> Result<Option<i64>, Failure> {
        let wrong =
            |_| Failure::invalid("expected a number but the string didn't have the appropriate format");
        self.get(name).map(str::parse).transpose().map_err(wrong)
    }

    /// A bound of the changes: its error names the parameter.
    fn bound(&self, side: &str) -> Result<Option<Bound>, Failure> {
        let (by_version, by_time) = (format!("{side}Version"), format!("{side}Timestamp"));
        match (self.get(&by_version), self.get(&by_time)) {
            (Some(_), Some(_)) => Err(Failure::invalid(format!(
                "Multiple {side} arguments provided for CDF read. \
                 Please provide one of either {side}Timestamp or {side}Version."
            ))),
            (Some(version), None) => match version.parse() {
                Ok(version) if version >= 0 => Ok(Some(Bound::Version(version))),
                Ok(_) => Err(Failure::invalid(format!("{by_version} cannot be negative."))),
                Err(_) => Err(Failure::invalid(format!("{by_version} is not a valid number."))),
            },
            (None, Some(time)) => timestamp_ms(&by_time, time).map(|ms| Some(Bound::Timestamp(ms))),
            (None, None) => Ok(None),
        }
    }

    fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }
}

impl ListParams {
    /// Of a query.
    pub fn parse(query: Option<&str>) -> Result<Self, Failure> {
        let pairs = Pairs::of(query);
        let items_max = match pairs.number("maxResults")? {
            None => PAGE_ITEMS_MAX,
            Some(asked) => {
                usize::try_from(asked).ok().filter(|&asked| asked <= PAGE_ITEMS_MAX).ok_or_else(|| {
                    Failure::invalid(format!(
                        "Acceptable values of 'maxResults' are 0 to {PAGE_ITEMS_MAX}, inclusive. \
                     (Default: {PAGE_ITEMS_MAX})"
                    ))
                })?
            }
        };
        Ok(Self { items_max, page_token: pairs.text("pageToken") })
    }
}

impl VersionParams {
    /// Of a query.
    pub fn parse(query: Option<&str>) -> Result<Self, Failure> {
        let pairs = Pairs::of(query);
        let starting = pairs.text("startingTimestamp");
        let starting = starting.map(|text| timestamp_ms("startingTimestamp", &text).map(|ms| (text, ms)));
        Ok(Self { starting: starting.transpose()? })
    }
}

impl MetadataParams {
    /// Of a query.
    pub fn parse(query: Option<&str>) -> Result<Self, Failure> {
        let pairs = Pairs::of(query);
        let at = match (pairs.number("version")?, pairs.get("timestamp")) {
            (Some(_), Some(_)) => {
                return Err(Failure::invalid("Please only provide one of: version,timestamp"));
            }
            (Some(version), None) if version < 0 => {
                return Err(Failure::invalid("version cannot be negative."));
            }
            (Some(version), None) => Some(Bound::Version(version)),
            (None, Some(text)) => Some(Bound::Timestamp(timestamp_ms("timestamp", text)?)),
            (None, None) => None,
        };
        Ok(Self { at })
    }
}

impl ChangesParams {
    /// Of a query.
    pub fn parse(query: Option<&str>) -> Result<Self, Failure> {
        let pairs = Pairs::of(query);
        let max_files = match pairs.number("maxFiles")? {
            Some(files) if files <= 0 => return Err(Failure::invalid("maxFiles must be positive.")),
            files => files.map(i64::unsigned_abs),
        };
        let missing = || Failure::invalid("No startingVersion or startingTimestamp provided for CDF read.");
        Ok(Self {
            start: pairs.bound("starting")?.ok_or_else(missing)?,
            end: pairs.bound("ending")?,
            historical_metadata: pairs.is_true("includeHistoricalMetadata"),
            historical_protocol: pairs.is_true("includeHistoricalProtocol"),
            max_files,
            page_token: pairs.text("pageToken"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_500_items_unless_fewer_are_asked_for() {
        let of = |query| ListParams::parse(Some(query)).map(|params| params.items_max);
        assert_eq!(ListParams::parse(None).unwrap().items_max, 500);
        for (query, items) in [("maxResults=", 500), ("maxResults=0", 0), ("maxResults=500&x=y", 500)] {
            assert_eq!(of(query), Ok(items), "{query}");
        }
        let range = "Acceptable values of 'maxResults' are 0 to 500, inclusive. (Default: 500)";
        for query in ["maxResults=-1", "maxResults=501", "maxResults=99999999999"] {
            assert_eq!(of(query), Err(Failure::invalid(range)), "{query}");
        }
        for query in ["maxResults=x", "maxResults=1.5", "maxResults=99999999999999999999"] {
            assert!(of(query).unwrap_err().message.starts_with("expected a number"), "{query}");
        }
        assert_eq!(ListParams::parse(Some("pageToken=a%2Bb")).unwrap().page_token.as_deref(), Some("a+b"));
    }

    #[test]
    fn metadata_is_of_one_version() {
        let of = |query| MetadataParams::parse(Some(query)).map(|params| params.at);
        assert_eq!(of("version=7"), Ok(Some(Bound::Version(7))));
        assert_eq!(of("timestamp=1970-01-01T00:00:01Z"), Ok(Some(Bound::Timestamp(1000))));
        assert_eq!(of("queryDeltaLog=true"), Ok(None));
        for query in ["version=1&timestamp=1970-01-01T00:00:01Z", "version=-1", "version=a", "timestamp=a"] {
            assert!(of(query).is_err(), "{query}");
        }
    }

    #[test]
    fn changes_have_one_start_and_at_most_one_end() {
        let of = |query: &str| ChangesParams::parse(Some(query));
        let params =
            of("startingVersion=1&endingTimestamp=1970-01-01T00:00:01Z&includeHistoricalMetadata=TRUE")
                .unwrap();
        assert_eq!((params.start, params.end), (Bound::Version(1), Some(Bound::Timestamp(1000))));
        assert_eq!((params.historical_metadata, params.historical_protocol), (true, false));
        let time = "1970-01-01T00:00:01Z";
        for (query, message) in [
            (String::new(), "No startingVersion or startingTimestamp provided for CDF read."),
            ("endingVersion=1".into(), "No startingVersion or startingTimestamp provided for CDF read."),
            (
                format!("startingVersion=1&startingTimestamp={time}"),
                "Multiple starting arguments provided for CDF read. Please provide one of either startingTimestamp or startingVersion.",
            ),
            (
                format!("startingVersion=1&endingVersion=1&endingTimestamp={time}"),
                "Multiple ending arguments provided for CDF read. Please provide one of either endingTimestamp or endingVersion.",
            ),
            ("startingVersion=x".into(), "startingVersion is not a valid number."),
            ("startingVersion=-1".into(), "startingVersion cannot be negative."),
            ("startingVersion=0&endingVersion=x".into(), "endingVersion is not a valid number."),
            ("startingVersion=0&maxFiles=0".into(), "maxFiles must be positive."),
        ] {
            assert_eq!(of(&query), Err(Failure::invalid(message)), "{query}");
        }
    }
}
