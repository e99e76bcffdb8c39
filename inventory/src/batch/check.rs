//! What is checked of a batch when it is put, and again when it runs.

use serde_json::Value;
use tarn_openapi::access::{Action, Resource};

use super::secret::Secret;
use super::spec::{Does, Manifest, Spec, Way};
use super::tasks::{check_query, path};
use super::{Asked, Batch, yaml};
use crate::jobs::{Author, InvalidSpec};
use crate::report::filter::CompiledFilter;

/// The longest prefix of a report, in bytes: keys of its files are longer.
const REPORT_PREFIX_BYTES_MAX: usize = 512;

/// A specification in its full form, from that or from `{"yaml": "..."}`.
pub(super) async fn check(batch: &Batch, spec: &Value, author: &Author) -> Result<Asked, InvalidSpec> {
    let asked = match spec.get("yaml") {
        Some(Value::String(text)) => yaml::read(text).map_err(|refused| {
            let place = match (refused.line, refused.column) {
                (Some(line), Some(column)) => format!("line {line}, column {column}"),
                (Some(line), None) => format!("line {line}"),
                (None, _) => "batch".into(),
            };
            field(&place, refused.message)
        })?,
        Some(_) => return Err(field("yaml", "a text".into())),
        None => full(spec)?,
    };
    if let Some(notify) = asked.notify() {
        let url = batch.parts.outside.check(&notify.endpoint);
        url.map_err(|message| field("notify.endpoint", message))?;
    }
    let mut asked = match asked {
        Asked::Objects(spec) => Asked::Objects(objects(batch, spec, author).await?),
        Asked::Catalog(catalog) => Asked::Catalog(catalog.check(batch, author).await?),
    };
    seal(batch, &mut asked)?;
    Ok(asked)
}

/// Nothing is kept of a secret but what only this server opens.
fn seal(batch: &Batch, asked: &mut Asked) -> Result<(), InvalidSpec> {
    for used in asked.secrets() {
        if let Secret::Given(secret) = &*used.secret {
            let sealed = batch.parts.outside.seal(secret, &used.purpose);
            *used.secret = Secret::Sealed(sealed.map_err(|message| field(used.at, message))?);
        }
    }
    Ok(())
}

/// Secrets that were left out are those of the batch that was put before, where they are for the same.
pub(super) fn fill(asked: &mut Asked, before: Option<Asked>) -> Result<(), InvalidSpec> {
    let mut before = before;
    let mut before = before.as_mut().map(Asked::secrets).unwrap_or_default();
    for used in asked.secrets().into_iter().filter(|used| *used.secret == Secret::Kept) {
        let found = before.iter_mut().find(|kept| kept.purpose == used.purpose);
        match found {
            Some(kept) if matches!(kept.secret, Secret::Sealed(_)) => *used.secret = kept.secret.clone(),
            Some(_) | None => {
                let message = "it was left out; that may who put this batch before, with the same address and access key";
                return Err(field(used.at, message.into()));
            }
        }
    }
    Ok(())
}

/// One in full form. A text beside secrets may hold them.
fn full(spec: &Value) -> Result<Asked, InvalidSpec> {
    let mut asked = Asked::read(spec).map_err(|error| field("spec", error))?;
    if asked.secrets().iter().any(|used| matches!(used.secret, Secret::Given(_))) {
        *asked.written() = None;
    }
    Ok(asked)
}

