//! Who asks for what: [`Principal`], [`Action`], [`Resource`] and the [`Authorize`] trait.
//!
//! Authentication happens once, in the binary, and leaves a [`Principal`] in the request's
//! extensions. Each front then asks [`Authorize`] before it calls its domain. The rule is
//! default deny: an action that no rule allows is refused.

use std::sync::Arc;

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// No credentials were sent.
    Anonymous,
    /// The root access key from the configuration.
    Root,
    /// An access key created through the admin API. Holds the key's id, never its secret.
    AccessKey(Arc<str>),
}

/// What a request wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read objects and their attributes, list keys, read bucket settings.
    ObjectRead,
    /// Write or delete objects, run multipart uploads.
    ObjectWrite,
    /// List the buckets.
    BucketList,
    /// Create or delete buckets.
    BucketManage,
    /// Read namespaces, tables and their metadata.
    CatalogRead,
    /// Create, commit, rename or drop namespaces and tables.
    CatalogWrite,
    /// Create or delete warehouses.
    WarehouseManage,
    /// Administer the server: access keys, drives, status.
    Admin,
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
    /// A namespace of a warehouse: warehouse and levels.
    Namespace(&'a str, &'a [String]),
    /// A table of a warehouse: warehouse, namespace levels, name.
    Table(&'a str, &'a [String], &'a str),
}

impl<'a> Resource<'a> {
    /// The bucket or warehouse the resource lies in; `None` for the server itself.
    pub fn bucket(&self) -> Option<&'a str> {
        match *self {
            Resource::Server => None,
            Resource::Bucket(bucket)
            | Resource::Object(bucket, _)
            | Resource::Namespace(bucket, _)
            | Resource::Table(bucket, _, _) => Some(bucket),
        }
    }
}

/// The action is not allowed. It carries no reason on purpose: a reason would tell what exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("access denied")]
pub struct Denied;

/// Decides whether a principal may do an action to a resource.
pub trait Authorize: Send + Sync + 'static {
    /// `Ok` only when a rule allows it.
    fn authorize(&self, principal: &Principal, action: Action, resource: Resource<'_>) -> Result<(), Denied>;
}
