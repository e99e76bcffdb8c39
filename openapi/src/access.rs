//! Who asks for what: [`Principal`], [`Action`], [`Resource`], [`Ask`] and the [`Authorize`] trait.
//!
//! Authentication happens once, in the binary, and leaves a [`Principal`] in the request's
//! extensions. Each front then asks [`Authorize`] before it calls its domain. The rule is
//! default deny: an action that no rule allows is refused.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderValue;

pub use crate::action::{Action, Family};

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// No credentials were sent.
    Anonymous,
    /// The root access key from the configuration.
    Root,
    /// An access key created through the admin API. Holds the key's id, never its secret.
    AccessKey(Arc<str>),
    /// Temporary credentials: those of another principal, restricted.
    Session(Arc<Session>),
    /// The holder of a token of a configured identity provider.
    Web(Arc<WebIdentity>),
}

impl Principal {
    /// Who acts: of a session whom it acts for, through all sessions between. Never a session.
    pub fn behind(&self) -> &Self {
        self.sessions().last().map_or(self, |outermost| &outermost.parent)
    }

    /// The sessions it acts by, innermost first. None of who acts for itself.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        std::iter::successors(self.session(), |inner| inner.parent.session())
    }

    fn session(&self) -> Option<&Session> {
        match self {
            Self::Session(session) => Some(session),
            Self::Anonymous | Self::Root | Self::AccessKey(_) | Self::Web(_) => None,
        }
    }
}

/// Who a token of an identity provider speaks of. It has no key here: it may do what the policies it names allow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebIdentity {
    /// `<provider>:<subject>`, the provider by its configured name: two accounts never have one id.
    pub id: Arc<str>,
    /// The names of its policies. A name of no policy allows nothing.
    pub policies: Vec<String>,
    /// What policies may know of it as `jwt:<name>`.
    pub claims: BTreeMap<String, Vec<String>>,
    /// When it ends, in seconds since the Unix epoch.
    pub expires: i64,
}

/// Temporary credentials. A session may do what its parent may at that moment, and only what its restriction allows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Session {
    /// The access key id of the credentials.
    pub id: Arc<str>,
    /// Whom it acts for. May be a session itself: then the restrictions of both count.
    pub parent: Principal,
    /// What it may do of what the parent may.
    pub restriction: Restriction,
    /// When it ends, in seconds since the Unix epoch.
    pub expires: i64,
    /// What it stands on beside its parent, as who ordered it knows that: gone, and the session is over.
    pub ticket: Option<Arc<str>>,
}

/// What a [`Session`] is restricted to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Restriction {
    /// Objects below any of these prefixes, and nothing else: no buckets, no catalog, no administration.
    Prefixes(Arc<[Prefix]>),
    /// An inline policy in AWS's JSON.
    Policy(Arc<str>),
    /// The files of a table, as far as the parent may read or write the table's data. Unlike the others it can give what
    /// the parent's rights to objects do not: a right to a table's data is one to its files. A denial counts.
    Files(Arc<TableFiles>),
}

impl Restriction {
    /// Whether an action is within prefixes; `None` when that is for a policy to say.
    pub fn prefixes_allow(&self, action: Action, resource: Resource<'_>) -> Option<bool> {
        match self {
            Self::Prefixes(prefixes) => Some(prefixes.iter().any(|prefix| prefix.allows(action, resource))),
            Self::Files(files) => Some(files.prefixes.iter().any(|prefix| prefix.allows(action, resource))),
            Self::Policy(_) => None,
        }
    }
}

/// Where a table keeps its files, and which table it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableFiles {
    /// The files lie below these.
    pub prefixes: Box<[Prefix]>,
    /// The warehouse of the table.
    pub warehouse: Box<str>,
    /// The levels of its namespace.
    pub levels: Box<[String]>,
    /// Its name.
    pub name: Box<str>,
    /// Its UUID: another table of this name is not meant.
    pub uuid: u128,
    /// Whether it was there when access was handed out.
    pub presence: Presence,
}

/// Whether a table is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    /// It is.
    There,
    /// Its creation was begun and is not committed.
    Staged,
}

/// The objects of a bucket whose keys begin with a text that ends in `/`, so that `t1` never opens `t10`.
/// Keys are compared as bytes: `..` is no special thing in them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prefix {
    bucket: Box<str>,
    prefix: Box<str>,
    access: PrefixAccess,
}

/// What may be done with the objects below a [`Prefix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PrefixAccess {
    /// Read and list them.
    Read,
    /// The same, and write and delete them, multipart uploads included.
    ReadWrite,
}

