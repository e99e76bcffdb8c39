use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use serde_json::{Value, json};

use super::fixture::{
    Fixture, PREFIX, add, changed, column, meta_data, of_files, orders, protocol, protocol_with,
};
use crate::delta::Limits;
use crate::table::{Feature, OWN_BUCKET, TableError, TableSource as _, TableVersion};

/// Rows 3, 4, 7, 11, 18 and 29, inside the log.
const INLINE: &str = "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L";

async fn first_version(actions: &[Value]) -> Result<TableVersion, TableError> {
    let table = Fixture::with(actions).await.open().await?;
    let version = table.load(0).await?;
    let metadata = table.metadata(0).await?;
    // Whoever asks for the metadata first must be told of the same table as whoever reads it.
    assert_eq!((&metadata.metadata, &metadata.features), (&version.metadata, &version.features));
    assert_eq!((&metadata.plain, metadata.timestamp_ms), (&version.plain, version.timestamp_ms));
    Ok(version)
}

fn mapped(name: &str, physical: &str, id: i32) -> Value {
    let mut column = column(name, "string");
    column["metadata"] = json!({"delta.columnMapping.id": id, "delta.columnMapping.physicalName": physical});
    column
}

fn vector(storage: &str, path: &str) -> Value {
    json!({"storageType": storage, "pathOrInlineDv": path, "offset": 1, "sizeInBytes": 34, "cardinality": 2})
}

