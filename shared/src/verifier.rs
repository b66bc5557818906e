//! `Verifier`: the whole way, in one short function.

use crate::claims::{self, SignedClaims};
use crate::error::{Excerpt, VerifyError};
use crate::key_set::{KeyId, KeySet};
use crate::policy::Policy;
use crate::principal::{Principal, UnverifiedPrincipal};
use crate::signature::Algorithm;
use crate::time::UnixTime;
use crate::token::{TokenBuffer, UnverifiedHeader, UnverifiedToken};

/// Turns tokens into principals, under one policy.
#[derive(Clone, Debug)]
pub struct Verifier {
    policy: Policy,
}

/// A token that could be one of ours, for all that can be told without a key: its shape, its header, its issuer, and
/// that its key is not denied.
///
/// Its signature is not checked. What it is good for is to ask for the key: whoever holds one has not let anybody in.
#[derive(Clone, Debug)]
pub struct ScreenedToken<'a> {
    token: UnverifiedToken<'a>,
    algorithm: Algorithm,
    key_id: KeyId,
    category: Category,
}

/// What `cat` says a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Session,
    /// Made from a JWT template.
    Template,
    /// Nothing: minted before the header was there, or by an instance that has opted out.
    Unsaid,
}

impl Verifier {
    /// A verifier of this policy.
    pub fn new(policy: Policy) -> Verifier {
        Verifier { policy }
    }

    /// What is accepted.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Says who a token stands for: key, signature, claims, in this order.
    ///
    /// # Errors
    ///
    /// The first rule that is broken, from [`VerifyError::UnknownKid`] to [`VerifyError::MalformedAct`].
    pub fn verify(
        &self,
        token: &ScreenedToken<'_>,
        keys: &KeySet,
        now: UnixTime,
    ) -> Result<Principal, VerifyError> {
        let key_id = token.key_id();
        // A `kid` means a key of one instance: another's set may use the same name.
        let ours = self.policy.issuers.contains(keys.issuer());
        let key = keys.get(key_id).filter(|_| ours).ok_or_else(|| VerifyError::UnknownKid(key_id.clone()))?;
        key.check(token.algorithm, token.token.signing_input(), token.token.signature())?;
        let claims = SignedClaims { claims: &token.token.claims, key_id, category: token.category };
        claims.accept(&self.policy, now)
    }

    /// Says whom a token claims to stand for, judged by everything but key and signature: anybody can have written
    /// it. For a debug mode, and only while no keys can be had.
    ///
    /// # Errors
    ///
    /// The first rule that is broken, from [`VerifyError::MissingSub`] to [`VerifyError::MalformedAct`].
    pub fn judge_unverified(
        &self,
        token: &ScreenedToken<'_>,
        now: UnixTime,
    ) -> Result<UnverifiedPrincipal, VerifyError> {
        // Their signature is the one thing that does not hold, which the type of the answer says.
        let unsigned =
            SignedClaims { claims: &token.token.claims, key_id: token.key_id(), category: token.category };
        unsigned.accept(&self.policy, now).map(UnverifiedPrincipal)
    }

    /// Takes a token apart and turns away whatever needs no key to be turned away, so that hopeless tokens cost
    /// neither a fetch nor a signature check: shape, header, the issuer that picks the key set, and keys that are denied.
    ///
    /// # Errors
    ///
    /// The first rule that is broken, from [`VerifyError::TokenMissing`] to [`VerifyError::WrongIss`], then
    /// [`VerifyError::DeniedKid`].
    pub fn screen<'a>(
        &self,
        text: &'a str,
        buffer: &'a mut TokenBuffer,
    ) -> Result<ScreenedToken<'a>, VerifyError> {
        let token = UnverifiedToken::parse(text, buffer)?;
        accept_typ(&token.header)?;
        let category = self.accept_category(&token.header)?;
        let algorithm = self.algorithm(&token.header)?;
        refuse_extensions(&token.header)?;
        let key_id = key_id(&token.header)?;
        refuse_machine_subject(&token)?;
        claims::issuer(token.claims.iss, &self.policy)?;
        if self.policy.denies(&key_id) {
            return Err(VerifyError::DeniedKid(key_id));
        }
        Ok(ScreenedToken { token, algorithm, key_id, category })
    }

    /// `cat`: what the token is for.
    fn accept_category(&self, header: &UnverifiedHeader<'_>) -> Result<Category, VerifyError> {
        const SESSION: &str = "cl_B7d4PD111AAA";
        const TEMPLATE: &str = "cl_B7d4PD222AAA";
        const MACHINE: &str = "cl_B7d4PD333AAA";
        const UNSAID: &str = "cl_I7d4PD111III";
        let Some(cat) = header.cat else { return Ok(Category::Unsaid) };
        match cat.text() {
            Some(cat) if cat.is(SESSION) => Ok(Category::Session),
            Some(cat) if cat.is(UNSAID) => Ok(Category::Unsaid),
            Some(cat) if cat.is(TEMPLATE) && self.policy.template_audience.is_some() => {
                Ok(Category::Template)
            }
            Some(cat) if cat.is(TEMPLATE) => Err(VerifyError::TemplateToken),
            Some(cat) if cat.is(MACHINE) => Err(VerifyError::MachineToken),
            _ => Err(VerifyError::UnknownCategory),
        }
    }

    /// `alg` (RFC 7515 section 4.1.1) is one that the policy names. Which check is made, the key says.
    fn algorithm(&self, header: &UnverifiedHeader<'_>) -> Result<Algorithm, VerifyError> {
        let named = header.alg.and_then(|alg| alg.text());
        let taken =
            named.and_then(|named| self.policy.algorithms.iter().find(|taken| named.is(taken.as_str())));
        taken.copied().ok_or_else(|| VerifyError::UnsupportedAlgorithm {
            presented: named.map_or(Excerpt::of("missing"), |named| Excerpt::from_chars(named.chars())),
        })
    }
}

