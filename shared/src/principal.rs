//! `Principal`: who a verified token stands for. `Grants`: what that token grants them.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::error::Excerpt;
use crate::json::Value;
use crate::key_set::KeyId;
use crate::permissions::{self, Scoped};
use crate::policy::Issuer;
use crate::time::UnixTime;
use crate::token::UnverifiedClaims;

/// The proven identity behind a session token. Only [`Verifier::verify`](crate::Verifier::verify) makes one.
///
/// Version 1 and version 2 of Clerk's claims read the same here (Clerk, "Session token claims").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub(crate) issuer: Issuer,
    pub(crate) key_id: KeyId,
    pub(crate) user_id: String,
    pub(crate) session_id: Option<String>,
    pub(crate) authorized_party: Option<String>,
    pub(crate) expires_at: UnixTime,
    pub(crate) issued_at: Option<UnixTime>,
    pub(crate) is_pending: bool,
    pub(crate) impersonator: Option<Impersonator>,
    pub(crate) claims: String,
    pub(crate) grants: WhenAsked,
}

/// What the claims grant, read when somebody asks: most requests want to know who it is, and no more.
#[derive(Clone, Debug, Default)]
pub(crate) struct WhenAsked(OnceLock<Grants>);

impl PartialEq for WhenAsked {
    /// The claims are compared, and all of it is in them.
    fn eq(&self, _: &WhenAsked) -> bool {
        true
    }
}

impl Eq for WhenAsked {}

/// What an accepted token grants: organization, features, plans, and how lately a factor was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    organization: Option<Organization>,
    features: Vec<Scoped>,
    plans: Vec<Scoped>,
    factor_ages: Option<FactorAges>,
    impersonator: Option<Impersonator>,
}

/// Whom a token claims to stand for, its signature unchecked. It is no [`Principal`], and nothing makes one of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedPrincipal(pub(crate) Principal);

impl UnverifiedPrincipal {
    /// The user that the token names.
    pub fn user_id(&self) -> &str {
        self.0.user_id()
    }

    /// The organization that the token names.
    pub fn organization(&self) -> Option<&Organization> {
        self.0.organization()
    }
}

/// The organization that the session is active in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Clerk's id: `org_…`.
    pub id: String,
    /// Its name in URLs, where the instance uses them.
    pub slug: Option<String>,
    /// The user's role in it, always with the prefix `org:`.
    pub role: Option<String>,
    /// What the role allows: `org:<feature>:<permission>`. System permissions are never in a token.
    pub permissions: Vec<String>,
    /// Clerk's own decoders read this token's permission masks in two ways. Only what both grant is in
    /// `permissions`.
    pub permissions_disputed: bool,
}

/// How long ago the session's factors were verified when the token was made: `fva`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorAges {
    /// Minutes since the first factor; `None` when it was never verified.
    pub first_mins: Option<u64>,
    /// Minutes since the second factor; `None` when there is none or it was never verified.
    pub second_mins: Option<u64>,
}

/// Somebody else who acts as the user: `act` (RFC 8693 section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impersonator {
    /// Who acts: the `sub` of `act`.
    pub user_id: String,
    /// Where they came from, for example Clerk's dashboard.
    pub issuer: Option<String>,
    /// Their own session.
    pub session_id: Option<String>,
}

/// What a session must have. Every part that is set must hold; a requirement that asks for nothing is never met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirement<'a> {
    /// A role in the active organization, with or without `org:`.
    pub role: Option<&'a str>,
    /// A permission in the active organization, with or without `org:`.
    pub permission: Option<&'a str>,
    /// A feature; `org:` or `user:` before it says whose, without one either will do.
    pub feature: Option<&'a str>,
    /// A plan; `org:` or `user:` before it says whose, without one either will do.
    pub plan: Option<&'a str>,
    /// How recently the user confirmed who they are.
    pub reverification: Option<Reverification>,
}

/// How recently the user must have confirmed who they are (Clerk, "Reverification").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reverification {
    /// Which factor.
    pub level: ReverificationLevel,
    /// Its age must be below this, in minutes.
    pub max_age_mins: u64,
}

/// Which factor must be recent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReverificationLevel {
    /// The first; the second where there is no first.
    FirstFactor,
    /// The second; the first where there is no second.
    SecondFactor,
    /// Both; the first alone where there is no second.
    MultiFactor,
}

