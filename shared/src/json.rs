//! A strict reader of JSON objects (RFC 8259): no heap, no duplicate members, bounded depth and count.
//!
//! The libraries at hand take the last of duplicate members, or need the heap to notice them. A token's JSON is
//! read once, before its signature, so whatever it costs is what a stranger can make us pay.

use core::cmp::Ordering;
use std::borrow::Cow;

use crate::time::MAX_UNIX_SECS;

/// Why a document is not taken. `at` is the byte where the scan stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonError {
    Malformed { at: usize },
    Duplicate { at: usize },
    TooDeep,
    TooManyMembers,
}

/// A member's name seen so far in an object that is still open.
#[derive(Clone, Copy, Default)]
pub(crate) struct NameMark {
    hash: u32,
    start: u32,
    end: u32,
}

/// How far a document is looked into.
#[derive(Clone, Copy)]
pub(crate) enum Reach {
    /// All of it, nested so deep at most; the document itself is at 1.
    Depth(usize),
    /// The members of its own. What lies in these is to be read again on its own: it need only be JSON by the grammar,
    /// however deep, and may have halves of surrogate pairs. Where objects are open is held on the heap.
    Outline,
}

/// Reads one JSON object that fills `document`, and shows each of its members to `member`, in order.
///
/// At most `marks.len()` members are taken in all that is looked into, nested ones included: each is compared with
/// those before it in its object, so this bounds the work. The first offence from the left is the one reported.
/// Gives the document back as text.
pub(crate) fn read_object<'a>(
    document: &'a [u8],
    marks: &mut [NameMark],
    reach: Reach,
    member: &mut dyn FnMut(Text<'a>, Value<'a>),
) -> Result<&'a str, JsonError> {
    let text = match core::str::from_utf8(document) {
        Ok(text) => text,
        Err(error) => document
            .get(..error.valid_up_to())
            .and_then(|valid| core::str::from_utf8(valid).ok())
            .unwrap_or_default(),
    };
    let mut reader = Reader { cursor: Cursor::strict(text), marks, live: 0, taken: 0, reach };
    reader.cursor.skip_space();
    reader.object(1, Some(member))?;
    reader.cursor.skip_space();
    // Bytes that are not UTF-8 come after all that is: they were not read, so they are left over.
    if reader.cursor.at == document.len() { Ok(text) } else { Err(reader.cursor.malformed()) }
}

struct Reader<'a, 'm> {
    cursor: Cursor<'a>,
    marks: &'m mut [NameMark],
    /// How many of `marks` belong to objects that are still open.
    live: usize,
    /// How many members were taken in the whole document.
    taken: usize,
    reach: Reach,
}

type Visit<'v, 'a> = Option<&'v mut dyn FnMut(Text<'a>, Value<'a>)>;

