//! Definitions: put, listed and deleted, as documents of the catalog's log.

use std::sync::{Arc, PoisonError};

use tarn_catalog::CommitError;
use tarn_catalog::state::{Conflict, Document, Expect};

use super::changes::ChangeError;
use super::definition::{Author, Definition, NewDefinition};
use super::work::{InvalidSpec, Work};
use super::{Inner, Jobs, now_ms};

/// The kind of the documents of definitions; their ids are their names.
const KIND: &str = "job";

/// What may be there when a definition is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// Nothing.
    Create,
    /// One of this name.
    Replace,
    /// Either.
    Any,
}

/// A definition was not put.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// Something in it is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidSpec),
    /// There is no such kind of work.
    #[error("there is no kind of job '{kind}'; there are: {allowed}")]
    NoSuchKind {
        /// What was asked for.
        kind: String,
        /// What there is.
        allowed: String,
    },
    /// There is one of this name.
    #[error("there is a job '{0}'")]
    Exists(String),
    /// There is none of this name.
    #[error("there is no job '{0}'")]
    Missing(String),
    /// There are as many as there may be.
    #[error(
        "there are {0} jobs, inventories and batches among them, as many as a server may have: delete one first"
    )]
    TooMany(usize),
    /// Somebody else changed it meanwhile.
    #[error("job '{0}' was changed meanwhile")]
    Changed(String),
    /// The catalog did not do it, or does not know.
    #[error(transparent)]
    Commit(CommitError),
}

/// A definition was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// There is none of this name.
    #[error("there is no job '{0}'")]
    Missing(String),
    /// Its run could not be canceled.
    #[error(transparent)]
    Run(ChangeError),
    /// The catalog did not do it, or does not know.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl Jobs {
    /// Puts a definition for `author`: checked, in its full form. A new or changed one is due at once; a run of the
    /// one before goes on with what it began with.
    pub async fn put(&self, new: NewDefinition, put: Put, author: Author) -> Result<Definition, PutError> {
        let made = self.inner.put(new, put, author).await?;
        self.inner.wake.notify_one();
        Ok(self.inner.shown_definition(&made))
    }

    /// Checks a definition as [`Jobs::put`] does, and keeps nothing. Answers its specification in full form.
    pub async fn check(&self, new: &NewDefinition, author: &Author) -> Result<serde_json::Value, PutError> {
        let (work, full) = self.inner.check(new, author).await?;
        let full = self.inner.filled(work, full, new, author)?;
        Ok(work.shown(&full))
    }

    /// A definition; its specification as it is shown.
    pub fn get(&self, name: &str) -> Option<Definition> {
        self.inner.definition(name).map(|(definition, _)| self.inner.shown_definition(&definition))
    }

    /// All definitions in order of name; their specifications as they are shown.
    pub fn list(&self) -> Vec<Definition> {
        let inner = &self.inner;
        inner.definitions().iter().map(|definition| inner.shown_definition(definition)).collect()
    }

    /// The definitions whose names begin so, in order of name; their specifications as they are shown.
    pub fn list_below(&self, begin: &str) -> Vec<Definition> {
        let inner = &self.inner;
        let found = inner.definitions().into_iter().filter(|definition| definition.name.starts_with(begin));
        found.map(|definition| inner.shown_definition(&definition)).collect()
    }

    /// When a definition is due next, in milliseconds since 1970; `None`: never, or as soon as its run ends.
    pub fn next_ms(&self, definition: &Definition) -> Option<i64> {
        definition.due_ms(self.inner.lock().last_ms.get(&definition.name).copied())
    }

    /// Deletes a definition and cancels its run. Runs that ended stay for a while.
    pub async fn delete(&self, name: &str) -> Result<(), DeleteError> {
        let deleting = self.inner.begin.lock().await;
        let (_, revision) =
            self.inner.definition(name).ok_or_else(|| DeleteError::Missing(name.to_owned()))?;
        self.inner.catalog.delete_document(KIND, name, Expect::Revision(revision)).await?;
        let running = self.inner.run_of(name);
        drop(deleting);
        let Some(running) = running else { return Ok(()) };
        match self.cancel(running).await {
            // It ended by itself, or is about to.
            Ok(_) | Err(ChangeError::NoSuchRun(_) | ChangeError::NotAllowed { .. }) => Ok(()),
            Err(error) => Err(DeleteError::Run(error)),
        }
    }
}

