//! Documents: shares, keys, policies and jobs, kept in the same log as tables, so they commit
//! atomically and recover in the same order.

use std::sync::Arc;

use crate::Catalog;
use crate::commit::{CommitError, Committed};
use crate::state::{Document, Expect, Request};

impl Catalog {
    /// A document as it is now.
    pub fn get_document(&self, kind: &str, id: &str) -> Option<Document> {
        self.snapshot().document(kind, id).cloned()
    }

    /// The documents of a kind, in order of id.
    pub fn list_documents(&self, kind: &str) -> Vec<(Arc<str>, Document)> {
        let state = self.snapshot();
        state.documents(kind, None).map(|(id, document)| (id.clone(), document.clone())).collect()
    }

    /// Puts a document when what is there is as expected.
    pub async fn put_document(
        &self,
        kind: &str,
        id: &str,
        json: &str,
        expect: Expect,
    ) -> Result<Committed, CommitError> {
        let request = Request::PutDocument { kind: kind.into(), id: id.into(), json: json.into(), expect };
        self.commit(request).await
    }

    /// Deletes a document when it is as expected.
    pub async fn delete_document(
        &self,
        kind: &str,
        id: &str,
        expect: Expect,
    ) -> Result<Committed, CommitError> {
        self.commit(Request::DeleteDocument { kind: kind.into(), id: id.into(), expect }).await
    }
}
