//! Random histories against a model of the rows.

use iceberg::spec::FormatVersion;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::bench::{Bench, Cell, Column, ID, PART, TEXT};
use crate::compact::Order;

const STEPS: usize = 25;
const SEEDS: u64 = 6;

async fn step(bench: &mut Bench, rng: &mut StdRng, evolved: &mut i32) {
    let has_deletes = bench.version != FormatVersion::V1;
    match rng.random_range(0..12) {
        0..5 => {
            let ids: Vec<i64> = (0..rng.random_range(1..15)).map(|_| rng.random_range(0..60)).collect();
            bench.append(&ids).await;
        }
        5 | 6 if has_deletes => {
            let (low, part) = (rng.random_range(0..60), rng.random_range(0..3));
            bench
                .delete_rows(|row| {
                    row.cells[&ID] > Cell::Int(low)
                        && row.cells[&ID] < Cell::Int(low + 9)
                        && row.cells.get(&PART).is_some_and(|p| *p != Cell::Int(part))
                })
                .await;
        }
        7 | 8 if has_deletes => {
            let partition = bench.is_partitioned.then(|| rng.random_range(0..3));
            let ids = (0..5).map(|_| vec![Cell::Int(rng.random_range(0..60))]).collect::<Vec<_>>();
            let by_text = bench.columns.iter().any(|column| column.id == TEXT) && rng.random_bool(0.5);
            match by_text {
                true => bench.delete_equal(&[TEXT], &[vec![Cell::Null]], partition).await,
                false => bench.delete_equal(&[ID], &ids, partition).await,
            }
        }
        9 => {
            let by_p = !bench.is_partitioned;
            bench.partition(by_p).await;
        }
        10 => {
            let mut columns = bench.columns.clone();
            *evolved += 1;
            let id = 3 + *evolved;
            let default = (bench.version == FormatVersion::V3 && rng.random_bool(0.5)).then_some(id.into());
            columns.push(Column { id, name: format!("c{id}"), of: "int", default });
            bench.evolve(columns).await;
        }
        11 if *evolved == 2 => {
            let mut columns = bench.columns.clone();
            columns[0].of = "long";
            columns.retain(|column| column.id != TEXT);
            bench.evolve(columns).await;
        }
        _nothing => {
            let order = if rng.random_bool(0.5) { Order::AsIs } else { Order::Sorted };
            check(bench, order).await;
        }
    }
}

/// Compacts, and looks that no row changed. What deletes still apply to is left to the end.
async fn check(bench: &mut Bench, order: Order) {
    let before = bench.expected();
    let cells: Vec<_> = before.iter().map(|(cells, ..)| cells.clone()).collect();
    assert_eq!(bench.live().await, cells, "what a reader sees");
    let done = bench.run(order).await;
    assert_eq!(done.skipped, std::collections::BTreeMap::new());
    if done.groups > 0 {
        // All files under deletes were rewritten.
        assert_eq!(bench.found().await, before);
        bench.relocate().await;
    }
}

#[tokio::test]
async fn rows_and_their_lineage_outlive_random_histories() {
    for version in super::EVERY_VERSION {
        for seed in 0..SEEDS {
            println!("format version {version}, seed {seed}");
            let (mut bench, mut rng) = (Bench::new(version).await, StdRng::seed_from_u64(seed));
            let mut evolved = 0;
            bench.append(&[1, 2, 3]).await;
            for _ in 0..STEPS {
                step(&mut bench, &mut rng, &mut evolved).await;
            }
            check(&mut bench, Order::Sorted).await;
            let run = bench.run(Order::AsIs).await;
            assert_eq!((run.groups, run.skipped.len()), (0, 0), "nothing is left to do: {run:?}");
            assert_eq!(bench.found().await, bench.expected());
        }
    }
}
