//! What the tests share.

pub mod clerk;
pub mod faulty;
pub mod stores;
