use std::ops::Range;

use bytes::Bytes;
use proptest::prelude::*;

use super::codec::Codec;
use super::encode::encode_inline;
use super::encode::encode_stripe;
use super::layout::{Blob, BlobId, Coding};
use super::matrix::decode_by_crate;
use super::window::{ShardSet, ShardSource, TooFewShards, Window};
use crate::geometry::Geometry;

/// Shards in memory; `None` is a lost one.
struct Memory(Vec<Option<Vec<u8>>>);

impl ShardSource for Memory {
    fn read(&mut self, shard: usize, bytes: Range<u64>) -> Option<Bytes> {
        let shard = self.0[shard].as_ref()?;
        shard.get(bytes.start as usize..bytes.end as usize).map(Bytes::copy_from_slice)
    }
}

fn pattern(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[1] ^ seed).collect()
}

fn geometries() -> impl Strategy<Value = Geometry> {
    (1u8..=12, 0u8..=4)
        .prop_filter_map("a geometry", |(data, parity)| Geometry::new(data, parity.min(data)).ok())
}

fn small(geometry: Geometry) -> Coding {
    Coding { stripe_bytes: 4096, block_bytes: 128, ..Coding::new(geometry) }
}

/// Encodes `bytes` as a blob of several stripes.
fn store(codec: &Codec, coding: Coding, bytes: &[u8]) -> (Blob, Memory) {
    let blob = Blob { id: BlobId([7; 16]), size: bytes.len() as u64, coding };
    let mut shards = vec![Vec::new(); coding.geometry.total()];
    for (number, stripe) in bytes.chunks(coding.stripe_bytes as usize).enumerate() {
        assert_eq!(shards[0].len() as u64, blob.stripe(number as u64).offset);
        let mut padded = stripe.to_vec();
        coding.pad(&mut padded);
        encode_stripe(codec, (blob.id, &coding), number as u64, &padded, |shard, piece| {
            shards[shard].extend_from_slice(piece);
        });
    }
    assert!(shards.iter().all(|shard| shard.len() as u64 == blob.stored_bytes()));
    (blob, Memory(shards.into_iter().map(Some).collect()))
}

fn read_stripe(
    codec: &Codec,
    blob: &Blob,
    source: &mut Memory,
    stripe: u64,
    range: Range<usize>,
) -> (Result<Vec<u8>, TooFewShards>, ShardSet) {
    let mut window = Window::new(codec, blob, stripe, source);
    let mut out = Vec::new();
    let result = window.read(range, &mut out).map(|()| out.concat());
    (result, window.bad())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn decoding_equals_the_decoder_of_the_crate(
        geometry in geometries(),
        chunks in 1usize..5,
        order in Just((0..16usize).collect::<Vec<_>>()).prop_shuffle(),
        seed: u8,
    ) {
        prop_assume!(geometry.parity() > 0);
        let codec = Codec::new(geometry);
        let length = chunks * 64;
        let data = pattern(length * geometry.data(), seed);
        let mut shards: Vec<Vec<u8>> = data.chunks(length).map(<[u8]>::to_vec).collect();
        codec.encode(&data, length, |_, parity| shards.push(parity.to_vec()));
        let mut given: Vec<usize> = order.into_iter().filter(|shard| *shard < geometry.total()).collect();
        given.truncate(geometry.data());
        given.sort_unstable();
        let slices: Vec<(usize, &[u8])> = given.iter().map(|shard| (*shard, &shards[*shard][..])).collect();
        for (wanted, shard) in shards.iter().enumerate() {
            let decoded = codec.decode(&slices, wanted);
            prop_assert_eq!(&decoded, shard);
            prop_assert_eq!(&decoded, &decode_by_crate(geometry, &slices, wanted));
        }
    }

    #[test]
    fn any_range_reads_back_with_as_many_shards_bad_as_there_is_parity(
        geometry in geometries(),
        length in 1usize..9000,
        cut in (0.0f64..1.0, 0.0f64..1.0),
        order in Just((0..16usize).collect::<Vec<_>>()).prop_shuffle(),
        lose: bool,
    ) {
        let codec = Codec::new(geometry);
        let bytes = pattern(length, 3);
        let (blob, mut source) = store(&codec, small(geometry), &bytes);
        let bad: Vec<usize> = order.into_iter().filter(|shard| *shard < geometry.total()).take(geometry.parity()).collect();
        for shard in &bad {
            match &mut source.0[*shard] {
                stored if lose => *stored = None,
                Some(stored) => stored.iter_mut().step_by(50).for_each(|byte| *byte ^= 0x40),
                None => unreachable!("each shard is damaged once"),
            }
        }
        for number in 0..blob.stripes() {
            let stripe = blob.stripe(number);
            let base = number as usize * 4096;
            let start = (cut.0 * stripe.bytes as f64) as usize;
            let end = start + (cut.1 * (stripe.bytes - start) as f64) as usize;
            for range in [0..stripe.bytes, start..end] {
                let (read, _) = read_stripe(&codec, &blob, &mut source, number, range.clone());
                prop_assert_eq!(&read.unwrap()[..], &bytes[base + range.start..base + range.end]);
            }
        }
    }
}

