//! Tables of what changed in a bucket and of what is in it (AWS: S3 Metadata), as this front serves them: others keep
//! them, this front reads and tells what is said of them.

use std::error::Error;

use async_trait::async_trait;
use tarn_openapi::access::{Principal, Sender};

use crate::name::BucketName;

/// Keeps metadata tables. Whoever calls it was allowed to do with the bucket's configuration what is asked.
#[async_trait]
pub trait MetadataTables: Send + Sync {
    /// Begins the tables of a bucket that has none.
    async fn create(&self, call: &MetadataCall<'_>, wanted: MetadataWanted) -> Result<(), MetadataError>;

    /// How the tables of a bucket stand.
    async fn get(&self, call: &MetadataCall<'_>) -> Result<MetadataTold, MetadataError>;

    /// Changes how long the rows of the journal stay.
    async fn expire(&self, call: &MetadataCall<'_>, after: Expiration) -> Result<(), MetadataError>;

    /// Begins or ends the table of the objects there are.
    async fn keep_inventory(
        &self,
        call: &MetadataCall<'_>,
        inventory: LiveInventory,
    ) -> Result<(), MetadataError>;

    /// Writes the tables of a bucket no more. The tables stay.
    async fn delete(&self, call: &MetadataCall<'_>) -> Result<(), MetadataError>;

    /// A bucket of this name is about to be made: tables of another one before it are written no more.
    async fn forget(&self, bucket: &BucketName) -> Result<(), MetadataError>;
}

/// What a call is about, and who makes it.
pub struct MetadataCall<'a> {
    /// The bucket.
    pub bucket: &'a BucketName,
    /// Who calls.
    pub caller: &'a Principal,
    /// Where from and how.
    pub sender: Option<&'a Sender>,
}

/// The tables somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataWanted {
    /// How long the rows of the journal stay.
    pub expiration: Expiration,
    /// Whether there is a table of the objects there are.
    pub inventory: LiveInventory,
}

/// How long the rows of a journal stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiration {
    /// For ever.
    Never,
    /// So many days.
    Days(u32),
}

/// Whether there is a table of the objects there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveInventory {
    /// There is.
    Enabled,
    /// There is not.
    Disabled,
}

/// How the tables of a bucket stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataTold {
    /// The warehouse of the tables.
    pub warehouse: String,
    /// Their namespace.
    pub namespace: String,
    /// The journal.
    pub journal: MetadataTable,
    /// How long its rows stay.
    pub expiration: Expiration,
    /// The table of the objects there are, where it is wanted.
    pub inventory: Option<MetadataTable>,
}

/// How a table stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataTable {
    /// Its name.
    pub name: String,
    /// Its UUID, once it is made.
    pub uuid: Option<String>,
    /// What it does.
    pub status: MetadataStatus,
}

/// What a table does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataStatus {
    /// It is being made.
    Creating,
    /// The objects that there were are being written to it.
    Backfilling,
    /// It tells what there is.
    Active,
    /// It cannot be written: why.
    Failed(String),
}

/// Why a call was not done.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// A value of it cannot be.
    #[error("{message}")]
    Invalid {
        /// What holds the value.
        name: &'static str,
        /// The value.
        value: String,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// The caller may not do what is asked for.
    #[error("{0}")]
    Denied(String),
    /// The bucket has no tables.
    #[error("there are no metadata tables")]
    Missing,
    /// The bucket has tables.
    #[error("there are metadata tables")]
    Exists,
    /// It can be tried again: nothing took place.
    #[error("the metadata tables cannot be changed now")]
    Busy,
    /// It failed, or nobody knows.
    #[error("the metadata tables could not be read or changed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}
