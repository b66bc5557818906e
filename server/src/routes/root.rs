//! `GET /`: what this is.

use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response, json};

/// The route.
pub(super) fn get() -> BoxedFilter<(Response,)> {
    warp::path::end()
        .and(warp::get())
        .map(|| json(&json!({"message": "doorward", "status": "healthy"})).into_response())
        .boxed()
}
