//! Filters, who sees what, and how streams begin and end.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use tarn_catalog::events::{Event, Position, events_of};
use tarn_catalog::state::{Change, Commit, Expect, Namespace, TableIdent};
use tarn_catalog::{Catalog, InMemoryWarehouses, Seq, Settings};
use tarn_openapi::access::{
    Action, Ask, Authorize, Denied, Principal, Resource, Restriction, Sender, Session,
};
use tokio::sync::watch;

use super::{AtEnd, Begin, Events, Filter, Reader, STREAMS_MAX, StreamError};
use crate::identity::key::AccessKey;
use crate::identity::{Change as Membership, Directory, Keyring, NewUser, Secret, Standing};

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

/// Lets everything pass in the warehouses named, and nothing else but the stream itself.
struct Only(&'static [&'static str]);

impl Authorize for Only {
    fn authorize(&self, _: &Principal, ask: Ask<'_>) -> Result<(), Denied> {
        let inside = match (ask.action, ask.resource) {
            (Action::AdminStreamEvents, _) => true,
            (_, Resource::Table("main", _, "hidden")) => false,
            (_, resource) => resource.bucket().is_some_and(|bucket| self.0.contains(&bucket)),
        };
        if inside { Ok(()) } else { Err(Denied) }
    }
}

/// Lets everything pass until that second.
struct Until(i64);

impl Authorize for Until {
    fn authorize(&self, _: &Principal, ask: Ask<'_>) -> Result<(), Denied> {
        if ask.sender.is_some_and(|sender| sender.at_seconds < self.0) { Ok(()) } else { Err(Denied) }
    }
}

fn keyring() -> Arc<Keyring> {
    Arc::new(Keyring::new(AccessKey::root("root", Secret::new("secret-of-root".into()))))
}

fn reader(
    keyring: Arc<Keyring>,
    principal: Principal,
    sender: Option<Sender>,
    authorize: impl Authorize,
) -> Reader {
    let standing = Standing::new(keyring, &principal);
    Reader { principal, standing, sender, authorize: Arc::new(authorize) }
}

#[test]
fn a_reader_sees_nothing_of_what_it_may_not_read() {
    let reader = reader(keyring(), Principal::Root, None, Only(&["main"]));
    let sight = reader.at(0).unwrap();
    assert!(sight.shows(&dropped("main", &["a"], "t")));
    assert!(!sight.shows(&dropped("other", &["a"], "t")));
    assert!(!sight.shows(&event(Change::DropWarehouse { name: "other".into() })));
    assert!(!sight.shows(&event(Change::PutDocument {
        kind: "maintenance-policy".into(),
        id: "server".into(),
        json: "{}".into()
    })));
    let rename = |from: &str, to: &str| {
        event(Change::RenameTable { from: table("main", &["a"], from), to: table("main", &["a"], to) })
    };
    assert!(sight.shows(&rename("t", "u")));
    assert!(!sight.shows(&rename("hidden", "u")) && !sight.shows(&rename("t", "hidden")));
}

#[test]
fn a_right_that_ends_at_a_time_ends_for_a_stream_that_began_before() {
    let sender = Sender { at_seconds: 1, ..Sender::default() };
    let reader = reader(keyring(), Principal::Root, Some(sender), Until(100));
    assert!(reader.at(99).is_some() && reader.at(100).is_none());
}