impl<'a> Reader<'a, '_> {
    fn object(&mut self, depth: usize, mut visit: Visit<'_, 'a>) -> Result<(), JsonError> {
        self.cursor.expect(b'{')?;
        self.enter(depth)?;
        let first_mark = self.live;
        self.cursor.skip_space();
        if self.cursor.take(b'}') {
            return Ok(());
        }
        loop {
            self.cursor.skip_space();
            let name = self.name(first_mark)?;
            self.cursor.skip_space();
            self.cursor.expect(b':')?;
            let value = self.value(depth)?;
            if let Some(visit) = visit.as_deref_mut() {
                visit(name, value);
            }
            self.cursor.skip_space();
            if self.cursor.take(b'}') {
                self.live = first_mark;
                return Ok(());
            }
            self.cursor.expect(b',')?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        self.cursor.expect(b'[')?;
        self.enter(depth)?;
        self.cursor.skip_space();
        if self.cursor.take(b']') {
            return Ok(());
        }
        loop {
            self.value(depth)?;
            self.cursor.skip_space();
            if self.cursor.take(b']') {
                return Ok(());
            }
            self.cursor.expect(b',')?;
        }
    }

    fn enter(&self, depth: usize) -> Result<(), JsonError> {
        match self.reach {
            Reach::Depth(most) if depth > most => Err(JsonError::TooDeep),
            _ => Ok(()),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, JsonError> {
        self.cursor.skip_space();
        let start = self.cursor.at;
        match (self.reach, self.cursor.peek()) {
            (Reach::Outline, _) => {
                self.cursor.takes_halves = true;
                self.cursor.any_value()?;
                self.cursor.takes_halves = false;
            }
            (_, Some(b'{')) => self.object(depth + 1, None)?,
            (_, Some(b'[')) => self.array(depth + 1)?,
            _ => self.cursor.scalar()?,
        }
        Ok(Value(self.cursor.since(start)))
    }

    /// Reads a name and compares it, as it reads after unescaping, with those before it in the same object.
    fn name(&mut self, first_mark: usize) -> Result<Text<'a>, JsonError> {
        let at = self.cursor.at;
        let name = self.cursor.string()?;
        if self.taken == self.marks.len() {
            return Err(JsonError::TooManyMembers);
        }
        self.taken += 1;
        let hash = name.hash();
        let before = self.marks.get(first_mark..self.live).unwrap_or_default();
        let twice = before.iter().any(|mark| {
            mark.hash == hash
                && self
                    .cursor
                    .text
                    .get(mark.start as usize..mark.end as usize)
                    .is_some_and(|raw| Text(raw).same(name))
        });
        if twice {
            return Err(JsonError::Duplicate { at });
        }
        // A document fits 32 bits: the greatest is a JWKS of 256 KiB.
        let mark = NameMark { hash, start: at as u32 + 1, end: (at + 1 + name.0.len()) as u32 };
        if let Some(slot) = self.marks.get_mut(self.live) {
            *slot = mark;
            self.live += 1;
        }
        Ok(name)
    }
}

/// A place in a text, and the tokens of RFC 8259 section 2 that can begin there.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Half of a surrogate pair is let pass.
    takes_halves: bool,
}

impl<'a> Cursor<'a> {
    fn strict(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0, takes_halves: false }
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline(always)]
    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    #[inline(always)]
    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { Err(self.malformed()) }
    }

    fn malformed(&self) -> JsonError {
        JsonError::Malformed { at: self.at }
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    #[inline(always)]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), JsonError> {
        word.bytes().try_for_each(|byte| self.expect(byte))
    }

    fn scalar(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => self.number(),
        }
    }

    /// Passes over a value of any depth, of which nothing is asked but the grammar.
    fn any_value(&mut self) -> Result<(), JsonError> {
        // What closes each container that is open.
        let mut open = Vec::new();
        loop {
            self.skip_space();
            let opened = match self.peek() {
                Some(b'{') => Some(b'}'),
                Some(b'[') => Some(b']'),
                _ => None,
            };
            match opened {
                Some(_) => self.at += 1,
                None => self.scalar()?,
            }
            open.extend(opened);
            if !self.reach_next_value(&mut open, opened.is_some())? {
                return Ok(());
            }
        }
    }

    /// Passes over the ends of the containers that end here, and to where the next value begins, if there is one.
    fn reach_next_value(&mut self, open: &mut Vec<u8>, mut is_first: bool) -> Result<bool, JsonError> {
        loop {
            let Some(close) = open.last().copied() else { return Ok(false) };
            self.skip_space();
            if self.take(close) {
                open.pop();
                is_first = false;
                continue;
            }
            if !is_first {
                self.expect(b',')?;
            }
            if close == b'}' {
                self.skip_space();
                self.string()?;
                self.skip_space();
                self.expect(b':')?;
            }
            return Ok(true);
        }
    }

    fn string(&mut self) -> Result<Text<'a>, JsonError> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            self.at += plain_run(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    let text = Text(self.since(start));
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => self.escape()?,
                Some(byte) if byte >= 0x20 => self.at += 1,
                _ => return Err(self.malformed()),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => match self.code_unit()? {
                _ if self.takes_halves => (),
                // Half a pair means no character: two spellings of a name could then read the same.
                0xdc00..=0xdfff => return Err(self.malformed()),
                0xd800..=0xdbff => {
                    self.expect(b'\\')?;
                    if self.peek() != Some(b'u') || !(0xdc00..=0xdfff).contains(&self.code_unit()?) {
                        return Err(self.malformed());
                    }
                }
                _ => (),
            },
            _ => return Err(self.malformed()),
        }
        Ok(())
    }

    fn code_unit(&mut self) -> Result<u32, JsonError> {
        self.at += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit * 16 + digit.ok_or_else(|| self.malformed())?;
            self.at += 1;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), JsonError> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(self.malformed()) }
    }

    /// Passes over a value of a document that was read before.
    fn skip_read_value(&mut self) -> Value<'a> {
        let start = self.at;
        let mut open = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => drop(self.string()),
                b'{' | b'[' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' | b']' if open > 0 => {
                    open -= 1;
                    self.at += 1;
                }
                b',' | b'}' | b']' if open == 0 => break,
                _ => self.at += 1,
            }
        }
        Value(self.since(start).trim_ascii_end())
    }
}

