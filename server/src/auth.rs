//! Who a request comes from: tokens to principals, with our refusals.

use std::convert::Infallible;
use std::sync::Arc;

use doorward_verifier::{
    Check, Code, Lookup, PresentedToken, Principal, Request, Requirement, TokenBuffer, UnixTime,
    UnverifiedPrincipal, VerifyError,
};
use http::{HeaderMap, HeaderValue, Method, header};
use warp::Filter;
use warp::path::FullPath;

use crate::app::App;
use crate::error::ApiError;
use crate::keys::KeysError;
use crate::proxy::Peer;
use crate::telemetry;
use crate::users::{SignedIn, UserError};

/// What of a request says who it comes from.
#[derive(Debug)]
pub struct Presented {
    method: Method,
    path: FullPath,
    headers: HeaderMap,
    /// None in a server that was put together in another way.
    peer: Option<Peer>,
}

/// Who a request comes from, as far as the server could tell.
#[derive(Clone, Debug)]
pub(crate) enum Session {
    /// A verified token names them.
    Verified(Arc<Principal>),
    /// The debug fallback: a token names them that nobody could check.
    Unverified(Box<UnverifiedPrincipal>),
}

impl Session {
    /// The principal, for whatever must not be done on somebody's mere word.
    pub(crate) fn verified(self) -> Result<Arc<Principal>, ApiError> {
        match self {
            Session::Verified(principal) => Ok(principal),
            Session::Unverified(_) => Err(ApiError::new(Code::UnverifiedPrincipal)),
        }
    }
}

/// The principal of a request. Like all filters here it never rejects, since a rejection would mean "not my route": it
/// yields what the handler answers, which is the refusal where nobody may come in. Put it behind path and method.
pub fn principal(
    app: &Arc<App>,
) -> impl Filter<Extract = (Result<Principal, ApiError>,), Error = Infallible> + Clone + use<> {
    let app = Arc::clone(app);
    presented().then(move |presented: Presented| {
        let app = Arc::clone(&app);
        async move { app.authenticate(&presented).await }
    })
}

/// The principal of a request, or none where nothing was presented. Bad credentials are refused all the same.
pub fn optional_principal(
    app: &Arc<App>,
) -> impl Filter<Extract = (Result<Option<Principal>, ApiError>,), Error = Infallible> + Clone + use<> {
    principal(app).map(optional)
}

/// The principal of a request, who has all that is required.
pub fn principal_with(
    app: &Arc<App>,
    requirement: Requirement<'static>,
) -> impl Filter<Extract = (Result<Principal, ApiError>,), Error = Infallible> + Clone + use<> {
    principal(app).map(move |outcome: Result<Principal, ApiError>| {
        let principal = outcome?;
        require(&principal, &requirement)?;
        Ok(principal)
    })
}

/// The principal of a request and their user, who is created on first sight.
pub fn signed_in(
    app: &Arc<App>,
) -> impl Filter<Extract = (Result<(Principal, SignedIn), ApiError>,), Error = Infallible> + Clone + use<> {
    sign_in_after(app, principal(app))
}

/// As [`signed_in`], or none where nothing was presented.
pub fn optional_signed_in(
    app: &Arc<App>,
) -> impl Filter<Extract = (Result<Option<(Principal, SignedIn)>, ApiError>,), Error = Infallible> + Clone + use<>
{
    signed_in(app).map(optional)
}

/// As [`signed_in`], with all that is required.
pub fn signed_in_with(
    app: &Arc<App>,
    requirement: Requirement<'static>,
) -> impl Filter<Extract = (Result<(Principal, SignedIn), ApiError>,), Error = Infallible> + Clone + use<> {
    sign_in_after(app, principal_with(app, requirement))
}

fn sign_in_after<F>(
    app: &Arc<App>,
    principal: F,
) -> impl Filter<Extract = (Result<(Principal, SignedIn), ApiError>,), Error = Infallible> + Clone + use<F>
where
    F: Filter<Extract = (Result<Principal, ApiError>,), Error = Infallible> + Clone + Send,
{
    let app = Arc::clone(app);
    principal.then(move |outcome: Result<Principal, ApiError>| {
        let app = Arc::clone(&app);
        async move { app.sign_in(outcome?).await }
    })
}

fn optional<T>(outcome: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match outcome {
        Err(error) if error.code() == Code::TokenMissing => Ok(None),
        outcome => outcome.map(Some),
    }
}

