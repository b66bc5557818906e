//! What the commands of people print: results on standard output, notes on standard error.

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::config::{Mistakes, Settings};

/// A result, and the line break after it. Nobody is left to tell when standard output is closed.
pub(crate) fn print(result: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{result}").and_then(|()| out.flush());
}

/// A word to the person at the terminal, which no pipe takes for a result.
pub(crate) fn note(words: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{words}");
}

/// The folder that was named, else that of the settings.
pub(crate) fn data_dir(named: Option<PathBuf>) -> Result<PathBuf, Mistakes> {
    if let Some(named) = named {
        return Ok(named);
    }
    Ok(Settings::load(Path::new("."))?.data_dir())
}