async fn objects(batch: &Batch, spec: Spec, author: &Author) -> Result<Spec, InvalidSpec> {
    for rule in &spec.rules {
        CompiledFilter::new(rule, 0).map_err(|error| field(&error.at, error.message))?;
    }
    if let Does::Replicate(replication) = &spec.does {
        let url = batch.parts.outside.check(&replication.endpoint.url);
        url.map_err(|message| field("endpoint", message))?;
        if replication.way == Way::Pull && spec.manifest.is_some() {
            return Err(field("manifest", "objects of another server are named by a filter".into()));
        }
    }
    if let Does::Tag(change) = &spec.does {
        change.check().map_err(|message| field("tag", message))?;
    }
    let prefix = &spec.report.prefix;
    if prefix.is_empty() || prefix.len() > REPORT_PREFIX_BYTES_MAX || path(prefix).is_err() {
        let allowed = format!("1 to {REPORT_PREFIX_BYTES_MAX} bytes, no empty part between slashes");
        return Err(field("report.prefix", allowed));
    }
    if let Does::Copy { target, .. } = &spec.does
        && spec.manifest.is_none()
        && target.bucket == spec.bucket
        && target.prefix.starts_with(&spec.prefix)
    {
        return Err(field("target", "lies inside the source: copies would be copied again".into()));
    }
    places(batch, &spec, author).await?;
    if let Some(Manifest::Query(query)) = &spec.manifest {
        let refused = |message: String| field("manifest.sql", message);
        let planned = batch.parts.queries.plan(query, author).await;
        let columns = planned.map_err(|failure| refused(failure.to_string()))?;
        check_query(&columns).map_err(refused)?;
    }
    Ok(spec)
}

fn field(at: &str, message: String) -> InvalidSpec {
    InvalidSpec::Field { at: at.into(), message }
}

/// Refuses buckets that are not there or are warehouses where objects change, and an author who may not do it.
pub(super) async fn places(batch: &Batch, spec: &Spec, author: &Author) -> Result<(), InvalidSpec> {
    let may = |action, resource| batch.parts.rights.may(author, action, resource);
    let denied = |what: String| Err(InvalidSpec::Denied(format!("access denied: {what}")));
    let (mut changed, mut buckets) =
        (vec![("report.bucket", &spec.report.bucket)], vec![&spec.report.bucket]);
    if spec.is_of_here() {
        buckets.push(&spec.bucket);
    }
    match &spec.does {
        Does::Expire | Does::Delete | Does::Tag(_) => changed.push(("bucket", &spec.bucket)),
        Does::Copy { target, .. } => {
            changed.push(("target.bucket", &target.bucket));
            buckets.push(&target.bucket);
        }
        // Objects of a warehouse may be copied elsewhere, as a backup.
        Does::Replicate(replication) => match replication.way {
            Way::Push => {}
            Way::Pull => {
                changed.push(("target.bucket", &replication.target.bucket));
                buckets.push(&replication.target.bucket);
            }
        },
    }
    let list = match &spec.manifest {
        Some(Manifest::List(list)) => Some(list),
        Some(Manifest::Query(_)) | None => None,
    };
    buckets.extend(list.map(|list| &list.bucket));
    for bucket in buckets {
        if !may(Action::ListBucket, Resource::Listing(bucket, ""))
            && !may(Action::ListBucket, Resource::Listing(bucket, &spec.prefix))
        {
            return denied(format!("s3:ListBucket of {bucket}"));
        }
        if !batch.parts.stores.exists(bucket).await.unwrap_or(false) {
            return Err(InvalidSpec::Missing(format!("there is no bucket {bucket}")));
        }
    }
    let state = batch.parts.catalog.snapshot();
    if let Some((at, bucket)) = changed.into_iter().find(|(_, bucket)| state.warehouse(bucket).is_some()) {
        let message = format!(
            "{bucket} is a warehouse: files of its tables are written, changed and deleted by the catalog only"
        );
        return Err(field(at, message));
    }
    let file = format!("{}/job", spec.report.prefix);
    if !may(Action::PutObject, Resource::Object(&spec.report.bucket, &file)) {
        return denied(format!("s3:PutObject below {}/{}", spec.report.bucket, spec.report.prefix));
    }
    if let Some(list) = list
        && !may(Action::GetObject, Resource::Object(&list.bucket, &list.key))
    {
        return denied(format!("s3:GetObject of {}/{}", list.bucket, list.key));
    }
    Ok(())
}
