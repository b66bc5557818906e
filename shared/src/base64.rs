//! Standard base64 (RFC 4648 section 4), as it stands in PEM, in configuration and in webhooks.

use crate::base64url;

/// Decodes `text`, skipping ASCII white space. Padding may be missing; where it is there, it must be right.
///
/// # Errors
///
/// Where in the text the first character stands that does not belong; the text's length when its end is wrong: an
/// impossible length, wrong padding, or bits left over (RFC 4648 section 3.5).
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, usize> {
    let mut spelled = Vec::with_capacity(text.len());
    let mut padding = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'=' => padding += 1,
            _ if padding > 0 => return Err(at),
            b'+' => spelled.push(b'-'),
            b'/' => spelled.push(b'_'),
            _ if byte.is_ascii_alphanumeric() => spelled.push(byte),
            _ => return Err(at),
        }
    }
    if padding > 0 && (padding > 2 || (spelled.len() + padding) % 4 != 0) {
        return Err(text.len());
    }
    let mut room = vec![0; base64url::decoded_len(spelled.len())];
    let len = base64url::decode(&spelled, &mut room).ok_or(text.len())?.len();
    room.truncate(len);
    Ok(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_files_and_settings_is_decoded() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zg", b"f"),
            ("Zm8=", b"fo"),
            ("Zm 9v\r\nYm\tFy", b"foobar"),
            ("+/+/", b"\xfb\xff\xbf"),
        ] {
            assert_eq!(decode(text).as_deref(), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn the_first_wrong_character_is_pointed_at() {
        for (text, at) in [
            ("Zm9v-w==", 4),
            ("Zm9v_w==", 4),
            ("é", 0),
            ("Zg==Zg==", 4),
            ("Zm9v\u{b}", 4),
            ("Z", 1),
            ("Zh==", 4),
            ("Zg=", 3),
            ("Zg===", 5),
            ("Zm9v====", 8),
            ("=", 1),
        ] {
            assert_eq!(decode(text), Err(at), "{text}");
        }
    }
}
