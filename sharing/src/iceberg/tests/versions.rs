//! Versions of tables in a catalog, with their files.

use std::sync::Arc;

use iceberg::spec::{DataFileFormat, Datum, Literal};
use serde_json::{Value, json};
use tarn_catalog::state::{DropTable, Guard, Purge, Request};

use super::super::testing::{File, Step, World, ident, names, schema, stats, unsupported};
use crate::directory::UnsupportedColumns;
use crate::holds::{HeldVersions, Holds};
use crate::table::{
    DataFile, Feature, FileList, HiddenField, HoldTime, TableError, TableSource as _, TableVersion,
    Transform, Versions,
};

const IDENTITY_P: &str = r#"[{"name": "p", "transform": "identity", "source-id": 2}]"#;

fn append(adds: Vec<File>) -> Step<'static> {
    Step { adds, ..Step::default() }
}

fn partitions(files: &FileList) -> Vec<Vec<(String, Option<String>)>> {
    let mut found = Vec::new();
    let own = |(name, value): &(&str, Option<&str>)| ((*name).to_owned(), value.map(str::to_owned));
    let walked = files.try_for_each(|file| {
        found.push(file.partition_values.iter().map(own).collect());
        Ok(())
    });
    walked.unwrap();
    found
}

fn hidden(files: &FileList) -> Vec<Vec<Option<String>>> {
    let mut found = Vec::new();
    let walked = files.try_for_each(|file: DataFile<'_>| {
        found.push(file.hidden.iter().map(|value| value.map(str::to_owned)).collect());
        Ok(())
    });
    walked.unwrap();
    found
}

/// What is told of a version without its files is what is told with them.
async fn load(world: &World, version: i64) -> TableVersion {
    let table = world.table("orders");
    let loaded = table.load(version).await.unwrap();
    let metadata = table.metadata(version).await.unwrap();
    let shape = |version: &TableVersion| {
        let hidden = version.hidden.to_vec();
        (version.metadata.clone(), version.features.clone(), version.plain.clone(), hidden)
    };
    assert_eq!(shape(&loaded), shape(&metadata));
    assert_eq!((loaded.version, loaded.timestamp_ms), (metadata.version, metadata.timestamp_ms));
    loaded
}

#[tokio::test]
async fn each_version_has_the_columns_and_files_it_had() {
    let world = World::new().await;
    let first = schema(0, &[(1, "id", json!("int")), (2, "p", json!("string")), (3, "s", json!("string"))]);
    world.create("orders", first, serde_json::from_str(IDENTITY_P).unwrap()).await;
    let file = |name: &str, p: &str| File::of(name, vec![Some(Literal::string(p))]);
    world.step("orders", append(vec![file("1", "x").bounds(1, Datum::int(1), Datum::int(9))])).await;
    let second =
        schema(1, &[(1, "number", json!("long")), (2, "p", json!("string")), (4, "s", json!("string"))]);
    world.evolve("orders", second).await;
    let newer = file("2", "y").bounds(1, Datum::long(10), Datum::long(1_i64 << 40)).bounds(
        4,
        Datum::string("aa"),
        Datum::string("zz"),
    );
    world.step("orders", append(vec![newer])).await;
    world.step("orders", Step { operation: "delete", drops: &["1"], ..Step::default() }).await;

    let table = world.table("orders");
    assert_eq!(table.versions().await.unwrap(), Versions { earliest: 0, latest: 4 });
    let empty = load(&world, 0).await;
    assert_eq!((empty.files.len(), empty.metadata.partition_columns.as_slice()), (0, &["p".to_owned()][..]));
    let one = load(&world, 1).await;
    let columns = |version: &TableVersion| {
        let fields = version.metadata.schema.fields.iter();
        fields.map(|field| format!("{}={}", field.name, field.physical_name())).collect::<Vec<_>>()
    };
    // Another column has its name since.
    assert_eq!(columns(&one), ["id=id", "p=p", "s=col-3"]);
    assert_eq!(names(&one.files), ["1"]);
    assert_eq!(partitions(&one.files), [[("p".to_owned(), Some("x".to_owned()))]]);
    let told = json!({"numRecords": 10, "tightBounds": false, "minValues": {"id": 1}, "maxValues": {"id": 9},
        "nullCount": {"id": 0}});
    assert_eq!(stats(&one.files, "1"), told);

    let evolved = load(&world, 2).await;
    assert_eq!(columns(&evolved), ["p=p", "number=id", "s=col-4"]);
    assert_eq!(names(&evolved.files), ["1"]);
    assert!(evolved.features.contains(&Feature::TypeWidening) && evolved.plain.is_err());
    let both = load(&world, 3).await;
    assert_eq!(names(&both.files), ["1", "2"]);
    // The older file's bounds were written as those of an int.
    assert_eq!(stats(&both.files, "1")["maxValues"], json!({"id": 9}));
    let told = json!({"id": (1_i64 << 40), "col-4": "zz"});
    assert_eq!(stats(&both.files, "2")["maxValues"], told);
    assert_eq!(names(&load(&world, 4).await.files), ["2"]);
    let configuration = &both.metadata.configuration;
    assert_eq!(configuration["delta.columnMapping.mode"], "id");
    assert_eq!(configuration["delta.columnMapping.maxColumnId"], "4");
    assert_eq!(both.metadata.id, world.metadata("orders").await.uuid().unwrap().to_string());
}

