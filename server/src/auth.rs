//! Who a request comes from: tokens to principals, with our refusals.

use std::convert::Infallible;
use std::sync::Arc;

use doorward_verifier::{
    Code, KeyId, KeySet, Lookup, Principal, Requirement, ScreenedToken, TokenBuffer, UnixTime,
    UnverifiedPrincipal, VerifyError,
};
use http::{HeaderMap, header};
use warp::Filter;

use crate::app::App;
use crate::error::ApiError;
use crate::keys::KeysError;
use crate::telemetry;
use crate::users::{SignedIn, UserError};

/// Who a request comes from, as far as the server could tell.
#[derive(Clone, Debug)]
pub(crate) enum Session {
    /// A verified token names them.
    Verified(Principal),
    /// The debug fallback: a token names them that nobody could check.
    Unverified(UnverifiedPrincipal),
}

impl Session {
    /// The principal, for whatever must not be done on somebody's mere word.
    pub(crate) fn verified(self) -> Result<Principal, ApiError> {
        match self {
            Session::Verified(principal) => Ok(principal),
            Session::Unverified(_) => Err(ApiError::new(Code::UnverifiedPrincipal)),
        }
    }
}

/// The principal of a request: a filter that never rejects, since a rejection would mean "not my route". Put it
/// behind path and method, and answer its `Err` as it is.
pub fn principal(
    app: &Arc<App>,
) -> impl Filter<Extract = (Result<Principal, ApiError>,), Error = Infallible> + Clone {
    let app = Arc::clone(app);
    presented().then(move |headers| {
        let app = Arc::clone(&app);
        async move { app.authenticate(&headers).await }
    })
}

/// The principal of a request, or none where no credentials came with it. Bad credentials are refused all the same.
pub fn optional_principal(
    app: &Arc<App>,
) -> impl Filter<Extract = (Result<Option<Principal>, ApiError>,), Error = Infallible> + Clone {
    principal(app).map(|outcome: Result<Principal, ApiError>| match outcome {
        Err(error) if error.code() == Code::TokenMissing => Ok(None),
        outcome => outcome.map(Some),
    })
}

/// The principal of a request, who has all that is required.
pub fn principal_with(
    app: &Arc<App>,
    requirement: Requirement<'static>,
) -> impl Filter<Extract = (Result<Principal, ApiError>,), Error = Infallible> + Clone {
    principal(app).map(move |outcome: Result<Principal, ApiError>| {
        let principal = outcome?;
        require(&principal, &requirement)?;
        Ok(principal)
    })
}

/// The principal of a request and their user, who is created on first sight.
pub fn signed_in(
    app: &Arc<App>,
) -> impl Filter<Extract = (Result<(Principal, SignedIn), ApiError>,), Error = Infallible> + Clone {
    let app = Arc::clone(app);
    presented().then(move |headers| {
        let app = Arc::clone(&app);
        async move { app.sign_in(app.authenticate(&headers).await?).await }
    })
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

/// What a request presents. Never rejects.
pub(crate) fn presented() -> impl Filter<Extract = (HeaderMap,), Error = Infallible> + Clone {
    warp::header::headers_cloned()
}

impl App {
    /// The principal of a request with these headers.
    ///
    /// # Errors
    ///
    /// 401 for whatever the token lacks, 503 when that can't be told.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, ApiError> {
        let token = bearer(headers)?;
        self.verify(token).await.map_err(refuse)
    }

    /// As [`App::authenticate`], with the debug fallback.
    pub(crate) async fn session(&self, headers: &HeaderMap) -> Result<Session, ApiError> {
        let token = bearer(headers)?;
        match self.verify(token).await {
            Ok(principal) => Ok(Session::Verified(principal)),
            Err(VerifyError::KeysUnavailable { .. }) if self.falls_back() => {
                self.judge_unverified(token).map(Session::Unverified).map_err(refuse)
            }
            Err(error) => Err(refuse(error)),
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

    async fn verify(&self, token: &str) -> Result<Principal, VerifyError> {
        let mut buffer = Box::new(TokenBuffer::new());
        let token = self.verifier.screen(token, &mut buffer)?;
        let now = self.clock.now();
        let keys = self.keys_for(token.key_id(), now).await?;
        let principal = match self.verifier.verify(&token, &keys, now) {
            Err(VerifyError::WrongSignature) => self.verify_again(&token, now).await?,
            outcome => outcome?,
        };
        telemetry::token_verified(principal.user_id());
        telemetry::authenticated_by_header();
        Ok(principal)
    }

    async fn keys_for(&self, kid: &KeyId, now: UnixTime) -> Result<Arc<KeySet>, VerifyError> {
        if let Lookup::Use(keys) | Lookup::UseAndRefresh(keys) = self.keys.lookup(kid, now) {
            return Ok(keys);
        }
        self.keys.for_kid(kid).await.map_err(|error| match error {
            KeysError::UnknownKid => VerifyError::UnknownKid(kid.clone()),
            KeysError::Unavailable { retry_after } => VerifyError::KeysUnavailable { retry_after },
        })
    }

    /// The issuer may have put another key under the same name.
    async fn verify_again(&self, token: &ScreenedToken<'_>, now: UnixTime) -> Result<Principal, VerifyError> {
        let keys =
            self.keys.after_wrong_signature(token.key_id()).await.ok_or(VerifyError::WrongSignature)?;
        self.verifier.verify(token, &keys, now)
    }

    /// The debug fallback is on, no key set is usable, and fetching one failed.
    fn falls_back(&self) -> bool {
        self.config.debug_fallback && self.keys.status(self.clock.now()).is_without_keys()
    }

    fn judge_unverified(&self, token: &str) -> Result<UnverifiedPrincipal, VerifyError> {
        let mut buffer = Box::new(TokenBuffer::new());
        let token = self.verifier.screen(token, &mut buffer)?;
        let unverified = self.verifier.judge_unverified(&token, self.clock.now())?;
        telemetry::jwks_failed(&"no keys could be had, and the last attempt failed");
        telemetry::unverified_in_debug();
        Ok(unverified)
    }
}

/// The token of the one `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).into_iter();
    let value = values.next().ok_or(ApiError::from(VerifyError::TokenMissing))?;
    let malformed = || ApiError::from(VerifyError::AuthorizationMalformed);
    let text = value.to_str().ok().filter(|_| values.next().is_none()).ok_or_else(malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or_else(malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(malformed()) }
}

/// Logs why a token was refused, in the guide's words, and makes the answer.
fn refuse(error: VerifyError) -> ApiError {
    match &error {
        VerifyError::MissingSub => telemetry::missing_sub(),
        VerifyError::WrongIss { presented, .. } => telemetry::invalid_issuer(presented),
        VerifyError::UnknownKid(kid) => telemetry::no_matching_key(kid),
        VerifyError::KeysUnavailable { .. } => {}
        error => telemetry::verification_error(error),
    }
    ApiError::from(error)
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
