//! What a decision looks at: the question, who asks, and what is known of both.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use tarn_openapi::access::{Action, Ask, Family, Resource, Transport};

use super::key::Key;

/// Who asks, by the names that policies use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Who {
    /// `aws:username`: the user behind the key or session; absent for nobody.
    pub(crate) username: Option<String>,
    /// `aws:userid`: the access key.
    pub(crate) user_id: Option<String>,
    /// `aws:PrincipalType`.
    pub(crate) kind: &'static str,
    /// `aws:groups`.
    pub(crate) groups: Vec<String>,
    /// `jwt:*`.
    pub(crate) claims: BTreeMap<String, Vec<String>>,
}

/// A question with everything conditions may look at. Borrows; texts are made when they are first asked for.
pub(crate) struct Facts<'a> {
    ask: Ask<'a>,
    who: &'a Who,
    /// The table's or view's UUID, for ARNs that name it so.
    uuid: Option<String>,
    s3: OnceCell<Option<String>>,
    tables: OnceCell<Vec<String>>,
}

/// The values of a key.
pub(super) enum Values<'a> {
    Absent,
    One(Cow<'a, str>),
    Many(&'a [String]),
}

impl Values<'_> {
    /// The values, one after the other.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self {
            Values::Absent => (None, &[][..]),
            Values::One(value) => (Some(value.as_ref()), &[][..]),
            Values::Many(values) => (None, *values),
        };
        one.into_iter().chain(many.iter().map(String::as_str))
    }

    /// The value when there is exactly one.
    pub(super) fn single(&self) -> Option<&str> {
        let mut values = self.iter();
        values.next().filter(|_| values.next().is_none())
    }
}

impl<'a> Facts<'a> {
    /// `uuid` is that of the table or view asked for, where it exists.
    pub(crate) fn new(ask: Ask<'a>, who: &'a Who, uuid: Option<String>) -> Self {
        Self { ask, who, uuid, s3: OnceCell::new(), tables: OnceCell::new() }
    }

    /// What is to be done.
    pub(super) fn action(&self) -> Action {
        self.ask.action
    }

    /// The resource behind `arn:aws:s3:::`: `bucket` or `bucket/key`; empty for the server. `None` when the action is
    /// not one of S3.
    pub(super) fn s3(&self) -> Option<&str> {
        let made = self.s3.get_or_init(|| {
            if self.ask.action.family() != Family::S3 {
                return None;
            }
            Some(match self.ask.resource {
                Resource::Server => String::new(),
                Resource::Object(bucket, key) => format!("{bucket}/{key}"),
                Resource::Bucket(bucket)
                | Resource::Listing(bucket, _)
                | Resource::Namespace(bucket, _)
                | Resource::Table(bucket, _, _)
                | Resource::View(bucket, _, _) => bucket.to_owned(),
            })
        });
        made.as_deref()
    }

    /// The names of the resource behind `arn:aws:s3tables:::`, any of which a policy may use: `bucket/<warehouse>`,
    /// and for a table `bucket/<warehouse>/table/<level>/<name>` or `bucket/<warehouse>/table/<uuid>`. None when the
    /// action is not one of the catalog.
    pub(super) fn tables(&self) -> &[String] {
        self.tables.get_or_init(|| {
            if self.ask.action.family() != Family::S3Tables {
                return Vec::new();
            }
            let Some(warehouse) = self.ask.resource.bucket() else { return vec![String::new()] };
            let whole = format!("bucket/{warehouse}");
            let (kind, levels, name) = match self.ask.resource {
                Resource::Table(_, levels, name) => ("table", levels, name),
                Resource::View(_, levels, name) => ("view", levels, name),
                Resource::Server
                | Resource::Bucket(_)
                | Resource::Object(..)
                | Resource::Listing(..)
                | Resource::Namespace(..) => return vec![whole],
            };
            let mut names = Vec::with_capacity(2);
            let mut by_name = format!("{whole}/{kind}");
            for part in levels.iter().map(String::as_str).chain([name]) {
                by_name.push('/');
                escape_into(&mut by_name, part, '/');
            }
            names.push(by_name);
            names.extend(self.uuid.as_ref().map(|uuid| format!("{whole}/{kind}/{uuid}")));
            // What does not exist yet is made in the warehouse: AWS asks for the right to it there.
            if let Action::CreateTable | Action::RegisterTable | Action::CreateView | Action::RegisterView =
                self.ask.action
            {
                names.push(whole);
            }
            names
        })
    }

