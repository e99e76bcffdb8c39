//! AWS's published chunked examples, and framing that must be refused.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::stream;
use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use tarn_openapi::request::BodyRejected;

use super::chunked::{Decoder, Step, sign_chunk};
use super::wrap;
use crate::identity::error::AuthError;
use crate::identity::sigv4::canonical::sha256;
use crate::identity::sigv4::payload::{Chunked, EMPTY_SHA256, Payload};
use crate::identity::sigv4::tests::{now, parts, signer};
use crate::identity::sigv4::verify::Seed;

fn seed(signature: &str) -> Seed {
    let mut request = parts(Method::PUT, "/", &[("host", "h")]);
    let mut seed = signer().sign_as(&mut request, EMPTY_SHA256, now()).unwrap();
    hex::decode_to_slice(signature, &mut seed.signature).unwrap();
    seed
}

/// The seed signature of the published example without trailers.
const PLAIN: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
/// The seed signature of the published example with trailers.
const TRAILED: &str = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";

fn chunk(size: usize, signature: &str) -> Vec<u8> {
    let mut bytes = format!("{size:x};chunk-signature={signature}\r\n").into_bytes();
    bytes.extend(vec![b'a'; size]);
    bytes.extend(b"\r\n");
    bytes
}

fn plain_example() -> Vec<u8> {
    [
        chunk(65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
        chunk(1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
        chunk(0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
    ]
    .concat()
}

fn trailed_example() -> Vec<u8> {
    let mut last = chunk(0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992");
    last.truncate(last.len() - 2);
    [
        chunk(65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"),
        chunk(1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"),
        last,
        b"x-amz-checksum-crc32c:sOO8/Q==\r\n".to_vec(),
        b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
            .to_vec(),
    ]
    .concat()
}

fn headers(length: usize, trailer: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-decoded-content-length", length.into());
    if let Some(trailer) = trailer {
        headers.insert("x-amz-trailer", trailer.parse().unwrap());
    }
    headers
}

/// Decodes `body` handed over in pieces of `piece` bytes.
async fn decode(
    kind: Chunked,
    seed: Seed,
    headers: &HeaderMap,
    body: &[u8],
    piece: usize,
) -> Result<(Bytes, Option<HeaderMap>), BodyRejected> {
    let pieces: Vec<_> =
        body.chunks(piece).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
    let body = wrap(Payload::Chunked(kind), seed, headers, Body::from_stream(stream::iter(pieces))).unwrap();
    let collected = body.collect().await.map_err(|error| BodyRejected::find(&error).unwrap().clone())?;
    let trailers = collected.trailers().cloned();
    Ok((collected.to_bytes(), trailers))
}

#[tokio::test]
async fn the_published_chunked_example_decodes_however_it_is_split() {
    for piece in [7, 1024, 65536 + 90, 1 << 20] {
        let decoded =
            decode(Chunked::Signed, seed(PLAIN), &headers(66560, None), &plain_example(), piece).await;
        assert_eq!(decoded.unwrap(), (Bytes::from(vec![b'a'; 66560]), None));
    }
}

#[tokio::test]
async fn the_published_trailer_example_decodes_and_yields_the_trailer() {
    let headers = headers(66560, Some("x-amz-checksum-crc32c"));
    let decoded =
        decode(Chunked::SignedTrailer, seed(TRAILED), &headers, &trailed_example(), 8000).await.unwrap();
    assert_eq!(decoded.1.unwrap()["x-amz-checksum-crc32c"], "sOO8/Q==");
}

#[tokio::test]
async fn cve_2021_21390_a_changed_byte_or_a_cut_is_refused() {
    let headers = headers(66560, Some("x-amz-checksum-crc32c"));
    for (kind, start, example) in
        [(Chunked::Signed, PLAIN, plain_example()), (Chunked::SignedTrailer, TRAILED, trailed_example())]
    {
        let end = example.len();
        for at in [0, 3, 50, 200, 65600, 66000, end - 100, end - 60, end - 5] {
            let mut changed = example.clone();
            changed[at] ^= 1;
            assert!(decode(kind, seed(start), &headers, &changed, 4096).await.is_err(), "{kind:?} {at}");
        }
        for cut in [0, 10, 65536, 66700, end - 120] {
            let cut_off = decode(kind, seed(start), &headers, &example[..cut], 4096).await;
            assert_eq!(cut_off.unwrap_err(), BodyRejected::Incomplete, "{kind:?} {cut}");
        }
    }
}

#[tokio::test]
async fn cve_2025_31489_trailers_without_their_signature_are_refused() {
    let headers = headers(66560, Some("x-amz-checksum-crc32c"));
    let mut example = trailed_example();
    let at = example.len() - b"x-amz-trailer-signature:".len() - 64 - 4;
    example.truncate(at);
    example.extend(b"\r\n");
    let decoded = decode(Chunked::SignedTrailer, seed(TRAILED), &headers, &example, 4096).await;
    assert_eq!(decoded.unwrap_err(), BodyRejected::Incomplete);
}

async fn unsigned(
    length: usize,
    trailer: Option<&str>,
    body: &str,
) -> Result<(Bytes, Option<HeaderMap>), BodyRejected> {
    decode(Chunked::UnsignedTrailer, seed(PLAIN), &headers(length, trailer), body.as_bytes(), 5).await
}

#[tokio::test]
async fn an_unsigned_body_yields_its_trailer() {
    let crc = Some("x-amz-checksum-crc32");
    let decoded = unsigned(9, crc, "5\r\nhello\r\n4\r\n you\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(decoded.0, "hello you");
    assert_eq!(decoded.1.unwrap()["x-amz-checksum-crc32"], "AAAAAA==");
    assert_eq!(unsigned(0, None, "0\r\n\r\n").await.unwrap(), (Bytes::new(), None));
    assert_eq!(unsigned(0, None, "0\r\n").await.unwrap(), (Bytes::new(), None));
}

#[tokio::test]
async fn broken_framing_is_refused() {
    let crc = Some("x-amz-checksum-crc32");
    let malformed = |result: Result<_, BodyRejected>| matches!(result, Err(BodyRejected::Malformed(_)));
    assert!(malformed(unsigned(5, None, "xyz\r\nhello\r\n0\r\n\r\n").await));
    assert!(malformed(unsigned(5, None, "-5\r\nhello\r\n0\r\n\r\n").await));
    assert!(malformed(unsigned(5, None, "5\r\nhelloXX0\r\n\r\n").await));
    assert!(malformed(unsigned(5, None, "5\r\nhello\r\n0\r\n\r\nmore").await));
    assert!(malformed(unsigned(5, None, "5\r\nhello\r\n0\r\nx-evil:1\r\n\r\n").await), "unannounced");
    assert!(malformed(unsigned(5, crc, "5\r\nhello\r\n0\r\n\r\n").await), "announced and missing");
    assert!(malformed(unsigned(5, None, &"5".repeat(5000)).await), "endless line");
    assert_eq!(unsigned(4, None, "5\r\nhello\r\n0\r\n\r\n").await.unwrap_err(), BodyRejected::TooLarge);
    assert_eq!(unsigned(6, None, "5\r\nhello\r\n0\r\n\r\n").await.unwrap_err(), BodyRejected::Incomplete);
    assert_eq!(unsigned(9, None, "ffffffffffffffff\r\n").await.unwrap_err(), BodyRejected::TooLarge);
}

#[tokio::test]
async fn a_signed_hash_is_checked_at_the_end() {
    let body = |text: &'static str| Body::from_stream(stream::iter([Ok::<_, std::io::Error>(text)]));
    let wrapped =
        |hash, text| wrap(Payload::Sha256(hash), seed(PLAIN), &HeaderMap::new(), body(text)).unwrap();
    let hash = sha256(b"hello");
    assert_eq!(wrapped(hash, "hello").collect().await.unwrap().to_bytes(), "hello");
    let refused = wrapped(hash, "hellO").collect().await.unwrap_err();
    assert_eq!(BodyRejected::find(&refused), Some(&BodyRejected::Sha256Mismatch));
    let empty = wrap(Payload::Sha256(hash), seed(PLAIN), &HeaderMap::new(), Body::empty());
    assert_eq!(empty.unwrap_err(), AuthError::Sha256Mismatch);
}

/// Signs `chunks` as a client does.
fn encode(chunks: &[Vec<u8>], mut seed: Seed) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in chunks.iter().map(Vec::as_slice).filter(|chunk| !chunk.is_empty()).chain([&[][..]]) {
        let lines = format!("{EMPTY_SHA256}\n{}", hex::encode(sha256(chunk)));
        seed.signature = sign_chunk(&seed, "AWS4-HMAC-SHA256-PAYLOAD", &lines);
        body.extend(format!("{:x};chunk-signature={}\r\n", chunk.len(), hex::encode(seed.signature)).bytes());
        body.extend(chunk);
        body.extend(b"\r\n");
    }
    body
}

fn run(kind: Chunked, length: u64, body: &[u8], pieces: usize) -> Result<Vec<u8>, BodyRejected> {
    let announced = vec!["x-amz-checksum-crc32".parse().unwrap()];
    let mut decoder = Decoder::new(kind, seed(PLAIN), length, announced);
    let (mut input, mut output) = (BytesMut::new(), Vec::new());
    for piece in body.chunks(pieces.max(1)) {
        input.extend_from_slice(piece);
        loop {
            match decoder.step(&mut input)? {
                Step::More => break,
                Step::Data(data) => output.extend(data),
                Step::End(_) => {}
            }
        }
    }
    decoder.finish().map(|_| output)
}

proptest! {
    #[test]
    fn the_decoder_never_panics_and_never_yields_too_much(
        body in prop::collection::vec(
            prop_oneof![Just(b"5\r\n".to_vec()), Just(b"0\r\n".to_vec()), Just(b"\r\n".to_vec()),
                Just(b"hello".to_vec()), Just(b"x-amz-checksum-crc32:AA==\r\n".to_vec()),
                Just(b";chunk-signature=".to_vec()), prop::collection::vec(any::<u8>(), 0..20)], 0..20),
        pieces in 1usize..40,
        signed in any::<bool>(),
    ) {
        let kind = if signed { Chunked::SignedTrailer } else { Chunked::UnsignedTrailer };
        if let Ok(output) = run(kind, 10, &body.concat(), pieces) {
            prop_assert_eq!(output.len(), 10);
        }
    }

    #[test]
    fn what_a_client_signs_decodes_and_no_flipped_bit_does(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..5),
        pieces in 1usize..300,
        flip in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let expected = chunks.concat();
        let length = expected.len() as u64;
        let mut body = encode(&chunks, seed(PLAIN));
        prop_assert_eq!(run(Chunked::Signed, length, &body, pieces).unwrap(), expected.clone());
        body[flip.index(expected.len().max(1))] ^= 1 << bit;
        if let Ok(decoded) = run(Chunked::Signed, length, &body, pieces) {
            // Only the framing's own freedom is left: the case of a hex digit.
            prop_assert_eq!(decoded, expected);
        }
    }
}
