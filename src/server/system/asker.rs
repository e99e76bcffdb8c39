//! Who asks, by the keys and policies there are at that moment.

use std::sync::Arc;

use tarn_openapi::access::{Action, Ask, Authorize as _, Principal, Resource, Sender};
use tarn_sql::Reader;

use crate::identity::Grants;

/// The sender of a request, as queries ask for its rights.
pub(crate) struct Asker {
    pub(crate) principal: Principal,
    pub(crate) sender: Option<Sender>,
    pub(crate) grants: Arc<Grants>,
}

impl std::fmt::Debug for Asker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.principal.behind().fmt(formatter)
    }
}

impl Reader for Asker {
    fn name(&self) -> String {
        format!("{:?}", self.principal.behind())
    }

    fn may(&self, action: Action, resource: Resource<'_>) -> bool {
        let ask = Ask::new(action, resource).sent_by(self.sender.as_ref());
        self.grants.authorize(&self.principal, ask).is_ok()
    }

    fn is_denied(&self, action: Action, resource: Resource<'_>) -> bool {
        let ask = Ask::new(action, resource).sent_by(self.sender.as_ref());
        self.grants.denies(&self.principal, ask)
    }
}
