//! Changes of shares and recipients, over a catalog in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use tarn_catalog::{Catalog, InMemoryWarehouses, Settings, WarehouseStores as _};
use uuid::Uuid;

use super::limits::{NEVER_MS, TOKEN_LIFETIME_MS, TOKENS_OF_RECIPIENT_MAX};
use super::*;

const NOW: i64 = 1_800_000_000_000;

/// A directory, and a bucket `lake` with Delta tables at `orders/` and `lines/`.
async fn directory() -> Directory {
    let buckets = Arc::new(InMemoryWarehouses::default());
    for table in ["orders", "lines", "odd %1~#"] {
        let log = Path::parse(format!("{table}/_delta_log/00000000000000000000.json")).unwrap();
        buckets.store("lake").put(&log, "{}".into()).await.unwrap();
    }
    let (log, root) = (Arc::new(InMemory::new()), Path::from("catalog"));
    let catalog = Catalog::open(log, root, buckets.clone(), Settings::default()).await.unwrap();
    Directory::new(catalog, buckets)
}

fn table(name: &str) -> NewTable {
    NewTable {
        schema: "Sales".into(),
        name: name.into(),
        comment: None,
        source: Source::delta("lake", &name.to_lowercase()).unwrap(),
        by: Sharer { key: None, fingerprint: None },
        history: History::Latest,
        unsupported_columns: UnsupportedColumns::Error,
        equality_deletes: EqualityDeletes::Error,
    }
}

fn named(name: &str) -> NewRecipient {
    NewRecipient { name: name.into(), ..NewRecipient::default() }
}

fn filters(table: &str, values: RowValues) -> Filters {
    [(table.to_owned(), vec![RowFilter { column: "region".into(), values }])].into()
}

fn bearer(expires_ms: i64) -> Token {
    let kind = TokenKind::Bearer { activation: None, activation_expires_ms: None };
    Token { id: Uuid::new_v4(), kind, comment: None, created_ms: NOW, expires_ms }
}

/// A share `partners` with the table `Sales.Orders`, and a recipient `acme`.
async fn shared() -> (Directory, Share, Recipient) {
    let directory = directory().await;
    directory.create_share("partners", None, NOW).await.unwrap();
    let share = directory.add_table("partners", table("Orders"), NOW).await.unwrap();
    let recipient = directory.create_recipient(named("acme"), NOW).await.unwrap();
    (directory, share, recipient)
}

#[tokio::test]
async fn names_are_taken_whatever_their_case_and_told_as_they_were_given() {
    let (directory, ..) = shared().await;
    let exists = |error| matches!(error, DirectoryError::Exists { .. });
    assert!(directory.create_share("PARTNERS", None, NOW).await.is_err_and(exists));
    assert!(directory.create_recipient(named("Acme"), NOW).await.is_err_and(exists));
    assert!(directory.add_table("Partners", table("ORDERS"), NOW).await.is_err_and(exists));
    assert!(directory.add_schema("partners", "SALES", NOW).await.is_err_and(exists));
    let share = directory.share("Partners").unwrap();
    assert_eq!((&*share.name, &*share.table("sales", "orders").unwrap().name), ("partners", "Orders"));
    assert_eq!(share.schemas["sales"].name, "Sales");
}

#[tokio::test]
async fn a_schema_goes_when_its_tables_are_gone_and_not_before() {
    let (directory, ..) = shared().await;
    let kept = directory.remove_schema("partners", "sales", NOW).await;
    assert!(kept.is_err_and(|error| matches!(error, DirectoryError::NotEmpty(_))));
    directory.remove_table("partners", ("SALES", "orders"), NOW).await.unwrap();
    assert!(directory.share("partners").unwrap().schemas["sales"].tables.is_empty());
    let share = directory.remove_schema("partners", "Sales", NOW + 1).await.unwrap();
    assert!(share.schemas.is_empty());
    assert_eq!((share.created_ms, share.updated_ms), (NOW, NOW + 1));
    let missing = |error| matches!(error, DirectoryError::Missing { .. });
    assert!(directory.remove_table("partners", ("sales", "orders"), NOW).await.is_err_and(missing));
    assert!(directory.remove_schema("partners", "sales", NOW).await.is_err_and(missing));
}

