//! Tests that cross a folder.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that finds what it did not expect fails, and says so"
)]

mod api;
mod conformance;
mod convergence;
mod damage;
mod keys;
mod outage;
mod users;
mod vectors;
