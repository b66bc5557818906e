//! What the tests share.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that finds what it did not expect fails, and says so"
)]

pub mod canned;
pub mod clerk;
pub mod command;
pub mod faulty;
pub mod faulty_mongo;
pub mod issuer;
pub mod keys;
pub mod logs;
pub mod proxy;
pub mod server;
pub mod stores;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
pub use stores::NOON;

/// The parts of tokens and keys.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The host in a publishable key.
pub fn base64_padded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
