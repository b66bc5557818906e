//! What the tests share.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that finds what it did not expect fails, and says so"
)]

pub mod clerk;
pub mod faulty;
pub mod stores;
