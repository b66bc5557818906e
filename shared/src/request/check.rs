//! `RequestVerifier`: the whole decision about a request.

use core::fmt;
use core::time::Duration;

use crate::error::VerifyError;
use crate::key_cache::Lookup;
use crate::key_set::KeyId;
use crate::policy::{AuthorizedParties, PublishableKey};
use crate::principal::Principal;
use crate::time::UnixTime;
use crate::token::TokenBuffer;
use crate::verifier::{ScreenedToken, Verifier};

use super::cookies::{CookieNames, Glance};
use super::{Header, Request, is_clerk_proxy, path_and_query};

/// What stands before a token in a header, in any case.
const SCHEME: &[u8] = b"Bearer ";

/// Whether a session may come in a cookie.
#[derive(Clone, Debug)]
pub enum CookieAuth {
    /// Never: a request that carries a session in a cookie alone is told so.
    Off,
    /// Where no header presents a token. The cookies' names are plain, or end with the suffix that the publishable key
    /// gives.
    On(Option<PublishableKey>),
}

/// Decides about requests, under one policy.
///
/// A request is decided in two steps, so that keys may be fetched between them: [`screen`](RequestVerifier::screen)
/// needs no key, [`verify`](RequestVerifier::verify) does. [`check`](RequestVerifier::check) is both, where keys are at
/// hand.
///
/// A header that presents a token is all that is looked at: when it fails, no cookie makes up for it.
///
/// A session that comes in a cookie comes with every request that the browser makes, whoever had it made. So it is
/// taken only with an accepted `azp`, even where a policy allows that to be missing; and for a write only with an
/// `Origin` that is an authorized party, or the token's own party where any is.
#[derive(Clone, Debug)]
pub struct RequestVerifier {
    verifier: Verifier,
    /// `None` where cookies are not taken.
    cookies: Option<CookieNames>,
}

/// What a request is.
///
/// In front of Clerk's own middleware, `Stale` and `Unavailable` go on to it, as `Anonymous` does where nobody needs to
/// be signed in; nothing of it is believed. Instead of it, they are 401, 503 and 401.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// It stands for this principal.
    Verified(Box<Principal>),
    /// It presents nothing.
    Anonymous,
    /// Its cookies may belong to a session that goes on: Clerk can tell, and will renew what is out of date. Nobody is
    /// signed in by it.
    Stale(VerifyError),
    /// What it presents is refused.
    Rejected(VerifyError),
    /// The keys could not be had: nobody can tell.
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
}

impl Check {
    /// Its name in JavaScript and in vectors.
    pub fn as_str(&self) -> &'static str {
        match self {
            Check::Verified(_) => "verified",
            Check::Anonymous => "anonymous",
            Check::Stale(_) => "stale",
            Check::Rejected(_) => "rejected",
            Check::Unavailable { .. } => "unavailable",
        }
    }
}

/// A token that a request presents, screened, and how it came.
#[derive(Clone)]
pub struct PresentedToken<'a> {
    token: ScreenedToken<'a>,
    carrier: Carrier<'a>,
}

#[derive(Clone, Copy)]
enum Carrier<'a> {
    Header,
    Cookie {
        /// It was issued before Clerk last changed the client.
        is_older_than_client: bool,
        /// The `Origin` that must be an authorized party.
        write_from: Option<Header<'a>>,
        is_handshake: bool,
    },
}

impl<'a> PresentedToken<'a> {
    /// The token.
    pub fn token(&self) -> &ScreenedToken<'a> {
        &self.token
    }

    /// The key that it names.
    pub fn key_id(&self) -> &KeyId {
        self.token.key_id()
    }

    /// Whether it came in a cookie: an answer then depends on `Cookie` too.
    pub fn is_cookie(&self) -> bool {
        matches!(self.carrier, Carrier::Cookie { .. })
    }
}

impl fmt::Debug for PresentedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedToken(…)")
    }
}