impl Inner {
    async fn put(&self, mut new: NewDefinition, put: Put, author: Author) -> Result<Definition, PutError> {
        let (work, full) = self.check(&new, &author).await?;
        let _putting = self.begin.lock().await;
        new.spec = self.filled(work, full, &new, &author)?;
        let before = self.definition(&new.name);
        let expect = match (&before, put) {
            (Some(_), Put::Create) => return Err(PutError::Exists(new.name)),
            (None, Put::Replace) => return Err(PutError::Missing(new.name)),
            (Some((_, revision)), Put::Replace | Put::Any) => Expect::Revision(*revision),
            (None, Put::Create | Put::Any) => Expect::Absent,
        };
        let definitions = self.catalog.snapshot().documents(KIND, None).count();
        if before.is_none() && definitions >= self.settings.definitions {
            return Err(PutError::TooMany(definitions));
        }
        let before = before.map(|(before, _)| before);
        let made = new.over(before.as_ref(), author, now_ms());
        if before.as_ref() == Some(&made) {
            return Ok(made);
        }
        let json = serde_json::json!(made).to_string();
        match self.catalog.put_document(KIND, &made.name, &json, expect).await {
            Ok(_) => Ok(made),
            Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => Err(PutError::Changed(made.name)),
            Err(error) => Err(PutError::Commit(error)),
        }
    }

    /// A specification with what was left out of it, from the definition that is there.
    fn filled(
        &self,
        work: &Arc<dyn Work>,
        full: serde_json::Value,
        new: &NewDefinition,
        author: &Author,
    ) -> Result<serde_json::Value, PutError> {
        let before = self.definition(&new.name).map(|(before, _)| before);
        // Whoever else puts it must not use what another was trusted with.
        let before = before.filter(|before| before.kind == new.kind && before.author == *author);
        Ok(work.fill(full, before.as_ref().map(|before| &before.spec))?)
    }

    async fn check(
        &self,
        new: &NewDefinition,
        author: &Author,
    ) -> Result<(&Arc<dyn Work>, serde_json::Value), PutError> {
        new.check()?;
        let work = self.works.get(&*new.kind).ok_or_else(|| PutError::NoSuchKind {
            kind: new.kind.chars().take(100).collect(),
            allowed: self.works.keys().copied().collect::<Vec<_>>().join(", "),
        })?;
        Ok((work, work.check(&new.spec, author).await?))
    }

    /// A definition and its revision.
    pub(super) fn definition(&self, name: &str) -> Option<(Definition, u64)> {
        let document = self.catalog.get_document(KIND, name)?;
        Some((read(name, &document)?, document.revision))
    }

    /// All definitions in order of name. Only those that changed since are read anew: a revision never repeats.
    pub(super) fn definitions(&self) -> Vec<Arc<Definition>> {
        let state = self.catalog.snapshot();
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *parsed);
        let mut found = Vec::with_capacity(before.len());
        for (name, document) in state.documents(KIND, None) {
            let known = before.remove(name).filter(|(revision, _)| *revision == document.revision);
            let known = known.map(|(_, definition)| definition);
            let Some(definition) = known.or_else(|| read(name, document).map(Arc::new)) else { continue };
            found.push(definition.clone());
            parsed.insert(name.clone(), (document.revision, definition));
        }
        found
    }

    pub(super) fn shown_definition(&self, definition: &Definition) -> Definition {
        let mut shown = definition.clone();
        shown.spec = match self.works.get(&*definition.kind) {
            Some(work) => work.shown(&definition.spec),
            // Nobody knows what in it is secret.
            None => serde_json::Value::Null,
        };
        shown
    }
}

fn read(name: &str, document: &Document) -> Option<Definition> {
    match serde_json::from_str(&document.json) {
        Ok(definition) => Some(definition),
        Err(error) => {
            tracing::error!(job = name, %error, "a job's definition cannot be read");
            None
        }
    }
}
