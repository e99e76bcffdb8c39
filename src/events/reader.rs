//! Who reads events, and what of them (V2).

use std::sync::Arc;

use tarn_catalog::events::{About, Event};
use tarn_catalog::state::TableIdent;
use tarn_openapi::access::{Action, Ask, Authorize, Principal, Resource, Sender};

use crate::identity::Standing;

/// Somebody who reads a stream.
pub(crate) struct Reader {
    pub(crate) principal: Principal,
    /// The key it began with.
    pub(crate) standing: Standing,
    pub(crate) sender: Option<Sender>,
    pub(crate) authorize: Arc<dyn Authorize>,
}

/// What a reader may see at a moment.
pub(crate) struct Sight<'r> {
    reader: &'r Reader,
    sender: Option<Sender>,
}

impl Reader {
    /// What it may see at `now_seconds`; `None` when it may read the stream no more.
    pub(crate) fn at(&self, now_seconds: i64) -> Option<Sight<'_>> {
        if has_ended(&self.principal, now_seconds) || !self.standing.holds() {
            return None;
        }
        // Rules that end at a time end for a stream that began before, too.
        let sender = self.sender.clone().map(|sender| Sender { at_seconds: now_seconds, ..sender });
        let sight = Sight { reader: self, sender };
        sight.may(Action::AdminStreamEvents, Resource::Server).then_some(sight)
    }
}

impl Sight<'_> {
    /// Whether it may see an event: what the event tells of, it could read itself. Of a rename it must be allowed both
    /// names.
    pub(crate) fn shows(&self, event: &Event) -> bool {
        let both = |action, resource: for<'a> fn(&'a TableIdent) -> Resource<'a>, ident: &TableIdent| {
            self.may(action, resource(ident))
                && event.from.as_ref().is_none_or(|from| self.may(action, resource(from)))
        };
        match &event.about {
            About::Warehouse(name) => self.may(Action::GetTableBucket, Resource::Bucket(name)),
            About::Namespace(warehouse, namespace) => {
                self.may(Action::GetNamespace, Resource::Namespace(warehouse, namespace.levels()))
            }
            About::Table(ident) => both(Action::GetTableMetadataLocation, table, ident),
            About::View(ident) => both(Action::GetView, view, ident),
            About::Function(ident) => {
                let namespace = Resource::Namespace(&ident.warehouse, ident.namespace.levels());
                self.may(Action::GetFunction, namespace)
            }
            About::Document(..) => self.may(Action::ServerInfo, Resource::Server),
        }
    }

    fn may(&self, action: Action, resource: Resource<'_>) -> bool {
        let ask = Ask::new(action, resource).sent_by(self.sender.as_ref());
        self.reader.authorize.authorize(&self.reader.principal, ask).is_ok()
    }
}

fn table(ident: &TableIdent) -> Resource<'_> {
    Resource::Table(&ident.warehouse, ident.namespace.levels(), &ident.name)
}

fn view(ident: &TableIdent) -> Resource<'_> {
    Resource::View(&ident.warehouse, ident.namespace.levels(), &ident.name)
}

/// A session that ended stays ended, however long a stream was open before.
fn has_ended(principal: &Principal, now_seconds: i64) -> bool {
    let has_ended = match principal.behind() {
        Principal::Web(web) => web.expires <= now_seconds,
        Principal::Anonymous | Principal::Root | Principal::AccessKey(_) | Principal::Session(_) => false,
    };
    has_ended || principal.sessions().any(|session| session.expires <= now_seconds)
}
