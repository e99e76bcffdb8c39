//! What the `iceberg` crate wrote is read as the `iceberg` crate reads it; broken files are errors.

use std::sync::Arc;

use iceberg::spec::{
    DataContentType, DataFileFormat, Datum, FormatVersion, Literal, ManifestContentType, ManifestList,
};
use object_store::memory::InMemory;
use proptest::prelude::*;
use serde_json::json;

use super::lake::{DataFile, Lake};
use crate::metadata::types::PrimitiveType;
use crate::scan::avro::InvalidAvro;
use crate::scan::manifest::{Content, ManifestContent, Status, read_list, read_manifest};
use crate::scan::value::Value;

const BYTES_MAX: usize = 1 << 20;

fn lake(version: u8) -> Lake {
    let schema = json!({"type": "struct", "schema-id": 0, "fields": [
        {"id": 1, "name": "id", "required": true, "type": "long"},
        {"id": 2, "name": "day", "required": false, "type": "date"},
        {"id": 3, "name": "name", "required": false, "type": "string"},
        {"id": 4, "name": "price", "required": false, "type": "decimal(9, 2)"},
    ]});
    let spec = json!({"spec-id": 0, "fields": [
        {"source-id": 2, "field-id": 1000, "name": "day", "transform": "identity"},
        {"source-id": 3, "field-id": 1001, "name": "name", "transform": "identity"},
        {"source-id": 4, "field-id": 1002, "name": "price", "transform": "identity"},
    ]});
    let mut lake = Lake::new(schema, &[spec], Arc::new(InMemory::new()), "s3://main/t");
    lake.version = version;
    lake
}

fn partition(n: i32) -> Vec<Option<Literal>> {
    vec![
        (n % 3 != 0).then(|| Literal::date(n)),
        Some(Literal::string(format!("n{n}"))),
        Some(Literal::decimal(i128::from(n) * 100 - 50)),
    ]
}

fn data_file(n: i32) -> DataFile {
    let mut file =
        DataFile::new(format!("s3://main/t/data/{n}.parquet"), partition(n)).with_range(1, n.into(), 10);
    file.lower.insert(3, Datum::string(format!("a{n}")));
    file.upper.insert(3, Datum::string("z"));
    file
}

#[tokio::test]
async fn manifests_of_every_version_are_read_as_they_were_written() {
    for version in 1..=3 {
        let lake = lake(version);
        let files: Vec<_> = (0..50).map(|n| (data_file(n), (n % 2 == 0).then_some(i64::from(n)))).collect();
        let (_, bytes) = lake.manifest(ManifestContentType::Data, 0, 7, &files).await;
        let theirs = iceberg::spec::Manifest::parse_avro(&bytes).unwrap();
        let ours = read_manifest(&bytes, BYTES_MAX).unwrap();
        assert_eq!(ours.partition_ids, [1000, 1001, 1002].map(Some));
        assert_eq!(ours.entries.len(), theirs.entries().len());
        for ((ours, theirs), n) in ours.entries.iter().zip(theirs.entries()).zip(0..) {
            let (file, theirs_file) = (&ours.file, theirs.data_file());
            assert_eq!((ours.status, ours.snapshot_id), (Status::Added, theirs.snapshot_id()));
            if version > 1 {
                assert_eq!(ours.sequence_number, theirs.sequence_number());
            }
            assert_eq!(&*file.path, theirs_file.file_path());
            assert_eq!((&*file.format, file.content), ("parquet", Content::Data));
            assert_eq!(file.record_count, theirs_file.record_count() as i64);
            assert_eq!(file.size_bytes, theirs_file.file_size_in_bytes() as i64);
            assert_eq!(file.value_count(1), theirs_file.value_counts().get(&1).map(|count| *count as i64));
            assert_eq!(file.null_count(1), Some(0));
            assert_eq!(file.nan_count(1), None);
            let bound = |of, bytes: Option<&[u8]>| Value::from_bound(of, bytes.unwrap());
            assert_eq!(bound(&PrimitiveType::Long, file.lower_bound(1)), Some(Value::Integer(n)));
            assert_eq!(bound(&PrimitiveType::String, file.upper_bound(3)), Some(Value::Text("z".into())));
            assert_eq!(&*file.split_offsets, [4]);
            let expected = [
                (n % 3 != 0).then_some(Value::Integer(n)),
                Some(Value::Text(format!("n{n}").into())),
                Some(Value::Decimal(i128::from(n) * 100 - 50)),
            ];
            let types = [
                PrimitiveType::Date,
                PrimitiveType::String,
                PrimitiveType::Decimal { precision: 9, scale: 2 },
            ];
            for ((raw, expected), of) in file.partition.iter().zip(expected).zip(types) {
                assert_eq!(raw.as_ref().map(|raw| raw.as_type(&of).unwrap()), expected);
            }
        }
    }
}

