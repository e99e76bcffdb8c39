//! Whole lines, as the examples of the protocol have them.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::*;
use crate::access::Ticket;
use crate::gateway::Signer;
use crate::protocol::{Columns, FileIds, Form, Format};
use crate::table::{Column, DataFile, DataType, Deletes, Feature, Metadata, OWN_BUCKET, Place, Schema};

const EXPIRES_S: i64 = 1_652_140_800;

fn metadata() -> Metadata {
    let time = Column::new("eventTime", DataType::primitive("timestamp"), true).mapped(1, "eventTime");
    let mut date = Column::new("date", DataType::primitive("date"), true).mapped(2, "col-2");
    date.metadata.insert("delta.typeChanges".into(), serde_json::json!([]));
    let configuration = [
        ("delta.columnMapping.mode", "id"),
        ("delta.enableChangeDataFeed", "true"),
        ("delta.enableTypeWidening", "true"),
    ];
    Metadata {
        id: "f8d5c169-3d01-4ca3-ad9e-7dc3355aedb2".into(),
        description: None,
        schema: Schema { fields: vec![time, date] },
        partition_columns: vec!["date".into()],
        configuration: configuration.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        created_ms: Some(7),
    }
}

fn form(format: Format, features: &[Feature]) -> Form {
    let columns = if features.is_empty() { Columns::ByName } else { Columns::AsMapped };
    Form { format, features: features.iter().copied().collect(), columns }
}

fn written(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}

fn file() -> DataFile<'static> {
    DataFile {
        at: Place { bucket: "main", key: "t/date=2021-04-28/a b.parquet" },
        size: 573,
        modified_ms: 1_652_140_000_000,
        partition_values: vec![("date", Some("2021-04-28")), ("q\"", None)],
        stats: Some(r#"{"numRecords":1}"#),
        records: Some(1),
        hidden: Vec::new(),
        deletes: None,
    }
}

fn ticket() -> Ticket {
    let id = Uuid::nil();
    Ticket { recipient: id, token: id, key: 0, grant: id, table: id }
}

/// The line, with URLs and ids made short: `<url KEY>`, `<id LENGTH>`.
fn line(format: Format, ids: FileIds, part: Part, stamp: Option<Stamp>, file: &DataFile<'_>) -> String {
    let signer = Signer::new(&[1; 32]);
    let ticket = ticket();
    let urls = signer.urls("https://h", &ticket, EXPIRES_S);
    let mut line = String::new();
    FileLines { format, ids, urls, partitions: &[] }.write(part, stamp, file, &mut line).unwrap();
    let places = [Some(file.at), file.deletes.as_ref().map(|deletes| deletes.at)];
    for at in places.into_iter().flatten() {
        let url = written(|out| signer.urls("https://h", &ticket, EXPIRES_S).write(at, out));
        line = line.replace(&url, &format!("<url {}>", at.key));
    }
    let texts: Vec<String> = line.split('"').map(short).collect();
    texts.join("\"")
}

fn short(text: &str) -> String {
    let is_id = text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { format!("<id {}>", text.len()) } else { text.to_owned() }
}

const STAMP: Option<Stamp> = Some(Stamp { version: 3, timestamp_ms: 99 });

#[test]
fn the_head_of_the_parquet_format_tells_names_types_and_comments_only() {
    let form = form(Format::Parquet, &[]);
    assert_eq!(
        written(|out| protocol_line(&form, &metadata(), Some(3), out)),
        "{\"protocol\":{\"minReaderVersion\":1}}\n"
    );
    let schema = r#"{\"type\":\"struct\",\"fields\":[{\"name\":\"eventTime\",\"type\":\"timestamp\",\"nullable\":true,\"metadata\":{}},{\"name\":\"date\",\"type\":\"date\",\"nullable\":true,\"metadata\":{}}]}"#;
    let head = Head { version: Some(3), size: Some((10, 2)), changes: true, location: Some("s3://main/t") };
    assert_eq!(
        written(|out| metadata_line(&form, &metadata(), head, out)),
        format!(
            "{{\"metaData\":{{\"version\":3,\"size\":10,\"numFiles\":2,\"location\":\"s3://main/t\",\
             \"accessModes\":[\"url\",\"dir\"],\"id\":\"f8d5c169-3d01-4ca3-ad9e-7dc3355aedb2\",\
             \"format\":{{\"provider\":\"parquet\"}},\"schemaString\":\"{schema}\",\"partitionColumns\":[\"date\"],\
             \"configuration\":{{\"enableChangeDataFeed\":\"true\"}}}}}}\n"
        )
    );
    let bare = written(|out| metadata_line(&form, &metadata(), Head::default(), out));
    assert!(
        bare.ends_with("\"configuration\":{}}}\n") && bare.starts_with("{\"metaData\":{\"id\""),
        "{bare}"
    );
}

