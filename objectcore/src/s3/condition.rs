//! Conditions on reads and writes.
//!
//! A read's conditions are evaluated in S3's order of precedence: `If-Match` true silences
//! `If-Unmodified-Since`; `If-None-Match`, where given, silences `If-Modified-Since`. A write's condition becomes a
//! [`PutIf`], which the core decides atomically with the write.

use http::{HeaderMap, HeaderName, header};

use crate::types::{ETag, Millis, ObjectInfo, PutIf};

use super::date;
use super::error::S3Error;
use super::headers;

/// The conditions of a read.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Conditions<'h> {
    if_match: Option<&'h str>,
    if_none_match: Option<&'h str>,
    if_modified_since: Option<u64>,
    if_unmodified_since: Option<u64>,
}

/// What the conditions say about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on.
    Holds,
    /// The client has it already.
    NotModified,
    /// The named condition does not hold.
    Fails(&'static str),
}

impl<'h> Conditions<'h> {
    /// The conditions of GET and HEAD.
    pub(crate) fn parse(headers: &'h HeaderMap) -> Result<Self, S3Error> {
        Self::from_names(
            headers,
            [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE],
        )
    }

    /// The conditions on the source of a copy.
    pub(crate) fn parse_copy_source(headers: &'h HeaderMap) -> Result<Self, S3Error> {
        Self::from_names(
            headers,
            [
                headers::COPY_SOURCE_IF_MATCH,
                headers::COPY_SOURCE_IF_NONE_MATCH,
                headers::COPY_SOURCE_IF_MODIFIED_SINCE,
                headers::COPY_SOURCE_IF_UNMODIFIED_SINCE,
            ],
        )
    }

    fn from_names(headers: &'h HeaderMap, names: [HeaderName; 4]) -> Result<Self, S3Error> {
        let [matching, none_matching, modified, unmodified] = names;
        let seconds = |name| Ok::<_, S3Error>(headers::text(headers, &name)?.and_then(date::parse_seconds));
        Ok(Self {
            if_match: headers::text(headers, &matching)?,
            if_none_match: headers::text(headers, &none_matching)?,
            if_modified_since: seconds(modified)?,
            if_unmodified_since: seconds(unmodified)?,
        })
    }

    /// Whether there is any.
    pub(crate) fn any(&self) -> bool {
        self.if_match.is_some()
            || self.if_none_match.is_some()
            || self.if_modified_since.is_some()
            || self.if_unmodified_since.is_some()
    }

    /// Decides for `object`.
    pub(crate) fn evaluate(&self, object: &ObjectInfo) -> Verdict {
        let modified_seconds = seconds(object.modified);
        if let Some(tags) = self.if_match {
            if !tags_hold(tags, &object.etag) {
                return Verdict::Fails("If-Match");
            }
        } else if self.if_unmodified_since.is_some_and(|since| modified_seconds > since) {
            return Verdict::Fails("If-Unmodified-Since");
        }
        if let Some(tags) = self.if_none_match {
            if tags_hold(tags, &object.etag) {
                return Verdict::NotModified;
            }
        } else if self.if_modified_since.is_some_and(|since| modified_seconds <= since) {
            return Verdict::NotModified;
        }
        Verdict::Holds
    }
}

fn seconds(at: Millis) -> u64 {
    at.0 / 1000
}

/// Whether the header's list of tags names `etag`, or is `*`.
pub(crate) fn tags_hold(list: &str, etag: &ETag) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || unquote(tag.strip_prefix("W/").unwrap_or(tag)) == etag.0)
}

/// Whether `If-Range` allows the range: a tag that matches, or a date not before the change.
pub(crate) fn if_range_holds(value: &str, object: &ObjectInfo) -> bool {
    match date::parse_seconds(value) {
        Some(since) => seconds(object.modified) <= since,
        None => unquote(value.trim()) == object.etag.0,
    }
}

/// A tag without its quotes.
pub(crate) fn unquote(tag: &str) -> &str {
    tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag)
}

