//! Equality deletes against real files.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array,
    StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field};
use serde_json::{Value, json};
use tarn_catalog::manifests::Content;
use tarn_catalog::metadata::TableMetadata;

use super::Limits;
use super::testing::{Data, Delete, World, field, file, partition_of, table};
use crate::directory::EqualityDeletes;
use crate::table::TableError;

type Columns = Vec<(Field, ArrayRef)>;

fn column(id: i32, values: ArrayRef) -> (Field, ArrayRef) {
    (field(&format!("c{id}"), values.data_type().clone(), id), values)
}

fn longs(id: i32, values: &[Option<i64>]) -> (Field, ArrayRef) {
    column(id, Arc::new(Int64Array::from(values.to_vec())))
}

fn texts(id: i32, values: &[Option<&str>]) -> (Field, ArrayRef) {
    column(id, Arc::new(StringArray::from(values.to_vec())))
}

fn plain() -> TableMetadata {
    table(&json!([
        {"id": 1, "name": "c1", "required": false, "type": "long"},
        {"id": 2, "name": "c2", "required": false, "type": "string"},
    ]))
}

/// Equality deletes of these columns' values.
async fn equality(world: &World, key: &str, sequence_number: i64, ids: &[i32], columns: Columns) -> Delete {
    let rows = columns[0].1.len();
    let size = world.put_parquet(key, columns).await;
    let mut file = file(Content::EqualityDeletes, key, size, rows);
    file.equality_ids = ids.into();
    Delete::new(sequence_number, file)
}

/// Writes a data file of a test.
async fn data<'a>(world: &World, name: &'a str, sequence_number: i64, columns: Columns) -> Data<'a> {
    let rows = columns[0].1.len() as u64;
    let size = world.put_parquet(&format!("t/{name}"), columns).await;
    Data { size, ..Data::new(name, rows, sequence_number) }
}

/// The rows of one data file that are deleted.
async fn deleted(
    world: &World,
    table: &TableMetadata,
    deletes: impl IntoIterator<Item = Delete>,
    data: Data<'_>,
) -> Result<Vec<u64>, TableError> {
    let deletes = world.snapshot(table, deletes, EqualityDeletes::Resolve);
    let told = world.told(&deletes, &[data]).await?;
    Ok(told.into_iter().next().and_then(|(_, rows)| rows).unwrap_or_default())
}

#[tokio::test]
async fn rows_equal_in_all_columns_are_deleted_and_null_equals_null() {
    let (world, table) = (World::new(Limits::default()), plain());
    let numbers = longs(1, &[Some(1), Some(1), None, None, Some(2), Some(2)]);
    let names = texts(2, &[Some("a"), None, Some("a"), None, Some("a"), None]);
    let data = data(&world, "f", 1, vec![numbers, names]).await;
    let cases: [(&[i32], Columns, &[u64]); 6] = [
        (&[1], vec![longs(1, &[Some(1)])], &[0, 1]),
        (&[1], vec![longs(1, &[None])], &[2, 3]),
        (&[1, 2], vec![longs(1, &[Some(1), None]), texts(2, &[None, Some("a")])], &[1, 2]),
        // The order of ids and of the file's columns says nothing, and columns beside them are not compared.
        (&[2, 1], vec![texts(2, &[None]), longs(1, &[None])], &[3]),
        (&[2], vec![longs(1, &[Some(9)]), texts(2, &[None])], &[1, 3, 5]),
        (&[1], vec![longs(1, &[Some(7)])], &[]),
    ];
    for (number, (ids, columns, rows)) in cases.into_iter().enumerate() {
        let deletes = equality(&world, &format!("t/e{number}"), 2, ids, columns).await;
        assert_eq!(deleted(&world, &table, [deletes], data).await.unwrap(), rows, "case {number}");
    }
}

#[tokio::test]
async fn of_several_deletes_each_counts_for_older_files_only() {
    let (world, table) = (World::new(Limits::default()), plain());
    let values = || vec![longs(1, &[Some(1), Some(2), Some(3)])];
    let deletes = async || {
        [
            equality(&world, "t/e1", 3, &[1], vec![longs(1, &[Some(1), Some(2)])]).await,
            equality(&world, "t/e2", 5, &[1], vec![longs(1, &[Some(1)])]).await,
            equality(&world, "t/e3", 4, &[1], vec![longs(1, &[Some(1)])]).await,
            world.positions("t/p", 4, &[("f2", 2), ("f3", 2), ("f4", 2)]).await,
        ]
    };
    let files = [("f2", 2, &[0, 1, 2][..]), ("f3", 3, &[0, 2]), ("f4", 4, &[0, 2]), ("f5", 5, &[])];
    for (name, number, rows) in files {
        let data = data(&world, name, number, values()).await;
        assert_eq!(deleted(&world, &table, deletes().await, data).await.unwrap(), rows, "{name}");
    }
}