#[tokio::test]
async fn what_is_not_there_is_not_shared() {
    let (directory, ..) = shared().await;
    let iceberg =
        Source::Iceberg { warehouse: "lake".into(), namespace: vec!["ns".into()], table: "t".into() };
    let delta = |bucket: &str, prefix| Source::delta(bucket, prefix).unwrap();
    for source in [iceberg, delta("lake", "nothing"), delta("nowhere", "orders"), delta(".tarn", "catalog")] {
        let new = NewTable { source, ..table("t") };
        let refused = directory.add_table("partners", new, NOW).await;
        assert!(refused.is_err_and(|error| matches!(error, DirectoryError::NoSource(_))));
    }
    for prefix in
        ["", "/", "/orders", "orders//x", "a/../orders", "a/./b", "orders/_delta_log", &"x".repeat(900)]
    {
        assert!(Source::delta("lake", prefix).is_err(), "{prefix:?}");
    }
    assert_eq!(delta("lake", "orders"), delta("lake", "orders/"));
    let odd = NewTable { source: delta("lake", "odd %1~#"), ..table("odd") };
    assert!(directory.add_table("partners", odd, NOW).await.is_ok(), "a key is what it is");
}

#[tokio::test]
async fn a_table_is_born_anew_when_less_of_its_history_may_be_read() {
    let (directory, share, _) = shared().await;
    let born = share.table("sales", "orders").unwrap().id;
    let set = |history| {
        let change = TableChange { history: Some(history), ..TableChange::default() };
        let altered = directory.alter_table("partners", ("sales", "orders"), change, NOW);
        async { altered.await.unwrap().table("sales", "orders").unwrap().id }
    };
    assert_eq!(set(History::Shared { start: 3 }).await, born);
    assert_eq!(set(History::Shared { start: 1 }).await, born);
    let narrowed = set(History::Shared { start: 2 }).await;
    assert_ne!(narrowed, born);
    assert_ne!(set(History::Latest).await, narrowed);
    let comment = TableChange { comment: Some(Some("for all".into())), ..TableChange::default() };
    let share = directory.alter_table("partners", ("sales", "orders"), comment, NOW).await.unwrap();
    assert_eq!(share.table("sales", "orders").unwrap().comment.as_deref(), Some("for all"));
    assert_eq!(share.table("sales", "orders").unwrap().history, History::Latest);
}

#[tokio::test]
async fn a_share_made_anew_under_an_old_name_is_granted_to_nobody() {
    let (directory, share, _) = shared().await;
    directory.grant("ACME", "Partners", Filters::new(), NOW).await.unwrap();
    assert_eq!(directory.grantees(&share).len(), 1);
    directory.delete_share("partners").await.unwrap();
    let anew = directory.create_share("partners", None, NOW).await.unwrap();
    assert!(directory.recipient("acme").unwrap().grant_on(&anew).is_none());
    assert!(directory.grantees(&anew).is_empty());
    // The grant that means nothing leaves with the next one.
    directory.create_share("others", None, NOW).await.unwrap();
    directory.grant("acme", "others", Filters::new(), NOW).await.unwrap();
    let grants = directory.recipient("acme").unwrap().grants;
    assert_eq!(grants.into_keys().collect::<Vec<_>>(), ["others"]);
}

#[tokio::test]
async fn a_grant_is_the_same_until_its_rows_change() {
    let (directory, ..) = shared().await;
    let rows = || filters("SALES.Orders", RowValues::In(vec!["eu".into()]));
    let first = directory.grant("acme", "partners", rows(), NOW).await.unwrap();
    assert_eq!(first.filters.keys().collect::<Vec<_>>(), ["sales.orders"]);
    assert_eq!(directory.grant("acme", "partners", rows(), NOW + 1).await.unwrap(), first);
    let wider = directory.grant("acme", "partners", Filters::new(), NOW).await.unwrap();
    assert_ne!(wider.id, first.id);
    directory.revoke("acme", "partners").await.unwrap();
    let revoked = directory.revoke("acme", "partners").await;
    assert!(revoked.is_err_and(|error| matches!(error, DirectoryError::NoGrant { .. })));
    assert_ne!(directory.grant("acme", "partners", Filters::new(), NOW).await.unwrap().id, wider.id);
}

