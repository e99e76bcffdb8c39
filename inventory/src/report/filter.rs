//! Which objects a report tells: a filter, compiled once for a run.
//!
//! Patterns are compiled to automata of bounded size: matching takes time linear in the key.

use globset::GlobBuilder;
use regex::bytes::{Regex, RegexBuilder};

use super::columns::Said;
use super::spec::{Filter, MapPredicate, NamePredicate, Range, TextPredicate};
use crate::scan::Objects;

/// The longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1024;
/// What a pattern may take compiled, in bytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Members of one list of a filter.
const MEMBERS_MAX: usize = 1000;

/// A part of a filter that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {message}")]
pub(crate) struct FilterError {
    /// Where, as `filter.names[0]`.
    pub(crate) at: String,
    /// What is wrong and what is allowed.
    pub(crate) message: String,
}

/// A filter of one run.
#[derive(Debug)]
pub(crate) struct CompiledFilter {
    prefixes: Vec<Box<str>>,
    exclude_prefixes: Vec<Box<str>>,
    /// Changed before this, and at or after that: milliseconds since 1970.
    modified_before: Option<i64>,
    modified_after: Option<i64>,
    size: Range,
    names: Vec<Pattern>,
    user_metadata: Pairs,
    tags: Pairs,
    /// Something is asked that no object of this server can fulfil.
    matches_nothing: bool,
}

#[derive(Debug)]
enum Pattern {
    Contains(Box<str>),
    Matches(Regex),
    Within { less_than: Option<f64>, greater_than: Option<f64>, equal_to: Option<f64> },
}

#[derive(Debug)]
enum Pairs {
    Any,
    All(Vec<(Box<str>, Pattern)>),
    One(Vec<(Box<str>, Pattern)>),
}

impl CompiledFilter {
    /// The filter of a run that began at `started_ms`.
    pub(crate) fn new(filter: &Filter, started_ms: i64) -> Result<Self, FilterError> {
        for (at, members) in [
            ("filter.prefixes", filter.prefixes.len()),
            ("filter.exclude_prefixes", filter.exclude_prefixes.len()),
            ("filter.names", filter.names.len()),
            ("filter.user_metadata", members(&filter.user_metadata)),
            ("filter.tags", members(&filter.tags)),
        ] {
            if members > MEMBERS_MAX {
                let message = format!("{members} members are more than the {MEMBERS_MAX} allowed");
                return Err(FilterError { at: at.into(), message });
            }
        }
        let before =
            [filter.modified_before_ms, filter.older_than_ms.map(|age| started_ms.saturating_sub(age))];
        let after =
            [filter.modified_after_ms, filter.newer_than_ms.map(|age| started_ms.saturating_sub(age))];
        let names = filter.names.iter().enumerate();
        let names = names.map(|(index, name)| pattern(name, &format!("filter.names[{index}]")));
        let prefixes = |prefixes: &[String]| prefixes.iter().map(|prefix| prefix.as_str().into()).collect();
        Ok(Self {
            prefixes: prefixes(&filter.prefixes),
            exclude_prefixes: prefixes(&filter.exclude_prefixes),
            modified_before: before.into_iter().flatten().min(),
            modified_after: after.into_iter().flatten().max(),
            size: filter.size,
            names: names.collect::<Result<_, _>>()?,
            user_metadata: pairs(&filter.user_metadata, "filter.user_metadata", plain_name)?,
            tags: pairs(&filter.tags, "filter.tags", str::to_owned)?,
            // A key has one version.
            matches_nothing: !filter.versions_count.holds(1),
        })
    }

    /// Whether it is known before any object is seen that none is told.
    pub(super) fn matches_nothing(&self) -> bool {
        self.matches_nothing
    }

    /// Puts the numbers of the objects that are told into `selected`, in order.
    pub(crate) fn select(&self, objects: &Objects, selected: &mut Vec<u32>) {
        selected.clear();
        if self.matches_nothing {
            return;
        }
        selected.extend(0..objects.len() as u32);
        if self.modified_before.is_some() || self.modified_after.is_some() {
            selected.retain(|&row| self.is_in_time(objects.modified_ms[row as usize]));
        }
        if self.size != Range::default() {
            selected.retain(|&row| self.size.holds(objects.sizes[row as usize]));
        }
        if !self.prefixes.is_empty() {
            selected.retain(|&row| begins(objects.key(row as usize), &self.prefixes));
        }
        if !self.exclude_prefixes.is_empty() {
            selected.retain(|&row| !begins(objects.key(row as usize), &self.exclude_prefixes));
        }
        if !self.names.is_empty() {
            selected.retain(|&row| {
                let key = objects.key(row as usize);
                self.names.iter().any(|name| name.holds(key))
            });
        }
        if !matches!(self.user_metadata, Pairs::Any) {
            let same = str::eq_ignore_ascii_case;
            selected
                .retain(|&row| self.user_metadata.hold(Said::UserMetadata.of(objects, row as usize), same));
        }
        if !matches!(self.tags, Pairs::Any) {
            selected.retain(|&row| self.tags.hold(Said::Tags.of(objects, row as usize), str::eq));
        }
    }

    fn is_in_time(&self, modified_ms: i64) -> bool {
        self.modified_before.is_none_or(|before| modified_ms < before)
            && self.modified_after.is_none_or(|after| modified_ms > after)
    }
}

impl Pattern {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Contains(part) => text.contains(&**part),
            Self::Matches(regex) => regex.is_match(text.as_bytes()),
            Self::Within { less_than, greater_than, equal_to } => {
                text.trim().parse::<f64>().is_ok_and(|number| {
                    less_than.is_none_or(|bound| number < bound)
                        && greater_than.is_none_or(|bound| number > bound)
                        && equal_to.is_none_or(|bound| number == bound)
                })
            }
        }
    }
}

