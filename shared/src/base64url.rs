//! base64url in its one canonical spelling (RFC 4648 section 5; RFC 7515 section 2: no padding).

/// Decodes `text` to the front of `out` and gives back what was written.
///
/// `None` when a character is outside the alphabet, the length is impossible, bits are left over (RFC 4648 section
/// 3.5), or `out` is too short: two spellings of one token would be two keys to one door.
pub(crate) fn decode<'o>(text: &[u8], out: &'o mut [u8]) -> Option<&'o mut [u8]> {
    let (groups, rest) = text.as_chunks::<4>();
    let len = groups.len() * 3 + rest.len() * 3 / 4;
    let out = out.get_mut(..len)?;
    let (triples, tail) = out.as_chunks_mut::<3>();
    let mut bad = 0;
    for (group, triple) in groups.iter().zip(triples) {
        let (bits, wrong) = sextets(*group);
        bad |= wrong;
        let [_, a, b, c] = bits.to_be_bytes();
        *triple = [a, b, c];
    }
    let (bits, wrong) = match *rest {
        [] => (0, 0),
        [a, b] => sextets([a, b, b'A', b'A']),
        [a, b, c] => sextets([a, b, c, b'A']),
        _ => return None,
    };
    let [_, a, b, c] = bits.to_be_bytes();
    let left_over = match tail {
        [] => 0,
        [first] => {
            *first = a;
            b
        }
        [first, second, ..] => {
            (*first, *second) = (a, b);
            c
        }
    };
    if (bad | wrong) & 0x80 == 0 && left_over == 0 { Some(out) } else { None }
}

/// The number of bytes that `decode` needs for a text of `len` characters, and up to two more.
pub(crate) const fn decoded_len(len: usize) -> usize {
    len / 4 * 3 + 2
}

fn sextets([a, b, c, d]: [u8; 4]) -> (u32, u8) {
    let [a, b, c, d] = [sextet(a), sextet(b), sextet(c), sextet(d)];
    let bits = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
    (bits & 0x00ff_ffff, a | b | c | d)
}

/// A character's six bits; the top bit is set for one outside the alphabet.
fn sextet(character: u8) -> u8 {
    const TABLE: [u8; 256] = {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut table = [0x80; 256];
        let mut i = 0;
        while i < 64 {
            table[alphabet[i] as usize] = i as u8;
            i += 1;
        }
        table
    };
    TABLE[usize::from(character)]
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
            ("-_-_", b"\xfb\xff\xbf"),
        ] {
            assert_eq!(decoded(text).as_deref(), Some(bytes), "{text}");
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