#[test]
fn the_head_of_the_delta_format_tells_what_its_reader_knows() {
    let known = form(Format::Delta, &[Feature::ColumnMapping, Feature::DeletionVectors]);
    assert_eq!(
        written(|out| protocol_line(&known, &metadata(), Some(5), out)),
        "{\"protocol\":{\"version\":5,\"deltaProtocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\
         \"readerFeatures\":[\"columnMapping\",\"deletionVectors\"],\
         \"writerFeatures\":[\"columnMapping\",\"deletionVectors\",\"changeDataFeed\"]}}}\n"
    );
    let schema = r#"{\"type\":\"struct\",\"fields\":[{\"name\":\"eventTime\",\"type\":\"timestamp\",\"nullable\":true,\"metadata\":{\"delta.columnMapping.id\":1,\"delta.columnMapping.physicalName\":\"eventTime\"}},{\"name\":\"date\",\"type\":\"date\",\"nullable\":true,\"metadata\":{\"delta.columnMapping.id\":2,\"delta.columnMapping.physicalName\":\"col-2\"}}]}"#;
    assert_eq!(
        written(|out| metadata_line(&known, &metadata(), Head::default(), out)),
        format!(
            "{{\"metaData\":{{\"deltaMetadata\":{{\"id\":\"f8d5c169-3d01-4ca3-ad9e-7dc3355aedb2\",\
             \"format\":{{\"provider\":\"parquet\",\"options\":{{}}}},\"schemaString\":\"{schema}\",\
             \"partitionColumns\":[\"date\"],\"configuration\":{{\"delta.columnMapping.mode\":\"id\",\
             \"delta.enableChangeDataFeed\":\"true\",\"delta.enableDeletionVectors\":\"true\"}},\
             \"createdTime\":7}}}}}}\n"
        )
    );
    let widened = form(Format::Delta, &[Feature::ColumnMapping, Feature::TypeWidening]);
    let line = written(|out| metadata_line(&widened, &metadata(), Head::default(), out));
    assert!(line.contains("delta.typeChanges") && line.contains("delta.enableTypeWidening"), "{line}");
}

#[test]
fn a_reader_of_delta_that_knows_no_feature_gets_a_table_that_needs_none() {
    let bare = form(Format::Delta, &[]);
    assert_eq!(
        written(|out| protocol_line(&bare, &metadata(), None, out)),
        "{\"protocol\":{\"deltaProtocol\":{\"minReaderVersion\":1,\"minWriterVersion\":4}}}\n"
    );
    let line = written(|out| metadata_line(&bare, &metadata(), Head::default(), out));
    assert!(!line.contains("columnMapping") && !line.contains("idening"), "{line}");
    let quiet = Metadata { configuration: BTreeMap::new(), ..metadata() };
    assert_eq!(
        written(|out| protocol_line(&bare, &quiet, None, out)),
        "{\"protocol\":{\"deltaProtocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}}\n"
    );
}

#[test]
fn files_of_the_parquet_format() {
    let told = |part, stamp| line(Format::Parquet, FileIds::Parquet, part, stamp, &file());
    let values = r#""partitionValues":{"date":"2021-04-28","q\"":null}"#;
    let url = "<url t/date=2021-04-28/a b.parquet>";
    let stats = r#""stats":"{\"numRecords\":1}""#;
    let ends = "\"expirationTimestamp\":1652140800000}}\n";
    assert_eq!(
        told(Part::Live, None),
        format!("{{\"file\":{{\"url\":\"{url}\",\"id\":\"<id 32>\",{values},\"size\":573,{stats},{ends}")
    );
    let stamped = format!("\"version\":3,\"timestamp\":99,{ends}");
    assert_eq!(
        told(Part::Added, STAMP),
        format!("{{\"add\":{{\"url\":\"{url}\",\"id\":\"<id 32>\",{values},\"size\":573,{stats},{stamped}")
    );
    for (part, name) in [(Part::Removed, "remove"), (Part::Changed, "cdf")] {
        assert_eq!(
            told(part, STAMP),
            format!("{{\"{name}\":{{\"url\":\"{url}\",\"id\":\"<id 32>\",{values},\"size\":573,{stamped}")
        );
    }
}

