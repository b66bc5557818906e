//! Tests that cross a folder.

mod conformance;
mod keys;
mod users;