/// 403 unless the principal has all that is required.
///
/// # Errors
///
/// `reverification-required` where a fresh confirmation alone is missing, else `not-allowed`.
pub fn require(principal: &Principal, requirement: &Requirement<'_>) -> Result<(), ApiError> {
    if principal.has(requirement) {
        return Ok(());
    }
    let without_freshness = Requirement { reverification: None, ..*requirement };
    let asks_for_more = without_freshness != Requirement::default();
    let only_freshness =
        requirement.reverification.is_some() && (!asks_for_more || principal.has(&without_freshness));
    Err(ApiError::new(if only_freshness { Code::ReverificationRequired } else { Code::NotAllowed }))
}

/// What a request presents: a filter that never rejects.
pub fn presented() -> impl Filter<Extract = (Presented,), Error = Infallible> + Clone {
    warp::method()
        .and(warp::path::full())
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional())
        .map(|method, path, headers, peer| Presented { method, path, headers, peer })
}

impl Presented {
    /// The same with another method: what is asked about is another request than the one that asks.
    pub(crate) fn with_method(self, method: Method) -> Presented {
        Presented { method, ..self }
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// As the engine reads it. A value that is not text is no credential, which is not the same as none.
    fn request(&self) -> Request<'_> {
        let text = |value| str::from_utf8(value).unwrap_or("\u{fffd}");
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), text(value.as_bytes())));
        Request::new(self.method.as_str(), self.path.as_str(), headers)
    }

    /// What every `Authorization` header holds.
    fn authorization(&self) -> impl Iterator<Item = &[u8]> {
        self.headers.get_all(header::AUTHORIZATION).into_iter().map(HeaderValue::as_bytes)
    }
}

impl App {
    /// The principal of a request.
    ///
    /// # Errors
    ///
    /// 401 for whatever the token lacks, 503 when that can't be told.
    pub async fn authenticate(&self, presented: &Presented) -> Result<Principal, ApiError> {
        let principal = self.check(presented).await.map_err(|error| self.refuse(presented, error))?;
        self.users.admit(&principal)?;
        Ok(Arc::unwrap_or_clone(principal))
    }

    /// As [`App::authenticate`], with the debug fallback.
    pub(crate) async fn session(&self, presented: &Presented) -> Result<Session, ApiError> {
        match self.check(presented).await {
            Ok(principal) => {
                self.users.admit(&principal)?;
                Ok(Session::Verified(principal))
            }
            Err(VerifyError::KeysUnavailable { .. }) if self.falls_back() => {
                let judged =
                    self.judge_unverified(&presented.request()).map(Box::new).map(Session::Unverified);
                judged.map_err(|error| self.refuse(presented, error))
            }
            Err(error) => Err(self.refuse(presented, error)),
        }
    }

    /// The user of a principal, created on first sight.
    ///
    /// # Errors
    ///
    /// 403 for users who may not come in, 503 when that can't be told.
    pub async fn sign_in(&self, principal: Principal) -> Result<(Principal, SignedIn), ApiError> {
        let signed_in = self.users.sign_in(&principal).await?;
        Ok((principal, signed_in))
    }

    /// The answer to a request that was refused: why, or, to those who are refused all the time, to wait.
    fn refuse(&self, presented: &Presented, error: VerifyError) -> ApiError {
        let client = presented.peer.map(|peer| self.proxies.client(peer, &presented.headers));
        let counted =
            client.map_or(Ok(()), |client| self.failures.count(client, error.code(), self.clock.now()));
        match counted {
            Ok(()) => {
                log_refusal(&error);
                ApiError::from(error)
            }
            Err(wait) => ApiError::new(Code::TooManyRequests).retry_after(wait),
        }
    }

    async fn check(&self, presented: &Presented) -> Result<Arc<Principal>, VerifyError> {
        let now = self.clock.now();
        let (principal, by_header) = match self.remembered(presented, now) {
            Some(principal) => (principal, true),
            // Its state is large, and most requests need none of it.
            None => Box::pin(self.check_anew(&presented.request(), now)).await?,
        };
        telemetry::token_verified(principal.user_id());
        if by_header {
            telemetry::authenticated_by_header();
        } else {
            telemetry::authenticated_by_cookie();
        }
        Ok(principal)
    }

    /// Whom the token in the header stands for, if the very same was accepted before and that still holds.
    fn remembered(&self, presented: &Presented, now: UnixTime) -> Option<Arc<Principal>> {
        let token = self.verifier.bytes_in_header(presented.path.as_str(), presented.authorization())?;
        self.verdicts.find(token, |kid| self.keys.lookup(kid, now), now)
    }

