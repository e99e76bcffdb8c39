//! Clients of an episode and what they were told.
//!
//! A register is what lies under one name. Tables `t0` to `t9` are there all the time; a short-lived table has two
//! registers: under the name it is created with and under the one it may be renamed to. Its name tells the snapshot of
//! another table that the creating transaction replaces, so no name ever comes again and the order of all versions
//! under it is known.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::random::Random;
use super::record::{Outcome, Transaction};
use crate::metadata::TableMetadata;
use crate::state::{CreateTable, DropTable, Purge, Request, TableChange};
use crate::testing::{change, create, ident};
use crate::tests::isolation::requirement;
use crate::{Catalog, CommitError, Committed};

pub(super) const TABLES: usize = 10;
/// No version has this number: what is seen cannot be.
pub(super) const IMPOSSIBLE: i64 = -1;
const TABLES_OF_ONE_MAX: usize = 8;
const PAUSE: Duration = Duration::from_millis(1);

/// What its owner has tried with a short-lived table, whether or not it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tried {
    Nothing,
    Drop,
    Rename,
    RenameThenDrop,
}

#[derive(Debug, Clone)]
pub(super) struct Brief {
    pub(super) name: String,
    /// Of its first name; the next is of its second.
    pub(super) register: usize,
    /// The versions that renaming makes under both names, and that dropping makes.
    pub(super) left: i64,
    pub(super) arrived: i64,
    pub(super) dropped: i64,
    pub(super) tried: Tried,
    /// The client that was told that it created it.
    pub(super) owner: Option<usize>,
}

impl Brief {
    pub(super) fn second(&self) -> String {
        format!("{}-r", self.name)
    }

    /// What lies under its names, given which snapshots are current there; it is known to have been created.
    fn versions(&self, first: Option<i64>, second: Option<i64>) -> [(usize, Option<i64>); 2] {
        let left = first.unwrap_or(match self.tried {
            Tried::Nothing => IMPOSSIBLE,
            Tried::Drop => self.dropped,
            Tried::Rename | Tried::RenameThenDrop => self.left,
        });
        let there = second.or(match (first, self.tried) {
            (None, Tried::RenameThenDrop) => Some(self.dropped),
            (None, Tried::Rename) => Some(IMPOSSIBLE),
            (None, Tried::Nothing | Tried::Drop) | (Some(_), _) => None,
        });
        [(self.register, Some(left)), (self.register + 1, there)]
    }
}

pub(super) struct World {
    /// The newest last; before it perhaps one that does not know yet that it was replaced.
    pub(super) catalogs: RefCell<Vec<Catalog>>,
    pub(super) history: RefCell<Vec<Transaction>>,
    pub(super) briefs: RefCell<Vec<Brief>>,
    /// Version -> the register it was made for.
    pub(super) homes: RefCell<BTreeMap<i64, usize>>,
    pub(super) done: Cell<usize>,
    pub(super) goal: usize,
    clock: Cell<u64>,
    ids: Cell<i64>,
}

/// A transaction that is being put together.
#[derive(Default)]
struct Draft {
    changes: Vec<TableChange>,
    transaction: Transaction,
    creates: Option<usize>,
}

pub(super) fn name(table: usize) -> String {
    format!("t{table}")
}

/// Updates that put snapshots one after the other on top of `base`.
fn append(base: Option<&TableMetadata>, ids: &[i64]) -> Vec<Value> {
    let mut parent = base.and_then(TableMetadata::current_snapshot_id);
    let mut sequence = base.map_or(0, TableMetadata::last_sequence_number);
    let at = base.map_or(1_750_000_000_000, TableMetadata::last_updated_ms);
    let mut updates = Vec::new();
    for &id in ids {
        sequence += 1;
        let mut snapshot = json!({
            "snapshot-id": id, "sequence-number": sequence, "timestamp-ms": at + 1, "schema-id": 0,
            "manifest-list": format!("s3://main/snap-{id}.avro"), "summary": {"operation": "append"},
        });
        if let Some(parent) = parent.replace(id) {
            snapshot["parent-snapshot-id"] = json!(parent);
        }
        updates.push(json!({"action": "add-snapshot", "snapshot": snapshot}));
    }
    updates.push(
        json!({"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": parent}),
    );
    updates
}