/// A name that no preset of Clerk's has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no preset is called \"{name}\", expected strict_mfa, strict, moderate or lax")]
pub struct UnknownPreset {
    name: Excerpt,
}

impl Reverification {
    /// Clerk's preset `strict_mfa`: both factors within 10 minutes.
    pub const STRICT_MFA: Reverification =
        Reverification { level: ReverificationLevel::MultiFactor, max_age_mins: 10 };
    /// Clerk's preset `strict`: the second factor within 10 minutes.
    pub const STRICT: Reverification =
        Reverification { level: ReverificationLevel::SecondFactor, max_age_mins: 10 };
    /// Clerk's preset `moderate`: the second factor within an hour.
    pub const MODERATE: Reverification =
        Reverification { level: ReverificationLevel::SecondFactor, max_age_mins: 60 };
    /// Clerk's preset `lax`: the second factor within a day.
    pub const LAX: Reverification =
        Reverification { level: ReverificationLevel::SecondFactor, max_age_mins: 1440 };

    /// The preset of this name, as Clerk spells it.
    ///
    /// A name that is misspelt is an error: as an `Option` it would be a [`Requirement`] that asks for less.
    ///
    /// ```compile_fail,E0308
    /// # use doorward_verifier::{Requirement, Reverification};
    /// let asked = Requirement { reverification: Reverification::preset("strikt"), ..Requirement::default() };
    /// ```
    ///
    /// # Errors
    ///
    /// [`UnknownPreset`].
    pub fn preset(name: &str) -> Result<Reverification, UnknownPreset> {
        match name {
            "strict_mfa" => Ok(Reverification::STRICT_MFA),
            "strict" => Ok(Reverification::STRICT),
            "moderate" => Ok(Reverification::MODERATE),
            "lax" => Ok(Reverification::LAX),
            _ => Err(UnknownPreset { name: Excerpt::of(name) }),
        }
    }

    fn is_met_by(self, ages: FactorAges) -> bool {
        let fresh = |age: u64| age < self.max_age_mins;
        match (self.level, ages.first_mins, ages.second_mins) {
            (_, None, None) => false,
            (ReverificationLevel::FirstFactor, first, second) => first.or(second).is_some_and(fresh),
            (ReverificationLevel::SecondFactor, first, second) => second.or(first).is_some_and(fresh),
            (ReverificationLevel::MultiFactor, first, second) => {
                first.is_some_and(fresh) && second.is_none_or(fresh)
            }
        }
    }
}

impl Principal {
    /// Clerk's id of the user: `sub`, `user_…`.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Clerk's id of the session: `sid`. A template token has none.
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// Who issued the token: `iss`.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The key that signed it: `kid`. What was learned from a token lives no longer than its key.
    pub fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// The origin that the token was made for: `azp`.
    pub fn authorized_party(&self) -> Option<&str> {
        self.authorized_party.as_deref()
    }

    /// When the token ends, clock skew not counted: `exp`.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// When the token was made: `iat`.
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.issued_at
    }

    /// The user has a task to finish before the session is active, and the policy takes that: `sts`.
    pub fn is_pending(&self) -> bool {
        self.is_pending
    }

    /// Who acts as the user, if somebody does: `act`.
    pub fn impersonator(&self) -> Option<&Impersonator> {
        self.impersonator.as_ref()
    }

    /// The organization that the session is active in.
    pub fn organization(&self) -> Option<&Organization> {
        self.grants().organization()
    }

    /// Features, with whose they are, in the order of the token: `fea`.
    pub fn features(&self) -> &[Scoped] {
        self.grants().features()
    }

    /// Plans, with whose they are, in the order of the token: `pla`.
    pub fn plans(&self) -> &[Scoped] {
        self.grants().plans()
    }

    /// How long ago the factors were verified: `fva`.
    pub fn factor_ages(&self) -> Option<FactorAges> {
        self.grants().factor_ages()
    }

    /// What the token grants.
    pub fn grants(&self) -> &Grants {
        self.grants.0.get_or_init(|| Grants::of_accepted(&self.claims))
    }

    /// The whole payload, as JSON text: custom claims are in it as the token spells them.
    pub fn claims_json(&self) -> &str {
        &self.claims
    }

    /// A claim as JSON text.
    pub fn claim(&self, name: &str) -> Option<&str> {
        let mut members = Value::of_read_document(&self.claims).members()?;
        members.find(|(known, _)| known.is(name)).map(|(_, value)| value.raw())
    }

    /// Whether the session has all that is required (Clerk, `has()`). A requirement that asks for nothing is not met.
    pub fn has(&self, requirement: &Requirement<'_>) -> bool {
        self.grants().has(requirement)
    }
}

