//! Decodes `aws-chunked` bodies. Pure: bytes in, data and trailers out.
//!
//! ```text
//! <size in hex>[;chunk-signature=<64 hex>]\r\n <bytes> \r\n   ... repeated; the last has size 0 ...
//! [<name>:<value>\r\n ... [x-amz-trailer-signature:<64 hex>\r\n]] \r\n
//! ```
//!
//! - C1: where chunks are signed, [`Step::End`] comes only after every signature, the trailers' included,
//!   was found right. Data is handed on before its chunk's signature is known: a reader must not
//!   act on a body before its end.
//! - C2: as many bytes come out as `x-amz-decoded-content-length` announced, or an error.
//! - C3: a trailer is accepted only under a name that the (signed) header `x-amz-trailer` announced.
//!
//! Source: "Signature calculations: multiple chunks", "including trailing headers", AWS S3 reference.

use std::mem;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::{digest, hmac};
use subtle::ConstantTimeEq as _;
use tarn_openapi::request::BodyRejected;

use super::super::sigv4::canonical::{finish, sha256};
use super::super::sigv4::payload::{Chunked, EMPTY_SHA256};
use super::super::sigv4::verify::{Seed, tag};

/// The longest line: a chunk's size and signature, or one trailer.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// The most trailers of a body.
const TRAILERS_MAX: usize = 16;

/// What a step brought.
#[derive(Debug)]
pub(crate) enum Step {
    /// The input is used up; more is needed.
    More,
    /// Bytes of the body.
    Data(Bytes),
    /// The body is whole and right.
    End(HeaderMap),
}

enum State {
    Size,
    Data { left: u64 },
    DataEnd,
    Trailers,
    Ended,
}

/// The decoder of one body.
pub(crate) struct Decoder {
    state: State,
    kind: Chunked,
    signatures: Option<Signatures>,
    announced: Vec<HeaderName>,
    trailers: HeaderMap,
    /// The trailers as they are signed: `name:value\n`.
    trailers_text: String,
    left: u64,
}

/// The chain of chunk signatures.
struct Signatures {
    seed: Seed,
    /// The hash of the chunk so far.
    hash: digest::Context,
    expected: [u8; 32],
    trailers_signed: bool,
}

impl Decoder {
    /// `length` is the announced length of the decoded body, `announced` the names in `x-amz-trailer`.
    pub(crate) fn new(kind: Chunked, seed: Seed, length: u64, announced: Vec<HeaderName>) -> Self {
        let signatures = kind.signed().then(|| Signatures {
            seed,
            hash: digest::Context::new(&digest::SHA256),
            expected: [0; 32],
            trailers_signed: false,
        });
        let (trailers, trailers_text) = (HeaderMap::new(), String::new());
        Self { state: State::Size, kind, signatures, announced, trailers, trailers_text, left: length }
    }

    /// Takes from `input` what it can.
    pub(crate) fn step(&mut self, input: &mut BytesMut) -> Result<Step, BodyRejected> {
        loop {
            match self.state {
                State::Size => match line(input)? {
                    Some(line) => self.begin_chunk(&line)?,
                    None => return Ok(Step::More),
                },
                State::Data { left } => {
                    if input.is_empty() {
                        return Ok(Step::More);
                    }
                    return self.data(input, left);
                }
                State::DataEnd => {
                    if input.len() < 2 {
                        return Ok(Step::More);
                    }
                    if input[..2] != *b"\r\n" {
                        return Err(malformed("a chunk does not end in CR LF"));
                    }
                    input.advance(2);
                    self.state = State::Size;
                }
                State::Trailers => match line(input)? {
                    Some(line) if line.is_empty() && self.trailers_done() => return self.end(),
                    Some(line) if line.is_empty() => {}
                    Some(line) => self.trailer(&line)?,
                    None => return Ok(Step::More),
                },
                State::Ended => return self.after_end(input),
            }
        }
    }