impl RequestVerifier {
    /// Decides by this verifier, with or without cookies.
    pub fn new(verifier: Verifier, cookies: CookieAuth) -> RequestVerifier {
        let cookies = match cookies {
            CookieAuth::Off => None,
            CookieAuth::On(key) => Some(CookieNames::of(key.as_ref())),
        };
        RequestVerifier { verifier, cookies }
    }

    /// What judges the tokens.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The whole decision, with keys from `lookup`: those of a [`KeyCache`](crate::KeyCache), for example. Where they
    /// would have to be fetched first, nobody can tell.
    pub fn check(
        &self,
        request: &Request<'_>,
        buffer: &mut TokenBuffer,
        lookup: impl FnOnce(&KeyId) -> Lookup,
        now: UnixTime,
    ) -> Check {
        match self.screen(request, buffer, now) {
            Ok(presented) => self.verify(&presented, lookup(presented.key_id()), now),
            Err(decided) => decided,
        }
    }

    /// What follows `Bearer` in the one `Authorization` header of a request for `url`, unread. If that is a token, it is
    /// the one on which alone the decision depends, as [`token_in_header`](RequestVerifier::token_in_header) has it: for
    /// whoever remembers what was decided about the very same bytes, and takes no others for a token.
    pub fn bytes_in_header<'h>(
        &self,
        url: &str,
        authorization: impl IntoIterator<Item = &'h [u8]>,
    ) -> Option<&'h [u8]> {
        let mut values = authorization.into_iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let (scheme, token) = value.split_at_checked(SCHEME.len())?;
        let left_to_clerk = self.cookies.is_some() && is_clerk_proxy(path_and_query(url).0);
        (scheme.eq_ignore_ascii_case(SCHEME) && !left_to_clerk).then_some(token)
    }

    /// The token on which alone the decision depends, that of a header: for whoever remembers what was decided about it.
    pub fn token_in_header<'a>(&self, request: &'a Request<'_>) -> Option<&'a str> {
        let left_to_clerk = self.cookies.is_some() && request.is_clerk_proxy();
        request.authorization.bearer().ok().flatten().filter(|_| !left_to_clerk)
    }

    /// The first step: which token is presented, and whether it could be one of ours.
    ///
    /// # Errors
    ///
    /// What the request is, where that is decided without a key. It is never [`Check::Verified`].
    pub fn screen<'a>(
        &self,
        request: &'a Request<'_>,
        buffer: &'a mut TokenBuffer,
        now: UnixTime,
    ) -> Result<PresentedToken<'a>, Check> {
        if self.cookies.is_some() && request.is_clerk_proxy() {
            return Err(Check::Stale(VerifyError::TokenMissing));
        }
        if let Some(text) = request.authorization.bearer().map_err(Check::Rejected)? {
            let token = self.verifier.screen(text, buffer).map_err(Check::Rejected)?;
            return Ok(PresentedToken { token, carrier: Carrier::Header });
        }
        match &self.cookies {
            Some(names) => self
                .screen_cookies(request, names, buffer, now)
                .map_err(|check| if request.is_handshake() { left_to_clerk(check) } else { check }),
            None if request.has_session_cookie() => Err(Check::Rejected(VerifyError::CookieAuthOff)),
            None => Err(Check::Anonymous),
        }
    }

    /// The second step: what the request is, given the keys.
    pub fn verify(&self, presented: &PresentedToken<'_>, lookup: Lookup, now: UnixTime) -> Check {
        let keys = match lookup {
            Lookup::Use(keys) | Lookup::UseAndRefresh(keys) => keys,
            Lookup::Fetch => return Check::Unavailable { retry_after: Duration::ZERO },
            Lookup::Unavailable { retry_after } => return Check::Unavailable { retry_after },
            Lookup::UnknownKid => {
                let error = VerifyError::UnknownKid(presented.key_id().clone());
                return presented.carrier.refuses(error);
            }
        };
        match self.verifier.verify(&presented.token, &keys, now) {
            Ok(principal) => self.accept(principal, presented.carrier),
            Err(error) => presented.carrier.refuses(error),
        }
    }

    /// Rows 7 to 12 of Clerk's decision table for cookies (`authenticateRequestWithTokenInCookie` in @clerk/backend).
    /// The rows before them, of satellites and development browsers, are for Clerk's own middleware.
    fn screen_cookies<'a>(
        &self,
        request: &'a Request<'_>,
        names: &CookieNames,
        buffer: &'a mut TokenBuffer,
        now: UnixTime,
    ) -> Result<PresentedToken<'a>, Check> {
        let policy = self.verifier.policy();
        let set = names.pick(request, policy, buffer, now);
        let client_uat = set.client_uat();
        let text = match (set.session, client_uat) {
            (None, 0) => return Err(Check::Anonymous),
            (Some(_), 0) => return Err(Check::Stale(VerifyError::SessionWithoutClientUat)),
            (None, _) => return Err(Check::Stale(VerifyError::ClientUatWithoutSession)),
            (Some(text), _) => text,
        };
        // Equal is not older. Without a time of issue nobody can tell that it is not.
        let issued_at = Glance::at(text, policy, buffer).and_then(|session| session.issued_at);
        let is_older_than_client = issued_at.is_none_or(|issued_at| issued_at < client_uat);
        let token = self.verifier.screen(text, buffer).map_err(Check::Rejected)?;
        let write_from = request.is_write().then_some(request.origin);
        let is_handshake = request.is_handshake();
        Ok(PresentedToken {
            token,
            carrier: Carrier::Cookie { is_older_than_client, write_from, is_handshake },
        })
    }

    /// What is asked of a genuine token beyond what it says, since it came so.
    fn accept(&self, principal: Principal, carrier: Carrier<'_>) -> Check {
        let Carrier::Cookie { is_older_than_client, write_from, .. } = carrier else {
            return Check::Verified(Box::new(principal));
        };
        if is_older_than_client {
            return Check::Stale(VerifyError::SessionOlderThanClientUat);
        }
        // Clerk makes tokens without `azp` while a page is navigated to, and one with it a minute later.
        let Some(party) = principal.authorized_party() else {
            return Check::Stale(VerifyError::MissingAzp);
        };
        let may_write =
            |origin: Header<'_>| origin.is_accepted(self.verifier.policy().authorized_parties(), party);
        if write_from.is_none_or(may_write) {
            Check::Verified(Box::new(principal))
        } else {
            Check::Rejected(VerifyError::OriginRefused)
        }
    }
}