/// How many bytes at the front stand for themselves in a string, counted in eights: none is a quote, a backslash or a
/// control character.
fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = u64::from_le_bytes([0x80; 8]);
    // The top bit of each byte that is less than `bound`, exact up to the first such byte.
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & TOPS;
    let is_plain = |eight: &[u8; 8]| {
        let word = u64::from_le_bytes(*eight);
        let [quote, backslash] = [b'"', b'\\'].map(|byte| below(word ^ (ONES * u64::from(byte)), 1));
        quote | backslash | below(word, 0x20) == 0
    };
    8 * bytes.as_chunks().0.iter().take_while(|eight| is_plain(eight)).count()
}

/// The inside of a JSON string that was read before: escapes and all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// The text itself, when nothing in it is escaped.
    pub(crate) fn plain(self) -> Option<&'a str> {
        if self.0.bytes().any(|byte| byte == b'\\') { None } else { Some(self.0) }
    }

    /// The text unescaped, in `room` where it must be; `None` when it does not fit there.
    pub(crate) fn unescaped<'t>(self, room: &'t mut [u8]) -> Option<&'t str>
    where
        'a: 't,
    {
        if let Some(plain) = self.plain() {
            return Some(plain);
        }
        let mut len = 0;
        for c in self.chars() {
            len += c.encode_utf8(room.get_mut(len..).filter(|room| room.len() >= c.len_utf8())?).len();
        }
        core::str::from_utf8(room.get(..len)?).ok()
    }

    /// Its characters, unescaped.
    pub(crate) fn chars(self) -> impl Iterator<Item = char> + 'a {
        Unescaped(self.0.chars())
    }

    pub(crate) fn is(self, other: &str) -> bool {
        // An escape makes a text longer than what it stands for.
        match self.0.len().cmp(&other.len()) {
            Ordering::Less => false,
            Ordering::Equal => self.0 == other && self.plain().is_some(),
            Ordering::Greater => self.plain().is_none() && self.chars().eq(other.chars()),
        }
    }

    fn same(self, other: Text<'_>) -> bool {
        self.chars().eq(other.chars())
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// FNV-1a over the unescaped bytes: quick to make, and only ever a reason to compare.
    fn hash(self) -> u32 {
        fn step(hash: u32, byte: u8) -> u32 {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        }
        const START: u32 = 0x811c_9dc5;
        match self.plain() {
            Some(text) => text.bytes().fold(START, step),
            None => self.chars().fold(START, |hash, c| c.encode_utf8(&mut [0; 4]).bytes().fold(hash, step)),
        }
    }
}

impl<'a> From<Text<'a>> for Cow<'a, str> {
    fn from(text: Text<'a>) -> Cow<'a, str> {
        text.plain().map_or_else(|| text.chars().collect(), Cow::Borrowed)
    }
}

impl From<Text<'_>> for String {
    fn from(text: Text<'_>) -> String {
        match text.plain() {
            Some(plain) => plain.to_owned(),
            None => text.chars().collect(),
        }
    }
}

