//! The table.

use std::time::Duration;

use crate::load::{self, Load, Requests};
use crate::program::Program;

/// What one kind of request came to, in several rounds.
pub(crate) struct Row {
    name: &'static str,
    rounds: Vec<Round>,
}

struct Round {
    load: Load,
    cpu: Duration,
}

impl Row {
    pub(crate) fn new(name: &'static str) -> Row {
        Row { name, rounds: Vec::new() }
    }

    /// One more round of so many requests.
    pub(crate) fn measure(&mut self, program: &Program, requests: &Requests, count: usize) {
        let before = program.cpu();
        let load = load::run(program.address, requests, count);
        let cpu = (program.cpu() - before) / u32::try_from(count).expect("few");
        self.rounds.push(Round { load, cpu });
    }

    /// Of the round in the middle.
    pub(crate) fn per_second(&self) -> f64 {
        self.middle().load.per_second
    }

    /// What one request cost the program, likewise.
    pub(crate) fn cpu(&self) -> Duration {
        self.middle().cpu
    }

    /// How many requests it came to for each of `other`'s: the middle of the rounds, each beside the one of `other` that
    /// came just before, so that a machine that is slower for a while is so for both.
    pub(crate) fn beside(&self, other: &Row) -> f64 {
        let pairs = self.rounds.iter().zip(&other.rounds);
        let mut ratios: Vec<f64> =
            pairs.map(|(one, other)| one.load.per_second / other.load.per_second).collect();
        ratios.sort_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    }

    fn middle(&self) -> &Round {
        let mut rounds: Vec<&Round> = self.rounds.iter().collect();
        rounds.sort_by(|a, b| a.load.per_second.total_cmp(&b.load.per_second));
        rounds[rounds.len() / 2]
    }
}

/// Prints the rows.
pub(crate) fn print(rows: &[&Row]) {
    println!("{:<46} {:>10} {:>12} {:>10} {:>10}", "", "requests/s", "CPU us each", "median ms", "p99 ms");
    for row in rows {
        let Round { load, cpu } = row.middle();
        let millis = |span: Duration| span.as_secs_f64() * 1e3;
        println!(
            "{:<46} {:>10.0} {:>12.1} {:>10.2} {:>10.2}",
            row.name,
            load.per_second,
            cpu.as_secs_f64() * 1e6,
            millis(load.median),
            millis(load.ninety_ninth)
        );
    }
}

/// Prints a comparison, and says whether it is as wanted.
pub(crate) fn compare(name: &str, ratio: f64, wanted: f64) -> bool {
    println!("{name:<46} {ratio:>10.2} (at least {wanted} wanted)");
    ratio >= wanted
}