impl World {
    pub(super) fn new(catalog: Catalog, goal: usize) -> Self {
        Self {
            catalogs: RefCell::new(vec![catalog]),
            history: RefCell::default(),
            briefs: RefCell::default(),
            homes: RefCell::default(),
            done: Cell::new(0),
            goal,
            clock: Cell::new(0),
            ids: Cell::new(1),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.done.get() >= self.goal
    }

    fn tick(&self) -> u64 {
        self.clock.replace(self.clock.get() + 1)
    }

    fn fresh(&self) -> i64 {
        self.ids.replace(self.ids.get() + 1)
    }

    pub(super) async fn client(&self, number: usize, seed: u64) {
        let mut random = Random(seed ^ ((number as u64 + 1) << 40));
        while !self.is_over() {
            match random.below(100) {
                0..10 => self.look(),
                10..18 => self.end_a_brief_table(number, &mut random).await,
                _ => self.transact(number, &mut random).await,
            }
            if random.percent(30) {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Reads everything at one moment.
    fn look(&self) {
        let begin = self.tick();
        let state = self.newest().snapshot();
        let current = |name: &str| Some(state.table(&ident(name))?.revisions.last()?.snapshot_id);
        let mut reads: BTreeMap<_, _> =
            (0..TABLES).map(|table| (table, current(&name(table)).unwrap_or(Some(IMPOSSIBLE)))).collect();
        for brief in self.briefs.borrow().iter().filter(|brief| brief.owner.is_some()) {
            let first = current(&brief.name).map(|found| found.unwrap_or(IMPOSSIBLE));
            let second = current(&brief.second()).map(|found| self.moved(brief, found));
            reads.extend(brief.versions(first, second));
        }
        let transaction =
            Transaction { reads, span: (begin, self.tick()), outcome: Outcome::Done, ..Default::default() };
        self.history.borrow_mut().push(transaction);
    }

    /// The version under the second name that shows `snapshot`.
    fn moved(&self, brief: &Brief, snapshot: Option<i64>) -> i64 {
        let home = snapshot.and_then(|snapshot| self.homes.borrow().get(&snapshot).copied());
        snapshot.filter(|_| home == Some(brief.register + 1)).unwrap_or(brief.arrived)
    }

    fn newest(&self) -> Catalog {
        self.catalogs.borrow().last().unwrap().clone()
    }

    fn any(&self, random: &mut Random) -> Catalog {
        let catalogs = self.catalogs.borrow();
        if random.percent(70) { catalogs[catalogs.len() - 1].clone() } else { catalogs[0].clone() }
    }

    fn told(&self, mut transaction: Transaction, result: &Result<Committed, CommitError>) -> Outcome {
        transaction.outcome = match result {
            Ok(_) => Outcome::Done,
            Err(CommitError::Unknown { .. }) => Outcome::Unknown,
            Err(_) => Outcome::NotDone,
        };
        transaction.span.1 = match transaction.outcome {
            Outcome::Done | Outcome::NotDone => self.tick(),
            // It may happen at any later time.
            Outcome::Unknown => u64::MAX,
        };
        let outcome = transaction.outcome;
        self.done.set(self.done.get() + usize::from(outcome == Outcome::Done));
        self.history.borrow_mut().push(transaction);
        outcome
    }

    /// Renames or drops a table of this client's own. Each is tried once, so that it is known which try was done.
    async fn end_a_brief_table(&self, owner: usize, random: &mut Random) {
        let catalog = self.any(random);
        let (at, brief, request, writes) = {
            let mut briefs = self.briefs.borrow_mut();
            let free =
                |one: &Brief| one.owner == Some(owner) && matches!(one.tried, Tried::Nothing | Tried::Rename);
            let Some(at) = briefs.iter().position(free) else { return };
            let brief = &mut briefs[at];
            let (first, second) = (ident(&brief.name), ident(&brief.second()));
            let drop = |ident| Request::DropTable(DropTable::asked(ident, Purge::Keep, 0));
            let (tried, request, writes) = match brief.tried {
                Tried::Nothing if random.percent(50) => {
                    (Tried::Drop, drop(first), vec![(brief.register, brief.dropped)])
                }
                Tried::Nothing => {
                    let writes = vec![(brief.register, brief.left), (brief.register + 1, brief.arrived)];
                    (Tried::Rename, Request::RenameTable { from: first, to: second }, writes)
                }
                Tried::Rename | Tried::Drop | Tried::RenameThenDrop => {
                    (Tried::RenameThenDrop, drop(second), vec![(brief.register + 1, brief.dropped)])
                }
            };
            brief.tried = tried;
            (at, brief.clone(), request, writes)
        };
        let writes = writes.into_iter().map(|(register, version)| (register, vec![version])).collect();
        let transaction = Transaction { writes, span: (self.tick(), 0), ..Default::default() };
        let outcome = self.told(transaction, &catalog.commit(request).await);
        if brief.tried == Tried::Rename && outcome != Outcome::Done {
            // Whether it can be dropped under its second name is not known: nobody does.
            self.briefs.borrow_mut()[at].owner = Some(usize::MAX);
        }
    }

    async fn transact(&self, client: usize, random: &mut Random) {
        let catalog = self.any(random);
        let mut draft = Draft::default();
        draft.transaction.span.0 = self.tick();
        let count = match random.below(10) {
            0 => 1,
            1 => TABLES_OF_ONE_MAX,
            _ => 2 + random.below(3),
        };
        let written = 1 + random.below(count.min(3));
        let (first, step) = (random.below(TABLES), [1, 3, 7, 9][random.below(4)]);
        for place in 0..count {
            let table = (first + place * step) % TABLES;
            let Ok(Some(loaded)) = catalog.load(&ident(&name(table))).await else {
                return tokio::time::sleep(PAUSE).await;
            };
            let base = loaded.metadata;
            let seen = base.current_snapshot_id();
            self.draft(&mut draft, &name(table), (table, seen), &base, place < written, random);
            if place == 0 && count < TABLES_OF_ONE_MAX && random.percent(15) {
                self.draft_create(&mut draft, &catalog, &format!("s{table}-{}", seen.unwrap_or(0)));
            }
        }
        if draft.creates.is_none() && count < TABLES_OF_ONE_MAX && random.percent(40) {
            self.draft_brief(&mut draft, &catalog, random).await;
        }
        let result = catalog.commit(Request::CommitTables(draft.changes)).await;
        let outcome = self.told(draft.transaction, &result);
        if let (Some(at), Outcome::Done) = (draft.creates, outcome) {
            self.briefs.borrow_mut()[at].owner = Some(client);
        }
    }

    /// Adds a table: one or two snapshots when it is written, else only the requirement.
    fn draft(
        &self,
        draft: &mut Draft,
        name: &str,
        (register, version): (usize, Option<i64>),
        base: &TableMetadata,
        is_written: bool,
        random: &mut Random,
    ) {
        let required = [requirement(base.current_snapshot_id())];
        draft.transaction.reads.insert(register, version);
        if !is_written {
            return draft.changes.push(change(name, &required, &[]));
        }
        let ids = self.version(draft, register, 1 + usize::from(random.percent(10)));
        draft.changes.push(change(name, &required, &append(Some(base), &ids)));
    }

    fn version(&self, draft: &mut Draft, register: usize, count: usize) -> Vec<i64> {
        let ids: Vec<i64> = (0..count).map(|_| self.fresh()).collect();
        self.homes.borrow_mut().extend(ids.iter().map(|id| (*id, register)));
        draft.transaction.writes.insert(register, ids.clone());
        ids
    }

    /// Adds the creation of a table together with its first snapshot.
    fn draft_create(&self, draft: &mut Draft, catalog: &Catalog, name: &str) {
        let Request::CreateTable(wanted) = create(name) else { return };
        let wanted: CreateTable = wanted;
        let Ok(staged) = catalog.stage(&wanted) else { return };
        let at = {
            let mut briefs = self.briefs.borrow_mut();
            let known = briefs.iter().position(|brief| brief.name == name);
            known.unwrap_or_else(|| {
                let register = TABLES + 2 * briefs.len();
                briefs.push(Brief {
                    name: name.to_owned(),
                    register,
                    left: self.fresh(),
                    arrived: self.fresh(),
                    dropped: self.fresh(),
                    tried: Tried::Nothing,
                    owner: None,
                });
                briefs.len() - 1
            })
        };
        let register = TABLES + 2 * at;
        draft.creates = Some(at);
        draft.transaction.reads.insert(register, None);
        let ids = self.version(draft, register, 1);
        let field = json!({"id": 1, "name": "id", "required": true, "type": "long"});
        let mut updates = vec![
            json!({"action": "assign-uuid", "uuid": staged.uuid()}),
            json!({"action": "upgrade-format-version", "format-version": 2}),
            json!({"action": "add-schema", "schema": {"type": "struct", "schema-id": 0, "fields": [field]}}),
            json!({"action": "set-current-schema", "schema-id": -1}),
            json!({"action": "add-spec", "spec": {"spec-id": 0, "fields": []}}),
            json!({"action": "set-default-spec", "spec-id": -1}),
            json!({"action": "add-sort-order", "sort-order": {"order-id": 0, "fields": []}}),
            json!({"action": "set-default-sort-order", "sort-order-id": -1}),
            json!({"action": "set-location", "location": staged.location()}),
        ];
        updates.extend(append(None, &ids));
        draft.changes.push(change(name, &[json!({"type": "assert-create"})], &updates));
    }

    /// Adds a short-lived table under the name it has now.
    async fn draft_brief(&self, draft: &mut Draft, catalog: &Catalog, random: &mut Random) {
        let brief = {
            let briefs = self.briefs.borrow();
            let there: Vec<&Brief> = briefs.iter().filter(|brief| brief.owner.is_some()).collect();
            let recent = there.len().saturating_sub(6);
            if there.is_empty() {
                return;
            }
            there[recent + random.below(there.len() - recent)].clone()
        };
        let is_written = random.percent(50);
        if let Ok(Some(loaded)) = catalog.load(&ident(&brief.name)).await {
            let at = (brief.register, loaded.metadata.current_snapshot_id());
            self.draft(draft, &brief.name, at, &loaded.metadata, is_written, random);
        } else if let Ok(Some(loaded)) = catalog.load(&ident(&brief.second())).await {
            let seen = self.moved(&brief, loaded.metadata.current_snapshot_id());
            let at = (brief.register + 1, Some(seen));
            self.draft(draft, &brief.second(), at, &loaded.metadata, is_written, random);
        }
    }
}
