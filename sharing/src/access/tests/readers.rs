use super::super::Refusal;
use super::{DAY, HOUR, NOW, World, from, grant, recipient, share, world, world_with};

#[tokio::test]
async fn a_token_lets_its_recipient_read_what_is_granted_and_nothing_else() {
    let world = world().await;
    world.put_share(&share("Other")).await;
    let reader = world.reader(NOW).await.unwrap();
    assert_eq!(reader.recipient.name, "Acme");
    assert_eq!((reader.token, reader.token_expires_ms), (world.token().id, NOW + 30 * DAY));
    let names = |world: &World| {
        let shares = world.access.shares(&reader);
        shares.into_iter().map(|granted| granted.share.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&world), ["Sales"]);
    assert_eq!(world.access.share(&reader, "sALES").unwrap().share.id, world.share.id);
    assert!(world.access.share(&reader, "other").is_none() && world.access.share(&reader, "none").is_none());
}

#[tokio::test]
async fn without_a_token_or_with_another_one_nobody_is_told_more_than_that() {
    let world = world().await;
    let sender = from("192.0.2.1");
    assert_eq!(world.access.reader(None, &sender, NOW).await.unwrap_err(), Refusal::Missing);
    for junk in ["", ".", "..", "a.b.c", "dapi1234", "\u{e9}", &"a".repeat(100_000)] {
        assert_eq!(world.reads(junk, NOW).await.unwrap_err(), Refusal::Invalid, "{junk:.20}");
    }
}

#[tokio::test]
async fn a_token_ends_with_what_it_says_or_with_what_is_kept_of_it_whichever_is_sooner() {
    let mut world = world().await;
    assert!(world.reader(NOW + 30 * DAY - 1).await.is_ok());
    assert_eq!(world.reader(NOW + 30 * DAY).await.unwrap_err(), Refusal::Expired);
    world.recipient.tokens[0].expires_ms = NOW + HOUR;
    world.put(&world.recipient).await;
    assert_eq!(world.reader(NOW).await.unwrap().token_expires_ms, NOW + HOUR);
    assert_eq!(world.reader(NOW + HOUR).await.unwrap_err(), Refusal::Expired);
    world.recipient.tokens[0].expires_ms = NOW + 300 * DAY;
    world.put(&world.recipient).await;
    assert_eq!(world.reader(NOW).await.unwrap().token_expires_ms, NOW + 30 * DAY);
    assert_eq!(world.reader(NOW + 30 * DAY).await.unwrap_err(), Refusal::Expired);
}

#[tokio::test]
async fn a_recipient_with_addresses_comes_from_these_only() {
    let mut world = world().await;
    world.recipient.addresses = vec!["203.0.113.0/24".into(), "2001:db8::/32".into()];
    world.put(&world.recipient).await;
    let come = async |address: &str| world.access.reader(Some(&world.jwt), &from(address), NOW).await;
    for inside in ["203.0.113.9", "::ffff:203.0.113.9", "2001:db8::7"] {
        assert!(come(inside).await.is_ok(), "{inside}");
    }
    for outside in ["203.0.114.9", "::ffff:203.0.114.9", "2001:db9::7", "::1"] {
        assert_eq!(come(outside).await.unwrap_err(), Refusal::Address, "{outside}");
    }
    let nowhere = world.access.reader(Some(&world.jwt), &Default::default(), NOW).await;
    assert_eq!(nowhere.unwrap_err(), Refusal::Address);
}

#[tokio::test]
async fn addresses_that_cannot_be_read_let_nobody_in() {
    let mut world = world().await;
    world.recipient.addresses = vec!["192.0.2.0/99".into()];
    world.put(&world.recipient).await;
    assert_eq!(world.reader(NOW).await.unwrap_err(), Refusal::Address);
}

#[tokio::test]
async fn a_token_has_the_rate_of_its_recipient_or_of_the_server() {
    let mut world = world_with(None, 3).await;
    let passed = async |world: &World, now| {
        let mut passed = 0;
        while world.reader(now).await.is_ok() {
            passed += 1;
        }
        passed
    };
    assert_eq!(passed(&world, NOW).await, 3);
    assert_eq!(world.reader(NOW).await.unwrap_err(), Refusal::Rate { retry_after_s: 1 });
    world.recipient.requests_per_second = Some(2);
    world.put(&world.recipient).await;
    assert_eq!(passed(&world, NOW + 10_000).await, 2);
    // Tokens that are none take nothing from those that are.
    assert_eq!(world.reads("a.b.c", NOW + 20_000).await.unwrap_err(), Refusal::Invalid);
    assert_eq!(passed(&world, NOW + 20_000).await, 2);
}

#[tokio::test]
async fn a_recipient_of_the_same_name_made_anew_inherits_no_token_and_a_share_no_grant() {
    let world = world().await;
    let mut again = recipient("Acme");
    again.grants = world.recipient.grants.clone();
    again.tokens = world.recipient.tokens.clone();
    world.put(&again).await;
    assert_eq!(world.reader(NOW).await.unwrap_err(), Refusal::Invalid);

    world.put(&world.recipient).await;
    let reader = world.reader(NOW).await.unwrap();
    let anew = share("Sales");
    world.put_share(&anew).await;
    assert!(world.access.share(&reader, "sales").is_none() && world.access.shares(&reader).is_empty());
    let mut granted = world.recipient.clone();
    granted.grants.insert("sales".into(), grant(&anew));
    world.put(&granted).await;
    let reader = world.reader(NOW).await.unwrap();
    assert_eq!(world.access.share(&reader, "sales").unwrap().share.id, anew.id);
}

/// Which document a token's recipient is in is kept; what came later is looked for from there on.
#[tokio::test]
async fn a_recipient_or_token_that_came_after_others_were_looked_for_is_found() {
    let mut world = world().await;
    for number in 0..4 {
        assert!(world.reader(NOW).await.is_ok());
        world.put_share(&share("Other")).await;
        let mut later = recipient(&format!("Later{number}"));
        let (token, jwt) = world.access.issue_bearer(later.id, NOW + DAY, NOW).await.unwrap();
        assert_eq!(world.reads(&jwt, NOW).await.unwrap_err(), Refusal::Invalid, "it is not kept yet");
        later.tokens.push(token);
        world.put(&later).await;
        assert_eq!(world.reads(&jwt, NOW).await.unwrap().recipient.name, later.name);
        let (token, jwt) = world.access.issue_bearer(world.recipient.id, NOW + DAY, NOW).await.unwrap();
        world.recipient.tokens.push(token);
        world.put(&world.recipient).await;
        assert_eq!(world.reads(&jwt, NOW).await.unwrap().recipient.name, "Acme");
    }
}
