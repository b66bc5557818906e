//! `Request`: what a request presents.

use core::fmt;
use std::borrow::Cow;

use crate::error::VerifyError;
use crate::text;
use crate::token::check_presented;

use self::cookies::{HANDSHAKE, HANDSHAKE_NONCE, SESSION, cookies, percent_decoded};

mod check;
mod cookies;
#[cfg(test)]
mod tests;

pub use self::check::{Check, CookieAuth, PresentedToken, RequestVerifier};

/// What a request's `Authorization` headers present: the token after `Bearer` (RFC 6750 section 2.1), `None` where there
/// is no such header. The word may be in any case, one space follows it.
///
/// Stricter than Clerk, which ignores other schemes and takes a token without a scheme: a header that is there and does
/// not hold a token is refused, so that nothing else is asked instead. A value that is not text is given as U+FFFD.
///
/// # Errors
///
/// [`VerifyError::TokenMissing`] when nothing follows the word, [`VerifyError::AuthorizationMalformed`] for several
/// headers and for any other form, and what is plainly something else than a session token, from
/// [`VerifyError::TokenIsNull`] to [`VerifyError::TokenTooLarge`].
pub fn bearer<'h>(values: impl IntoIterator<Item = &'h str>) -> Result<Option<&'h str>, VerifyError> {
    values.into_iter().fold(Header::Absent, Header::and).bearer()
}

/// What of a request a decision is made from: its method, its URL, a few of its headers.
#[derive(Clone)]
pub struct Request<'r> {
    method: &'r str,
    path: &'r str,
    query: &'r str,
    authorization: Header<'r>,
    /// Those of Clerk's that a decision is made from, in their order. Their values are decoded.
    cookies: Vec<(&'r str, Cow<'r, str>)>,
    origin: Header<'r>,
    destination: Header<'r>,
    accept: Header<'r>,
    asks_for_upgrade: bool,
}

/// A header that is good for something only when it comes once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Header<'r> {
    Absent,
    Once(&'r str),
    Repeated,
}

impl<'r> Request<'r> {
    /// Picks what is needed. `url` is absolute or begins with the path; names of headers may be in any case; a value
    /// that is not text is given as U+FFFD, which is no credential and no origin.
    pub fn new(
        method: &'r str,
        url: &'r str,
        headers: impl IntoIterator<Item = (&'r str, &'r str)>,
    ) -> Request<'r> {
        let (path, query) = path_and_query(url);
        let mut request = Request {
            method,
            path,
            query,
            authorization: Header::Absent,
            cookies: Vec::new(),
            origin: Header::Absent,
            destination: Header::Absent,
            accept: Header::Absent,
            asks_for_upgrade: false,
        };
        for (name, value) in headers {
            request.take(name, value);
        }
        request
    }

    fn take(&mut self, name: &str, value: &'r str) {
        let place = match name {
            _ if name.eq_ignore_ascii_case("authorization") => &mut self.authorization,
            _ if name.eq_ignore_ascii_case("origin") => &mut self.origin,
            _ if name.eq_ignore_ascii_case("sec-fetch-dest") => &mut self.destination,
            _ if name.eq_ignore_ascii_case("accept") => &mut self.accept,
            _ if name.eq_ignore_ascii_case("cookie") => return self.cookies.extend(cookies(value)),
            _ if name.eq_ignore_ascii_case("upgrade") => {
                self.asks_for_upgrade = true;
                return;
            }
            _ => return,
        };
        *place = place.and(value);
    }

    /// Whether this is traffic between the browser and Clerk that must reach Clerk's own middleware, whatever session it
    /// carries: a handshake that comes back, a satellite's or a development browser's synchronisation, the proxy of
    /// Clerk's Frontend API.
    pub fn is_handshake(&self) -> bool {
        const PARAMETERS: [&str; 5] =
            [HANDSHAKE, HANDSHAKE_NONCE, "__clerk_db_jwt", "__clerk_synced", "__clerk_redirect_url"];
        let names =
            text::split(self.query, b'&').map(|pair| text::split(pair, b'=').next().unwrap_or_default());
        self.is_clerk_proxy()
            || self.cookie(HANDSHAKE).or(self.cookie(HANDSHAKE_NONCE)).is_some()
            || names.map(percent_decoded).any(|name| PARAMETERS.contains(&&*name))
    }

    /// Whether a page is asked for, rather than data by a script: what Clerk takes for eligible for a handshake. A
    /// session that is stale must not be shown as signed out then, and is 401 otherwise, so that the browser's Clerk
    /// gets a new token.
    pub fn is_navigation(&self) -> bool {
        self.method == "GET"
            && match self.destination {
                Header::Once(destination) => matches!(destination, "document" | "iframe"),
                Header::Absent => {
                    matches!(self.accept, Header::Once(accept) if accept.starts_with("text/html"))
                }
                Header::Repeated => false,
            }
    }

    fn is_clerk_proxy(&self) -> bool {
        is_clerk_proxy(self.path)
    }

    /// The cookie of this name: the first, as Clerk's parser has it. An empty one is a missing one.
    fn cookie(&self, name: &str) -> Option<&str> {
        let first = self.cookies.iter().find(|(known, _)| *known == name);
        first.map(|(_, value)| &**value).filter(|value| !value.is_empty())
    }

    fn has_session_cookie(&self) -> bool {
        self.cookies.iter().any(|(name, value)| name.starts_with(SESSION) && !value.is_empty())
    }

    /// Whether it could change something (RFC 9110 section 9.2.1), or opens a socket that could.
    fn is_write(&self) -> bool {
        self.asks_for_upgrade || !matches!(self.method, "GET" | "HEAD" | "OPTIONS")
    }
}

