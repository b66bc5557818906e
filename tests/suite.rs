//! Tests that cross a folder.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that finds what it did not expect fails, and says so"
)]

mod api;
mod attack;
mod cli;
mod clock_jumps;
mod compose;
mod config;
mod conformance;
mod convergence;
mod cors;
mod damage;
mod debug;
mod differential;
mod disk_full;
mod doctor;
mod documents;
mod failover;
mod forward_auth;
mod inspect;
mod instances;
mod keys;
mod kill;
mod library;
mod local_issuer;
mod logs;
mod metrics;
mod openapi;
mod operations;
mod outage;
mod round_trips;
mod second_opinion;
mod serve;
mod sign_in;
mod tls;
mod transfer;
mod users;
mod webhooks;
