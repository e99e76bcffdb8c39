//! Change events: what the catalog log tells those who follow it.
//!
//! - E1: events follow from a record alone: the same record gives the same events, whoever reads it and when.
//! - E2: every change of a warehouse, namespace, table, view or function gives one event. Of documents only the kinds
//!   in [`TOLD_KINDS`] do, by name and without their content: none of them, and no secret, is ever told.
//! - E3: events have the order of the log: by record, by commit in the record, by change in the commit.
//! - E4: a position once given names the same events for ever, or says that they are gone.
//!
//! How events reach anybody is not decided here.

mod derive;
mod follow;
mod kind;
mod position;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Value, json};

pub use derive::events_of;
pub(crate) use follow::Records;
pub use follow::{Follower, Record, RecordError, Step};
pub use kind::EventKind;
pub use position::{EventId, InvalidPosition, Position};

use crate::state::{Namespace, TableIdent};

/// The kinds of documents whose changes are told: what they hold is no secret, and neither is it told.
pub const TOLD_KINDS: &[&str] = &["group", "maintenance-policy", "policy"];

/// One change, as it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Where it stands in the log.
    pub id: EventId,
    /// How many events its commit has.
    pub count: u32,
    /// When it was committed, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who asked for it, as the history of the catalog has it; none in older records.
    pub by: Option<Arc<str>>,
    /// What happened.
    pub kind: EventKind,
    /// To what.
    pub about: About,
    /// The name it had before, of a rename.
    pub from: Option<TableIdent>,
    /// What else is told, as JSON of the event's `data`.
    pub data: Value,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A warehouse.
    Warehouse(Arc<str>),
    /// A namespace of a warehouse.
    Namespace(Arc<str>, Namespace),
    /// A table.
    Table(TableIdent),
    /// A view.
    View(TableIdent),
    /// A function.
    Function(TableIdent),
    /// A document of the server: kind and id.
    Document(Arc<str>, Arc<str>),
}

impl About {
    /// The warehouse it lies in; none for what belongs to the server.
    pub fn warehouse(&self) -> Option<&str> {
        match self {
            Self::Warehouse(name) | Self::Namespace(name, _) => Some(name),
            Self::Table(ident) | Self::View(ident) | Self::Function(ident) => Some(&ident.warehouse),
            Self::Document(..) => None,
        }
    }

    /// The namespace it is or lies in.
    pub fn namespace(&self) -> Option<&Namespace> {
        match self {
            Self::Namespace(_, namespace) => Some(namespace),
            Self::Table(ident) | Self::View(ident) | Self::Function(ident) => Some(&ident.namespace),
            Self::Warehouse(_) | Self::Document(..) => None,
        }
    }

    /// The CloudEvents subject: for people and for filters of intermediaries. `data` holds the names apart.
    fn subject(&self) -> String {
        match self {
            Self::Warehouse(name) => name.to_string(),
            Self::Namespace(warehouse, namespace) => format!("{warehouse}/{namespace}"),
            Self::Table(ident) | Self::View(ident) | Self::Function(ident) => {
                format!("{}/{}/{}", ident.warehouse, ident.namespace, ident.name)
            }
            Self::Document(kind, id) => format!("{kind}/{id}"),
        }
    }
}

impl Event {
    /// The event in the JSON format of CloudEvents 1.0. `source` names the server.
    pub fn to_cloud_event(&self, source: &str) -> Value {
        let time = jiff::Timestamp::from_millisecond(self.at_ms);
        let mut event = json!({
            "specversion": "1.0",
            "id": self.id.to_string(),
            "source": source,
            "type": self.kind.name(),
            "subject": self.about.subject(),
            "datacontenttype": "application/json",
            "position": self.id.seq.to_string(),
            "transaction": format!("{}-{}", self.id.seq, self.id.commit),
            "transactionindex": self.id.index,
            "transactioncount": self.count,
            "data": self.data,
        });
        if let Some(fields) = event.as_object_mut() {
            if let Ok(time) = time {
                fields.insert("time".to_owned(), format!("{time:.3}").into());
            }
            if let Some(by) = &self.by {
                fields.insert("actor".to_owned(), json!(by));
            }
        }
        event
    }
}