    /// The input has ended. Some clients leave out the last empty line.
    pub(crate) fn finish(&mut self) -> Result<Step, BodyRejected> {
        match self.state {
            State::Ended => Ok(Step::More),
            State::Trailers if self.trailers_done() => self.end(),
            State::Trailers | State::Size | State::Data { .. } | State::DataEnd => {
                Err(BodyRejected::Incomplete)
            }
        }
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<(), BodyRejected> {
        let line = std::str::from_utf8(line).map_err(|_| malformed("a chunk's size is not ASCII"))?;
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        let digits = !size.is_empty() && size.len() <= 16 && size.bytes().all(|b| b.is_ascii_hexdigit());
        let size = digits.then(|| u64::from_str_radix(size, 16).ok()).flatten();
        let size = size.ok_or_else(|| malformed("a chunk's size is not a hexadecimal number"))?;
        self.left = self.left.checked_sub(size).ok_or(BodyRejected::TooLarge)?;
        if let Some(signatures) = &mut self.signatures {
            let signature = extension.strip_prefix("chunk-signature=").ok_or(BodyRejected::Signature)?;
            hex::decode_to_slice(signature.trim_end(), &mut signatures.expected)
                .map_err(|_| BodyRejected::Signature)?;
        }
        if size > 0 {
            self.state = State::Data { left: size };
            return Ok(());
        }
        if self.left > 0 {
            return Err(BodyRejected::Incomplete);
        }
        self.end_chunk()?;
        self.state = State::Trailers;
        Ok(())
    }

    fn data(&mut self, input: &mut BytesMut, left: u64) -> Result<Step, BodyRejected> {
        let take = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let data = input.split_to(take).freeze();
        if let Some(signatures) = &mut self.signatures {
            signatures.hash.update(&data);
        }
        let left = left - data.len() as u64;
        self.state = State::Data { left };
        if left == 0 {
            self.end_chunk()?;
            self.state = State::DataEnd;
        }
        Ok(Step::Data(data))
    }

    fn end_chunk(&mut self) -> Result<(), BodyRejected> {
        match &mut self.signatures {
            Some(signatures) => signatures.check_chunk(),
            None => Ok(()),
        }
    }

    fn trailer(&mut self, line: &[u8]) -> Result<(), BodyRejected> {
        if !self.kind.has_trailer() {
            return Err(malformed("bytes follow the last chunk"));
        }
        let line = std::str::from_utf8(line).map_err(|_| malformed("a trailer is not ASCII"))?;
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("a trailer has no ':'"))?;
        let (name, value) = (name.trim(), value.trim());
        if let Some(signatures) = &mut self.signatures
            && name.eq_ignore_ascii_case("x-amz-trailer-signature")
        {
            return signatures.check_trailers(value, &self.trailers_text);
        }
        let name = name.parse::<HeaderName>().map_err(|_| malformed("a trailer's name is not valid"))?;
        let value = value.parse::<HeaderValue>().map_err(|_| malformed("a trailer's value is not valid"))?;
        if !self.announced.contains(&name) {
            return Err(malformed("a trailer was not announced in x-amz-trailer"));
        }
        if self.trailers.len() == TRAILERS_MAX {
            return Err(malformed("too many trailers"));
        }
        self.trailers_text += &format!("{name}:{}\n", value.to_str().unwrap_or_default());
        if self.trailers.insert(name, value).is_some() {
            return Err(malformed("a trailer is given twice"));
        }
        Ok(())
    }

    /// Whether an empty line ends the body here; before the trailers' signature it does not.
    fn trailers_done(&self) -> bool {
        self.signatures.as_ref().is_none_or(|s| s.trailers_signed || !self.kind.has_trailer())
    }

    fn end(&mut self) -> Result<Step, BodyRejected> {
        if self.kind.has_trailer() && !self.announced.iter().all(|name| self.trailers.contains_key(name)) {
            return Err(malformed("a trailer announced in x-amz-trailer is missing"));
        }
        self.state = State::Ended;
        Ok(Step::End(mem::take(&mut self.trailers)))
    }

    fn after_end(&mut self, input: &mut BytesMut) -> Result<Step, BodyRejected> {
        if input.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
            return Err(malformed("bytes follow the end"));
        }
        input.clear();
        Ok(Step::More)
    }
}

impl Signatures {
    fn check_chunk(&mut self) -> Result<(), BodyRejected> {
        let hash = finish(mem::replace(&mut self.hash, digest::Context::new(&digest::SHA256)));
        let lines = [EMPTY_SHA256, "\n", &hex::encode(hash)].concat();
        let signature = self.sign("AWS4-HMAC-SHA256-PAYLOAD", &lines);
        if !bool::from(signature.ct_eq(&self.expected)) {
            return Err(BodyRejected::Signature);
        }
        self.seed.signature = signature;
        Ok(())
    }

    fn check_trailers(&mut self, value: &str, trailers: &str) -> Result<(), BodyRejected> {
        let mut expected = [0; 32];
        hex::decode_to_slice(value, &mut expected).map_err(|_| BodyRejected::Signature)?;
        let signature = self.sign("AWS4-HMAC-SHA256-TRAILER", &hex::encode(sha256(trailers.as_bytes())));
        if self.trailers_signed || !bool::from(signature.ct_eq(&expected)) {
            return Err(BodyRejected::Signature);
        }
        self.trailers_signed = true;
        Ok(())
    }

    fn sign(&self, algorithm: &str, last: &str) -> [u8; 32] {
        sign_chunk(&self.seed, algorithm, last)
    }
}

/// The next signature of the chain that `seed` ends with.
pub(crate) fn sign_chunk(seed: &Seed, algorithm: &str, last: &str) -> [u8; 32] {
    let previous = hex::encode(seed.signature);
    let mut context = hmac::Context::with_key(&seed.key);
    for text in [algorithm, "\n", &seed.date, "\n", &seed.scope, "\n", &previous, "\n", last] {
        context.update(text.as_bytes());
    }
    tag(context)
}

/// Takes a line without its end; a bare LF ends one too. `None` while there is no whole one.
fn line(input: &mut BytesMut) -> Result<Option<BytesMut>, BodyRejected> {
    let Some(at) = input.iter().take(LINE_BYTES_MAX).position(|&byte| byte == b'\n') else {
        let long = input.len() >= LINE_BYTES_MAX;
        return if long { Err(malformed("a line is too long")) } else { Ok(None) };
    };
    let mut line = input.split_to(at + 1);
    line.truncate(at);
    if line.last() == Some(&b'\r') {
        line.truncate(at - 1);
    }
    Ok(Some(line))
}

fn malformed(what: &str) -> BodyRejected {
    BodyRejected::Malformed(what.into())
}
