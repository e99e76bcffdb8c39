//! Which objects a request of S3 touches, read as the object store reads it: path style, decoded once.

use std::borrow::Cow;

use http::{Method, Uri};
use percent_encoding::percent_decode_str;

/// Keys in one DeleteObjects.
const KEYS_MAX: usize = 1000;

/// What a request does.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) touched: Vec<Touched>,
    pub(super) is_read: bool,
}

/// An object, or the objects below the prefix of a listing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Touched {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) writes: bool,
}

impl Target {
    /// Says what is wrong with a request that is none of an object, a listing or a DeleteObjects.
    pub(super) fn read(
        method: &Method,
        uri: &Uri,
        copied: Option<&str>,
        body: Option<&str>,
    ) -> Result<Self, &'static str> {
        let path = uri.path().strip_prefix('/').ok_or("the URI has no path")?;
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let (bucket, key) = (decode(bucket)?, decode(key)?);
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if !reads && !matches!(*method, Method::PUT | Method::POST | Method::DELETE) {
            return Err("only GET, HEAD, PUT, POST and DELETE are signed");
        }
        let one = |key: String, writes| Touched { bucket: bucket.clone(), key, writes };
        if key.is_empty() {
            let touched = match *method {
                Method::GET => vec![one(parameter(uri, "prefix")?.unwrap_or_default(), false)],
                Method::POST if parameter(uri, "delete")?.is_some() => {
                    // PyIceberg sends no body: what it deletes, only the object store checks.
                    let keys = body.map_or(Ok(Vec::new()), keys)?;
                    keys.into_iter().map(|key| one(key, true)).collect()
                }
                _ => return Err("requests on a bucket are not signed but listings and DeleteObjects"),
            };
            return Ok(Self { touched, is_read: reads });
        }
        let mut touched = vec![one(key, !reads)];
        if let Some(source) = copied {
            let source = source.split_once('?').map_or(source, |(source, _)| source);
            let source = decode(source.strip_prefix('/').unwrap_or(source))?;
            let (bucket, key) = source.split_once('/').ok_or("the source of the copy is not an object")?;
            touched.push(Touched { bucket: bucket.into(), key: key.into(), writes: false });
        }
        Ok(Self { touched, is_read: reads })
    }
}

fn decode(text: &str) -> Result<String, &'static str> {
    let decoded = percent_decode_str(text).decode_utf8().map(Cow::into_owned);
    decoded.map_err(|_| "the URI is not UTF-8")
}

/// A parameter of the query; twice is an error, for the store may read the other one.
fn parameter(uri: &Uri, name: &str) -> Result<Option<String>, &'static str> {
    let mut found = None;
    for pair in uri.query().unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decode(&key.replace('+', " "))? != name {
            continue;
        }
        if found.replace(decode(&value.replace('+', " "))?).is_some() {
            return Err("a parameter is given twice");
        }
    }
    Ok(found)
}

/// The keys of a DeleteObjects document. Anything that could be read in two ways is refused.
fn keys(document: &str) -> Result<Vec<String>, &'static str> {
    const BROKEN: &str = "the body is not a plain DeleteObjects document";
    if document.contains("<!") || document.matches("<Key").count() != document.matches("<Key>").count() {
        return Err(BROKEN);
    }
    let mut keys = Vec::new();
    for part in document.split("<Key>").skip(1) {
        let (text, _) = part.split_once("</Key>").ok_or(BROKEN)?;
        keys.push(unescape(text).ok_or(BROKEN)?);
    }
    if keys.is_empty() || keys.len() > KEYS_MAX {
        Err("a DeleteObjects names 1 to 1000 keys")
    } else {
        Ok(keys)
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut whole = parts.next()?.to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';')?;
        let character = match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = entity.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
        };
        whole.push(character);
        whole.push_str(rest);
    }
    (!whole.contains('<') || text.contains("&lt;")).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, uri: &str, body: Option<&str>) -> Result<Vec<(String, bool)>, &'static str> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let target = Target::read(&method, &uri.parse().unwrap(), None, body)?;
        Ok(target.touched.into_iter().map(|touched| (touched.key, touched.writes)).collect())
    }

    #[test]
    fn objects_listings_and_deletions_are_told_by_their_keys() {
        let one = |key: &str, writes| Ok(vec![(key.to_owned(), writes)]);
        assert_eq!(read("GET", "http://h:1/b/t1/a%20b/%2e%2e/c", None), one("t1/a b/../c", false));
        assert_eq!(read("HEAD", "http://h/b/k", None), one("k", false));
        for method in ["PUT", "POST", "DELETE"] {
            assert_eq!(read(method, "http://h/b/k?uploadId=1", None), one("k", true));
        }
        assert_eq!(read("GET", "http://h/b?list-type=2&prefix=t1%2F", None), one("t1/", false));
        assert_eq!(read("GET", "http://h/b", None), one("", false));
        let body =
            "<Delete><Object><Key>t1/a&amp;b</Key></Object><Object><Key>t1/&#x41;</Key></Object></Delete>";
        assert_eq!(read("POST", "http://h/b?delete", None), Ok(Vec::new()));
        let deleted = read("POST", "http://h/b?delete", Some(body)).unwrap();
        assert_eq!(deleted, [("t1/a&b".to_owned(), true), ("t1/A".to_owned(), true)]);
    }

    #[test]
    fn what_could_be_read_in_two_ways_and_other_requests_are_refused() {
        for (method, uri, body) in [
            ("PATCH", "http://h/b/k", None),
            ("PUT", "http://h/b", None),
            ("HEAD", "http://h/b", None),
            ("DELETE", "http://h/b/", None),
            ("POST", "http://h/b?delete", Some("<Delete/>")),
            ("POST", "http://h/b?delete", Some("<Delete><Object><Key >a</Key></Object></Delete>")),
            ("POST", "http://h/b?delete", Some("<Delete><Object><Key><![CDATA[a]]></Key></Object></Delete>")),
            ("POST", "http://h/b?delete", Some("<Delete><Object><Key>&nope;</Key></Object></Delete>")),
            ("GET", "http://h/b?prefix=t1%2F&prefix=", None),
            ("GET", "http://h/b/%ff", None),
        ] {
            assert!(read(method, uri, body).is_err(), "{method} {uri} {body:?}");
        }
    }

    #[test]
    fn the_source_of_a_copy_is_read() {
        let uri = "http://h/b/t1/to".parse().unwrap();
        let target = Target::read(&Method::PUT, &uri, Some("/b/t2/from%20x?versionId=null"), None).unwrap();
        let source = Touched { bucket: "b".into(), key: "t2/from x".into(), writes: false };
        assert_eq!(target.touched[1], source);
        assert!(!target.is_read);
    }
}
