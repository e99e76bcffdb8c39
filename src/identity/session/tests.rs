use proptest::prelude::*;
use tarn_openapi::access::{Prefix, PrefixAccess, Presence, TableFiles};

use super::super::key::AccessKey;
use super::*;

const NOW: i64 = 1_800_000_000;

fn keyring(secret: &str) -> Arc<Keyring> {
    Arc::new(Keyring::new(AccessKey::root("root", Secret::new(secret.into()))))
}

fn sessions() -> Sessions {
    Sessions::new(&[7; 32], keyring("secret-1"))
}

fn below(path: &str) -> Restriction {
    Restriction::Prefixes([Prefix::new("b", path, PrefixAccess::ReadWrite).unwrap()].into())
}

/// The files below a prefix as those of a table `ns.t`.
pub(in crate::identity) fn files(path: &str, access: PrefixAccess) -> Arc<TableFiles> {
    Arc::new(TableFiles {
        prefixes: [Prefix::new("b", path, access).unwrap()].into(),
        warehouse: "lake".into(),
        levels: ["ns".to_owned()].into(),
        name: "t".into(),
        uuid: 7,
        presence: Presence::Staged,
    })
}

fn order(parent: Principal, restriction: Restriction) -> Order {
    Order { parent, restriction, lifetime_seconds: 900, purpose: Use::Signing, ticket: None }
}

fn open(sessions: &Sessions, credentials: &Temporary, now: i64) -> Result<Opened, AuthError> {
    sessions.open(credentials.token.expose(), Use::Signing, None, now)
}

#[test]
fn a_token_opens_to_what_was_ordered_until_its_time() {
    let made = sessions().issue(order(Principal::Root, below("t1")), NOW).unwrap();
    assert_eq!(made.expires, NOW + 900);
    let opened = open(&sessions(), &made, NOW + 899).unwrap();
    assert_eq!((&*opened.session.id, opened.session.expires), (made.id.as_str(), NOW + 900));
    assert_eq!((&opened.session.parent, &opened.session.restriction), (&Principal::Root, &below("t1")));
    assert!(opened.secret.matches(made.secret.expose()));
    assert_eq!(open(&sessions(), &made, NOW + 900).unwrap_err(), AuthError::ExpiredToken);
}

#[test]
fn a_session_of_the_files_of_a_table_opens_to_just_these() {
    let files = Restriction::Files(files("t1", PrefixAccess::Read));
    let made = sessions().issue(order(Principal::Root, files.clone()), NOW).unwrap();
    assert_eq!(open(&sessions(), &made, NOW).unwrap().session.restriction, files);
}

#[test]
fn credentials_differ_each_time_and_look_like_keys() {
    let [first, second] =
        [(); 2].map(|()| sessions().issue(order(Principal::Root, below("t1")), NOW).unwrap());
    assert_ne!(first.id, second.id);
    assert!(!first.secret.matches(second.secret.expose()));
    assert_eq!(super::super::key::check_id(&first.id), Ok(()));
    assert_eq!(super::super::key::check_secret(first.secret.expose()), Ok(()));
}

#[test]
fn cve_2024_43784_a_key_made_anew_does_not_revive_old_sessions() {
    let made = sessions().issue(order(Principal::Root, below("t1")), NOW).unwrap();
    let anew = Sessions::new(&[7; 32], keyring("secret-2"));
    assert_eq!(open(&anew, &made, NOW).unwrap_err(), AuthError::UnknownKey);
    let other = Arc::new(Keyring::new(AccessKey::root("other", Secret::new("secret-1".into()))));
    assert_eq!(open(&Sessions::new(&[7; 32], other), &made, NOW).unwrap_err(), AuthError::UnknownKey);
}

#[test]
fn a_token_of_another_server_is_refused() {
    let made = Sessions::new(&[8; 32], keyring("secret-1")).issue(order(Principal::Root, below("t1")), NOW);
    assert_eq!(open(&sessions(), &made.unwrap(), NOW).unwrap_err(), AuthError::SecurityToken);
}