struct Unescaped<'a>(core::str::Chars<'a>);

impl Unescaped<'_> {
    fn code_unit(&mut self) -> u32 {
        (0..4).fold(0, |unit, _| unit * 16 + self.0.next().and_then(|c| c.to_digit(16)).unwrap_or(0))
    }
}

impl Iterator for Unescaped<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let c = self.0.next()?;
        if c != '\\' {
            return Some(c);
        }
        Some(match self.0.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let high = self.code_unit();
                if !(0xd800..0xdc00).contains(&high) {
                    return Some(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                // The reader has seen `\u` and the other half here.
                self.0.next();
                self.0.next();
                let low = self.code_unit() & 0x3ff;
                char::from_u32(0x1_0000 + ((high & 0x3ff) << 10) + low).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => other,
        })
    }
}

/// A value of a document that was read before, as it is written there. Of one whose outline was read, a text is taken
/// only when it was looked at: see [`Value::whole_text`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a>(&'a str);

impl<'a> Value<'a> {
    /// The whole of a document that was read before.
    pub(crate) fn of_read_document(document: &'a str) -> Value<'a> {
        Value(document.trim_ascii())
    }

    pub(crate) fn raw(self) -> &'a str {
        self.0
    }

    pub(crate) fn text(self) -> Option<Text<'a>> {
        match self.0.as_bytes() {
            [b'"', inside @ .., b'"'] => self.0.get(1..=inside.len()).map(Text),
            _ => None,
        }
    }

    /// A text without halves of surrogate pairs.
    pub(crate) fn whole_text(self) -> Option<Text<'a>> {
        Cursor::strict(self.0).string().ok()
    }

    /// The elements of an array; `None` for any other value.
    pub(crate) fn elements(self) -> Option<impl Iterator<Item = Value<'a>>> {
        let mut inside = self.inside(b'[')?;
        Some(core::iter::from_fn(move || inside.next_value()))
    }

    /// The members of an object; `None` for any other value.
    pub(crate) fn members(self) -> Option<impl Iterator<Item = (Text<'a>, Value<'a>)>> {
        let mut inside = self.inside(b'{')?;
        Some(core::iter::from_fn(move || {
            let name = inside.next_value()?.text()?;
            Some((name, inside.next_value()?))
        }))
    }

    fn inside(self, open: u8) -> Option<Inside<'a>> {
        let opens = self.0.as_bytes().first() == Some(&open);
        opens.then_some(Inside(Cursor { text: self.0, at: 1, takes_halves: true }))
    }

    /// A number, truncated toward zero, when it lies within ±1e15, and whether that is all of it.
    pub(crate) fn integer(self) -> Option<(i64, bool)> {
        truncated(self.0)
    }

    /// A time in seconds from 0 to 8.64e12: a fraction is truncated, as Clerk does.
    pub(crate) fn seconds(self) -> Option<u64> {
        u64::try_from(truncated(self.0)?.0).ok().filter(|secs| *secs <= MAX_UNIX_SECS)
    }
}

/// The inside of a container that was read before.
struct Inside<'a>(Cursor<'a>);

impl<'a> Inside<'a> {
    fn next_value(&mut self) -> Option<Value<'a>> {
        let cursor = &mut self.0;
        cursor.skip_space();
        while cursor.take(b',') || cursor.take(b':') {
            cursor.skip_space();
        }
        if matches!(cursor.peek(), None | Some(b'}' | b']')) {
            return None;
        }
        if cursor.peek() == Some(b'"') {
            let start = cursor.at;
            cursor.string().ok()?;
            return Some(Value(cursor.since(start)));
        }
        Some(cursor.skip_read_value())
    }
}

