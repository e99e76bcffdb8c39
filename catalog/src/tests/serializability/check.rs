//! The checker: is there an order of the transactions, one after the other, that explains all that was seen?
//!
//! Every register is a list of versions, so the order of its writers is known. Transactions depend on each other by
//! write-write, write-read, read-write and real time (Adya's graph, as Elle makes it); a cycle is an anomaly.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Graph, Why};
use super::record::{Outcome, Transaction};

/// What is wrong, with the numbers of transactions or versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Anomaly {
    /// A version is there twice.
    Twice { register: usize, version: i64 },
    /// Nobody made this version there.
    Unwritten { register: usize, version: i64 },
    /// A version told as done is not there.
    Lost { transaction: usize, version: i64 },
    /// A version told as not done is there.
    Undead { transaction: usize, version: i64 },
    /// A transaction is there in part.
    Half { transaction: usize },
    /// A transaction's own versions do not follow one another.
    Torn { transaction: usize },
    /// G1a: what was seen was never done.
    AbortedRead { transaction: usize, register: usize },
    /// G1b: what was seen its writer replaced itself.
    IntermediateRead { transaction: usize, register: usize },
    /// It replaced another version than it required.
    LostUpdate { transaction: usize, register: usize },
    /// G0: only writes.
    WriteCycle(Vec<usize>),
    /// G1c: writes and reads of them.
    CircularFlow(Vec<usize>),
    /// G-single: one of them saw an older state than it depends on, as of a transaction half seen.
    ReadSkew(Vec<usize>),
    /// G2: several saw an older state, as when each writes what the other only required.
    WriteSkew(Vec<usize>),
    /// No order keeps to the clock, though one would explain what was seen.
    RealTime(Vec<usize>),
}

/// Where a version stands.
struct Place {
    at: usize,
    writer: usize,
    /// It is the last that its writer made there.
    last: bool,
}

type Places = BTreeMap<(usize, i64), Place>;

/// Checks a history against the final list of versions of each register.
pub(crate) fn check(history: &[Transaction], registers: &[Vec<i64>]) -> Result<(), Anomaly> {
    let places = places(history, registers)?;
    for (number, transaction) in history.iter().enumerate() {
        outcome(number, transaction, &places)?;
    }
    let happened = |transaction: &Transaction| match transaction.outcome {
        Outcome::Done => true,
        Outcome::NotDone => false,
        Outcome::Unknown => first(transaction).is_some_and(|first| places.contains_key(&first)),
    };
    let mut graph = Graph::new(history.len());
    for (register, versions) in registers.iter().enumerate() {
        for pair in versions.windows(2) {
            let writer = |version| places[&(register, version)].writer;
            graph.edge(writer(pair[0]), writer(pair[1]), Why::WriteWrite);
        }
    }
    let numbered = || history.iter().enumerate().filter(|(_, transaction)| happened(transaction));
    for (number, transaction) in numbered() {
        read(number, transaction, &places, registers, &mut graph)?;
    }
    real_time(numbered().map(|(number, transaction)| (number, transaction.span)), &mut graph);
    order(history.len(), &graph)
}

fn first(transaction: &Transaction) -> Option<(usize, i64)> {
    let (register, versions) = transaction.writes.iter().next()?;
    Some((*register, *versions.first()?))
}

/// Every version that is there, with its writer.
fn places(history: &[Transaction], registers: &[Vec<i64>]) -> Result<Places, Anomaly> {
    let mut writers = BTreeMap::new();
    for (number, transaction) in history.iter().enumerate() {
        for (&register, versions) in &transaction.writes {
            for version in versions {
                writers.insert((register, *version), (number, versions.last() == Some(version)));
            }
        }
    }
    let (mut places, mut seen) = (Places::new(), BTreeSet::new());
    for (register, versions) in registers.iter().enumerate() {
        for (at, &version) in versions.iter().enumerate() {
            if !seen.insert(version) {
                return Err(Anomaly::Twice { register, version });
            }
            let Some(&(writer, last)) = writers.get(&(register, version)) else {
                return Err(Anomaly::Unwritten { register, version });
            };
            places.insert((register, version), Place { at, writer, last });
        }
    }
    Ok(places)
}

