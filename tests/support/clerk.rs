//! `FakeClerk`: an issuer and a Backend API on loopback that do whatever a test tells them, and count.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorward::clerk::{ClerkApi, ClerkSettings};
use doorward::config::Secret;
use doorward_verifier::Issuer;
use jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Decoder, Encoder, Hex};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The only secret key that it takes.
pub const SECRET_KEY: &str = "sk_test_made_up_for_tests";

/// How it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// As Clerk does.
    #[default]
    Well,
    /// Takes the request, and says nothing more.
    Hangs,
    /// Takes the connection, and ends it.
    HangsUp,
    /// With this status, and these header lines.
    Status(u16, &'static str),
    /// With 200 and this instead of what was asked for.
    Says(&'static str),
    /// With 200 and a document that does not end.
    Endless,
    /// With 200, a byte at a time.
    Drips,
    /// By sending on to another address.
    SendsTo(String),
    /// As Clerk does, after a while.
    Slow(Duration),
    /// As Clerk does, until it was asked for so many lists of users; from then on it hangs.
    HangsAfterLists(usize),
    /// With this status and these header lines so often, and then as Clerk does.
    StatusUntil(usize, u16, &'static str),
}

#[derive(Debug, Default)]
struct State {
    mood: Mood,
    jwks: String,
    etag: Option<String>,
    users: HashMap<String, Value>,
    jwks_requests: usize,
    user_requests: usize,
    lists: Vec<String>,
    not_modified: usize,
    last_head: String,
}

/// The server; it ends with the test's runtime.
#[derive(Clone, Debug)]
pub struct FakeClerk {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl FakeClerk {
    /// Starts one that has the vectors' instance key, and no users.
    pub async fn start() -> FakeClerk {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State { jwks: jwks(&[("ins_1", "instance")]), ..State::default() }));
        let fake = FakeClerk { address, state };
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = serving.clone();
                // A client that goes away is no failure of the test.
                tokio::spawn(async move { fake.serve(stream).await.ok() });
            }
        });
        fake
    }

    /// Its URL, which is the issuer of its tokens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same, parsed.
    pub fn issuer(&self) -> Issuer {
        Issuer::parse(&self.url()).expect("a loopback issuer")
    }

    /// HTTP to it, with answers awaited for half a second.
    pub fn api(&self) -> ClerkApi {
        self.api_with_timeout(Duration::from_millis(500))
    }

    /// HTTP to it.
    pub fn api_with_timeout(&self, timeout: Duration) -> ClerkApi {
        ClerkApi::new(ClerkSettings {
            jwks_url: format!("{}/.well-known/jwks.json", self.url()),
            jwks_needs_secret: false,
            api_url: self.url(),
            secret_key: Some(Secret::new(SECRET_KEY)),
            timeout,
        })
        .expect("a loopback address")
    }

    /// From now on it answers so.
    pub fn be(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// Publishes these keys: `kid`, and the file of the vectors' keys.
    pub fn publish(&self, keys: &[(&str, &str)]) {
        self.publish_document(jwks(keys));
    }

    /// Publishes this.
    pub fn publish_document(&self, document: impl Into<String>) {
        self.state().jwks = document.into();
    }

    /// Gives what it publishes a name.
    pub fn set_etag(&self, etag: &str) {
        self.state().etag = Some(etag.to_owned());
    }

    /// Knows a user with this address, as of `updated_at` in milliseconds.
    pub fn set_user(&self, id: &str, email: &str, updated_at: u64) {
        let user = json!({
            "id": id, "object": "user", "username": null, "first_name": "Ada", "last_name": "Lovelace",
            "image_url": "https://img.example.com/a.png", "primary_email_address_id": "idn_2",
            "email_addresses": [
                { "id": "idn_1", "email_address": "other@example.com", "verification": null },
                { "id": "idn_2", "email_address": email, "verification": { "status": "verified", "strategy": "email_code" } },
            ],
            "banned": false, "updated_at": updated_at, "public_metadata": { "role": "admin" },
        });
        self.state().users.insert(id.to_owned(), user);
    }

    /// How often it was asked for the keys.
    pub fn jwks_requests(&self) -> usize {
        self.state().jwks_requests
    }

    /// How often it was asked for a user.
    pub fn user_requests(&self) -> usize {
        self.state().user_requests
    }

    /// No user of this id any more.
    pub fn remove_user(&self, id: &str) {
        self.state().users.remove(id);
    }

    /// The queries of all lists of users that it was asked for.
    pub fn lists(&self) -> Vec<String> {
        self.state().lists.clone()
    }

    /// How often it answered that the keys are what they were.
    pub fn not_modified(&self) -> usize {
        self.state().not_modified
    }

    /// The head of the last request.
    pub fn last_head(&self) -> String {
        self.state().last_head.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let head = read_head(&mut stream).await?;
        let mood = self.count(&head);
        match mood {
            Mood::Well | Mood::HangsAfterLists(_) | Mood::StatusUntil(..) => {
                stream.write_all(self.answer(&head).as_bytes()).await
            }
            Mood::Hangs => {
                tokio::time::sleep(Duration::from_secs(600)).await;
                Ok(())
            }
            Mood::HangsUp => Ok(()),
            Mood::Status(status, lines) => {
                let answer = format!(
                    "HTTP/1.1 {status} Mood\r\n{lines}content-length: 0\r\nconnection: close\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).await
            }
            Mood::Says(body) => stream.write_all(ok("", body).as_bytes()).await,
            Mood::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"keys\":[").await?;
                loop {
                    stream.write_all(&[b' '; 16 * 1024]).await?;
                }
            }
            Mood::Drips => {
                for byte in self.answer(&head).into_bytes() {
                    stream.write_all(&[byte]).await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Ok(())
            }
            Mood::SendsTo(url) => {
                let answer = format!(
                    "HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).await
            }
            Mood::Slow(delay) => {
                tokio::time::sleep(delay).await;
                stream.write_all(self.answer(&head).as_bytes()).await
            }
        }
    }

    fn count(&self, head: &str) -> Mood {
        let mut state = self.state();
        if let Some((query, _)) = head.strip_prefix("GET /v1/users?").and_then(|rest| rest.split_once(' ')) {
            state.lists.push(query.to_owned());
        } else if head.starts_with("GET /v1/users/") {
            state.user_requests += 1
        } else {
            state.jwks_requests += 1
        }
        state.last_head = head.to_owned();
        let lists = state.lists.len();
        match &mut state.mood {
            Mood::HangsAfterLists(most) if lists > *most => Mood::Hangs,
            Mood::StatusUntil(left @ 1.., status, lines) => {
                *left -= 1;
                Mood::Status(*status, lines)
            }
            mood => mood.clone(),
        }
    }

    fn answer(&self, head: &str) -> String {
        let mut state = self.state();
        let path = head.split(' ').nth(1).unwrap_or_default();
        let users = path.strip_prefix("/v1/users").filter(|rest| rest.starts_with(['/', '?']));
        let Some(asked) = users else {
            let named = state.etag.as_ref().map(|etag| format!("etag: {etag}\r\n")).unwrap_or_default();
            let known =
                state.etag.as_ref().is_some_and(|etag| head.contains(&format!("if-none-match: {etag}\r\n")));
            if known {
                state.not_modified += 1;
                return format!("HTTP/1.1 304 Not Modified\r\n{named}connection: close\r\n\r\n");
            }
            return ok(&named, &state.jwks);
        };
        if !head.contains(&format!("authorization: Bearer {SECRET_KEY}\r\n")) {
            return "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned();
        }
        if let Some(query) = asked.strip_prefix('?') {
            return ok("", &state.list(query).to_string());
        }
        if asked == "/count" {
            return ok("", &json!({ "object": "total_count", "total_count": state.users.len() }).to_string());
        }
        match state.users.get(&asked[1..]) {
            Some(user) => ok("", &user.to_string()),
            None => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
        }
    }
}

impl State {
    /// In the order of their ids, which stands for that in which they came.
    fn list(&self, query: &str) -> Value {
        let pairs: Vec<(String, String)> = pairs_of(query);
        let all = |wanted: &str| -> Vec<&str> {
            pairs.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).collect()
        };
        let number =
            |wanted: &str, default| all(wanted).first().map_or(default, |text| text.parse().unwrap());
        let (ids, addresses) = (all("user_id"), all("email_address"));
        let has = |user: &Value| {
            let own = user["email_addresses"].as_array().unwrap();
            own.iter().any(|own| addresses.contains(&own["email_address"].as_str().unwrap()))
        };
        let mut users: Vec<(&String, &Value)> = self.users.iter().collect();
        users.sort_by_key(|(id, _)| id.as_str());
        users.retain(|(id, user)| {
            (ids.is_empty() || ids.contains(&id.as_str())) && (addresses.is_empty() || has(user))
        });
        let page = users.into_iter().skip(number("offset", 0)).take(number("limit", 10).min(500));
        page.map(|(_, user)| user.clone()).collect()
    }
}

fn pairs_of(query: &str) -> Vec<(String, String)> {
    let url = reqwest::Url::parse(&format!("http://x/?{query}")).expect("a query");
    url.query_pairs().into_owned().collect()
}

fn ok(lines: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\n{lines}content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

async fn read_head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// A JWKS of keys from the vectors' folder.
pub fn jwks(keys: &[(&str, &str)]) -> String {
    let keys: Vec<Value> = keys
        .iter()
        .map(|(kid, file)| json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": modulus(file), "e": "AQAB" }))
        .collect();
    json!({ "keys": keys }).to_string()
}

fn modulus(file: &str) -> String {
    let path = format!("{}/vectors/keys/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("a key file");
    let key: Value = serde_json::from_str(&text).expect("JSON");
    let digits = key["modulus"].as_str().expect("a modulus");
    let bytes = Hex::decode_to_vec(digits, None).expect("hexadecimal digits");
    Base64UrlSafeNoPadding::encode_to_string(bytes).expect("base64url")
}
