//! A question as people ask it: an action by name, a resource by ARN, and the values conditions may look at.

use std::collections::BTreeMap;
use std::net::IpAddr;

use http::HeaderValue;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use tarn_openapi::access::{Action, Ask, Family, Resource, Sender, Transport};

use super::key;

/// A question that owns what it is about.
#[derive(Debug)]
pub(crate) struct Question {
    action: Action,
    about: About,
    sender: Sender,
    values: Vec<(&'static str, String)>,
}

#[derive(Debug, PartialEq, Eq)]
enum About {
    Server,
    Bucket(String),
    Object(String, String),
    Listing(String, String),
    Namespace(String, Vec<String>),
    Table(String, Vec<String>, String),
    View(String, Vec<String>, String),
}

impl Question {
    /// Reads a question asked at `now`, in seconds since the Unix epoch. The error says what is wrong with it.
    pub(crate) fn read(
        action: &str,
        resource: Option<&str>,
        conditions: &BTreeMap<String, String>,
        now: i64,
    ) -> Result<Self, String> {
        let named = |known: &&Action| {
            let names = [Some(known.name()), known.second_name()];
            names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(action))
        };
        let action = *Action::ALL
            .iter()
            .find(named)
            .ok_or_else(|| format!("this server has no action {action:?}; name one, without *"))?;
        let mut question =
            Self { action, about: About::Server, sender: Sender::default(), values: Vec::new() };
        question.sender.at_seconds = now;
        let (mut prefix, mut namespace) = (String::new(), None);
        for (name, value) in conditions {
            match name.to_ascii_lowercase().as_str() {
                "s3:prefix" => prefix.clone_from(value),
                "s3tables:namespace" => namespace = Some(levels(value, '.')),
                _ => question.condition(name, value)?,
            }
        }
        question.about = about(action, resource, prefix, namespace)?;
        Ok(question)
    }

    fn condition(&mut self, name: &str, value: &str) -> Result<(), String> {
        let bad = || format!("{value:?} is no value of {name}");
        let header = || value.parse::<HeaderValue>().map_err(|_| bad());
        match name.to_ascii_lowercase().as_str() {
            "aws:sourceip" => self.sender.address = Some(value.parse::<IpAddr>().map_err(|_| bad())?),
            "aws:securetransport" => {
                self.sender.transport = match value {
                    "true" => Transport::Encrypted,
                    "false" => Transport::Plain,
                    _ => return Err(bad()),
                };
            }
            "aws:currenttime" => {
                self.sender.at_seconds = value.parse::<Timestamp>().map_err(|_| bad())?.as_second();
            }
            "aws:epochtime" => self.sender.at_seconds = value.parse().map_err(|_| bad())?,
            "aws:useragent" => self.sender.user_agent = Some(header()?),
            "aws:referer" => self.sender.referer = Some(header()?),
            _ => match key::sent(name) {
                Some(known) => self.values.push((known, value.to_owned())),
                None => {
                    return Err(format!("{name:?} is no condition key that a request brings along"));
                }
            },
        }
        Ok(())
    }