impl Pairs {
    /// Whether these are among those asked for. `same` compares names.
    fn hold(&self, pairs: &[(String, String)], same: fn(&str, &str) -> bool) -> bool {
        let holds = |(name, pattern): &(Box<str>, Pattern)| {
            pairs.iter().any(|(own, value)| same(own, name) && pattern.holds(value))
        };
        match self {
            Self::Any => true,
            Self::All(asked) => asked.iter().all(holds),
            Self::One(asked) => asked.iter().any(holds),
        }
    }
}

/// The shortest list of what to scan for keys that begin with one of `prefixes`, in their order; none begins with
/// another. Without prefixes all keys.
pub(super) fn ranges(prefixes: &[String]) -> Vec<String> {
    let mut sorted: Vec<&String> = prefixes.iter().collect();
    sorted.sort_unstable();
    let mut ranges: Vec<String> = Vec::new();
    for prefix in sorted {
        if !ranges.last().is_some_and(|last| prefix.starts_with(last)) {
            ranges.push(prefix.clone());
        }
    }
    if ranges.is_empty() {
        ranges.push(String::new());
    }
    ranges
}

/// What all of `prefixes` begin with.
pub(super) fn common(prefixes: &[String]) -> String {
    let Some((first, others)) = prefixes.split_first() else { return String::new() };
    let shared = |one: &str, other: &str| {
        let ends = one.char_indices().zip(other.chars()).take_while(|((_, left), right)| left == right);
        ends.map(|((at, left), _)| at + left.len_utf8()).last().unwrap_or(0)
    };
    let end = others.iter().map(|other| shared(first, other)).min().unwrap_or(first.len());
    first[..end].to_owned()
}

fn begins(key: &str, prefixes: &[Box<str>]) -> bool {
    prefixes.iter().any(|prefix| key.starts_with(&**prefix))
}

fn members(predicate: &MapPredicate) -> usize {
    match predicate {
        MapPredicate::Any => 0,
        MapPredicate::And(asked) | MapPredicate::Or(asked) => asked.len(),
    }
}

/// The name of user metadata, which has no case, with or without its prefix.
fn plain_name(name: &str) -> String {
    let plain = name.to_ascii_lowercase();
    plain.strip_prefix("x-amz-meta-").unwrap_or(&plain).to_owned()
}

fn pairs(predicate: &MapPredicate, at: &str, named: fn(&str) -> String) -> Result<Pairs, FilterError> {
    let compile = |asked: &[(String, TextPredicate)]| {
        let asked = asked.iter().enumerate();
        asked
            .map(|(index, (name, text))| {
                Ok((named(name).into(), value_pattern(text, &format!("{at}[{index}]"))?))
            })
            .collect::<Result<Vec<_>, FilterError>>()
    };
    Ok(match predicate {
        _ if predicate.is_empty() => Pairs::Any,
        MapPredicate::Any => Pairs::Any,
        MapPredicate::And(asked) => Pairs::All(compile(asked)?),
        MapPredicate::Or(asked) => Pairs::One(compile(asked)?),
    })
}

fn value_pattern(text: &TextPredicate, at: &str) -> Result<Pattern, FilterError> {
    match text {
        TextPredicate::Match(glob) => glob_pattern(glob, at),
        TextPredicate::Contains(part) => contains_pattern(part, at),
        TextPredicate::Regex(regex) => regex_pattern(regex, at),
        &TextPredicate::Number { less_than, greater_than, equal_to } => {
            Ok(Pattern::Within { less_than, greater_than, equal_to })
        }
    }
}

fn pattern(name: &NamePredicate, at: &str) -> Result<Pattern, FilterError> {
    match name {
        NamePredicate::Match(glob) => glob_pattern(glob, at),
        NamePredicate::Contains(part) => contains_pattern(part, at),
        NamePredicate::Regex(regex) => regex_pattern(regex, at),
    }
}

fn contains_pattern(part: &str, at: &str) -> Result<Pattern, FilterError> {
    short(part, at)?;
    Ok(Pattern::Contains(part.into()))
}

fn glob_pattern(glob: &str, at: &str) -> Result<Pattern, FilterError> {
    short(glob, at)?;
    let built = GlobBuilder::new(glob).literal_separator(false).backslash_escape(true).build();
    let built = built.map_err(|error| FilterError { at: at.into(), message: error.to_string() })?;
    compile(built.regex(), at)
}

fn regex_pattern(regex: &str, at: &str) -> Result<Pattern, FilterError> {
    short(regex, at)?;
    compile(regex, at)
}

fn short(pattern: &str, at: &str) -> Result<(), FilterError> {
    if pattern.len() <= PATTERN_BYTES_MAX {
        return Ok(());
    }
    let message = format!("the pattern has {} bytes; {PATTERN_BYTES_MAX} are allowed", pattern.len());
    Err(FilterError { at: at.into(), message })
}

fn compile(regex: &str, at: &str) -> Result<Pattern, FilterError> {
    let mut builder = RegexBuilder::new(regex);
    builder.dot_matches_new_line(true).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX);
    builder.build().map(Pattern::Matches).map_err(|error| {
        let message = match error {
            regex::Error::CompiledTooBig(_) => {
                format!(
                    "the pattern takes more than {COMPILED_BYTES_MAX} bytes compiled; a simpler one is needed"
                )
            }
            other => other.to_string(),
        };
        FilterError { at: at.into(), message }
    })
}
