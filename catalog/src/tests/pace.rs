//! What a commit costs the catalog itself: `cargo test --release -p tarn-catalog pace -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::state::Request;
use crate::testing::{catalog, change, create};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn pace_of_transactions_over_one_and_many_tables() {
    const TABLES: usize = 100;
    const SECONDS: u64 = 2;
    let (catalog, ..) = catalog().await;
    for table in 0..TABLES {
        catalog.commit(create(&format!("t{table}"))).await.unwrap();
    }
    for tables in [1, 10, TABLES] {
        let (started, mut rounds) = (Instant::now(), 0_u32);
        while started.elapsed() < Duration::from_secs(SECONDS) {
            rounds += 1;
            let update = json!({"action": "set-properties", "updates": {"round": rounds.to_string()}});
            let update = std::slice::from_ref(&update);
            let changes = (0..tables).map(|table| change(&format!("t{table}"), &[], update)).collect();
            catalog.commit(Request::CommitTables(changes)).await.unwrap();
        }
        println!("{tables} tables: {:?} each transaction", started.elapsed() / rounds);
    }
}
