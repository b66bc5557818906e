//! `Seat`: one verifier of JavaScript's, with its keys.

use core::time::Duration;
use std::sync::Arc;

use doorward_verifier::{
    Algorithm, AuthorizedParties, Check, CookieAuth, DEFAULT_HARD_AGE, Grants, Issuer, Jwks, KeyCache,
    KeyError, KeyId, KeyMaterial, KeySet, Lookup, MissingAzp, OwnRsa, Policy, PolicyError, Principal,
    PublishableKey, REFRESH_AFTER, Request, RequestVerifier, Requirement, Reverification,
    ReverificationLevel, Rsa, TokenBuffer, UNKNOWN_KID_COOLDOWN, UnixTime, Verifier, VerifyError,
};

use crate::host::HostRsa;
use crate::pairs::Pairs;

pub(crate) struct Seat {
    requests: RequestVerifier,
    rsa: Box<dyn Rsa>,
    keys: Keys,
}

enum Keys {
    /// Written into the settings: they do not age.
    Given(Arc<KeySet>),
    /// The issuer's, by way of JavaScript's `fetch`.
    Fetched(KeyCache),
}

/// What is to be done about a token or a request.
#[expect(
    clippy::large_enum_variant,
    reason = "lives for one call; a box would cost an allocation for each token"
)]
pub(crate) enum Judgement {
    Accept {
        principal: Principal,
        /// Until when the same verdict may be given without asking again.
        until: UnixTime,
        /// The keys are due: fetch them behind the answer.
        refresh: bool,
    },
    /// A token is refused.
    Refuse(VerifyError),
    /// A request is this, and not verified.
    Decide(Check),
    /// Fetch the keys, then ask again.
    Fetch,
}

/// When something is judged.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: UnixTime,
    /// The keys have just been fetched.
    pub(crate) after_fetch: bool,
}

/// Why a verifier can't be made of its settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error("{0} is not an algorithm: name RS256, RS384 or RS512")]
    Algorithm(String),
    #[error("a key id has 1 to 128 bytes")]
    KeyId,
    #[error("the given keys: {0}")]
    Keys(#[from] KeyError),
}

impl Seat {
    /// A verifier of these settings. `checker` is the host's RSA check; without one, ours is used.
    pub(crate) fn new(settings: Pairs<'_>, checker: Option<u32>) -> Result<Seat, SettingsError> {
        let rsa: Box<dyn Rsa> = match checker {
            Some(checker) => Box::new(HostRsa { checker }),
            None => Box::new(OwnRsa),
        };
        let key = settings.get("publishableKey").map(PublishableKey::parse).transpose()?;
        let verifier = Verifier::new(policy(settings, key.as_ref())?);
        let cookies = match settings.get("cookies") {
            Some("off") => CookieAuth::Off,
            _ => CookieAuth::On(key),
        };
        let requests = RequestVerifier::new(verifier, cookies);
        Ok(Seat { requests, rsa, keys: Keys::Fetched(KeyCache::new(DEFAULT_HARD_AGE)) })
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        self.requests.verifier().policy().issuer()
    }

    /// Takes keys that were written into the settings.
    pub(crate) fn give(&mut self, text: &str) -> Result<(), SettingsError> {
        let keys = KeyMaterial::parse(text)?.key_set(self.issuer(), &*self.rsa)?;
        self.keys = Keys::Given(Arc::new(keys));
        Ok(())
    }

    pub(crate) fn fetch_started(&mut self, now: UnixTime) {
        if let Keys::Fetched(cache) = &mut self.keys {
            cache.fetch_started(now);
        }
    }

    pub(crate) fn fetch_failed(&mut self, now: UnixTime, retry_after: Option<Duration>) {
        if let Keys::Fetched(cache) = &mut self.keys {
            cache.fetch_failed(now, retry_after);
        }
    }

