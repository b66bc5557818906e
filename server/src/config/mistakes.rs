//! `Mistakes`: everything that is wrong with the settings, in one message.

use std::fmt;

use super::dotenv::DotenvError;

/// One mistake: which setting, and in words what was expected, what came and what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The setting.
    pub setting: String,
    /// What is wrong; never a secret.
    pub wrong: String,
}

impl Mistake {
    /// `setting` was expected to be one thing and came as another.
    pub fn new(
        setting: &str,
        expected: impl fmt::Display,
        came: impl fmt::Display,
        change: impl fmt::Display,
    ) -> Mistake {
        Mistake::described(setting, format_args!("expected {expected}, got {came}: {change}"))
    }

    /// An error that says all of it by itself.
    pub fn described(setting: &str, error: impl fmt::Display) -> Mistake {
        Mistake { setting: setting.to_owned(), wrong: without_secrets(&error.to_string()) }
    }

    /// Two names for one thing, with two values.
    pub(super) fn both(one: &str, other: &str) -> Mistake {
        Mistake::new(
            one,
            format_args!("one value, here or in {other}"),
            "two that differ",
            "unset one of them",
        )
    }

    pub(super) fn unreadable(setting: &str, error: &std::io::Error) -> Mistake {
        Mistake::new(setting, "a file that can be read", error, "look at the path and its permissions")
    }

    fn in_dotenv(error: &DotenvError) -> Mistake {
        let place = format!(".env, line {}", error.line);
        Mistake::new(
            &place,
            "NAME=value, a comment or an empty line",
            error.wrong,
            "put it right, or take it out",
        )
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.wrong)
    }
}

/// All of them, never none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in the settings:", counted(self.0.len()))?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl Mistakes {
    pub(super) fn in_dotenv(errors: Vec<DotenvError>) -> Mistakes {
        Mistakes(errors.iter().map(Mistake::in_dotenv).collect())
    }
}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Mistakes {
        Mistakes(vec![mistake])
    }
}

/// What came is shown, but for what is a secret wherever it stands: Clerk's keys, and user, password and query of a URL.
fn without_secrets(text: &str) -> String {
    text.split_inclusive(|c: char| c.is_whitespace() || "\"'`,".contains(c)).map(masked).collect()
}

fn masked(word: &str) -> String {
    const PREFIXES: [&str; 4] = ["sk_test_", "sk_live_", "whsec_", "ak_"];
    let is_secret = |rest: &str| rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric()).count() >= 4;
    let end = word.trim_end_matches(|c: char| c.is_whitespace() || "\"'`,".contains(c)).len();
    let (word, after) = word.split_at(end);
    for prefix in PREFIXES {
        if let Some((before, _)) = word.split_once(prefix).filter(|(_, rest)| is_secret(rest)) {
            return format!("{before}{prefix}…{after}");
        }
    }
    let Some((scheme, rest)) = word.split_once("://") else { return format!("{word}{after}") };
    let (authority, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit_once('@').map_or(authority.to_owned(), |(_, host)| format!("…@{host}"));
    let path = path.split_once('?').map_or(path.to_owned(), |(path, _)| format!("{path}?…"));
    format!("{scheme}://{host}{path}{after}")
}

fn counted(mistakes: usize) -> String {
    if mistakes == 1 { "one mistake".to_owned() } else { format!("{mistakes} mistakes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_shown_without_what_is_a_secret_in_it() {
        for (came, shown) in [
            ("got \"sk_test_abcdefgh\": correct it", "got \"sk_test_…\": correct it"),
            (
                "got \"https://u:pw@clerk.example.com/jwks?key=x\"",
                "got \"https://…@clerk.example.com/jwks?…\"",
            ),
            ("got mongodb://x:pw@h", "got mongodb://…@h"),
            (
                "expected sk_test_… or sk_live_…, got `https://app.example.com/`",
                "expected sk_test_… or sk_live_…, got `https://app.example.com/`",
            ),
        ] {
            assert_eq!(Mistake::described("NAME", came).wrong, shown);
        }
    }
}
