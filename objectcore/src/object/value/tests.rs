use super::*;
use crate::erasure::layout::Coding;
use crate::geometry::Geometry;

/// `object()` as it was kept before there were tags.
const OBJECT_V1: &str = "01bc0580d095ffbc310109090909090909090909090909090909020101000401020304040404040404040404\
     0404040404040402010503030303030303030303030303030303bc05010202808040808004000103612f62000000000000";

/// `upload()` as it was kept before there were tags.
const UPLOAD_V1: &str = "0180d095ffbc310103612f62000000000000010401";

const OBJECT_V2: &str = "02bc0580d095ffbc310109090909090909090909090909090909020101000401020304040404040404040404\
     0404040404040402010503030303030303030303030303030303bc05010202808040808004000103612f62000000000000\
     02016b0005706c61636503736561";
const UPLOAD_V2: &str = "0280d095ffbc310103612f6200000000000001040102016b0005706c61636503736561";

fn attributes() -> Attributes {
    Attributes { content_type: Some("a/b".into()), ..Attributes::default() }
}

fn object() -> Object {
    let coding = Coding::new(Geometry::new(2, 2).unwrap());
    let blob = Blob { id: BlobId([3; 16]), size: 700, coding };
    Object {
        head: Head {
            size: 700,
            modified: Millis(1_700_000_000_000),
            tag: Tag::Parts([9; 16], 2),
            checksum: Some(Checksum {
                algorithm: ChecksumAlgorithm::Crc32c,
                kind: ChecksumKind::FullObject,
                value: vec![1, 2, 3, 4],
            }),
        },
        tail: Tail {
            version: BlobId([4; 16]),
            stored: Stored::Files(vec![Extent { number: 5, blob, checksum: None }]),
            attributes: attributes(),
        },
    }
}

fn upload() -> Upload {
    Upload {
        initiated: Millis(1_700_000_000_000),
        attributes: attributes(),
        checksum: Some((ChecksumAlgorithm::Sha256, ChecksumKind::Composite)),
    }
}

fn tags() -> Tags {
    Tags::new([("place".to_owned(), "sea".to_owned()), ("k".to_owned(), String::new())]).unwrap()
}

fn tagged_object() -> Object {
    let mut object = object();
    object.tail.attributes.tags = tags();
    object
}

fn tagged_upload() -> Upload {
    let mut upload = upload();
    upload.attributes.tags = tags();
    upload
}

#[test]
fn an_object_comes_back_as_it_was_and_its_bytes_never_change() {
    for (object, fixture) in [(object(), OBJECT_V1), (tagged_object(), OBJECT_V2)] {
        let bytes = object.encode();
        assert_eq!(hex::encode(&bytes), fixture);
        assert_eq!(Object::decode(&bytes).unwrap(), object);
        assert_eq!(decode_head(&bytes).unwrap(), object.head);
        let (listed, behind) = decode_listed(&bytes).unwrap();
        assert_eq!((listed.size, listed.tag), (object.head.size, object.head.tag));
        assert_eq!(behind.attributes().unwrap(), object.tail.attributes);
    }
}

#[test]
fn an_upload_comes_back_as_it_was_and_its_bytes_never_change() {
    for (upload, fixture) in [(upload(), UPLOAD_V1), (tagged_upload(), UPLOAD_V2)] {
        let bytes = upload.encode();
        assert_eq!(hex::encode(&bytes), fixture);
        assert_eq!(Upload::decode(&bytes).unwrap(), upload);
    }
}

#[test]
fn a_tag_of_a_version_has_its_own_number_and_is_no_md5_to_clients() {
    assert_eq!(postcard::to_allocvec(&Tag::Version([7; 16])).unwrap()[..2], [2, 7]);
    assert_eq!(Tag::Version([7; 16]).text(), ETag(format!("{}-1", "07".repeat(16))));
}

#[test]
fn an_unknown_version_or_torn_value_is_refused() {
    assert!(matches!(Object::decode(&[]), Err(InvalidValue::Empty)));
    assert!(matches!(Object::decode(&[3, 0, 0]), Err(InvalidValue::Version(3))));
    assert!(matches!(decode::<Part>(&[2, 0]), Err(InvalidValue::Version(2))));
    for bytes in [object().encode(), tagged_object().encode()] {
        for end in 1..bytes.len() {
            assert!(Object::decode(&bytes[..end]).is_err(), "{end}");
        }
    }
}

#[test]
fn a_bucket_that_is_not_watched_is_what_it_was_before_there_were_others() {
    let bucket = |watched| Bucket { created: Millis(1_700_000_000_000), watched };
    assert_eq!(hex::encode(bucket(false).encode()), "0180d095ffbc31");
    assert_eq!(hex::encode(bucket(true).encode()), "0280d095ffbc31");
    for watched in [false, true] {
        let bytes = bucket(watched).encode();
        assert_eq!(Bucket::decode(&bytes).unwrap(), bucket(watched));
        assert!((0..bytes.len()).all(|end| Bucket::decode(&bytes[..end]).is_err()));
    }
    assert!(matches!(Bucket::decode(&[3, 0]), Err(InvalidValue::Version(3))));
}
