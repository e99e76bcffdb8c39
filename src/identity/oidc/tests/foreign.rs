//! Tokens for recipients of shares.

use serde_json::json;
use tarn_sharing::access::{ForeignRefusal, ForeignTokens};

use super::World;
use super::issuer::{NOW, Signing};

async fn verify(
    world: &World,
    token: &str,
    audiences: &[&str],
) -> Result<serde_json::Map<String, serde_json::Value>, ForeignRefusal> {
    let audiences: Vec<String> = audiences.iter().map(|&name| name.to_owned()).collect();
    ForeignTokens::verify(&world.issuers, token, &world.issuer.url, &audiences, NOW).await
}

#[tokio::test]
async fn a_token_for_shares_needs_their_audience_and_no_policy_of_the_catalog() {
    let world = World::new().await;
    let claims = world.claims(json!({"aud": ["shares"], "policy": null, "groups": ["lake"]}));
    let token = world.rsa.token(&claims);
    let read = verify(&world, &token, &["other", "shares"]).await.unwrap();
    assert_eq!((&read["sub"], &read["groups"]), (&json!("alice"), &json!(["lake"])));
    // The provider's own audience is the catalog's, not the shares'.
    for audiences in [&["tarn"][..], &[]] {
        assert_eq!(verify(&world, &token, audiences).await, Err(ForeignRefusal::Invalid));
    }
    assert!(world.issuers.verify(&token, NOW).await.is_err());
}

#[tokio::test]
async fn a_token_for_shares_is_verified_as_every_other() {
    let world = World::new().await;
    for (change, refusal) in [
        (json!({"exp": NOW - 600}), ForeignRefusal::Expired),
        (json!({"exp": null}), ForeignRefusal::Invalid),
        (json!({"nbf": NOW + 600}), ForeignRefusal::Invalid),
        (json!({"iss": "https://other.example"}), ForeignRefusal::Invalid),
        (json!({"cnf": {"jkt": "x"}}), ForeignRefusal::Invalid),
    ] {
        let token = world.rsa.token(&world.claims(change.clone()));
        assert_eq!(verify(&world, &token, &["tarn"]).await, Err(refusal), "{change}");
    }
    let good = world.claims(json!({}));
    assert!(verify(&world, &world.p256.token(&good), &["tarn"]).await.is_ok());
    let forged = Signing::p256("p").token(&good);
    assert_eq!(verify(&world, &forged, &["tarn"]).await, Err(ForeignRefusal::Invalid));
    let (token, audiences) = (world.p256.token(&good), ["tarn".to_owned()]);
    for issuer in ["https://other.example", ""] {
        let shown = ForeignTokens::verify(&world.issuers, &token, issuer, &audiences, NOW).await;
        assert_eq!(shown, Err(ForeignRefusal::Invalid), "a token of one issuer shown as one of another");
    }
}