impl ScreenedToken<'_> {
    /// The key that the token names.
    pub fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// The algorithm that the token names, which the policy takes.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The claims as somebody wrote them, for a person to look at. Nobody vouches for them.
    pub fn unverified_claims_json(&self) -> &str {
        self.token.claims.document
    }

    /// What the signature must be of, for a host that checks it elsewhere.
    pub fn signing_input(&self) -> &[u8] {
        self.token.signing_input()
    }

    /// The signature, for a host that checks it elsewhere.
    pub fn signature(&self) -> &[u8] {
        self.token.signature()
    }
}

/// `typ` is absent or `JWT` (RFC 7519 section 5.1); an access token says what it is (RFC 9068 section 2.1).
fn accept_typ(header: &UnverifiedHeader<'_>) -> Result<(), VerifyError> {
    let Some(typ) = header.typ else { return Ok(()) };
    match typ.text() {
        Some(typ) if typ.is("JWT") => Ok(()),
        Some(typ) if typ.is("at+jwt") || typ.is("application/at+jwt") => Err(VerifyError::OauthToken),
        _ => Err(VerifyError::WrongTyp),
    }
}

/// No extension is understood, so none that must be (RFC 7515 section 4.1.11), and none that repacks the token.
fn refuse_extensions(header: &UnverifiedHeader<'_>) -> Result<(), VerifyError> {
    if header.has_crit {
        return Err(VerifyError::CriticalHeader);
    }
    match header.unsupported {
        Some(name) => Err(VerifyError::UnsupportedHeader { name }),
        None => Ok(()),
    }
}

/// `kid` (RFC 7515 section 4.1.4), required here: without it any key of the set would do.
fn key_id(header: &UnverifiedHeader<'_>) -> Result<KeyId, VerifyError> {
    let kid = header.kid.ok_or(VerifyError::MissingKid)?.text().ok_or(VerifyError::MalformedKid)?;
    KeyId::from_chars(kid.chars()).ok_or(VerifyError::MalformedKid)
}

/// A machine's token says so in its subject, whatever its header says.
fn refuse_machine_subject(token: &UnverifiedToken<'_>) -> Result<(), VerifyError> {
    let unverified_sub = token.claims.sub.and_then(|sub| sub.text());
    if unverified_sub.is_some_and(|sub| sub.chars().take(4).eq("mch_".chars())) {
        return Err(VerifyError::MachineToken);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::base64::Engine as _;
    use ::base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::jwks::Jwks;
    use crate::key_error::KeyError;
    use crate::policy::{AuthorizedParties, Issuer, MissingAzp};
    use crate::signature::{Rsa, RsaKey};

    /// Holds every signature good, so that only the choice of the key is left to refuse a token.
    #[derive(Debug)]
    struct AlwaysGood;

    impl Rsa for AlwaysGood {
        fn prepare(&self, _: &[u8]) -> Result<Arc<dyn RsaKey>, KeyError> {
            Ok(Arc::new(AlwaysGood))
        }
    }

    impl RsaKey for AlwaysGood {
        fn verify(&self, _: Algorithm, _: &[u8], _: &[u8]) -> bool {
            true
        }
    }

    #[test]
    fn a_key_set_of_another_issuer_is_never_used_though_it_names_the_same_key() {
        let token = include_str!("example/token.txt");
        let jwks = Jwks::parse(include_bytes!("example/jwks.json")).unwrap();
        let ours = Issuer::parse("https://clerk.example.com").unwrap();
        let other = Issuer::parse("https://clerk.other.example.com").unwrap();
        let verifier =
            Verifier::new(Policy::new(ours.clone(), AuthorizedParties::AnyParty, MissingAzp::Refuse));
        let mut buffer = TokenBuffer::new();
        let token = verifier.screen(token, &mut buffer).unwrap();
        let now = UnixTime::from_secs(1_790_000_030); // 2026-09-21
        for (issuer, accepted) in [(ours, true), (other, false)] {
            let keys = KeySet::from_jwks(&issuer, &jwks, &AlwaysGood);
            assert_eq!(verifier.verify(&token, &keys, now).is_ok(), accepted, "{issuer}");
        }
    }
    #[test]
    fn a_host_that_checks_the_signature_elsewhere_is_given_what_the_token_says() {
        let text = include_str!("example/token.txt");
        let issuer = Issuer::parse("https://clerk.example.com").unwrap();
        let verifier = Verifier::new(Policy::new(issuer, AuthorizedParties::AnyParty, MissingAzp::Refuse));
        let mut buffer = TokenBuffer::new();
        let token = verifier.screen(text, &mut buffer).unwrap();

        let (signing_input, signature) = text.rsplit_once('.').unwrap();
        let decoded = |part| URL_SAFE_NO_PAD.decode(part).unwrap();
        assert_eq!(token.signing_input(), signing_input.as_bytes());
        assert_eq!(token.signature(), decoded(signature));
        let (_, payload) = signing_input.split_once('.').unwrap();
        assert_eq!(token.unverified_claims_json().as_bytes(), decoded(payload));
    }
}
