use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use uuid::Uuid;

use super::super::audit::{Call, Outcome, Query, TARGET};
use super::recipient;

/// Keeps the records of the audit.
#[derive(Clone, Default)]
struct Records(Arc<Mutex<Vec<BTreeMap<String, String>>>>);

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().into(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }
}

impl Subscriber for Records {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        self.0.lock().unwrap().push(fields);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_call_is_one_record_with_who_what_and_how_much() {
    let recipient = recipient("Acme");
    let hints = format!("name = '{}'", "\u{e9}".repeat(2_000));
    let query = Query {
        recipient: &recipient,
        token: Uuid::from_u128(9),
        address: Some("192.0.2.1".parse().unwrap()),
        call: Call::Query,
        share: "Sales",
        schema: "EU",
        table: "Orders",
        version: Some(7),
        predicate: Some(&hints),
        files: 12,
        size_bytes: 3_456,
        outcome: Outcome::Told,
    };
    let records = Records::default();
    tracing::subscriber::with_default(records.clone(), || {
        query.record();
        Query { version: None, predicate: None, address: None, ..query }.record();
    });
    let records = records.0.lock().unwrap();
    let [first, second] = records.as_slice() else { panic!("{records:?}") };
    let told = |name: &str| first[name].as_str();
    assert_eq!((told("recipient.id"), told("recipient.name")), (recipient.id.to_string().as_str(), "Acme"));
    assert_eq!((told("token.id"), told("address")), (Uuid::from_u128(9).to_string().as_str(), "192.0.2.1"));
    assert_eq!((told("share"), told("schema"), told("table")), ("Sales", "EU", "Orders"));
    assert_eq!((told("call"), told("version"), told("outcome")), ("query", "7", "told"));
    assert_eq!((told("files"), told("size_bytes")), ("12", "3456"));
    let predicate = told("predicate");
    assert!(hints.starts_with(predicate) && (1_000..=1_024).contains(&predicate.len()));
    for absent in ["version", "predicate", "address"] {
        assert!(!second.contains_key(absent), "{absent}");
    }
}
