//! Tokens that are none: forged, of another server, for another use. They open nothing and are told nothing.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, Response, StatusCode};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use sha2::Sha256;
use tarn::identity::{Secret, Signer};

use super::lake::{Files, Lake, ORDERS, failure};
use crate::support::{ACCESS_KEY, SECRET_KEY};

/// A token's header and claims, as they are written.
fn parts(token: &str) -> [String; 2] {
    let part = |at| URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap();
    [0, 1].map(|at| String::from_utf8(part(at)).unwrap())
}

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// An object with other fields, all else written as it was.
fn with(text: &str, fields: &Value) -> String {
    let was = object(text);
    let mut text = text.to_owned();
    for (name, value) in fields.as_object().unwrap() {
        text = match was.get(name) {
            Some(old) => text.replace(&format!("\"{name}\":{old}"), &format!("\"{name}\":{value}")),
            None => format!("{},\"{name}\":{value}}}", text.strip_suffix('}').unwrap()),
        };
    }
    text
}

/// A token, signed by whatever `sign` is.
fn forge(header: &str, claims: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn hs256(key: &[u8], message: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().to_vec()
}

/// Asks with a token in every way there is: all must be refused alike.
async fn refused(lake: &Lake, token: &str, what: &str) {
    let query = lake.ask(token, ORDERS, &json!({})).send().await.unwrap();
    let list = lake.http.get(lake.url("shares")).bearer_auth(token).send().await.unwrap();
    for answer in [query, list] {
        assert_eq!(answer.headers()["www-authenticate"], "Bearer", "{what}");
        let (status, code, message) = failure(answer).await;
        let told = (status, &*code, &*message);
        assert_eq!(told, (401, "UNAUTHENTICATED", "the token is not valid"), "{what}");
    }
}

#[tokio::test]
async fn a_forged_token_opens_nothing() {
    let lake = Lake::start(Files::Small).await;
    let [header, claims] = parts(&lake.token);
    let signature = URL_SAFE_NO_PAD.decode(lake.token.rsplit('.').next().unwrap()).unwrap();
    let keys = lake.http.get(format!("{}/_delta-sharing/.well-known/jwks.json", lake.tarn.endpoint()));
    let keys: Value = keys.send().await.unwrap().json().await.unwrap();
    let key = &keys["keys"][0];
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let mine = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let by_mine = |message: &[u8]| mine.sign(message).as_ref().to_vec();
    let as_it_was = |_: &[u8]| signature.clone();
    let nothing = |_: &[u8]| Vec::new();
    let alg = |alg: &str| with(&header, &json!({"alg": alg}));
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "mine", "x": URL_SAFE_NO_PAD.encode([7; 32])});

    let genuine = forge(&header, &claims, as_it_was);
    assert_eq!(genuine, lake.token, "what is altered below is all that is wrong");
    for none in ["none", "None", "NONE", "nOnE", ""] {
        for sign in [&nothing as &dyn Fn(&[u8]) -> Vec<u8>, &as_it_was] {
            refused(&lake, &forge(&alg(none), &claims, sign), none).await;
        }
        refused(&lake, &forge(&json!({"alg": none}).to_string(), &claims, nothing), none).await;
    }
    for secret in [&public[..], key["x"].as_str().unwrap().as_bytes(), key.to_string().as_bytes(), b""] {
        for name in ["HS256", "EdDSA"] {
            let token = forge(&alg(name), &claims, |message| hs256(secret, message));
            refused(&lake, &token, "HMAC with the public key").await;
        }
    }
    for name in ["RS256", "PS256", "RS512", "ES256", "ES384", "Ed25519", "eddsa"] {
        refused(&lake, &forge(&alg(name), &claims, as_it_was), name).await;
        refused(&lake, &forge(&alg(name), &claims, by_mine), name).await;
    }
    for fields in [
        json!({}),
        json!({"kid": "mine"}),
        json!({"kid": ""}),
        json!({"kid": "../../keys/1"}),
        json!({"jwk": jwk}),
        json!({"jku": "http://127.0.0.1:1/jwks.json"}),
        json!({"x5u": "http://127.0.0.1:1/chain.pem"}),
        json!({"crit": ["exp"]}),
        json!({"b64": false}),
    ] {
        let token = forge(&with(&header, &fields), &claims, by_mine);
        refused(&lake, &token, &fields.to_string()).await;
    }
    for fields in [
        json!({"exp": object(&claims)["exp"].as_i64().unwrap() + 1}),
        json!({"aud": "tarn-sharing:11111111-1111-4111-8111-111111111111"}),
        json!({"aud": ["tarn", object(&claims)["aud"]]}),
        json!({"iss": "https://idp.example"}),
        json!({"sub": "11111111-1111-4111-8111-111111111111"}),
        json!({"jti": null}),
        json!({"admin": true}),
    ] {
        for sign in [&as_it_was as &dyn Fn(&[u8]) -> Vec<u8>, &by_mine, &nothing] {
            refused(&lake, &forge(&header, &with(&claims, &fields), sign), &fields.to_string()).await;
        }
    }
    let at = lake.token.len() / 2;
    let swapped = if lake.token.as_bytes()[at] == b'A' { "B" } else { "A" };
    for (token, what) in [
        (lake.token[..lake.token.len() - 4].to_owned(), "shorter"),
        (format!("{}{swapped}{}", &lake.token[..at], &lake.token[at + 1..]), "one letter is another"),
        (format!("{}.", lake.token), "one dot more"),
        (format!("{}=", lake.token), "padded"),
        (lake.token.replace('.', ""), "without dots"),
        ("a".repeat(30_000), "long"),
        (format!("{}.{}", "x".repeat(25_000), lake.token), "long"),
        ("..".into(), "dots"),
        (lake.token_id.clone(), "its id"),
    ] {
        refused(&lake, &token, what).await;
    }
    assert_eq!(lake.get("shares").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_token_of_another_server_or_another_use_opens_nothing() {
    let (lake, other) = (Lake::start(Files::Small).await, Lake::start(Files::Small).await);
    assert_eq!(parts(&lake.token)[0], parts(&other.token)[0], "both are signed by a first key");
    let audience = |token| object(&parts(token)[1])["aud"].clone();
    assert_ne!(audience(&lake.token), audience(&other.token));
    refused(&lake, &other.token, "of another server").await;
    let url = other.file("region%3Deu").await.replace(&other.tarn.endpoint(), &lake.tarn.endpoint());
    assert_eq!(failure(lake.http.get(&url).send().await.unwrap()).await.0, 403);

    let client = lake.admin(Method::POST, "recipients/acme/clients", json!({})).await;
    let secret = client["profile"]["clientSecret"].as_str().unwrap();
    refused(&lake, secret, "the secret of a client").await;
    let form = format!("grant_type=client_credentials&client_id={ACCESS_KEY}&client_secret={SECRET_KEY}");
    let request = lake.http.post(lake.tarn.endpoint() + "/_iceberg/v1/oauth/tokens").body(form);
    let kind = "application/x-www-form-urlencoded";
    let made: Value = request.header("content-type", kind).send().await.unwrap().json().await.unwrap();
    refused(&lake, made["access_token"].as_str().unwrap(), "a token of the catalog").await;
    refused(&lake, SECRET_KEY, "the secret of a user").await;
}

#[tokio::test]
async fn a_token_counts_only_in_the_one_header_it_belongs_in() {
    let lake = Lake::start(Files::Small).await;
    let missing = async |answer: Response| {
        let (status, code, message) = failure(answer).await;
        let told = (status, &*code, &*message);
        assert_eq!(told, (401, "UNAUTHENTICATED", "a bearer token is required"));
    };
    let shares = || lake.http.get(lake.url("shares"));
    missing(shares().send().await.unwrap()).await;
    missing(shares().basic_auth(ACCESS_KEY, Some(SECRET_KEY)).send().await.unwrap()).await;
    missing(shares().header("authorization", &lake.token).send().await.unwrap()).await;
    missing(shares().header("x-amz-security-token", &lake.token).send().await.unwrap()).await;
    missing(shares().header("cookie", format!("token={}", lake.token)).send().await.unwrap()).await;
    missing(shares().query(&[("access_token", &lake.token)]).send().await.unwrap()).await;
    missing(shares().bearer_auth(&lake.token).bearer_auth(&lake.token).send().await.unwrap()).await;
    let any_case = shares().header("authorization", format!("bearer {}", lake.token)).send().await.unwrap();
    assert_eq!(any_case.status(), StatusCode::OK);
}

#[tokio::test]
async fn keys_of_users_open_no_shares_and_tokens_of_recipients_nothing_else() {
    let lake = Lake::start(Files::Small).await;
    // Signed as S3 has it, in the header and in the query, by root.
    let path = format!("/_delta-sharing/v1/{ORDERS}/version");
    let signed = lake.tarn.send(Method::GET, &path, b"").await;
    assert_eq!(failure(signed).await.0, 401);
    let presigned = async |path: &str| {
        let url = format!("{}{path}", lake.tarn.endpoint());
        let host = url.split('/').nth(2).unwrap().to_owned();
        let request = http::Request::get(&url).header("host", host).body(()).unwrap();
        let (mut request, ()) = request.into_parts();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
        let signer = Signer::s3(ACCESS_KEY, Secret::new(SECRET_KEY.into()), "us-east-1");
        signer.presign(&mut request, 600, now).unwrap();
        lake.http.get(request.uri.to_string()).send().await.unwrap()
    };
    assert_eq!(presigned("/lake/orders/region=eu/a.parquet").await.status(), StatusCode::OK);
    assert_eq!(failure(presigned(&path).await).await.0, 401);
    let url = lake.file("region%3Deu").await;
    let file = url.strip_prefix(&lake.tarn.endpoint()).unwrap().split_once('?').unwrap().0;
    assert_eq!(failure(presigned(file).await).await.0, 403);
    assert_eq!(failure(lake.tarn.send(Method::GET, file, b"").await).await.0, 403);

    for path in [
        "/",
        "/lake",
        "/lake/orders/region=eu/a.parquet",
        "/lake?list-type=2",
        "/_iceberg/v1/config",
        "/_iceberg/v1/main/namespaces",
        "/_admin/v1/shares",
        "/_admin/v1/recipients/acme",
        "/_admin/v1/users",
        "/_metrics",
    ] {
        let answer =
            lake.http.get(lake.tarn.endpoint() + path).bearer_auth(&lake.token).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::BAD_REQUEST];
        assert!(refused.contains(&status), "{path}: {status} {text}");
        assert!(!text.contains("rows of") && !text.contains("steward"), "{path}: {text}");
    }
    // Nor as a key's secret, or a session's token.
    let (id, token) = (&*lake.token_id, &*lake.token);
    let as_key = lake.tarn.send_as((id, token), Method::GET, "/lake", b"").await;
    assert_eq!(as_key.status(), StatusCode::FORBIDDEN);
    let headers = [("x-amz-security-token", token)];
    let as_session = lake.tarn.send_with(Method::GET, "/lake", &headers).await;
    assert!(as_session.status().is_client_error(), "{}", as_session.status());
    let web = format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::000000000000:role/r\
         &RoleSessionName=s&WebIdentityToken={token}"
    );
    let kind = "application/x-www-form-urlencoded";
    let answer =
        lake.http.post(lake.tarn.endpoint()).header("content-type", kind).body(web).send().await.unwrap();
    assert!(answer.status().is_client_error(), "{}", answer.status());
    assert!(!lake.tarn.log().contains(token), "a token is in the log");
}
