//! Reading and changing typed documents.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tarn_catalog::CommitError;
use tarn_catalog::state::{CatalogState, Conflict, Expect};
use zeroize::Zeroizing;

use super::{Directory, DirectoryError};

/// How often a change is tried again that another one came before.
const TRIES_MAX: usize = 8;

/// A kind of documents, and what people call one.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) kind: &'static str,
    pub(super) called: &'static str,
}

impl Kind {
    pub(super) fn missing(self, name: &str) -> DirectoryError {
        DirectoryError::Missing { kind: self.called, name: name.into() }
    }
}

/// The documents of a kind that can be read, by name, those behind `after`.
pub(super) fn read<'s, T: DeserializeOwned>(
    state: &'s CatalogState,
    kind: &'static str,
    after: Option<&'s str>,
) -> impl Iterator<Item = (&'s Arc<str>, T)> {
    state.documents(kind, after).filter_map(move |(name, document)| {
        match serde_json::from_str(&document.json) {
            Ok(read) => Some((name, read)),
            Err(error) => {
                tracing::error!(document.kind = kind, document.id = %name, %error, "a document cannot be read");
                None
            }
        }
    })
}

impl Directory {
    /// All documents of a kind that can be read, by name.
    pub(super) fn all<T: DeserializeOwned>(&self, kind: &'static str) -> Vec<(Arc<str>, T)> {
        let state = self.catalog.snapshot();
        read(&state, kind, None).map(|(name, document)| (name.clone(), document)).collect()
    }

    /// Refuses one more of a kind than there may be.
    pub(super) fn expect_room(
        &self,
        kind: &'static str,
        most: usize,
        of: &'static str,
    ) -> Result<(), DirectoryError> {
        let count = self.catalog.snapshot().documents(kind, None).count();
        if count < most { Ok(()) } else { Err(DirectoryError::Full { most, of }) }
    }

    /// A document and its revision.
    pub(super) fn one<T: DeserializeOwned>(
        &self,
        kind: Kind,
        name: &str,
    ) -> Result<(T, u64), DirectoryError> {
        let kept = self.catalog.get_document(kind.kind, name).ok_or_else(|| kind.missing(name))?;
        let read = serde_json::from_str(&kept.json).map_err(|_| DirectoryError::Damaged(name.into()))?;
        Ok((read, kept.revision))
    }

    /// Keeps a new document, durable when this returns.
    pub(super) async fn create<T: Serialize>(
        &self,
        kind: &'static str,
        name: &str,
        document: &T,
    ) -> Result<(), DirectoryError> {
        match self.put(kind, name, document, Expect::Absent).await {
            Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => {
                Err(DirectoryError::Exists(name.into()))
            }
            outcome => outcome.map_err(DirectoryError::Commit),
        }
    }

    /// Changes a document, durable when this returns. `change` may be asked again with what another change left.
    pub(super) async fn update<T: Serialize + DeserializeOwned>(
        &self,
        kind: Kind,
        name: &str,
        mut change: impl FnMut(&mut T) -> Result<(), DirectoryError>,
    ) -> Result<(), DirectoryError> {
        for _ in 0..TRIES_MAX {
            let (mut document, revision) = self.one::<T>(kind, name)?;
            change(&mut document)?;
            match self.put(kind.kind, name, &document, Expect::Revision(revision)).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => {}
                Err(error) => return Err(DirectoryError::Commit(error)),
            }
        }
        Err(DirectoryError::Contended)
    }

    /// Deletes a document as it was read.
    pub(super) async fn remove(&self, kind: Kind, name: &str, revision: u64) -> Result<(), DirectoryError> {
        match self.catalog.delete_document(kind.kind, name, Expect::Revision(revision)).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict(Conflict::NoSuchDocument { .. })) => Err(kind.missing(name)),
            Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => Err(DirectoryError::Contended),
            Err(error) => Err(DirectoryError::Commit(error)),
        }
    }

    async fn put<T: Serialize>(
        &self,
        kind: &'static str,
        name: &str,
        document: &T,
        expect: Expect,
    ) -> Result<(), CommitError> {
        let json = serde_json::to_string(document).expect("texts and lists always become JSON");
        let json = Zeroizing::new(json);
        self.catalog.put_document(kind, name, &json, expect).await.map(|_| ())
    }
}
