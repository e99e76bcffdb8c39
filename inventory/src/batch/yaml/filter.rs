//! Rules: which objects are let through.

use serde::Deserialize;

use crate::report::aistor::Refused;
use crate::report::aistor::scalar::{Text, choice, duration_ms, size, time_ms, wrong};
use crate::report::{Filter, MapPredicate, NamePredicate, Range, TextPredicate};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rule {
    r#type: Option<Text>,
    name: Option<Text>,
    older_than: Option<Text>,
    newer_than: Option<Text>,
    created_before: Option<Text>,
    created_after: Option<Text>,
    tags: Option<Vec<Pair>>,
    metadata: Option<Vec<Pair>>,
    size: Option<Bounds>,
    purge: Option<Purge>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Pair {
    pub(super) key: Text,
    pub(super) value: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bounds {
    less_than: Option<Text>,
    greater_than: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Purge {
    retain_versions: Option<Text>,
}

pub(super) fn rule(said: &Rule, name: &str) -> Result<Filter, Refused> {
    let at = |part: &str| format!("{name}.{part}");
    // Delete markers are versions, of which there are none.
    choice(said.r#type.as_ref(), &at("type"), &[("object", ())], ())?;
    let retained = said.purge.as_ref().and_then(|purge| purge.retain_versions.as_ref());
    if let Some(text) = retained.filter(|text| text.value != "0") {
        let allowed = "0: an object of this server has one version";
        return Err(wrong(text, &at("purge.retainVersions"), allowed));
    }
    let duration =
        |text: &Option<Text>, part: &str| text.as_ref().map(|text| duration_ms(text, &at(part))).transpose();
    let moment =
        |text: &Option<Text>, part: &str| text.as_ref().map(|text| time_ms(text, &at(part))).transpose();
    let bounds = said.size.as_ref();
    let bound = |text: Option<&Text>, part: &str| text.map(|text| size(text, &at(part))).transpose();
    let pattern = said.name.iter().map(|text| NamePredicate::Match(text.value.clone()));
    Ok(Filter {
        modified_before_ms: moment(&said.created_before, "createdBefore")?,
        modified_after_ms: moment(&said.created_after, "createdAfter")?,
        older_than_ms: duration(&said.older_than, "olderThan")?,
        newer_than_ms: duration(&said.newer_than, "newerThan")?,
        size: Range {
            less_than: bound(bounds.and_then(|bounds| bounds.less_than.as_ref()), "size.lessThan")?,
            greater_than: bound(bounds.and_then(|bounds| bounds.greater_than.as_ref()), "size.greaterThan")?,
            equal_to: None,
        },
        names: pattern.collect(),
        user_metadata: pairs(said.metadata.as_deref()),
        tags: pairs(said.tags.as_deref()),
        ..Filter::default()
    })
}

fn pairs(said: Option<&[Pair]>) -> MapPredicate {
    let pairs = said.unwrap_or_default().iter();
    let pairs: Vec<_> =
        pairs.map(|pair| (pair.key.value.clone(), TextPredicate::Match(pair.value.value.clone()))).collect();
    if pairs.is_empty() { MapPredicate::Any } else { MapPredicate::And(pairs) }
}
