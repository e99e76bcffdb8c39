//! Compaction keeps every row of every history.

mod bench;
mod histories;
mod meanwhile;
mod read;

use iceberg::spec::FormatVersion;
use serde_json::json;

use self::bench::{Bench, Cell, Column, ID, PART, Seen, TEXT};
use super::Order;

const EVERY_VERSION: [FormatVersion; 3] = [FormatVersion::V1, FormatVersion::V2, FormatVersion::V3];

/// Six files of ten rows.
async fn six_files(version: FormatVersion) -> Bench {
    let mut bench = Bench::new(version).await;
    for step in 0..6 {
        bench.append(&(step * 10..step * 10 + 10).collect::<Vec<_>>()).await;
    }
    bench
}

#[tokio::test]
async fn small_files_become_one_in_every_version() {
    for version in EVERY_VERSION {
        let bench = six_files(version).await;
        let done = bench.run(Order::AsIs).await;
        assert_eq!((done.groups, done.files_before, done.files_after), (1, 6, 1), "{version}: {done:?}");
        assert_eq!(bench.found().await, bench.expected(), "{version}");
        assert_eq!(bench.run(Order::AsIs).await.groups, 0, "{version}");
    }
}

#[tokio::test]
async fn files_of_older_schemas_are_read_by_field_id() {
    for version in EVERY_VERSION {
        let mut bench = six_files(version).await;
        let mut columns = bench.columns.clone();
        // `id` is promoted and renamed, `v` goes, another `v` comes.
        (columns[0].of, columns[0].name) = ("long", "key".into());
        columns.remove(1);
        let default = (version == FormatVersion::V3).then_some(7);
        columns.push(Column { id: 4, name: "v".into(), of: "int", default });
        bench.evolve(columns).await;
        bench.append(&[1 << 40, 100]).await;
        let done = bench.run(Order::AsIs).await;
        assert_eq!((done.files_before, done.files_after), (7, 1), "{version}: {done:?}");
        assert_eq!(bench.found().await, bench.expected(), "{version}");
    }
}

#[tokio::test]
async fn files_of_an_older_spec_come_to_the_partitions_of_the_current_one() {
    for version in EVERY_VERSION {
        let mut bench = six_files(version).await;
        bench.partition(true).await;
        let done = bench.run(Order::AsIs).await;
        assert_eq!((done.files_before, done.files_after), (6, 3), "{version}: {done:?}");
        assert_eq!(bench.found().await, bench.expected(), "{version}");
        for (file, rows) in bench.data_rows().await {
            let Some(iceberg::spec::Literal::Primitive(iceberg::spec::PrimitiveLiteral::Int(p))) =
                &file.partition()[0]
            else {
                panic!("{file:?}")
            };
            assert!(rows.iter().all(|row| row.0[2] == Cell::Int(i64::from(*p))), "{version}: {rows:?}");
        }
        bench.partition(false).await;
        for id in 200..204 {
            bench.append(&[id]).await;
        }
        assert_eq!(bench.run(Order::AsIs).await.groups, 0, "{version}: too few of each partition");
    }
}

#[tokio::test]
async fn deleted_rows_and_the_files_that_tell_them_go() {
    for version in [FormatVersion::V2, FormatVersion::V3] {
        let mut bench = six_files(version).await;
        bench.delete_rows(|row| row.cells[&ID] < Cell::Int(15) && row.position % 2 == 0).await;
        let done = bench.run(Order::AsIs).await;
        assert_eq!(
            (done.files_before, done.files_after, done.rows_dropped),
            (6, 1, 8),
            "{version}: {done:?}"
        );
        assert_eq!(bench.found().await, bench.expected(), "{version}");
        assert_eq!(bench.deletes().await.len(), 0, "{version}");
    }
}

#[tokio::test]
async fn equality_deletes_apply_to_older_rows_only_and_null_equals_null() {
    for version in [FormatVersion::V2, FormatVersion::V3] {
        let mut bench = six_files(version).await;
        bench.delete_equal(&[TEXT], &[vec![Cell::Null], vec![Cell::Text("v3".into())]], None).await;
        bench.append(&[5, 3]).await;
        bench
            .delete_equal(
                &[ID, PART],
                &[vec![Cell::Int(1), Cell::Int(1)], vec![Cell::Int(2), Cell::Int(1)]],
                None,
            )
            .await;
        let done = bench.run(Order::AsIs).await;
        assert_eq!((done.files_before, done.files_after), (7, 1), "{version}: {done:?}");
        assert_eq!(bench.found().await, bench.expected(), "{version}");
        assert!(done.rows_dropped > 10, "{version}: {done:?}");
    }
}