#[tokio::test]
async fn deletes_of_a_partition_stay_in_it_and_those_of_none_are_for_all() {
    let (world, table) = (World::new(Limits::default()), plain());
    let values = || vec![longs(1, &[Some(1), Some(2), Some(3)])];
    let mut own = equality(&world, "t/own", 2, &[1], vec![longs(1, &[Some(1)])]).await;
    own.partition = partition_of(Some("a"));
    let all = equality(&world, "t/all", 2, &[1], vec![longs(1, &[Some(3)])]).await;
    let deletes = world.snapshot(&table, [own, all], EqualityDeletes::Resolve);
    let cases = [("fa", Some("a"), &[0, 2][..]), ("fb", Some("b"), &[2]), ("f", None, &[2])];
    for (name, partition, rows) in cases {
        let data = Data { partition, ..data(&world, name, 1, values()).await };
        let told = world.told(&deletes, &[data]).await.unwrap();
        assert_eq!(told, [(name.to_owned(), Some(rows.to_vec()))]);
    }
}

#[tokio::test]
async fn values_are_found_whatever_type_their_column_had() {
    let (world, table) = (World::new(Limits::default()), plain());
    let day = 86_400_000_000;
    let decimal = |precision, values: Vec<i128>| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, 2).unwrap())
    };
    let cases: Vec<(ArrayRef, ArrayRef)> = vec![
        (Arc::new(Int32Array::from(vec![1, -7, 3])), Arc::new(Int64Array::from(vec![-7]))),
        (Arc::new(Int64Array::from(vec![1, -7, 3])), Arc::new(Int32Array::from(vec![-7]))),
        (
            Arc::new(Float32Array::from(vec![1.0, f32::NAN, 3.0])),
            Arc::new(Float64Array::from(vec![f64::NAN])),
        ),
        (
            Arc::new(Date32Array::from(vec![0, 5, 6])),
            Arc::new(TimestampMicrosecondArray::from(vec![5 * day, 6 * day + 1])),
        ),
        (decimal(9, vec![100, 250, 300]), decimal(30, vec![250])),
        (Arc::new(StringArray::from(vec!["a", "b", "c"])), Arc::new(BinaryArray::from(vec![&b"b"[..]]))),
    ];
    for (number, (values, deletes)) in cases.into_iter().enumerate() {
        let name = format!("f{number}");
        let data = data(&world, &name, 1, vec![column(1, values)]).await;
        let deletes = equality(&world, &format!("t/e{number}"), 2, &[1], vec![column(1, deletes)]).await;
        assert_eq!(deleted(&world, &table, [deletes], data).await.unwrap(), [1], "case {number}");
    }
    let other = data(&world, "other", 1, vec![texts(1, &[Some("1")])]).await;
    let deletes = equality(&world, "t/other-e", 2, &[1], vec![longs(1, &[Some(1)])]).await;
    let error = deleted(&world, &table, [deletes], other).await.unwrap_err();
    assert!(error.to_string().contains("columns of other types"), "{error}");
}