#[tokio::test]
async fn a_partition_column_is_told_before_a_renamed_column_that_it_would_stand_behind() {
    let world = World::new().await;
    let columns = |second: &str| {
        let string = |id: i32, name: &str| (id, name.to_owned(), json!("string"));
        [string(1, "id"), string(2, second), string(3, "p"), string(4, "last")]
    };
    let of = |number: i32, columns: [(i32, String, Value); 4]| {
        let columns = columns.each_ref().map(|(id, name, of)| (*id, name.as_str(), of.clone()));
        schema(number, &columns)
    };
    let spec = json!([{"name": "part", "transform": "identity", "source-id": 3}]);
    world.create("orders", of(0, columns("n")), spec).await;
    world.evolve("orders", of(1, columns("m"))).await;
    let names = |version: &TableVersion| {
        version.metadata.schema.fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&load(&world, 0).await), ["id", "n", "p", "last"]);
    assert_eq!(names(&load(&world, 1).await), ["id", "p", "m", "last"]);
    let world = World::new().await;
    let spec = json!([{"name": "part", "transform": "identity", "source-id": 2}]);
    world.create("orders", of(0, columns("n")), spec).await;
    let mut renamed = columns("n");
    renamed[0].1 = "number".to_owned();
    world.evolve("orders", of(1, renamed)).await;
    assert_eq!(names(&load(&world, 1).await), ["n", "number", "p", "last"]);
}

#[tokio::test]
async fn who_asks_first_after_a_column_took_the_name_of_another_is_told_the_table() {
    let world = World::new().await;
    let of = |number, first: &str, second: &str| {
        schema(number, &[(1, first, json!("int")), (2, second, json!("int"))])
    };
    world.create("orders", of(0, "a", "b"), json!([])).await;
    load(&world, 0).await;
    world.evolve("orders", of(1, "c", "b")).await;
    world.evolve("orders", of(2, "c", "a")).await;
    let table = world.table("orders").named().await.unwrap();
    let told = table.load(2).await.unwrap();
    let columns = told.metadata.schema.fields.iter().map(|field| field.physical_name().to_owned());
    assert_eq!(columns.collect::<Vec<_>>(), ["col-1", "b"]);
}