impl Grants {
    /// Reads the claims of an accepted token, as [`Principal::claims_json`] gives them. They are not judged again:
    /// what they grant is worth as much as whoever kept them.
    pub fn of_accepted(claims_json: &str) -> Grants {
        let claims = &UnverifiedClaims::of_read_document(claims_json);
        Grants {
            organization: Organization::of(claims),
            features: scoped(claims, claims.fea),
            plans: scoped(claims, claims.pla),
            factor_ages: FactorAges::of(claims),
            impersonator: claims.act.and_then(Impersonator::of),
        }
    }

    /// The organization that the session is active in.
    pub fn organization(&self) -> Option<&Organization> {
        self.organization.as_ref()
    }

    /// Features, with whose they are, in the order of the token: `fea`.
    pub fn features(&self) -> &[Scoped] {
        &self.features
    }

    /// Plans, with whose they are, in the order of the token: `pla`.
    pub fn plans(&self) -> &[Scoped] {
        &self.plans
    }

    /// How long ago the factors were verified: `fva`.
    pub fn factor_ages(&self) -> Option<FactorAges> {
        self.factor_ages
    }

    /// Who acts as the user, if somebody does: `act`.
    pub fn impersonator(&self) -> Option<&Impersonator> {
        self.impersonator.as_ref()
    }

    /// Whether there is all that is required (Clerk, `has()`). A requirement that asks for nothing is not met.
    pub fn has(&self, requirement: &Requirement<'_>) -> bool {
        let organization = self.organization.as_ref();
        let checks = [
            requirement.role.map(|role| organization.is_some_and(|organization| organization.has_role(role))),
            requirement
                .permission
                .map(|name| organization.is_some_and(|organization| organization.has_permission(name))),
            requirement.feature.map(|feature| permissions::includes(&self.features, feature)),
            requirement.plan.map(|plan| permissions::includes(&self.plans, plan)),
            requirement
                .reverification
                .map(|asked| self.factor_ages.is_some_and(|ages| asked.is_met_by(ages))),
        ];
        checks.iter().any(Option::is_some) && checks.into_iter().flatten().all(|met| met)
    }
}

impl Organization {
    fn has_role(&self, role: &str) -> bool {
        self.role.as_deref().is_some_and(|held| permissions::same_in_organization(held, role))
    }

    fn has_permission(&self, permission: &str) -> bool {
        self.permissions.iter().any(|held| permissions::same_in_organization(held, permission))
    }

    /// Reads the claims of the version that the token says it has.
    fn of(claims: &UnverifiedClaims<'_>) -> Option<Organization> {
        if is_version_2(claims) {
            Organization::of_version_2(claims)
        } else {
            Organization::of_version_1(claims)
        }
    }

    fn of_version_1(claims: &UnverifiedClaims<'_>) -> Option<Organization> {
        let listed = claims.org_permissions.and_then(Value::elements).into_iter().flatten();
        Some(Organization {
            id: owned(claims.org_id)?,
            slug: owned(claims.org_slug),
            role: text(claims.org_role).map(|role| permissions::with_prefix(&role)),
            permissions: listed.filter_map(|permission| owned(Some(permission))).collect(),
            permissions_disputed: false,
        })
    }

    fn of_version_2(claims: &UnverifiedClaims<'_>) -> Option<Organization> {
        let (mut id, mut slug, mut role, mut names, mut masks) = (None, None, None, None, None);
        for (name, value) in claims.o?.members()? {
            match name {
                _ if name.is("id") => id = Some(value),
                _ if name.is("slg") => slug = Some(value),
                _ if name.is("rol") => role = Some(value),
                _ if name.is("per") => names = Some(value),
                _ if name.is("fpm") => masks = Some(value),
                _ => (),
            }
        }
        let [features, names, masks] =
            [claims.fea, names, masks].map(|packed| text(packed).unwrap_or_default());
        let granted = permissions::granted(&features, &names, &masks);
        Some(Organization {
            id: owned(id)?,
            slug: owned(slug),
            role: text(role).map(|role| permissions::with_prefix(&role)),
            permissions: granted.permissions,
            permissions_disputed: granted.disputed,
        })
    }
}