/// Is what was told of a transaction true, and is it whole?
fn outcome(number: usize, transaction: &Transaction, places: &Places) -> Result<(), Anomaly> {
    let (mut there, mut missing) = (None, None);
    for (&register, versions) in &transaction.writes {
        for &version in versions {
            let of = if places.contains_key(&(register, version)) { &mut there } else { &mut missing };
            *of = Some(version);
        }
        let at: Vec<_> =
            versions.iter().filter_map(|version| Some(places.get(&(register, *version))?.at)).collect();
        if at.windows(2).any(|pair| pair[0] + 1 != pair[1]) {
            return Err(Anomaly::Torn { transaction: number });
        }
    }
    match (transaction.outcome, there, missing) {
        (Outcome::Done, _, Some(version)) => Err(Anomaly::Lost { transaction: number, version }),
        (Outcome::NotDone, Some(version), _) => Err(Anomaly::Undead { transaction: number, version }),
        (Outcome::Unknown, Some(_), Some(_)) => Err(Anomaly::Half { transaction: number }),
        (Outcome::Done, _, None)
        | (Outcome::NotDone, None, _)
        | (Outcome::Unknown, None, _)
        | (Outcome::Unknown, _, None) => Ok(()),
    }
}

/// Adds what the reads of one transaction say.
fn read(
    number: usize,
    transaction: &Transaction,
    places: &Places,
    registers: &[Vec<i64>],
    graph: &mut Graph,
) -> Result<(), Anomaly> {
    for (&register, &version) in &transaction.reads {
        let mut next = 0;
        if let Some(version) = version {
            let Some(place) = places.get(&(register, version)) else {
                return Err(Anomaly::AbortedRead { transaction: number, register });
            };
            if !place.last {
                return Err(Anomaly::IntermediateRead { transaction: number, register });
            }
            next = place.at + 1;
            graph.edge(place.writer, number, Why::WriteRead);
        }
        if let Some(own) = transaction.writes.get(&register).and_then(|versions| versions.first())
            && places[&(register, *own)].at != next
        {
            return Err(Anomaly::LostUpdate { transaction: number, register });
        }
        if let Some(&overwriting) = registers[register].get(next) {
            graph.edge(number, places[&(register, overwriting)].writer, Why::ReadWrite);
        }
    }
    Ok(())
}

/// Links what ended before something began, over one node per end, so that edges stay few.
fn real_time(spans: impl Iterator<Item = (usize, (u64, u64))>, graph: &mut Graph) {
    let mut events: Vec<(u64, bool, usize)> =
        spans.flat_map(|(number, (begin, end))| [(begin, false, number), (end, true, number)]).collect();
    // At the same instant a beginning sorts before an end: those two overlap.
    events.sort_unstable();
    let mut ended: Option<usize> = None;
    for (_, is_end, number) in events {
        if is_end {
            let node = graph.node();
            graph.edge(number, node, Why::RealTime);
            if let Some(before) = ended {
                graph.edge(before, node, Why::RealTime);
            }
            ended = Some(node);
        } else if let Some(before) = ended {
            graph.edge(before, number, Why::RealTime);
        }
    }
}

/// An anomaly of the transactions in a cycle.
type Named = fn(Vec<usize>) -> Anomaly;

fn order(transactions: usize, graph: &Graph) -> Result<(), Anomaly> {
    use Why::{ReadWrite, RealTime, WriteRead, WriteWrite};
    let search: [(Named, Why, &[Why]); 5] = [
        (Anomaly::WriteCycle, WriteWrite, &[WriteWrite]),
        (Anomaly::CircularFlow, WriteRead, &[WriteWrite, WriteRead]),
        (Anomaly::ReadSkew, ReadWrite, &[WriteWrite, WriteRead]),
        (Anomaly::WriteSkew, ReadWrite, &[WriteWrite, WriteRead, ReadWrite]),
        (Anomaly::RealTime, RealTime, &[WriteWrite, WriteRead, ReadWrite, RealTime]),
    ];
    for (anomaly, first, whys) in search {
        if let Some(mut cycle) = graph.cycle(first, whys) {
            cycle.retain(|node| *node < transactions);
            return Err(anomaly(cycle));
        }
    }
    Ok(())
}
