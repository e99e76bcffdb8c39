use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::{Gone, Withdraw};
use super::{DAY, HOUR, NOW, World, from, grant, recipient, share, world};
use crate::directory::{RECIPIENT_KIND, SHARE_KIND, SharedSchema, Status};

async fn refused(world: &World) -> bool {
    world.reader(NOW).await.is_err()
}

#[tokio::test]
async fn a_url_stands_while_everything_it_was_given_out_for_does() {
    let world = world().await;
    let ticket = world.ticket().await;
    let still = world.access.still(&ticket, NOW, None).unwrap_or_else(|gone| panic!("{gone}"));
    assert_eq!(still.recipient.id, world.recipient.id);
    assert_eq!((&*still.schema, &*still.name), ("eu", "orders"));
    assert_eq!(still.table(), &world.share.schemas["eu"].tables["orders"]);
    assert_eq!(still.grant(), &world.recipient.grants["sales"]);
    assert_eq!(still.share().name, "Sales");
    assert!(world.access.still(&ticket, NOW + 30 * DAY - 1, None).is_ok());
    assert_eq!(world.access.still(&ticket, NOW + 30 * DAY, None).err(), Some(Gone), "its token ended");
}

#[tokio::test]
async fn nothing_is_read_with_a_token_that_was_taken_off() {
    let mut world = world().await;
    let ticket = world.ticket().await;
    world.recipient.tokens.clear();
    world.put(&world.recipient).await;
    assert!(refused(&world).await && world.access.still(&ticket, NOW, None).is_err());
}

#[tokio::test]
async fn nothing_is_read_by_a_recipient_that_is_disabled_or_deleted() {
    let mut world = world().await;
    let ticket = world.ticket().await;
    world.recipient.status = Status::Disabled;
    world.put(&world.recipient).await;
    assert!(refused(&world).await && world.access.still(&ticket, NOW, None).is_err());
    world.recipient.status = Status::Enabled;
    world.put(&world.recipient).await;
    assert!(!refused(&world).await && world.access.still(&ticket, NOW, None).is_ok());
    world.delete(RECIPIENT_KIND, "acme").await;
    assert!(refused(&world).await && world.access.still(&ticket, NOW, None).is_err());
}

#[tokio::test]
async fn nothing_is_read_by_a_grant_that_was_revoked_also_when_it_is_given_again() {
    let mut world = world().await;
    let ticket = world.ticket().await;
    world.recipient.grants.clear();
    world.put(&world.recipient).await;
    let reader = world.reader(NOW).await.unwrap();
    assert!(world.access.share(&reader, "sales").is_none() && world.access.shares(&reader).is_empty());
    assert!(world.access.still(&ticket, NOW, None).is_err());
    world.recipient.grants.insert("sales".into(), grant(&world.share));
    world.put(&world.recipient).await;
    let reader = world.reader(NOW).await.unwrap();
    assert!(world.access.share(&reader, "sales").is_some());
    assert!(world.access.still(&ticket, NOW, None).is_err(), "the URL was of the grant before");
}

#[tokio::test]
async fn nothing_is_read_of_a_share_that_is_gone_or_another_of_its_name() {
    let world = world().await;
    let (ticket, reader) = (world.ticket().await, world.reader(NOW).await.unwrap());
    world.delete(SHARE_KIND, "sales").await;
    assert!(world.access.share(&reader, "sales").is_none());
    assert!(world.access.still(&ticket, NOW, None).is_err());
    let mut again = share("Sales");
    again.schemas = world.share.schemas.clone();
    world.put_share(&again).await;
    assert!(world.access.share(&reader, "sales").is_none());
    assert!(world.access.still(&ticket, NOW, None).is_err());
}

