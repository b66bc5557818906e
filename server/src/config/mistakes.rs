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
        Mistake { setting: setting.to_owned(), wrong: error.to_string() }
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

    pub(super) fn in_dotenv(error: DotenvError) -> Mistake {
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

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Mistakes {
        Mistakes(vec![mistake])
    }
}

fn counted(mistakes: usize) -> String {
    if mistakes == 1 { "one mistake".to_owned() } else { format!("{mistakes} mistakes") }
}