/// The whole part of a JSON number, and whether nothing but zeros follows it, worked out on its digits: `f64` would
/// round, and costs kilobytes in wasm.
fn truncated(number: &str) -> Option<(i64, bool)> {
    const MAX_DIGITS: i64 = 15;
    let (negative, mut rest) = signed(number.as_bytes());
    if !rest.first()?.is_ascii_digit() {
        return None;
    }
    // The number is `kept · 10^scale` but for digits that are too many to count.
    let (mut kept, mut digits, mut scale, mut in_fraction, mut is_whole) = (0_i64, 0, 0, false, true);
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'.' => in_fraction = true,
            b'e' | b'E' => {
                scale += exponent(rest);
                break;
            }
            digit if digits < MAX_DIGITS => {
                kept = kept * 10 + i64::from(digit - b'0');
                digits += i64::from(kept > 0);
                scale -= i64::from(in_fraction);
            }
            digit => {
                is_whole &= *digit == b'0';
                scale += i64::from(!in_fraction);
            }
        }
    }
    let magnitude = match 10_i64.pow(scale.unsigned_abs().min(18) as u32) {
        _ if kept == 0 => 0,
        _ if digits + scale > MAX_DIGITS => return None,
        power if scale < 0 => {
            is_whole &= kept % power == 0;
            kept / power
        }
        power => kept * power,
    };
    Some((if negative { -magnitude } else { magnitude }, is_whole))
}

/// An exponent's value; one that does not fit is as good as infinite.
fn exponent(text: &[u8]) -> i64 {
    const MAX: i64 = 1 << 32;
    let (negative, digits) = signed(text);
    let magnitude = digits.iter().fold(0_i64, |n, digit| (n * 10 + i64::from(digit - b'0')).min(MAX));
    if negative { -magnitude } else { magnitude }
}

