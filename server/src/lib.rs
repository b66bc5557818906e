//! A warp server, and its parts, for backends behind Clerk: verified sessions and their users.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod app;
pub mod auth;
mod body;
pub mod cache;
pub mod clerk;
pub mod clock;
pub mod config;
mod connections;
mod control;
pub mod dev;
pub mod doctor;
mod envelope;
pub mod error;
mod failures;
mod flights;
mod front;
pub mod health;
pub mod identities;
pub mod inspect;
pub mod issuer;
pub mod keyring;
pub mod keys;
mod listen;
mod logins;
pub mod metrics;
pub mod mint;
pub mod proxy;
pub mod record;
mod revocation;
pub mod routes;
pub mod serve;
pub mod show;
pub mod shutdown;
mod sled_folder;
pub mod store;
pub mod telemetry;
mod terminal;
pub mod tls;
pub mod token;
mod trace_context;
pub mod transfer;
pub mod user;
pub mod users;
pub mod webhooks;

use std::sync::Arc;

use tokio::net::TcpListener;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use app::App;
use shutdown::Shutdown;

/// Serves this server's own endpoints until `shutdown`.
pub async fn serve(app: Arc<App>, listener: TcpListener, shutdown: Shutdown) {
    let endpoints = routes::endpoints(&app);
    serve_routes(app, endpoints, listener, shutdown).await;
}

/// Serves `routes`, most often a team's own and [`routes::endpoints`] beside them, behind all that holds for every
/// request: limits, HTTPS, CORS, request ids, problems in place of rejections.
pub async fn serve_routes(
    app: Arc<App>,
    routes: BoxedFilter<(Response,)>,
    listener: TcpListener,
    shutdown: Shutdown,
) {
    telemetry::using_clerk(app.config.clerk.issuer.as_str());
    control::start(Arc::clone(&app), shutdown.clone());
    let front = front::front(&app, routes::answering_all(routes));
    listen::listen(listener, front, app.tls.clone(), shutdown).await;
}

/// Serves `GET /metrics` until `shutdown`, on a listener of its own: what it tells is for operators.
pub async fn serve_metrics(app: Arc<App>, listener: TcpListener, shutdown: Shutdown) {
    listen::listen(listener, front::metrics_front(&app), None, shutdown).await;
}