impl FactorAges {
    /// `fva` is two ages; anything else says nothing.
    fn of(claims: &UnverifiedClaims<'_>) -> Option<FactorAges> {
        let mut ages = claims.fva?.elements()?.map(FactorAges::age);
        let (Some(first), Some(second), None) = (ages.next(), ages.next(), ages.next()) else {
            return None;
        };
        Some(FactorAges { first_mins: first?, second_mins: second? })
    }

    /// The whole minutes of a number that is not negative, or never for -1, in whatever spelling. Of another number below
    /// zero the fraction is not dropped: that would make an age of -0.5, and never of -1.9.
    fn age(value: Value<'_>) -> Option<Option<u64>> {
        match value.integer()? {
            (-1, true) => Some(None),
            (0, true) => Some(Some(0)),
            (mins, _) if !value.raw().starts_with('-') => Some(Some(mins.unsigned_abs())),
            _ => None,
        }
    }
}

impl Impersonator {
    /// `act` is an object whose `sub` is a string that is not empty.
    pub(crate) fn of(act: Value<'_>) -> Option<Impersonator> {
        let (mut user_id, mut issuer, mut session_id) = (None, None, None);
        for (name, value) in act.members()? {
            match name {
                _ if name.is("sub") => user_id = owned(Some(value)),
                _ if name.is("iss") => issuer = owned(Some(value)),
                _ if name.is("sid") => session_id = owned(Some(value)),
                _ => (),
            }
        }
        Some(Impersonator { user_id: user_id?, issuer, session_id })
    }
}

/// Version 1 packs neither features nor plans: there, a claim of such a name is a custom one, and grants nothing.
fn scoped(claims: &UnverifiedClaims<'_>, packed: Option<Value<'_>>) -> Vec<Scoped> {
    let packed = packed.filter(|_| is_version_2(claims));
    text(packed).map(|packed| Scoped::list(&packed)).unwrap_or_default()
}

/// `v` is the number 2; whatever else it is, the claims are version 1.
fn is_version_2(claims: &UnverifiedClaims<'_>) -> bool {
    claims.v.is_some_and(|version| version.raw() == "2")
}