#[tokio::test]
async fn a_column_is_no_partition_column_once_a_file_is_not_partitioned_by_it() {
    let world = World::new().await;
    let columns =
        schema(0, &[(1, "at", json!("timestamptz")), (2, "p", json!("string")), (3, "n", json!("long"))]);
    world.create("orders", columns, serde_json::from_str(IDENTITY_P).unwrap()).await;
    world.step("orders", append(vec![File::of("1", vec![Some(Literal::string("x"))])])).await;
    world
        .repartition(
            "orders",
            json!([
                {"name": "day", "transform": "day", "source-id": 1},
                {"name": "part", "transform": "bucket[16]", "source-id": 3},
            ]),
        )
        .await;
    let evolved = File::of("2", vec![Some(Literal::date(20_000)), Some(Literal::int(7))]);
    world.step("orders", append(vec![evolved])).await;
    let before = load(&world, 1).await;
    assert_eq!((before.metadata.partition_columns.len(), before.hidden.len()), (1, 0));
    let after = load(&world, 3).await;
    assert!(after.metadata.partition_columns.is_empty());
    let told = |column: &str, transform| HiddenField { column: vec![column.to_owned()], transform };
    let fields =
        [told("p", Transform::Identity), told("at", Transform::Day), told("n", Transform::Bucket(16))];
    assert_eq!(*after.hidden, fields);
    let text = |value: &str| Some(value.to_owned());
    let values = [vec![text("x"), None, None], vec![None, text("20000"), text("7")]];
    let mut found = hidden(&after.files);
    found.sort();
    found.reverse();
    assert_eq!(found, values);
    assert_eq!(partitions(&after.files), [vec![], vec![]]);
}

#[tokio::test]
async fn a_column_with_an_empty_value_is_no_partition_column() {
    let world = World::new().await;
    let columns = schema(0, &[(1, "id", json!("int")), (2, "p", json!("string"))]);
    world.create("orders", columns, serde_json::from_str(IDENTITY_P).unwrap()).await;
    world.step("orders", append(vec![File::of("1", vec![None])])).await;
    world.step("orders", append(vec![File::of("2", vec![Some(Literal::string(""))])])).await;
    let nulls = load(&world, 1).await;
    assert_eq!(partitions(&nulls.files), [[("p".to_owned(), None)]]);
    assert!(load(&world, 2).await.metadata.partition_columns.is_empty());
}

#[tokio::test]
async fn floats_have_bounds_only_where_none_is_nan_and_structs_have_their_own_object() {
    let world = World::new().await;
    let inner = json!({"type": "struct", "fields": [
        {"id": 3, "name": "x", "required": false, "type": "int"},
        {"id": 4, "name": "y", "required": false, "type": "int"},
    ]});
    world.create("orders", schema(0, &[(1, "f", json!("double")), (2, "s", inner)]), json!([])).await;
    let range = |name: &str| {
        let file = File::new(name).bounds(1, Datum::double(0.5), Datum::double(1.5));
        file.bounds(3, Datum::int(1), Datum::int(2))
    };
    let mut without_nan = range("1");
    without_nan.nans.insert(1, 0);
    let mut with_nan = range("2");
    with_nan.nans.insert(1, 3);
    world.step("orders", append(vec![without_nan, with_nan, range("3")])).await;
    let files = load(&world, 1).await.files;
    assert_eq!(stats(&files, "1")["minValues"], json!({"f": 0.5, "s": {"x": 1}}));
    assert_eq!(stats(&files, "2")["minValues"], json!({"s": {"x": 1}}));
    assert_eq!(stats(&files, "3")["minValues"], json!({"s": {"x": 1}}));
    assert_eq!(stats(&files, "3")["nullCount"], json!({"f": 0, "s": {"x": 0}}));
}

