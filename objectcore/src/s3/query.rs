//! The query of a request, decoded once.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::error::{Code, S3Error};

/// The most parameters a request may have.
const PARAMETERS_MAX: usize = 128;

/// The decoded parameters in the order they came. Of a parameter given twice the first counts.
#[derive(Debug, Default)]
pub(crate) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// Decodes `raw`, the part of the URI behind `?`.
    pub(crate) fn parse(raw: Option<&'a str>) -> Result<Self, S3Error> {
        let Some(raw) = raw.filter(|raw| !raw.is_empty()) else { return Ok(Self::default()) };
        let mut parameters = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            if parameters.len() == PARAMETERS_MAX {
                return Err(S3Error::new(Code::InvalidURI, "The query has too many parameters."));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.push((decode_form(name)?, decode_form(value)?));
        }
        Ok(Self(parameters))
    }

    /// The value of `name`; `""` where it came without one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    /// Whether `name` is there, with or without a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The names, in the order they came.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    /// Names and values, in the order they came.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// A count from 0 to `most`; more is taken as `most`, as S3 does.
    pub(crate) fn count(&self, name: &str, most: usize) -> Result<usize, S3Error> {
        let Some(text) = self.get(name).filter(|text| !text.is_empty()) else { return Ok(most) };
        match text.parse::<i32>() {
            Ok(count) if count >= 0 => Ok(most.min(usize::try_from(count).unwrap_or(most))),
            Ok(_) => Err(S3Error::argument(
                name,
                text,
                format!("Argument {name} must be an integer between 0 and 2147483647"),
            )),
            Err(_) => Err(S3Error::argument(
                name,
                text,
                format!("Provided {name} not an integer or within integer range"),
            )),
        }
    }
}

/// Decodes percent escapes; a broken escape, NUL or bytes that are not UTF-8 are refused.
pub(crate) fn decode(raw: &str) -> Result<Cow<'_, str>, S3Error> {
    let invalid = || S3Error::new(Code::InvalidURI, "Couldn't parse the specified URI.");
    if !raw.as_bytes().contains(&b'%') {
        return if raw.contains('\0') { Err(invalid()) } else { Ok(Cow::Borrowed(raw)) };
    }
    let mut rest = raw.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => rest = &rest[at + 3..],
            Some(_) | None => return Err(invalid()),
        }
    }
    let decoded = percent_decode(raw.as_bytes()).decode_utf8().map_err(|_| invalid())?;
    if decoded.contains('\0') { Err(invalid()) } else { Ok(decoded) }
}

fn decode_form(raw: &str) -> Result<Cow<'_, str>, S3Error> {
    if !raw.as_bytes().contains(&b'+') {
        return decode(raw);
    }
    let spaced = raw.replace('+', " ");
    Ok(Cow::Owned(decode(&spaced)?.into_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_decoded_and_the_first_of_a_name_counts() {
        let query = Query::parse(Some("prefix=a%2Fb+c&list-type=2&acl&prefix=z&=&&x=%F0%9F%98%80")).unwrap();
        assert_eq!(query.get("prefix"), Some("a/b c"));
        assert_eq!(query.get("acl"), Some(""));
        assert_eq!(query.get("x"), Some("\u{1f600}"));
        assert!(!query.has("uploads"));
    }

    #[test]
    fn broken_escapes_and_foreign_bytes_are_refused() {
        for raw in ["a=%", "a=%4", "a=%zz", "a=%ff", "a=%00", "%C3=1"] {
            assert_eq!(Query::parse(Some(raw)).unwrap_err().code, Code::InvalidURI, "{raw}");
        }
        let many = "a&".repeat(PARAMETERS_MAX + 1);
        assert!(Query::parse(Some(&many)).is_err());
    }

    #[test]
    fn a_count_is_an_integer_that_is_not_negative() {
        let count =
            |raw| Query::parse(Some(raw)).unwrap().count("max-keys", 1000).map_err(|error| error.code);
        assert_eq!(count("max-keys=0"), Ok(0));
        assert_eq!(count("max-keys=5000"), Ok(1000));
        assert_eq!(count("max-keys="), Ok(1000));
        assert_eq!(count("other"), Ok(1000));
        for bad in ["max-keys=-1", "max-keys=a", "max-keys=99999999999", "max-keys=1.5"] {
            assert_eq!(count(bad), Err(Code::InvalidArgument), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_parsed_or_refused(raw in "\\PC*") {
            let _outcome = Query::parse(Some(&raw)).map(|query| query.names().count());
        }
    }
}
