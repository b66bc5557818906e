//! `.env` files, as docker compose and Next.js have them.

/// A line that is none of `NAME=value`, a comment or nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(".env, line {line}: {wrong}")]
pub struct DotenvError {
    /// Counted from one.
    pub line: usize,
    /// What is wrong with it.
    pub wrong: &'static str,
}

/// The names and values of a `.env` file, in order. Nothing is substituted: a `$` is a `$`, also in a password.
///
/// # Errors
///
/// A [`DotenvError`] for each line that can't be read.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, Vec<DotenvError>> {
    let (mut pairs, mut errors) = (Vec::new(), Vec::new());
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match read_line(line, lines.by_ref().map(|(_, line)| line)) {
            Ok(pair) => pairs.push(pair),
            Err(wrong) => errors.push(DotenvError { line: index + 1, wrong }),
        }
    }
    if errors.is_empty() { Ok(pairs) } else { Err(errors) }
}

/// A value in double quotes may go on in the lines that follow.
fn read_line<'t>(
    line: &'t str,
    rest: impl Iterator<Item = &'t str>,
) -> Result<(String, String), &'static str> {
    let assignment = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = assignment.split_once('=').ok_or("a line without =")?;
    let name = name.trim();
    if !is_name(name) {
        return Err("a name with something else than letters, digits and _");
    }
    Ok((name.to_owned(), read_value(value.trim(), rest)?))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A value after its `=`: in single quotes as it stands, in double quotes with `\n`, `\"` and `\\` and over several
/// lines (a PEM), without quotes up to ` #`.
fn read_value<'t>(first: &'t str, rest: impl Iterator<Item = &'t str>) -> Result<String, &'static str> {
    if let Some(quoted) = first.strip_prefix('\'') {
        let (value, after) = quoted.split_once('\'').ok_or("a value without its closing '")?;
        return only_comment_after(after).map(|()| value.to_owned());
    }
    match first.strip_prefix('"') {
        Some(quoted) => read_double_quoted(quoted, rest),
        None => Ok(first.split(" #").next().unwrap_or_default().trim().to_owned()),
    }
}

fn read_double_quoted<'t>(
    first: &'t str,
    rest: impl Iterator<Item = &'t str>,
) -> Result<String, &'static str> {
    let mut value = String::new();
    for line in std::iter::once(first).chain(rest) {
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => return only_comment_after(chars.as_str()).map(|()| value),
                '\\' => value.push_str(&unescape(chars.next())),
                _ => value.push(c),
            }
        }
        value.push('\n');
    }
    Err("a value without its closing \"")
}

fn unescape(escaped: Option<char>) -> String {
    match escaped {
        Some('n') => "\n".to_owned(),
        Some('r') => "\r".to_owned(),
        Some(c @ ('"' | '\\' | '$')) => c.to_string(),
        Some(c) => format!("\\{c}"),
        None => "\\".to_owned(),
    }
}

fn only_comment_after(rest: &str) -> Result<(), &'static str> {
    let rest = rest.trim();
    if rest.is_empty() || rest.starts_with('#') { Ok(()) } else { Err("text after the closing quote") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(text: &str) -> String {
        parse(text).unwrap().pop().unwrap().1
    }

    #[test]
    fn values_are_read_plain_and_quoted() {
        assert_eq!(value_of("A=b"), "b");
        assert_eq!(value_of("export A = b # why"), "b");
        assert_eq!(value_of("A=mongodb://u:p#$x@h/?a=b"), "mongodb://u:p#$x@h/?a=b");
        assert_eq!(value_of("A='b # \\n' # why"), "b # \\n");
        assert_eq!(value_of("A=\"b\\n\\\"c\""), "b\n\"c");
        assert_eq!(value_of("A=\"one\ntwo\"\n"), "one\ntwo");
        assert_eq!(value_of("\u{feff}A=b\r\n"), "b");
        assert_eq!(value_of("A="), "");
    }

    #[test]
    fn comments_and_empty_lines_say_nothing() {
        assert_eq!(parse("\n# A=b\n  \n").unwrap(), []);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let error = |text| parse(text).unwrap_err().remove(0);
        assert_eq!(error("A=b\nwhat").line, 2);
        assert_eq!(error("A B=c").wrong, "a name with something else than letters, digits and _");
        assert_eq!(error("A=\"b\nc").wrong, "a value without its closing \"");
        assert_eq!(error("A='b' c").wrong, "text after the closing quote");
        let lines: Vec<usize> =
            parse("what\nA=b\nA B=c\nB='d").unwrap_err().iter().map(|error| error.line).collect();
        assert_eq!(lines, [1, 3, 4]);
    }
}
