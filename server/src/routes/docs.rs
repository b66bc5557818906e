//! `GET /docs`: the endpoints, to read. In development alone.

use std::fmt::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use doorward_verifier::Code;
use http::header;
use serde_json::Value;
use sha2::{Digest, Sha256};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response, html, with_header};

use super::openapi;
use crate::app::App;
use crate::error::ApiError;

const STYLE: &str = "\
:root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}\
body{max-width:48rem;margin:2rem auto;padding:0 1rem}\
article{border-top:1px solid #8888;padding:.5rem 0}\
code{font-size:.95em}h3 code{font-weight:700}\
dt{font-weight:600}dd{margin:0 0 .25rem 1rem}";

/// The route.
pub(super) fn get(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    let is_shown = !app.config.production;
    let page = page(&openapi::document());
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; frame-ancestors 'none'",
        STANDARD.encode(Sha256::digest(STYLE))
    );
    warp::path!("docs")
        .and(warp::get())
        .map(move || match is_shown {
            true => with_header(html(page.clone()), header::CONTENT_SECURITY_POLICY, &policy).into_response(),
            false => ApiError::new(Code::NotFound).into_response(),
        })
        .boxed()
}

fn page(document: &Value) -> String {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>doorward</title><style>{STYLE}</style><h1>doorward {}</h1><p>{}</p>\
         <p>For programs: <a href=/openapi.json>/openapi.json</a></p>",
        text(&document["info"]["version"]),
        text(&document["info"]["description"]),
    );
    for (path, operations) in members(&document["paths"]) {
        for (method, operation) in members(operations) {
            // Writing to a String can't fail.
            let _ = write_operation(&mut page, path, method, operation);
        }
    }
    page + "</html>"
}

fn write_operation(page: &mut String, path: &str, method: &str, operation: &Value) -> std::fmt::Result {
    let (method, token) = (method.to_uppercase(), operation.get("security").is_none());
    write!(page, "<article><h3><code>{method} {}</code></h3>", escaped(path))?;
    write!(page, "<p>{}. {}", text(&operation["summary"]), text(&operation["description"]))?;
    write!(page, "{}</p><dl>", if token { " Needs a session token." } else { "" })?;
    for (status, answer) in members(&operation["responses"]) {
        let name = text(&answer["$ref"]).rsplit('/').next().unwrap_or_default().to_owned();
        write!(page, "<dt>{}</dt><dd>{}{name}</dd>", escaped(status), text(&answer["description"]))?;
    }
    page.write_str("</dl></article>")
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
