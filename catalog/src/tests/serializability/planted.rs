//! Every kind of anomaly, planted into a valid history, is found and called by its name.

use std::collections::BTreeMap;

use super::check::{Anomaly, check};
use super::random::Random;
use super::record::{Outcome, Transaction};

const REGISTERS: usize = 6;
const TRANSACTIONS: u64 = 60;
const ALWAYS: (u64, u64) = (0, u64::MAX);

struct History {
    transactions: Vec<Transaction>,
    registers: Vec<Vec<i64>>,
    next: i64,
}

type Reads<'a> = &'a [(usize, Option<i64>)];

impl History {
    /// Transactions that took effect one after the other while many were under way.
    fn valid(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut history = Self { transactions: Vec::new(), registers: vec![Vec::new(); REGISTERS], next: 1 };
        for moment in 1..=TRANSACTIONS {
            let registers: Vec<usize> = (0..REGISTERS).filter(|_| random.percent(50)).collect();
            let reads: Vec<_> =
                registers.iter().map(|&register| (register, history.newest(register))).collect();
            let written: Vec<usize> = registers.into_iter().filter(|_| random.percent(60)).collect();
            let begin = 100 * moment - random.next() % 100;
            history.done(&reads, &written, (begin, 100 * moment + random.next() % 300));
        }
        history
    }

    fn newest(&self, register: usize) -> Option<i64> {
        self.registers[register].last().copied()
    }

    /// Adds a transaction that took effect last; the versions it made.
    fn done(&mut self, reads: Reads<'_>, written: &[usize], span: (u64, u64)) -> Vec<i64> {
        let versions: Vec<i64> = (self.next..).take(written.len()).collect();
        self.next += versions.len() as i64;
        for (&register, &version) in written.iter().zip(&versions) {
            self.registers[register].push(version);
        }
        let writes = written.iter().zip(&versions).map(|(&register, &version)| (register, vec![version]));
        let (reads, writes): (BTreeMap<_, _>, _) = (reads.iter().copied().collect(), writes.collect());
        self.transactions.push(Transaction { reads, writes, span, outcome: Outcome::Done });
        versions
    }

    /// The last transaction that wrote at least `registers` registers.
    fn writer(&mut self, registers: usize) -> &mut Transaction {
        let mut found = self.transactions.iter_mut().rev().filter(|one| one.writes.len() >= registers);
        found.next().unwrap()
    }

    fn last(&mut self) -> &mut Transaction {
        self.transactions.last_mut().unwrap()
    }
}

fn twice(history: &mut History) {
    let version = history.registers[0][0];
    history.registers[0].push(version);
}

fn unwritten(history: &mut History) {
    history.registers[0].push(1_000_000);
}

fn lost(history: &mut History) {
    history.registers[0].pop();
}

fn undead(history: &mut History) {
    history.writer(1).outcome = Outcome::NotDone;
}

fn half(history: &mut History) {
    let writer = history.writer(2);
    writer.outcome = Outcome::Unknown;
    let (register, versions) = writer.writes.pop_first().unwrap();
    writer.writes.insert(register, versions.clone());
    history.registers[register].retain(|version| *version != versions[0]);
}

/// The last transaction makes two versions of register 0; the newer one.
fn two_versions(history: &mut History) -> i64 {
    history.done(&[], &[0], ALWAYS);
    let more = history.next;
    history.next += 1;
    history.last().writes.get_mut(&0).unwrap().push(more);
    history.registers[0].push(more);
    more
}

fn torn(history: &mut History) {
    two_versions(history);
    history.done(&[], &[0], ALWAYS);
    let length = history.registers[0].len();
    history.registers[0].swap(length - 1, length - 2);
}

fn aborted_read(history: &mut History) {
    let version = history.done(&[], &[0], ALWAYS)[0];
    history.last().outcome = Outcome::NotDone;
    history.registers[0].pop();
    history.done(&[(0, Some(version))], &[1], ALWAYS);
}

fn intermediate_read(history: &mut History) {
    let newer = two_versions(history);
    history.done(&[(0, Some(newer - 1))], &[1], ALWAYS);
}

fn lost_update(history: &mut History) {
    let old = history.newest(0);
    history.done(&[(0, old)], &[0], ALWAYS);
    history.done(&[(0, old)], &[0], ALWAYS);
}

fn write_cycle(history: &mut History) {
    history.done(&[], &[0, 1], ALWAYS);
    history.done(&[], &[0, 1], ALWAYS);
    let length = history.registers[1].len();
    history.registers[1].swap(length - 1, length - 2);
}

fn circular_flow(history: &mut History) {
    let first = history.done(&[], &[0], ALWAYS)[0];
    let second = history.done(&[(0, Some(first))], &[1], ALWAYS)[0];
    let at = history.transactions.len() - 2;
    history.transactions[at].reads.insert(1, Some(second));
}