    /// Asks it.
    pub(crate) fn ask<T>(&self, answer: impl FnOnce(Ask<'_>) -> T) -> T {
        let values: Vec<_> = self.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let resource = match &self.about {
            About::Server => Resource::Server,
            About::Bucket(bucket) => Resource::Bucket(bucket),
            About::Object(bucket, key) => Resource::Object(bucket, key),
            About::Listing(bucket, prefix) => Resource::Listing(bucket, prefix),
            About::Namespace(warehouse, levels) => Resource::Namespace(warehouse, levels),
            About::Table(warehouse, levels, name) => Resource::Table(warehouse, levels, name),
            About::View(warehouse, levels, name) => Resource::View(warehouse, levels, name),
        };
        answer(Ask::new(self.action, resource).sent_by(Some(&self.sender)).with(&values))
    }
}

fn about(
    action: Action,
    resource: Option<&str>,
    prefix: String,
    namespace: Option<Vec<String>>,
) -> Result<About, String> {
    let Some(text) = resource else { return Ok(About::Server) };
    let unread = || format!("{text:?} is no resource of {}", action.name());
    match action.family() {
        Family::S3 => {
            let name = text.strip_prefix("arn:aws:s3:::").filter(|name| !name.is_empty());
            let name = name.ok_or_else(unread)?;
            Ok(match name.split_once('/') {
                Some((bucket, key)) => About::Object(bucket.into(), key.into()),
                None if lists(action) => About::Listing(name.into(), prefix),
                None => About::Bucket(name.into()),
            })
        }
        Family::S3Tables => {
            let name = text.strip_prefix("arn:aws:s3tables:::bucket/").filter(|name| !name.is_empty());
            let (warehouse, rest) =
                name.map(|name| name.split_once('/').unwrap_or((name, ""))).ok_or_else(unread)?;
            let warehouse = warehouse.to_owned();
            let (kind, path) = match (rest, namespace) {
                ("", Some(levels)) => return Ok(About::Namespace(warehouse, levels)),
                ("", None) => return Ok(About::Bucket(warehouse)),
                (rest, _) => rest.split_once('/').ok_or_else(unread)?,
            };
            let mut levels = levels(path, '/');
            let name = levels.pop().filter(|_| !levels.is_empty()).ok_or_else(unread)?;
            match kind {
                "table" => Ok(About::Table(warehouse, levels, name)),
                "view" => Ok(About::View(warehouse, levels, name)),
                _ => Err(unread()),
            }
        }
        Family::Admin | Family::Sts | Family::Kms | Family::Sharing | Family::Inventory => {
            Err(format!("{} is done to the server: it names no resource", action.name()))
        }
    }
}

fn lists(action: Action) -> bool {
    matches!(action, Action::ListBucket | Action::ListBucketVersions | Action::ListBucketMultipartUploads)
}

/// The levels of a path as ARNs and conditions write it, the separator in them as `%XX`.
fn levels(path: &str, separator: char) -> Vec<String> {
    path.split(separator).map(|level| percent_decode_str(level).decode_utf8_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(action: &str, resource: Option<&str>, conditions: &[(&str, &str)]) -> Result<About, String> {
        let conditions = conditions.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Question::read(action, resource, &conditions, 0).map(|question| question.about)
    }

    #[test]
    fn a_resource_is_what_its_arn_and_the_action_say() {
        let texts = |levels: &[&str]| levels.iter().map(|level| (*level).to_owned()).collect::<Vec<_>>();
        for (action, resource, conditions, expected) in [
            ("s3:GetObject", "arn:aws:s3:::b/a/k", &[][..], About::Object("b".into(), "a/k".into())),
            (
                "s3:ListBucket",
                "arn:aws:s3:::b",
                &[("s3:prefix", "a/")],
                About::Listing("b".into(), "a/".into()),
            ),
            ("s3:getbucketlocation", "arn:aws:s3:::b", &[], About::Bucket("b".into())),
            (
                "s3tables:GetTable",
                "arn:aws:s3tables:::bucket/w/table/sales/eu%2Fwest/orders",
                &[],
                About::Table("w".into(), texts(&["sales", "eu/west"]), "orders".into()),
            ),
            ("s3tables:GetWarehouse", "arn:aws:s3tables:::bucket/w", &[], About::Bucket("w".into())),
            (
                "s3tables:CreateNamespace",
                "arn:aws:s3tables:::bucket/w",
                &[("s3tables:namespace", "sales.eu")],
                About::Namespace("w".into(), texts(&["sales", "eu"])),
            ),
        ] {
            assert_eq!(read(action, Some(resource), conditions), Ok(expected), "{action} {resource}");
        }
        assert_eq!(read("admin:CreateUser", None, &[]), Ok(About::Server));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (action, resource, conditions) in [
            ("s3:GetObjct", None, &[][..]),
            ("s3:*", None, &[]),
            ("s3:GetObject", Some("b/k"), &[]),
            ("s3:GetObject", Some("arn:aws:s3tables:::bucket/w"), &[]),
            ("s3tables:GetTable", Some("arn:aws:s3tables:::bucket/w/table"), &[]),
            ("s3tables:GetTable", Some("arn:aws:s3tables:::bucket/w/table/orders"), &[]),
            ("s3tables:GetTable", Some("arn:aws:s3tables:::bucket/w/index/a/b"), &[]),
            ("admin:CreateUser", Some("arn:aws:s3:::b"), &[]),
            ("s3:GetObject", None, &[("aws:username", "alice")]),
            ("s3:GetObject", None, &[("aws:SourceIp", "10.0.0.0/8")]),
            ("s3:GetObject", None, &[("aws:SecureTransport", "yes")]),
        ] {
            assert!(read(action, resource, conditions).is_err(), "{action} {resource:?} {conditions:?}");
        }
    }
}