#[tokio::test]
async fn a_row_filter_of_a_table_that_is_not_there_is_refused() {
    let (directory, ..) = shared().await;
    for (table, values) in [
        ("sales.order", RowValues::In(vec!["eu".into()])),
        ("orders", RowValues::In(vec!["eu".into()])),
        ("sales.orders", RowValues::In(Vec::new())),
        ("sales.orders", RowValues::Property(String::new())),
    ] {
        let refused = directory.grant("acme", "partners", filters(table, values), NOW).await;
        assert!(refused.is_err(), "{table}");
    }
    let mut twice = filters("sales.orders", RowValues::In(vec!["eu".into()]));
    twice.extend(filters("Sales.Orders", RowValues::In(vec!["us".into()])));
    assert!(directory.grant("acme", "partners", twice, NOW).await.is_err());
    assert!(directory.recipient("acme").unwrap().grants.is_empty());
}

#[tokio::test]
async fn a_grant_is_born_anew_when_the_property_that_chose_its_rows_changes() {
    let (directory, ..) = shared().await;
    directory.create_share("all", None, NOW).await.unwrap();
    let chosen = filters("sales.orders", RowValues::Property("region".into()));
    let first = directory.grant("acme", "partners", chosen, NOW).await.unwrap();
    let other = directory.grant("acme", "all", Filters::new(), NOW).await.unwrap();
    let set = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let properties = Some(pairs.collect::<BTreeMap<_, _>>());
        let change = RecipientChange { properties, ..RecipientChange::default() };
        let altered = directory.alter_recipient("acme", change);
        async { altered.await.unwrap().grants }
    };
    let eu = set(&[("region", "eu")]).await["partners"].id;
    assert_ne!(eu, first.id);
    let grants = set(&[("region", "eu"), ("tier", "gold")]).await;
    assert_eq!((grants["partners"].id, grants["all"].id), (eu, other.id));
    assert_ne!(set(&[]).await["partners"].id, eu);
}

#[tokio::test]
async fn what_a_recipient_cannot_be_is_refused() {
    let directory = directory().await;
    let with = |change: fn(&mut NewRecipient)| {
        let mut new = named("acme");
        change(&mut new);
        directory.create_recipient(new, NOW)
    };
    assert!(with(|new| new.addresses = vec!["10.0.0.0/33".into()]).await.is_err());
    assert!(with(|new| new.addresses = vec!["10.0.0.0/8".into(); 101]).await.is_err());
    assert!(with(|new| new.requests_per_second = Some(0)).await.is_err());
    assert!(with(|new| new.comment = Some("c".repeat(5_000))).await.is_err());
    assert!(with(|new| new.properties = [("region".into(), String::new())].into()).await.is_err());
    assert!(with(|new| new.addresses = vec!["10.0.0.0/8".into(), "2001:db8::1".into()]).await.is_ok());
}

