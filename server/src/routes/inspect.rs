//! `GET /inspect`: a page that judges a token where it was pasted, by the engine in WebAssembly. In development alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use doorward_verifier::{AuthorizedParties, Code, KeyId, MissingAzp};
use http::header;
use serde_json::{Map, Value, json};
use tracing::warn;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::path::Tail;
use warp::reject;
use warp::reply::{Reply, Response, with_header};

use crate::app::App;
use crate::config::Config;
use crate::error::ApiError;
use crate::inspect::steps::{STEPS, step_of};

/// Scripts and the engine are this server's, and whatever the page asks for is asked of this server: there is nowhere
/// else that a token could go. An icon of its own keeps the browser from asking for one.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";
/// The package's engine for hosts with SIMD, which every browser of the last years is.
const ENGINE: &str = "simd";
const MODULE: &str = "engine_bg.wasm";
const ENTRY: &str = "web.js";
/// Where the package is, where nothing is said: installed beside a frontend, or built in this repository.
const USUAL_FOLDERS: [&str; 2] = ["node_modules/doorward", "verifier-wasm/dist"];
/// The engine's files are a few dozen kB together.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
const MAX_FILES: usize = 64;

/// The route, and what its page loads.
pub(super) fn get(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    let files = Arc::new(if app.config.production { Files::default() } else { Files::of(&app.config) });
    warp::path("inspect")
        .and(warp::path::tail())
        .and(warp::get())
        .and_then(move |tail: Tail| {
            let answer = files.answer(tail.as_str()).or_else(|| {
                // In production the page is an endpoint that is not there.
                tail.as_str().is_empty().then(|| ApiError::new(Code::NotFound).into_response())
            });
            std::future::ready(answer.ok_or_else(reject::not_found))
        })
        .boxed()
}

/// What is served, by its path below `/inspect/`. All of it is read once, at the start: a request names what is known
/// here, and nothing on the disk.
#[derive(Default)]
struct Files(BTreeMap<String, File>);

struct File {
    kind: &'static str,
    content: Bytes,
}

impl Files {
    fn of(config: &Config) -> Files {
        let engine = engine(config.http.inspector_dir.as_deref());
        let instance = instance(config, engine.is_some()).to_string();
        let page = [
            ("", "text/html; charset=utf-8", Bytes::from_static(include_bytes!("inspect/page.html"))),
            ("page.css", "text/css; charset=utf-8", Bytes::from_static(include_bytes!("inspect/page.css"))),
            (
                "page.js",
                "text/javascript; charset=utf-8",
                Bytes::from_static(include_bytes!("inspect/page.js")),
            ),
            ("instance.json", "application/json", Bytes::from(instance)),
        ];
        let page = page.map(|(name, kind, content)| (name.to_owned(), File { kind, content }));
        let engine = engine.into_iter().flatten().map(|(name, content)| {
            let kind = if name == MODULE { "application/wasm" } else { "text/javascript; charset=utf-8" };
            (format!("engine/{name}"), File { kind, content })
        });
        Files(page.into_iter().chain(engine).collect())
    }

    fn answer(&self, path: &str) -> Option<Response> {
        let File { kind, content } = self.0.get(path)?;
        let response = with_header(Response::new(content.clone().into()), header::CONTENT_TYPE, *kind);
        Some(with_header(response, header::CONTENT_SECURITY_POLICY, POLICY).into_response())
    }
}

/// The engine's files, from the folder that is named, or else from where it usually is.
fn engine(named: Option<&Path>) -> Option<Vec<(String, Bytes)>> {
    let folders = named.map_or(USUAL_FOLDERS.map(PathBuf::from).to_vec(), |folder| vec![folder.to_owned()]);
    let found = folders.iter().find_map(|folder| read_engine(&folder.join(ENGINE)).ok());
    if let (Some(folder), None) = (named, &found) {
        warn!(
            folder = %folder.display(),
            "INSPECTOR_DIR is not the npm package doorward: /inspect is without its engine"
        );
    }
    found
}