fn signed(number: &[u8]) -> (bool, &[u8]) {
    match number {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &str) -> Result<Vec<(String, String)>, JsonError> {
        let mut members = Vec::new();
        read_object(
            document.as_bytes(),
            &mut [NameMark::default(); 8],
            Reach::Depth(4),
            &mut |name, value| {
                members.push((String::from(name), value.raw().to_owned()));
            },
        )?;
        Ok(members)
    }

    #[test]
    fn members_are_shown_in_order_as_they_are_written() {
        let members = read(r#" { "a" : [1, {"b":"}"}] , "\u0063":null } "#).unwrap();
        assert_eq!(members, [("a".into(), r#"[1, {"b":"}"}]"#.into()), ("c".into(), "null".into())]);
    }

    #[test]
    fn a_member_twice_is_found_at_any_depth_and_behind_escapes() {
        for document in [r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#, r#"{"x":[{"é":1,"\u00e9":2}]}"#] {
            assert!(matches!(read(document), Err(JsonError::Duplicate { .. })), "{document}");
        }
        assert!(read(r#"{"a":{"a":1},"b":{"a":2}}"#).is_ok());
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for document in [
            "",
            "[]",
            "1",
            "{",
            "{}x",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":01}"#,
            r#"{"a":1.}"#,
            r#"{"a":.1}"#,
            r#"{"a":+1}"#,
            r#"{"a":1e}"#,
            r#"{"a":tru}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\udc00"}"#,
            r#"{"a":"\ud800\u0041"}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":NaN}"#,
            "{\"a\":\"\n\"}",
            "\u{feff}{}",
            "{'a':1}",
            r#"{"a":1 "b":2}"#,
        ] {
            assert!(matches!(read(document), Err(JsonError::Malformed { .. })), "{document}");
        }
        let mut none = |_: Text<'_>, _: Value<'_>| ();
        let not_utf8 = read_object(b"{}\xff", &mut [], Reach::Depth(1), &mut none);
        assert_eq!(not_utf8, Err(JsonError::Malformed { at: 2 }));
    }

    #[test]
    fn depth_and_count_are_bounded() {
        assert!(read(r#"{"a":[[[]]]}"#).is_ok());
        assert_eq!(read(r#"{"a":[[[[]]]]}"#), Err(JsonError::TooDeep));
        assert!(read(r#"{"a":{"a":{"a":{}}}}"#).is_ok());
        assert_eq!(read(r#"{"a":{"a":{"a":{"a":{}}}}}"#), Err(JsonError::TooDeep));
        assert!(read(r#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":{"a":1}}"#).is_ok());
        assert_eq!(
            read(r#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":{"a":1},"h":1}"#),
            Err(JsonError::TooManyMembers)
        );
    }

    /// The members of the document itself, as they are written.
    fn outline(document: &str) -> Result<Vec<(String, String)>, JsonError> {
        let mut members = Vec::new();
        let mut member =
            |name: Text<'_>, value: Value<'_>| members.push((name.into(), value.raw().to_owned()));
        read_object(document.as_bytes(), &mut [NameMark::default(); 3], Reach::Outline, &mut member)?;
        Ok(members)
    }

    #[test]
    fn an_outline_asks_nothing_but_the_grammar_of_what_lies_in_it() {
        let deep = ["[", "{\"a\":"].map(|open| {
            let close = if open == "[" { "]" } else { "}" };
            format!("{}[]{}", open.repeat(50_000), close.repeat(50_000))
        });
        let [deep_list, deep_object] = &deep;
        for value in [
            "1",
            "-0.5e+1",
            "true",
            "null",
            r#""\ud800""#,
            r#"["\udc00\ud800\"", {"\ud800": 1}]"#,
            r#"{"a":1,"a":{"b":[],"b":{}},"c":1,"d":1,"e":1}"#,
            "[ ]",
            "{ }",
            "[ [ ] , { } , 1 , [ 2 ] ]",
            r#"{ "a" : { "b" : 1 } , "c" : [ { } ] }"#,
            deep_list,
            deep_object,
        ] {
            let read = outline(&format!(r#"{{"a": {value} ,"b":1}}"#));
            assert_eq!(read, Ok(vec![("a".into(), value.into()), ("b".into(), "1".into())]));
        }
        for value in [
            "",
            ",",
            "[",
            "]",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1 1]",
            "[[1] [1]]",
            "[}",
            "{]",
            "[{]}",
            r#"{"a"}"#,
            r#"{"a" 1}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{,"a":1}"#,
            r#"{"a":1 "b":1}"#,
            r#"{1:1}"#,
            "[01]",
            "[nul]",
            r#"["\x"]"#,
            r#"["\ud80"]"#,
            r#"["]"#,
            "[1]]",
            "1 1",
        ] {
            let read = outline(&format!(r#"{{"a":{value},"b":1}}"#));
            assert!(matches!(read, Err(JsonError::Malformed { .. })), "{value}: {read:?}");
        }
    }

    #[test]
    fn an_outline_is_strict_about_the_documents_own_members() {
        assert_eq!(outline(r#"{"a":1,"\u0061":2}"#), Err(JsonError::Duplicate { at: 7 }));
        assert_eq!(outline(r#"{"\ud800":1}"#), Err(JsonError::Malformed { at: 8 }));
        // After a value in which halves are let pass, too.
        assert_eq!(outline(r#"{"a":"\ud800","\ud800":1}"#), Err(JsonError::Malformed { at: 21 }));
        assert!(outline(r#"{"a":{"x":1,"y":1,"z":1},"b":1,"c":1}"#).is_ok());
        assert_eq!(outline(r#"{"a":1,"b":1,"c":1,"d":1}"#), Err(JsonError::TooManyMembers));
    }

    #[test]
    fn a_text_is_whole_without_halves_of_surrogate_pairs() {
        for text in [r#""""#, r#""a\u00e9""#, r#""\ud83d\ude00""#] {
            assert!(Value(text).whole_text().is_some(), "{text}");
        }
        for text in [r#""\ud800""#, r#""a\udc00""#, r#""\ud83d\ud83d""#, "1", "[]"] {
            assert!(Value(text).whole_text().is_none(), "{text}");
        }
        // What follows half a pair is there all the same.
        let list = Value(r#"["\ud800\"" , "\ud800" ,"\udc00\\", 1]"#);
        let elements: Vec<_> = list.elements().unwrap().map(Value::raw).collect();
        assert_eq!(elements, [r#""\ud800\"""#, r#""\ud800""#, r#""\udc00\\""#, "1"]);
        let members = Value(r#"{"\ud800":{"a":"\udc00"},"b":1}"#).members().unwrap();
        assert_eq!(members.map(|(_, value)| value.raw()).collect::<Vec<_>>(), [r#"{"a":"\udc00"}"#, "1"]);
    }

    #[test]
    fn names_with_one_hash_are_two_names() {
        let [one, other] = ["costarring", "liquid"];
        assert_eq!(Text(one).hash(), Text(other).hash());
        assert!(read(&format!(r#"{{"{one}":1,"{other}":2}}"#)).is_ok());
        // Known answers of FNV-1a, as its authors give them, whatever the spelling.
        for (text, hash) in
            [("", 0x811c_9dc5), ("a", 0xe40c_292c), (r"\u0061", 0xe40c_292c), ("foobar", 0xbf9c_f968)]
        {
            assert_eq!(Text(text).hash(), hash, "{text}");
        }
        assert_eq!(Text("é").hash(), Text(r"\u00e9").hash());
    }

    #[test]
    fn numbers_are_read_as_rfc_8259_spells_them() {
        let read = |number: &str| read(&format!(r#"{{"a":{number}}}"#));
        for number in [
            "0",
            "-0",
            "7",
            "10",
            "-12",
            "0.0",
            "-0.50",
            "12.34",
            "1e5",
            "1E5",
            "1e+5",
            "1E-5",
            "0e0",
            "-12.34e-56",
            "1e05",
        ] {
            assert_eq!(read(number), Ok(vec![("a".to_owned(), number.to_owned())]), "{number}");
        }
        for number in [
            "-", "--1", "-a", "00", "-01", "1.", "1.e5", ".5", "e5", "1e", "1e+", "1e-", "1e+-5", "1e-+5",
            "1eE5", "1ee5", "1e5.5", "1e5e5", "1.5.5", "0x1", "1_0", "1-1", "+1", "Infinity",
        ] {
            assert!(matches!(read(number), Err(JsonError::Malformed { .. })), "{number}");
        }
    }

    #[test]
    fn escapes_stand_for_what_rfc_8259_says() {
        for (spelled, text) in [
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"\u0041\u00e9\u20AC\uabCD", "Aé€\u{abcd}"),
            (r"\ud800\udc00\uD83D\uDE00\udbff\udfff", "\u{10000}😀\u{10ffff}"),
            (r"\ud7ff\ue000\uffff", "\u{d7ff}\u{e000}\u{ffff}"),
            ("plain é", "plain é"),
            ("", ""),
        ] {
            assert_eq!(read(&format!(r#"{{"{spelled}":1}}"#)), Ok(vec![(text.to_owned(), "1".to_owned())]));
            let spelled = Text(spelled);
            assert_eq!(String::from(spelled), text);
            assert_eq!(Cow::from(spelled), text);
            assert!(spelled.is(text) && spelled.chars().eq(text.chars()));
            let mut room = [0; 40];
            assert_eq!(spelled.unescaped(&mut room), Some(text));
            // It fits where it just fits; what is not escaped needs no room.
            assert_eq!(spelled.unescaped(&mut room[..text.len()]), Some(text));
            if spelled.plain().is_none() {
                assert_eq!(spelled.unescaped(&mut room[..text.len() - 1]), None);
            }
            assert_eq!(spelled.is_empty(), text.is_empty());
        }
        for (spelled, other) in
            [("ab", "a"), ("a", "ab"), (r"\u0061", "b"), (r"\u0061", r"\u0061"), (r"a\u0061", "a")]
        {
            assert!(!Text(spelled).is(other), "{spelled} is not {other}");
        }
    }

    #[test]
    fn what_stands_for_itself_is_counted_in_eights() {
        for (text, plain) in [
            ("", 0),
            ("abcdefg", 0),
            ("abcdefgh", 8),
            ("abcdefghijklmno", 8),
            ("abcdefghijklmnop", 16),
            (" !#[]^~\u{7f}", 8),
            ("ééééé€€", 16),
        ] {
            assert_eq!(plain_run(text.as_bytes()), plain, "{text}");
        }
        for byte in 0..=255 {
            let is_plain = byte >= 0x20 && byte != b'"' && byte != b'\\';
            for at in 0..24 {
                let mut text = [b'a'; 24];
                text[at] = byte;
                assert_eq!(plain_run(&text), if is_plain { 24 } else { at / 8 * 8 }, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn numbers_are_truncated_on_their_digits() {
        for (number, whole) in [
            ("0", Some((0, true))),
            ("-0", Some((0, true))),
            ("1700000000", Some((1_700_000_000, true))),
            ("1700000000.999", Some((1_700_000_000, false))),
            ("1700000000.000", Some((1_700_000_000, true))),
            ("1.7e9", Some((1_700_000_000, true))),
            ("17000000000e-1", Some((1_700_000_000, true))),
            ("17000000001e-1", Some((1_700_000_000, false))),
            ("-0.5", Some((0, false))),
            ("-1", Some((-1, true))),
            ("-1.0", Some((-1, true))),
            ("-10e-1", Some((-1, true))),
            ("-1.9", Some((-1, false))),
            ("-1.000000000000000000001", Some((-1, false))),
            ("1e400", None),
            ("1e-400", Some((0, false))),
            ("1e99999999999999999999", None),
            ("0e99999999999999999999", Some((0, true))),
            ("0.000000012e17", Some((1_200_000_000, true))),
            ("1e20", None),
            ("999999999999999", Some((999_999_999_999_999, true))),
            ("-999999999999999.9", Some((-999_999_999_999_999, false))),
            ("1000000000000000", None),
            ("1e14", Some((100_000_000_000_000, true))),
            ("1E+14", Some((100_000_000_000_000, true))),
            ("1e15", None),
            ("0.00123e17", Some((123_000_000_000_000, true))),
            ("123456e-3", Some((123, false))),
            ("123456e-12", Some((0, false))),
            ("123456.78e1", Some((1_234_567, false))),
            ("0.0", Some((0, true))),
            ("\"1\"", None),
            ("-", None),
            ("true", None),
            ("null", None),
        ] {
            assert_eq!(Value(number).integer(), whole, "{number}");
        }
        assert_eq!(Value("8640000000000").seconds(), Some(8_640_000_000_000));
        assert_eq!(Value("8640000000001").seconds(), None);
        assert_eq!(Value("-1").seconds(), None);
    }

    #[test]
    fn members_and_elements_of_a_read_value_are_listed() {
        let value = Value(r#"{"a" : [1 , "x,]", {"k":[]} ], "b":{}, "c" : true }"#);
        let members: Vec<_> =
            value.members().unwrap().map(|(name, value)| (String::from(name), value.raw())).collect();
        assert_eq!(
            members,
            [("a".to_owned(), r#"[1 , "x,]", {"k":[]} ]"#), ("b".to_owned(), "{}"), ("c".to_owned(), "true")]
        );
        let elements: Vec<_> =
            Value(r#"[1 , "x,]", {"k":[]} ]"#).elements().unwrap().map(Value::raw).collect();
        assert_eq!(elements, ["1", r#""x,]""#, r#"{"k":[]}"#]);
        let nested = r#"[["],\"[",1],{"a":{"}":[]},"b":2}  ,-1.5,[],{}]"#;
        let elements: Vec<_> = Value(nested).elements().unwrap().map(Value::raw).collect();
        assert_eq!(elements, [r#"["],\"[",1]"#, r#"{"a":{"}":[]},"b":2}"#, "-1.5", "[]", "{}"]);
        assert_eq!(Value("[ ]").elements().unwrap().count(), 0);
        assert_eq!(Value("{ }").members().unwrap().count(), 0);
        assert!(Value("1").elements().is_none() && Value("{}").elements().is_none());
        assert!(Value("1").members().is_none() && Value("[]").members().is_none());
    }
}