#[tokio::test]
async fn a_token_lasts_ninety_days_unless_asked_and_a_year_at_most() {
    assert_eq!(token_end(None, NOW).unwrap(), NOW + TOKEN_LIFETIME_MS);
    let year = 365 * 24 * 60 * 60 * 1_000;
    assert_eq!(token_end(Some(year), NOW).unwrap(), NOW + year);
    for bad in [0, -1, year + 1, i64::MAX] {
        assert!(token_end(Some(bad), NOW).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn tokens_that_ended_make_room_and_others_do_not() {
    let (directory, _, recipient) = shared().await;
    let to = ("acme", recipient.id);
    for _ in 0..TOKENS_OF_RECIPIENT_MAX {
        directory.add_token(to, bearer(NOW + 10), NOW).await.unwrap();
    }
    let full = directory.add_token(to, bearer(NOW + 10), NOW + 9).await;
    assert!(full.is_err_and(|error| matches!(error, DirectoryError::Full { .. })));
    let after = directory.add_token(to, bearer(NOW + 99), NOW + 10).await.unwrap();
    assert_eq!(after.tokens.len(), 1);
}

#[tokio::test]
async fn a_token_made_for_a_recipient_is_not_kept_for_one_made_anew_under_its_name() {
    let (directory, _, recipient) = shared().await;
    directory.delete_recipient("acme").await.unwrap();
    directory.create_recipient(named("acme"), NOW).await.unwrap();
    assert!(directory.add_token(("acme", recipient.id), bearer(NOW + 10), NOW).await.is_err());
}

#[tokio::test]
async fn a_rotation_ends_old_tokens_after_their_grace_and_none_later_than_it_was_to() {
    let (directory, _, recipient) = shared().await;
    let to = ("acme", recipient.id);
    let (long, short) = (bearer(NOW + 1_000), bearer(NOW + 10));
    let client = TokenKind::Client { secret_sha256: "00".repeat(32) };
    let client = Token { kind: client, ..bearer(NOW + 1_000) };
    for token in [&long, &short, &client] {
        directory.add_token(to, token.clone(), NOW).await.unwrap();
    }
    let fresh = bearer(NOW + 5_000);
    let rotated = directory.rotate_tokens(to, fresh.clone(), (Rotated::Bearer, 100), NOW).await.unwrap();
    let end = |id| rotated.tokens.iter().find(|token| token.id == id).unwrap().expires_ms;
    assert_eq!([end(long.id), end(short.id), end(client.id)], [NOW + 100, NOW + 10, NOW + 1_000]);
    assert_eq!(end(fresh.id), NOW + 5_000);
    let rotated = directory.rotate_tokens(to, bearer(NOW + 1), (Rotated::Bearer, 0), NOW).await.unwrap();
    assert_eq!(rotated.tokens.len(), 2, "without grace they are gone: {:?}", rotated.tokens);
    assert!(directory.rotate_tokens(to, bearer(NOW + 1), (Rotated::Bearer, -1), NOW).await.is_err());
    directory.revoke_token("acme", client.id).await.unwrap();
    let again = directory.revoke_token("acme", client.id).await;
    assert!(again.is_err_and(|error| matches!(error, DirectoryError::NoToken(_))));
}

#[tokio::test]
async fn a_federation_policy_names_an_issuer_a_claim_and_a_subject() {
    let good = Federation {
        issuer: "https://idp.example/tenant".into(),
        audiences: vec!["tarn".into()],
        subject_claim: "oid".into(),
        subject: "app-1".into(),
    };
    let id = Uuid::from_u128(1);
    assert_eq!(good.clone().token(id, None, NOW).unwrap().expires_ms, NEVER_MS);
    for bad in [
        Federation { issuer: "idp.example".into(), ..good.clone() },
        Federation { issuer: "ldap://idp.example".into(), ..good.clone() },
        Federation { audiences: Vec::new(), ..good.clone() },
        Federation { subject_claim: "email".into(), ..good.clone() },
        Federation { subject: String::new(), ..good },
    ] {
        assert!(bad.clone().token(id, None, NOW).is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn a_share_told_as_a_whole_keeps_the_tables_it_had() {
    let (directory, share, _) = shared().await;
    let contents = vec![
        Content::Schema("empty".into()),
        Content::Schema("sales".into()),
        Content::Table(table("Orders")),
        Content::Table(table("Lines")),
    ];
    let changed = directory.replace_share("partners", None, Some(contents), NOW + 1).await.unwrap();
    assert_eq!(changed.table("sales", "orders"), share.table("sales", "orders"));
    assert!(changed.table("sales", "lines").is_some() && changed.schemas.contains_key("empty"));
    let other = NewTable { source: Source::delta("lake", "lines").unwrap(), ..table("Orders") };
    let contents = vec![Content::Table(other)];
    let changed = directory.replace_share("partners", Some(None), Some(contents), NOW + 2).await.unwrap();
    assert_ne!(changed.table("sales", "orders").unwrap().id, share.table("sales", "orders").unwrap().id);
    assert!(changed.table("sales", "lines").is_none() && changed.schemas.len() == 1);
}

#[tokio::test]
async fn a_share_that_would_not_fit_its_document_is_refused() {
    let (directory, ..) = shared().await;
    let mut contents = Vec::new();
    for number in 0..400 {
        let comment = Some("c".repeat(4_000));
        contents.push(Content::Table(NewTable { comment, name: format!("t{number}"), ..table("Orders") }));
    }
    let refused = directory.replace_share("partners", None, Some(contents), NOW).await;
    assert!(refused.is_err_and(|error| matches!(error, DirectoryError::TooLarge { .. })));
}

#[tokio::test]
async fn changes_at_once_all_count() {
    let (directory, _, recipient) = shared().await;
    let tokens = [bearer(NOW + 10), bearer(NOW + 10), bearer(NOW + 10)];
    let adding = tokens.map(|token| directory.add_token(("acme", recipient.id), token, NOW));
    for added in futures::future::join_all(adding).await {
        added.unwrap();
    }
    assert_eq!(directory.recipient("acme").unwrap().tokens.len(), 3);
}

#[tokio::test]
async fn a_reader_is_made_with_its_grant_and_token_at_once_or_not_at_all() {
    let (directory, share, _) = shared().await;
    let birth = Uuid::from_u128(7);
    let reader =
        directory.create_reader((named("reader"), birth), "PARTNERS", bearer(NOW + 10), NOW).await.unwrap();
    assert_eq!((reader.id, reader.tokens.len()), (birth, 1));
    assert!(reader.grant_on(&share).is_some());
    let nothing = directory.create_reader((named("other"), birth), "no-such", bearer(NOW + 10), NOW).await;
    assert!(nothing.is_err_and(|error| matches!(error, DirectoryError::Missing { .. })));
    assert!(directory.recipient("other").is_err());
}

#[tokio::test]
async fn shares_and_recipients_are_listed_in_pages_in_order_of_their_names() {
    let directory = directory().await;
    for name in ["b", "A", "c"] {
        directory.create_share(name, None, NOW).await.unwrap();
        directory.create_recipient(named(name), NOW).await.unwrap();
    }
    let names = |shares: Vec<Share>| shares.into_iter().map(|share| share.name).collect::<Vec<_>>();
    assert_eq!(names(directory.shares(None, 2)), ["A", "b"]);
    assert_eq!(names(directory.shares(Some("B"), 2)), ["c"]);
    assert_eq!(directory.recipients(Some("a"), 9).len(), 2);
    assert_eq!(directory.births().into_keys().collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_table_is_known_as_shared_as_long_as_a_share_has_it() {
    let directory = directory().await;
    let source = Source::delta("lake", "orders").unwrap();
    assert!(!directory.shares_table(&source));
    directory.create_share("Sales", None, NOW).await.unwrap();
    directory.add_table("sales", table("Orders"), NOW).await.unwrap();
    assert!(directory.shares_table(&source));
    assert!(!directory.shares_table(&Source::delta("lake", "lines").unwrap()));
    directory.remove_table("sales", ("sales", "orders"), NOW).await.unwrap();
    assert!(!directory.shares_table(&source));
}

#[test]
fn a_history_with_a_field_that_is_not_its_own_is_refused() {
    let read = |json: &str| serde_json::from_str::<History>(json).ok();
    assert_eq!(read(r#"{"mode":"latest"}"#), Some(History::Latest));
    assert_eq!(read(r#"{"mode":"shared"}"#), Some(History::Shared { start: 0 }));
    assert_eq!(read(r#"{"mode":"shared","start":3}"#), Some(History::Shared { start: 3 }));
    for json in [r#"{"mode":"latest","start":3}"#, r#"{"mode":"shared","end":3}"#, r#"{"mode":"all"}"#, "{}"]
    {
        assert_eq!(read(json), None, "{json}");
    }
    let written = serde_json::to_value(History::Latest).unwrap();
    assert_eq!(written, serde_json::json!({"mode": "latest"}));
}
