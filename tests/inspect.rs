//! The page /inspect, as it is served. `tests/run inspector` has it in a browser.

use std::fs;

use reqwest::Method;
use tests::issuer::{ORIGIN, TestIssuer};
use tests::server::{Answer, TestServer};

/// A folder that looks like the npm package.
fn package() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let engine = folder.path().join("simd");
    fs::create_dir(&engine).unwrap();
    for (name, content) in
        [("web.js", "export {};"), ("engine_bg.wasm", "\0asm"), ("node.cjs", "no"), ("index.d.ts", "no")]
    {
        fs::write(engine.join(name), content).unwrap();
    }
    fs::write(folder.path().join("package.json"), "{}").unwrap();
    folder
}

#[tokio::test]
async fn the_page_may_load_and_ask_nothing_but_this_server() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    for path in ["/inspect", "/inspect/"] {
        let page = server.get(path, None).await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"), "{path}");
        let policy = page.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "connect-src 'self'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{part}: {policy}");
        }
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{policy}");
        assert!(!page.text.contains("<style") && !page.text.contains("style="), "nothing inline");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
    }
    let refused = Answer::of(server.request(Method::POST, "/inspect").send().await.unwrap()).await;
    assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD, OPTIONS"));
}

#[tokio::test]
async fn it_knows_what_the_server_accepts() {
    let issuer = TestIssuer::start().await;
    let settings = [
        ("MISSING_AZP", "allow"),
        ("TEMPLATE_AUDIENCE", "reports"),
        ("DENY_KIDS", "ins_old"),
        ("INSPECTOR_DIR", "no such folder"),
    ];
    let server = TestServer::start(&issuer, &settings).await;
    let instance = server.get("/inspect/instance.json", None).await.json();
    let verifier = &instance["verifier"];
    assert_eq!(verifier["issuer"], issuer.url());
    assert!(verifier["authorizedParties"].as_array().unwrap().iter().any(|party| party == ORIGIN));
    assert_eq!(verifier["missingAzp"], "allow");
    assert_eq!(verifier["templateAudience"], "reports");
    assert_eq!(verifier["denyKids"][0], "ins_old");
    assert_eq!(instance["codes"]["token-is-null"], 0);
    assert_eq!(instance["codes"]["wrong-signature"], 4);
    assert_eq!(instance["codes"]["malformed-act"], 5);
    assert_eq!(instance["codes"].get("internal-error"), None);
    assert_eq!(instance["engine"], false);
}

#[tokio::test]
async fn the_engine_comes_from_the_package_and_nothing_else_of_the_disk_does() {
    let (issuer, package) = (TestIssuer::start().await, package());
    let folder = package.path().display().to_string();
    let server = TestServer::start(&issuer, &[("INSPECTOR_DIR", &folder)]).await;
    assert_eq!(server.get("/inspect/instance.json", None).await.json()["engine"], true);
    let script = server.get("/inspect/engine/web.js", None).await;
    assert_eq!(
        (script.text.as_str(), script.header("content-type")),
        ("export {};", "text/javascript; charset=utf-8")
    );
    let module = server.get("/inspect/engine/engine_bg.wasm", None).await;
    assert_eq!((module.status, module.header("content-type")), (200, "application/wasm"));
    // Read at the start: what is written later is not served.
    fs::write(package.path().join("simd/later.js"), "no").unwrap();
    for path in [
        "later.js",
        "node.cjs",
        "index.d.ts",
        "../package.json",
        "%2e%2e/package.json",
        "..%2fpackage.json",
        "web.js/",
        "./web.js",
        "WEB.JS",
        "web.js%00",
        "",
    ] {
        let answer = server.get(&format!("/inspect/engine/{path}"), None).await;
        // The client takes `./` out before it asks.
        assert!(answer.status == 404 || path == "./web.js", "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn it_is_for_development_alone() {
    let (issuer, package) = (TestIssuer::start().await, package());
    let folder = package.path().display().to_string();
    let settings = [
        ("ENVIRONMENT", "production"),
        ("ALLOW", "test keys in production, data that is lost with the container"),
        ("CORS_ORIGINS", "https://app.example.com"),
        ("TRUSTED_PROXIES", "private"),
        ("INSPECTOR_DIR", &folder),
    ];
    let server = TestServer::start(&issuer, &settings).await;
    for path in ["/inspect", "/inspect/page.js", "/inspect/instance.json", "/inspect/engine/web.js"] {
        let request = server.request(Method::GET, path).header("x-forwarded-proto", "https");
        assert_eq!(request.send().await.unwrap().status(), 404, "{path}");
    }
}
