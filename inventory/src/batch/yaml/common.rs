//! What all kinds say in the same way.

use serde::Deserialize;

use super::nowhere;
use crate::batch::outside::Notify;
use crate::batch::secret::Secret;
use crate::batch::spec::{Does, List, Manifest, ManifestFormat, Place, Query, Spec, Threshold};
use crate::report::Filter;
use crate::report::aistor::Refused;
use crate::report::aistor::document::Told;
use crate::report::aistor::scalar::{Text, choice, count, duration_ms, refused, wrong};

/// Where reports go that nothing is said of, in the bucket of the batch.
pub(super) const REPORT_PREFIX: &str = "batch-reports";
/// The longest prefix of a place, in bytes.
const PREFIX_BYTES_MAX: usize = 512;
/// The longest address, in bytes.
pub(super) const URL_BYTES_MAX: usize = 2048;
/// The longest secret, in bytes. Session tokens are long.
const SECRET_BYTES_MAX: usize = 16 * 1024;
/// How often an object may be tried.
const ATTEMPTS_MAX: u64 = 20;
/// How long a wait between two attempts may be, in milliseconds.
const DELAY_MS_MAX: i64 = 60_000;

/// Declares what a kind says: its own fields, and those of all kinds, told here once. Serde's `flatten` would do it too,
/// but loses where a field stands and which are allowed.
macro_rules! kind {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $of:ty,)* }) => {
        $(#[$meta])*
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub(super) struct $name {
            api_version: Text,
            $($field: $of,)*
            retry: Option<super::common::Retry>,
            report: Option<super::common::Target>,
            failure_threshold: Option<super::common::Failures>,
            dry_run: Option<Text>,
            notify: Option<crate::report::aistor::document::Told>,
        }

        impl $name {
            fn common(&self) -> super::common::Common<'_> {
                super::common::Common {
                    api_version: &self.api_version,
                    retry: self.retry.as_ref(),
                    report: self.report.as_ref(),
                    failures: self.failure_threshold.as_ref(),
                    dry_run: self.dry_run.as_ref(),
                    notify: self.notify.as_ref(),
                    report_bucket: None,
                }
            }
        }
    };
}
pub(super) use kind;

/// A bucket and a prefix.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Target {
    pub(super) bucket: Text,
    pub(super) prefix: Option<Text>,
}

/// A list or a query.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Listing {
    format: Option<Text>,
    bucket: Option<Text>,
    key: Option<Text>,
    etag: Option<Text>,
    sql: Option<Text>,
    warehouse: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Retry {
    attempts: Option<Text>,
    delay: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Failures {
    percent: Option<Text>,
    after: Option<Text>,
}

/// The fields of all kinds.
pub(super) struct Common<'a> {
    pub(super) api_version: &'a Text,
    pub(super) retry: Option<&'a Retry>,
    pub(super) report: Option<&'a Target>,
    pub(super) failures: Option<&'a Failures>,
    pub(super) dry_run: Option<&'a Text>,
    pub(super) notify: Option<&'a Told>,
    /// Where reports go that nothing is said of; `None`: to the bucket of the objects.
    pub(super) report_bucket: Option<&'a Text>,
}

/// Which objects a batch is of.
pub(super) struct Which<'a> {
    pub(super) bucket: &'a Text,
    pub(super) prefix: Option<&'a Text>,
    pub(super) rules: Vec<Filter>,
    pub(super) manifest: Option<&'a Listing>,
}

impl Common<'_> {
    pub(super) fn spec(&self, does: Does, which: Which<'_>) -> Result<Spec, Refused> {
        choice(Some(self.api_version), "apiVersion", &[("v1", ())], ())?;
        let Which { bucket, prefix, rules, manifest } = which;
        if let Some(at) = manifest.filter(|_| !rules.is_empty()).and_then(Listing::first) {
            let message = "a manifest names the objects: there is no filter beside it".into();
            return Err(refused(at.referenced, message));
        }
        let report = match self.report {
            Some(target) => place(target, "report")?,
            None => {
                let bucket = self.report_bucket.unwrap_or(bucket).value.clone();
                Place { bucket, prefix: REPORT_PREFIX.into() }
            }
        };
        let below = report.prefix.trim_matches('/').to_owned();
        if below.is_empty() {
            return Err(nowhere("report.prefix: at least one byte beside slashes".into()));
        }
        let (attempts, delay_ms) = attempts(self.retry)?;
        Ok(Spec {
            does,
            bucket: bucket.value.clone(),
            prefix: prefix_of(prefix, "prefix")?,
            rules,
            manifest: manifest.map(named).transpose()?,
            report: Place { prefix: below, ..report },
            failure: threshold(self.failures)?,
            attempts,
            delay_ms,
            dry_run: dry_run(self.dry_run)?,
            notify: self.notify.map(notify).transpose()?,
            written: None,
        })
    }
}

