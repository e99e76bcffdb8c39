//! Inventories of buckets as this front serves them: definitions are texts that others read, keep and act on.

use std::error::Error;

use async_trait::async_trait;
use tarn_openapi::access::{Principal, Sender};

use crate::name::BucketName;

/// Keeps definitions of inventories. Whoever calls it was allowed to read or write the bucket's definitions.
#[async_trait]
pub trait Inventories: Send + Sync {
    /// Keeps a definition, in place of an older one with this id.
    async fn put(&self, call: &InventoryCall<'_>, text: &[u8]) -> Result<(), InventoryError>;

    /// The document that tells a definition.
    fn get(&self, call: &InventoryCall<'_>) -> Result<String, InventoryError>;

    /// The document that tells the definitions behind `token`, or the first ones.
    fn list(&self, call: &InventoryCall<'_>, token: Option<&str>) -> Result<String, InventoryError>;

    /// Deletes a definition.
    async fn delete(&self, call: &InventoryCall<'_>) -> Result<(), InventoryError>;

    /// A definition to begin with.
    fn template(&self, call: &InventoryCall<'_>) -> Result<String, InventoryError>;

    /// The document that tells how an inventory stands.
    fn status(&self, call: &InventoryCall<'_>) -> Result<String, InventoryError>;

    /// Deletes all definitions of a bucket that is no more.
    async fn forget(&self, bucket: &BucketName) -> Result<(), InventoryError>;
}

/// Whose API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InventoryFace {
    /// AWS: `?inventory`, XML.
    Aws,
    /// AIStor: `?minio-inventory`, YAML in and JSON out.
    Aistor,
}

/// What a call is about, and who makes it.
pub struct InventoryCall<'a> {
    /// Whose API is spoken.
    pub face: InventoryFace,
    /// The bucket.
    pub bucket: &'a BucketName,
    /// The inventory's id, as the client gave it; empty in a listing.
    pub id: &'a str,
    /// Who calls.
    pub caller: &'a Principal,
    /// Where from and how.
    pub sender: Option<&'a Sender>,
}

/// Why a call was not done.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The text is no definition.
    #[error("{0}")]
    Malformed(String),
    /// A value of it cannot be.
    #[error("{message}")]
    Invalid {
        /// What holds the value.
        name: String,
        /// The value.
        value: String,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// It asks for what is not done here.
    #[error("{0}")]
    NotImplemented(String),
    /// The caller may not do what the definition asks for.
    #[error("{0}")]
    Denied(String),
    /// There is no such definition.
    #[error("there is no such definition")]
    Missing,
    /// The bucket has as many as it may have.
    #[error("a bucket has at most {limit} inventories")]
    TooMany {
        /// How many.
        limit: usize,
    },
    /// It can be tried again: nothing took place.
    #[error("the definitions cannot be changed now")]
    Busy,
    /// It failed, or nobody knows.
    #[error("the definitions could not be read or changed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}