    /// The values of a key.
    pub(super) fn values(&self, key: &Key) -> Values<'_> {
        let sender = self.ask.sender;
        let one = |value: Option<Cow<'a, str>>| value.map_or(Values::Absent, Values::One);
        let borrowed = |value: Option<&'a str>| one(value.map(Cow::Borrowed));
        let many =
            |values: &'a [String]| if values.is_empty() { Values::Absent } else { Values::Many(values) };
        let header =
            |value: Option<&'a http::HeaderValue>| borrowed(value.and_then(|value| value.to_str().ok()));
        match key {
            Key::CurrentTime => one(sender.and_then(|sender| {
                Some(Cow::Owned(Timestamp::from_second(sender.at_seconds).ok()?.to_string()))
            })),
            Key::EpochTime => one(sender.map(|sender| Cow::Owned(sender.at_seconds.to_string()))),
            Key::SourceIp => one(sender.and_then(|sender| Some(Cow::Owned(sender.address?.to_string())))),
            Key::SecureTransport => borrowed(sender.map(|sender| match sender.transport {
                Transport::Plain => "false",
                Transport::Encrypted => "true",
            })),
            Key::UserAgent => header(sender.and_then(|sender| sender.user_agent.as_ref())),
            Key::Referer => header(sender.and_then(|sender| sender.referer.as_ref())),
            Key::Username => borrowed(self.who.username.as_deref()),
            Key::UserId => borrowed(self.who.user_id.as_deref()),
            Key::PrincipalType => borrowed(Some(self.who.kind).filter(|kind| !kind.is_empty())),
            Key::PrincipalArn => {
                one(self.who.username.as_ref().map(|name| Cow::Owned(format!("arn:aws:iam:::user/{name}"))))
            }
            Key::Groups => many(&self.who.groups),
            Key::Prefix => match self.ask.resource {
                Resource::Listing(_, prefix) => borrowed(Some(prefix)),
                Resource::Server
                | Resource::Bucket(_)
                | Resource::Object(..)
                | Resource::Namespace(..)
                | Resource::Table(..)
                | Resource::View(..) => Values::Absent,
            },
            Key::Namespace => match self.ask.resource {
                Resource::Namespace(_, levels)
                | Resource::Table(_, levels, _)
                | Resource::View(_, levels, _) => one(Some(Cow::Owned(joined(levels)))),
                Resource::Server | Resource::Bucket(_) | Resource::Object(..) | Resource::Listing(..) => {
                    Values::Absent
                }
            },
            Key::TableName => match self.ask.resource {
                Resource::Table(_, _, name) => borrowed(Some(name)),
                Resource::Server
                | Resource::Bucket(_)
                | Resource::Object(..)
                | Resource::Listing(..)
                | Resource::Namespace(..)
                | Resource::View(..) => Values::Absent,
            },
            Key::ViewName => match self.ask.resource {
                Resource::View(_, _, name) => borrowed(Some(name)),
                Resource::Server
                | Resource::Bucket(_)
                | Resource::Object(..)
                | Resource::Listing(..)
                | Resource::Namespace(..)
                | Resource::Table(..) => Values::Absent,
            },
            Key::Sent(name) => borrowed(self.ask.value(name)),
            Key::Claim(name) => self.who.claims.get(name).map_or(Values::Absent, |values| many(values)),
        }
    }
}

/// The levels of a namespace, joined by `.`.
fn joined(levels: &[String]) -> String {
    let mut text = String::new();
    for (index, level) in levels.iter().enumerate() {
        if index > 0 {
            text.push('.');
        }
        escape_into(&mut text, level, '.');
    }
    text
}

/// A level or name as one segment: a separator in it must not read as the beginning of the next.
fn escape_into(text: &mut String, part: &str, separator: char) {
    for character in part.chars() {
        if character == separator || character == '%' {
            let _ = write!(text, "%{:02X}", u32::from(character));
        } else {
            text.push(character);
        }
    }
}