pub(super) fn dry_run(text: Option<&Text>) -> Result<bool, Refused> {
    choice(text, "dryRun", &[("true", true), ("false", false)], false)
}

/// Who is told.
pub(super) fn notify(said: &Told) -> Result<Notify, Refused> {
    let endpoint = &said.endpoint;
    if endpoint.value.len() > URL_BYTES_MAX {
        return Err(wrong(endpoint, "notify.endpoint", &format!("at most {URL_BYTES_MAX} bytes")));
    }
    let token = said.token.as_ref().filter(|token| !token.value.is_empty());
    let token = token.map(|token| secret(token, "notify.token")).transpose()?;
    Ok(Notify { endpoint: endpoint.value.clone(), token })
}

/// A secret. An error never repeats it.
pub(super) fn secret(text: &Text, name: &str) -> Result<Secret, Refused> {
    if !(1..=SECRET_BYTES_MAX).contains(&text.value.len()) {
        return Err(refused(text.referenced, format!("{name}: 1 to {SECRET_BYTES_MAX} bytes")));
    }
    Ok(Secret::written(&text.value))
}

/// How often an object is tried, and how long after, in milliseconds.
fn attempts(said: Option<&Retry>) -> Result<(u32, u64), Refused> {
    let attempts = match said.and_then(|said| said.attempts.as_ref()) {
        Some(text) => bounded(text, "retry.attempts", 1, ATTEMPTS_MAX)? as u32,
        None => 3,
    };
    let delay_ms = match said.and_then(|said| said.delay.as_ref()) {
        Some(text) => match duration_ms(text, "retry.delay")? {
            delay_ms @ 0..=DELAY_MS_MAX => delay_ms as u64,
            _ => return Err(wrong(text, "retry.delay", "0s to 1m")),
        },
        None => 500,
    };
    Ok((attempts, delay_ms))
}

fn bounded(text: &Text, name: &str, least: u64, most: u64) -> Result<u64, Refused> {
    let number = count(text, name)?;
    let is_within = (least..=most).contains(&number);
    is_within.then_some(number).ok_or_else(|| wrong(text, name, &format!("{least} to {most}")))
}

pub(super) fn prefix_of(text: Option<&Text>, name: &str) -> Result<String, Refused> {
    match text {
        Some(text) if text.value.len() > PREFIX_BYTES_MAX => {
            Err(wrong(text, name, &format!("at most {PREFIX_BYTES_MAX} bytes")))
        }
        Some(text) => Ok(text.value.clone()),
        None => Ok(String::new()),
    }
}

pub(super) fn place(target: &Target, name: &str) -> Result<Place, Refused> {
    let prefix = prefix_of(target.prefix.as_ref(), &format!("{name}.prefix"))?;
    Ok(Place { bucket: target.bucket.value.clone(), prefix })
}

impl Listing {
    /// Something of it, to tell where it stands.
    pub(super) fn first(&self) -> Option<&Text> {
        [&self.format, &self.sql, &self.bucket, &self.key, &self.etag, &self.warehouse]
            .into_iter()
            .find_map(Option::as_ref)
    }

    fn refuse(&self, message: &str) -> Refused {
        let message = format!("manifest: {message}");
        match self.first() {
            Some(text) => refused(text.referenced, message),
            None => nowhere(message),
        }
    }
}

fn named(said: &Listing) -> Result<Manifest, Refused> {
    let value = |text: &Option<Text>| text.as_ref().map(|text| text.value.clone());
    if let Some(sql) = &said.sql {
        let of_lists =
            [&said.format, &said.bucket, &said.key, &said.etag].into_iter().find_map(Option::as_ref);
        return match of_lists {
            Some(text) => {
                Err(refused(text.referenced, "manifest: beside sql only warehouse is allowed".into()))
            }
            None => Ok(Manifest::Query(Query { sql: sql.value.clone(), warehouse: value(&said.warehouse) })),
        };
    }
    let formats = [
        ("S3InventoryReport_CSV_20161130", ManifestFormat::Inventory),
        ("S3InventoryReport_Parquet_20161130", ManifestFormat::ParquetInventory),
        ("S3BatchOperations_CSV_20180820", ManifestFormat::Csv),
    ];
    if let Some(text) = &said.warehouse {
        return Err(refused(text.referenced, "manifest.warehouse is of sql".into()));
    }
    let (Some(format), Some(bucket), Some(key)) = (&said.format, value(&said.bucket), value(&said.key))
    else {
        return Err(said.refuse("it has format, bucket and key of a list, or sql"));
    };
    Ok(Manifest::List(List {
        format: choice(Some(format), "manifest.format", &formats, ManifestFormat::Csv)?,
        bucket,
        key,
        etag: said.etag.as_ref().map(|etag| etag.value.trim_matches('"').to_owned()),
    }))
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