/// The condition of a write.
pub(crate) fn put_if(headers: &HeaderMap) -> Result<PutIf, S3Error> {
    let if_match = headers::text(headers, &header::IF_MATCH)?.map(str::trim);
    let if_none_match = headers::text(headers, &header::IF_NONE_MATCH)?.map(str::trim);
    match (if_match, if_none_match) {
        (None, None) => Ok(PutIf::Always),
        (None, Some("*" | "\"*\"")) => Ok(PutIf::Absent),
        (None, Some(_)) => Err(S3Error::not_implemented("If-None-Match on a write takes only the value *.")),
        (Some("*" | "\"*\""), None) => Ok(PutIf::Exists),
        (Some(tag), None) if tag.contains(',') => {
            Err(S3Error::not_implemented("If-Match on a write takes one entity tag."))
        }
        (Some(tag), None) => Ok(PutIf::Match(ETag(unquote(tag).to_owned()))),
        (Some(_), Some(_)) => {
            Err(S3Error::not_implemented("If-Match and If-None-Match cannot be used together on a write."))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::s3::error::Code;

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &str = "Thu, 06 Nov 2036 08:49:37 GMT";

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn verdict(pairs: &[(HeaderName, &str)]) -> Verdict {
        let mut object = crate::s3::testing::info("k", 1);
        object.etag = ETag("abc".into());
        object.modified = Millis(1_795_220_532_500);
        Conditions::parse(&headers(pairs)).unwrap().evaluate(&object)
    }

    #[test]
    fn read_conditions_follow_the_precedence_of_s3() {
        use header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
        assert_eq!(verdict(&[]), Verdict::Holds);
        assert_eq!(verdict(&[(IF_MATCH, "\"abc\"")]), Verdict::Holds);
        assert_eq!(verdict(&[(IF_MATCH, "\"x\", abc")]), Verdict::Holds);
        assert_eq!(verdict(&[(IF_MATCH, "*")]), Verdict::Holds);
        assert_eq!(verdict(&[(IF_MATCH, "\"x\"")]), Verdict::Fails("If-Match"));
        assert_eq!(verdict(&[(IF_NONE_MATCH, "W/\"abc\"")]), Verdict::NotModified);
        assert_eq!(verdict(&[(IF_NONE_MATCH, "\"x\"")]), Verdict::Holds);
        assert_eq!(verdict(&[(IF_MODIFIED_SINCE, AFTER)]), Verdict::NotModified);
        assert_eq!(verdict(&[(IF_MODIFIED_SINCE, BEFORE)]), Verdict::Holds);
        assert_eq!(verdict(&[(IF_MODIFIED_SINCE, "never")]), Verdict::Holds);
        assert_eq!(verdict(&[(IF_UNMODIFIED_SINCE, BEFORE)]), Verdict::Fails("If-Unmodified-Since"));
        assert_eq!(verdict(&[(IF_MATCH, "abc"), (IF_UNMODIFIED_SINCE, BEFORE)]), Verdict::Holds);
        assert_eq!(verdict(&[(IF_NONE_MATCH, "x"), (IF_MODIFIED_SINCE, AFTER)]), Verdict::Holds);
        assert_eq!(verdict(&[(IF_MATCH, "x"), (IF_NONE_MATCH, "abc")]), Verdict::Fails("If-Match"));
        // The very second of the change is not "modified since".
        let exact = "Sat, 21 Nov 2026 00:22:12 GMT";
        assert_eq!(verdict(&[(IF_MODIFIED_SINCE, exact)]), Verdict::NotModified);
        assert_eq!(verdict(&[(IF_UNMODIFIED_SINCE, exact)]), Verdict::Holds);
    }

    #[test]
    fn write_conditions_are_those_the_core_can_decide() {
        use header::{IF_MATCH, IF_NONE_MATCH};
        let put_if = |pairs: &[(HeaderName, &str)]| put_if(&headers(pairs)).map_err(|error| error.code);
        assert_eq!(put_if(&[]), Ok(PutIf::Always));
        assert_eq!(put_if(&[(IF_NONE_MATCH, "*")]), Ok(PutIf::Absent));
        assert_eq!(put_if(&[(IF_MATCH, "\"abc\"")]), Ok(PutIf::Match(ETag("abc".into()))));
        assert_eq!(put_if(&[(IF_MATCH, "*")]), Ok(PutIf::Exists));
        assert_eq!(put_if(&[(IF_NONE_MATCH, "\"abc\"")]), Err(Code::NotImplemented));
        assert_eq!(put_if(&[(IF_MATCH, "a,b")]), Err(Code::NotImplemented));
        assert_eq!(put_if(&[(IF_MATCH, "a"), (IF_NONE_MATCH, "*")]), Err(Code::NotImplemented));
    }
}
