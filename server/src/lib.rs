//! A warp server, and its parts, for backends behind Clerk: verified sessions and their users.

pub mod cache;
pub mod clerk;
pub mod clock;
pub mod config;
pub mod dev;
pub mod doctor;
mod envelope;
pub mod error;
mod flights;
pub mod health;
pub mod identities;
pub mod inspect;
pub mod issuer;
pub mod keys;
mod logins;
pub mod mint;
pub mod proxy;
mod record;
pub mod serve;
pub mod show;
pub mod shutdown;
mod sled_folder;
pub mod store;
pub mod telemetry;
pub mod token;
pub mod user;
pub mod users;
