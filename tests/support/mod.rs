//! What the tests share.

pub mod stores;
