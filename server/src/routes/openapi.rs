//! `GET /openapi.json`: the endpoints, for programs.

use doorward_verifier::Code;
use http::header;
use serde_json::{Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response, with_header};

/// The route.
pub(super) fn get() -> BoxedFilter<(Response,)> {
    let document = document().to_string();
    let answer =
        move || with_header(document.clone(), header::CONTENT_TYPE, "application/json").into_response();
    warp::path!("openapi.json").and(warp::get()).map(answer).boxed()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::ENDPOINTS;

    #[test]
    fn every_endpoint_is_documented_and_nothing_else_is() {
        let document = document();
        let documented = document["paths"].as_object().unwrap().iter().map(|(path, operations)| {
            let methods = operations.as_object().unwrap().keys().map(|method| method.to_uppercase());
            (path.clone(), methods.collect::<Vec<_>>())
        });
        let served = ENDPOINTS.iter().map(|(path, methods)| {
            let methods = methods.split(", ").filter(|method| !["HEAD", "OPTIONS"].contains(method));
            ((*path).to_owned(), methods.map(str::to_owned).collect())
        });
        let sorted = |mut endpoints: Vec<(String, Vec<String>)>| {
            endpoints.sort();
            endpoints
        };
        assert_eq!(sorted(documented.collect()), sorted(served.collect()));
    }
}
