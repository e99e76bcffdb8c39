//! What other commits do while a group is rewritten (K2, K3).

use std::sync::Arc;

use iceberg::spec::FormatVersion;
use serde_json::json;

use super::bench::{Bench, Cell, ID};
use crate::compact::arrange::SortPlan;
use crate::compact::commit::Replacement;
use crate::compact::head::Head;
use crate::compact::rewrite::Rewritten;
use crate::compact::select::{Selection, Wanted};
use crate::compact::{Compact, Order};
use crate::removal::Mode;
use crate::testing::ident;

const BYTES: u64 = 64 << 20;

/// A group that was rewritten and is not committed.
struct Begun {
    head: Head,
    selection: Selection,
    made: Rewritten,
}

impl Begun {
    async fn new(bench: &Bench) -> Self {
        let compact = bench.compact(Mode::Apply);
        let head = bench.head().await.unwrap();
        let wanted = Wanted { bytes: BYTES, not_in_order: None };
        let selection = compact.select(&head, wanted, &mut Default::default()).await.unwrap();
        let sort = Arc::new(SortPlan::new(&head, Order::AsIs).unwrap());
        let made = compact.rewrite(&head, &selection.groups[0], &sort, BYTES).await.unwrap();
        Self { head, selection, made }
    }

    async fn commit(&self, compact: &Compact<'_>) -> bool {
        let (read, known_deletes, group) = (&self.head, &self.selection.deletes, &self.selection.groups[0]);
        let one = Replacement { read, known_deletes, group, made: &self.made };
        compact.commit(&ident("t"), &one).await.unwrap().is_some()
    }
}

async fn five_files(version: FormatVersion) -> Bench {
    let mut bench = Bench::new(version).await;
    for step in 0..5 {
        bench.append(&[step, step + 10]).await;
    }
    bench
}

#[tokio::test]
async fn appends_meanwhile_stay_and_do_not_hinder() {
    for version in super::EVERY_VERSION {
        let mut bench = five_files(version).await;
        let begun = Begun::new(&bench).await;
        bench.append(&[100]).await;
        assert!(begun.commit(&bench.compact(Mode::Apply)).await, "{version}");
        assert_eq!(bench.found().await, bench.expected(), "{version}");
    }
}

#[tokio::test]
async fn deletes_by_position_meanwhile_overtake_their_group_only() {
    for version in [FormatVersion::V2, FormatVersion::V3] {
        let mut bench = five_files(version).await;
        let begun = Begun::new(&bench).await;
        bench.append(&[100, 101]).await;
        bench.delete_rows(|row| row.cells[&ID] == Cell::Int(2)).await;
        assert!(!begun.commit(&bench.compact(Mode::Apply)).await, "{version}");
        bench.run(Order::AsIs).await;
        assert_eq!(bench.found().await, bench.expected(), "{version}");
    }
    let mut bench = five_files(FormatVersion::V3).await;
    let begun = Begun::new(&bench).await;
    bench.append(&[100, 101]).await;
    bench.delete_rows(|row| row.cells[&ID] == Cell::Int(100)).await;
    assert!(begun.commit(&bench.compact(Mode::Apply)).await, "of another file");
    assert_eq!(bench.deletes().await.len(), 1);
    bench.run(Order::AsIs).await;
    assert_eq!(bench.found().await, bench.expected());
}

#[tokio::test]
async fn equality_deletes_meanwhile_apply_to_the_new_file() {
    for version in [FormatVersion::V2, FormatVersion::V3] {
        let mut bench = five_files(version).await;
        let begun = Begun::new(&bench).await;
        bench.delete_equal(&[ID], &[vec![Cell::Int(3)]], None).await;
        assert!(begun.commit(&bench.compact(Mode::Apply)).await, "{version}");
        assert_ne!(
            bench.found().await,
            bench.expected(),
            "{version}: the delete is to be applied by readers"
        );
        bench.run(Order::AsIs).await;
        assert_eq!(bench.found().await, bench.expected(), "{version}");
    }
}

#[tokio::test]
async fn a_rollback_to_before_deletes_brings_their_rows_back() {
    for version in [FormatVersion::V2, FormatVersion::V3] {
        let mut bench = five_files(version).await;
        let (before, rows) = (bench.head().await.unwrap().snapshot_id, bench.rows.clone());
        bench.delete_rows(|row| row.cells[&ID] == Cell::Int(2)).await;
        let begun = Begun::new(&bench).await;
        let back = json!([{"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": before}]);
        bench.world.update("t", back).await;
        bench.rows = rows;
        assert!(!begun.commit(&bench.compact(Mode::Apply)).await, "{version}");
        assert_eq!(bench.found().await, bench.expected(), "{version}");
    }
}

#[tokio::test]
async fn a_change_of_the_schema_meanwhile_overtakes_a_group() {
    let mut bench = five_files(FormatVersion::V2).await;
    let begun = Begun::new(&bench).await;
    let mut columns = bench.columns.clone();
    columns[0].of = "long";
    bench.evolve(columns).await;
    assert!(!begun.commit(&bench.compact(Mode::Apply)).await);
}
