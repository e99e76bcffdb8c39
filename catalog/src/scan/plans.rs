//! Plans that clients may come back to: few, small, and forgotten when nobody asks any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use uuid::Uuid;

use super::error::PlanError;
use super::limits::Limits;
use super::request::Scan;

pub(crate) struct Plans {
    inner: Mutex<Inner>,
    limits: Limits,
}

#[derive(Default)]
struct Inner {
    plans: HashMap<Uuid, Plan>,
    bytes: usize,
}

struct Plan {
    scan: Arc<Scan>,
    bytes: usize,
    used: Instant,
}

impl Plans {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { inner: Mutex::default(), limits: limits.clone() }
    }

    /// Keeps a scan that takes `bytes`, under `id`. Those unused for longest give way.
    pub(crate) fn keep(
        &self,
        id: Uuid,
        scan: Arc<Scan>,
        bytes: usize,
        now: Instant,
    ) -> Result<(), PlanError> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        if inner.plans.len() >= self.limits.plans_max || inner.bytes + bytes > self.limits.plans_bytes_max {
            self.make_room(inner, bytes, now)?;
        }
        inner.bytes += bytes;
        inner.plans.insert(id, Plan { scan, bytes, used: now });
        Ok(())
    }

    /// The scan of a plan, which counts as used.
    pub(crate) fn get(&self, id: Uuid, now: Instant) -> Option<Arc<Scan>> {
        let mut guard = self.lock();
        let plan = guard.plans.get_mut(&id)?;
        if now.saturating_duration_since(plan.used) > self.limits.plan_ttl {
            guard.remove(id);
            return None;
        }
        plan.used = now;
        Some(plan.scan.clone())
    }

    pub(crate) fn forget(&self, id: Uuid) {
        self.lock().remove(id);
    }

    /// Removes what is too old, then the longest unused, until one of `bytes` more fits.
    fn make_room(&self, inner: &mut Inner, bytes: usize, now: Instant) -> Result<(), PlanError> {
        let unused = |plan: &Plan| now.saturating_duration_since(plan.used);
        let mut by_age: Vec<_> = inner.plans.iter().map(|(id, plan)| (unused(plan), *id)).collect();
        by_age.sort_unstable_by(|this, that| that.cmp(this));
        for (unused, id) in by_age {
            let full = inner.plans.len() >= self.limits.plans_max
                || inner.bytes + bytes > self.limits.plans_bytes_max;
            if unused <= self.limits.plan_ttl && (!full || unused < self.limits.plan_idle_min) {
                break;
            }
            inner.remove(id);
        }
        let fits =
            inner.plans.len() < self.limits.plans_max && inner.bytes + bytes <= self.limits.plans_bytes_max;
        if fits { Ok(()) } else { Err(PlanError::Busy) }
    }

    /// A panic elsewhere leaves a plan too many or too few, which is no harm.
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn remove(&mut self, id: Uuid) {
        if let Some(plan) = self.plans.remove(&id) {
            self.bytes -= plan.bytes;
        }
    }
}
