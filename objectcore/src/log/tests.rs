//! Records on disk: what is written reads back, nothing else does, and the bytes of version 1 stay as they are.

use bytes::Bytes;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::epoch::{EpochBody, Member, Standing};
use super::reader::{SegmentReader, Step};
use super::record::{self, Body, EntryBody, Header, Inline, Invalid, Kind, Place, Record, SegmentBody};
use super::{Op, Seq, Space};
use crate::drive::{Drive, SimDrive};

const STAMP: u64 = 0x1122_3344_5566_7788;

fn place(offset: u64) -> Place {
    Place { stamp: STAMP, segment: 3, offset }
}

fn encode(kind: Kind, offset: u64, body: &Body) -> Vec<u8> {
    let header = Header { kind, stamp: STAMP, segment: 3, offset, epoch: 5, batch: 6, seq: Seq(7) };
    let mut out = Vec::new();
    let ops: &[Op] = match body {
        Body::Entry(body) | Body::Copy(body) => &body.ops,
        Body::SegmentStart(_)
        | Body::BatchStart { .. }
        | Body::Settled
        | Body::Epoch(_)
        | Body::Removed { .. } => &[],
    };
    record::encode(&mut out, &header, ops, |out| match body {
        Body::SegmentStart(body) => record::encode_segment(out, body),
        Body::BatchStart { settled, entries } => {
            out.extend_from_slice(&settled.to_le_bytes());
            out.extend_from_slice(&entries.to_le_bytes());
        }
        Body::Entry(body) | Body::Copy(body) => {
            let inline = match &body.inline {
                Inline::None => Inline::None,
                Inline::Present((_, bytes)) => Inline::Present(&bytes[..]),
                Inline::Lost => Inline::Lost,
            };
            record::encode_entry(out, &body.ops, &inline);
        }
        Body::Settled => {}
        Body::Epoch(epoch) => epoch.encode(out),
        Body::Removed { segment } => out.extend_from_slice(&segment.to_le_bytes()),
    });
    out
}

fn epoch() -> EpochBody {
    let member = |drive, standing, since, valid| Member { drive, standing, since, valid_through: Seq(valid) };
    EpochBody {
        number: 5,
        id: 0xabcd << 64,
        resume_after: Seq(41),
        batch: 9,
        members: vec![
            member(1, Standing::Complete, 0, 0),
            member(2, Standing::Filling, 0, 0),
            member(3, Standing::Out, 4, 40),
        ],
    }
}

/// One record of each kind, as version 1 writes it.
fn examples() -> Vec<(Kind, Body)> {
    let entry = EntryBody {
        ops: vec![
            Op::Put { space: Space::Object, key: Bytes::from("bucket/key"), value: Bytes::from("value") },
            Op::Delete { space: Space::Upload, key: Bytes::from("upload") },
        ],
        inline: Inline::Present((0, Bytes::from("shard"))),
    };
    let copy = EntryBody {
        ops: vec![Op::Put { space: Space::System, key: Bytes::from("k"), value: Bytes::new() }],
        inline: Inline::Lost,
    };
    let segment = SegmentBody {
        deployment: 0xd1,
        drive: 0xd2,
        set: 1,
        slot: 2,
        segments: vec![1, 2],
        previous_bytes: 1234,
        epoch: epoch(),
    };
    vec![
        (Kind::SegmentStart, Body::SegmentStart(segment)),
        (Kind::BatchStart, Body::BatchStart { settled: 8, entries: 2 }),
        (Kind::Entry, Body::Entry(entry)),
        (Kind::Copy, Body::Copy(copy)),
        (Kind::Settled, Body::Settled),
        (Kind::Epoch, Body::Epoch(epoch())),
        (Kind::Removed, Body::Removed { segment: 2 }),
    ]
}

/// Offsets of shards are found by reading, not given.
fn without_offsets(body: Body) -> Body {
    let clear = |mut body: EntryBody| {
        if let Inline::Present((at, _)) = &mut body.inline {
            *at = 0;
        }
        body
    };
    match body {
        Body::Entry(body) => Body::Entry(clear(body)),
        Body::Copy(body) => Body::Copy(clear(body)),
        other @ (Body::SegmentStart(_)
        | Body::BatchStart { .. }
        | Body::Settled
        | Body::Epoch(_)
        | Body::Removed { .. }) => other,
    }
}

#[test]
fn records_of_version_1_are_read_and_written_as_they_were() {
    let fixture = include_str!("fixtures/records-v1.hex");
    let lines: Vec<&str> = fixture.lines().collect();
    assert_eq!(lines.len(), examples().len());
    for (line, (kind, body)) in lines.into_iter().zip(examples()) {
        let bytes = hex::decode(line).unwrap();
        let read = record::decode(&bytes, place(0)).unwrap();
        assert_eq!(without_offsets(read.body), body);
        assert_eq!(hex::encode(encode(kind, 0, &body)), line, "{kind:?}");
    }
}

#[test]
fn a_record_of_the_journal_is_of_version_2_which_readers_without_it_refuse() {
    let body = EntryBody {
        ops: vec![
            Op::Put { space: Space::Object, key: Bytes::from("bucket/key"), value: Bytes::from("value") },
            Op::Put { space: Space::Journal, key: Bytes::from("0123456789"), value: Bytes::from("change") },
        ],
        inline: Inline::Present((0, Bytes::from("shard"))),
    };
    let line = include_str!("fixtures/records-v2.hex").trim();
    let bytes = hex::decode(line).unwrap();
    assert_eq!(hex::encode(encode(Kind::Entry, 0, &Body::Entry(body.clone()))), line);
    assert_eq!(without_offsets(record::decode(&bytes, place(0)).unwrap().body), Body::Entry(body));
    // The version stands before the kind: it is looked at before anything of the body is.
    assert_eq!(bytes[4], 2);
}

