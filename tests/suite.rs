//! Tests that cross a folder.
