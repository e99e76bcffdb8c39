//! Rows of versions as the Delta kernel reads them: from real files, by a log made of what is told.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Int32Array, Int64Array, ListArray, StringArray, StructArray};
use arrow_schema::{DataType, Field};
use delta_kernel::Snapshot;
use delta_kernel::arrow::buffer::OffsetBuffer;
use delta_kernel::arrow::json::LineDelimitedWriter;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel_default_engine::DefaultEngine;
use futures::TryStreamExt as _;
use iceberg::spec::Literal;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::{Value, json};
use tarn_catalog::WarehouseStores as _;

use super::super::testing::{File, Step, World, field, optional, schema};
use crate::delta::delta_log_of;
use crate::table::{Place, TableSource as _, TableVersion};

fn uri(at: Place<'_>) -> String {
    format!("memory:///{}/{}", at.bucket, at.key)
}

async fn copy(from: &dyn ObjectStore, bucket: &str, to: &InMemory) {
    let objects: Vec<_> = from.list(None).try_collect().await.unwrap();
    for object in objects {
        let bytes = from.get(&object.location).await.unwrap().bytes().await.unwrap();
        to.put(&Path::from(format!("{bucket}/{}", object.location)), bytes.into()).await.unwrap();
    }
}

/// The rows of a version as the kernel reads them, nulls left out, sorted.
pub(super) async fn rows(world: &World, version: &TableVersion) -> Vec<Value> {
    let store = Arc::new(InMemory::new());
    copy(&*world.stores.store("main"), "main", &store).await;
    copy(&*world.own, crate::table::OWN_BUCKET, &store).await;
    let log: Vec<u8> = delta_log_of(version, uri).flat_map(|piece| piece.to_vec()).collect();
    store.put(&Path::from("t/_delta_log/00000000000000000000.json"), log.into()).await.unwrap();
    let read = move || {
        let engine = Arc::new(DefaultEngine::builder(store).build());
        let snapshot = Snapshot::builder_for("memory:///t/").build(&*engine).unwrap();
        let scan = snapshot.scan_builder().build().unwrap();
        let mut lines = LineDelimitedWriter::new(Vec::new());
        for data in scan.execute(engine).unwrap() {
            let batch = ArrowEngineData::try_from_engine_data(data.unwrap()).unwrap();
            lines.write(batch.record_batch()).unwrap();
        }
        lines.finish().unwrap();
        lines.into_inner()
    };
    let lines = String::from_utf8(tokio::task::spawn_blocking(read).await.unwrap()).unwrap();
    let mut rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    rows.sort_by_key(Value::to_string);
    rows
}

