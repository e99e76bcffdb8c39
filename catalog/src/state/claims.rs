//! Places that are claimed beside the locations of tables and views: the write paths of a table outside its
//! location, and the location of a table that is staged, for as long as the credentials for it last.
//!
//! - CL1: nobody else comes to lie at, in or around a claimed place (`places.rs`, PL2).
//! - CL2: the claim of a table goes with the commit that puts or drops it. Tables from before there were claims
//!   get theirs with their next commit.
//!
//! A claim is a document, so it survives a restart. Its id is the table's UUID.

use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::limits::ENDED_CLAIMS_PER_COMMIT_MAX;
use super::{CatalogState, Change, TableIdent};

/// The kind of the documents.
pub(super) const CLAIM_KIND: &str = "table-places";

/// The places of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// Each with a slash at its end.
    pub(super) places: Vec<String>,
    /// For a table that is staged; absent for one that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) staged: Option<Staged>,
}

/// Who stages a table, and until when the place is theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Staged {
    pub(super) table: TableIdent,
    pub(super) owner: String,
    /// Milliseconds since 1970.
    pub(super) until: i64,
}

impl Claim {
    fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    fn put(&self, id: Arc<str>) -> Change {
        let json = serde_json::json!(self).to_string();
        Change::PutDocument { kind: CLAIM_KIND.into(), id, json: json.into() }
    }
}

/// Who wants a place, when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claimant<'a> {
    pub(super) table: &'a TableIdent,
    /// The UUIDs under which the table may hold claims: its own, and that of the table whose place it takes.
    pub(super) uuids: [Option<Uuid>; 2],
    /// Set when a table is staged: what the same caller staged under the same name gives way.
    pub(super) owner: Option<&'a str>,
    /// Milliseconds since 1970. `None` asks for access to a table that is there: staged ones have come later.
    pub(super) at: Option<i64>,
}

/// All claims by place. Follows from the documents; not stored.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Claims {
    by_place: OrdMap<(Arc<str>, Arc<str>), Arc<Claim>>,
    /// Of staged tables: until when, and the id.
    ends: OrdSet<(i64, Arc<str>)>,
}

impl Claims {
    fn add(&mut self, id: &Arc<str>, claim: Claim) {
        if let Some(staged) = &claim.staged {
            self.ends.insert((staged.until, Arc::clone(id)));
        }
        let claim = Arc::new(claim);
        for place in &claim.places {
            self.by_place.insert((place.as_str().into(), Arc::clone(id)), Arc::clone(&claim));
        }
    }

    fn remove(&mut self, id: &Arc<str>, claim: &Claim) {
        if let Some(staged) = &claim.staged {
            self.ends.remove(&(staged.until, Arc::clone(id)));
        }
        for place in &claim.places {
            self.by_place.remove(&(place.as_str().into(), Arc::clone(id)));
        }
    }

    /// The claims on places that are, hold or lie in `place`.
    fn touching<'a>(&'a self, place: &'a str) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<Claim>)> {
        let from = |start: &str| (Bound::Included((Arc::from(start), Arc::from(""))), Bound::Unbounded);
        let around = place.match_indices('/').map(|(end, _)| &place[..=end]).flat_map(move |outer| {
            let range = self.by_place.range::<_, (Arc<str>, Arc<str>)>(from(outer));
            range.take_while(move |((found, _), _)| **found == *outer)
        });
        let inside = self.by_place.range::<_, (Arc<str>, Arc<str>)>(from(place));
        let inside = inside.take_while(move |((found, _), _)| found.starts_with(place));
        around.chain(inside).map(|((_, id), claim)| (id, claim))
    }
}

impl CatalogState {
    /// The claims of all documents.
    pub(super) fn collect_claims(&self) -> Claims {
        let mut claims = Claims::default();
        for (id, document) in self.documents(CLAIM_KIND, None) {
            if let Some(claim) = Claim::read(&document.json) {
                claims.add(id, claim);
            }
        }
        claims
    }

    /// Keeps the claims as the document becomes: `None` when it goes.
    pub(super) fn follow_claim(&mut self, kind: &str, id: &Arc<str>, json: Option<&str>) {
        if kind != CLAIM_KIND {
            return;
        }
        if let Some(old) = self.document(kind, id).and_then(|document| Claim::read(&document.json)) {
            self.claims.remove(id, &old);
        }
        if let Some(new) = json.and_then(Claim::read) {
            self.claims.add(id, new);
        }
    }

    /// Whether somebody else holds a claim at, in or around `place`.
    pub(super) fn is_claimed(&self, place: &str, by: &Claimant<'_>) -> bool {
        self.claims.touching(place).any(|(id, claim)| {
            if by.uuids.iter().flatten().any(|uuid| **id == *uuid.to_string()) {
                return false;
            }
            match (&claim.staged, by.at) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(staged), Some(at)) => {
                    let gives_way =
                        staged.table == *by.table && by.owner.is_none_or(|owner| staged.owner == owner);
                    at < staged.until && !gives_way
                }
            }
        })
    }

    /// What makes the claim of a table that is there `places`: nothing when it is so.
    pub(super) fn claim(&self, uuid: Uuid, places: Vec<String>) -> Option<Change> {
        let id: Arc<str> = uuid.to_string().into();
        if places.is_empty() {
            return self.release(uuid);
        }
        let claim = Claim { places, staged: None };
        let found = self.document(CLAIM_KIND, &id).and_then(|document| Claim::read(&document.json));
        (found.as_ref() != Some(&claim)).then(|| claim.put(id))
    }

    /// What ends the claim of a table that goes.
    pub(super) fn release(&self, uuid: Uuid) -> Option<Change> {
        let id: Arc<str> = uuid.to_string().into();
        self.document(CLAIM_KIND, &id)
            .is_some()
            .then(|| Change::DeleteDocument { kind: CLAIM_KIND.into(), id })
    }

    /// What claims the places of a staged table. Claims that it takes over end, and some whose time is over.
    pub(super) fn claim_staged(
        &self,
        uuid: Uuid,
        places: Vec<String>,
        staged: Staged,
        at: i64,
    ) -> Vec<Change> {
        let mut gone: OrdSet<Arc<str>> = self
            .claims
            .ends
            .iter()
            .take_while(|(until, _)| *until <= at)
            .take(ENDED_CLAIMS_PER_COMMIT_MAX)
            .map(|(_, id)| Arc::clone(id))
            .collect();
        for (id, claim) in places.iter().flat_map(|place| self.claims.touching(place)) {
            if claim.staged.as_ref().is_some_and(|old| old.table == staged.table && old.owner == staged.owner)
            {
                gone.insert(Arc::clone(id));
            }
        }
        let end = |id: &Arc<str>| Change::DeleteDocument { kind: CLAIM_KIND.into(), id: Arc::clone(id) };
        let mut changes: Vec<Change> = gone.iter().map(end).collect();
        changes.push(Claim { places, staged: Some(staged) }.put(uuid.to_string().into()));
        changes
    }

    /// How many tables are staged at places of their own, ended or not.
    pub(super) fn staged_claims(&self) -> usize {
        self.claims.ends.len()
    }

    /// Whether a table but this one has a write path at, in or around `place`.
    pub(super) fn is_claimed_by_another(&self, place: &str, uuid: Uuid) -> bool {
        let own = uuid.to_string();
        self.claims.touching(place).any(|(id, claim)| **id != *own && claim.staged.is_none())
    }
}
