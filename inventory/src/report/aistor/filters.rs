//! The filters of a document.

use globset::GlobBuilder;
use regex::RegexBuilder;
use serde::Deserialize;

use super::Refused;
use super::scalar::{Text, count, duration_ms, number, refused, size, time_ms, wrong};
use crate::report::spec::{Filter, MapPredicate, NamePredicate, Range, TextPredicate};

/// Prefixes, names or keys of metadata in a list.
const LIST_MAX: usize = 100;
/// The longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1024;
/// The largest compiled regular expression, in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Filters {
    prefix: Option<Vec<Text>>,
    exclude_prefix: Option<Vec<Text>>,
    last_modified: Option<LastModified>,
    size: Option<Bounds>,
    versions_count: Option<Bounds>,
    name: Option<Vec<Pattern>>,
    tags: Option<Pairs>,
    user_metadata: Option<Pairs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LastModified {
    older_than: Option<Text>,
    newer_than: Option<Text>,
    before: Option<Text>,
    after: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bounds {
    less_than: Option<Text>,
    greater_than: Option<Text>,
    equal_to: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pattern {
    r#match: Option<Text>,
    contains: Option<Text>,
    regex: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pairs {
    and: Option<Vec<Pair>>,
    or: Option<Vec<Pair>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pair {
    key: Text,
    value_string: Option<Pattern>,
    value_num: Option<Bounds>,
}

pub(super) fn filter(filters: &Filters) -> Result<Filter, Refused> {
    let time = filters.last_modified.as_ref();
    let of = |pick: fn(&LastModified) -> Option<&Text>| time.and_then(pick);
    let name = |name: &str| format!("filters.lastModified.{name}");
    let duration =
        |text: Option<&Text>, told: &str| text.map(|text| duration_ms(text, &name(told))).transpose();
    let moment = |text: Option<&Text>, told: &str| text.map(|text| time_ms(text, &name(told))).transpose();
    Ok(Filter {
        prefixes: texts(filters.prefix.as_deref(), "filters.prefix")?,
        exclude_prefixes: texts(filters.exclude_prefix.as_deref(), "filters.excludePrefix")?,
        modified_before_ms: moment(of(|time| time.before.as_ref()), "before")?,
        modified_after_ms: moment(of(|time| time.after.as_ref()), "after")?,
        older_than_ms: duration(of(|time| time.older_than.as_ref()), "olderThan")?,
        newer_than_ms: duration(of(|time| time.newer_than.as_ref()), "newerThan")?,
        size: range(filters.size.as_ref(), "filters.size", size)?,
        versions_count: range(filters.versions_count.as_ref(), "filters.versionsCount", count)?,
        names: names(filters.name.as_deref().unwrap_or_default())?,
        user_metadata: pairs(filters.user_metadata.as_ref(), "filters.userMetadata")?,
        tags: pairs(filters.tags.as_ref(), "filters.tags")?,
    })
}

fn texts(list: Option<&[Text]>, name: &str) -> Result<Vec<String>, Refused> {
    let list = list.unwrap_or_default();
    limit(list.len(), name)?;
    if let Some(long) = list.iter().find(|text| text.value.len() > PATTERN_BYTES_MAX) {
        return Err(wrong(long, name, &format!("at most {PATTERN_BYTES_MAX} bytes")));
    }
    Ok(list.iter().map(|text| text.value.clone()).collect())
}

fn limit(length: usize, name: &str) -> Result<(), Refused> {
    if length <= LIST_MAX {
        return Ok(());
    }
    let message = format!("{name} has {length} entries; at most {LIST_MAX} are allowed");
    Err(Refused { line: None, column: None, message })
}

fn range(
    bounds: Option<&Bounds>,
    name: &str,
    read: fn(&Text, &str) -> Result<u64, Refused>,
) -> Result<Range, Refused> {
    let Some(bounds) = bounds else { return Ok(Range::default()) };
    let bound =
        |text: &Option<Text>, told: &str| text.as_ref().map(|text| read(text, &format!("{name}.{told}")));
    Ok(Range {
        less_than: bound(&bounds.less_than, "lessThan").transpose()?,
        greater_than: bound(&bounds.greater_than, "greaterThan").transpose()?,
        equal_to: bound(&bounds.equal_to, "equalTo").transpose()?,
    })
}

/// A pattern that was read and can be used.
enum Checked {
    Match(String),
    Contains(String),
    Regex(String),
}

/// Exactly one way to match, and one that works.
fn pattern(pattern: &Pattern, name: &str) -> Result<Checked, Refused> {
    let (text, checked) = match (&pattern.r#match, &pattern.contains, &pattern.regex) {
        (Some(text), None, None) => (text, Checked::Match(text.value.clone())),
        (None, Some(text), None) => (text, Checked::Contains(text.value.clone())),
        (None, None, Some(text)) => (text, Checked::Regex(text.value.clone())),
        (first, second, third) => {
            let given = [first, second, third].into_iter().flatten().next();
            let message = format!("an entry of {name} has exactly one of match, contains and regex");
            return Err(given.map_or_else(
                || Refused { line: None, column: None, message: message.clone() },
                |text| refused(text.referenced, message.clone()),
            ));
        }
    };
    if text.value.len() > PATTERN_BYTES_MAX {
        return Err(wrong(text, name, &format!("at most {PATTERN_BYTES_MAX} bytes")));
    }
    let problem = match &checked {
        Checked::Match(glob) => GlobBuilder::new(glob).build().err().map(|error| error.kind().to_string()),
        Checked::Regex(regex) => {
            let built = RegexBuilder::new(regex).size_limit(REGEX_BYTES_MAX).build();
            built.err().map(|error| error.to_string())
        }
        Checked::Contains(_) => None,
    };
    match problem {
        Some(problem) => {
            let message = format!("{name}: {:?} cannot be used: {problem}", text.value);
            Err(refused(text.referenced, message))
        }
        None => Ok(checked),
    }
}

fn names(list: &[Pattern]) -> Result<Vec<NamePredicate>, Refused> {
    limit(list.len(), "filters.name")?;
    let checked = list.iter().map(|entry| pattern(entry, "filters.name"));
    let name = |checked| match checked {
        Checked::Match(text) => NamePredicate::Match(text),
        Checked::Contains(text) => NamePredicate::Contains(text),
        Checked::Regex(text) => NamePredicate::Regex(text),
    };
    checked.map(|checked| checked.map(name)).collect()
}

fn pairs(pairs: Option<&Pairs>, name: &str) -> Result<MapPredicate, Refused> {
    let Some(pairs) = pairs else { return Ok(MapPredicate::Any) };
    match (&pairs.and, &pairs.or) {
        (None, None) => Ok(MapPredicate::Any),
        (Some(all), None) => list(all, name).map(MapPredicate::And),
        (None, Some(any)) => list(any, name).map(MapPredicate::Or),
        (Some(all), Some(any)) => {
            let message = format!("{name} has and as well as or; one of them is allowed");
            let first = all.first().or(any.first());
            Err(first.map_or_else(
                || Refused { line: None, column: None, message: message.clone() },
                |pair| refused(pair.key.referenced, message.clone()),
            ))
        }
    }
}

fn list(list: &[Pair], name: &str) -> Result<Vec<(String, TextPredicate)>, Refused> {
    limit(list.len(), name)?;
    list.iter().map(|pair| Ok((pair.key.value.clone(), value(pair, name)?))).collect()
}

fn value(pair: &Pair, name: &str) -> Result<TextPredicate, Refused> {
    match (&pair.value_string, &pair.value_num) {
        (Some(text), None) => Ok(match pattern(text, &format!("{name}.valueString"))? {
            Checked::Match(text) => TextPredicate::Match(text),
            Checked::Contains(text) => TextPredicate::Contains(text),
            Checked::Regex(text) => TextPredicate::Regex(text),
        }),
        (None, Some(bounds)) => {
            let bound = |text: &Option<Text>, told: &str| {
                text.as_ref().map(|text| number(text, &format!("{name}.valueNum.{told}"))).transpose()
            };
            Ok(TextPredicate::Number {
                less_than: bound(&bounds.less_than, "lessThan")?,
                greater_than: bound(&bounds.greater_than, "greaterThan")?,
                equal_to: bound(&bounds.equal_to, "equalTo")?,
            })
        }
        (None, None) | (Some(_), Some(_)) => {
            let message = format!("an entry of {name} has exactly one of valueString and valueNum");
            Err(refused(pair.key.referenced, message))
        }
    }
}
