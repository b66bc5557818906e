//! The local issuer's Frontend API, by itself: what Clerk's own code in a browser asks for. `tests/browser` has that code.

use reqwest::header::{COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tests::command::Running;

const PAGE: &str = "http://localhost:3000";

/// A `doorward dev`, and a browser with the cookies that its issuer set.
struct Browser {
    folder: TempDir,
    running: Running,
    issuer: String,
    client: Client,
    cookie: String,
}

impl Browser {
    async fn start() -> Browser {
        let folder = tempdir().unwrap();
        let running = Running::dev(folder.path()).await;
        let instance = std::fs::read(folder.path().join("issuer/instance.json")).unwrap();
        let instance: Value = serde_json::from_slice(&instance).unwrap();
        let issuer = instance["issuer"].as_str().unwrap().to_owned();
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Browser { folder, running, issuer, client, cookie: String::new() }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/v1/{path}", self.issuer)).header(COOKIE, &self.cookie)
    }

    /// As clerk-js asks: from a page, with a form.
    async fn post(&mut self, path: &str, form: &str) -> (u16, Value) {
        let request = self.request(Method::POST, path).header(ORIGIN, PAGE).body(form.to_owned());
        let answer = request.send().await.unwrap();
        if let Some(cookie) = answer.headers().get(SET_COOKIE) {
            self.cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        self.request(Method::GET, path).send().await.unwrap().json().await.unwrap()
    }

    async fn sign_in(&mut self) -> Value {
        let (_, begun) = self.post("client/sign_ins", "identifier=ada%40example.com").await;
        let path = format!("client/sign_ins/{}", begun["response"]["id"].as_str().unwrap());
        self.post(&format!("{path}/prepare_first_factor"), "strategy=email_code").await;
        self.post(&format!("{path}/attempt_first_factor"), "strategy=email_code&code=424242").await.1
    }

    async fn handshake(&self, back: &str) -> Response {
        let path = format!("client/handshake?redirect_url={back}");
        self.request(Method::GET, &path).send().await.unwrap()
    }

    async fn me(&self, token: &str) -> Value {
        let url = format!("{}/api/auth/me", self.running.url());
        self.client.get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap()
    }
}

fn claims(token: &str) -> Value {
    jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims
}

#[tokio::test]
async fn somebody_signs_in_gets_tokens_for_the_page_that_asks_and_signs_out() {
    let mut browser = Browser::start().await;
    assert_eq!(browser.get("client").await, json!({ "response": null, "client": null }));
    let (_, environment) = browser.post("environment?_method=PATCH", "").await;
    assert_eq!(
        environment["user_settings"]["attributes"]["email_address"]["first_factors"],
        json!(["email_code"])
    );

    let done = browser.sign_in().await;
    let session = &done["client"]["sessions"][0];
    assert_eq!(
        (&done["response"]["status"], &session["user"]["id"]),
        (&json!("complete"), &json!("user_ada"))
    );
    assert!(session["user"].get("private_metadata").is_none(), "it is not for browsers");
    let session = session["id"].as_str().unwrap();
    let (_, token) = browser.post(&format!("client/sessions/{session}/tokens"), "").await;
    let token = token["jwt"].as_str().unwrap();
    assert_eq!((&claims(token)["azp"], &claims(token)["sid"]), (&json!(PAGE), &json!(session)));
    assert_eq!(browser.me(token).await["clerk_id"], "user_ada");

    let (_, out) = browser.post("client/sessions?_method=DELETE", "").await;
    assert_eq!(out["client"]["sessions"], json!([]));
    let (status, refusal) = browser.post(&format!("client/sessions/{session}/tokens"), "").await;
    assert_eq!((status, &refusal["errors"][0]["code"]), (401, &json!("signed_out")));
    drop(browser.folder);
}

#[tokio::test]
async fn somebody_signs_up_and_is_an_account_from_then_on() {
    let mut browser = Browser::start().await;
    let (_, begun) = browser.post("client/sign_ups", "email_address=grace%40example.com").await;
    let path = format!("client/sign_ups/{}", begun["response"]["id"].as_str().unwrap());
    let (status, wrong) = browser.post(&format!("{path}/attempt_verification"), "code=000000").await;
    assert_eq!((status, &wrong["errors"][0]["meta"]["param_name"]), (422, &json!("code")));
    let (_, done) =
        browser.post(&format!("{path}/attempt_verification"), "strategy=email_code&code=424242").await;
    let user = done["response"]["created_user_id"].as_str().unwrap();
    let token = done["client"]["sessions"][0]["last_active_token"]["jwt"].as_str().unwrap();
    let me = browser.me(token).await;
    assert_eq!((&me["clerk_id"], &me["email"]), (&json!(user), &json!("grace@example.com")));
    let (status, taken) = browser.post("client/sign_ups", "email_address=Grace%40example.com").await;
    assert_eq!((status, &taken["errors"][0]["code"]), (422, &json!("form_identifier_exists")));
    let (status, unknown) = browser.post("client/sign_ins", "identifier=nobody%40example.com").await;
    assert_eq!((status, &unknown["errors"][0]["code"]), (422, &json!("form_identifier_not_found")));
}

#[tokio::test]
async fn a_handshake_comes_back_with_the_cookies_of_whoever_is_signed_in() {
    let mut browser = Browser::start().await;
    for (signed_in, uat) in [(false, 0), (true, 1)] {
        if signed_in {
            browser.sign_in().await;
        }
        let answer = browser.handshake("http%3A%2F%2Flocalhost%3A3000%2Faccount%3Fa%3Db").await;
        let back = Url::parse(answer.headers()[LOCATION].to_str().unwrap()).unwrap();
        let query: Vec<(String, String)> = back.query_pairs().into_owned().collect();
        assert_eq!(
            (back.path(), &query[0], &*query[1].0),
            ("/account", &("a".into(), "b".into()), "__clerk_handshake")
        );
        let directives = claims(&query[1].1)["handshake"].clone();
        let values = |name: &str| -> Vec<String> {
            let lines = directives.as_array().unwrap().iter().map(|line| line.as_str().unwrap());
            let lines = lines.filter(|line| line.starts_with(name));
            lines.map(|line| line.split(['=', ';']).nth(1).unwrap().to_owned()).collect()
        };
        // Under two names each.
        assert_eq!((values("__session").len(), values("__client_uat").len()), (2, 2), "{directives}");
        assert!(values("__session").iter().all(|token| token.is_empty() != signed_in));
        assert!(values("__client_uat").iter().all(|time| time.parse::<u64>().unwrap().min(1) == uat));
        if signed_in {
            assert!(claims(&values("__session")[0]).get("azp").is_none(), "no page asked");
        }
    }
}

#[tokio::test]
async fn pages_of_other_machines_sign_nobody_in() {
    let mut browser = Browser::start().await;
    browser.sign_in().await;
    for origin in
        ["https://evil.example.com", "http://localhost.evil.com", "https://localhost:3000", "null", ""]
    {
        let request = browser.request(Method::GET, "client").header(ORIGIN, origin);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 403, "{origin}");
        assert!(answer.headers().get("access-control-allow-origin").is_none(), "{origin}");
    }
    for host in ["evil.example.com", "localhost", "127.0.0.1:1"] {
        let request = browser.request(Method::GET, "client").header(HOST, host);
        assert_eq!(request.send().await.unwrap().status(), 403, "{host}");
    }
    for back in
        ["https%3A%2F%2Fevil.example.com", "http%3A%2F%2Flocalhost%40evil.example.com", "javascript%3A0", ""]
    {
        let answer = browser.handshake(back).await;
        assert_eq!((answer.status().as_u16(), answer.headers().get(LOCATION)), (403, None), "{back}");
    }
}

#[tokio::test]
async fn odd_calls_are_refused_and_the_next_one_works() {
    let mut browser = Browser::start().await;
    for (path, form) in [
        ("client/sign_ins", ""),
        ("client/sign_ins/sia_1/attempt_first_factor", "code=424242"),
        ("client/sign_ups", "email_address=none"),
        ("client/sign_ups/sua_1/attempt_verification", "code=424242"),
        ("client/sessions/sess_1/touch", ""),
        ("client/sessions/sess_1/remove", ""),
        ("client/sessions//tokens", "%ff=%"),
        ("client/nothing", ""),
        ("client?_method=CONNECT", ""),
    ] {
        let (status, refusal) = browser.post(path, form).await;
        assert!((400..500).contains(&status) && refusal["errors"][0]["code"].is_string(), "{path}: {status}");
    }
    browser.cookie = "__client=client_made_up".to_owned();
    assert_eq!(browser.get("client").await["response"], Value::Null);
    assert_eq!(browser.sign_in().await["response"]["status"], "complete");
    // Another browser's attempt is not this one's.
    let (_, begun) = browser.post("client/sign_ins", "identifier=ada%40example.com").await;
    let path = format!("client/sign_ins/{}/attempt_first_factor", begun["response"]["id"].as_str().unwrap());
    browser.cookie = String::new();
    assert_eq!(browser.post(&path, "code=424242").await.0, 404);
}
