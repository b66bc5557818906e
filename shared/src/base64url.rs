//! base64url in its one canonical spelling (RFC 4648 section 5; RFC 7515 section 2: no padding).

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use simd128::{BLOCK, decode_block};
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
use words::{BLOCK, decode_block};

/// Decodes `text` to the front of `out` and gives back what was written.
///
/// `None` when a character is outside the alphabet, the length is impossible, bits are left over (RFC 4648 section
/// 3.5), or `out` is too short: two spellings of one token would be two keys to one door.
pub(crate) fn decode<'o>(text: &[u8], out: &'o mut [u8]) -> Option<&'o mut [u8]> {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let out = out.get_mut(..blocks.len() * BLOCK / 4 * 3 + rest.len() * 3 / 4)?;
    let (decoded, tail) = out.as_chunks_mut::<{ BLOCK / 4 * 3 }>();
    let mut good = rest.len() % 4 != 1;
    for (block, to) in blocks.iter().zip(decoded) {
        let (bytes, known) = decode_block(*block);
        good &= known;
        *to = bytes;
    }
    // Filled up with zeros: whatever else is in there was left over.
    let mut last = [b'A'; BLOCK];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let (bytes, known) = decode_block(last);
    let mut bytes = bytes.into_iter();
    tail.iter_mut().zip(&mut bytes).for_each(|(to, from)| *to = from);
    if good && known && bytes.all(|byte| byte == 0) { Some(out) } else { None }
}

/// The number of bytes that `decode` needs for a text of `len` characters, and up to two more.
pub(crate) const fn decoded_len(len: usize) -> usize {
    len / 4 * 3 + 2
}

/// A word of eight characters.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod words {
    pub(super) const BLOCK: usize = 8;

    /// These characters at once, and whether all of them are in the alphabet.
    #[inline(always)]
    pub(super) fn decode_block(characters: [u8; BLOCK]) -> ([u8; 6], bool) {
        const EACH: u64 = 0x0101_0101_0101_0101;
        let eight = u64::from_le_bytes(characters);
        // 1 in each byte that is from `first` up to `last`. Bytes from 0x80 up, which add beyond a byte, are refused.
        let among = |first: u8, last: u8| {
            let at_least = |least: u8| eight.wrapping_add(u64::from(0x80 - least) * EACH);
            (at_least(first) ^ at_least(last + 1)) >> 7 & EACH
        };
        let [upper, lower, digit] = [among(b'A', b'Z'), among(b'a', b'z'), among(b'0', b'9')];
        let [minus, low_line] = [among(b'-', b'-'), among(b'_', b'_')];
        let known = upper | lower | digit | minus | low_line == EACH && eight & (0x80 * EACH) == 0;

        let six_bits = eight
            .wrapping_add(digit * (52 - b'0' as u64) + minus * (62 - b'-' as u64))
            .wrapping_sub(upper * b'A' as u64 + lower * (b'a' as u64 - 26) + low_line * (b'_' as u64 - 63));
        let twelve_bits = (six_bits & 0x003f_003f_003f_003f) << 6 | six_bits >> 8 & 0x003f_003f_003f_003f;
        let bits = (twelve_bits & 0x0000_0fff_0000_0fff) << 12 | twelve_bits >> 16 & 0x0000_0fff_0000_0fff;
        let [c, b, a, _, f, e, d, _] = bits.to_le_bytes();
        ([a, b, c, d, e, f], known)
    }
}

/// A vector of sixteen characters.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128 {
    use core::arch::wasm32::*;

    pub(super) const BLOCK: usize = 16;

    /// These characters at once, and whether all of them are in the alphabet.
    ///
    /// By the upper half of a character: `-` is in 2, digits in 3, letters in 4 to 7, `_` beside `P` to `Z` in 5. Each
    /// kind is a bit. A character is in the alphabet when both of its halves are of one kind.
    #[inline(always)]
    pub(super) fn decode_block(characters: [u8; BLOCK]) -> ([u8; 12], bool) {
        const UPPER: v128 = u8x16(0, 0, 1, 2, 4, 8, 4, 16, 0, 0, 0, 0, 0, 0, 0, 0);
        const LOWER: v128 = u8x16(26, 30, 30, 30, 30, 30, 30, 30, 30, 30, 28, 4, 4, 5, 4, 12);
        const TO_ADD: v128 =
            i8x16(0, 0, 62 - 45, 52 - 48, -65, -65, 26 - 97, 26 - 97, 0, 0, 0, 0, 0, 0, 0, 0);
        let (words, _) = characters.as_chunks::<8>();
        let [low, high] = [words[0], words[1]].map(u64::from_le_bytes);
        let text = u64x2(low, high);
        let upper = u8x16_shr(text, 4);
        let kinds =
            v128_and(i8x16_swizzle(UPPER, upper), i8x16_swizzle(LOWER, v128_and(text, u8x16_splat(15))));
        let known = u8x16_all_true(kinds);

        let low_line = v128_and(i8x16_eq(text, u8x16_splat(b'_')), i8x16_splat(63 - 95 + 65));
        let six_bits = i8x16_add(i8x16_add(text, i8x16_swizzle(TO_ADD, upper)), low_line);
        let first = v128_and(i16x8_shl(six_bits, 6), i16x8_splat(0x0fc0));
        let twelve_bits = v128_or(first, u16x8_shr(six_bits, 8));
        let bits = i32x4_dot_i16x8(twelve_bits, i32x4_splat(1 << 16 | 1 << 12));
        let bytes = i8x16_shuffle::<2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, 3, 3, 3, 3>(bits, bits);
        let [start, end] =
            [u64x2_extract_lane::<0>(bytes), u64x2_extract_lane::<1>(bytes)].map(u64::to_le_bytes);
        let mut decoded = [0; 12];
        let (to, rest) = decoded.split_at_mut(8);
        to.copy_from_slice(&start);
        rest.copy_from_slice(&end[..4]);
        (decoded, known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<Vec<u8>> {
        decode(text.as_bytes(), &mut [0; 16]).map(|bytes| bytes.to_vec())
    }

    #[test]
    fn the_canonical_spelling_is_decoded() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg", b"f"),
            ("Zm8", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYg", b"foob"),
            ("Zm9vYmFyYg", b"foobarb"),
            ("AZaz09-_", b"\x01\x96\xb3\xd3\xdf\xbf"),
            ("-_-_", b"\xfb\xff\xbf"),
        ] {
            assert_eq!(decoded(text).as_deref(), Some(bytes), "{text}");
        }
    }

    #[test]
    fn every_byte_is_a_character_of_the_alphabet_or_refused_wherever_it_stands() {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for (byte, at) in (0..=255).flat_map(|byte| (0..12).map(move |at| (byte, at))) {
            let mut text = [b'A'; 12];
            text[at] = byte;
            let value = alphabet.iter().position(|known| *known == byte);
            let expected = value.map(|value| {
                let bits = (value as u128) << (6 * (11 - at));
                bits.to_be_bytes()[7..].to_vec()
            });
            let got = decode(&text, &mut [0; 9]).map(|bytes| bytes.to_vec());
            assert_eq!(got, expected, "{byte} at {at}");
        }
    }

    #[test]
    fn any_other_spelling_is_not() {
        for text in [
            "Z",
            "Zh",
            "Zm9",
            "Zm8=",
            "Zg==",
            "Zm9v\n",
            " Zm9v",
            "+/+/",
            "Zm9vY",
            "Zé",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }
}
