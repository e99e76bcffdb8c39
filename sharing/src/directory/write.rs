//! Reading and changing typed documents.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tarn_catalog::CommitError;
use tarn_catalog::state::limits::DOCUMENT_BYTES_MAX;
use tarn_catalog::state::{Conflict, Expect};

use super::name::lower;
use super::{Directory, DirectoryError, Named, RECIPIENT_KIND, Recipient, SHARE_KIND, Share};

/// How often a change is tried again that another one came before.
const TRIES_MAX: usize = 8;

/// A document with a name of its own.
pub(super) trait Document: Clone + PartialEq + Serialize + DeserializeOwned {
    const KIND: &'static str;
    const NAMED: Named;

    /// Its name as it was given.
    fn name(&self) -> &str;
}

impl Document for Share {
    const KIND: &'static str = SHARE_KIND;
    const NAMED: Named = Named::Share;

    fn name(&self) -> &str {
        &self.name
    }
}

impl Document for Recipient {
    const KIND: &'static str = RECIPIENT_KIND;
    const NAMED: Named = Named::Recipient;

    fn name(&self) -> &str {
        &self.name
    }
}

fn missing<T: Document>(name: &str) -> DirectoryError {
    DirectoryError::Missing { named: T::NAMED, name: name.into() }
}

impl Directory {
    /// Documents that can be read, in order of their ids, those behind `after`.
    pub(super) fn all<T: Document>(&self, after: Option<&str>, most: usize) -> Vec<T> {
        let state = self.catalog.snapshot();
        let after = after.map(lower);
        let documents = state.documents(T::KIND, after.as_deref());
        let read = documents.filter_map(|(id, document)| match serde_json::from_str(&document.json) {
            Ok(read) => Some(read),
            Err(error) => {
                tracing::error!(document.kind = T::KIND, document.id = %id, %error, "a document cannot be read");
                None
            }
        });
        read.take(most).collect()
    }

    /// A document and its revision.
    pub(super) fn one<T: Document>(&self, name: &str) -> Result<(T, u64), DirectoryError> {
        let kept = self.catalog.get_document(T::KIND, &lower(name)).ok_or_else(|| missing::<T>(name))?;
        let read = serde_json::from_str(&kept.json);
        let damaged = |_| DirectoryError::Damaged { named: T::NAMED, name: name.into() };
        Ok((read.map_err(damaged)?, kept.revision))
    }

    /// Refuses where there are `most` already.
    pub(super) fn expect_room<T: Document>(
        &self,
        most: usize,
        of: &'static str,
    ) -> Result<(), DirectoryError> {
        let count = self.catalog.snapshot().documents(T::KIND, None).count();
        if count < most { Ok(()) } else { Err(DirectoryError::Full { most, of }) }
    }

    /// Keeps a new document, durable when this returns.
    pub(super) async fn create<T: Document>(&self, document: &T) -> Result<(), DirectoryError> {
        match self.put(document, Expect::Absent).await? {
            Put::Done => Ok(()),
            Put::Changed => Err(DirectoryError::Exists { named: T::NAMED, name: document.name().into() }),
        }
    }

    /// Changes a document, durable when this returns what it is then. `change` may be asked again with what another change
    /// left. A change that changes nothing is not written.
    pub(super) async fn update<T: Document, R>(
        &self,
        name: &str,
        mut change: impl FnMut(&mut T) -> Result<R, DirectoryError>,
    ) -> Result<(T, R), DirectoryError> {
        for _ in 0..TRIES_MAX {
            let (was, revision) = self.one::<T>(name)?;
            let mut document = was.clone();
            let told = change(&mut document)?;
            if document == was {
                return Ok((document, told));
            }
            match self.put(&document, Expect::Revision(revision)).await? {
                Put::Done => return Ok((document, told)),
                Put::Changed => {}
            }
        }
        Err(DirectoryError::Contended)
    }

    /// Deletes a document, gone when this returns what it was.
    pub(super) async fn remove<T: Document>(&self, name: &str) -> Result<T, DirectoryError> {
        for _ in 0..TRIES_MAX {
            let (document, revision) = self.one::<T>(name)?;
            match self.catalog.delete_document(T::KIND, &lower(name), Expect::Revision(revision)).await {
                Ok(_) => return Ok(document),
                Err(CommitError::Conflict(Conflict::NoSuchDocument { .. })) => {
                    return Err(missing::<T>(name));
                }
                Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => {}
                Err(error) => return Err(DirectoryError::Commit(error)),
            }
        }
        Err(DirectoryError::Contended)
    }

    async fn put<T: Document>(&self, document: &T, expect: Expect) -> Result<Put, DirectoryError> {
        let json = serde_json::to_string(document).expect("texts, numbers and lists always become JSON");
        if json.len() > DOCUMENT_BYTES_MAX {
            let name = document.name().into();
            return Err(DirectoryError::TooLarge { name, bytes_max: DOCUMENT_BYTES_MAX });
        }
        let id: Arc<str> = lower(document.name()).into();
        match self.catalog.put_document(T::KIND, &id, &json, expect).await {
            Ok(_) => Ok(Put::Done),
            Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => Ok(Put::Changed),
            Err(error) => Err(DirectoryError::Commit(error)),
        }
    }
}

/// What became of a document that was put.
enum Put {
    Done,
    /// What is there is not what was expected.
    Changed,
}
