//! The hash of `bucket` (table spec, Appendix B, "32-bit Hash Requirements").

/// Of an integer, a date in days, or a time or timestamp in microseconds.
pub fn hash_of_integer(number: i64) -> u32 {
    murmur3(&number.to_le_bytes())
}

/// Of a decimal's unscaled value.
pub fn hash_of_decimal(unscaled: i128) -> u32 {
    murmur3(shortest(&unscaled.to_be_bytes()))
}

/// Of a text.
pub fn hash_of_text(text: &str) -> u32 {
    murmur3(text.as_bytes())
}

/// Of a UUID, or of binary.
pub fn hash_of_bytes(bytes: &[u8]) -> u32 {
    murmur3(bytes)
}

/// The fewest big-endian bytes of the same two's complement number.
fn shortest(mut bytes: &[u8]) -> &[u8] {
    while let [first, second, ..] = bytes
        && (*first == 0 && second & 0x80 == 0 || *first == 0xff && second & 0x80 != 0)
    {
        bytes = &bytes[1..];
    }
    bytes
}

/// Murmur3, 32 bits, x86 variant, seed 0.
fn murmur3(bytes: &[u8]) -> u32 {
    let mix = |word: u32| word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let mut hash = 0_u32;
    let (words, tail) = bytes.as_chunks::<4>();
    for word in words {
        hash ^= mix(u32::from_le_bytes(*word));
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    if !tail.is_empty() {
        let mut word = [0; 4];
        word[..tail.len()].copy_from_slice(tail);
        hash ^= mix(u32::from_le_bytes(word));
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}