#[tokio::test]
async fn a_stream_ends_with_the_key_it_began_with_also_where_another_has_its_name() {
    let catalog = forgetful().await;
    let keyring = Arc::new(Keyring::with_catalog(
        AccessKey::root("root", Secret::new("secret-of-root".into())),
        catalog.clone(),
    ));
    let directory = Directory::new(catalog, "root");
    let make = async || {
        let secret = Some(Secret::new("the-same-secret".into()));
        let new = NewUser { name: "alice".into(), secret, policies: Vec::new(), groups: Vec::new() };
        directory.create_user(new, jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    };
    let alice = Principal::AccessKey("alice".into());
    let restriction = Restriction::Policy("{}".into());
    let session = Session { id: "s".into(), parent: alice.clone(), restriction, expires: 100, ticket: None };
    let begin = || {
        let of = |principal: Principal| reader(keyring.clone(), principal, None, Everything);
        [of(alice.clone()), of(Principal::Session(Arc::new(session.clone())))]
    };
    let go_on = |readers: &[Reader; 2]| readers.each_ref().map(|reader| reader.at(0).is_some());

    make().await;
    let began = begin();
    directory.change_user_policy("alice", "readonly", Membership::Add).await.unwrap();
    assert_eq!(go_on(&began), [true, true], "it is the same key still");
    directory.delete_user("alice").await.unwrap();
    assert_eq!(go_on(&began), [false, false]);
    make().await;
    assert_eq!(go_on(&began), [false, false], "another has the name, and the same secret");

    let began = begin();
    directory.renew_secret("alice").await.unwrap();
    assert_eq!(go_on(&began), [false, false]);
    assert_eq!(go_on(&begin()), [true, true]);
}

/// Lets everybody do everything.
struct Everything;

impl Authorize for Everything {
    fn authorize(&self, _: &Principal, _: Ask<'_>) -> Result<(), Denied> {
        Ok(())
    }
}

/// A catalog in memory that keeps little of its log.
pub(crate) async fn forgetful() -> Catalog {
    let settings = Settings {
        checkpoint_records: 8,
        history_retention: std::time::Duration::ZERO,
        ..Settings::default()
    };
    let log = Arc::new(InMemory::new());
    Catalog::open(log, Path::from("catalog"), Arc::new(InMemoryWarehouses::default()), settings)
        .await
        .unwrap()
}

/// Puts documents that are told until `enough` says so of the oldest record that is kept.
pub(crate) async fn put_until(catalog: &Catalog, enough: impl Fn(Seq) -> bool) {
    // Checkpoints are written beside the writer: how many records that takes is not known.
    for number in 0..100_000 {
        if enough(catalog.oldest_record().await.unwrap()) {
            return;
        }
        catalog.put_document("policy", "p", &number.to_string(), Expect::Any).await.unwrap();
    }
    panic!("the log is not trimmed");
}

fn events(catalog: &Catalog) -> (Events, watch::Sender<bool>) {
    let (stop, stopped) = watch::channel(false);
    (Events::new(catalog.clone(), "urn:test".into(), stopped), stop)
}

fn root() -> Reader {
    reader(keyring(), Principal::Root, None, Everything)
}

async fn text(events: &Events, begin: Begin) -> Result<String, StreamError> {
    let body = events.stream(begin, Filter::default(), root(), AtEnd::End).await?;
    Ok(String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

#[tokio::test]
async fn a_position_that_is_not_kept_any_more_is_refused_and_names_the_oldest_that_is() {
    let catalog = forgetful().await;
    put_until(&catalog, |oldest| oldest > Seq(1)).await;
    catalog.close().await;
    let (events, _stop) = events(&catalog);
    let Err(StreamError::Gone { oldest, .. }) = text(&events, Begin::After(Position::START)).await else {
        panic!("the first records are trimmed");
    };
    let told = text(&events, Begin::After(Position::Record(Seq(oldest - 1)))).await.unwrap();
    assert!(told.contains(&format!("id: {oldest}-0-0\n")) && told.contains("end-of-log"), "{told}");
    assert_eq!(text(&events, Begin::Oldest).await.unwrap(), told);
    let ahead = Position::Record(Seq(u64::MAX));
    assert!(matches!(text(&events, Begin::After(ahead)).await, Err(StreamError::Ahead { .. })));
}

#[tokio::test]
async fn a_reader_that_falls_behind_the_kept_log_is_told_where_to_go_on() {
    let catalog = forgetful().await;
    let (events, _stop) = events(&catalog);
    let begin = Begin::After(Position::START);
    let mut body = events.stream(begin, Filter::default(), root(), AtEnd::Wait).await.unwrap();
    let mut next = async || {
        let frame = body.frame().await.unwrap().unwrap();
        String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
    };
    assert!(next().await.starts_with(": beat\nid: 0\n"));
    // Nobody reads meanwhile.
    put_until(&catalog, |oldest| oldest > Seq(1)).await;
    catalog.close().await;
    let last = next().await;
    let oldest = catalog.oldest_record().await.unwrap();
    assert!(last.starts_with("event: end\n") && last.contains("position-gone"), "{last}");
    assert!(last.contains(&format!("\"oldest-record\":{oldest}")), "{last}");
}

#[tokio::test]
async fn streams_are_limited_and_end_when_the_server_stops() {
    let catalog = forgetful().await;
    let (events, stop) = events(&catalog);
    let open = async || events.stream(Begin::Now, Filter::default(), root(), AtEnd::Wait).await;
    let mut bodies = Vec::new();
    for _ in 0..STREAMS_MAX {
        bodies.push(open().await.unwrap());
    }
    assert!(matches!(open().await, Err(StreamError::TooMany)));
    drop(bodies.pop());
    bodies.push(open().await.unwrap());
    stop.send(true).unwrap();
    for body in bodies {
        let told = body.collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&told).contains("server-stops"));
    }
}