#[test]
fn every_flipped_bit_of_every_kind_of_record_is_found() {
    for (kind, body) in examples() {
        let bytes = encode(kind, 0, &body);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(record::decode(&flipped, place(0)).is_err(), "{kind:?} byte {at} bit {bit}");
            }
        }
    }
}

#[test]
fn a_record_counts_only_where_it_was_written() {
    let bytes = encode(Kind::Settled, 128, &Body::Settled);
    assert!(record::decode(&bytes, place(128)).is_ok());
    let elsewhere = [place(64), Place { segment: 4, ..place(128) }, Place { stamp: STAMP + 1, ..place(128) }];
    for place in elsewhere {
        assert_eq!(record::decode(&bytes, place), Err(Invalid::Damaged));
    }
}

#[test]
fn an_intact_record_of_a_newer_version_is_named_as_that() {
    let mut bytes = encode(Kind::Settled, 0, &Body::Settled);
    bytes[4] = record::VERSION + 1;
    assert_eq!(record::decode(&bytes, place(0)), Err(Invalid::Damaged));
    let mut covered = bytes[..12].to_vec();
    covered.extend_from_slice(&bytes[16..]);
    let crc = crc_fast::crc32_iscsi(&covered);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(record::decode(&bytes, place(0)), Err(Invalid::Newer { version: record::VERSION + 1 }));
}

fn any_op() -> impl Strategy<Value = Op> {
    let bytes = |max| prop::collection::vec(any::<u8>(), 0..max).prop_map(Bytes::from);
    let space = prop::sample::select(Space::ALL.to_vec());
    (space, bytes(40), prop::option::of(bytes(200))).prop_map(|(space, key, value)| match value {
        Some(value) => Op::Put { space, key, value },
        None => Op::Delete { space, key },
    })
}

fn any_entry() -> impl Strategy<Value = EntryBody> {
    let shard =
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Inline::Present((0, Bytes::from(bytes))));
    let inline = prop_oneof![Just(Inline::None), Just(Inline::Lost), shard];
    (prop::collection::vec(any_op(), 1..5), inline).prop_map(|(ops, inline)| EntryBody { ops, inline })
}

proptest! {
    #[test]
    fn any_entry_reads_back(body in any_entry(), offset in any::<u64>()) {
        let bytes = encode(Kind::Entry, offset, &Body::Entry(body.clone()));
        let read = record::decode(&bytes, place(offset)).unwrap();
        prop_assert_eq!(read.len, bytes.len());
        if let (Inline::Present((_, shard)), Body::Entry(EntryBody { inline: Inline::Present((at, _)), .. })) =
            (&body.inline, &read.body)
        {
            prop_assert_eq!(&bytes[*at as usize..*at as usize + shard.len()], &shard[..]);
        }
        let inline = match &body.inline {
            Inline::Present((_, shard)) => shard.len(),
            Inline::None | Inline::Lost => 0,
        };
        prop_assert_eq!(bytes.len(), record::entry_bytes(&body.ops, inline));
        prop_assert_eq!(without_offsets(read.body), Body::Entry(body));
    }

    #[test]
    fn a_changed_record_is_never_accepted(body in any_entry(), at in any::<prop::sample::Index>(), mask in 1u8..) {
        let mut bytes = encode(Kind::Copy, 0, &Body::Copy(body));
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
        prop_assert!(record::decode(&bytes, place(0)).is_err());
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(record::decode(&bytes, place(0)).is_err());
    }

    /// The checksum is made right, so that the body's own reader meets the garbage.
    #[test]
    fn any_body_under_a_right_checksum_is_read_or_refused(
        kind in 0u8..10,
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = encode(Kind::Settled, 0, &Body::Settled);
        bytes[5] = kind;
        bytes[8..12].copy_from_slice(&(body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&body);
        let mut covered = bytes[..12].to_vec();
        covered.extend_from_slice(&bytes[16..]);
        bytes[12..16].copy_from_slice(&crc_fast::crc32_iscsi(&covered).to_le_bytes());
        if let Ok(Record { len, .. }) = record::decode(&bytes, place(0)) {
            prop_assert_eq!(len, bytes.len());
        }
    }

    #[test]
    fn any_segment_is_walked_to_its_end(
        pieces in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..150).prop_map(Some),
            Just(Some(b"TNRC".to_vec())),
            Just(None),
        ], 0..12),
    ) {
        let drive = SimDrive::new("sim");
        drive.create_segment(3, 0).unwrap();
        let (mut bytes, mut whole) = (Vec::new(), 0);
        for piece in pieces {
            match piece {
                Some(garbage) => bytes.extend_from_slice(&garbage),
                None => {
                    bytes.extend_from_slice(&encode(Kind::Settled, bytes.len() as u64, &Body::Settled));
                    whole += 1;
                }
            }
        }
        drive.append(3, 0, &bytes).unwrap();
        let mut reader = SegmentReader::new(&drive, STAMP, 3, 0).unwrap();
        let mut found = 0;
        loop {
            match reader.step().unwrap() {
                Step::Record(_) => found += 1,
                Step::Damage { until } => prop_assert!(until <= bytes.len() as u64),
                Step::Tear | Step::End => break,
            }
        }
        prop_assert_eq!(found, whole);
    }
}