impl PrefixAccess {
    /// What an action takes; `None` when it is none of objects below a prefix, nor a listing.
    pub fn needed(action: Action) -> Option<Self> {
        match action {
            Action::GetObject
            | Action::GetObjectVersion
            | Action::GetObjectAttributes
            | Action::GetObjectVersionAttributes
            | Action::GetObjectAcl
            | Action::GetObjectTagging
            | Action::GetObjectVersionTagging
            | Action::GetObjectRetention
            | Action::GetObjectLegalHold
            | Action::ListBucket
            | Action::ListBucketVersions
            | Action::ListBucketMultipartUploads => Some(PrefixAccess::Read),
            Action::PutObject
            | Action::PutObjectAcl
            | Action::DeleteObject
            | Action::DeleteObjectVersion
            | Action::AbortMultipartUpload
            | Action::ListMultipartUploadParts => Some(PrefixAccess::ReadWrite),
            _ => None,
        }
    }
}

impl Prefix {
    /// The objects below `path`; a `/` is added where it lacks. `None` for the whole bucket: nobody is
    /// given that by a prefix.
    pub fn new(bucket: &str, path: &str, access: PrefixAccess) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        (!bucket.is_empty() && !path.is_empty()).then(|| Self {
            bucket: bucket.into(),
            prefix: format!("{path}/").into(),
            access,
        })
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What keys begin with; ends in `/`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What may be done there.
    pub fn access(&self) -> PrefixAccess {
        self.access
    }

    /// Whether it is about this key, or, of a listing, all keys with this beginning.
    pub fn covers(&self, bucket: &str, key: &str) -> bool {
        *self.bucket == *bucket && key.as_bytes().starts_with(self.prefix.as_bytes())
    }

    /// Whether an action on objects, or a listing, is within it.
    pub fn allows(&self, action: Action, resource: Resource<'_>) -> bool {
        let Some(needed) = PrefixAccess::needed(action) else { return false };
        let covered = match resource {
            Resource::Object(bucket, key) => self.covers(bucket, key),
            Resource::Listing(bucket, prefix) => self.covers(bucket, prefix),
            Resource::Server
            | Resource::Bucket(_)
            | Resource::Namespace(..)
            | Resource::Table(..)
            | Resource::View(..) => false,
        };
        covered && needed <= self.access
    }
}

/// What an [`Action`] is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource<'a> {
    /// The whole server.
    Server,
    /// A bucket, which is also a warehouse.
    Bucket(&'a str),
    /// An object: bucket and key.
    Object(&'a str, &'a str),
    /// The names of all objects or uploads of a bucket that begin with a prefix: bucket and prefix.
    Listing(&'a str, &'a str),
    /// A namespace of a warehouse: warehouse and levels.
    Namespace(&'a str, &'a [String]),
    /// A table of a warehouse: warehouse, namespace levels, name.
    Table(&'a str, &'a [String], &'a str),
    /// A view of a warehouse: warehouse, namespace levels, name.
    View(&'a str, &'a [String], &'a str),
}

impl<'a> Resource<'a> {
    /// The bucket or warehouse the resource lies in; `None` for the server itself.
    pub fn bucket(&self) -> Option<&'a str> {
        match *self {
            Resource::Server => None,
            Resource::Bucket(bucket)
            | Resource::Object(bucket, _)
            | Resource::Listing(bucket, _)
            | Resource::Namespace(bucket, _)
            | Resource::Table(bucket, _, _)
            | Resource::View(bucket, _, _) => Some(bucket),
        }
    }
}

/// The action is not allowed. It carries no reason on purpose: a reason would tell what exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("access denied")]
pub struct Denied;

/// What is known of the sender beside who it is. The identity layer puts it into the request's extensions; it
/// holds what the server or a proxy it trusts saw, and nothing that a header only claims.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    /// The other end of the connection, or behind proxies that are trusted the address they tell.
    pub address: Option<IpAddr>,
    /// Whether the connection is encrypted.
    pub transport: Transport,
    /// When the request was authenticated, in seconds since the Unix epoch.
    pub at_seconds: i64,
    /// `User-Agent` as it was sent.
    pub user_agent: Option<HeaderValue>,
    /// `Referer` as it was sent.
    pub referer: Option<HeaderValue>,
}

/// How a request came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// Readable on the way.
    #[default]
    Plain,
    /// Over TLS.
    Encrypted,
}

/// A question to [`Authorize`]. Borrows everything: asking allocates nothing.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// What is to be done.
    pub action: Action,
    /// To what.
    pub resource: Resource<'a>,
    /// What is known of the sender.
    pub sender: Option<&'a Sender>,
    /// Values of the request that conditions may look at, by their condition key: `("s3:prefix", "a/")`.
    pub values: &'a [(&'static str, &'a str)],
}