#[test]
fn a_session_of_a_session_is_inside_both_and_ends_no_later() {
    let policy = Restriction::Policy("{}".into());
    let outer = sessions().issue(order(Principal::Root, policy.clone()), NOW).unwrap();
    let outer = open(&sessions(), &outer, NOW).unwrap().session;
    let inner = order(Principal::Session(outer), below("t1"));
    let made = sessions().issue(inner.clone(), NOW + 600).unwrap();
    assert_eq!(made.expires, NOW + 900);
    let opened = open(&sessions(), &made, NOW + 600).unwrap().session;
    assert_eq!(opened.restriction, below("t1"));
    let Principal::Session(parent) = &opened.parent else { panic!("{opened:?}") };
    assert_eq!((&parent.restriction, &parent.parent), (&policy, &Principal::Root));
    // Over, or too deep.
    assert_eq!(sessions().issue(inner, NOW + 900).unwrap_err(), IssueError::NoParent);
    let mut holder = Principal::Session(opened);
    for _ in 0..2 {
        let made = sessions().issue(order(holder, below("t1")), NOW).unwrap();
        holder = Principal::Session(open(&sessions(), &made, NOW).unwrap().session);
    }
    assert_eq!(sessions().issue(order(holder, below("t1")), NOW).unwrap_err(), IssueError::TooLarge);
}

#[test]
fn nobody_and_the_gone_get_no_session() {
    for parent in [Principal::Anonymous, Principal::AccessKey("gone".into())] {
        assert_eq!(sessions().issue(order(parent, below("t1")), NOW).unwrap_err(), IssueError::NoParent);
    }
}

#[test]
fn a_token_is_short_or_not_made() {
    let path = format!("{}/table-0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "namespace/".repeat(30));
    let place = |path: &str| Prefix::new(&"b".repeat(63), path, PrefixAccess::ReadWrite).unwrap();
    let places = [place(&path), place(&format!("{path}-data")), place(&format!("{path}-metadata"))];
    let made = sessions().issue(order(Principal::Root, Restriction::Prefixes(places.into())), NOW).unwrap();
    assert!(made.token.expose().len() < 600, "{}", made.token.expose().len());
    // Text that does not compress, and text that compresses well but is too long.
    let dense: String = (0..4000u32).map(|at| format!("{:x}", at.wrapping_mul(2_654_435_761))).collect();
    for policy in [dense, " ".repeat(20_000)] {
        let restriction = Restriction::Policy(policy.into());
        let refused = sessions().issue(order(Principal::Root, restriction), NOW);
        assert_eq!(refused.unwrap_err(), IssueError::TooLarge);
    }
}

proptest! {
    #[test]
    fn any_change_of_a_token_is_refused(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let made = sessions().issue(order(Principal::Root, below("t1")), NOW).unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(made.token.expose()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let changed = URL_SAFE_NO_PAD.encode(bytes);
        prop_assert_eq!(sessions().open(&changed, Use::Signing, None, NOW).unwrap_err(), AuthError::SecurityToken);
    }

    #[test]
    fn any_text_is_a_token_or_refused(text in ".{0,300}") {
        prop_assert_eq!(sessions().open(&text, Use::Signing, None, NOW).unwrap_err(), AuthError::SecurityToken);
    }
}

struct Stamped(std::sync::atomic::AtomicBool);

impl Tickets for Stamped {
    fn stands(&self, ticket: &str, address: Option<IpAddr>, _: i64) -> bool {
        ticket == "stamped" && address.is_none() && !self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

#[test]
fn a_session_that_stands_on_a_ticket_ends_with_it_and_so_do_sessions_made_of_it() {
    let tickets = Arc::new(Stamped(false.into()));
    let sessions = sessions().with_tickets(tickets.clone());
    let order =
        |parent, ticket: Option<&str>| Order { ticket: ticket.map(Arc::from), ..order(parent, below("t1")) };
    let made = sessions.issue(order(Principal::Root, Some("stamped")), NOW).unwrap();
    let opened = open(&sessions, &made, NOW).unwrap();
    let inner = sessions.issue(order(Principal::Session(opened.session.clone()), None), NOW).unwrap();
    assert_eq!(open(&sessions, &inner, NOW).unwrap().session.ticket.as_deref(), Some("stamped"));
    let both = sessions.issue(order(Principal::Session(opened.session), Some("other")), NOW);
    assert_eq!(both.unwrap_err(), IssueError::NoParent);
    tickets.0.store(true, std::sync::atomic::Ordering::SeqCst);
    for gone in [&made, &inner] {
        assert_eq!(open(&sessions, gone, NOW).unwrap_err(), AuthError::ExpiredToken);
    }
    // Who knows no tickets takes none for granted.
    assert_eq!(open(&self::sessions(), &made, NOW).unwrap_err(), AuthError::SecurityToken);
}