#[tokio::test]
async fn versions_whose_snapshot_was_expired_are_none() {
    let world = World::new().await;
    world.create("orders", schema(0, &[(1, "id", json!("int"))]), json!([])).await;
    let first = world.step("orders", append(vec![File::new("1")])).await;
    world.step("orders", append(vec![File::new("2")])).await;
    world.update("orders", json!([{"action": "remove-snapshots", "snapshot-ids": [first]}])).await;
    let table = world.table("orders");
    assert_eq!(table.versions().await.unwrap(), Versions { earliest: 2, latest: 3 });
    for version in [-1, 0, 1, 4] {
        let told = table.load(version).await;
        assert!(
            matches!(told, Err(TableError::NoSuchVersion { earliest: 2, latest: 3, .. })),
            "version {version}"
        );
    }
    let two = table.load(2).await.unwrap();
    assert_eq!(names(&two.files), ["1", "2"]);
    let entry = world.catalog.snapshot().table(&ident("orders")).unwrap().clone();
    let at = entry.revisions.last().unwrap().at;
    assert_eq!(table.version_until(at).await.unwrap(), Some(3));
    assert_eq!(table.version_until(0).await.unwrap(), None);
    assert_eq!(table.version_from(0).await.unwrap(), Some(2));
    assert_eq!(table.version_from(at + 1).await.unwrap(), None);
}

#[tokio::test]
async fn files_that_delta_has_no_way_to_read_are_refused() {
    let world = World::new().await;
    world.create("orders", schema(0, &[(1, "id", json!("int"))]), json!([])).await;
    let orc = File { format: DataFileFormat::Orc, ..File::new("1") };
    world.step("orders", append(vec![orc])).await;
    assert!(unsupported(world.table("orders").load(1).await).contains("in the format orc"));
}

#[tokio::test]
async fn files_outside_the_tables_location_are_told_where_the_sharer_may_read_them() {
    let world = World::new().await;
    world.create("orders", schema(0, &[(1, "id", json!("int"))]), json!([])).await;
    world.step("orders", append(vec![File::new("s3://main/open/1")])).await;
    assert_eq!(names(&world.table("orders").load(1).await.unwrap().files), ["1"]);
    world.step("orders", append(vec![File::new("s3://main/secret/2")])).await;
    assert!(matches!(world.table("orders").load(2).await, Err(TableError::Outside)));
}

#[tokio::test]
async fn a_table_made_anew_under_its_name_is_another() {
    let world = World::new().await;
    let columns = || schema(0, &[(1, "id", json!("int")), (2, "u", json!("uuid"))]);
    world.create("orders", columns(), json!([])).await;
    let old = world.table_with("orders", UnsupportedColumns::Omit);
    assert!(old.load(0).await.is_ok());
    assert_ne!(old.identity(), world.table("orders").identity());
    let drop = DropTable { ident: ident("orders"), purge: Purge::Keep, guard: Guard::Respect, keep_ms: 0 };
    world.catalog.commit(Request::DropTable(drop)).await.unwrap();
    world.create("orders", columns(), json!([])).await;
    assert!(matches!(old.load(0).await, Err(TableError::NoSuchTable)));
    assert_ne!(old.identity(), world.table_with("orders", UnsupportedColumns::Omit).identity());
}

#[tokio::test]
async fn names_in_files_are_kept_in_the_catalog_and_outlive_the_schemas_they_come_from() {
    let world = World::new().await;
    world.create("orders", schema(0, &[(1, "a", json!("int")), (2, "s", json!("string"))]), json!([])).await;
    // Both read and keep at once: one of them reads again.
    let (one, other) = (world.table("orders"), world.table("orders"));
    let (first, second) = tokio::join!(one.metadata(0), other.metadata(0));
    assert_eq!(first.unwrap().metadata, second.unwrap().metadata);
    world.evolve("orders", schema(1, &[(1, "b", json!("int")), (3, "s", json!("string"))])).await;
    world.update("orders", json!([{"action": "remove-schemas", "schema-ids": [0]}])).await;
    let names = |version: TableVersion| {
        let fields = version.metadata.schema.fields.iter();
        fields.map(|field| format!("{}={}", field.name, field.physical_name())).collect::<Vec<_>>()
    };
    // What was opened with a name that another column has since is not told in two ways.
    assert!(matches!(one.metadata(2).await, Err(TableError::Store(_))));
    let anew = world.table("orders");
    assert_ne!(anew.identity(), one.identity());
    let told = anew.metadata(2).await.unwrap();
    assert!(told.plain.is_err());
    assert_eq!(names(told), ["b=a", "s=col-3"]);
    let documents = world.catalog.list_documents("shared-columns");
    assert_eq!(documents.len(), 1);
    let revision = documents[0].1.revision;
    anew.metadata(2).await.unwrap();
    assert_eq!(world.catalog.list_documents("shared-columns")[0].1.revision, revision);
    // Its schema is gone, so version 0 is none any more.
    assert_eq!(anew.versions().await.unwrap(), Versions { earliest: 1, latest: 2 });
}

