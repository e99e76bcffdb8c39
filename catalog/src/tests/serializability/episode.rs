//! One episode: clients, and a catalog over a failing store that is killed and opened again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::memory::InMemory;

use super::check::{Anomaly, check};
use super::clients::{Brief, IMPOSSIBLE, TABLES, Tried, World, name};
use super::random::Random;
use super::record::{Outcome, Transaction};
use crate::Catalog;
use crate::log::testing::{Fault, FaultyStore, Schedule};
use crate::testing::{MemoryWarehouses, create, ident, open, set_up, settings};
use crate::tests::isolation::versions;

const CLIENTS: usize = 6;
/// Transactions told as done that end an episode.
const GOAL: usize = 80;
const PAUSE: Duration = Duration::from_millis(1);

/// What an episode did.
#[derive(Default)]
pub(super) struct Did {
    pub(super) done: u64,
    /// Of those, with requirements or changes of two tables or more.
    pub(super) over_many: u64,
    pub(super) unknown: u64,
    pub(super) refused: u64,
    /// Tables created together with other changes; renames and drops of them.
    pub(super) created: u64,
    pub(super) ended: u64,
    pub(super) openings: u64,
}

/// How a process ends at some operation of its store.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Killed before it, after it, or while its put is still on the way.
    Killed(Fault),
    /// Not at all: another takes over while it goes on.
    Replaced,
}

struct Process {
    store: FaultyStore,
    end: End,
    at: u64,
}

impl Process {
    /// A store that fails, is slow and loses answers, until the end.
    fn new(inner: &Arc<InMemory>, seed: u64) -> Self {
        let mut random = Random(seed);
        let end = match random.below(4) {
            0 => End::Killed(Fault::Lost),
            1 => End::Killed(Fault::ReplyLost),
            2 => End::Killed(Fault::Late),
            _ => End::Replaced,
        };
        let at = 5 + random.below(400) as u64;
        let schedule: Schedule = Arc::new(move |op| match (op.cmp(&at), end) {
            (std::cmp::Ordering::Equal, End::Killed(fault)) => fault,
            (std::cmp::Ordering::Greater, End::Killed(_)) => Fault::Lost,
            _ => match Random(seed ^ (op << 20)).next() % 100 {
                0 | 1 => Fault::Lost,
                2 | 3 => Fault::ReplyLost,
                4 => Fault::Late,
                5..20 => Fault::Slow(Duration::from_millis(op % 7)),
                _ => Fault::None,
            },
        });
        Self { store: FaultyStore::new(inner.clone(), schedule), end, at }
    }
}

async fn open_over(store: &FaultyStore, number: u128) -> Option<Catalog> {
    let warehouses = Arc::new(MemoryWarehouses { faulty: Some(store.clone()), ..Default::default() });
    open(Arc::new(store.clone()), warehouses, settings(), number).await.ok()
}

/// Ends processes and starts others until the episode is over; how many it started, and the last.
async fn nemesis(world: &World, inner: &Arc<InMemory>, mut process: Process, seed: u64) -> (u64, Process) {
    let mut openings = 0;
    while !world.is_over() {
        if process.store.ops() <= process.at {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let releases_first = Random(seed ^ openings).percent(50);
        if releases_first {
            process.store.release().await;
        }
        let before = process;
        loop {
            openings += 1;
            process = Process::new(inner, seed.wrapping_mul(1_000_003).wrapping_add(openings));
            let Some(catalog) = open_over(&process.store, u128::from(openings) + 2).await else { continue };
            let mut catalogs = world.catalogs.borrow_mut();
            let old = catalogs.pop();
            catalogs.clear();
            match before.end {
                End::Killed(_) => {}
                End::Replaced => catalogs.extend(old),
            }
            catalogs.push(catalog);
            break;
        }
        // What a dead process sent arrives while the next one works.
        tokio::time::sleep(PAUSE * 3).await;
        before.store.release().await;
    }
    (openings, process)
}

/// Runs the episode of a seed and checks its history.
pub(super) fn run(seed: u64) -> Result<Did, Anomaly> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(episode(seed))
}