/// A string that is not empty.
fn text(value: Option<Value<'_>>) -> Option<Cow<'_, str>> {
    value.and_then(Value::text).filter(|text| !text.is_empty()).map(Cow::from)
}

/// A string that is not empty, kept longer than the token.
pub(crate) fn owned(value: Option<Value<'_>>) -> Option<String> {
    text(value).map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwks::Jwks;
    use crate::key_set::KeySet;
    use crate::policy::{AuthorizedParties, MissingAzp, Policy};
    use crate::signature::OwnRsa;
    use crate::token::TokenBuffer;
    use crate::verifier::Verifier;

    /// The principal of the example's token, and what it says without a check of its signature.
    fn example() -> (Principal, UnverifiedPrincipal) {
        let issuer = Issuer::parse("https://clerk.example.com").unwrap();
        let jwks = Jwks::parse(include_bytes!("example/jwks.json")).unwrap();
        let keys = KeySet::from_jwks(&issuer, &jwks, &OwnRsa);
        let verifier = Verifier::new(Policy::new(issuer, AuthorizedParties::AnyParty, MissingAzp::Refuse));
        let mut buffer = TokenBuffer::new();
        let token = verifier.screen(include_str!("example/token.txt"), &mut buffer).unwrap();
        let now = UnixTime::from_secs(1_790_000_030); // 2026-09-21
        (verifier.verify(&token, &keys, now).unwrap(), verifier.judge_unverified(&token, now).unwrap())
    }

    #[test]
    fn a_principal_says_what_the_token_says() {
        let (principal, unverified) = example();
        assert_eq!(principal.user_id(), "user_example");
        assert_eq!(principal.session_id(), Some("sess_example"));
        assert_eq!(principal.issuer().as_str(), "https://clerk.example.com");
        assert_eq!(principal.authorized_party(), Some("https://app.example.com"));
        assert_eq!(principal.issued_at(), Some(UnixTime::from_secs(1_790_000_000)));
        assert_eq!(principal.expires_at(), UnixTime::from_secs(1_790_000_060));
        assert!(!principal.is_pending());
        assert_eq!(principal.impersonator(), None);
        assert_eq!(principal.claim("azp"), Some("\"https://app.example.com\""));
        assert_eq!(principal.claim("fva"), Some("[3,-1]"), "as the token spells it");
        assert_eq!(principal.claim("read"), None);
        assert_eq!(unverified.user_id(), "user_example");
        assert_eq!(unverified.organization(), principal.organization());
        let organization = principal.organization().unwrap();
        assert_eq!(organization.id, "org_example");
        assert_eq!(organization.permissions, ["org:invoices:read", "org:invoices:write"]);
    }

    #[test]
    fn principals_are_the_same_whether_or_not_somebody_asked_what_they_are_granted() {
        let ((one, _), (other, _)) = (example(), example());
        assert!(one.has(&Requirement { role: Some("org:admin"), ..Requirement::default() }));
        assert_eq!(one, other);
    }

    #[test]
    fn what_was_accepted_once_grants_what_it_granted_then() {
        let grants = Grants::of_accepted(
            r#"{"v":2,"fea":"o:invoices,u:export","pla":"u:pro","fva":[0,-1],"o":{"id":"org_1"},
            "act":{"sub":"user_2","iss":"https://dashboard.clerk.com","sid":"sess_2"}}"#,
        );
        let scoped =
            |slug: &str, organization| Scoped { organization, user: !organization, slug: slug.into() };
        assert_eq!(grants.features(), [scoped("invoices", true), scoped("export", false)]);
        assert_eq!(grants.plans(), [scoped("pro", false)]);
        assert_eq!(grants.factor_ages(), Some(FactorAges { first_mins: Some(0), second_mins: None }));
        assert_eq!(grants.organization().map(|organization| organization.id.as_str()), Some("org_1"));
        let impersonator = Impersonator {
            user_id: "user_2".into(),
            issuer: Some("https://dashboard.clerk.com".into()),
            session_id: Some("sess_2".into()),
        };
        assert_eq!(grants.impersonator(), Some(&impersonator));
        assert!(grants.has(&Requirement { plan: Some("pro"), ..Requirement::default() }));
        assert!(!grants.has(&Requirement { plan: Some("free"), ..Requirement::default() }));
        assert!(!grants.has(&Requirement::default()), "nothing is asked for");

        let nothing = Grants::of_accepted("{}");
        assert!(nothing.features().is_empty() && nothing.plans().is_empty());
        assert_eq!(nothing.organization(), None);
        assert_eq!(nothing.factor_ages(), None);
        assert_eq!(nothing.impersonator(), None);
    }

    /// Clerk adds members in time: one that is not known is read over, wherever it stands.
    #[test]
    fn members_that_are_not_known_change_nothing() {
        let known = r#""id":"org_1","slg":"acme","rol":"admin","per":"read","fpm":"1""#;
        let actor = r#""sub":"user_2","iss":"dashboard","sid":"sess_2""#;
        let grants = |organization: &str, actor: &str| {
            Grants::of_accepted(&format!(
                r#"{{"v":2,"fea":"o:invoices","o":{{{organization}}},"act":{{{actor}}}}}"#
            ))
        };
        let expected = grants(known, actor);
        assert_eq!(expected.organization().unwrap().permissions, ["org:invoices:read"]);
        let new = r#""new":"x""#;
        assert_eq!(grants(&format!("{known},{new}"), &format!("{actor},{new}")), expected);
        assert_eq!(grants(&format!("{new},{known}"), &format!("{new},{actor}")), expected);
    }

    #[test]
    fn a_factor_is_recent_below_the_age_that_is_asked_for() {
        let has = |fva: &str, preset: &str| {
            let reverification = Some(Reverification::preset(preset).unwrap());
            Grants::of_accepted(&format!(r#"{{"fva":{fva}}}"#))
                .has(&Requirement { reverification, ..Requirement::default() })
        };
        for (preset, mins) in [("strict", 10), ("moderate", 60), ("lax", 1440)] {
            assert!(has(&format!("[9999,{}]", mins - 1), preset), "{preset}");
            assert!(!has(&format!("[0,{mins}]"), preset), "{preset}");
        }
        assert!(has("[9,9]", "strict_mfa") && has("[9,-1]", "strict_mfa"));
        assert!(!has("[10,9]", "strict_mfa") && !has("[9,10]", "strict_mfa") && !has("[-1,9]", "strict_mfa"));
        assert!(!has("[-1,-1]", "lax"));
        let unknown = Reverification::preset("STRICT").unwrap_err().to_string();
        assert_eq!(unknown, "no preset is called \"STRICT\", expected strict_mfa, strict, moderate or lax");
    }
}
