//! Text taken apart at ASCII bytes. What `str` does with patterns, without a copy of its searchers for each kind of
//! pattern: those were 4 kB of the module that JavaScript loads.

/// Before and after the first `byte`, which is ASCII.
pub(crate) fn split_once(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = position(text.as_bytes(), byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Where `byte` is first. A token is looked through for its dots, so that bytes without it are passed by in eights.
fn position(bytes: &[u8], byte: u8) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = u64::from_le_bytes([0x80; 8]);
    let mut at = 0;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*eight) ^ (ONES * u64::from(byte));
        if word.wrapping_sub(ONES) & !word & TOPS != 0 {
            break;
        }
        at += 8;
    }
    bytes.get(at..)?.iter().position(|other| *other == byte).map(|after| at + after)
}

/// Before and after the first `needle`.
pub(crate) fn split_once_at<'t>(text: &'t str, needle: &str) -> Option<(&'t str, &'t str)> {
    let at = text.as_bytes().windows(needle.len()).position(|window| window == needle.as_bytes())?;
    Some((text.get(..at)?, text.get(at + needle.len()..)?))
}

/// Whether `needle` is somewhere in it.
pub(crate) fn contains(text: &str, needle: &str) -> bool {
    split_once_at(text, needle).is_some()
}

/// The parts between the bytes `separator`, which is ASCII; one more than there are separators.
pub(crate) fn split(text: &str, separator: u8) -> Split<'_> {
    Split { rest: Some(text), separator }
}

pub(crate) struct Split<'t> {
    rest: Option<&'t str>,
    separator: u8,
}

impl<'t> Iterator for Split<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let rest = self.rest?;
        let (part, rest) =
            split_once(rest, self.separator).map_or((rest, None), |(part, rest)| (part, Some(rest)));
        self.rest = rest;
        Some(part)
    }
}

/// Without the characters at both ends that are `unwanted`.
pub(crate) fn trimmed(text: &str, unwanted: fn(char) -> bool) -> &str {
    let mut chars = text.chars();
    loop {
        let inner = chars.as_str();
        if chars.next().is_some_and(unwanted) {
            continue;
        }
        let mut chars = inner.chars();
        loop {
            let inner = chars.as_str();
            if !chars.next_back().is_some_and(unwanted) {
                return inner;
            }
        }
    }
}

/// Without white space at both ends.
pub(crate) fn trim(text: &str) -> &str {
    trimmed(text, char::is_whitespace)
}

/// Without blanks and tabs at both ends, as headers have them.
pub(crate) fn trim_blanks(text: &str) -> &str {
    trimmed(text, |c| matches!(c, ' ' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_taken_apart_as_str_does_it() {
        let after_eights = [&"é".repeat(20), ",-", &"é--,".repeat(9)].concat();
        for text in [
            after_eights.as_str(),
            "",
            ",",
            "a",
            "a,b",
            ",a,",
            "é,ü",
            " a b\t",
            "\u{a0}x\u{feff}",
            "a--b--",
            "--",
            "-",
        ] {
            assert!(split(text, b',').eq(text.split(',')), "{text}");
            assert_eq!(split_once(text, b','), text.split_once(','), "{text}");
            assert_eq!(split_once_at(text, "--"), text.split_once("--"), "{text}");
            assert_eq!(contains(text, "--"), text.contains("--"), "{text}");
            assert_eq!(trim(text), text.trim(), "{text}");
            assert_eq!(trim_blanks(text), text.trim_matches([' ', '\t']), "{text}");
        }
    }
}
