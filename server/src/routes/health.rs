//! `GET /health`: the process is alive. Asks nobody.

use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response, json};

/// The route.
pub(super) fn get() -> BoxedFilter<(Response,)> {
    warp::path!("health").and(warp::get()).map(|| json(&json!({"status": "ok"})).into_response()).boxed()
}
