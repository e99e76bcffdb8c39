//! Who asks.

use std::fmt::Debug;

use tarn_openapi::access::{Action, Resource};

/// Who asks, and what it may do at that moment. The binary implements it over its keys and policies.
pub trait Reader: Debug + Send + Sync + 'static {
    /// What tells it from others: each may have so many queries at a time.
    fn name(&self) -> String;

    /// Whether it may do this there.
    fn may(&self, action: Action, resource: Resource<'_>) -> bool;

    /// Whether a rule forbids it this there. A right to a table's data is one to its files, unless they are forbidden.
    fn is_denied(&self, action: Action, resource: Resource<'_>) -> bool;
}
