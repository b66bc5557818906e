//! Tests that cross a folder.

mod conformance;
