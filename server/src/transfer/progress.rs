//! A bar on a terminal, and nothing anywhere else.

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// A bar for `total` of something; without a total it counts alone. It is drawn on standard error where that is a
/// terminal.
pub(super) fn bar(total: Option<u64>, what: &'static str) -> ProgressBar {
    let template = match total {
        Some(_) => "{msg} [{bar:30}] {human_pos} of {human_len}, {eta} left",
        None => "{msg} {spinner} {human_pos}",
    };
    let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
    // A template that is one: there is nothing that could fail.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style.progress_chars("=> ")).with_message(what).with_finish(ProgressFinish::AndClear)
}
