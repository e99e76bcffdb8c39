//! Why a user, group, service account or policy was not changed.

use tarn_catalog::CommitError;

use super::super::key::InvalidKey;
use super::super::policy::InvalidPolicy;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// An id or secret breaks the rules.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// A name breaks the rules.
    #[error("{0:?} is no name: one has 1 to 128 of a-z, A-Z, 0-9 and -_.@+=")]
    Name(String),
    /// A policy cannot be read.
    #[error("the policy is not valid")]
    Policy(#[source] InvalidPolicy),
    /// A description is too long.
    #[error("a description has at most {bytes_max} bytes")]
    Description {
        /// Its most bytes.
        bytes_max: usize,
    },
    /// The name is taken.
    #[error("{0:?} exists already")]
    Exists(String),
    /// There is none.
    #[error("there is no {kind} {name:?}")]
    Missing {
        /// What kind of thing.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// It is attached or has members.
    #[error("{name:?} is in use by {by:?}")]
    InUse {
        /// What cannot be deleted.
        name: String,
        /// One that uses it.
        by: String,
    },
    /// Every server has it.
    #[error("the policy {0:?} is built in")]
    BuiltIn(String),
    /// As many as there can be.
    #[error("there can be at most {most} {of}")]
    Full {
        /// How many.
        most: usize,
        /// Of what.
        of: &'static str,
    },
    /// Others changed it again and again meanwhile.
    #[error("it is being changed by others; try again")]
    Contended,
    /// What is kept cannot be read.
    #[error("the document of {0:?} cannot be read")]
    Damaged(String),
    /// The catalog did not take it.
    #[error("the change could not be stored")]
    Commit(#[source] CommitError),
}
