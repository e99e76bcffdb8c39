//! A checker of histories: are transactions over versioned tables strictly serializable?
//!
//! Every transaction tells which version of which table it required and which versions it made.
//! Tables are lists of versions, so the order of writers is known; transactions then depend on each
//! other by write-write, write-read, read-write and real time, and a cycle is an anomaly.

use std::collections::BTreeMap;

/// One committed transaction.
#[derive(Debug, Clone, Default)]
pub(super) struct Transaction {
    /// Table -> version that was required; `None` is the empty table.
    pub(super) reads: BTreeMap<usize, Option<i64>>,
    /// Table -> version that was made.
    pub(super) writes: BTreeMap<usize, i64>,
    /// When it began and ended on one logical clock.
    pub(super) span: (u64, u64),
}

/// An anomaly, told for a person.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Anomaly {
    /// A committed version is not in its table.
    LostUpdate { table: usize, version: i64 },
    /// These transactions depend on each other in a circle.
    Cycle(Vec<usize>),
}

/// Checks a history against the final list of versions of each table.
pub(super) fn check(history: &[Transaction], tables: &[Vec<i64>]) -> Result<(), Anomaly> {
    let mut after = vec![Vec::new(); history.len()];
    let mut writers = BTreeMap::new();
    for (number, transaction) in history.iter().enumerate() {
        for (&table, &version) in &transaction.writes {
            if !tables[table].contains(&version) {
                return Err(Anomaly::LostUpdate { table, version });
            }
            writers.insert((table, version), number);
        }
    }
    for (table, versions) in tables.iter().enumerate() {
        for pair in versions.windows(2) {
            if let (Some(&one), Some(&next)) =
                (writers.get(&(table, pair[0])), writers.get(&(table, pair[1])))
            {
                after[one].push(next);
            }
        }
    }
    for (number, transaction) in history.iter().enumerate() {
        for (&table, &version) in &transaction.reads {
            let at = version.and_then(|version| tables[table].iter().position(|found| *found == version));
            if let Some(&writer) = version.and_then(|version| writers.get(&(table, version))) {
                after[writer].push(number);
            }
            let next = tables[table].get(at.map_or(0, |at| at + 1));
            if let Some(&overwriter) = next.and_then(|next| writers.get(&(table, *next))) {
                after[number].push(overwriter);
            }
        }
        let later = |other: &Transaction| transaction.span.1 < other.span.0;
        after[number].extend((0..history.len()).filter(|&other| later(&history[other])));
    }
    for (number, next) in after.iter_mut().enumerate() {
        next.retain(|&other| other != number);
    }
    match cycle(&after) {
        Some(cycle) => Err(Anomaly::Cycle(cycle)),
        None => Ok(()),
    }
}

/// A cycle of the graph, by depth-first search without recursion.
fn cycle(after: &[Vec<usize>]) -> Option<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; after.len()];
    for start in 0..after.len() {
        if marks[start] != Mark::New {
            continue;
        }
        let mut path = vec![(start, 0)];
        marks[start] = Mark::Open;
        while let Some((node, edge)) = path.last_mut() {
            let Some(&next) = after[*node].get(*edge) else {
                marks[*node] = Mark::Done;
                path.pop();
                continue;
            };
            *edge += 1;
            match marks[next] {
                Mark::New => {
                    marks[next] = Mark::Open;
                    path.push((next, 0));
                }
                Mark::Open => {
                    let from = path.iter().position(|(node, _)| *node == next)?;
                    return Some(path[from..].iter().map(|(node, _)| *node).collect());
                }
                Mark::Done => {}
            }
        }
    }
    None
}

fn transaction(reads: &[(usize, Option<i64>)], writes: &[(usize, i64)], span: (u64, u64)) -> Transaction {
    Transaction { reads: reads.iter().copied().collect(), writes: writes.iter().copied().collect(), span }
}

#[test]
fn a_serial_history_is_accepted() {
    let history = [
        transaction(&[(0, None), (1, None)], &[(0, 1), (1, 2)], (0, 1)),
        transaction(&[(0, Some(1))], &[(0, 3)], (2, 3)),
        transaction(&[(0, Some(3)), (1, Some(2))], &[(1, 4)], (4, 5)),
    ];
    assert_eq!(check(&history, &[vec![1, 3], vec![2, 4]]), Ok(()));
}

#[test]
fn a_lost_update_is_found() {
    let history =
        [transaction(&[(0, None)], &[(0, 1)], (0, 3)), transaction(&[(0, None)], &[(0, 2)], (1, 2))];
    assert_eq!(check(&history, &[vec![2]]), Err(Anomaly::LostUpdate { table: 0, version: 1 }));
    assert!(matches!(check(&history, &[vec![1, 2]]), Err(Anomaly::Cycle(_))));
}

#[test]
fn a_write_skew_is_found() {
    let history = [
        transaction(&[(0, None), (1, None)], &[(0, 1)], (0, 3)),
        transaction(&[(0, None), (1, None)], &[(1, 2)], (0, 3)),
    ];
    assert!(matches!(check(&history, &[vec![1], vec![2]]), Err(Anomaly::Cycle(_))));
}

#[test]
fn a_half_seen_transaction_is_found() {
    let history = [
        transaction(&[(0, None), (1, None)], &[(0, 1), (1, 2)], (0, 9)),
        transaction(&[(0, Some(1)), (1, None)], &[(2, 3)], (0, 9)),
    ];
    assert!(matches!(check(&history, &[vec![1], vec![2], vec![3]]), Err(Anomaly::Cycle(_))));
}

#[test]
fn a_stale_read_after_an_answer_is_found() {
    let history = [transaction(&[], &[(0, 1)], (0, 1)), transaction(&[(0, None)], &[(1, 2)], (2, 3))];
    assert!(matches!(check(&history, &[vec![1], vec![2]]), Err(Anomaly::Cycle(_))));
}
