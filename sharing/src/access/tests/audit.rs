use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use super::super::Reader;
use super::super::audit::{Call, Trail};
use super::super::records::Records;
use super::{NOW, recipient};

fn reader(address: Option<IpAddr>) -> Reader {
    let recipient = Arc::new(recipient("Acme"));
    Reader { recipient, token: Uuid::from_u128(9), token_expires_ms: NOW, key: 1, address }
}

/// What work records. A record comes first: where records come from must be known before, because it stays silent if
/// another test makes it known at the same moment.
fn records(work: impl FnOnce()) -> Vec<BTreeMap<String, String>> {
    drop(Trail::begin(&reader(None), Call::Table, ["", "", ""]));
    let records = Records::default();
    tracing::subscriber::with_default(records.clone(), work);
    records.take()
}

#[test]
fn a_call_is_one_record_with_who_what_and_how_much() {
    let reader = reader(Some("192.0.2.1".parse().unwrap()));
    let records = records(|| {
        let mut trail = Trail::begin(&reader, Call::Query, ["Sales", "EU", "Orders"]);
        trail.asked(["a = 1", "b = 2"]);
        trail.tells(Some(7));
        trail.file(3_000);
        trail.file(456);
        trail.whole();
    });
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let told = |name: &str| record[name].as_str();
    assert_eq!((told("recipient.id"), told("recipient.name")), (&*reader.recipient.id.to_string(), "Acme"));
    assert_eq!((told("token.id"), told("address")), (&*Uuid::from_u128(9).to_string(), "192.0.2.1"));
    assert_eq!((told("share"), told("schema"), told("table")), ("Sales", "EU", "Orders"));
    assert_eq!((told("call"), told("version"), told("outcome")), ("query", "7", "told"));
    assert_eq!((told("files"), told("size_bytes")), ("2", "3456"));
    assert_eq!(told("hints"), "a = 1; b = 2");
}

#[test]
fn a_call_that_is_refused_or_breaks_off_is_a_record_too() {
    let reader = reader(None);
    let records = records(|| {
        drop(Trail::begin(&reader, Call::Version, ["s", "c", "t"]));
        let mut broken = Trail::begin(&reader, Call::Changes, ["s", "c", "t"]);
        broken.tells(Some(3));
        broken.file(1);
    });
    let outcomes: Vec<_> = records.iter().map(|record| (&*record["call"], &*record["outcome"])).collect();
    assert_eq!(outcomes, [("version", "refused"), ("changes", "broken")]);
    for absent in ["version", "hints", "address"] {
        assert!(!records[0].contains_key(absent), "{absent}");
    }
}

#[test]
fn of_long_hints_a_record_tells_the_beginning() {
    let hints = format!("name = '{}'", "\u{e9}".repeat(2_000));
    let records = records(|| {
        let mut trail = Trail::begin(&reader(None), Call::Query, ["s", "c", "t"]);
        trail.asked([&hints, &hints]);
    });
    let told = &records[0]["hints"];
    assert!(hints.starts_with(told) && (1_000..=1_024).contains(&told.len()));
}
