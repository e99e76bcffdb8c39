//! Which events somebody wants.

use tarn_catalog::events::{Event, EventKind};
use tarn_catalog::state::Namespace;

/// Types that a filter may name.
const TYPES_MAX: usize = 32;

/// What an event must be to pass. Empty: every event passes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    warehouse: Option<String>,
    /// The namespace and those inside it.
    namespace: Option<Namespace>,
    /// Any of them; none is all.
    kinds: Vec<EventKind>,
}

/// A filter that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidFilter(String);

impl Filter {
    /// A filter; `types` are names of types, or beginnings of them that end in `*`.
    pub(crate) fn new<'a>(
        warehouse: Option<String>,
        namespace: Option<Vec<String>>,
        types: impl Iterator<Item = &'a str>,
    ) -> Result<Self, InvalidFilter> {
        let namespace = namespace.map(Namespace::new).transpose();
        let namespace = namespace.map_err(|error| InvalidFilter(error.to_string()))?;
        if namespace.is_some() && warehouse.is_none() {
            return Err(InvalidFilter("a namespace is one of a warehouse, which must be named too".into()));
        }
        let mut kinds = Vec::new();
        for (number, name) in types.enumerate() {
            if number >= TYPES_MAX {
                return Err(InvalidFilter(format!("a filter names at most {TYPES_MAX} types")));
            }
            let found: Vec<EventKind> = EventKind::ALL
                .iter()
                .copied()
                .filter(|kind| match name.strip_suffix('*') {
                    Some(beginning) => kind.name().starts_with(beginning),
                    None => kind.name() == name,
                })
                .collect();
            if found.is_empty() {
                return Err(InvalidFilter(format!("there is no type of events {name:?}")));
            }
            kinds.extend(found);
        }
        Ok(Self { warehouse, namespace, kinds })
    }

    /// Whether an event passes. A rename passes by either of its names.
    pub(crate) fn passes(&self, event: &Event) -> bool {
        if !self.kinds.is_empty() && !self.kinds.contains(&event.kind) {
            return false;
        }
        if self.warehouse.as_deref().is_some_and(|wanted| event.about.warehouse() != Some(wanted)) {
            return false;
        }
        let Some(wanted) = &self.namespace else { return true };
        let from = event.from.as_ref().map(|from| &from.namespace);
        let mut namespaces = event.about.namespace().into_iter().chain(from);
        namespaces.any(|namespace| namespace == wanted || namespace.is_inside(wanted))
    }
}