fn ints(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// Lists of one element each.
fn list(element: i32, of: DataType, values: ArrayRef) -> (DataType, ArrayRef) {
    let element = Arc::new(field("element", of, element));
    let lengths = OffsetBuffer::from_lengths(std::iter::repeat_n(1, values.len()));
    let array = ListArray::new(element.clone(), lengths, values, None);
    (DataType::List(element), Arc::new(array))
}

#[tokio::test]
async fn evolved_columns_are_read_from_files_of_each_age() {
    let world = World::new().await;
    let inner = |fields: Value| {
        let element = json!({"type": "struct", "fields": fields});
        json!({"type": "list", "element-id": 4, "element-required": false, "element": element})
    };
    let before = optional(&[(5, "x", json!("int")), (6, "y", json!("string"))]);
    let first = schema(0, &[(1, "id", json!("int")), (2, "s", json!("string")), (3, "l", inner(before))]);
    world.create("orders", first, json!([])).await;
    let point = |x: (Field, ArrayRef), y: (Field, ArrayRef)| {
        let array = StructArray::from(vec![(Arc::new(x.0), x.1), (Arc::new(y.0), y.1)]);
        list(4, arrow_array::Array::data_type(&array).clone(), Arc::new(array))
    };
    let (of_l, l) = point(
        (field("x", DataType::Int32, 5), ints(&[10, 20])),
        (field("y", DataType::Utf8, 6), texts(&["old", "older"])),
    );
    let columns = vec![
        (field("id", DataType::Int32, 1), ints(&[1, 2])),
        (field("s", DataType::Utf8, 2), texts(&["a", "b"])),
        (field("l", of_l, 3), l),
    ];
    let file = world.data("1", columns).await;
    world.step("orders", Step { adds: vec![file], ..Step::default() }).await;
    let after = optional(&[(5, "y", json!("long")), (7, "x", json!("int"))]);
    let second =
        schema(1, &[(3, "points", inner(after)), (1, "number", json!("long")), (8, "s", json!("string"))]);
    world.evolve("orders", second).await;
    let (of_l, l) = point(
        (field("y", DataType::Int64, 5), Arc::new(Int64Array::from(vec![1_i64 << 40]))),
        (field("x", DataType::Int32, 7), ints(&[7])),
    );
    let columns = vec![
        (field("points", of_l, 3), l),
        (field("number", DataType::Int64, 1), Arc::new(Int64Array::from(vec![3_i64])) as ArrayRef),
        (field("s", DataType::Utf8, 8), texts(&["new"])),
    ];
    let file = world.data("2", columns).await;
    world.step("orders", Step { adds: vec![file], ..Step::default() }).await;

    let table = world.table("orders");
    let old = rows(&world, &table.load(1).await.unwrap()).await;
    let told = [
        json!({"id": 1, "s": "a", "l": [{"x": 10, "y": "old"}]}),
        json!({"id": 2, "s": "b", "l": [{"x": 20, "y": "older"}]}),
    ];
    assert_eq!(old, told);
    let new = rows(&world, &table.load(3).await.unwrap()).await;
    let told = [
        json!({"number": 1, "points": [{"y": 10}]}),
        json!({"number": 2, "points": [{"y": 20}]}),
        json!({"number": 3, "points": [{"x": 7, "y": 1_i64 << 40}], "s": "new"}),
    ];
    assert_eq!(new, told);
}

#[tokio::test]
async fn partition_columns_have_their_values_before_and_after_the_spec_changed() {
    let world = World::new().await;
    let columns = schema(0, &[(1, "id", json!("int")), (2, "day", json!("date")), (3, "p", json!("string"))]);
    let by = |name: &str, id: i32| json!({"name": name, "transform": "identity", "source-id": id});
    world.create("orders", columns, json!([by("day", 2), by("p", 3)])).await;
    let data = |id: i32, day: i32, p: &'static str| {
        vec![
            (field("id", DataType::Int32, 1), ints(&[id])),
            (field("day", DataType::Date32, 2), Arc::new(Date32Array::from(vec![day])) as ArrayRef),
            (field("p", DataType::Utf8, 3), texts(&[p])),
        ]
    };
    let file = world.data("1", data(1, 19_000, "a b/c=%")).await;
    let partition = vec![Some(Literal::date(19_000)), Some(Literal::string("a b/c=%"))];
    world.step("orders", Step { adds: vec![File { partition, ..file }], ..Step::default() }).await;
    world.repartition("orders", json!([by("day", 2)])).await;
    let file = world.data("2", data(2, 19_001, "")).await;
    let partition = vec![Some(Literal::date(19_001))];
    world.step("orders", Step { adds: vec![File { partition, ..file }], ..Step::default() }).await;
    let table = world.table("orders");
    let first = table.load(1).await.unwrap();
    assert_eq!(first.metadata.partition_columns, ["day", "p"]);
    let one = json!({"id": 1, "day": "2022-01-08", "p": "a b/c=%"});
    assert_eq!(rows(&world, &first).await, std::slice::from_ref(&one));
    let second = table.load(3).await.unwrap();
    assert_eq!(second.metadata.partition_columns, ["day"]);
    assert_eq!(rows(&world, &second).await, [one, json!({"id": 2, "day": "2022-01-09", "p": ""})]);
}

#[tokio::test]
async fn deleted_rows_are_not_read() {
    let world = World::new().await;
    world.create("orders", schema(0, &[(1, "id", json!("int"))]), json!([])).await;
    for (name, ids) in [("1", [1, 2, 3]), ("2", [4, 5, 6])] {
        let file = world.data(name, vec![(field("id", DataType::Int32, 1), ints(&ids))]).await;
        world.step("orders", Step { adds: vec![file], ..Step::default() }).await;
    }
    let deletes = vec![world.positions("d1", &[("1", 0), ("2", 2)]).await];
    world.step("orders", Step { operation: "delete", deletes, ..Step::default() }).await;
    world.update("orders", json!([{"action": "upgrade-format-version", "format-version": 3}])).await;
    let deletes = vec![world.vector("d2", "2", &[0, 2]).await];
    world.step("orders", Step { operation: "delete", deletes, ..Step::default() }).await;
    let table = world.table("orders");
    let ids = async |version: i64| {
        let told = rows(&world, &table.load(version).await.unwrap()).await;
        told.iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids(2).await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(ids(3).await, [2, 3, 4, 5]);
    assert_eq!(ids(5).await, [2, 3, 5]);
}
