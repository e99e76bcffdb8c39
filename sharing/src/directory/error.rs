//! Why a share or recipient was not changed.

use tarn_catalog::{CommitError, WarehouseError};

use super::Named;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A name breaks the rules.
    #[error(
        "{name:?} cannot be the name of a {named}: one has 1 to 255 bytes and no white space, no '/', and in schemas and \
         tables no '.'"
    )]
    Name {
        /// Of what.
        named: Named,
        /// The name.
        name: String,
    },
    /// What was asked for cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The name is taken.
    #[error("there is a {named} {name:?} already")]
    Exists {
        /// Of what.
        named: Named,
        /// The name.
        name: String,
    },
    /// There is none.
    #[error("there is no {named} {name:?}")]
    Missing {
        /// Of what.
        named: Named,
        /// The name.
        name: String,
    },
    /// The recipient may not read the share.
    #[error("{recipient:?} has no grant on {share:?}")]
    NoGrant {
        /// The recipient.
        recipient: String,
        /// The share.
        share: String,
    },
    /// The recipient has no such token.
    #[error("there is no token {0:?}")]
    NoToken(String),
    /// What is to be shared is not there.
    #[error("{0}")]
    NoSource(String),
    /// Tables are in it.
    #[error("the schema {0:?} has tables")]
    NotEmpty(String),
    /// As many as there can be.
    #[error("there can be at most {most} {of}")]
    Full {
        /// How many.
        most: usize,
        /// Of what.
        of: &'static str,
    },
    /// The document would be too long.
    #[error("{name:?} would take more than {bytes_max} bytes")]
    TooLarge {
        /// The share or recipient.
        name: String,
        /// Its most bytes.
        bytes_max: usize,
    },
    /// Others changed it again and again meanwhile.
    #[error("it is being changed by others; try again")]
    Contended,
    /// What is kept cannot be read.
    #[error("the document of the {named} {name:?} cannot be read")]
    Damaged {
        /// Of what.
        named: Named,
        /// Its name.
        name: String,
    },
    /// The bucket of a table to share cannot be asked.
    #[error("the bucket cannot be asked")]
    Bucket(#[source] WarehouseError),
    /// The files of a table to share cannot be listed.
    #[error("the files of the table cannot be listed")]
    Listing(#[source] object_store::Error),
    /// The catalog did not take it.
    #[error("the change could not be stored")]
    Commit(#[source] CommitError),
}
