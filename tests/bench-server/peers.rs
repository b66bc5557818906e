//! What the server is measured beside.

use std::env;
use std::path::Path;

use tests::issuer::ORIGIN;
use warp::Filter;

use crate::program::Program;
use crate::setting::{Setting, beside};

/// warp with one route and nothing around it.
pub(crate) fn plain(setting: &Setting) -> Program {
    let this = beside("bench-server");
    Program::start(&[this.to_str().expect("a plain path"), "plain"], &setting.folder("plain"), &[], "")
}

/// The process that [`plain`] starts.
pub(crate) fn serve_plain() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let route = warp::path!("plain").map(|| warp::reply::json(&serde_json::json!({"status": "ok"})));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("http://{}", listener.local_addr().expect("an address"));
        warp::serve(route).incoming(listener).run().await;
    });
}

/// Express, jose and the MongoDB driver.
pub(crate) fn node(setting: &Setting) -> Program {
    let program = env::var("DOORWARD_BENCH_NODE").expect("the suite installs it");
    let program = Path::new(&program).join("server.mjs");
    start(setting, "node", &["node", program.to_str().expect("a plain path")])
}

/// FastAPI, Beanie and python-jose.
pub(crate) fn python(setting: &Setting) -> Program {
    let python = env::var("DOORWARD_BENCH_PYTHON").expect("the suite installs it");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench-server/python/server.py");
    start(setting, "python", &[&python, program.to_str().expect("a plain path")])
}

fn start(setting: &Setting, name: &str, command: &[&str]) -> Program {
    let issuer = setting.issuer.url();
    let (jwks, database) =
        (format!("{issuer}/.well-known/jwks.json"), format!("{}_{name}", setting.database));
    let environment = [
        ("ISSUER", issuer.as_str()),
        ("JWKS_URL", &jwks),
        ("AUTHORIZED_PARTY", ORIGIN),
        ("MONGODB_URI", &setting.mongo),
        ("MONGODB_DB_NAME", &database),
        ("NODE_ENV", "production"),
    ];
    Program::start(command, &setting.folder(name), &environment, "")
}
