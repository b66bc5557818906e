//! Measures the server beside what a team would write instead. `tests/run bench-server` builds and runs it.
//!
//! `bench-server [--memory | --scale]`, with the release build of `doorward` beside it, and in the environment
//! `DOORWARD_TEST_MONGO_JAVA_URI`, `DOORWARD_BENCH_NODE` (a folder) and `DOORWARD_BENCH_PYTHON` (an interpreter).
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that meets what it does not expect ends, and says so"
)]

mod load;
mod peers;
mod program;
mod scale;
mod setting;
mod table;
mod tiers;

use setting::Setting;

fn main() {
    let first = std::env::args().nth(1);
    if first.as_deref() == Some("plain") {
        return peers::serve_plain();
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // The issuer answers while this thread measures.
    let setting = runtime.block_on(Setting::prepare());
    let passed = match first.as_deref() {
        None => tiers::measure(&setting),
        Some("--memory") => tiers::measure_memory(&setting),
        Some("--scale") => scale::measure(&setting),
        Some(other) => panic!("no option {other}"),
    };
    println!(
        "{} passed, {} failed",
        passed.iter().filter(|held| **held).count(),
        passed.iter().filter(|held| !**held).count()
    );
    std::process::exit(i32::from(passed.contains(&false)));
}
