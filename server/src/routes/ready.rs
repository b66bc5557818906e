//! `GET /ready`: whether the server should get traffic.

use std::sync::Arc;

use http::StatusCode;
use serde::Serialize;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response, json, with_status};

use super::with;
use crate::app::App;
use crate::cache::CacheStatus;
use crate::store::StoreStatus;

/// The route.
pub(super) fn get(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    warp::path!("ready").and(warp::get()).and(with(app)).map(handle).boxed()
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    store: &'static str,
    keys: Keys,
    cache: &'static str,
}

#[derive(Serialize)]
struct Keys {
    age_seconds: Option<u64>,
    stale: bool,
}

/// Not ready without a store or without keys. What a server can still do then, it does for whoever asks it.
fn handle(app: Arc<App>) -> Response {
    let keys = app.keys.status(app.clock.now());
    let has_store = app.users.store_status() == StoreStatus::Ready;
    let is_ready = has_store && keys.usable;
    let ready = Ready {
        status: if is_ready { "ready" } else { "unavailable" },
        store: if has_store { "ready" } else { "away" },
        keys: Keys { age_seconds: keys.age.map(|age| age.as_secs()), stale: keys.stale },
        cache: if app.cache.status() == CacheStatus::Ready { "ready" } else { "bypassed" },
    };
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    with_status(json(&ready), status).into_response()
}
