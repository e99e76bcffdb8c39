//! Who asks for an inventory, and may (V1).

use std::sync::Arc;

use tarn_inventory::jobs::{Author, Rights};
use tarn_inventory::report::{self, Spec};
use tarn_objectcore::s3::InventoryError;
use tarn_openapi::access::{Action, Ask, Authorize, Principal, Resource, Sender};

use crate::identity::KeySharers;

/// Who asks, as the request tells.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) sender: Option<&'a Sender>,
}

/// What may be done in this request, for any author.
struct Now {
    principal: Principal,
    sender: Option<Sender>,
    authorize: Arc<dyn Authorize>,
}

impl Asker<'_> {
    /// The author of what is asked for: who holds the key. Who has none cannot have jobs.
    pub(super) fn author(self, sharers: &KeySharers) -> Result<Author, InventoryError> {
        sharers.author(self.principal).ok_or_else(|| {
            let message = "An inventory runs with the rights of an access key; there is none here.";
            InventoryError::Denied(message.into())
        })
    }

    /// Refuses who may not do what the inventory does.
    pub(super) fn may(
        self,
        authorize: &Arc<dyn Authorize>,
        author: &Author,
        spec: &Spec,
    ) -> Result<(), InventoryError> {
        let now = Now {
            principal: self.principal.clone(),
            sender: self.sender.cloned(),
            authorize: authorize.clone(),
        };
        report::may(&now, author, spec).map_err(InventoryError::Denied)
    }
}

impl Rights for Now {
    fn may(&self, _: &Author, action: Action, resource: Resource<'_>) -> bool {
        let ask = Ask::new(action, resource).sent_by(self.sender.as_ref());
        self.authorize.authorize(&self.principal, ask).is_ok()
    }
}