#[tokio::test]
async fn delete_files_are_read_as_they_were_written() {
    let lake = lake(3);
    let mut vector =
        DataFile::new("s3://main/t/data/dv.puffin", partition(1)).deleting(DataContentType::PositionDeletes);
    vector.format = DataFileFormat::Puffin;
    vector.referenced = Some("s3://main/t/data/1.parquet".into());
    let mut equality =
        DataFile::new("s3://main/t/data/eq.parquet", partition(1)).deleting(DataContentType::EqualityDeletes);
    equality.equality_ids = Some(vec![1, 3]);
    let files = [(vector, None), (equality, Some(4))];
    let (_, bytes) = lake.manifest(ManifestContentType::Deletes, 0, 7, &files).await;
    let ours = read_manifest(&bytes, BYTES_MAX).unwrap();
    assert_eq!(ours.entries[0].file.content, Content::PositionDeletes);
    assert_eq!(&*ours.entries[0].file.format, "puffin");
    assert_eq!(ours.entries[0].file.referenced_data_file.as_deref(), Some("s3://main/t/data/1.parquet"));
    assert_eq!(ours.entries[1].file.content, Content::EqualityDeletes);
    assert_eq!(&*ours.entries[1].file.equality_ids, [1, 3]);
    assert_eq!(ours.entries[1].sequence_number, Some(4));
}

#[tokio::test]
async fn manifest_lists_of_every_version_are_read_as_the_crate_reads_them() {
    for version in 1..=3 {
        let lake = lake(version);
        let files: Vec<_> = (0..5).map(|n| (data_file(n), None)).collect();
        let (manifest, _) = lake.manifest(ManifestContentType::Data, 0, 7, &files).await;
        let (_, bytes) = lake.list(7, 3, vec![manifest]).await;
        let format = [FormatVersion::V1, FormatVersion::V2, FormatVersion::V3][usize::from(version) - 1];
        let theirs = ManifestList::parse_with_version(&bytes, format).unwrap();
        let ours = read_list(&bytes, BYTES_MAX).unwrap();
        let (ours, theirs) = (&ours[0], &theirs.entries()[0]);
        assert_eq!(&*ours.path, theirs.manifest_path);
        assert_eq!((ours.length, ours.spec_id), (theirs.manifest_length, theirs.partition_spec_id));
        assert_eq!(ours.content, ManifestContent::Data);
        assert_eq!((ours.sequence_number, ours.added_snapshot_id), (theirs.sequence_number, 7));
        assert_eq!((ours.added_files, ours.existing_files, ours.deleted_files), (Some(5), Some(0), Some(0)));
        assert_eq!(ours.first_row_id, theirs.first_row_id.map(|id| id as i64));
        let summaries = theirs.partitions.as_ref().unwrap();
        assert_eq!(ours.summaries.len(), summaries.len());
        for (ours, theirs) in ours.summaries.iter().zip(summaries) {
            assert_eq!(ours.contains_null, theirs.contains_null);
            assert_eq!(ours.contains_nan, theirs.contains_nan);
            assert_eq!(ours.lower.as_deref(), theirs.lower_bound.as_ref().map(|bytes| bytes.as_slice()));
            assert_eq!(ours.upper.as_deref(), theirs.upper_bound.as_ref().map(|bytes| bytes.as_slice()));
        }
    }
}

