//! `ApiError`: an answer that is not yes, as RFC 9457 has it.

use std::time::Duration;

use doorward_verifier::{Code, VerifyError};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use warp::reply::{Reply, Response};

use crate::telemetry;

/// How long a client waits before it asks again, where nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// An answer that is not yes: a refusal or a failure, by its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    code: Code,
    detail: String,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
}

impl ApiError {
    /// The answer of this code, with its hint for a detail.
    pub fn new(code: Code) -> ApiError {
        let retry_after = (code.status() == 503).then_some(RETRY_AFTER);
        ApiError { code, detail: code.hint().to_owned(), retry_after, allow: None }
    }

    /// With what happened before the hint. It goes to the client: never a token, never a secret.
    pub fn because(code: Code, what: impl std::fmt::Display) -> ApiError {
        ApiError { detail: format!("{what}; {}", code.hint()), ..ApiError::new(code) }
    }

    /// Asking again makes sense after this time.
    #[must_use]
    pub fn retry_after(self, span: Duration) -> ApiError {
        ApiError { retry_after: Some(span.max(RETRY_AFTER)), ..self }
    }

    /// 405, with the methods that this path has.
    pub(crate) fn method_not_allowed(allow: &'static str) -> ApiError {
        ApiError { allow: Some(allow), ..ApiError::new(Code::MethodNotAllowed) }
    }

    /// Its lasting name.
    pub fn code(&self) -> Code {
        self.code
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The body; `instance` is the request's id, by which the log knows it.
    pub(crate) fn problem<'e>(&'e self, instance: Option<&'e str>) -> impl Serialize + 'e {
        Problem {
            kind: format!("{CODES}#{}", self.code),
            title: title(self.code),
            status: self.code.status(),
            detail: &self.detail,
            code: self.code.as_str(),
            reason: self.code.reason(),
            instance,
        }
    }
}

/// Where each code is explained.
const CODES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/tests/vectors/README.md");

#[derive(Serialize)]
struct Problem<'e> {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: &'e str,
    code: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'e str>,
}

/// The code in words: the same for every occurrence (RFC 9457 section 3.1.3).
fn title(code: Code) -> String {
    let words = code.as_str().replace('-', " ");
    let first = words.chars().next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(words.chars().skip(1)).collect()
}

/// A refusal of the engine, or its word that keys could not be had.
impl From<VerifyError> for ApiError {
    fn from(error: VerifyError) -> ApiError {
        let answer = ApiError::because(error.code(), &error);
        match error {
            VerifyError::KeysUnavailable { retry_after } => answer.retry_after(retry_after),
            _ => answer,
        }
    }
}

impl Reply for ApiError {
    /// The answer, which is also when a 401 is logged. The error travels with it, for the layer that knows the
    /// request's id.
    fn into_response(self) -> Response {
        if self.status() == StatusCode::UNAUTHORIZED {
            telemetry::not_validated(self.code);
        }
        let body = serde_json::to_vec(&self.problem(None)).unwrap_or_default();
        let mut response = Response::new(body.into());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in [
            (header::WWW_AUTHENTICATE, self.challenge()),
            (header::RETRY_AFTER, self.retry_after.map(whole_seconds)),
            (header::ALLOW, self.allow.map(str::to_owned)),
        ] {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                headers.insert(name, value);
            }
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl ApiError {
    /// RFC 6750 section 3. Whoever sent no token at all is told so in its words, too.
    fn challenge(&self) -> Option<String> {
        if self.status() != StatusCode::UNAUTHORIZED {
            return None;
        }
        let error = match self.code {
            Code::TokenMissing | Code::CookieAuthOff | Code::AuthorizationMalformed => "invalid_request",
            _ => "invalid_token",
        };
        Some(format!(r#"Bearer error="{error}", error_description="{}""#, self.code))
    }
}

/// Rounded up: a client that comes at the second named must not come too early.
fn whole_seconds(span: Duration) -> String {
    span.as_millis().div_ceil(1000).to_string()
}