/// A transaction half seen.
fn read_skew(history: &mut History) {
    let old = history.newest(1);
    let versions = history.done(&[], &[0, 1], ALWAYS);
    history.done(&[(0, Some(versions[0])), (1, old)], &[], ALWAYS);
}

/// Each writes the register that the other only required.
fn write_skew(history: &mut History) {
    let old = [(0, history.newest(0)), (1, history.newest(1))];
    history.done(&old, &[0], ALWAYS);
    history.done(&old, &[1], ALWAYS);
}

fn write_skew_of_three(history: &mut History) {
    let old: Vec<_> = (0..3).map(|register| (register, history.newest(register))).collect();
    for register in 0..3 {
        history.done(&[old[register], old[(register + 1) % 3]], &[register], ALWAYS);
    }
}

/// Two readers see two writers in opposite orders.
fn long_fork(history: &mut History) {
    let old = [(0, history.newest(0)), (1, history.newest(1))];
    let one = history.done(&[], &[0], ALWAYS)[0];
    let other = history.done(&[], &[1], ALWAYS)[0];
    history.done(&[(0, Some(one)), old[1]], &[], ALWAYS);
    history.done(&[old[0], (1, Some(other))], &[], ALWAYS);
}

/// An answer was given, and who asks later does not see what it told.
fn stale_read(history: &mut History) {
    let old = history.newest(0);
    history.done(&[], &[0], (100_000, 100_001));
    history.done(&[(0, old)], &[1], (100_002, 100_003));
}

fn writes_against_the_clock(history: &mut History) {
    history.done(&[], &[0], (100_002, 100_003));
    history.done(&[], &[0], (100_000, 100_001));
}

/// Its outcome was unknown, it was seen, and then it was undone.
fn seen_and_undone(history: &mut History) {
    let version = history.done(&[], &[0], ALWAYS)[0];
    history.last().outcome = Outcome::Unknown;
    history.registers[0].pop();
    history.done(&[(0, Some(version))], &[], ALWAYS);
}

type Plant = fn(&mut History);
type IsFound = fn(&Anomaly) -> bool;

const PLANTED: [(&str, Plant, IsFound); 18] = [
    ("a version twice", twice, |found| matches!(found, Anomaly::Twice { .. })),
    ("a version of nobody", unwritten, |found| matches!(found, Anomaly::Unwritten { .. })),
    ("an acknowledged version that is gone", lost, |found| matches!(found, Anomaly::Lost { .. })),
    ("a refused version that is there", undead, |found| matches!(found, Anomaly::Undead { .. })),
    ("half a transaction", half, |found| matches!(found, Anomaly::Half { .. })),
    ("another's version amid a transaction's", torn, |found| matches!(found, Anomaly::Torn { .. })),
    ("G1a", aborted_read, |found| matches!(found, Anomaly::AbortedRead { .. })),
    ("G1a of an unknown outcome", seen_and_undone, |found| matches!(found, Anomaly::AbortedRead { .. })),
    ("G1b", intermediate_read, |found| matches!(found, Anomaly::IntermediateRead { .. })),
    ("a lost update", lost_update, |found| matches!(found, Anomaly::LostUpdate { .. })),
    ("G0", write_cycle, |found| matches!(found, Anomaly::WriteCycle(_))),
    ("G1c", circular_flow, |found| matches!(found, Anomaly::CircularFlow(_))),
    ("G-single, half seen", read_skew, |found| matches!(found, Anomaly::ReadSkew(_))),
    (
        "G2, a write skew over read-only requirements",
        write_skew,
        |found| matches!(found, Anomaly::WriteSkew(cycle) if cycle.len() == 2),
    ),
    ("G2 of three", write_skew_of_three, |found| matches!(found, Anomaly::WriteSkew(_))),
    ("G2, a long fork", long_fork, |found| matches!(found, Anomaly::WriteSkew(_))),
    ("a stale read after an answer", stale_read, |found| matches!(found, Anomaly::RealTime(_))),
    ("writes against the clock", writes_against_the_clock, |found| matches!(found, Anomaly::RealTime(_))),
];

#[test]
fn every_kind_of_anomaly_planted_into_a_valid_history_is_found_by_its_name() {
    for seed in 0..20 {
        for (name, plant, is_found) in PLANTED {
            let mut history = History::valid(seed);
            assert_eq!(check(&history.transactions, &history.registers), Ok(()), "seed {seed}");
            plant(&mut history);
            match check(&history.transactions, &history.registers) {
                Err(found) => assert!(is_found(&found), "seed {seed}: {name} is called {found:?}"),
                Ok(()) => panic!("seed {seed}: {name} is not found"),
            }
        }
    }
}

#[test]
fn a_transaction_of_unknown_outcome_may_be_there_or_not() {
    for is_there in [false, true] {
        let mut history = History::valid(7);
        history.done(&[], &[0, 1], ALWAYS);
        history.last().outcome = Outcome::Unknown;
        if !is_there {
            history.registers[0].pop();
            history.registers[1].pop();
        }
        assert_eq!(check(&history.transactions, &history.registers), Ok(()));
    }
}