#[tokio::test]
async fn a_table_with_files_without_ids_is_told_by_name_while_its_partitions_are() {
    let world = World::new().await;
    let columns = schema(0, &[(1, "id", json!("int")), (2, "p", json!("string"))]);
    world.create("orders", columns, serde_json::from_str(IDENTITY_P).unwrap()).await;
    let mapping = json!([{"field-id": 1, "names": ["id"]}, {"field-id": 2, "names": ["p"]}]).to_string();
    let updates = json!({"schema.name-mapping.default": mapping});
    world.update("orders", json!([{"action": "set-properties", "updates": updates}])).await;
    world.step("orders", append(vec![File::of("1", vec![Some(Literal::string("x"))])])).await;
    let told = load(&world, 2).await;
    assert!(told.features.is_empty() && told.plain.is_ok());
    assert!(!told.metadata.configuration.contains_key("delta.columnMapping.mode"));
    assert_eq!(partitions(&told.files), [[("p".to_owned(), Some("x".to_owned()))]]);
    world.repartition("orders", json!([])).await;
    world.step("orders", append(vec![File::new("2")])).await;
    assert!(
        unsupported(world.table("orders").load(4).await).contains("column p, which some are partitioned by")
    );
}

#[tokio::test]
async fn versions_are_held_with_the_one_before_and_only_while_they_can_be_read() {
    let world = World::new().await;
    world.create("orders", schema(0, &[(1, "id", json!("int"))]), json!([])).await;
    for name in ["1", "2", "3"] {
        world.step("orders", Step { adds: vec![File::new(name)], ..Step::default() }).await;
    }
    let holds = Arc::new(Holds::new(0, 0));
    let table = world.table("orders").with_holds(holds.clone());
    let uuid = world.catalog.snapshot().table(&ident("orders")).unwrap().uuid;
    let held = |now_ms| holds.held(uuid, || true, now_ms);
    let time = HoldTime { now_ms: 10, until_ms: 20 };
    table.hold(2..=3, time).await.unwrap();
    assert_eq!((held(20), held(21)), (HeldVersions::These([1, 2, 3].into()), HeldVersions::These([].into())));
    table.hold(0..=0, time).await.unwrap();
    assert_eq!(held(20), HeldVersions::These([0].into()));
    // Nobody keeps a table's files by asking for versions that are not there.
    for missing in [4..=4, 3..=4] {
        let refused = table.hold(missing, time).await;
        assert!(matches!(refused, Err(TableError::NoSuchVersion { version: 4, earliest: 0, latest: 3 })));
    }
    let first = world.metadata("orders").await.snapshots().map(|one| one.id()).min().unwrap();
    world.update("orders", json!([{"action": "remove-snapshots", "snapshot-ids": [first]}])).await;
    let refused = table.hold(1..=2, time).await;
    assert!(matches!(refused, Err(TableError::NoSuchVersion { version: 1, earliest: 2, latest: 4 })));
    table.hold(2..=3, HoldTime { now_ms: 30, until_ms: 40 }).await.unwrap();
    assert_eq!(held(40), HeldVersions::These([2, 3].into()));
}