#[tokio::test]
async fn nothing_is_read_of_a_table_that_was_taken_out_of_its_share_also_when_it_is_put_back() {
    let mut world = world().await;
    let ticket = world.ticket().await;
    let schema = world.share.schemas.insert("eu".into(), SharedSchema::default()).unwrap();
    world.put_share(&world.share).await;
    assert!(world.access.still(&ticket, NOW, None).is_err());
    let mut anew = schema.clone();
    anew.tables.get_mut("orders").unwrap().id = uuid::Uuid::new_v4();
    world.share.schemas.insert("eu".into(), anew);
    world.put_share(&world.share).await;
    assert!(world.access.still(&ticket, NOW, None).is_err());
    // The same one under another name is the same one.
    world.share.schemas.clear();
    world.share.schemas.insert("world".into(), schema);
    world.put_share(&world.share).await;
    let still = world.access.still(&ticket, NOW, None).unwrap_or_else(|gone| panic!("{gone}"));
    assert_eq!((&*still.schema, &*still.name), ("world", "orders"));
}

#[tokio::test]
async fn a_url_is_used_from_where_its_recipient_may_come_only() {
    let mut world = world().await;
    let ticket = world.ticket().await;
    world.recipient.addresses = vec!["192.0.2.0/24".into()];
    world.put(&world.recipient).await;
    let used = |address: &str| world.access.still(&ticket, NOW, from(address).address).is_ok();
    assert!(used("192.0.2.200") && used("::ffff:192.0.2.1") && !used("198.51.100.1"));
    assert!(world.access.still(&ticket, NOW, None).is_err());
}

#[tokio::test]
async fn a_ticket_of_one_recipient_opens_nothing_with_the_grant_or_token_of_another() {
    let world = world().await;
    let ticket = world.ticket().await;
    let mut other = recipient("Other");
    other.grants.insert("sales".into(), grant(&world.share));
    let (token, _) = world.access.issue_bearer(other.id, NOW + DAY, NOW).await.unwrap();
    other.tokens.push(token);
    world.put(&other).await;
    for mixed in [
        super::Ticket { recipient: other.id, ..ticket },
        super::Ticket { token: other.tokens[0].id, ..ticket },
        super::Ticket { grant: other.grants["sales"].id, ..ticket },
    ] {
        assert!(world.access.still(&mixed, NOW, None).is_err());
    }
}

#[tokio::test]
async fn withdrawn_keys_take_their_tokens_and_urls_with_them_and_retired_ones_do_not() {
    let world = world().await;
    let ticket = world.ticket().await;
    world.access.rotate_signing_key(Withdraw::WhenTokensEnd, NOW + HOUR).await.unwrap();
    assert!(!refused(&world).await && world.access.still(&ticket, NOW, None).is_ok());
    world.access.rotate_signing_key(Withdraw::Now, NOW + HOUR).await.unwrap();
    assert!(refused(&world).await && world.access.still(&ticket, NOW, None).is_err());
}

/// Readers ask as fast as they can. What one asks for after the answer to the revocation is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_of_many_gets_through_after_a_revocation_was_answered() {
    for what in ["token", "grant", "recipient", "share", "key"] {
        let world = Arc::new(world().await);
        let ticket = world.ticket().await;
        let revoked = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..32)
            .map(|_| {
                let (world, revoked) = (world.clone(), revoked.clone());
                tokio::spawn(async move {
                    let mut late = 0;
                    while late < 100 {
                        let after = revoked.load(Ordering::SeqCst);
                        let read = world.access.still(&ticket, NOW, None).is_ok();
                        let reads = world
                            .reader(NOW)
                            .await
                            .is_ok_and(|reader| world.access.share(&reader, "sales").is_some());
                        assert!(!after || !(read || reads), "{what}");
                        late += u32::from(after);
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let mut recipient = world.recipient.clone();
        match what {
            "token" => recipient.tokens.clear(),
            "grant" => recipient.grants.clear(),
            "recipient" => recipient.status = Status::Disabled,
            "share" => world.delete(SHARE_KIND, "sales").await,
            _ => drop(world.access.rotate_signing_key(Withdraw::Now, NOW).await.unwrap()),
        }
        world.put(&recipient).await;
        revoked.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.await.unwrap();
        }
    }
}