#[tokio::test]
async fn a_file_that_unpacks_to_more_than_is_allowed_is_refused() {
    let lake = lake(2);
    let files: Vec<_> = (0..50).map(|n| (data_file(n), None)).collect();
    let (_, bytes) = lake.manifest(ManifestContentType::Data, 0, 7, &files).await;
    assert_eq!(read_manifest(&bytes, 100).unwrap_err(), InvalidAvro::TooLarge { bytes_max: 100 });
}

/// An Avro file of one block, compressed as `codec` says.
fn packed(codec: &str, pack: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let long = |out: &mut Vec<u8>, number: usize| {
        let mut rest = number << 1;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    };
    let text = |out: &mut Vec<u8>, text: &[u8]| {
        long(out, text.len());
        out.extend_from_slice(text);
    };
    let schema = json!({"type": "record", "name": "manifest_file", "fields": [
        {"name": "manifest_path", "type": "string", "field-id": 500},
        {"name": "manifest_length", "type": "long", "field-id": 501},
    ]});
    let mut file = b"Obj\x01".to_vec();
    long(&mut file, 2);
    text(&mut file, b"avro.schema");
    text(&mut file, schema.to_string().as_bytes());
    text(&mut file, b"avro.codec");
    text(&mut file, codec.as_bytes());
    long(&mut file, 0);
    file.extend_from_slice(&[7; 16]);
    let mut record = Vec::new();
    text(&mut record, b"s3://main/m.avro");
    long(&mut record, 300);
    long(&mut file, 1);
    text(&mut file, &pack(&record));
    file.extend_from_slice(&[7; 16]);
    file
}

#[test]
fn files_of_every_codec_are_read() {
    let deflate = |bytes: &[u8]| {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let snappy = |bytes: &[u8]| {
        let mut packed = snap::raw::Encoder::new().compress_vec(bytes).unwrap();
        packed.extend_from_slice(&[0; 4]);
        packed
    };
    let files = [
        packed("null", <[u8]>::to_vec),
        packed("deflate", deflate),
        packed("snappy", snappy),
        packed("zstandard", |bytes| zstd::encode_all(bytes, 1).unwrap()),
    ];
    for file in files {
        let list = read_list(&file, BYTES_MAX).unwrap();
        assert_eq!((&*list[0].path, list[0].length), ("s3://main/m.avro", 300));
    }
    let unknown = read_list(&packed("lzma", <[u8]>::to_vec), BYTES_MAX).unwrap_err();
    assert_eq!(unknown, InvalidAvro::Codec("lzma".into()));
}

proptest! {
    #[test]
    fn a_damaged_file_is_an_error_or_other_values_never_a_panic(at in 0_usize..2_000, byte: u8, cut in 0_usize..2_000) {
        let whole = packed("null", <[u8]>::to_vec);
        let mut damaged = whole.clone();
        let place = at % damaged.len();
        damaged[place] = byte;
        let _ = read_list(&damaged, BYTES_MAX);
        let _ = read_manifest(&damaged, BYTES_MAX);
        let end = cut % whole.len();
        // Cut between the header and the block, it is a list of nothing.
        if let Ok(list) = read_list(&whole[..end], BYTES_MAX) {
            prop_assert!(list.is_empty());
        }
    }

    #[test]
    fn any_bytes_behind_a_header_are_values_or_an_error(bytes: Vec<u8>) {
        let _ = read_list(&packed("null", |_| bytes.clone()), BYTES_MAX);
        let _ = read_manifest(&packed("null", |_| bytes.clone()), BYTES_MAX);
    }
}
