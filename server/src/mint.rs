//! Mints session tokens of every shape that Clerk issues, and of some that it never would.

use std::time::Duration;

use doorward_verifier::UnixTime;
use jwt_simple::prelude::{Audiences, Duration as Seconds, JWTClaims};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::issuer::{AUTHORIZED_PARTY, IssuerError, LocalIssuer};
use crate::user::UserId;

/// Long enough to paste, short enough to see one expire.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Clerk sets `nbf` this much before `iat` (clerk-facts 5.1).
const HEAD_START: Duration = Duration::from_secs(10);

/// An expired token was good an hour ago: no clock skew saves it.
const LONG_AGO: Duration = Duration::from_secs(3600);

/// The `cat` of a session's own token, and of a handshake's.
pub(crate) const SESSION_CATEGORY: &str = "cl_B7d4PD111AAA";

/// The `cat` of a token that came from a JWT template.
const TEMPLATE_CATEGORY: &str = "cl_B7d4PD222AAA";

/// How a token is to look. The default is what `getToken()` gives an ordinary signed-in user.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// The claims of the version before 2025, instead of version 2.
    pub v1: bool,
    /// The slug of the active organization.
    pub organization: Option<String>,
    /// The session has a task left to do.
    pub pending: bool,
    /// The lifetime is over.
    pub expired: bool,
    /// Signed with a key that nobody published, under the right `kid`.
    pub forged: bool,
    /// Somebody of the team acts as the user.
    pub impersonated: bool,
    /// Made by a JWT template, for this audience.
    pub template: Option<String>,
    /// The `azp`, if not the one that is accepted by default.
    pub authorized_party: Option<String>,
    /// Claims in place of those that the token would have; `null` takes one away.
    pub claims: Map<String, Value>,
}

/// A token for this user.
pub fn mint(
    issuer: &LocalIssuer,
    user: &UserId,
    shape: &Shape,
    now: UnixTime,
) -> Result<String, IssuerError> {
    let key = issuer.signing_key(shape.forged)?;
    let claims = overridden(claims(issuer, user, shape, now)?, &shape.claims);
    if shape.template.is_none()
        && let Some(plain) = plain(&claims)
    {
        return key.sign_plain(plain);
    }
    key.sign_odd(&header(key.kid(), shape), &claims)
}

fn claims(
    issuer: &LocalIssuer,
    user: &UserId,
    shape: &Shape,
    now: UnixTime,
) -> Result<Map<String, Value>, IssuerError> {
    let issued_at = if shape.expired { now.minus(LONG_AGO) } else { now };
    let mut claims = Map::new();
    claims.extend(named(json!({
        "iss": issuer.issuer(), "sub": user.as_str(),
        "iat": issued_at.as_secs(), "nbf": issued_at.minus(HEAD_START).as_secs(),
        "exp": issued_at.plus(LIFETIME).as_secs(),
    })));
    match &shape.template {
        Some(audience) => claims.extend(named(json!({ "aud": audience, "jti": jti() }))),
        None => claims.extend(session(&issuer.session_id(user)?, shape)),
    }
    Ok(claims)
}

fn session(session_id: &str, shape: &Shape) -> Map<String, Value> {
    let azp = shape.authorized_party.as_deref().unwrap_or(AUTHORIZED_PARTY);
    let mut claims = named(json!({ "sid": session_id, "azp": azp, "fva": [0, -1] }));
    if shape.pending {
        claims.insert("sts".to_owned(), "pending".into());
    }
    if shape.impersonated {
        claims.insert("act".to_owned(), impersonator());
    }
    claims.extend(if shape.v1 { version_1(shape) } else { version_2(shape) });
    claims
}

fn version_1(shape: &Shape) -> Map<String, Value> {
    let Some(slug) = &shape.organization else { return Map::new() };
    named(json!({
        "org_id": organization_id(slug), "org_slug": slug, "org_role": "org:admin",
        "org_permissions": ["org:invoices:read", "org:invoices:create"],
    }))
}

fn version_2(shape: &Shape) -> Map<String, Value> {
    let mut claims = named(json!({ "v": 2, "jti": jti(), "pla": "u:free", "fea": "u:dashboard" }));
    claims.entry("sts").or_insert_with(|| if shape.pending { "pending" } else { "active" }.into());
    if let Some(slug) = &shape.organization {
        let organization = json!({
            "id": organization_id(slug), "slg": slug, "rol": "admin", "per": "create,read", "fpm": "3,0",
        });
        claims.extend(named(
            json!({ "o": organization, "pla": "o:team,u:free", "fea": "o:invoices,u:dashboard" }),
        ));
    }
    claims
}

fn impersonator() -> Value {
    json!({ "iss": "https://dashboard.clerk.com", "sid": "sess_support", "sub": "user_support" })
}

fn organization_id(slug: &str) -> String {
    format!("org_{}", Uuid::new_v5(&Uuid::NAMESPACE_URL, slug.as_bytes()).simple())
}

fn jti() -> String {
    Uuid::new_v4().simple().to_string()
}

fn header(kid: &str, shape: &Shape) -> Value {
    match shape.template {
        Some(_) => json!({ "alg": "RS256", "cat": TEMPLATE_CATEGORY, "kid": kid, "typ": "JWT" }),
        None => json!({ "alg": "RS256", "kid": kid, "typ": "JWT" }),
    }
}

fn overridden(mut claims: Map<String, Value>, by: &Map<String, Value>) -> Map<String, Value> {
    for (name, value) in by {
        match value {
            Value::Null => _ = claims.remove(name),
            value => _ = claims.insert(name.clone(), value.clone()),
        }
    }
    claims
}