fn read_engine(folder: &Path) -> io::Result<Vec<(String, Bytes)>> {
    let mut files = Vec::new();
    for name in [MODULE, ENTRY] {
        files.push((name.to_owned(), read_file(&folder.join(name))?));
    }
    for entry in fs::read_dir(folder)?.take(MAX_FILES) {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if name.ends_with(".js") && name != ENTRY {
            let content = read_file(&folder.join(&name))?;
            files.push((name, content));
        }
    }
    Ok(files)
}

fn read_file(path: &Path) -> io::Result<Bytes> {
    let mut content = Vec::new();
    let read = fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)?;
    if read as u64 > MAX_FILE_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(content.into()) }
}

/// What the page knows of this server: what it accepts, and which step each refusal ends.
fn instance(config: &Config, has_engine: bool) -> Value {
    // Those of a token by itself.
    let codes = Code::ALL.iter().take_while(|code| **code != Code::SessionWithoutClientUat);
    let codes: Map<String, Value> = codes.map(|code| (code.to_string(), step_of(*code).into())).collect();
    let steps: Vec<Value> =
        STEPS.iter().map(|step| json!({ "name": step.name, "about": step.about })).collect();
    json!({
        "engine": has_engine,
        "verifier": verifier(config),
        "settings": settings(config),
        "steps": steps,
        "codes": codes,
    })
}

/// The settings of `createVerifier` that make it accept what this server does.
fn verifier(config: &Config) -> Value {
    let (clerk, tokens) = (&config.clerk, &config.tokens);
    let aliases: Vec<&str> = clerk.aliases.iter().map(|alias| alias.as_str()).collect();
    let mut verifier = json!({
        "issuer": clerk.issuer.as_str(),
        "issuerAliases": aliases,
        "authorizedParties": parties(&tokens.authorized_parties),
        "missingAzp": missing_azp(tokens.missing_azp),
        "denyKids": tokens.denied_kids.iter().map(KeyId::to_string).collect::<Vec<_>>(),
    });
    if let Some(audience) = &tokens.template_audience {
        verifier["templateAudience"] = json!(audience);
    }
    verifier
}

/// For people: what a refusal's hint can name.
fn settings(config: &Config) -> Value {
    let (clerk, tokens) = (&config.clerk, &config.tokens);
    let issuers = std::iter::once(&clerk.issuer).chain(&clerk.aliases).map(|issuer| issuer.as_str());
    let parties = match parties(&tokens.authorized_parties) {
        Value::Array(origins) => listed(origins.iter().filter_map(Value::as_str), "none"),
        any => any.as_str().unwrap_or_default().to_owned(),
    };
    let denied: Vec<String> = tokens.denied_kids.iter().map(KeyId::to_string).collect();
    let rows = [
        ("CLERK_ISSUER", listed(issuers, "none")),
        ("AUTHORIZED_PARTIES", parties),
        ("MISSING_AZP", missing_azp(tokens.missing_azp).to_owned()),
        (
            "TEMPLATE_AUDIENCE",
            listed(tokens.template_audience.as_deref(), "none: tokens of templates are refused"),
        ),
        ("DENY_KIDS", listed(denied.iter().map(String::as_str), "none")),
    ];
    rows.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn parties(parties: &AuthorizedParties) -> Value {
    match parties {
        AuthorizedParties::AnyParty => json!(AuthorizedParties::ANY_PARTY),
        AuthorizedParties::Only(origins) => origins.iter().map(|origin| origin.as_str()).collect(),
    }
}

fn missing_azp(meaning: MissingAzp) -> &'static str {
    if meaning == MissingAzp::Allow { "allow" } else { "refuse" }
}

fn listed<'t>(items: impl IntoIterator<Item = &'t str>, none: &str) -> String {
    let items: Vec<&str> = items.into_iter().collect();
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}