#[tokio::test]
async fn an_equality_delete_of_a_column_that_was_dropped_still_applies() {
    let mut bench = six_files(FormatVersion::V2).await;
    bench.delete_equal(&[TEXT], &[vec![Cell::Text("v3".into())]], None).await;
    let mut columns = bench.columns.clone();
    columns.remove(1);
    bench.evolve(columns).await;
    let done = bench.run(Order::AsIs).await;
    assert_eq!(done.files_after, 1, "{done:?}");
    assert_eq!(bench.found().await, bench.expected());
}

#[tokio::test]
async fn rows_are_sorted_by_the_tables_order() {
    for version in EVERY_VERSION {
        let mut bench = six_files(version).await;
        let fields = json!([
            {"source-id": TEXT, "transform": "truncate[1]", "direction": "asc", "null-order": "nulls-last"},
            {"source-id": TEXT, "transform": "identity", "direction": "desc", "null-order": "nulls-last"},
            {"source-id": ID, "transform": "identity", "direction": "asc", "null-order": "nulls-first"},
        ]);
        let order = json!([{"action": "add-sort-order", "sort-order": {"order-id": 1, "fields": fields}},
            {"action": "set-default-sort-order", "sort-order-id": -1}]);
        bench.world.update("t", order).await;
        bench.append(&[1000, 1]).await;
        let done = bench.run(Order::AllSorted).await;
        assert_eq!((done.files_before, done.files_after), (7, 1), "{version}: {done:?}");
        assert_eq!(bench.found().await, bench.expected(), "{version}");
        let (file, rows) = bench.data_rows().await.remove(0);
        assert_eq!(file.sort_order_id(), Some(1));
        let key =
            |row: &Seen| (row.0[1] == Cell::Null, std::cmp::Reverse(row.0[1].clone()), row.0[0].clone());
        assert!(rows.is_sorted_by_key(key), "{version}: {rows:?}");
        assert_eq!(bench.run(Order::AllSorted).await.groups, 0, "{version}");
    }
}

#[tokio::test]
async fn deletes_that_apply_to_nothing_leave_the_metadata_and_small_manifests_become_one() {
    for version in [FormatVersion::V2, FormatVersion::V3] {
        let mut bench = Bench::new(version).await;
        for step in 0..12 {
            bench.append(&[step, step + 100]).await;
        }
        bench.delete_equal(&[ID], &[vec![Cell::Int(3)]], None).await;
        bench.delete_rows(|row| row.cells[&ID] == Cell::Int(4)).await;
        let done = bench.run(Order::AsIs).await;
        assert_eq!(
            (done.deletes_dropped, done.rows_dropped, done.files_after),
            (2, 2, 1),
            "{version}: {done:?}"
        );
        assert_eq!((done.snapshots, bench.deletes().await.len()), (2, 0), "{version}: {done:?}");
        assert!(done.manifests_after <= 3, "of the new file, and of what went: {done:?}");
        assert_eq!(bench.found().await, bench.expected(), "{version}");
    }
}

#[tokio::test]
async fn a_delete_file_stays_while_a_file_is_that_it_applies_to() {
    let mut bench = Bench::new(FormatVersion::V2).await;
    bench.partition(true).await;
    bench.append(&[0, 1, 2]).await;
    bench.delete_equal(&[ID], &[vec![Cell::Int(0)]], Some(0)).await;
    let tidied = bench.compact(crate::removal::Mode::Apply).tidy(&crate::testing::ident("t")).await.unwrap();
    assert!(tidied.is_none());
    assert_eq!(bench.deletes().await.len(), 1);
}