#[test]
fn every_flipped_byte_of_every_shard_is_found_and_restored() {
    let geometry = Geometry::new(2, 2).unwrap();
    let codec = Codec::new(geometry);
    let bytes = pattern(300, 9);
    let (blob, mut source) = store(&codec, small(geometry), &bytes);
    for shard in 0..4 {
        for at in 0..source.0[shard].as_ref().unwrap().len() {
            let intact = source.0[shard].clone().unwrap();
            source.0[shard].as_mut().unwrap()[at] ^= 1;
            let mut window = Window::new(&codec, &blob, 0, &mut source);
            window.check_all();
            let bad = window.bad();
            assert!(bad.contains(shard), "shard {shard} byte {at}");
            let restored = window.restore(bad).unwrap();
            assert_eq!(restored, vec![(shard, intact.clone())]);
            source.0[shard] = Some(intact);
        }
    }
}

#[test]
fn one_more_lost_than_parity_is_an_error() {
    let geometry = Geometry::new(3, 2).unwrap();
    let codec = Codec::new(geometry);
    let (blob, mut source) = store(&codec, small(geometry), &pattern(3000, 1));
    for lost in [0, 2, 4] {
        source.0[lost] = None;
    }
    let (read, bad) = read_stripe(&codec, &blob, &mut source, 0, 0..3000);
    assert_eq!(read, Err(TooFewShards { intact: 2, needed: 3 }));
    assert!(bad.contains(0));
}

#[test]
fn a_block_in_the_place_of_another_is_not_taken() {
    let geometry = Geometry::new(2, 0).unwrap();
    let codec = Codec::new(geometry);
    let (blob, mut source) = store(&codec, small(geometry), &[5; 4096]);
    // All blocks hold the same bytes; only their places differ.
    let row = 128 + 32;
    let shard = source.0[0].as_mut().unwrap();
    let second = shard[row..2 * row].to_vec();
    shard[..row].copy_from_slice(&second);
    let (read, bad) = read_stripe(&codec, &blob, &mut source, 0, 0..10);
    assert_eq!(read, Err(TooFewShards { intact: 1, needed: 2 }));
    assert!(bad.contains(0) && !bad.contains(1));
}

#[test]
fn a_small_range_reads_one_block_of_one_shard() {
    struct Count(Memory, Vec<(usize, Range<u64>)>);
    impl ShardSource for Count {
        fn read(&mut self, shard: usize, bytes: Range<u64>) -> Option<Bytes> {
            self.1.push((shard, bytes.clone()));
            self.0.read(shard, bytes)
        }
    }
    let geometry = Geometry::new(2, 2).unwrap();
    let codec = Codec::new(geometry);
    let bytes = pattern(8192, 2);
    let (blob, source) = store(&codec, small(geometry), &bytes);
    let mut source = Count(source, Vec::new());
    let mut out = Vec::new();
    Window::new(&codec, &blob, 1, &mut source).read(2048 + 130..2048 + 140, &mut out).unwrap();
    assert_eq!(out.concat(), bytes[4096 + 2048 + 130..4096 + 2048 + 140]);
    let run = (2048 + 16 * 32) as u64;
    assert_eq!(source.1, vec![(1, run + 160..run + 320)]);
}

#[test]
fn an_inline_blob_is_one_stripe() {
    for size in [1, 63, 64, 65, 4095, 131_072] {
        for (data, parity) in [(1, 0), (2, 2), (4, 2)] {
            let geometry = Geometry::new(data, parity).unwrap();
            let codec = Codec::new(geometry);
            let coding = Coding::new(geometry);
            let bytes = pattern(size, 1);
            let blob = Blob { id: BlobId([1; 16]), size: size as u64, coding };
            let shards = encode_inline(&codec, blob.id, &coding, bytes.clone());
            assert!(shards.iter().all(|shard| shard.len() as u64 == blob.stored_bytes()));
            let mut source = Memory(shards.into_iter().map(Some).collect());
            let (read, bad) = read_stripe(&codec, &blob, &mut source, 0, 0..size);
            assert_eq!(read.unwrap(), bytes);
            assert!(bad.is_empty());
        }
    }
}

#[test]
fn stored_bytes_never_change() {
    // A change here is a change of the format: see docs/FORMAT.md.
    let geometry = Geometry::new(2, 2).unwrap();
    let codec = Codec::new(geometry);
    let (_, source) = store(&codec, small(geometry), &pattern(5000, 0));
    let sums: Vec<u32> =
        source.0.iter().map(|shard| crc_fast::crc32_iscsi(shard.as_ref().unwrap())).collect();
    assert_eq!(sums, [3_125_873_025, 1_832_055_644, 4_080_891_084, 1_271_080_617]);
    let header = super::header::encode(BlobId([7; 16]), &small(geometry), 3);
    assert_eq!(
        hex::encode(header),
        "5441524e5348524401000102020300000010000080000000070707070707070707070707070707070000000000000000\
         000000000000000000000000c8fb8b54"
    );
}