impl<'a> Ask<'a> {
    /// A question without anything for conditions to look at.
    pub fn new(action: Action, resource: Resource<'a>) -> Self {
        Self { action, resource, sender: None, values: &[] }
    }

    /// With what is known of the sender.
    pub fn sent_by(self, sender: Option<&'a Sender>) -> Self {
        Self { sender, ..self }
    }

    /// With values of the request.
    pub fn with(self, values: &'a [(&'static str, &'a str)]) -> Self {
        Self { values, ..self }
    }

    /// The value of a condition key.
    pub fn value(&self, key: &str) -> Option<&'a str> {
        self.values.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }
}

/// Decides whether a principal may do what it asks for.
pub trait Authorize: Send + Sync + 'static {
    /// `Ok` only when a rule allows it.
    fn authorize(&self, principal: &Principal, ask: Ask<'_>) -> Result<(), Denied>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(access: PrefixAccess) -> Restriction {
        Restriction::Prefixes([Prefix::new("b", "ns/t1", access).unwrap()].into())
    }

    fn allows(restriction: &Restriction, action: Action, resource: Resource<'_>) -> bool {
        restriction.prefixes_allow(action, resource).unwrap()
    }

    #[test]
    fn behind_sessions_of_sessions_is_who_began_the_first() {
        let within = |parent: Principal, id: &str| {
            let restriction = session(PrefixAccess::Read);
            Principal::Session(Arc::new(Session {
                id: id.into(),
                parent,
                restriction,
                expires: 0,
                ticket: None,
            }))
        };
        for holder in [Principal::Root, Principal::AccessKey("ada".into()), Principal::Anonymous] {
            let inner = within(within(holder.clone(), "outer"), "inner");
            assert_eq!((inner.behind(), holder.behind()), (&holder, &holder));
            let ids: Vec<&str> = inner.sessions().map(|session| &*session.id).collect();
            assert_eq!((ids, holder.sessions().count()), (vec!["inner", "outer"], 0));
        }
    }

    #[test]
    fn a_prefix_opens_what_lies_below_it_and_no_sibling() {
        let restriction = session(PrefixAccess::ReadWrite);
        for (key, inside) in [
            ("ns/t1/data/f", true),
            ("ns/t1/", true),
            ("ns/t1/../t2/f", true), // a key of its own, not another's
            ("ns/t1", false),
            ("ns/t10/data/f", false),
            ("ns/t", false),
            ("ns/x/../t1/f", false),
            ("/ns/t1/f", false),
            ("NS/t1/f", false),
            ("", false),
        ] {
            for action in [Action::GetObject, Action::PutObject] {
                assert_eq!(allows(&restriction, action, Resource::Object("b", key)), inside, "{key}");
            }
            assert!(!allows(&restriction, Action::GetObject, Resource::Object("b2", key)), "{key}");
        }
    }

    #[test]
    fn a_listing_must_stay_inside_the_prefix() {
        let restriction = session(PrefixAccess::Read);
        for (prefix, inside) in
            [("ns/t1/", true), ("ns/t1/da", true), ("ns/t1", false), ("ns/", false), ("", false)]
        {
            assert_eq!(
                allows(&restriction, Action::ListBucket, Resource::Listing("b", prefix)),
                inside,
                "{prefix}"
            );
        }
    }

    #[test]
    fn a_prefix_opens_no_bucket_no_catalog_and_no_administration() {
        let restriction = session(PrefixAccess::ReadWrite);
        let levels = ["ns".to_owned()];
        let places = [
            Resource::Server,
            Resource::Bucket("b"),
            Resource::Namespace("b", &levels),
            Resource::Table("b", &levels, "t1"),
        ];
        for place in places {
            for action in Action::ALL.iter().copied() {
                assert!(!allows(&restriction, action, place), "{action:?} {place:?}");
            }
        }
        for &action in Action::ALL.iter().filter(|action| action.family() != Family::S3) {
            assert!(!allows(&restriction, action, Resource::Object("b", "ns/t1/f")), "{action:?}");
        }
    }

    #[test]
    fn a_prefix_to_read_lets_nothing_be_written() {
        let restriction = session(PrefixAccess::Read);
        assert!(allows(&restriction, Action::GetObject, Resource::Object("b", "ns/t1/f")));
        assert!(!allows(&restriction, Action::PutObject, Resource::Object("b", "ns/t1/f")));
    }

    #[test]
    fn no_prefix_is_a_whole_bucket() {
        for (bucket, path) in [("b", ""), ("b", "/"), ("", "a")] {
            assert_eq!(Prefix::new(bucket, path, PrefixAccess::Read), None, "{bucket} {path}");
        }
        assert_eq!(Prefix::new("b", "a/", PrefixAccess::Read).unwrap().prefix(), "a/");
    }
}
