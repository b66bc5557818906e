//! `GET /openapi.json`: the endpoints, for programs.

use doorward_verifier::Code;
use serde_json::{Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response, json};

/// The route.
pub(super) fn get() -> BoxedFilter<(Response,)> {
    let document = document();
    warp::path!("openapi.json").and(warp::get()).map(move || json(&document).into_response()).boxed()
}

/// The document, with what is only known elsewhere: the version, and every code.
pub(super) fn document() -> Value {
    let mut document: Value = serde_json::from_str(include_str!("openapi.json")).unwrap_or_default();
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    for (place, value) in [
        ("/info/version", json!(env!("CARGO_PKG_VERSION"))),
        ("/components/schemas/Problem/properties/code/enum", json!(codes)),
    ] {
        if let Some(found) = document.pointer_mut(place) {
            *found = value;
        }
    }
    document
}