    /// The issuer's answer. Whether it was understood: else it counts as a failure, and what is held stays.
    pub(crate) fn fetched(&mut self, document: &[u8], asked_at: UnixTime, now: UnixTime) -> bool {
        let keys = self.published(document);
        let Keys::Fetched(cache) = &mut self.keys else { return false };
        let understood = keys.is_some();
        match keys {
            Some(keys) => cache.fetched(keys, asked_at, now),
            None => cache.fetch_failed(now, None),
        }
        // A server's copy that is overdue itself: it is good, and asking again at once would bring the same.
        if now.since(asked_at) >= REFRESH_AFTER {
            cache.fetch_failed(now, Some(UNKNOWN_KID_COOLDOWN));
        }
        understood
    }

    /// A copy that another instance of the module held.
    pub(crate) fn restored(&mut self, document: &[u8], asked_at: UnixTime, now: UnixTime) -> bool {
        let keys = self.published(document);
        match (&mut self.keys, keys) {
            (Keys::Fetched(cache), Some(keys)) => cache.restored(keys, asked_at, now),
            _ => false,
        }
    }

    /// Whether a fetch is due before anything is asked.
    pub(crate) fn wants_keys(&self, now: UnixTime) -> bool {
        match &self.keys {
            Keys::Given(_) => false,
            Keys::Fetched(cache) => {
                let status = cache.status(now);
                (!status.usable || status.stale) && status.retry_after.is_zero()
            }
        }
    }

    /// Judges a token.
    pub(crate) fn token(&self, text: &str, buffer: &mut TokenBuffer, at: Moment) -> Judgement {
        let token = match self.requests.verifier().screen(text, buffer) {
            Ok(token) => token,
            Err(refusal) => return Judgement::Refuse(refusal),
        };
        let (keys, refresh) = match self.lookup(token.key_id(), at) {
            Lookup::Use(keys) => (keys, false),
            Lookup::UseAndRefresh(keys) => (keys, true),
            Lookup::Fetch => return Judgement::Fetch,
            Lookup::UnknownKid => return Judgement::Refuse(VerifyError::UnknownKid(token.key_id().clone())),
            Lookup::Unavailable { retry_after } => {
                return Judgement::Refuse(VerifyError::KeysUnavailable { retry_after });
            }
        };
        match self.requests.verifier().verify(&token, &keys, at.now) {
            Ok(principal) => self.accept(principal, at, refresh),
            Err(refusal) if self.suspects_rekeying(&refusal, at) => Judgement::Fetch,
            Err(refusal) => Judgement::Refuse(refusal),
        }
    }

    /// Judges a request.
    pub(crate) fn request(&self, request: &Request<'_>, buffer: &mut TokenBuffer, at: Moment) -> Judgement {
        let presented = match self.requests.screen(request, buffer, at.now) {
            Ok(presented) => presented,
            Err(decided) => return Judgement::Decide(decided),
        };
        let lookup = self.lookup(presented.key_id(), at);
        if matches!(lookup, Lookup::Fetch) {
            return Judgement::Fetch;
        }
        let refresh = matches!(lookup, Lookup::UseAndRefresh(_));
        match self.requests.verify(&presented, lookup, at.now) {
            Check::Verified(principal) => self.accept(*principal, at, refresh),
            Check::Rejected(refusal) if self.suspects_rekeying(&refusal, at) => Judgement::Fetch,
            decided => Judgement::Decide(decided),
        }
    }

    fn accept(&self, principal: Principal, at: Moment, refresh: bool) -> Judgement {
        let until = match &self.keys {
            Keys::Given(_) => principal.expires_at(),
            Keys::Fetched(cache) => cache.settled_until(at.now).min(principal.expires_at()),
        };
        Judgement::Accept { principal, until, refresh }
    }

    fn lookup(&self, kid: &KeyId, at: Moment) -> Lookup {
        match &self.keys {
            Keys::Given(keys) => Lookup::Use(Arc::clone(keys)),
            Keys::Fetched(cache) if at.after_fetch => cache.lookup_after_fetch(kid, at.now),
            Keys::Fetched(cache) => cache.lookup(kid, at.now),
        }
    }

    fn suspects_rekeying(&self, refusal: &VerifyError, at: Moment) -> bool {
        matches!(refusal, VerifyError::WrongSignature)
            && !at.after_fetch
            && matches!(&self.keys, Keys::Fetched(cache) if cache.suspects_rekeying(at.now))
    }

