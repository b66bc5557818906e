//! `SignedClaims`: what a genuine token says, judged under a policy.

use core::time::Duration;

use crate::error::{Excerpt, VerifyError};
use crate::json::Value;
use crate::key_set::KeyId;
use crate::policy::{AuthorizedParties, Issuer, MAX_LIFETIME, MissingAzp, Policy};
use crate::principal::{Impersonator, Principal, WhenAsked, owned};
use crate::time::UnixTime;
use crate::token::UnverifiedClaims;
use crate::verifier::Category;

/// The longest `sub` and `sid`, in bytes: Clerk's have about 32, a store's key and a log line stay short.
pub const MAX_ID_BYTES: usize = 128;

/// Claims whose signature holds. Whether they are accepted is the policy's to say.
pub(crate) struct SignedClaims<'a> {
    pub(crate) claims: &'a UnverifiedClaims<'a>,
    pub(crate) key_id: &'a KeyId,
    pub(crate) category: Category,
}

impl SignedClaims<'_> {
    /// Judges the claims in their order: `sub`, `sid`, `aud`, `azp`, `iss`, `exp`, `nbf`, `iat`, the lifetime, `sts`,
    /// `act`.
    pub(crate) fn accept(&self, policy: &Policy, now: UnixTime) -> Result<Principal, VerifyError> {
        let claims = self.claims;
        let user_id = user_id(claims.sub)?;
        let session_id = self.session_id(policy)?;
        self.accept_audience(policy, session_id.is_none())?;
        let authorized_party = authorized_party(claims.azp, policy)?;
        let issuer = issuer(claims.iss, policy)?.clone();
        let expires_at = expires_at(claims.exp, policy, now)?;
        accept_not_before(claims.nbf, policy, now)?;
        let issued_at = issued_at(claims.iat, policy, now)?;
        accept_lifetime(expires_at, issued_at.unwrap_or(now))?;
        let is_pending = is_pending(claims.sts, policy)?;
        let impersonator =
            claims.act.map(|act| Impersonator::of(act).ok_or(VerifyError::MalformedAct)).transpose()?;
        Ok(Principal {
            issuer,
            key_id: self.key_id.clone(),
            user_id,
            session_id,
            authorized_party,
            expires_at,
            issued_at,
            is_pending,
            impersonator,
            claims: claims.document.to_owned(),
            grants: WhenAsked::default(),
        })
    }

    /// `sid` is required, but in a template's token: that has none by nature (Clerk, "JWT templates").
    fn session_id(&self, policy: &Policy) -> Result<Option<String>, VerifyError> {
        let Some(sid) = self.claims.sid else {
            let template_taken = policy.template_audience.is_some() && self.category != Category::Session;
            return if template_taken { Ok(None) } else { Err(VerifyError::MissingSid) };
        };
        let sid = owned(Some(sid))
            .filter(|sid| sid.len() <= MAX_ID_BYTES && sid.bytes().all(|b| b.is_ascii_graphic()));
        sid.map(Some).ok_or(VerifyError::MalformedSid)
    }

    /// Whoever is not named in `aud` must refuse the token (RFC 7519 section 4.1.3). A session token names nobody.
    fn accept_audience(&self, policy: &Policy, no_session: bool) -> Result<(), VerifyError> {
        let ours = policy.template_audience.as_deref();
        let Some(aud) = self.claims.aud else {
            let must_name_us = no_session || self.category == Category::Template;
            return if must_name_us { Err(VerifyError::MissingAud) } else { Ok(()) };
        };
        let one = aud.text();
        let mut many = aud.elements().into_iter().flatten().map(Value::text).peekable();
        if one.is_none() && many.peek().is_none() {
            return Err(VerifyError::MalformedAud);
        }
        let mut names_us = false;
        for name in one.map(Some).into_iter().chain(many) {
            let name = name.filter(|name| !name.is_empty()).ok_or(VerifyError::MalformedAud)?;
            names_us |= ours.is_some_and(|ours| name.is(ours));
        }
        if names_us { Ok(()) } else { Err(VerifyError::WrongAud) }
    }
}

