//! Batches as AIStor's YAML has them, read into a [`Spec`].
//!
//! Beside AIStor's `expire` there are `delete` and `copy` in the same shape. All of them know `report`, `failureThreshold`
//! and `dryRun`, which are Tarn's own, and `delete` and `copy` a `manifest`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::spec::{Does, Manifest, ManifestFormat, Place, Spec, Threshold};
use crate::report::aistor::Refused;
use crate::report::aistor::document::{options, unread};
use crate::report::aistor::scalar::{Text, choice, count, duration_ms, refused, size, time_ms, wrong};
use crate::report::{Filter, MapPredicate, NamePredicate, Range, TextPredicate};

/// The longest text, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Where reports go that nothing is said of, in the bucket of the batch.
const REPORT_PREFIX: &str = "batch-reports";
/// The longest prefix of a place, in bytes.
const PREFIX_BYTES_MAX: usize = 512;
/// Rules of an expiry, and members of a list in them.
const RULES_MAX: usize = 100;
/// How often an object may be tried.
const ATTEMPTS_MAX: u64 = 20;
/// How long a wait between two attempts may be, in milliseconds.
const DELAY_MS_MAX: i64 = 60_000;

/// The kinds that are read, and those that AIStor has and this server has not.
const KINDS: &str = "expire, delete, copy";
const UNSERVED: [(&str, &str); 6] = [
    ("replicate", "it copies within this server only: `copy`"),
    ("keyrotate", "its objects have no keys"),
    ("catalog", "an inventory does that: `tarn inventory put`"),
    ("untier", "it has no tiers"),
    ("compress", "it compresses nothing"),
    ("tag", "its objects have no tags"),
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExpireDocument {
    expire: Expire,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeleteDocument {
    delete: Delete,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CopyDocument {
    copy: Copying,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expire {
    api_version: Text,
    bucket: Text,
    prefix: Option<Text>,
    rules: Vec<Rule>,
    retry: Option<Retry>,
    report: Option<Target>,
    failure_threshold: Option<Failures>,
    dry_run: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Delete {
    api_version: Text,
    bucket: Text,
    prefix: Option<Text>,
    filter: Option<Rule>,
    manifest: Option<List>,
    retry: Option<Retry>,
    report: Option<Target>,
    failure_threshold: Option<Failures>,
    dry_run: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Copying {
    api_version: Text,
    source: Target,
    target: Target,
    overwrite: Option<Text>,
    filter: Option<Rule>,
    manifest: Option<List>,
    retry: Option<Retry>,
    report: Option<Target>,
    failure_threshold: Option<Failures>,
    dry_run: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Target {
    bucket: Text,
    prefix: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct List {
    format: Text,
    bucket: Text,
    key: Text,
    etag: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Retry {
    attempts: Option<Text>,
    delay: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Failures {
    percent: Option<Text>,
    after: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
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
struct Pair {
    key: Text,
    value: Text,
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

/// Reads a batch.
pub(super) fn read(text: &str) -> Result<Spec, Refused> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(nowhere(format!("the text is longer than {TEXT_BYTES_MAX} bytes")));
    }
    let kinds: BTreeMap<String, IgnoredAny> = parse(text)?;
    let mut names = kinds.keys();
    let (Some(kind), None) = (names.next(), names.next()) else {
        return Err(nowhere(format!("a batch has one kind at its top; allowed: {KINDS}")));
    };
    let mut spec = match kind.as_str() {
        "expire" => expire(&parse::<ExpireDocument>(text)?.expire)?,
        "delete" => delete(&parse::<DeleteDocument>(text)?.delete)?,
        "copy" => copy(&parse::<CopyDocument>(text)?.copy)?,
        other => return Err(unknown(other)),
    };
    spec.written = Some(text.to_owned());
    Ok(spec)
}

fn unknown(kind: &str) -> Refused {
    match UNSERVED.iter().find(|(name, _)| *name == kind) {
        Some((name, why)) => nowhere(format!("NotImplemented: this server does no {name}; {why}")),
        None => {
            let kind: String = kind.chars().take(64).collect();
            nowhere(format!("there is no kind of batch {kind:?}; allowed: {KINDS}"))
        }
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Refused> {
    serde_saphyr::from_str_with_options(text, options()).map_err(unread)
}

fn nowhere(message: String) -> Refused {
    Refused { line: None, column: None, message }
}

/// What all kinds say in the same way.
struct Said<'a> {
    api_version: &'a Text,
    bucket: &'a Text,
    prefix: Option<&'a Text>,
    report: Option<&'a Target>,
    retry: Option<&'a Retry>,
    failures: Option<&'a Failures>,
    dry_run: Option<&'a Text>,
}

impl Said<'_> {
    fn spec(&self, does: Does, rules: Vec<Filter>, list: Option<&List>) -> Result<Spec, Refused> {
        choice(Some(self.api_version), "apiVersion", &[("v1", ())], ())?;
        let of_retry = |pick: fn(&Retry) -> Option<&Text>| self.retry.and_then(pick);
        let attempts = match of_retry(|retry| retry.attempts.as_ref()) {
            Some(text) => bounded(text, "retry.attempts", 1, ATTEMPTS_MAX)? as u32,
            None => 3,
        };
        let delay_ms = match of_retry(|retry| retry.delay.as_ref()) {
            Some(text) => match duration_ms(text, "retry.delay")? {
                delay_ms @ 0..=DELAY_MS_MAX => delay_ms as u64,
                _ => return Err(wrong(text, "retry.delay", "0s to 1m")),
            },
            None => 500,
        };
        if let Some(list) = list.filter(|_| !rules.is_empty()) {
            let message = "a manifest names the objects: there is no filter beside it".into();
            return Err(refused(list.format.referenced, message));
        }
        let report = match self.report {
            Some(target) => place(target, "report")?,
            None => Place { bucket: self.bucket.value.clone(), prefix: REPORT_PREFIX.into() },
        };
        let prefix = report.prefix.trim_matches('/').to_owned();
        if prefix.is_empty() {
            return Err(nowhere("report.prefix: at least one byte beside slashes".into()));
        }
        Ok(Spec {
            does,
            bucket: self.bucket.value.clone(),
            prefix: prefix_of(self.prefix, "prefix")?,
            rules,
            manifest: list.map(manifest).transpose()?,
            report: Place { prefix, ..report },
            failure: threshold(self.failures)?,
            attempts,
            delay_ms,
            dry_run: choice(self.dry_run, "dryRun", &[("true", true), ("false", false)], false)?,
            written: None,
        })
    }
}

fn expire(said: &Expire) -> Result<Spec, Refused> {
    if said.rules.is_empty() || said.rules.len() > RULES_MAX {
        let message = format!("expire.rules: 1 to {RULES_MAX} rules");
        return Err(refused(said.bucket.referenced, message));
    }
    let rules = said.rules.iter().enumerate();
    let rules = rules.map(|(index, said)| rule(said, &format!("rules[{index}]")));
    let common = Said {
        api_version: &said.api_version,
        bucket: &said.bucket,
        prefix: said.prefix.as_ref(),
        report: said.report.as_ref(),
        retry: said.retry.as_ref(),
        failures: said.failure_threshold.as_ref(),
        dry_run: said.dry_run.as_ref(),
    };
    common.spec(Does::Expire, rules.collect::<Result<_, _>>()?, None)
}

fn delete(said: &Delete) -> Result<Spec, Refused> {
    let rules = said.filter.iter().map(|said| rule(said, "filter")).collect::<Result<Vec<_>, _>>()?;
    let common = Said {
        api_version: &said.api_version,
        bucket: &said.bucket,
        prefix: said.prefix.as_ref(),
        report: said.report.as_ref(),
        retry: said.retry.as_ref(),
        failures: said.failure_threshold.as_ref(),
        dry_run: said.dry_run.as_ref(),
    };
    common.spec(Does::Delete, rules, said.manifest.as_ref())
}

fn copy(said: &Copying) -> Result<Spec, Refused> {
    let rules = said.filter.iter().map(|said| rule(said, "filter")).collect::<Result<Vec<_>, _>>()?;
    let words = [("always", true), ("never", false)];
    let replace = choice(said.overwrite.as_ref(), "overwrite", &words, true)?;
    let target = place(&said.target, "target")?;
    let common = Said {
        api_version: &said.api_version,
        bucket: &said.source.bucket,
        prefix: said.source.prefix.as_ref(),
        report: said.report.as_ref(),
        retry: said.retry.as_ref(),
        failures: said.failure_threshold.as_ref(),
        dry_run: said.dry_run.as_ref(),
    };
    let spec = common.spec(Does::Copy { target: target.clone(), replace }, rules, said.manifest.as_ref())?;
    if spec.bucket == target.bucket && target.prefix.starts_with(&spec.prefix) && spec.manifest.is_none() {
        let message =
            "target lies inside source: copies would be copied again; another bucket or prefix is allowed";
        return Err(refused(said.target.bucket.referenced, message.into()));
    }
    Ok(spec)
}

fn bounded(text: &Text, name: &str, least: u64, most: u64) -> Result<u64, Refused> {
    let number = count(text, name)?;
    let is_within = (least..=most).contains(&number);
    is_within.then_some(number).ok_or_else(|| wrong(text, name, &format!("{least} to {most}")))
}

fn prefix_of(text: Option<&Text>, name: &str) -> Result<String, Refused> {
    match text {
        Some(text) if text.value.len() > PREFIX_BYTES_MAX => {
            Err(wrong(text, name, &format!("at most {PREFIX_BYTES_MAX} bytes")))
        }
        Some(text) => Ok(text.value.clone()),
        None => Ok(String::new()),
    }
}

fn place(target: &Target, name: &str) -> Result<Place, Refused> {
    let prefix = prefix_of(target.prefix.as_ref(), &format!("{name}.prefix"))?;
    Ok(Place { bucket: target.bucket.value.clone(), prefix })
}

fn manifest(list: &List) -> Result<Manifest, Refused> {
    let formats = [
        ("S3InventoryReport_CSV_20161130", ManifestFormat::Inventory),
        ("S3BatchOperations_CSV_20180820", ManifestFormat::Csv),
    ];
    Ok(Manifest {
        format: choice(Some(&list.format), "manifest.format", &formats, ManifestFormat::Csv)?,
        bucket: list.bucket.value.clone(),
        key: list.key.value.clone(),
        etag: list.etag.as_ref().map(|etag| etag.value.trim_matches('"').to_owned()),
    })
}

fn threshold(said: Option<&Failures>) -> Result<Threshold, Refused> {
    let Threshold { mut percent, mut after } = Threshold::default();
    if let Some(text) = said.and_then(|said| said.percent.as_ref()) {
        percent = bounded(text, "failureThreshold.percent", 0, 100)? as u8;
    }
    if let Some(text) = said.and_then(|said| said.after.as_ref()) {
        after = bounded(text, "failureThreshold.after", 1, u64::from(u32::MAX))?;
    }
    Ok(Threshold { percent, after })
}

fn rule(said: &Rule, name: &str) -> Result<Filter, Refused> {
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

/// A batch to begin with.
pub fn template(kind: &str) -> Option<&'static str> {
    match kind {
        "expire" => Some(EXPIRE),
        "delete" => Some(DELETE),
        "copy" => Some(COPY),
        _ => None,
    }
}

const EXPIRE: &str = "expire:
  apiVersion: v1
  bucket: mybucket
  prefix: logs/              # only keys that begin so; all without it
  rules:                     # an object that one of them lets through is deleted
    - type: object
      name: '*.log'          # a glob over the whole key; * matches slashes too
      olderThan: 90d         # or createdBefore: 2026-01-31T00:00:00Z
      size:
        greaterThan: 1MiB    # and lessThan
      # metadata:
      #   - key: project
      #     value: 'old-*'
  report:                    # what became of each object
    bucket: mybucket
    prefix: batch-reports
  failureThreshold:
    percent: 50              # the batch fails when more than these of a hundred failed
    after: 1000              # of so many at least
  retry:
    attempts: 3
    delay: 500ms
  dryRun: true               # false: really
";

const DELETE: &str = "delete:
  apiVersion: v1
  bucket: mybucket
  prefix: tmp/
  filter:                    # or a manifest
    olderThan: 7d
  # manifest:
  #   format: S3BatchOperations_CSV_20180820   # or S3InventoryReport_CSV_20161130
  #   bucket: mybucket
  #   key: manifests/to-delete.csv
  report:
    bucket: mybucket
    prefix: batch-reports
  dryRun: true
";

const COPY: &str = "copy:
  apiVersion: v1
  source:
    bucket: mybucket
    prefix: photos/
  target:
    bucket: otherbucket
    prefix: copies/photos/
  overwrite: always          # never: what is there already stays, and counts as failed where it differs
  filter:                    # or a manifest, as of delete
    newerThan: 30d
  report:
    bucket: otherbucket
    prefix: batch-reports
  dryRun: true
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_batches() {
        for kind in ["expire", "delete", "copy"] {
            let text = template(kind).unwrap();
            let spec = read(text).unwrap_or_else(|error| panic!("{kind}: {error}"));
            assert!(spec.dry_run && spec.report.prefix == "batch-reports", "{spec:?}");
            let kept = serde_json::to_value(&spec).unwrap();
            assert_eq!(serde_json::from_value::<Spec>(kept).unwrap(), spec);
        }
        assert_eq!(template("other"), None);
    }

    #[test]
    fn an_expiry_of_aistor_is_read_with_the_defaults() {
        let text = "expire:\n  apiVersion: v1\n  bucket: logs\n  prefix: a/\n  rules:\n    - type: object\n      name: '*.tmp'\n      olderThan: 7d10h\n      tags:\n        - key: k\n          value: v*\n      purge:\n        retainVersions: 0\n";
        let spec = read(text).unwrap();
        let days_7_hours_10 = (7 * 24 + 10) * 3_600_000;
        assert_eq!(spec.rules[0].older_than_ms, Some(days_7_hours_10));
        assert_eq!(spec.rules[0].names, [NamePredicate::Match("*.tmp".into())]);
        assert!(matches!(&spec.rules[0].tags, MapPredicate::And(pairs) if pairs.len() == 1));
        assert_eq!(spec.report, Place { bucket: "logs".into(), prefix: REPORT_PREFIX.into() });
        assert_eq!((spec.attempts, spec.failure, spec.dry_run), (3, Threshold::default(), false));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_what_is_allowed() {
        let expire = |rule: &str| format!("expire:\n  apiVersion: v1\n  bucket: b\n  rules:\n    - {rule}\n");
        let copy = "copy:\n  apiVersion: v1\n  source: {bucket: a}\n  target: {bucket: a, prefix: b/}\n";
        let list = "delete:\n  apiVersion: v1\n  bucket: b\n  filter: {olderThan: 1d}\n  manifest: {format: S3BatchOperations_CSV_20180820, bucket: b, key: k}\n";
        for (text, told) in [
            (expire("olderThan: 3 days"), "line 5, column 18: rules[0].olderThan cannot be \"3 days\""),
            (
                expire("type: deleted"),
                "line 5, column 13: rules[0].type cannot be \"deleted\"; allowed: object",
            ),
            (expire("purge: {retainVersions: 2}"), "an object of this server has one version"),
            (expire("colour: red"), "line 5"),
            (
                "expire:\n  apiVersion: v2\n  bucket: b\n  rules: [{}]\n".into(),
                "line 2, column 15: apiVersion",
            ),
            (copy.into(), "line 4, column 20: target lies inside source"),
            (list.into(), "line 5"),
            ("replicate: {}\n".into(), "NotImplemented: this server does no replicate"),
            ("tag: {}\n".into(), "NotImplemented: this server does no tag; its objects have no tags"),
            ("destroy: {}\n".into(), "there is no kind of batch \"destroy\"; allowed: expire, delete, copy"),
            ("{}".into(), "a batch has one kind at its top"),
            ("expire: [\n".into(), "line"),
        ] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