    fn published(&self, document: &[u8]) -> Option<Arc<KeySet>> {
        let jwks = Jwks::parse(document).ok()?;
        Some(Arc::new(KeySet::from_jwks(self.issuer(), &jwks, &*self.rsa)))
    }
}

/// The request that pairs tell of: `:method`, `:url`, and its headers.
pub(crate) fn request(pairs: Pairs<'_>) -> Request<'_> {
    let part = |name| pairs.get(name).unwrap_or_default();
    Request::new(part(":method"), part(":url"), pairs)
}

fn policy(settings: Pairs<'_>, key: Option<&PublishableKey>) -> Result<Policy, SettingsError> {
    let issuer = match key {
        Some(key) => key.issuer().clone(),
        None => Issuer::parse(settings.get("issuer").unwrap_or_default())?,
    };
    let parties = AuthorizedParties::parse(settings.all("authorizedParty"))?;
    let missing_azp = match settings.get("missingAzp") {
        Some("allow") => MissingAzp::Allow,
        _ => MissingAzp::Refuse,
    };
    let aliases: Vec<Issuer> = settings.all("issuerAlias").map(Issuer::parse).collect::<Result<_, _>>()?;
    let mut policy = Policy::new(issuer, parties, missing_azp).with_issuer_aliases(aliases);
    if let Some(audience) = settings.get("templateAudience") {
        policy = policy.with_template_audience(audience)?;
    }
    if let Some(millis) = settings.get("clockSkewMillis").and_then(|millis| millis.parse().ok()) {
        policy = policy.with_clock_skew(Duration::from_millis(millis))?;
    }
    let algorithms: Vec<Algorithm> = settings.all("algorithm").map(algorithm).collect::<Result<_, _>>()?;
    if !algorithms.is_empty() {
        policy = policy.with_algorithms(algorithms)?;
    }
    let denied: Vec<KeyId> = settings.all("denyKid").map(key_id).collect::<Result<_, _>>()?;
    policy = policy.with_denied_kids(denied);
    Ok(if settings.get("acceptPending") == Some("true") { policy.accept_pending() } else { policy })
}

fn algorithm(name: &str) -> Result<Algorithm, SettingsError> {
    Algorithm::from_name(name).ok_or_else(|| SettingsError::Algorithm(name.to_owned()))
}

fn key_id(kid: &str) -> Result<KeyId, SettingsError> {
    KeyId::parse(kid).ok_or(SettingsError::KeyId)
}

/// Whether the claims of an accepted token grant what is asked for.
pub(crate) fn has(asked: Pairs<'_>) -> bool {
    let claims = asked.get("claims").unwrap_or_default();
    requirement(asked).is_some_and(|requirement| Grants::of_accepted(claims).has(&requirement))
}

/// `None` for what can't be read: a condition that was dropped would be met by everybody.
fn requirement(asked: Pairs<'_>) -> Option<Requirement<'_>> {
    const KNOWN: [&str; 8] =
        ["claims", "role", "permission", "feature", "plan", "reverification", "level", "afterMinutes"];
    if asked.into_iter().any(|(name, _)| KNOWN.iter().all(|known| *known != name)) {
        return None;
    }
    let reverification = match (asked.get("reverification"), asked.get("level"), asked.get("afterMinutes")) {
        (None, None, None) => None,
        (Some(preset), None, None) => Some(Reverification::preset(preset).ok()?),
        (None, Some(level), Some(mins)) => {
            Some(Reverification { level: level_named(level)?, max_age_mins: mins.parse().ok()? })
        }
        _ => return None,
    };
    Some(Requirement {
        role: asked.get("role"),
        permission: asked.get("permission"),
        feature: asked.get("feature"),
        plan: asked.get("plan"),
        reverification,
    })
}

fn level_named(level: &str) -> Option<ReverificationLevel> {
    match level {
        "first_factor" => Some(ReverificationLevel::FirstFactor),
        "second_factor" => Some(ReverificationLevel::SecondFactor),
        "multi_factor" => Some(ReverificationLevel::MultiFactor),
        _ => None,
    }
}