/// `sub` is `user_` and 1 to 123 letters, digits, `_` or `-`.
fn user_id(sub: Option<Value<'_>>) -> Result<String, VerifyError> {
    let sub = sub.ok_or(VerifyError::MissingSub)?;
    let is_user = |id: &String| {
        id.len() <= MAX_ID_BYTES
            && id.strip_prefix("user_").is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            })
    };
    owned(Some(sub)).filter(is_user).ok_or(VerifyError::MalformedSub)
}

fn authorized_party(azp: Option<Value<'_>>, policy: &Policy) -> Result<Option<String>, VerifyError> {
    let Some(azp) = azp else {
        return match policy.missing_azp {
            MissingAzp::Allow => Ok(None),
            MissingAzp::Refuse => Err(VerifyError::MissingAzp),
        };
    };
    let azp = owned(Some(azp)).ok_or(VerifyError::MalformedAzp)?;
    if AuthorizedParties::include(&policy.parties, &azp) {
        Ok(Some(azp))
    } else {
        Err(VerifyError::WrongAzp { presented: Excerpt::of(&azp) })
    }
}

/// `iss` is one of the instance's issuers, byte for byte. Looked at once more than needed: before the signature it
/// picked the key set, here it is a claim.
pub(crate) fn issuer<'p>(iss: Option<Value<'_>>, policy: &'p Policy) -> Result<&'p Issuer, VerifyError> {
    let iss = iss.ok_or(VerifyError::MissingIss)?.text().ok_or(VerifyError::MalformedIss)?;
    policy.issuers.iter().find(|ours| iss.is(ours.as_str())).ok_or_else(|| VerifyError::WrongIss {
        presented: Excerpt::from_chars(iss.chars()),
        expected: policy.issuer().clone(),
    })
}

/// Expired at the very millisecond of `exp` and the skew, as Clerk's own SDK has it.
fn expires_at(exp: Option<Value<'_>>, policy: &Policy, now: UnixTime) -> Result<UnixTime, VerifyError> {
    let exp = exp.ok_or(VerifyError::MissingExp)?;
    let expires_at = UnixTime::from_secs(exp.seconds().ok_or(VerifyError::MalformedExp)?);
    if now.minus(policy.clock_skew) >= expires_at {
        return Err(VerifyError::Expired { expired_at: expires_at, now });
    }
    Ok(expires_at)
}

fn accept_not_before(nbf: Option<Value<'_>>, policy: &Policy, now: UnixTime) -> Result<(), VerifyError> {
    let Some(nbf) = nbf else { return Ok(()) };
    let not_before = UnixTime::from_secs(nbf.seconds().ok_or(VerifyError::MalformedNbf)?);
    if not_before > now.plus(policy.clock_skew) {
        return Err(VerifyError::NotActiveYet { not_before, now });
    }
    Ok(())
}

fn issued_at(
    iat: Option<Value<'_>>,
    policy: &Policy,
    now: UnixTime,
) -> Result<Option<UnixTime>, VerifyError> {
    let Some(iat) = iat else { return Ok(None) };
    let issued_at = UnixTime::from_secs(iat.seconds().ok_or(VerifyError::MalformedIat)?);
    if issued_at > now.plus(policy.clock_skew) {
        return Err(VerifyError::IssuedInTheFuture { issued_at, now });
    }
    Ok(Some(issued_at))
}

/// A token that says when it was made lives from then; another one from now.
fn accept_lifetime(expires_at: UnixTime, from: UnixTime) -> Result<(), VerifyError> {
    let lifetime: Duration = expires_at.since(from);
    if lifetime > MAX_LIFETIME { Err(VerifyError::LifetimeTooLong { lifetime }) } else { Ok(()) }
}

fn is_pending(sts: Option<Value<'_>>, policy: &Policy) -> Result<bool, VerifyError> {
    let Some(sts) = sts else { return Ok(false) };
    match sts.text() {
        Some(status) if status.is("active") => Ok(false),
        Some(status) if status.is("pending") && policy.accept_pending => Ok(true),
        Some(status) if status.is("pending") => Err(VerifyError::SessionPending),
        _ => Err(VerifyError::MalformedSts),
    }
}
