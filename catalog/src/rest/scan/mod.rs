//! Scan planning, one verb per file.

mod answer;
pub(crate) mod cancel;
mod dto;
pub(crate) mod fetch;
pub(crate) mod plan;
pub(crate) mod tasks;

pub(crate) use self::cancel::cancel;
pub(crate) use self::fetch::fetch;
pub(crate) use self::plan::plan;
pub(crate) use self::tasks::tasks;
use super::error::{Failure, Kind};
use super::failure::{STORE_RETRY_AFTER, with_causes};
use super::path::Place;
use crate::scan::PlanError;

/// What a plan's table is called: a plan is found only under this name.
fn table_name(place: &Place) -> Box<str> {
    let prefix = place.prefix();
    let mut parts = vec![&*prefix];
    parts.extend(place.levels.iter().map(String::as_str));
    parts.push(&place.name);
    parts.join("\u{1f}").into()
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        let message = with_causes(&error);
        match error {
            PlanError::Invalid(_) | PlanError::Filter(_) => Failure::bad_request(message),
            PlanError::Unsupported(_) => Failure::new(Kind::Unsupported, message),
            PlanError::Missing { .. } => Failure::new(Kind::NotFound, message),
            PlanError::Damaged { .. } | PlanError::Partition { .. } => {
                tracing::error!(message, "a file of a table is not what it must be");
                Failure::new(Kind::Damaged, message)
            }
            PlanError::Store { .. } => {
                tracing::warn!(message, "a file of a table could not be read");
                Failure::unavailable(message, STORE_RETRY_AFTER)
            }
            PlanError::Busy => Failure::unavailable(message, STORE_RETRY_AFTER),
            PlanError::NoSuchPlan(_) => Failure::new(Kind::NoSuchPlan, message),
            PlanError::NoSuchTask(_) => Failure::new(Kind::NoSuchPlanTask, message),
        }
    }
}