/// Never shows what it holds: headers and URLs carry credentials.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Request(…)")
    }
}

impl<'r> Header<'r> {
    fn and(self, value: &'r str) -> Header<'r> {
        match self {
            Header::Absent => Header::Once(value),
            Header::Once(_) | Header::Repeated => Header::Repeated,
        }
    }

    fn bearer(self) -> Result<Option<&'r str>, VerifyError> {
        let value = match self {
            Header::Absent => return Ok(None),
            Header::Once(value) => text::trim_blanks(value),
            Header::Repeated => return Err(VerifyError::AuthorizationMalformed),
        };
        let (scheme, token) = text::split_once(value, b' ').unwrap_or((value, ""));
        if !value.is_empty() && !scheme.eq_ignore_ascii_case("Bearer") {
            return Err(without_scheme(value));
        }
        // Two tokens, or two headers that a proxy has joined.
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == ',';
        // That none of its bytes could be part of such a character is seen many at a time.
        let is_plain =
            token.bytes().fold(true, |plain, byte| plain & byte.is_ascii_graphic() & (byte != b','));
        if !is_plain && token.chars().any(is_odd) {
            return Err(VerifyError::AuthorizationMalformed);
        }
        check_presented(token).map(|()| Some(token))
    }
}

/// What a header without `Bearer` holds: a key or a word that was pasted is called by its name.
fn without_scheme(value: &str) -> VerifyError {
    match check_presented(value) {
        Ok(()) | Err(VerifyError::TokenTooLarge { .. }) => VerifyError::AuthorizationMalformed,
        Err(error) => error,
    }
}

/// The default path of the proxy, `/__clerk`, and what is below it, in the one spelling that no router reads
/// differently.
fn is_clerk_proxy(path: &str) -> bool {
    let below = path.strip_prefix("/__clerk");
    let is_plain = !text::contains(path, "..") && !path.bytes().any(|byte| matches!(byte, b'%' | b'\\'));
    is_plain && below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// The path and the query of a URL, absolute or not.
fn path_and_query(url: &str) -> (&str, &str) {
    let url = text::split(url, b'#').next().unwrap_or_default();
    let (before, query) = text::split_once(url, b'?').unwrap_or((url, ""));
    if before.as_bytes().first() == Some(&b'/') {
        return (before, query);
    }
    let path = match text::split_once_at(before, "://") {
        Some((_, rest)) => {
            rest.bytes().position(|byte| byte == b'/').and_then(|at| rest.get(at..)).unwrap_or("/")
        }
        None => before,
    };
    (path, query)
}
