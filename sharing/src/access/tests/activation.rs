use http::StatusCode;
use serde_json::{Value, json};

use super::super::{ACTIVATION_LIFETIME_MS, RedeemError, Refusal};
use super::{DAY, HOUR, NOW, World, from, world};
use crate::directory::{RECIPIENT_KIND, Status, TokenKind};

/// A link of a token that ends in 90 days; its code.
async fn linked(world: &mut World) -> String {
    let issued = world.access.issue_link(NOW + 90 * DAY, NOW + ACTIVATION_LIFETIME_MS, NOW);
    let (token, code) = issued.unwrap();
    world.recipient.tokens.push(token);
    world.put(&world.recipient).await;
    code.to_string()
}

async fn redeem(world: &World, code: &str, now_ms: i64) -> Result<Value, RedeemError> {
    let profile = world.access.redeem(code, from("192.0.2.1").address, now_ms).await?;
    Ok(serde_json::from_str(&profile).unwrap())
}

#[tokio::test]
async fn a_link_gives_its_profile_once() {
    let mut world = world().await;
    let code = linked(&mut world).await;
    let kept = world.catalog.get_document(RECIPIENT_KIND, "acme").unwrap().json;
    assert!(code.len() == 43 && !kept.contains(&code), "only its hash is kept");
    let profile = redeem(&world, &code, NOW).await.unwrap();
    assert_eq!(profile["shareCredentialsVersion"], json!(1));
    assert_eq!(profile["endpoint"], json!("https://tarn.example/_delta-sharing/v1"));
    let reader = world.reads(profile["bearerToken"].as_str().unwrap(), NOW).await.unwrap();
    assert_eq!((reader.token, reader.token_expires_ms), (world.recipient.tokens[1].id, NOW + 90 * DAY));
    let nothing = TokenKind::Bearer { activation: None, activation_expires_ms: None };
    assert_eq!(world.kept().tokens[1].kind, nothing);
    assert_eq!(world.kept().tokens[0], world.recipient.tokens[0]);
    assert!(matches!(redeem(&world, &code, NOW).await, Err(RedeemError::Gone)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_use_a_link_at_a_time_one_gets_a_profile() {
    let mut world = world().await;
    let code = linked(&mut world).await;
    let uses = (0..16).map(|_| redeem(&world, &code, NOW));
    let given = futures::future::join_all(uses).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(given, 1);
}

#[tokio::test]
async fn a_use_stands_beside_another_change_of_the_recipient() {
    let mut world = world().await;
    let code = linked(&mut world).await;
    let mut changed = world.recipient.clone();
    changed.comment = Some("changed meanwhile".into());
    let (used, ()) = tokio::join!(redeem(&world, &code, NOW), world.put(&changed));
    used.unwrap();
    let kept = world.kept();
    // Whichever came last, the change is there; where the use did, the link is gone too.
    assert_eq!(kept.comment, changed.comment);
}

#[tokio::test]
async fn a_link_that_ended_or_was_taken_back_is_as_one_that_never_was() {
    let mut world = world().await;
    let code = linked(&mut world).await;
    let gone = async |world: &World, code: &str, now| {
        matches!(redeem(world, code, now).await, Err(RedeemError::Gone))
    };
    assert!(gone(&world, &code, NOW + ACTIVATION_LIFETIME_MS).await);
    for other in ["", "a", &"A".repeat(43), &"a".repeat(10_000), "../x"] {
        assert!(gone(&world, other, NOW).await, "{other:.10}");
    }
    // The hash that is kept opens nothing.
    let TokenKind::Bearer { activation: Some(hash), .. } = &world.recipient.tokens[1].kind else { panic!() };
    assert!(gone(&world, hash, NOW).await);
    let mut changed = world.recipient.clone();
    changed.status = Status::Disabled;
    world.put(&changed).await;
    assert!(gone(&world, &code, NOW).await, "a recipient that is disabled");
    changed.status = Status::Enabled;
    changed.tokens[1].expires_ms = NOW + HOUR;
    world.put(&changed).await;
    assert!(gone(&world, &code, NOW + HOUR).await, "a token that ended before it began");
    changed.tokens.pop();
    world.put(&changed).await;
    assert!(gone(&world, &code, NOW).await, "a token that was revoked");
    world.put(&world.recipient).await;
    assert!(redeem(&world, &code, NOW).await.is_ok(), "none of that used it");
}

#[tokio::test]
async fn a_link_is_used_from_where_its_recipient_may_come_only() {
    let mut world = world().await;
    world.recipient.addresses = vec!["192.0.2.0/24".into()];
    let code = linked(&mut world).await;
    for elsewhere in [None, from("198.51.100.1").address] {
        assert!(matches!(world.access.redeem(&code, elsewhere, NOW).await, Err(RedeemError::Address)));
    }
    assert!(redeem(&world, &code, NOW).await.is_ok());
}

/// Whoever has a key of this server could make one; it counts for nothing before the link is used.
#[tokio::test]
async fn a_token_whose_link_is_not_used_yet_lets_nobody_in() {
    let mut world = world().await;
    let _code = linked(&mut world).await;
    let mut other = world.recipient.clone();
    let (mut token, jwt) = world.access.issue_bearer(other.id, NOW + DAY, NOW).await.unwrap();
    token.kind = world.recipient.tokens[1].kind.clone();
    other.tokens.push(token);
    world.put(&other).await;
    assert_eq!(world.reads(&jwt, NOW).await.unwrap_err(), Refusal::Invalid);
}

#[tokio::test]
async fn looking_at_a_link_uses_nothing_up_and_the_button_does() {
    let mut world = world().await;
    let now = jiff::Timestamp::now().as_millisecond();
    let (token, code) = world.access.issue_link(now + DAY, now + DAY, now).unwrap();
    world.recipient.tokens.push(token);
    world.put(&world.recipient).await;
    let path = format!("/_delta-sharing/activation/{}", *code);
    for method in ["GET", "HEAD", "GET"] {
        let (status, headers, page) = super::oauth::ask(&world, method, &path, &[], "").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        assert_eq!(page.contains("<form method=\"post\">"), method == "GET");
    }
    let (status, headers, profile) = super::oauth::ask(&world, "POST", &path, &[], "").await;
    assert_eq!((status, &headers["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
    assert_eq!(headers["content-disposition"], "attachment; filename=\"config.share\"");
    let profile: Value = serde_json::from_str(&profile).unwrap();
    assert!(world.reads(profile["bearerToken"].as_str().unwrap(), now).await.is_ok());
    let (status, headers, again) = super::oauth::ask(&world, "POST", &path, &[], "").await;
    assert_eq!((status, &headers["cache-control"]), (StatusCode::NOT_FOUND, &"no-store".parse().unwrap()));
    assert!(again.contains("RESOURCE_DOES_NOT_EXIST"), "{again}");
}