#[test]
fn files_of_the_delta_format() {
    let deletes = Deletes {
        at: Place { bucket: OWN_BUCKET, key: "sharing/v" },
        file_size: 99,
        offset: 1,
        size: 40,
        cardinality: 2,
    };
    let deleted = DataFile { deletes: Some(deletes), ..file() };
    let told = |part, stamp, file: &DataFile<'_>| line(Format::Delta, FileIds::Delta, part, stamp, file);
    let path = r#""path":"<url t/date=2021-04-28/a b.parquet>","partitionValues":{"date":"2021-04-28","q\"":null},"size":573"#;
    let stats = r#""stats":"{\"numRecords\":1}""#;
    let vector = r#""deletionVector":{"storageType":"p","pathOrInlineDv":"<url sharing/v>","offset":1,"sizeInBytes":40,"cardinality":2}"#;
    assert_eq!(
        told(Part::Live, None, &file()),
        format!(
            "{{\"file\":{{\"id\":\"<id 64>\",\"expirationTimestamp\":1652140800000,\"deltaSingleAction\":{{\"add\":{{\
             {path},\"modificationTime\":1652140000000,\"dataChange\":true,{stats}}}}}}}}}\n"
        )
    );
    let stamped =
        "\"version\":3,\"timestamp\":99,\"expirationTimestamp\":1652140800000,\"deltaSingleAction\":";
    assert_eq!(
        told(Part::Added, STAMP, &deleted),
        format!(
            "{{\"file\":{{\"id\":\"<id 64>\",\"deletionVectorFileId\":\"<id 64>\",{stamped}{{\"add\":{{{path},\
             \"modificationTime\":1652140000000,\"dataChange\":true,{stats},{vector}}}}}}}}}\n"
        )
    );
    assert_eq!(
        told(Part::Removed, STAMP, &deleted),
        format!(
            "{{\"file\":{{\"id\":\"<id 64>\",\"deletionVectorFileId\":\"<id 64>\",{stamped}{{\"remove\":{{{path},\
             \"deletionTimestamp\":99,\"dataChange\":true,\"extendedFileMetadata\":true,{vector}}}}}}}}}\n"
        )
    );
    assert_eq!(
        told(Part::Changed, STAMP, &file()),
        format!("{{\"file\":{{\"id\":\"<id 64>\",{stamped}{{\"cdc\":{{{path},\"dataChange\":false}}}}}}}}\n")
    );
}

#[test]
fn deleted_rows_are_never_told_by_a_format_without_words_for_them() {
    let at = Place { bucket: OWN_BUCKET, key: "sharing/v" };
    let deletes = Deletes { at, file_size: 99, offset: 1, size: 40, cardinality: 2 };
    let deleted = DataFile { deletes: Some(deletes), ..file() };
    let signer = Signer::new(&[1; 32]);
    let urls = signer.urls("", &ticket(), EXPIRES_S);
    let lines = FileLines { format: Format::Parquet, ids: FileIds::Parquet, urls, partitions: &[] };
    let mut out = "before".to_owned();
    assert_eq!(lines.write(Part::Live, None, &deleted, &mut out), Err(LineError::Deleted));
    assert_eq!(out, "before");
}

#[test]
fn a_file_without_a_partition_column_of_its_table_is_never_told() {
    let signer = Signer::new(&[1; 32]);
    let mut out = String::new();
    let mut told = |partitions: &[&str]| {
        let partitions: Vec<String> = partitions.iter().map(|&name| name.to_owned()).collect();
        let urls = signer.urls("", &ticket(), EXPIRES_S);
        let lines = FileLines { format: Format::Delta, ids: FileIds::Delta, urls, partitions: &partitions };
        lines.write(Part::Live, None, &file(), &mut out)
    };
    assert_eq!((told(&[]), told(&["date"]), told(&["q\"", "date"])), (Ok(()), Ok(()), Ok(())));
    assert_eq!(told(&["date", "region"]), Err(LineError::Unpartitioned));
}

#[test]
fn ids_name_a_file_and_its_vectors_apart_and_for_good() {
    let signer = Signer::new(&[1; 32]);
    let ticket = ticket();
    let keys = ["a", "b", "a/b"];
    let mut ids = BTreeSet::new();
    for (bucket, key, vector) in keys.iter().flat_map(|key| [("x", key, 1), ("x", key, 45), ("y", key, 1)]) {
        let at = Place { bucket, key };
        let deletes = Deletes { at, file_size: 99, offset: vector, size: 40, cardinality: 2 };
        let file = DataFile { at, deletes: Some(deletes), ..file() };
        let told = |expires| {
            let urls = signer.urls("", &ticket, expires);
            let mut out = String::new();
            let lines = FileLines { format: Format::Delta, ids: FileIds::Delta, urls, partitions: &[] };
            lines.write(Part::Live, None, &file, &mut out).unwrap();
            let line: serde_json::Value = serde_json::from_str(&out).unwrap();
            let id = |name: &str| line["file"][name].as_str().unwrap().to_owned();
            [id("id"), id("deletionVectorFileId")]
        };
        assert_eq!(told(1), told(2));
        ids.extend(told(1));
    }
    // Three keys in two buckets, and three vectors of each key.
    assert_eq!(ids.len(), 6 + 9);
}

#[test]
fn a_protocol_with_features_lists_invariants_where_a_column_may_not_be_null() {
    let mut metadata = metadata();
    metadata.schema.fields[0].nullable = false;
    let known = form(Format::Delta, &[Feature::ColumnMapping]);
    let line = written(|out| protocol_line(&known, &metadata, None, out));
    assert!(
        line.contains("\"writerFeatures\":[\"columnMapping\",\"changeDataFeed\",\"invariants\"]"),
        "{line}"
    );
    let line = written(|out| protocol_line(&form(Format::Delta, &[]), &metadata, None, out));
    assert!(!line.contains("Features"), "{line}");
}