impl Header<'_> {
    /// Whether it is the one `Origin` (RFC 6454 section 7) of a page that may write. Where any party will do, it is
    /// the token's own: or the pages of anybody could.
    fn is_accepted(self, parties: &AuthorizedParties, party: &str) -> bool {
        let Header::Once(origin) = self else { return false };
        match parties {
            AuthorizedParties::AnyParty => origin == party && origin != "null",
            AuthorizedParties::Only(_) => parties.include(origin),
        }
    }
}

impl Carrier<'_> {
    /// What a request is whose token is refused so: rows 12 to 15 of Clerk's decision table. That the times of a token
    /// are looked at shows that its signature holds.
    fn refuses(self, error: VerifyError) -> Check {
        let Carrier::Cookie { is_older_than_client, is_handshake, .. } = self else {
            return Check::Rejected(error);
        };
        match error {
            VerifyError::Expired { .. }
            | VerifyError::NotActiveYet { .. }
            | VerifyError::IssuedInTheFuture { .. }
                if is_older_than_client =>
            {
                Check::Stale(VerifyError::SessionOlderThanClientUat)
            }
            VerifyError::Expired { .. }
            | VerifyError::NotActiveYet { .. }
            | VerifyError::IssuedInTheFuture { .. } => Check::Stale(error),
            // Its user has something to finish on Clerk's pages.
            VerifyError::SessionPending => Check::Stale(error),
            _ if is_handshake => Check::Stale(error),
            _ => Check::Rejected(error),
        }
    }
}

/// A handshake comes to replace the cookies that it finds, so they do not decide about it.
fn left_to_clerk(check: Check) -> Check {
    match check {
        Check::Anonymous => Check::Stale(VerifyError::TokenMissing),
        Check::Rejected(error) => Check::Stale(error),
        check => check,
    }
}