#[tokio::test]
async fn imported_files_are_read_by_the_name_mapping_and_their_partition() {
    for version in EVERY_VERSION {
        let mut bench = Bench::new(version).await;
        bench.partition(true).await;
        for step in 0..5 {
            bench.import(&(step * 3..step * 3 + 3).collect::<Vec<_>>()).await;
        }
        let done = bench.run(Order::AsIs).await;
        let reason = "without field ids, in a table without a name mapping";
        assert_eq!((done.groups, done.skipped.get(reason)), (0, Some(&15)), "{version}: {done:?}");
        let mapping = r#"[{"field-id": 1, "names": ["id"]}, {"field-id": 2, "names": ["text", "v"]}]"#;
        let named =
            json!([{"action": "set-properties", "updates": {"schema.name-mapping.default": mapping}}]);
        bench.world.update("t", named).await;
        let done = bench.run(Order::AsIs).await;
        assert_eq!((done.files_before, done.files_after), (15, 3), "{version}: {done:?}");
        assert_eq!(bench.found().await, bench.expected(), "{version}");
    }
}

#[tokio::test]
async fn one_column_too_few_that_is_required_leaves_files_as_they_are() {
    let bench = six_files(FormatVersion::V2).await;
    let before = bench.found().await;
    let mut schema = bench::schema_json(&bench.columns);
    schema["fields"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": 9, "name": "new", "required": true, "type": "int"}));
    let updates = json!([{"action": "add-schema", "schema": schema}, {"action": "set-current-schema", "schema-id": -1}]);
    bench.world.update("t", updates).await;
    let done = bench.run(Order::AsIs).await;
    assert_eq!((done.groups, done.skipped.get("without a required column")), (0, Some(&6)), "{done:?}");
    assert_eq!(bench.found().await, before);
}

#[tokio::test]
async fn rows_of_an_upgraded_table_get_row_ids_once_and_keep_them() {
    for appends_first in [false, true] {
        let mut bench = six_files(FormatVersion::V2).await;
        bench.delete_rows(|row| row.cells[&ID] == Cell::Int(7)).await;
        bench.world.update("t", json!([{"action": "upgrade-format-version", "format-version": 3}])).await;
        bench.version = FormatVersion::V3;
        if appends_first {
            // The first snapshot after an upgrade gives ids to all files.
            bench.append(&[1000]).await;
            let deleted = |row: &bench::Row| row.cells[&ID] == Cell::Int(7);
            bench.relocate().await;
            bench.rows.retain(|row| !deleted(row));
            assert!(bench.rows.iter().all(|row| row.row_id.is_some()));
        }
        let done = bench.run(Order::Sorted).await;
        assert_eq!((done.files_after, done.rows_dropped), (1, 1), "{done:?}");
        let (found, expected) = (bench.found().await, bench.expected());
        if appends_first {
            assert_eq!(found, expected);
        }
        let cells = |seen: &[Seen]| seen.iter().map(|row| row.0.clone()).collect::<Vec<_>>();
        assert_eq!(cells(&found), cells(&expected));
        let ids: std::collections::BTreeSet<i64> = found.iter().filter_map(|row| row.1).collect();
        assert_eq!(ids.len(), found.len(), "each row has an id of its own");
        let next = bench.world.metadata("t").await.next_row_id();
        assert!(ids.last().is_some_and(|&last| last < next));
    }
}

/// Whoever may write a table names files in its manifests as it likes, and a run reads with the rights of the server.
#[tokio::test]
async fn rows_of_files_that_are_not_the_tables_own_are_never_copied_into_it() {
    for elsewhere in ["s3://other/private", "s3://main/sales/another-table"] {
        let mut bench = six_files(FormatVersion::V2).await;
        bench.elsewhere = Some(elsewhere);
        bench.append(&[1000, 1001]).await;
        let done = bench.run(Order::AsIs).await;
        assert_eq!((done.files_before, done.files_after), (6, 1), "{elsewhere}: {done:?}");
        assert_eq!(done.skipped.get("outside the table's own places"), Some(&1), "{elsewhere}: {done:?}");
        assert_eq!(bench.found().await, bench.expected(), "{elsewhere}");
    }
}

/// What its rows match would tell of a file that the table's writer may not read.
#[tokio::test]
async fn a_delete_file_that_is_not_the_tables_own_is_not_read() {
    let mut bench = six_files(FormatVersion::V2).await;
    bench.elsewhere = Some("s3://other/private");
    bench.delete_equal(&[ID], &[vec![Cell::Int(1)]], None).await;
    let refused = bench.try_run(Order::AsIs).await.unwrap_err().to_string();
    assert!(refused.contains("outside the table's own places"), "{refused}");
}