async fn episode(seed: u64) -> Result<Did, Anomaly> {
    let inner = Arc::new(InMemory::new());
    let sound = FaultyStore::new(inner.clone(), Arc::new(|_| Fault::None));
    let catalog = open_over(&sound, 1).await.unwrap();
    set_up(&catalog).await;
    for table in 0..TABLES {
        catalog.commit(create(&name(table))).await.unwrap();
    }
    let world = World::new(catalog, GOAL);
    let clients = futures::future::join_all((0..CLIENTS).map(|number| world.client(number, seed)));
    // The first process is done with at once.
    let first = Process { store: sound.clone(), end: End::Replaced, at: 0 };
    let (_, (openings, last)) = futures::join!(clients, nemesis(&world, &inner, first, seed));
    last.store.release().await;
    let catalog = open_over(&sound, 1 << 40).await.unwrap();
    let history = world.history.take();
    let registers = registers(&catalog, &history, &world.briefs.take(), &world.homes.take()).await;
    check(&history, &registers)?;
    let mut did = Did { openings: openings + 2, ..Did::default() };
    for transaction in history.iter().filter(|one| !one.writes.is_empty()) {
        let tables = transaction.reads.len().max(transaction.writes.len());
        match transaction.outcome {
            Outcome::Done => {
                did.done += 1;
                did.over_many += u64::from(tables >= 2);
                let creates =
                    |(register, seen): (&usize, &Option<i64>)| *register >= TABLES && seen.is_none();
                did.created += u64::from(transaction.reads.iter().any(creates));
                did.ended += u64::from(transaction.reads.is_empty());
            }
            Outcome::Unknown => did.unknown += 1,
            Outcome::NotDone => did.refused += 1,
        }
    }
    Ok(did)
}

/// The versions of every register in their order, as the catalog holds them at the end. What lay under a name that is
/// no longer there follows from what its writers required.
async fn registers(
    catalog: &Catalog,
    history: &[Transaction],
    briefs: &[Brief],
    homes: &BTreeMap<i64, usize>,
) -> Vec<Vec<i64>> {
    let mut registers = Vec::new();
    for table in 0..TABLES {
        registers.push(versions(catalog, &name(table)).await);
    }
    // Every transaction with a version of a short-lived table writes another one too, which tells if it happened.
    let happened = |one: &&Transaction| match one.outcome {
        Outcome::Done => true,
        Outcome::NotDone => false,
        Outcome::Unknown => one.writes.iter().any(|(register, versions)| {
            *register < TABLES && versions.iter().all(|version| registers[*register].contains(version))
        }),
    };
    let mut follows = BTreeMap::new();
    for one in history.iter().filter(happened) {
        for (register, versions) in one.writes.iter().filter(|(register, _)| **register >= TABLES) {
            if let Some(base) = one.reads.get(register) {
                follows.insert((*register, *base), versions.clone());
            }
        }
    }
    let chain = |register: usize, start: Option<i64>| {
        let mut chain: Vec<i64> = start.into_iter().collect();
        while let Some(more) = follows.get(&(register, chain.last().copied())) {
            chain.extend(more);
        }
        chain
    };
    for brief in briefs {
        let at_home = |versions: Vec<i64>, register: usize| {
            let mut versions = versions;
            versions.retain(|version| homes.get(version) == Some(&register));
            versions
        };
        let state = catalog.snapshot();
        let (first, second) = (brief.register, brief.register + 1);
        let is_there = |name: &str| state.table(&ident(name)).is_some();
        let mut left = chain(first, None);
        let mut arrived = Vec::new();
        if is_there(&brief.name) {
            left = at_home(versions(catalog, &brief.name).await, first);
        } else if !left.is_empty() {
            left.push(match brief.tried {
                Tried::Nothing => IMPOSSIBLE,
                Tried::Drop => brief.dropped,
                Tried::Rename | Tried::RenameThenDrop => brief.left,
            });
        }
        if is_there(&brief.second()) {
            arrived.push(brief.arrived);
            arrived.extend(at_home(versions(catalog, &brief.second()).await, second));
        } else if left.last() == Some(&brief.left) {
            arrived = chain(second, Some(brief.arrived));
            arrived.push(if brief.tried == Tried::RenameThenDrop { brief.dropped } else { IMPOSSIBLE });
        }
        registers.extend([left, arrived]);
    }
    registers
}
