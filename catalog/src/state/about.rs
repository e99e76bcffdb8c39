//! What a request is about: the table or view that it changes, what planning reads for it, and what it is called.

use super::name::TableIdent;
use super::request::{DropTable, Existing, Request};

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A table.
    Table(TableIdent),
    /// A view.
    View(TableIdent),
}

impl Request {
    /// What is asked for, as the history of the catalog tells it. It is on disk, so a word stays what it is.
    pub fn verb(&self) -> &'static str {
        match self {
            Request::CreateWarehouse { .. } => "create warehouse",
            Request::DropWarehouse { .. } => "drop warehouse",
            Request::CreateNamespace { .. } => "create namespace",
            Request::UpdateWarehouse { .. } => "update warehouse",
            Request::DropNamespace { .. } => "drop namespace",
            Request::UpdateNamespace { .. } => "update namespace",
            Request::CreateTable(_) => "create table",
            Request::StageTable(_) => "stage table",
            Request::CommitTables(_) => "commit tables",
            Request::RollbackTables(_) => "roll back tables",
            Request::DropTable(_) => "drop table",
            Request::UndropTable(_) => "undrop table",
            Request::RemoveDropped { .. } | Request::ExpireDropped { .. } => "end keeping",
            Request::UnregisterTable { .. } => "unregister table",
            Request::RenameTable { .. } => "rename table",
            Request::RegisterTable { .. } => "register table",
            Request::CreateView(_) => "create view",
            Request::CommitView(_) => "commit view",
            Request::DropView { .. } => "drop view",
            Request::RenameView { .. } => "rename view",
            Request::RegisterView { .. } => "register view",
            Request::Refuse { .. } => "refuse",
            Request::PutFunction { .. } => "put function",
            Request::DeleteFunction { .. } => "delete function",
            Request::PutDocument { .. } => "put document",
            Request::DeleteDocument { .. } => "delete document",
        }
    }

    /// The one table or view it creates or changes, if it is one.
    pub fn subject(&self) -> Option<Subject> {
        match self {
            Request::CreateTable(create) => Some(Subject::Table(create.ident.clone())),
            Request::CommitTables(changes) => match &changes[..] {
                [change] => Some(Subject::Table(change.ident.clone())),
                _ => None,
            },
            Request::DropTable(DropTable { ident, .. })
            | Request::UnregisterTable { ident }
            | Request::RegisterTable { ident, .. } => Some(Subject::Table(ident.clone())),
            Request::CreateView(create) => Some(Subject::View(create.ident.clone())),
            Request::CommitView(change) => Some(Subject::View(change.ident.clone())),
            Request::DropView { ident } | Request::RegisterView { ident, .. } => {
                Some(Subject::View(ident.clone()))
            }
            Request::CreateWarehouse { .. }
            | Request::DropWarehouse { .. }
            | Request::CreateNamespace { .. }
            | Request::UpdateWarehouse { .. }
            | Request::DropNamespace { .. }
            | Request::UpdateNamespace { .. }
            | Request::RollbackTables(_)
            | Request::StageTable(_)
            | Request::UndropTable(_)
            | Request::RemoveDropped { .. }
            | Request::ExpireDropped { .. }
            | Request::RenameTable { .. }
            | Request::RenameView { .. }
            | Request::Refuse { .. }
            | Request::PutFunction { .. }
            | Request::DeleteFunction { .. }
            | Request::PutDocument { .. }
            | Request::DeleteDocument { .. } => None,
        }
    }

    /// The table whose metadata planning reads only if it can be read.
    pub(crate) fn reads_readable(&self) -> bool {
        matches!(self, Request::DropTable(_) | Request::RegisterTable { .. })
    }

    /// The tables and the view whose metadata planning reads, where they exist.
    pub(crate) fn reads(&self) -> (Vec<&TableIdent>, Option<&TableIdent>) {
        match self {
            Request::CommitTables(changes) => (changes.iter().map(|change| &change.ident).collect(), None),
            Request::RollbackTables(tables) => (tables.iter().map(|table| &table.ident).collect(), None),
            Request::CommitView(change) => (Vec::new(), Some(&change.ident)),
            Request::UnregisterTable { ident }
            | Request::DropTable(DropTable { ident, .. })
            | Request::RegisterTable { ident, existing: Existing::Overwrite, .. } => (vec![ident], None),
            Request::CreateWarehouse { .. }
            | Request::DropWarehouse { .. }
            | Request::CreateNamespace { .. }
            | Request::DropNamespace { .. }
            | Request::UpdateNamespace { .. }
            | Request::CreateTable(_)
            | Request::UpdateWarehouse { .. }
            | Request::StageTable(_)
            | Request::UndropTable(_)
            | Request::RemoveDropped { .. }
            | Request::ExpireDropped { .. }
            | Request::RenameTable { .. }
            | Request::RegisterTable { existing: Existing::Refuse, .. }
            | Request::CreateView(_)
            | Request::DropView { .. }
            | Request::RenameView { .. }
            | Request::RegisterView { .. }
            | Request::Refuse { .. }
            | Request::PutFunction { .. }
            | Request::DeleteFunction { .. }
            | Request::PutDocument { .. }
            | Request::DeleteDocument { .. } => (Vec::new(), None),
        }
    }
}