/// The claims as jwt-simple writes them, unless one of them has a type that it doesn't know.
fn plain(claims: &Map<String, Value>) -> Option<JWTClaims<Map<String, Value>>> {
    let mut custom = claims.clone();
    Some(JWTClaims {
        issued_at: seconds(custom.remove("iat"))?,
        expires_at: seconds(custom.remove("exp"))?,
        invalid_before: seconds(custom.remove("nbf"))?,
        issuer: text(custom.remove("iss"))?,
        subject: text(custom.remove("sub"))?,
        audiences: text(custom.remove("aud"))?.map(Audiences::AsString),
        jwt_id: text(custom.remove("jti"))?,
        nonce: text(custom.remove("nonce"))?,
        custom,
    })
}

/// `None` for a claim that is no whole number of seconds, `Some(None)` for one that is not there.
fn seconds(claim: Option<Value>) -> Option<Option<Seconds>> {
    match claim {
        None => Some(None),
        Some(claim) => claim.as_u64().map(|secs| Some(Seconds::from_secs(secs))),
    }
}

fn text(claim: Option<Value>) -> Option<Option<String>> {
    match claim {
        None => Some(None),
        Some(Value::String(text)) => Some(Some(text)),
        Some(_) => None,
    }
}

fn named(claims: Value) -> Map<String, Value> {
    match claims {
        Value::Object(claims) => claims,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::issuer::first_user;
    use jsonwebtoken::{Algorithm, DecodingKey, Header};

    use super::*;

    /// 2026-11-24T10:00:00Z
    const NOW: UnixTime = UnixTime::from_secs(1_795_514_400);

    /// What another implementation reads, and whether it believes the signature.
    fn read(issuer: &LocalIssuer, token: &str) -> (Header, Value, bool) {
        let header = jsonwebtoken::decode_header(token).unwrap();
        let jwk = &issuer.jwks()["keys"][0];
        let key = DecodingKey::from_rsa_components(jwk["n"].as_str().unwrap(), jwk["e"].as_str().unwrap());
        let (signing_input, signature) = token.rsplit_once('.').unwrap();
        let genuine = jsonwebtoken::crypto::verify(
            signature,
            signing_input.as_bytes(),
            &key.unwrap(),
            Algorithm::RS256,
        );
        let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims;
        (header, claims, genuine.unwrap())
    }

    async fn minted(shape: Shape) -> (Header, Value, bool) {
        let folder = tempfile::tempdir().unwrap();
        let bound = LocalIssuer::bind(folder.path(), NOW).await.unwrap();
        let token = mint(&bound.issuer, &first_user().unwrap(), &shape, NOW).unwrap();
        read(&bound.issuer, &token)
    }

    #[tokio::test]
    async fn the_default_is_a_token_of_version_2() {
        let (header, claims, genuine) = minted(Shape::default()).await;
        assert!(genuine && header.kid.is_some_and(|kid| kid.starts_with("ins_")));
        assert_eq!(header.typ.as_deref(), Some("JWT"));
        assert_eq!(
            (&claims["v"], &claims["sts"], &claims["sub"]),
            (&json!(2), &json!("active"), &json!("user_ada"))
        );
        assert_eq!(claims["azp"], AUTHORIZED_PARTY);
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 600);
        assert_eq!(claims["iat"].as_u64().unwrap() - claims["nbf"].as_u64().unwrap(), 10);
    }

    #[tokio::test]
    async fn version_1_has_flat_organization_claims() {
        let shape = Shape { v1: true, organization: Some("acme".to_owned()), ..Shape::default() };
        let (_, claims, genuine) = minted(shape).await;
        assert!(genuine && claims.get("v").is_none() && claims.get("o").is_none());
        assert_eq!((&claims["org_slug"], &claims["org_role"]), (&json!("acme"), &json!("org:admin")));
    }

    #[tokio::test]
    async fn a_forged_token_differs_in_its_signature_alone() {
        let (header, claims, genuine) = minted(Shape { forged: true, ..Shape::default() }).await;
        assert!(!genuine && header.kid.is_some());
        assert_eq!(claims["sub"], "user_ada");
    }

    #[tokio::test]
    async fn an_expired_token_ended_before_any_clock_skew() {
        let (_, claims, genuine) = minted(Shape { expired: true, ..Shape::default() }).await;
        assert!(genuine && claims["exp"].as_u64().unwrap() + 300 < NOW.as_secs());
    }

    #[tokio::test]
    async fn a_template_token_has_an_audience_and_no_session() {
        let (header, claims, genuine) =
            minted(Shape { template: Some("api".to_owned()), ..Shape::default() }).await;
        assert!(genuine && header.extras.get::<String>("cat").unwrap().as_deref() == Some(TEMPLATE_CATEGORY));
        assert_eq!(claims["aud"], "api");
        assert!(claims.get("sid").is_none() && claims.get("azp").is_none());
    }

    #[tokio::test]
    async fn claims_are_replaced_taken_away_and_of_any_type() {
        let by = json!({ "sid": null, "exp": "soon", "plan": { "name": "gold" } });
        let (_, claims, genuine) = minted(Shape { claims: named(by), ..Shape::default() }).await;
        assert!(genuine && claims.get("sid").is_none());
        assert_eq!((&claims["exp"], &claims["plan"]["name"]), (&json!("soon"), &json!("gold")));
    }

    #[tokio::test]
    async fn pending_and_impersonated_sessions_say_so() {
        let shape = Shape { pending: true, impersonated: true, ..Shape::default() };
        let (_, claims, _) = minted(shape).await;
        assert_eq!((&claims["sts"], &claims["act"]["sub"]), (&json!("pending"), &json!("user_support")));
    }
}
