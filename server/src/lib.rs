//! A warp server, and its parts, for backends behind Clerk: verified sessions and their users.

pub mod clock;
pub mod config;
pub mod dev;
pub mod doctor;
pub mod health;
pub mod inspect;
pub mod serve;
pub mod show;
pub mod telemetry;
pub mod token;
