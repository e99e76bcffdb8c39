//! Moving the tables and views of another Iceberg REST catalog into a warehouse, without moving a file.
//!
//! - MG1: the other catalog is only read. Nothing is written but entries of this catalog: a table's metadata file is
//!   registered where it lies, so it must lie in the warehouse's bucket.
//! - MG2: nothing here is replaced or removed. A name that is taken by the same metadata file is done; by another one
//!   it is a clash, and stays as it is.
//! - MG3: a table that moved on in the other catalog while it was registered is told as such: its writers must be
//!   stopped first, for two catalogs do not know of each other's commits.
//!
//! What a run left, the next one does: there is no state between them.

mod names;
mod plan;
mod report;
mod source;
mod target;

use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};

pub(crate) use self::names::Globs;
pub(crate) use self::plan::{Fate, Item, Kind, Outcome};
pub(crate) use self::report::{print, to_json};
pub(crate) use self::source::{Access, SignIn, Source, SourceError};
use self::target::Target;
use super::{ClientError, Connection};

/// What to migrate, and how.
pub(crate) struct Asked {
    /// The warehouse here.
    pub(crate) warehouse: String,
    pub(crate) globs: Globs,
    /// Requests at a time.
    pub(crate) parallel: usize,
}

/// Why a migration could not be planned or ended early.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Of the other catalog.
    #[error("the other catalog: {0}")]
    Source(#[from] SourceError),
    /// Of this server.
    #[error(transparent)]
    Target(#[from] ClientError),
}

/// A migration: what there is, and what becomes of it.
pub(crate) struct Migration {
    pub(crate) namespaces: Vec<Item>,
    pub(crate) relations: Vec<Item>,
    /// The other catalog does not list views.
    pub(crate) no_views: bool,
}

/// Looks at both catalogs and decides what would be done. Changes nothing.
pub(crate) async fn plan(
    source: &Source,
    connection: &Connection,
    asked: &Asked,
) -> Result<Migration, MigrateError> {
    let target = Target { connection, warehouse: &asked.warehouse };
    target.check().await?;
    let bar = bar("looking for namespaces", None);
    let mut found = Vec::new();
    let mut waiting: Vec<Vec<String>> = source.namespaces(None).await?;
    // Breadth first, so that parents come before their children.
    while let Some(next) = (!waiting.is_empty()).then(|| std::mem::take(&mut waiting)) {
        let children = futures::stream::iter(next.iter())
            .map(|namespace| source.namespaces(Some(namespace)))
            .buffered(asked.parallel)
            .collect::<Vec<_>>()
            .await;
        found.extend(next);
        bar.set_position(found.len() as u64);
        for children in children {
            waiting.extend(children?);
        }
    }
    let listings = futures::stream::iter(found.iter())
        .map(|namespace| async move {
            let tables = source.relations(Kind::Table, namespace).await?.unwrap_or_default();
            let views = source.relations(Kind::View, namespace).await?;
            Ok::<_, SourceError>((namespace, tables, views))
        })
        .buffered(asked.parallel)
        .collect::<Vec<_>>()
        .await;
    let (mut names, mut no_views) = (Vec::new(), false);
    for listed in listings {
        let (namespace, tables, views) = listed?;
        no_views |= views.is_none();
        names.extend(tables.into_iter().map(|name| (Kind::Table, namespace.clone(), name)));
        names.extend(views.unwrap_or_default().into_iter().map(|name| (Kind::View, namespace.clone(), name)));
    }
    names.retain(|(_, namespace, name)| asked.globs.pass(namespace, Some(name)));
    // A namespace goes along when something of it does, or when it passes itself.
    found.retain(|namespace| {
        asked.globs.pass(namespace, None) || names.iter().any(|(_, of, _)| of.starts_with(namespace))
    });
    bar.finish_and_clear();
    let bar = self::bar("looking at tables", Some(names.len() + found.len()));
    let namespaces = futures::stream::iter(found)
        .map(|namespace| target.look_at_namespace(source, namespace, &bar))
        .buffered(asked.parallel)
        .collect::<Vec<_>>()
        .await;
    let relations = futures::stream::iter(names)
        .map(|(kind, namespace, name)| target.look_at(source, kind, namespace, name, &bar))
        .buffered(asked.parallel)
        .collect::<Vec<_>>()
        .await;
    bar.finish_and_clear();
    let namespaces = namespaces.into_iter().collect::<Result<_, _>>()?;
    let relations = relations.into_iter().collect::<Result<_, _>>()?;
    Ok(Migration { namespaces, relations, no_views })
}

/// Does what was planned. What fails is told in its item, and the rest goes on.
pub(crate) async fn apply(
    migration: Migration,
    source: &Source,
    connection: &Connection,
    asked: &Asked,
) -> Migration {
    let target = Target { connection, warehouse: &asked.warehouse };
    let Migration { mut namespaces, relations, no_views } = migration;
    let bar = bar("registering", Some(namespaces.len() + relations.len()));
    // One after the other: a parent is there before its children.
    for namespace in &mut namespaces {
        target.do_namespace(namespace).await;
        bar.inc(1);
    }
    let relations = futures::stream::iter(relations)
        .map(|item| target.do_relation(source, item, &bar))
        .buffered(asked.parallel)
        .collect()
        .await;
    bar.finish_and_clear();
    Migration { namespaces, relations, no_views }
}

/// Progress on a terminal; nothing where standard error is none.
fn bar(what: &'static str, length: Option<usize>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (ProgressBar::new(length as u64), "  {msg}  {bar:30}  {pos} of {len}"),
        None => (ProgressBar::new_spinner(), "  {spinner} {msg}  {pos}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}
