//! What a request is addressed to: the server, a bucket or an object.
//!
//! - T1: the key is taken from the raw path and decoded once. `//`, `..`, `%2F` and a trailing
//!   slash survive; nothing is normalized.
//! - T2: a host below one of the configured domains names the bucket (virtual host); every other
//!   host means path style.

use crate::name::{BucketName, InvalidObjectKey, ObjectKey, ObjectName};

use super::error::{Code, S3Error};
use super::query::decode;

/// What a request is addressed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The server.
    Server,
    /// A bucket.
    Bucket(BucketName),
    /// An object.
    Object(ObjectName),
}

impl Target {
    /// Reads host and raw path. `domains` are the names below which a host names a bucket.
    pub(crate) fn parse(host: Option<&str>, raw_path: &str, domains: &[String]) -> Result<Self, S3Error> {
        let path = raw_path.strip_prefix('/').unwrap_or(raw_path);
        let (bucket, key) = match host.and_then(|host| virtual_bucket(host, domains)) {
            Some(bucket) => (bucket, path),
            None => path.split_once('/').unwrap_or((path, "")),
        };
        if path.is_empty() && bucket.is_empty() {
            return Ok(Self::Server);
        }
        let bucket = bucket_name(&decode(bucket)?)?;
        if key.is_empty() {
            return Ok(Self::Bucket(bucket));
        }
        Ok(Self::Object(ObjectName { bucket, key: object_key(&decode(key)?)? }))
    }
}

/// Checks a bucket's name.
pub(crate) fn bucket_name(name: &str) -> Result<BucketName, S3Error> {
    BucketName::new(name).map_err(|_| invalid_bucket(name))
}

/// Checks a key.
pub(crate) fn object_key(key: &str) -> Result<ObjectKey, S3Error> {
    ObjectKey::new(key).map_err(|error| match error {
        InvalidObjectKey::TooLong => S3Error::new(Code::KeyTooLongError, "Your key is too long")
            .with("Size", key.len().to_string())
            .with("MaxSizeAllowed", ObjectKey::BYTES_MAX.to_string()),
        InvalidObjectKey::Empty => S3Error::request("The key is empty."),
        InvalidObjectKey::Nul => S3Error::new(Code::InvalidURI, "Couldn't parse the specified URI."),
    })
}

fn invalid_bucket(name: &str) -> S3Error {
    S3Error::new(Code::InvalidBucketName, "The specified bucket is not valid.").with("BucketName", name)
}

/// The bucket that `host` (with or without a port) names below one of `domains`.
fn virtual_bucket<'h>(host: &'h str, domains: &[String]) -> Option<&'h str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    domains.iter().find_map(|domain| {
        let cut = name.len().checked_sub(domain.len())?;
        let (front, back) = (name.get(..cut)?, name.get(cut..)?);
        back.eq_ignore_ascii_case(domain)
            .then_some(front)?
            .strip_suffix('.')
            .filter(|front| !front.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(path: &str) -> Result<Target, Code> {
        Target::parse(Some("localhost:9000"), path, &["s3.example.org".into()]).map_err(|error| error.code)
    }

    fn object(bucket: &str, key: &str) -> Result<Target, Code> {
        let (bucket, key) = (BucketName::new(bucket).unwrap(), ObjectKey::new(key).unwrap());
        Ok(Target::Object(ObjectName { bucket, key }))
    }

    #[test]
    fn the_key_is_what_the_raw_path_says() {
        for (path, key) in [
            ("/abc/k", "k"),
            ("/abc/a/b/", "a/b/"),
            ("/abc//", "/"),
            ("/abc//a//b", "/a//b"),
            ("/abc/..", ".."),
            ("/abc/../../etc/passwd", "../../etc/passwd"),
            ("/abc/a%2Fb", "a/b"),
            ("/abc/%2F", "/"),
            ("/abc/a+b%20c%2B", "a+b c+"),
            ("/abc/%F0%9F%98%80", "\u{1f600}"),
            ("/abc/a%252F", "a%2F"),
        ] {
            assert_eq!(parse(path), object("abc", key), "{path}");
        }
    }

    #[test]
    fn a_path_without_a_key_is_the_bucket_or_the_server() {
        let bucket = BucketName::new("abc").unwrap();
        assert_eq!(parse("/abc"), Ok(Target::Bucket(bucket.clone())));
        assert_eq!(parse("/abc/"), Ok(Target::Bucket(bucket)));
        assert_eq!(parse("/"), Ok(Target::Server));
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        assert_eq!(parse("/.tarn/k"), Err(Code::InvalidBucketName));
        assert_eq!(parse("/_iceberg"), Err(Code::InvalidBucketName));
        assert_eq!(parse("//k"), Err(Code::InvalidBucketName));
        assert_eq!(parse("/abc/a%00b"), Err(Code::InvalidURI));
        assert_eq!(parse("/abc/%ff"), Err(Code::InvalidURI));
        assert_eq!(parse("/abc/%2"), Err(Code::InvalidURI));
        assert_eq!(parse(&format!("/abc/{}", "k".repeat(1025))), Err(Code::KeyTooLongError));
    }

    #[test]
    fn a_host_below_a_domain_names_the_bucket() {
        let domains = ["s3.example.org".to_owned(), "localhost".to_owned()];
        let at = |host, path| Target::parse(Some(host), path, &domains).map_err(|error| error.code);
        assert_eq!(at("my.bucket.s3.example.org", "/a/b"), object("my.bucket", "a/b"));
        assert_eq!(at("abc.localhost:9000", "//"), object("abc", "/"));
        assert_eq!(at("abc.S3.example.ORG:80", "/k"), object("abc", "k"));
        assert_eq!(at("s3.example.org", "/abc/k"), object("abc", "k"));
        assert_eq!(at("[::1]:9000", "/abc/k"), object("abc", "k"));
        assert_eq!(at("127.0.0.1", "/abc/k"), object("abc", "k"));
        assert_eq!(at("abcs3.example.org", "/abc/k"), object("abc", "k"));
        assert_eq!(at("abc.s3.example.org", "/"), Ok(Target::Bucket(BucketName::new("abc").unwrap())));
    }

    proptest! {
        #[test]
        fn any_path_and_host_is_parsed_or_refused(path in "\\PC*", host in "\\PC*") {
            let _outcome = Target::parse(Some(&host), &path, &["s3.example.org".into(), "x".into()]);
        }

        #[test]
        fn an_encoded_key_comes_back_whole(key in "[^\\x00]{1,100}") {
            let path = format!("/abc/{}", super::super::xml::url_encode(&key));
            prop_assert_eq!(parse(&path), object("abc", &key));
        }
    }
}
