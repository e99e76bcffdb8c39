//! Planning changes of documents.

use std::sync::Arc;

use super::super::limits::{DOCUMENT_BYTES_MAX, DOCUMENT_NAME_BYTES_MAX};
use super::super::name::check_name;
use super::super::{CatalogState, Change, Conflict, Expect};
use super::Plan;

impl CatalogState {
    pub(super) fn plan_put_document(
        &self,
        (kind, id): (&Arc<str>, &Arc<str>),
        json: &Arc<str>,
        expect: Expect,
        at: i64,
    ) -> Result<Plan, Conflict> {
        check_name("document kind", kind, DOCUMENT_NAME_BYTES_MAX)?;
        check_name("document id", id, DOCUMENT_NAME_BYTES_MAX)?;
        if json.len() > DOCUMENT_BYTES_MAX {
            return Err(Conflict::Invalid(format!("a document has at most {DOCUMENT_BYTES_MAX} bytes")));
        }
        self.check_document(kind, id, expect)?;
        let change =
            Change::PutDocument { kind: Arc::clone(kind), id: Arc::clone(id), json: Arc::clone(json) };
        Ok(Plan::of(at, vec![change]))
    }

    pub(super) fn plan_delete_document(
        &self,
        (kind, id): (&Arc<str>, &Arc<str>),
        expect: Expect,
        at: i64,
    ) -> Result<Plan, Conflict> {
        self.check_document(kind, id, expect)?;
        if self.document(kind, id).is_none() {
            return Err(Conflict::NoSuchDocument { kind: Arc::clone(kind), id: Arc::clone(id) });
        }
        Ok(Plan::of(at, vec![Change::DeleteDocument { kind: Arc::clone(kind), id: Arc::clone(id) }]))
    }

    fn check_document(&self, kind: &Arc<str>, id: &Arc<str>, expect: Expect) -> Result<(), Conflict> {
        let found = self.document(kind, id).map(|document| document.revision);
        let holds = match expect {
            Expect::Any => true,
            Expect::Absent => found.is_none(),
            Expect::Revision(revision) => found == Some(revision),
        };
        if holds {
            return Ok(());
        }
        Err(Conflict::DocumentChanged { kind: Arc::clone(kind), id: Arc::clone(id), found })
    }
}