#[tokio::test]
async fn a_column_that_a_data_file_does_not_have_has_its_default_or_is_null() {
    let world = World::new(Limits::default());
    let table = table(&json!([
        {"id": 1, "name": "c1", "required": false, "type": "long"},
        {"id": 2, "name": "c2", "required": false, "type": "string"},
        {"id": 3, "name": "c3", "required": false, "type": "int", "initial-default": 4},
        {"id": 4, "name": "c4", "required": false, "type": "binary", "initial-default": "00ff"},
    ]));
    let data = data(&world, "f", 1, vec![longs(1, &[Some(1), Some(2)])]).await;
    let ints = |value| column(3, Arc::new(Int32Array::from(vec![value])));
    let cases: [(&[i32], Columns, &[u64]); 4] = [
        (&[1, 2], vec![longs(1, &[Some(2)]), texts(2, &[None])], &[1]),
        (&[1, 2], vec![longs(1, &[Some(2)]), texts(2, &[Some("a")])], &[]),
        (&[3], vec![ints(4)], &[0, 1]),
        (&[3], vec![ints(5)], &[]),
    ];
    for (number, (ids, columns, rows)) in cases.into_iter().enumerate() {
        let deletes = equality(&world, &format!("t/e{number}"), 2, ids, columns).await;
        assert_eq!(deleted(&world, &table, [deletes], data).await.unwrap(), rows, "case {number}");
    }
    for (id, why) in [(4, "a column whose default is not read"), (9, "a column that is in no schema")] {
        let deletes = equality(&world, &format!("t/u{id}"), 2, &[id], vec![texts(id, &[Some("a")])]).await;
        let error = deleted(&world, &table, [deletes], data).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_field_of_a_struct_is_compared_and_is_null_with_its_struct() {
    let (world, table) = (World::new(Limits::default()), plain());
    let inner = |values: Vec<Option<i64>>, nulls: Vec<bool>| {
        let beside: ArrayRef = Arc::new(StringArray::from(vec!["x"; values.len()]));
        let fields = vec![field("beside", DataType::Utf8, 8), field("c1", DataType::Int64, 1)];
        let columns = vec![beside, Arc::new(Int64Array::from(values)) as ArrayRef];
        let made = StructArray::try_new(fields.into(), columns, Some(nulls.into())).unwrap();
        vec![column(7, Arc::new(made))]
    };
    let values = vec![Some(1), Some(1), None, Some(2)];
    let data = data(&world, "f", 1, inner(values, vec![true, false, true, true])).await;
    let one = equality(&world, "t/e1", 2, &[1], inner(vec![Some(1)], vec![true])).await;
    assert_eq!(deleted(&world, &table, [one], data).await.unwrap(), [0]);
    let null = equality(&world, "t/e2", 2, &[1], inner(vec![Some(1)], vec![false])).await;
    assert_eq!(deleted(&world, &table, [null], data).await.unwrap(), [1, 2]);
}

#[tokio::test]
async fn files_without_field_ids_are_read_by_the_name_mapping_or_refused() {
    let world = World::new(Limits::default());
    let unnamed = |name: &str| {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        vec![(Field::new(name, DataType::Int64, true), values)]
    };
    let data = data(&world, "f", 1, unnamed("old")).await;
    let deletes = async || equality(&world, "t/e", 2, &[1], vec![longs(1, &[Some(2)])]).await;
    let mut metadata: Value = json!([{"id": 1, "name": "new", "required": false, "type": "long"}]);
    let error = deleted(&world, &table(&metadata), [deletes().await], data).await.unwrap_err();
    assert!(error.to_string().contains("without a name mapping"), "{error}");
    metadata[0]["doc"] = "renamed".into();
    let mapping = json!([{"field-id": 1, "names": ["old", "new"]}]);
    let mapped = super::testing::table_with(&metadata, &json!({super::NAME_MAPPING: mapping.to_string()}));
    assert_eq!(deleted(&world, &mapped, [deletes().await], data).await.unwrap(), [1]);
}

#[tokio::test]
async fn more_than_may_be_read_or_held_is_refused_with_the_cure() {
    let values: Vec<Option<i64>> = (0..20_000).map(Some).collect();
    let limits = [
        (Limits { scanned_bytes_max: 10_000, ..Limits::default() }, "what is read"),
        (
            Limits { keys_bytes_max: 100_000, ..Limits::default() },
            "the memory for the table's equality deletes",
        ),
    ];
    for (limits, what) in limits {
        let (world, table) = (World::new(limits), plain());
        let data = data(&world, "f", 1, vec![longs(1, &values)]).await;
        let deletes = equality(&world, "t/e", 2, &[1], vec![longs(1, &values)]).await;
        let error = deleted(&world, &table, [deletes], data).await.unwrap_err();
        assert!(matches!(error, TableError::TooLarge { .. }));
        let error = error.to_string();
        assert!(error.contains(what) && error.contains("compact the table"), "{error}");
    }
}

#[tokio::test]
async fn what_was_found_before_is_not_looked_for_again() {
    let (world, table) = (World::new(Limits::default()), plain());
    let data = data(&world, "f", 1, vec![longs(1, &[Some(1), Some(2)])]).await;
    let deletes = async || equality(&world, "t/e", 2, &[1], vec![longs(1, &[Some(2)])]).await;
    assert_eq!(deleted(&world, &table, [deletes().await], data).await.unwrap(), [1]);
    let more = equality(&world, "t/e2", 3, &[1], vec![longs(1, &[Some(1)])]).await;
    let same = deletes().await;
    world.put("t/f", Vec::new()).await;
    assert_eq!(deleted(&world, &table, [same], data).await.unwrap(), [1], "its file was not read");
    let both = [deletes().await, more];
    assert!(deleted(&world, &table, both, data).await.is_err(), "with more deletes it is read again");
}
