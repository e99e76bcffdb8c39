//! The kinds of batches.

use super::common::{Listing, Target, Which, dry_run, kind, notify, place};
use super::filter::{Pair, Rule, rule};
use crate::batch::bulk::TagChange;
use crate::batch::catalog::Catalog;
use crate::batch::spec::{Does, Spec};
use crate::report::Filter;
use crate::report::aistor::Refused;
use crate::report::aistor::document::{Batched, Document};
use crate::report::aistor::scalar::{Text, choice, refused};

/// Rules of an expiry.
const RULES_MAX: usize = 100;
/// The id of a catalog where nothing is said.
const CATALOG_ID: &str = "catalog";

kind!(Expire { bucket: Text, prefix: Option<Text>, rules: Vec<Rule>, });

kind!(Delete { bucket: Text, prefix: Option<Text>, filter: Option<Rule>, manifest: Option<Listing>, });

kind!(Copy {
    source: Target,
    target: Target,
    overwrite: Option<Text>,
    filter: Option<Rule>,
    manifest: Option<Listing>,
});

kind!(Tag {
    bucket: Text,
    prefix: Option<Text>,
    filter: Option<Rule>,
    manifest: Option<Listing>,
    set: Option<Vec<Pair>>,
    merge: Option<Vec<Pair>>,
    remove: Option<Vec<Text>>,
});

pub(super) fn expire(said: &Expire) -> Result<Spec, Refused> {
    if said.rules.is_empty() || said.rules.len() > RULES_MAX {
        let message = format!("expire.rules: 1 to {RULES_MAX} rules");
        return Err(refused(said.bucket.referenced, message));
    }
    let rules = said.rules.iter().enumerate();
    let rules = rules.map(|(index, said)| rule(said, &format!("rules[{index}]")));
    let rules = rules.collect::<Result<_, _>>()?;
    let which = Which { bucket: &said.bucket, prefix: said.prefix.as_ref(), rules, manifest: None };
    said.common().spec(Does::Expire, which)
}

pub(super) fn delete(said: &Delete) -> Result<Spec, Refused> {
    let which = Which {
        bucket: &said.bucket,
        prefix: said.prefix.as_ref(),
        rules: filter(said.filter.as_ref())?,
        manifest: said.manifest.as_ref(),
    };
    said.common().spec(Does::Delete, which)
}

pub(super) fn tag(said: &Tag) -> Result<Spec, Refused> {
    let pairs = |said: &[Pair]| -> Vec<(String, String)> {
        said.iter().map(|pair| (pair.key.value.clone(), pair.value.value.clone())).collect()
    };
    let change = match (&said.set, &said.merge, &said.remove) {
        (Some(tags), None, None) => TagChange::Replace(pairs(tags)),
        (None, Some(tags), None) => TagChange::Merge(pairs(tags)),
        (None, None, Some(keys)) => TagChange::Remove(keys.iter().map(|key| key.value.clone()).collect()),
        (None, None, None) | (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
            let message = "tag: one of set, merge and remove".into();
            return Err(refused(said.bucket.referenced, message));
        }
    };
    if let Err(message) = change.check() {
        let pair = said.set.iter().chain(&said.merge).flatten().next().map(|pair| &pair.key);
        let first = pair.or_else(|| said.remove.iter().flatten().next()).unwrap_or(&said.bucket);
        return Err(refused(first.referenced, format!("tag: {message}")));
    }
    let which = Which {
        bucket: &said.bucket,
        prefix: said.prefix.as_ref(),
        rules: filter(said.filter.as_ref())?,
        manifest: said.manifest.as_ref(),
    };
    said.common().spec(Does::Tag(change), which)
}

pub(super) fn copy(said: &Copy) -> Result<Spec, Refused> {
    let words = [("always", true), ("never", false)];
    let replace = choice(said.overwrite.as_ref(), "overwrite", &words, true)?;
    let target = place(&said.target, "target")?;
    let which = Which {
        bucket: &said.source.bucket,
        prefix: said.source.prefix.as_ref(),
        rules: filter(said.filter.as_ref())?,
        manifest: said.manifest.as_ref(),
    };
    let spec = said.common().spec(Does::Copy { target: target.clone(), replace }, which)?;
    if spec.bucket == target.bucket && target.prefix.starts_with(&spec.prefix) && spec.manifest.is_none() {
        let message =
            "target lies inside source: copies would be copied again; another bucket or prefix is allowed";
        return Err(refused(said.target.bucket.referenced, message.into()));
    }
    Ok(spec)
}

/// The rule of a filter, if there is one.
pub(super) fn filter(said: Option<&Rule>) -> Result<Vec<Filter>, Refused> {
    said.iter().map(|said| rule(said, "filter")).collect()
}

/// An inventory that is made once: it is read as inventories are.
pub(super) fn catalog(said: &Document) -> Result<Catalog, Refused> {
    let Batched { spec, dry_run: dry, notify: told } = said.batched(CATALOG_ID)?;
    let notify = told.map(notify).transpose()?;
    Ok(Catalog { catalog: spec, dry_run: dry_run(dry)?, notify, written: None })
}