    /// The principal, and whether its token came in the header.
    async fn check_anew(
        &self,
        request: &Request<'_>,
        now: UnixTime,
    ) -> Result<(Arc<Principal>, bool), VerifyError> {
        let token = self.verifier.token_in_header(request);
        let mut buffer = Box::new(TokenBuffer::new());
        let presented = self.verifier.screen(request, &mut buffer, now).map_err(reason)?;
        if self.keys.is_withdrawn(presented.key_id(), now) {
            return Err(VerifyError::DeniedKid(presented.key_id().clone()));
        }
        let lookup = self.lookup(&presented, now).await;
        let keys = lookup.keys().cloned();
        let principal = match principal_of(self.verifier.verify(&presented, lookup, now)) {
            Err(VerifyError::WrongSignature) => Arc::new(self.check_again(&presented, now).await?),
            Err(error) => return Err(error),
            Ok(principal) => {
                let principal = Arc::new(principal);
                if let (Some(token), Some(keys)) = (token, keys) {
                    self.verdicts.remember(token, &principal, &keys, now);
                }
                principal
            }
        };
        Ok((principal, token.is_some()))
    }

    /// The key that a token names, fetched where that may be done.
    async fn lookup(&self, presented: &PresentedToken<'_>, now: UnixTime) -> Lookup {
        match self.keys.lookup(presented.key_id(), now) {
            Lookup::Fetch => match self.keys.for_kid(presented.key_id()).await {
                Ok(keys) => Lookup::Use(keys),
                Err(KeysError::UnknownKid) => Lookup::UnknownKid,
                Err(KeysError::Unavailable { retry_after }) => Lookup::Unavailable { retry_after },
            },
            lookup => lookup,
        }
    }

    /// The issuer may have put another key under the same name.
    async fn check_again(
        &self,
        presented: &PresentedToken<'_>,
        now: UnixTime,
    ) -> Result<Principal, VerifyError> {
        let keys =
            self.keys.after_wrong_signature(presented.key_id()).await.ok_or(VerifyError::WrongSignature)?;
        principal_of(self.verifier.verify(presented, Lookup::Use(keys), now))
    }

    /// The debug fallback is on, no key set is usable, and fetching one failed.
    fn falls_back(&self) -> bool {
        self.config.debug_fallback && self.keys.status(self.clock.now()).is_without_keys()
    }

    /// A token in a cookie is not judged so: its browser sends it unasked.
    fn judge_unverified(&self, request: &Request<'_>) -> Result<UnverifiedPrincipal, VerifyError> {
        let mut buffer = Box::new(TokenBuffer::new());
        let now = self.clock.now();
        let presented = self.verifier.screen(request, &mut buffer, now).map_err(reason)?;
        if presented.is_cookie() {
            return Err(VerifyError::KeysUnavailable { retry_after: self.keys.status(now).retry_after });
        }
        let unverified = self.verifier.verifier().judge_unverified(presented.token(), now)?;
        telemetry::jwks_failed(&"no keys could be had, and the last attempt failed");
        telemetry::unverified_in_debug();
        Ok(unverified)
    }
}

fn principal_of(check: Check) -> Result<Principal, VerifyError> {
    match check {
        Check::Verified(principal) => Ok(*principal),
        check => Err(reason(check)),
    }
}

/// Why nobody is signed in. An API answers `stale` as a refusal: there is no page to send the browser to.
fn reason(check: Check) -> VerifyError {
    match check {
        Check::Stale(error) | Check::Rejected(error) => error,
        Check::Unavailable { retry_after } => VerifyError::KeysUnavailable { retry_after },
        _ => VerifyError::TokenMissing,
    }
}

/// Says in the log why a token was refused, in the guide's words.
fn log_refusal(error: &VerifyError) {
    match error {
        VerifyError::MissingSub => telemetry::missing_sub(),
        VerifyError::WrongIss { presented, .. } => telemetry::invalid_issuer(presented),
        VerifyError::UnknownKid(kid) => telemetry::no_matching_key(kid),
        VerifyError::KeysUnavailable { .. } | VerifyError::TokenMissing => {}
        error => telemetry::verification_error(error),
    }
}

impl From<UserError> for ApiError {
    fn from(error: UserError) -> ApiError {
        match error {
            UserError::Unavailable { retry_after } => {
                ApiError::new(Code::StoreUnavailable).retry_after(retry_after)
            }
            UserError::Banned => ApiError::new(Code::UserBanned),
            UserError::Deleted => ApiError::new(Code::UserDeleted),
            UserError::Inactive => ApiError::new(Code::UserInactive),
            UserError::Revoked => ApiError::new(Code::SessionRevoked),
        }
    }
}
