//! What recipients ask a whole server for without a token of theirs: profiles by links, tokens for clients, public keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::support::Tarn;

fn ok(tarn: &Tarn, arguments: &[&str]) -> String {
    let (code, out, error) = tarn.run(arguments);
    assert_eq!(code, 0, "{arguments:?}: {error}");
    out.trim().to_owned()
}

fn ok_json(tarn: &Tarn, arguments: &[&str]) -> Value {
    serde_json::from_str(&ok(tarn, &[arguments, &["--json"]].concat())).unwrap()
}

async fn with_recipient() -> (Tarn, Client) {
    let tarn = Tarn::start(1).await;
    ok(&tarn, &["recipient", "create", "acme"]);
    (tarn, Client::builder().no_proxy().build().unwrap())
}

/// A part of a token.
fn part(token: &str, at: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap()).unwrap()
}

async fn public_keys(tarn: &Tarn, http: &Client) -> Vec<String> {
    let url = format!("{}/_delta-sharing/.well-known/jwks.json", tarn.endpoint());
    let keys: Value = http.get(url).send().await.unwrap().json().await.unwrap();
    keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_link_is_looked_at_often_and_used_once_also_over_a_restart() {
    let (mut tarn, http) = with_recipient().await;
    let made = ok_json(&tarn, &["recipient", "activation-link", "acme"]);
    let link = made["link"].as_str().unwrap();
    for _ in 0..3 {
        let page = http.get(link).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(page.headers()["cache-control"], "no-store");
        assert!(page.text().await.unwrap().contains("config.share"));
    }
    let other = http.delete(link).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(other.json::<Value>().await.unwrap()["errorCode"], "UNSUPPORTED_OPERATION");
    tarn.stop().await;
    tarn.restart().await;
    let given = http.post(link).send().await.unwrap();
    assert_eq!(given.status(), StatusCode::OK);
    assert_eq!(given.headers()["content-disposition"], "attachment; filename=\"config.share\"");
    let profile: Value = given.json().await.unwrap();
    assert_eq!(profile["shareCredentialsVersion"], 1);
    let token = profile["bearerToken"].as_str().unwrap();
    let kept = ok_json(&tarn, &["recipient", "token", "list", "acme"]);
    assert_eq!(part(token, 1)["jti"], kept["tokens"][0]["id"]);
    tarn.stop().await;
    tarn.restart().await;
    assert_eq!(http.post(link).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let code = link.rsplit('/').next().unwrap();
    assert!(!tarn.log().contains(code) && !tarn.log().contains(token), "a secret is in the log");
}

#[tokio::test]
async fn a_client_gets_tokens_until_it_is_revoked_and_they_name_a_public_key() {
    let (tarn, http) = with_recipient().await;
    let made = ok_json(&tarn, &["recipient", "client", "acme"]);
    let text = |name: &str| made["profile"][name].as_str().unwrap();
    let ask = async || {
        let form = [("grant_type", "client_credentials")];
        let request = http.post(text("tokenEndpoint")).form(&form);
        let answer = request.basic_auth(text("clientId"), Some(text("clientSecret"))).send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let (status, given) = ask().await;
    assert_eq!((status, &given["expires_in"]), (StatusCode::OK, &3600.into()));
    let kid = part(given["access_token"].as_str().unwrap(), 0)["kid"].as_str().unwrap().to_owned();
    assert_eq!(public_keys(&tarn, &http).await, std::slice::from_ref(&kid));
    let rotated = tarn.send(Method::POST, "/_admin/v1/sharing-keys/rotate", br#"{"withdraw":true}"#).await;
    assert_eq!(rotated.status(), StatusCode::OK);
    let (_, given) = ask().await;
    let next = part(given["access_token"].as_str().unwrap(), 0)["kid"].as_str().unwrap().to_owned();
    assert_ne!(next, kid);
    assert_eq!(public_keys(&tarn, &http).await, [next]);
    ok(&tarn, &["recipient", "token", "revoke", "acme", text("clientId")]);
    let (status, refused) = ask().await;
    assert_eq!((status, &refused["error"]), (StatusCode::UNAUTHORIZED, &"invalid_client".into()));
    assert!(!tarn.log().contains(text("clientSecret")), "a secret is in the log");
}