#[tokio::test]
async fn columns_with_other_names_in_files_are_told_with_their_mapping() {
    let mapping =
        json!({"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "2", "other": "x"});
    let columns = [mapped("id", "id", 1), mapped("shop", "col-2", 2)];
    let file = changed(add("a.parquet"), "partitionValues", json!({"col-2": "north"}));
    for protocol in [
        protocol_with(&["columnMapping"]),
        json!({"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}}),
    ] {
        let metadata = meta_data(&columns, &["shop"], mapping.clone());
        let version = first_version(&[protocol, metadata, file.clone()]).await.unwrap();
        assert_eq!(version.features.iter().collect::<Vec<_>>(), [&Feature::ColumnMapping]);
        let configuration = &version.metadata.configuration;
        assert_eq!(configuration.len(), 2);
        assert_eq!(configuration["delta.columnMapping.mode"], "name");
        assert_eq!(configuration["delta.columnMapping.maxColumnId"], "2");
        assert_eq!(version.metadata.schema.fields[1].physical_name(), "col-2");
        assert_eq!(version.metadata.partition_columns, ["shop"]);
        let values = of_files(&version.files, |file| file.partition_values[0].1.map(str::to_owned));
        assert_eq!(values, [Some("north".to_owned())]);
        assert_eq!(version.plain, Err("the table's columns have other names in its files".into()));
    }
}

#[tokio::test]
async fn a_mapping_that_renames_nothing_needs_no_reader_that_knows_it() {
    let columns = [mapped("id", "id", 1), mapped("name", "name", 2)];
    let metadata = |mode: &str| {
        meta_data(
            &columns,
            &[],
            json!({"delta.columnMapping.mode": mode, "delta.columnMapping.maxColumnId": "2"}),
        )
    };
    let protocol = || protocol_with(&["columnMapping"]);
    assert_eq!(first_version(&[protocol(), metadata("name")]).await.unwrap().plain, Ok(()));
    // By id: what the files' columns are called does not follow.
    assert!(first_version(&[protocol(), metadata("id")]).await.unwrap().plain.is_err());
    let unmapped = first_version(&[protocol(), metadata("none")]).await.unwrap();
    assert!(unmapped.features.is_empty() && unmapped.metadata.configuration.is_empty());
    assert!(unmapped.metadata.schema.fields[0].metadata.is_empty());
}

#[tokio::test]
async fn types_that_not_every_reader_knows_are_features() {
    let mut widened = column("c", "long");
    widened["metadata"] = json!({"delta.typeChanges": [{"fromType": "integer", "toType": "long"}]});
    let inner = json!({"type": "array", "elementType": "timestamp_ntz", "containsNull": true});
    let cases = [
        (vec!["timestampNtz"], column("c", inner), Feature::TimestampNtz, "a column of type timestamp_ntz"),
        (vec!["variantType"], column("c", "variant"), Feature::VariantType, "a column of type variant"),
        (vec!["typeWidening"], widened, Feature::TypeWidening, "the type of a column"),
    ];
    for (features, column, feature, reason) in cases {
        let actions = [protocol_with(&features), meta_data(&[column], &[], json!({}))];
        let version = first_version(&actions).await.unwrap();
        assert_eq!(version.features.iter().collect::<Vec<_>>(), [&feature]);
        assert!(version.plain.as_ref().is_err_and(|told| told.contains(reason)), "{:?}", version.plain);
    }
    // Features that no column makes use of, and those that say how the log is written.
    let unused = ["timestampNtz", "typeWidening", "v2Checkpoint", "vacuumProtocolCheck", "deletionVectors"];
    let version = first_version(&[protocol_with(&unused), orders(), add("a.parquet")]).await.unwrap();
    assert_eq!((version.features.len(), version.plain), (0, Ok(())));
}

#[tokio::test]
async fn the_change_feed_is_told_where_it_is_on() {
    for (set, told) in [("true", Some("true")), ("TRUE", Some("true")), ("false", None)] {
        let configuration = json!({"delta.enableChangeDataFeed": set});
        let metadata = meta_data(&[column("id", "long")], &[], configuration);
        let version = first_version(&[protocol(), metadata]).await.unwrap();
        assert_eq!(
            version.metadata.configuration.get("delta.enableChangeDataFeed").map(String::as_str),
            told
        );
    }
}

#[tokio::test]
async fn deletion_vectors_are_told_where_they_lie() {
    let fixture = Fixture::default();
    fixture.put("ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin", vec![1; 43]).await;
    fixture.put("dv one.bin", vec![1; 90]).await;
    let relative = changed(add("a.parquet"), "deletionVector", vector("u", "ab^-aqEH.-t@S}K{vb[*k^"));
    let url = format!("s3://main/{}/dv%20one.bin", PREFIX.replace(' ', "%20"));
    let absolute = changed(add("b.parquet"), "deletionVector", vector("p", &url));
    let protocol = protocol_with(&["deletionVectors"]);
    fixture.commit(0, &[protocol, orders(), relative, absolute, add("c.parquet")]).await;
    let table = fixture.open().await.unwrap();
    let version = table.load(0).await.unwrap();
    let deletes = of_files(&version.files, |file| {
        let deletes = file.deletes.as_ref()?;
        assert_eq!(
            (deletes.at.bucket, deletes.offset, deletes.size, deletes.cardinality),
            ("main", 1, 34, 2)
        );
        Some((
            deletes.at.key.strip_prefix(PREFIX).unwrap().to_owned(),
            deletes.file_size,
            file.live_records(),
        ))
    });
    let first = "/ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin".to_owned();
    let second = "/dv one.bin".to_owned();
    assert_eq!(deletes, [Some((first, 43, Some(1))), Some((second, 90, Some(1))), None]);
    assert_eq!(version.plain, Err("the table has deletion vectors".into()));
    assert_eq!(version.features.iter().collect::<Vec<_>>(), [&Feature::DeletionVectors]);
    assert_eq!(version.metadata.configuration["delta.enableDeletionVectors"], "true");
    let metadata = table.metadata(0).await.unwrap();
    assert_eq!((metadata.metadata, metadata.plain), (version.metadata, version.plain));
}

#[tokio::test]
async fn deletion_vectors_inside_the_log_are_made_files_of() {
    let inline = json!({"storageType": "i", "pathOrInlineDv": INLINE, "sizeInBytes": 44, "cardinality": 6});
    let actions = [
        protocol_with(&["deletionVectors"]),
        orders(),
        changed(add("a.parquet"), "deletionVector", inline.clone()),
        add("b.parquet"),
        changed(add("c.parquet"), "deletionVector", inline),
    ];
    let fixture = Fixture::with(&actions).await;
    let table = fixture.open().await.unwrap();
    let version = table.load(0).await.unwrap();
    let deletes = of_files(&version.files, |file| {
        file.deletes.map(|deletes| {
            (deletes.at.bucket.to_owned(), deletes.at.key.to_owned(), deletes.offset, deletes.file_size)
        })
    });
    let [Some(first), None, Some(second)] = &deletes[..] else { panic!("{deletes:?}") };
    assert_eq!((&first.0[..], first.2), (OWN_BUCKET, 1));
    assert_eq!((&first.1, first.3), (&second.1, second.3));
    let pack = fixture.own.get(&Path::from(&*first.1)).await.unwrap().bytes().await.unwrap();
    assert_eq!((pack.len() as u64, pack[0]), (first.3, 1));
    for offset in [first.2, second.2] {
        let record = &pack[offset as usize..];
        let size = u32::from_be_bytes(record[..4].try_into().unwrap()) as usize;
        assert_eq!(record[4..8], [0xd1, 0xd3, 0x39, 0x64]);
        let rows = roaring::RoaringTreemap::deserialize_from(&record[8..4 + size]).unwrap();
        assert_eq!(rows.into_iter().collect::<Vec<_>>(), [3, 4, 7, 11, 18, 29]);
    }
    assert_eq!(version.plain, Err("the table has deletion vectors".into()));
    // The same version makes the same files.
    let again = table.load(0).await.unwrap();
    assert_eq!(
        of_files(&again.files, |file| format!("{file:?}")),
        of_files(&version.files, |file| format!("{file:?}"))
    );
    let limits = Limits { inline_bytes_max: 50, ..Limits::default() };
    let error = fixture.open_within(limits).await.unwrap().load(0).await.unwrap_err();
    assert!(matches!(error, TableError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn deletion_vectors_that_cannot_be_told_are_refused() {
    let url = |bucket: &str, key: &str| format!("s3://{bucket}/{}/{key}", PREFIX.replace(' ', "%20"));
    let outside = |error: &TableError| matches!(error, TableError::Outside);
    let invalid = |error: &TableError| matches!(error, TableError::Invalid(_));
    let far = changed(json!({"v": vector("p", &url("main", "small.bin"))}), "offset", 10);
    let shrunk = changed(json!({"v": vector("p", &url("main", "small.bin"))}), "sizeInBytes", -1);
    let head = changed(json!({"v": vector("p", &url("main", "small.bin"))}), "offset", 0);
    type Is<'a> = &'a dyn Fn(&TableError) -> bool;
    let large = |error: &TableError| matches!(error, TableError::TooLarge { .. });
    let inline = |text: &str, rows: i64| json!({"storageType": "i", "pathOrInlineDv": text, "sizeInBytes": 44, "cardinality": rows});
    let cases: [(Value, Is<'_>); 15] = [
        (vector("p", &url("other", "small.bin")), &outside),
        (vector("p", "s3://main/elsewhere/small.bin"), &outside),
        (vector("p", "file:///etc/passwd"), &outside),
        (vector("u", "http://host/^-aqEH.-t@S}K{vb[*k^"), &outside),
        (vector("u", "../x^-aqEH.-t@S}K{vb[*k^"), &invalid),
        (vector("u", "short"), &invalid),
        (vector("p", &url("main", "missing.bin")), &invalid),
        (far["v"].clone(), &invalid),
        (shrunk["v"].clone(), &invalid),
        (head["v"].clone(), &invalid),
        (inline(INLINE, 5), &invalid),
        (inline(&INLINE[..40], 6), &invalid),
        (inline("no letters of it", 6), &invalid),
        (inline("", 0), &invalid),
        (inline(&"0".repeat(100_000), 6), &large),
    ];
    for (vector, right) in cases {
        let fixture = Fixture::default();
        fixture.put("small.bin", vec![1; 43]).await;
        let file = changed(add("a.parquet"), "deletionVector", vector.clone());
        fixture.commit(0, &[protocol_with(&["deletionVectors"]), orders(), file]).await;
        let table = fixture.open().await.unwrap();
        let error = table.load(0).await.unwrap_err();
        assert!(right(&error), "{vector}: {error:?}");
    }
}

#[tokio::test]
async fn tables_that_need_more_than_is_known_are_refused_by_name() {
    let future = json!({"protocol": {"minReaderVersion": 4, "minWriterVersion": 8}});
    let cases = [
        (protocol_with(&["columnMapping", "timeMachine"]), "timeMachine"),
        (protocol_with(&["variantType", "variantShredding"]), "variantShredding"),
        (future, "version"),
    ];
    for (protocol, named) in cases {
        let error = first_version(&[protocol, orders()]).await.unwrap_err();
        let unsupported = matches!(&error, TableError::Unsupported(told) if told.contains(named));
        assert!(unsupported, "{named}: {error:?}");
    }
    let mut managed = protocol_with(&["catalogManaged"]);
    managed["protocol"]["writerFeatures"] = json!(["catalogManaged", "inCommitTimestamp"]);
    let timed = json!({"delta.enableInCommitTimestamps": "true"});
    let error = first_version(&[managed, meta_data(&[column("id", "long")], &[], timed)]).await.unwrap_err();
    let named = matches!(&error, TableError::Unsupported(told) if told.contains("catalogManaged"));
    assert!(named, "{error:?}");
    let mut avro = orders();
    avro["metaData"]["format"]["provider"] = "avro".into();
    let error = first_version(&[protocol(), avro]).await.unwrap_err();
    assert!(matches!(error, TableError::Unsupported(_)), "{error:?}");
}
