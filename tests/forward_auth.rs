//! Real proxies in front: they ask doorward on behalf of a backend in Python, or end TLS for it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::NOON;
use tests::clerk::Mood;
use tests::issuer::{SESSION, TestIssuer, USER};
use tests::server::{Answer, TestServer};

/// Debian has it where PATH need not lead.
const SBIN_NGINX: &str = "/usr/sbin/nginx";
/// One process, which is gone when it is ended.
const NGINX_IN_ONE: &str = "daemon off; master_process off;";

#[derive(Clone, Copy, Debug)]
enum Proxy {
    Nginx,
    Caddy,
}

/// A proxy with the documented configuration, doorward, and a backend.
struct Chain {
    issuer: TestIssuer,
    server: TestServer,
    url: String,
    client: Client,
    _processes: [Ended; 2],
    _folder: TempDir,
}

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Chain {
    async fn start(proxy: Proxy, settings: &[(&str, &str)]) -> Chain {
        Chain::of(proxy, TestIssuer::start().await, settings).await
    }

    async fn of(proxy: Proxy, issuer: TestIssuer, settings: &[(&str, &str)]) -> Chain {
        let server = TestServer::start(&issuer, settings).await;
        let folder = tempfile::tempdir().unwrap();
        let (front, back) = (free_address(), free_address());
        let backend = Ended(
            Command::new("python3").arg(documented("forward-auth", "backend.py")).arg(&back).spawn().unwrap(),
        );
        let doorward = server.url.trim_start_matches("http://");
        let proxy = Ended(proxy.spawn(
            "forward-auth",
            folder.path(),
            &[(":8080", &front), (":8000", doorward), (":9000", &back)],
        ));
        let client = Client::builder().no_proxy().build().unwrap();
        answers(&back).await;
        answers(&front).await;
        Chain {
            issuer,
            server,
            url: format!("http://{front}"),
            client,
            _processes: [proxy, backend],
            _folder: folder,
        }
    }

    async fn ask(&self, method: Method, token: Option<&str>, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.client.request(method, format!("{}/orders/7", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.send().await.unwrap()).await
    }
}

impl Proxy {
    /// Its documented configuration for this use, with other addresses.
    fn spawn(self, usage: &str, folder: &Path, addresses: &[(&str, &str)]) -> Child {
        let name = match self {
            Proxy::Nginx => "nginx.conf",
            Proxy::Caddy => "Caddyfile",
        };
        let mut text = fs::read_to_string(documented(usage, name)).unwrap();
        for (documented, address) in addresses {
            text = text.replace(&format!("127.0.0.1{documented}"), address);
        }
        let file = folder.join(name);
        fs::write(&file, text).unwrap();
        let mut command = match self {
            Proxy::Nginx => Command::new(if Path::new(SBIN_NGINX).exists() { SBIN_NGINX } else { "nginx" }),
            Proxy::Caddy => Command::new("caddy"),
        };
        match self {
            Proxy::Nginx => command.arg("-p").arg(folder).arg("-c").arg(&file).args(["-g", NGINX_IN_ONE]),
            Proxy::Caddy => command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file),
        };
        // Caddy keeps its state in the home folder.
        command.env("HOME", folder).env("XDG_CONFIG_HOME", folder).env("XDG_DATA_HOME", folder);
        command
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

fn documented(usage: &str, name: &str) -> String {
    format!("{}/{usage}/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Programs that take no port 0 get one that was free a moment ago.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

async fn answers(address: &str) {
    for _ in 0..400 {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("nothing listens on {address}");
}

/// What the backend is told.
fn told(answer: &Answer) -> [Value; 3] {
    assert_eq!(answer.status, 200, "{answer:?}");
    ["USER_ID", "SESSION_ID", "ORG_ID"].map(|name| answer.json()[name].clone())
}

async fn decides(proxy: Proxy) {
    let chain = Chain::start(proxy, &[]).await;
    let good = chain.issuer.token_with(json!({"o": {"id": "org_1"}}));
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let passed = chain.ask(method.clone(), Some(&good), &[]).await;
        assert_eq!(told(&passed), [json!(USER), json!(SESSION), json!("org_1")], "{proxy:?}");
        assert_eq!(passed.json()["method"], method.as_str());
    }
    let expired = chain.issuer.token_with(json!({"exp": NOON.as_secs() - 60}));
    for (token, code) in [
        (None, "token-missing"),
        (Some(expired), "token-expired"),
        (Some(chain.issuer.forged()), "wrong-signature"),
    ] {
        let refused = chain.ask(Method::GET, token.as_deref(), &[]).await;
        assert_eq!(refused.status, 401, "{proxy:?} {code}");
        assert!(refused.header("www-authenticate").contains(code), "{proxy:?}: {refused:?}");
    }
    let identity = [("x-auth-user-id", "user_mallory"), ("x-auth-org-id", "org_mallory")];
    assert_eq!(chain.ask(Method::GET, None, &identity).await.status, 401, "{proxy:?}");
}

async fn overwrites(proxy: Proxy) {
    let chain = Chain::start(proxy, &[]).await;
    let expected = [json!(USER), json!(SESSION), json!("")];
    for headers in [
        [
            ("x-auth-user-id", "user_mallory"),
            ("x-auth-session-id", "sess_m"),
            ("x-auth-org-id", "org_mallory"),
        ],
        [
            ("X_Auth_User_Id", "user_mallory"),
            ("X_Auth_Session_Id", "sess_m"),
            ("X_Auth_Org_Id", "org_mallory"),
        ],
        [
            ("x-auth_user-id", "user_mallory"),
            ("x_auth-session-id", "sess_m"),
            ("x-auth-org_id", "org_mallory"),
        ],
        // Proxies drop what Connection names (RFC 9110, 7.6.1).
        [
            ("connection", "x-auth-user-id, X-Auth-Session-Id"),
            ("x-auth-session-id", "sess_m"),
            ("x-auth-org-id", "org_mallory"),
        ],
    ] {
        let passed = chain.ask(Method::GET, Some(&chain.issuer.token()), &headers).await;
        assert_eq!(told(&passed), expected, "{proxy:?} {headers:?}");
    }
}

async fn goes_on(proxy: Proxy) {
    let chain = Chain::start(proxy, &[("MONGODB_URI", "mongodb://127.0.0.1:1/")]).await;
    assert_eq!(told(&chain.ask(Method::GET, Some(&chain.issuer.token()), &[]).await)[0], USER, "{proxy:?}");
    let ready = chain.server.get("/ready", None).await;
    assert_eq!((ready.status, &ready.json()["store"]), (503, &json!("away")));
}

async fn cannot_tell(proxy: Proxy) {
    let issuer = TestIssuer::start().await;
    issuer.clerk.be(Mood::HangsUp);
    let chain = Chain::of(proxy, issuer, &[]).await;
    let undecided = chain.ask(Method::GET, Some(&chain.issuer.token()), &[]).await;
    assert_eq!(undecided.status, 503, "{proxy:?}: {undecided:?}");
    assert!(!undecided.header("retry-after").is_empty(), "{proxy:?}: {undecided:?}");
}

async fn takes_cookies(proxy: Proxy) {
    let chain = Chain::start(proxy, &[("COOKIE_AUTH", "on")]).await;
    let cookie = format!("__session={}; __client_uat=1", chain.issuer.token());
    assert_eq!(chain.ask(Method::GET, None, &[("cookie", &cookie)]).await.status, 200, "{proxy:?}");
    assert_eq!(chain.ask(Method::POST, None, &[("cookie", &cookie)]).await.status, 403, "{proxy:?}");
    let lied = [("cookie", cookie.as_str()), ("x-forwarded-method", "GET")];
    assert_eq!(
        chain.ask(Method::POST, None, &lied).await.status,
        403,
        "{proxy:?}: the proxy says which method"
    );
}

/// In production, behind a proxy that ends TLS.
async fn ends_tls(proxy: Proxy) {
    let production = [
        ("ENVIRONMENT", "production"),
        ("ALLOW", "test keys in production, data that is lost with the container"),
        ("CORS_ORIGINS", "https://app.example.com"),
        ("AUTHORIZED_PARTIES", "any party"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &production).await;
    let folder = tempfile::tempdir().unwrap();
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(folder.path().join("certificate.pem"), pair.cert.pem()).unwrap();
    fs::write(folder.path().join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
    let (front, doorward) = (free_address(), server.url.trim_start_matches("http://"));
    let addresses = [(":8443", front.as_str()), (":8000", doorward)];
    let _proxy = Ended(proxy.spawn("reverse-proxy", folder.path(), &addresses));
    answers(&front).await;
    let certificate = reqwest::Certificate::from_pem(pair.cert.pem().as_bytes()).unwrap();
    let client = Client::builder().no_proxy().tls_certs_only([certificate]).build().unwrap();
    let me = |headers: &[(&'static str, &'static str)]| {
        let mut request = client.get(format!("https://{front}/api/auth/me")).bearer_auth(issuer.token());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        async move { Answer::of(request.send().await.unwrap()).await }
    };
    for headers in [&[][..], &[("x-forwarded-proto", "http"), ("x-forwarded-for", "192.0.2.1")]] {
        let answer = me(headers).await;
        assert_eq!(answer.status, 200, "{proxy:?} {headers:?}: {answer:?}");
        assert!(answer.header("strict-transport-security").starts_with("max-age="), "{proxy:?}: {answer:?}");
    }
    // 30 kB of cookies, which is more than proxies take of themselves, get through; more is refused with a code.
    let cookies = |bytes: usize| {
        let request = client.get(format!("https://{front}/health")).header("cookie", "a".repeat(bytes));
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(cookies(30 * 1024).await, 200, "{proxy:?}");
    let around = server.get("/api/auth/me", Some(&issuer.token())).await;
    assert_eq!((around.status, around.code().as_str()), (403, "https-required"), "{proxy:?}");
}

macro_rules! for_each_proxy {
    ($($name:ident: $case:ident),*) => {
        mod nginx { $( #[tokio::test] #[ignore = "wants nginx: tests/run proxies"]
            async fn $name() { super::$case(super::Proxy::Nginx).await } )* }
        mod caddy { $( #[tokio::test] #[ignore = "wants Caddy: tests/run proxies"]
            async fn $name() { super::$case(super::Proxy::Caddy).await } )* }
    };
}

for_each_proxy! {
    whoever_is_signed_in_passes_and_nobody_else: decides,
    what_a_client_says_of_itself_is_overwritten: overwrites,
    a_store_that_is_away_stops_nobody: goes_on,
    what_cannot_be_told_is_503: cannot_tell,
    a_write_by_cookie_wants_an_origin: takes_cookies,
    tls_ends_there_in_production: ends_tls
}
