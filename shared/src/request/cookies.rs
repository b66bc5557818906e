//! Which of a request's cookies count. Nothing in them is believed.

use std::borrow::Cow;

use crate::claims;
use crate::json::Value;
use crate::policy::{Policy, PublishableKey};
use crate::text;
use crate::time::UnixTime;
use crate::token::{TokenBuffer, UnverifiedToken};

use super::Request;

pub(super) const SESSION: &str = "__session";
pub(super) const HANDSHAKE: &str = "__clerk_handshake";
pub(super) const HANDSHAKE_NONCE: &str = "__clerk_handshake_nonce";
const CLIENT_UAT: &str = "__client_uat";

/// The cookies of one header that a decision is made from (RFC 6265 section 4.2). Split first and decoded then: the
/// other way round, an encoded `;` would make cookies.
pub(super) fn cookies(header: &str) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let pairs = text::split(header, b';').filter_map(|pair| text::split_once(pair, b'='));
    pairs.filter_map(|(name, value)| {
        let (name, value) = (text::trim_blanks(name), text::trim_blanks(value));
        let is_needed = [SESSION, CLIENT_UAT, HANDSHAKE].iter().any(|needed| name.starts_with(needed));
        let unquoted = value.strip_prefix("\"").and_then(|value| value.strip_suffix("\"")).unwrap_or(value);
        is_needed.then(|| (name, percent_decoded(unquoted)))
    })
}

/// The text with its percent signs decoded (RFC 3986 section 2.1); as it is where they are not well formed.
pub(super) fn percent_decoded(text: &str) -> Cow<'_, str> {
    let mut pieces = text::split(text, b'%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    if bytes.len() == text.len() {
        return Cow::Borrowed(text);
    }
    for piece in pieces {
        let Some((digits, rest)) = piece.as_bytes().split_first_chunk::<2>() else {
            return Cow::Borrowed(text);
        };
        let [Some(high), Some(low)] = digits.map(|digit| char::from(digit).to_digit(16)) else {
            return Cow::Borrowed(text);
        };
        bytes.push((high << 4 | low) as u8);
        bytes.extend_from_slice(rest);
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The names of one instance's cookies: plain, and with the suffix that its publishable key gives.
#[derive(Clone, Debug)]
pub(super) struct CookieNames {
    suffixed: Option<Suffixed>,
}

#[derive(Clone, Debug)]
struct Suffixed {
    session: String,
    client_uat: String,
    is_development: bool,
}

impl CookieNames {
    pub(super) fn of(key: Option<&PublishableKey>) -> CookieNames {
        let suffixed = key.map(|key| {
            let suffix = key.cookie_suffix();
            Suffixed {
                session: format!("{SESSION}_{suffix}"),
                client_uat: format!("{CLIENT_UAT}_{suffix}"),
                is_development: !key.is_live(),
            }
        });
        CookieNames { suffixed }
    }

    /// The set that counts, plain or suffixed: never one cookie of each.
    pub(super) fn pick<'a>(
        &self,
        request: &'a Request<'_>,
        policy: &Policy,
        buffer: &mut TokenBuffer,
        now: UnixTime,
    ) -> CookieSet<'a> {
        let set = |session: &str, client_uat: &str| CookieSet {
            session: request.cookie(session),
            client_uat: request.cookie(client_uat),
        };
        let plain = set(SESSION, CLIENT_UAT);
        let Some(names) = &self.suffixed else { return plain };
        let suffixed = set(&names.session, &names.client_uat);
        let mut glance = |session: Option<&str>| session.and_then(|text| Glance::at(text, policy, buffer));
        let glances = (glance(plain.session), glance(suffixed.session));
        if is_suffixed(plain, suffixed, glances, names.is_development, now) { suffixed } else { plain }
    }
}

/// Two cookies that belong together.
#[derive(Clone, Copy)]
pub(super) struct CookieSet<'a> {
    /// A session token, as it seems.
    pub(super) session: Option<&'a str>,
    client_uat: Option<&'a str>,
}

impl CookieSet<'_> {
    /// When Clerk last changed the client, in seconds; 0 is signed out, and so is what is not a number. One that is too
    /// great to be a time is later than any token.
    pub(super) fn client_uat(&self) -> u64 {
        let digits = self.client_uat.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        digits.map_or(0, |digits| digits.parse().unwrap_or(u64::MAX))
    }

    /// The text is compared; a missing one says nothing.
    fn is_signed_out(&self) -> bool {
        self.client_uat == Some("0")
    }
}

/// The rules of `usesSuffixedCookies` in @clerk/backend, in their order.
fn is_suffixed(
    plain: CookieSet<'_>,
    suffixed: CookieSet<'_>,
    (plain_session, suffixed_session): (Option<Glance>, Option<Glance>),
    is_development: bool,
    now: UnixTime,
) -> bool {
    if plain.session.is_some() {
        match plain_session.map(|session| session.issuer) {
            None | Some(UnverifiedIssuer::None) => return false,
            Some(UnverifiedIssuer::Another) => return true,
            Some(UnverifiedIssuer::Ours) => {}
        }
    }
    if suffixed.session.or(suffixed.client_uat).is_none() {
        return false;
    }
    let issued_at = |session: Option<Glance>| session.and_then(|session| session.issued_at).unwrap_or(0);
    let is_newer = issued_at(plain_session) > issued_at(suffixed_session);
    let expires_at = suffixed_session.and_then(|session| session.expires_at);
    let has_expired = expires_at.is_some_and(|expires_at| expires_at <= now.as_secs());
    match (suffixed.is_signed_out(), plain.is_signed_out()) {
        (false, false) if is_newer => false,
        (true, false) => false,
        (false, true) if is_development && has_expired => false,
        _ => suffixed.session.is_none() || suffixed.client_uat.is_some(),
    }
}

/// What a token says of itself, unverified.
#[derive(Clone, Copy)]
pub(super) struct Glance {
    issuer: UnverifiedIssuer,
    /// In seconds.
    pub(super) issued_at: Option<u64>,
    expires_at: Option<u64>,
}

#[derive(Clone, Copy)]
enum UnverifiedIssuer {
    None,
    Ours,
    Another,
}

impl Glance {
    /// `None` when it is no token.
    pub(super) fn at(text: &str, policy: &Policy, buffer: &mut TokenBuffer) -> Option<Glance> {
        let claims = UnverifiedToken::parse(text, buffer).ok()?.claims;
        let issuer = match claims.iss.and_then(|iss| iss.text()) {
            Some(text) if text.is_empty() => UnverifiedIssuer::None,
            Some(_) if claims::issuer(claims.iss, policy).is_ok() => UnverifiedIssuer::Ours,
            Some(_) => UnverifiedIssuer::Another,
            None => UnverifiedIssuer::None,
        };
        let seconds = |claim: Option<Value<'_>>| claim.and_then(Value::seconds);
        Some(Glance { issuer, issued_at: seconds(claims.iat), expires_at: seconds(claims.exp) })
    }
}
