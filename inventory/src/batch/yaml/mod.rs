//! Batches as AIStor's YAML has them.
//!
//! Beside AIStor's `expire`, `catalog` and `replicate` there are `delete`, `copy` and `tag` in the same shape. All of them know `report`,
//! `failureThreshold` and `dryRun`, which are Tarn's own, and those that go through objects a `manifest`.

mod common;
mod filter;
mod kinds;
mod replicate;
mod templates;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, IgnoredAny};

pub use self::templates::{KINDS, template};
use super::Asked;
use super::secret::without;
use crate::report::aistor::Refused;
use crate::report::aistor::document::{options, unread};

/// The longest text, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 64 * 1024;
/// What AIStor has and this server has not.
const UNSERVED: [(&str, &str); 3] = [
    ("keyrotate", "its objects have no keys"),
    ("untier", "it has no tiers"),
    ("compress", "it compresses nothing"),
];

/// Reads a batch.
pub(super) fn read(text: &str) -> Result<Asked, Refused> {
    let mut asked = understand(text)?;
    *asked.written() = kept(text, &asked);
    Ok(asked)
}

fn understand(text: &str) -> Result<Asked, Refused> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(nowhere(format!("the text is longer than {TEXT_BYTES_MAX} bytes")));
    }
    let tops: BTreeMap<String, IgnoredAny> = parse(text)?;
    let mut names = tops.keys();
    let (Some(kind), None) = (names.next(), names.next()) else {
        return Err(nowhere(format!("a batch has one kind at its top; allowed: {}", allowed())));
    };
    Ok(match kind.as_str() {
        "expire" => Asked::Objects(kinds::expire(&only(text)?)?),
        "delete" => Asked::Objects(kinds::delete(&only(text)?)?),
        "copy" => Asked::Objects(kinds::copy(&only(text)?)?),
        "replicate" => Asked::Objects(replicate::replicate(&only(text)?)?),
        "tag" => Asked::Objects(kinds::tag(&only(text)?)?),
        "catalog" => Asked::Catalog(kinds::catalog(&only(text)?)?),
        other => return Err(unknown(other)),
    })
}

/// The text to keep of a batch: without its secrets. `None`: they cannot be taken out of it for sure.
fn kept(text: &str, asked: &Asked) -> Option<String> {
    let mut hidden = asked.clone();
    let text = without(text, &hidden.secrets());
    hidden.hide();
    (understand(&text).ok()? == hidden).then_some(text)
}

/// What stands below the one kind of a text.
fn only<T: DeserializeOwned>(text: &str) -> Result<T, Refused> {
    let mut tops: BTreeMap<String, T> = parse(text)?;
    tops.pop_first().map(|(_, said)| said).ok_or_else(|| nowhere("a batch is a mapping".into()))
}

fn unknown(kind: &str) -> Refused {
    match UNSERVED.iter().find(|(name, _)| *name == kind) {
        Some((name, why)) => nowhere(format!("NotImplemented: this server does no {name}; {why}")),
        None => {
            let kind: String = kind.chars().take(64).collect();
            nowhere(format!("there is no kind of batch {kind:?}; allowed: {}", allowed()))
        }
    }
}

fn allowed() -> String {
    KINDS.map(|(kind, _)| kind).join(", ")
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Refused> {
    serde_saphyr::from_str_with_options(text, options()).map_err(unread)
}

fn nowhere(message: String) -> Refused {
    Refused { line: None, column: None, message }
}
