//! What a migration did, or would do, for people and for programs.

use serde_json::{Value, json};

use super::{Item, Kind, Migration, Outcome};
use crate::client::output::{Table, line, text};

/// Lines of obstacles that are printed; all are counted, and JSON has all.
const OBSTACLES_MAX: usize = 100;

/// Prints the counts, and everything that does not come along.
pub(crate) fn print(migration: &Migration, applied: bool) {
    let mut rows =
        Table::new(&["KIND", "FOUND", "THERE ALREADY", if applied { "MADE" } else { "TO MAKE" }, "NOT"]);
    for kind in [Kind::Namespace, Kind::Table, Kind::View] {
        let of = migration.items().filter(|item| item.kind == kind);
        let count = |wanted: fn(&Item, bool) -> bool| of.clone().filter(|item| wanted(item, applied)).count();
        rows.row([
            kind.noun().into(),
            of.clone().count().to_string(),
            count(is_there).to_string(),
            count(is_made).to_string(),
            count(is_not).to_string(),
        ]);
    }
    rows.print();
    if !applied {
        line("Nothing was changed: --apply does it.");
    }
    if migration.no_views {
        line("The other catalog lists no views.");
    }
    let copies = migration.items().filter(|item| item.fate.word() == "copy").count();
    if copies > 0 {
        line(&format!(
            "{copies} views are made anew from their current version: their history does not come along."
        ));
    }
    let obstacles: Vec<(&Item, String)> =
        migration.items().filter_map(|item| Some((item, item.trouble()?))).collect();
    if obstacles.is_empty() {
        return;
    }
    line("");
    for (item, why) in obstacles.iter().take(OBSTACLES_MAX) {
        line(&format!(
            "{} {}: {}",
            item.kind.noun(),
            text(&item.full_name().into()),
            text(&why.as_str().into())
        ));
    }
    if obstacles.len() > OBSTACLES_MAX {
        line(&format!("and {} more (--json has all)", obstacles.len() - OBSTACLES_MAX));
    }
}

/// Everything.
pub(crate) fn to_json(migration: &Migration, applied: bool) -> Value {
    let items: Vec<Value> = migration
        .items()
        .map(|item| {
            let outcome = match &item.outcome {
                Outcome::Untouched => "untouched",
                Outcome::Made => "made",
                Outcome::Failed(_) => "failed",
                Outcome::MovedOn(_) => "moved-on",
            };
            json!({
                "kind": item.kind.noun(), "namespace": item.namespace, "name": item.name,
                "plan": item.fate.word(), "outcome": outcome, "why": item.trouble(),
            })
        })
        .collect();
    json!({"applied": applied, "views-listed": !migration.no_views, "items": items})
}

fn is_there(item: &Item, _: bool) -> bool {
    item.fate.word() == "done"
}

fn is_made(item: &Item, applied: bool) -> bool {
    if applied {
        item.outcome == Outcome::Made
    } else {
        !is_there(item, applied) && item.fate.obstacle().is_none()
    }
}

fn is_not(item: &Item, applied: bool) -> bool {
    if applied { item.is_left_behind() } else { item.fate.obstacle().is_some() }
}

impl Migration {
    pub(crate) fn items(&self) -> impl Iterator<Item = &Item> + Clone {
        self.namespaces.iter().chain(&self.relations)
    }
}

impl Item {
    /// What is wrong with it.
    fn trouble(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Failed(why) => Some(why.clone()),
            Outcome::MovedOn(to) => Some(format!(
                "it was registered, and the other catalog has gone on to {to}: stop its writers"
            )),
            Outcome::Untouched | Outcome::Made => self.fate.obstacle(),
        }
    }
}
