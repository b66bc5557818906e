//! Questions over HTTP, bounded in time and size, and their answers.

use std::time::Duration;

use http::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::Value;

/// Longer than the server itself takes for any answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// No answer that is asked for here comes near it.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Asks one host.
pub(super) struct Asker {
    client: Client,
    base: Url,
}

impl Asker {
    /// Asks at this address. No redirect is followed: it would hide that something else answers.
    pub(super) fn new(address: &str) -> Result<Asker, String> {
        let base = Url::parse(address).map_err(|error| format!("{address}: {error}"))?;
        let mut builder = Client::builder()
            .user_agent(concat!("doorward-doctor/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if base.scheme() == "http" {
            // Works without CA files, and without a proxy that could not reach this machine.
            builder = builder.tls_certs_only([]).no_proxy();
        }
        let client = builder.build().map_err(|error| in_full(&error))?;
        Ok(Asker { client, base })
    }

    /// A question about this path.
    pub(super) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, String> {
        let url = self.base.join(path).map_err(|error| error.to_string())?;
        Ok(self.client.request(method, url))
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, String> {
        ask(self.request(Method::GET, path)?).await
    }
}

/// The answer, or in words why there is none.
pub(super) async fn ask(request: RequestBuilder) -> Result<Answer, String> {
    let mut response = request.send().await.map_err(|error| in_full(&error.without_url()))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| in_full(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            return Err(format!("an answer of more than {MAX_ANSWER_BYTES} bytes"));
        }
    }
    Ok(Answer { status, headers, body })
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether a header that is a list has this member, in any case.
    pub(super) fn lists(&self, name: &str, member: &str) -> bool {
        let values = self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(member))
    }

    /// A member of the JSON that was answered, null if there is none.
    pub(super) fn member(&self, name: &str) -> Value {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body.get(name).cloned().unwrap_or_default()
    }

    /// The lasting code of a problem.
    pub(super) fn code(&self) -> Option<String> {
        self.member("code").as_str().map(str::to_owned)
    }

    /// The status, and what a problem says.
    pub(super) fn in_words(&self) -> String {
        match (self.code(), self.member("detail").as_str()) {
            (Some(code), Some(detail)) => format!("{} {code}: {detail}", self.status),
            (Some(code), None) => format!("{} {code}", self.status),
            _ => self.status.to_string(),
        }
    }
}

/// An error and what it came from, without the address: it is said elsewhere, and may hold a query.
fn in_full(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
