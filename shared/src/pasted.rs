//! What becomes of a text between a dashboard and a setting, undone.

use std::borrow::Cow;

use crate::text;

/// Without the white space, quotes and byte order mark around it, whichever way round they come.
pub(crate) fn unwrapped(text: &str) -> &str {
    const QUOTES: [(&str, &str); 5] = [("\"", "\""), ("'", "'"), ("`", "`"), ("“", "”"), ("‘", "’")];
    let mut inner = text;
    loop {
        let trimmed = text::trimmed(inner, |c| c.is_whitespace() || c == '\u{feff}');
        let unquoted =
            QUOTES.into_iter().find_map(|(open, close)| trimmed.strip_prefix(open)?.strip_suffix(close));
        match unquoted {
            Some(unquoted) => inner = unquoted,
            None => return trimmed,
        }
    }
}

/// With white space and quotes where they were written out: backslashes, one or several, before `n`, `r`, `t`, `"`, `/`,
/// the end of a line or that of the text. Neither base64 nor the label of a PEM block has any, and JSON has them only in
/// its strings, of which those of a key need none.
pub(crate) fn written_out(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = text::split_once(rest, b'\\') {
        out.push_str(before);
        let slashes = after.bytes().take_while(|byte| *byte == b'\\').count();
        rest = after.get(slashes..).unwrap_or_default();
        match rest.as_bytes().first() {
            Some(b'"' | b'/') => (),
            Some(b'n' | b'r' | b't' | b'\n' | b'\r') | None => {
                out.push('\n');
                rest = rest.get(1..).unwrap_or_default();
            }
            _ => out.push('\\'),
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_a_text_is_not_part_of_it() {
        for text in ["a", " a\n", "\u{feff}a", "\"a\"", "'a'", "`a`", "“a”", "‘a’", "\u{feff} '\" a\"'\r\n"]
        {
            assert_eq!(unwrapped(text), "a", "{text}");
        }
        for text in ["\"a", "a'", "'a\"", "“a\""] {
            assert_eq!(unwrapped(text), text);
        }
    }

    #[test]
    fn what_was_written_out_is_what_it_stands_for() {
        for (text, out) in [
            ("ab", "ab"),
            (r"a\nb", "a\nb"),
            (r"a\r\nb", "a\n\nb"),
            (r"a\\\nb\tc", "a\nb\nc"),
            ("a\\\nb\\\rc", "a\nb\nc"),
            (r"a\", "a\n"),
            (r"\\", "\n"),
            (r#"\"a\\\"b\/"#, r#""a"b/"#),
            (r"a\xb\\u00e9é\é", r"a\xb\u00e9é\é"),
        ] {
            assert_eq!(written_out(text), out, "{text}");
        }
    }
}
