//! Where keys come from, how often they are asked for, and how long they count.

use std::time::Duration;

use super::super::*;
use super::issuer::{Answers, NOW, Signing, TestIssuer};
use super::{once, open, quick};

#[tokio::test]
async fn a_key_that_is_new_is_fetched_when_a_token_names_it() {
    let (old, new) = (Signing::p256("old"), Signing::p256("new"));
    let issuer = TestIssuer::start(&[&old]).await;
    let issuers = open(&issuer, quick());
    assert!(issuers.verify(&old.token(&issuer.claims()), NOW).await.is_ok());
    issuer.set(|answers| answers.keys = vec![new.jwk()]);
    assert!(issuers.verify(&new.token(&issuer.claims()), NOW).await.is_ok());
    // What the provider does not show any more does not count.
    let retired = issuers.verify(&old.token(&issuer.claims()), NOW).await;
    assert_eq!(retired, Err(TokenError::Invalid(Flaw::Key)));
}

#[tokio::test]
async fn tokens_with_names_of_no_key_make_no_more_than_one_fetch() {
    let key = Signing::p256("p");
    let issuer = TestIssuer::start(&[&key]).await;
    let issuers = Arc::new(open(&issuer, once()));
    let mut asking = JoinSet::new();
    for at in 0..50 {
        let header = format!(r#"{{"alg":"ES256","kid":"k{at}"}}"#);
        let token = key.token_of(&header, &issuer.claims().to_string());
        let issuers = issuers.clone();
        asking.spawn(async move { issuers.verify(&token, NOW).await });
    }
    while let Some(refused) = asking.join_next().await {
        assert_eq!(refused.unwrap(), Err(TokenError::Invalid(Flaw::Key)));
    }
    assert!(issuers.verify(&key.token(&issuer.claims()), NOW).await.is_ok());
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn known_keys_count_while_the_provider_is_down_and_an_unknown_one_is_refused() {
    let key = Signing::p256("p");
    let issuer = TestIssuer::start(&[&key]).await;
    let issuers = open(&issuer, quick());
    assert!(issuers.verify(&key.token(&issuer.claims()), NOW).await.is_ok());
    issuer.set(|answers| answers.down = true);
    let other = Signing::p256("other").token(&issuer.claims());
    assert_eq!(issuers.verify(&other, NOW).await, Err(TokenError::Invalid(Flaw::Key)));
    assert!(issuers.verify(&key.token(&issuer.claims()), NOW).await.is_ok());
}

#[tokio::test]
async fn without_any_key_a_token_is_told_to_come_again_and_counts_when_the_provider_is_back() {
    let key = Signing::p256("p");
    let issuer = TestIssuer::start(&[&key]).await;
    issuer.set(|answers| answers.down = true);
    let issuers = open(&issuer, quick());
    let token = key.token(&issuer.claims());
    assert_eq!(issuers.verify(&token, NOW).await, Err(TokenError::Unavailable));
    issuer.set(|answers| answers.down = false);
    assert!(issuers.verify(&token, NOW).await.is_ok());
}

#[tokio::test]
async fn cve_2026_73080_keys_come_from_no_other_place_than_the_configured_one() {
    let key = Signing::p256("p");
    let elsewhere = TestIssuer::start(&[&key]).await;
    let issuer = TestIssuer::start(&[&key]).await;
    let token = key.token(&issuer.claims());
    let target = format!("{}/keys", elsewhere.url);
    let plain = issuer.url.replace("http://", "http://user@");
    for change in [
        Answers { jwks_uri: Some(target.clone()), ..Answers::default() },
        Answers { jwks_uri: Some("file:///etc/passwd".into()), ..Answers::default() },
        Answers { jwks_uri: Some("http://169.254.169.254/latest/meta-data".into()), ..Answers::default() },
        Answers { jwks_uri: Some(format!("{plain}/keys")), ..Answers::default() },
        Answers { redirect: Some(target), ..Answers::default() },
        Answers { issuer: Some(elsewhere.url.clone()), ..Answers::default() },
        Answers { padding: 256 * 1024, ..Answers::default() },
    ] {
        issuer.set(|answers| *answers = Answers { keys: answers.keys.clone(), ..change });
        let issuers = open(&issuer, once());
        assert_eq!(issuers.verify(&token, NOW).await, Err(TokenError::Unavailable));
    }
    assert!(elsewhere.asked().is_empty(), "{:?}", elsewhere.asked());
    // What the operator configured is asked, wherever it is.
    let mut provider = issuer.provider();
    provider.keys = KeysAt::Configured(check_url(&format!("{}/elsewhere", elsewhere.url)).unwrap());
    let issuers = Issuers::open(vec![provider], once()).unwrap();
    assert!(issuers.verify(&token, NOW).await.is_ok());
}

/// Whatever a resolver says, `localhost` is this machine: a name that resolves elsewhere later (GHSA m479) is no way in.
#[tokio::test]
async fn ghsa_m479_localhost_is_asked_at_a_loopback_address() {
    let key = Signing::p256("p");
    let issuer = TestIssuer::start(&[&key]).await;
    let url = issuer.url.replace("127.0.0.1", "localhost");
    issuer.set(|answers| {
        (answers.issuer, answers.jwks_uri) = (Some(url.clone()), Some(format!("{url}/keys")));
    });
    let issuers = Issuers::open(vec![super::issuer::provider("idp", &url)], once()).unwrap();
    assert!(issuers.verify(&key.token(&super::issuer::claims(&url)), NOW).await.is_ok());
}

#[tokio::test]
async fn a_provider_whose_certificates_cannot_be_read_keeps_the_server_from_starting() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    let open = || {
        let provider = super::issuer::provider("idp", "https://id.example");
        Issuers::open(vec![Provider { ca_file: Some(path.clone()), ..provider }], once()).err()
    };
    assert!(matches!(open(), Some(OpenError::Certificates { .. })));
    std::fs::write(&path, "no certificate").unwrap();
    assert!(matches!(open(), Some(OpenError::NoCertificates { .. })));
}

#[tokio::test]
async fn a_set_of_too_many_keys_is_refused() {
    let key = Signing::p256("p");
    let issuer = TestIssuer::start(&[&key]).await;
    issuer.set(|answers| answers.keys = vec![key.jwk(); 101]);
    let issuers = open(&issuer, once());
    assert_eq!(issuers.verify(&key.token(&issuer.claims()), NOW).await, Err(TokenError::Unavailable));
}

#[tokio::test]
async fn nobody_waits_for_a_provider_that_answers_nothing_longer_than_patience() {
    // It accepts connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let pace = Pace { patience: Duration::from_millis(20), ..Pace::default() };
    let issuers = Issuers::open(vec![super::issuer::provider("idp", &url)], pace).unwrap();
    let token = Signing::p256("p").token(&super::issuer::claims(&url));
    assert_eq!(issuers.verify(&token, NOW).await, Err(TokenError::Unavailable));
}

#[test]
fn addresses_that_anyone_on_the_way_could_answer_for_are_refused() {
    for good in [
        "https://id.example",
        "https://id.example:8443/a/",
        "http://127.0.0.1:1",
        "http://[::1]:1",
        "http://localhost",
    ] {
        assert!(check_issuer(good).is_ok(), "{good}");
    }
    for (bad, why) in [
        ("http://id.example", InvalidUrl::Insecure),
        ("http://127.0.0.1.id.example", InvalidUrl::Insecure),
        ("http://localhost.id.example", InvalidUrl::Insecure),
        ("http://0.0.0.0", InvalidUrl::Insecure),
        ("http://10.0.0.1", InvalidUrl::Insecure),
        ("ftp://id.example", InvalidUrl::Syntax),
        ("file:///a", InvalidUrl::Syntax),
        ("id.example", InvalidUrl::Syntax),
        ("", InvalidUrl::Syntax),
        ("https://a:b@id.example", InvalidUrl::Extra),
        ("https://id.example/?a", InvalidUrl::Extra),
        ("https://id.example/#a", InvalidUrl::Extra),
    ] {
        assert_eq!(check_issuer(bad).unwrap_err(), why, "{bad}");
    }
}
