//! URLs of files: they open what they were given out for, to nobody more and no longer.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::lake::{Files, LINES, Lake, ORDERS, content, failure};

/// Between two looks at what ends by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The path and query of a URL of the server.
fn below(lake: &Lake, url: &str) -> String {
    url.strip_prefix(&lake.tarn.endpoint()).expect("it begins with the endpoint").to_owned()
}

#[tokio::test]
async fn a_file_is_read_whole_in_part_and_by_head_and_not_written() {
    let lake = Lake::start(Files::Small).await;
    let url = lake.file("region%3Deu").await;
    let whole = content("eu");
    let answer = lake.http.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "private, no-store");
    assert_eq!(answer.bytes().await.unwrap(), whole);
    let last = whole.len() - 1;
    for (range, part) in [
        ("bytes=2-4".to_owned(), 2..5),
        (format!("bytes=0-{last}"), 0..whole.len()),
        ("bytes=-8".to_owned(), whole.len() - 8..whole.len()),
        (format!("bytes={last}-"), last..whole.len()),
    ] {
        let answer = lake.http.get(&url).header("range", &range).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        let told = format!("bytes {}-{}/{}", part.start, part.end - 1, whole.len());
        assert_eq!(answer.headers()["content-range"], *told);
        assert_eq!(answer.bytes().await.unwrap(), whole[part], "{range}");
    }
    let answer = lake.http.get(&url).header("range", format!("bytes={}-", whole.len())).send().await.unwrap();
    assert_eq!(answer.headers()["content-range"], *format!("bytes */{}", whole.len()));
    assert_eq!(failure(answer).await.0, 416);
    let answer = lake.http.head(&url).send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["accept-ranges"]),
        (StatusCode::OK, &"bytes".parse().unwrap())
    );
    assert_eq!(answer.headers()["content-length"], *whole.len().to_string());
    for method in [Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
        let answer = lake.http.request(method.clone(), &url).body("x").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    assert_eq!(lake.fetch(&url).await.1.unwrap(), whole);
}

#[tokio::test]
async fn a_url_that_is_altered_anywhere_opens_nothing() {
    let lake = Lake::start(Files::Small).await;
    let url = lake.file("region%3Deu").await;
    let start = lake.tarn.endpoint().len() + 1;
    for at in start..url.len() {
        let other = match url.as_bytes()[at] {
            // A letter of another value in base64 and in hexadecimal digits, of the same case.
            byte @ (b'a'..=b'y' | b'A'..=b'Y' | b'0'..=b'8') => byte + 1,
            b'z' => b'a',
            b'Z' => b'A',
            b'9' => b'0',
            _ => b'x',
        };
        let altered = format!("{}{}{}", &url[..at], char::from(other), &url[at + 1..]);
        let answer = lake.http.get(&altered).send().await.unwrap();
        let (status, text) = (answer.status(), answer.bytes().await.unwrap());
        assert!(status.is_client_error(), "{altered}: {status}");
        assert!(!String::from_utf8_lossy(&text).contains("rows of"), "{altered}");
    }
    let signature = url.rsplit_once('=').unwrap().1;
    for altered in [
        url.replace("Expires=", "Expires=9"),
        url.replace(signature, ""),
        url.replace(signature, &signature[..62]),
        url.replace(signature, &"0".repeat(64)),
        format!("{url}&Expires=99999999999"),
        format!("{url}&x-id=GetObject"),
        url.split_once('?').unwrap().0.to_owned(),
        url.replace("/orders/", "//orders/"),
        url.replace("/lake/", "/.tarn/"),
    ] {
        let (status, body) = lake.fetch(&altered).await;
        assert!(status.is_client_error(), "{altered}: {status}");
        assert!(!String::from_utf8_lossy(&body.unwrap_or_default()).contains("rows of"), "{altered}");
    }
    let altered = url.replace("Expires=", "Expires=9");
    let (status, code, message) = failure(lake.http.get(altered).send().await.unwrap()).await;
    assert_eq!((status, &*code), (403, "PERMISSION_DENIED"));
    assert!(!message.contains("lake"), "{message}");
    assert_eq!(lake.fetch(&url).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_url_is_of_one_recipient_and_one_table() {
    let lake = Lake::start(Files::Small).await;
    lake.recipient("bolt").await;
    lake.grant("bolt", json!({})).await;
    let (bolt, bolt_id) = lake.bearer("bolt", json!({})).await;
    let (mine, its) = (lake.file("region%3Deu").await, lake.file_of(&bolt, ORDERS, "region%3Deu").await);
    let line = lake.file_of(&lake.token, LINES, "a.parquet").await;
    let part = |url: &str, at: usize| below(&lake, url).split('/').nth(at).unwrap().to_owned();
    assert_eq!(part(&mine, 2), "files");
    for (left, right) in [(&mine, &its), (&mine, &line)] {
        // The ticket of one in the URL of the other.
        let mixed = left.replace(&part(left, 3), &part(right, 3));
        assert_ne!(*left, mixed);
        assert_eq!(failure(lake.http.get(&mixed).send().await.unwrap()).await.0, 403);
    }
    let (_, key) = line.split_once("/lake/").unwrap();
    let (front, _) = mine.split_once("/lake/").unwrap();
    assert_eq!(lake.fetch(&format!("{front}/lake/{key}")).await.0, StatusCode::FORBIDDEN);
    // Each ends with its own.
    lake.admin(Method::DELETE, &format!("recipients/bolt/tokens/{bolt_id}"), serde_json::Value::Null).await;
    assert_eq!(lake.fetch(&its).await.0, StatusCode::FORBIDDEN);
    assert_eq!(lake.fetch(&mine).await.0, StatusCode::OK);
    lake.admin(Method::DELETE, "shares/partners/tables/sales/lines", serde_json::Value::Null).await;
    assert_eq!(lake.fetch(&line).await.0, StatusCode::FORBIDDEN);
    assert_eq!(lake.fetch(&mine).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_token_ends_by_itself_and_its_urls_with_it() {
    let lake = Lake::start(Files::Small).await;
    // As short as a request before its end can be hoped for.
    let (token, _) = lake.bearer("acme", json!({"expires_in_seconds": 10})).await;
    let url = lake.file_of(&token, ORDERS, "region%3Deu").await;
    let refused = loop {
        let answer = lake.http.get(lake.url("shares")).bearer_auth(&token).send().await.unwrap();
        if answer.status() != StatusCode::OK {
            break failure(answer).await;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    assert_eq!(refused, (401, "UNAUTHENTICATED".into(), "the token has expired".into()));
    let (status, code, message) = failure(lake.http.get(&url).send().await.unwrap()).await;
    assert_eq!((status, &*code), (403, "PERMISSION_DENIED"));
    assert!(message.contains("expired"), "{message}");
    let answer = lake.ask(&token, ORDERS, &json!({})).send().await.unwrap();
    assert_eq!(failure(answer).await.0, 401);
}
