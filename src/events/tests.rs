//! Filters, and who sees what.

use std::sync::Arc;

use tarn_catalog::Seq;
use tarn_catalog::events::{Event, events_of};
use tarn_catalog::state::{Change, Commit, Namespace, TableIdent};
use tarn_openapi::access::{Ask, Authorize, Denied, Principal, Resource};

use super::{Filter, Reader};

fn table(warehouse: &str, namespace: &[&str], name: &str) -> TableIdent {
    let levels = namespace.iter().map(|&level| level.to_owned()).collect();
    TableIdent::new(warehouse, Namespace::new(levels).unwrap(), name).unwrap()
}

fn event(change: Change) -> Event {
    events_of(Seq(1), 0, &Commit { at: 0, changes: vec![change] }).remove(0)
}

fn dropped(warehouse: &str, namespace: &[&str], name: &str) -> Event {
    event(Change::DropTable { ident: table(warehouse, namespace, name) })
}

fn filter(warehouse: Option<&str>, namespace: Option<&[&str]>, types: &[&str]) -> Filter {
    let namespace = namespace.map(|levels| levels.iter().map(|&level| level.to_owned()).collect());
    Filter::new(warehouse.map(str::to_owned), namespace, types.iter().copied()).unwrap()
}

#[test]
fn a_filter_lets_pass_what_it_names_and_what_lies_inside() {
    let event = dropped("main", &["a", "b"], "t");
    for (filter, passes) in [
        (Filter::default(), true),
        (filter(Some("main"), None, &[]), true),
        (filter(Some("other"), None, &[]), false),
        (filter(Some("main"), Some(&["a"]), &[]), true),
        (filter(Some("main"), Some(&["a", "b"]), &[]), true),
        (filter(Some("main"), Some(&["a", "b", "c"]), &[]), false),
        (filter(Some("main"), Some(&["b"]), &[]), false),
        (filter(None, None, &["tarn.table.dropped"]), true),
        (filter(None, None, &["tarn.view.*", "tarn.table.*"]), true),
        (filter(None, None, &["tarn.view.*"]), false),
    ] {
        assert_eq!(filter.passes(&event), passes, "{filter:?}");
    }
    let renamed = Change::RenameTable { from: table("main", &["x"], "t"), to: table("main", &["y"], "t") };
    let renamed = self::event(renamed);
    for (namespace, passes) in [("x", true), ("y", true), ("z", false)] {
        assert_eq!(filter(Some("main"), Some(&[namespace]), &[]).passes(&renamed), passes);
    }
}

#[test]
fn a_filter_that_could_never_pass_anything_is_refused() {
    assert!(Filter::new(None, None, ["tarn.tabel.*"].into_iter()).is_err());
    assert!(Filter::new(None, None, [""].into_iter()).is_err());
    assert!(Filter::new(None, Some(vec!["a".into()]), std::iter::empty()).is_err());
    assert!(Filter::new(Some("main".into()), Some(vec![String::new()]), std::iter::empty()).is_err());
}

/// Lets everything pass in the warehouses named, and nothing else.
struct Only(&'static [&'static str]);

impl Authorize for Only {
    fn authorize(&self, _: &Principal, ask: Ask<'_>) -> Result<(), Denied> {
        let inside = match ask.resource {
            Resource::Table("main", _, "hidden") => false,
            resource => resource.bucket().is_some_and(|bucket| self.0.contains(&bucket)),
        };
        if inside { Ok(()) } else { Err(Denied) }
    }
}

#[test]
fn a_reader_sees_nothing_of_what_it_may_not_read() {
    let principal = Principal::AccessKey("key".into());
    let reader = Reader { principal, sender: None, authorize: Arc::new(Only(&["main"])) };
    assert!(reader.may_see(&dropped("main", &["a"], "t")));
    assert!(!reader.may_see(&dropped("other", &["a"], "t")));
    assert!(!reader.may_see(&event(Change::DropWarehouse { name: "other".into() })));
    assert!(!reader.may_see(&event(Change::PutDocument {
        kind: "maintenance-policy".into(),
        id: "server".into(),
        json: "{}".into()
    })));
    let rename = |from: &str, to: &str| {
        event(Change::RenameTable { from: table("main", &["a"], from), to: table("main", &["a"], to) })
    };
    assert!(reader.may_see(&rename("t", "u")));
    assert!(!reader.may_see(&rename("hidden", "u")) && !reader.may_see(&rename("t", "hidden")));
    assert!(!reader.may_go_on(0), "the right to the stream itself is gone");
}
