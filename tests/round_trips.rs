//! There and back: a session that is written as a token reads as that session; a key that is written in any form is that
//! key.

use doorward_verifier::{
    AuthorizedParties, AwsLcRsa, Issuer, Jwk, Jwks, KeyMaterial, KeySet, MissingAzp, Policy, Principal,
    TokenBuffer, UnixTime, Verifier,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tests::keys::TestKey;
use tests::{base64_padded, base64url};

/// 2026-09-21.
const NOW: u64 = 1_790_000_000;
const ISSUER: &str = "https://clerk.example.com";
const PARTY: &str = "https://app.example.com";

/// A session, in the terms of nobody's claims.
#[derive(Clone, Debug)]
struct Session {
    user: String,
    session: String,
    lives_secs: u64,
    impersonator: Option<String>,
    organization: Option<Organization>,
    user_features: Vec<String>,
    factor_ages: Option<(Option<u64>, Option<u64>)>,
    /// Custom claims, whose values are any text.
    custom: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Organization {
    id: String,
    slug: Option<String>,
    role: String,
    /// Names of permissions; each feature holds some of them.
    names: Vec<String>,
    features: Vec<(String, Vec<bool>)>,
}

fn slug() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_-]{0,20}"
}

fn organizations() -> impl Strategy<Value = Organization> {
    // Wider than a machine's word, at times.
    (1_usize..80).prop_flat_map(|width| {
        let names = prop::collection::vec(slug(), width);
        let features = prop::collection::vec((slug(), prop::collection::vec(any::<bool>(), width)), 0..5);
        let id = "[A-Za-z0-9]{1,27}".prop_map(|tail| format!("org_{tail}"));
        (id, prop::option::of(slug()), slug(), names, features)
            .prop_map(|(id, slug, role, names, features)| Organization { id, slug, role, names, features })
    })
}

prop_compose! {
    fn sessions()(
        user in "user_[A-Za-z0-9_-]{1,123}",
        session in "[!-~]{1,128}",
        lives_secs in 1_u64..=3600,
        impersonator in prop::option::of("\\PC{1,40}"),
        organization in prop::option::of(organizations()),
        user_features in prop::collection::vec(slug(), 0..4),
        factor_ages in prop::option::of((prop::option::of(0_u64..1_000_000), prop::option::of(0_u64..1_000_000))),
        custom in prop::collection::vec(("x-[\\PC\"\\\\\n]{0,12}", any::<String>()), 0..4),
    ) -> Session {
        Session { user, session, lives_secs, impersonator, organization, user_features, factor_ages, custom }
    }
}

impl Session {
    /// What both versions say in the same way.
    fn common(&self) -> Map<String, Value> {
        let mut claims = Map::new();
        for (name, text) in &self.custom {
            claims.insert(name.clone(), json!(text));
        }
        let own = json!({
            "azp": PARTY, "iss": ISSUER, "sub": self.user, "sid": self.session,
            "iat": NOW, "nbf": NOW - 10, "exp": NOW + self.lives_secs,
        });
        claims.extend(own.as_object().unwrap().clone());
        if let Some(actor) = &self.impersonator {
            claims.insert("act".into(), json!({ "sub": actor }));
        }
        if let Some((first, second)) = self.factor_ages {
            let age = |age: Option<u64>| age.map_or(json!(-1), |mins| json!(mins));
            claims.insert("fva".into(), json!([age(first), age(second)]));
        }
        claims
    }

    fn version_1(&self) -> Value {
        let mut claims = self.common();
        if let Some(organization) = &self.organization {
            claims.insert("org_id".into(), json!(organization.id));
            claims.insert("org_role".into(), json!(format!("org:{}", organization.role)));
            claims.insert("org_permissions".into(), json!(organization.permissions()));
            if let Some(slug) = &organization.slug {
                claims.insert("org_slug".into(), json!(slug));
            }
        }
        Value::Object(claims)
    }

    fn version_2(&self) -> Value {
        let mut claims = self.common();
        claims.insert("v".into(), json!(2));
        let of_organization = self.organization.iter().flat_map(|organization| &organization.features);
        let of_organization = of_organization.map(|(slug, _)| format!("o:{slug}"));
        let features: Vec<_> =
            of_organization.chain(self.user_features.iter().map(|slug| format!("u:{slug}"))).collect();
        if !features.is_empty() {
            claims.insert("fea".into(), json!(features.join(",")));
        }
        if let Some(organization) = &self.organization {
            let masks: Vec<_> = organization.features.iter().map(|(_, bits)| decimal(bits)).collect();
            let mut packed = json!({
                "id": organization.id, "rol": organization.role,
                "per": organization.names.join(","), "fpm": masks.join(","),
            });
            if let Some(slug) = &organization.slug {
                packed["slg"] = json!(slug);
            }
            claims.insert("o".into(), packed);
        }
        Value::Object(claims)
    }

    fn check(&self, principal: &Principal, claims: &Value) {
        assert_eq!(principal.user_id(), self.user);
        assert_eq!(principal.session_id(), Some(&*self.session));
        assert_eq!(principal.issuer().as_str(), ISSUER);
        assert_eq!(principal.authorized_party(), Some(PARTY));
        assert_eq!(principal.issued_at(), Some(UnixTime::from_secs(NOW)));
        assert_eq!(principal.expires_at(), UnixTime::from_secs(NOW + self.lives_secs));
        assert_eq!(principal.impersonator().map(|actor| &actor.user_id), self.impersonator.as_ref());
        let ages = principal.factor_ages().map(|ages| (ages.first_mins, ages.second_mins));
        assert_eq!(ages, self.factor_ages);
        let organization = principal.organization();
        assert_eq!(organization.map(|known| &known.id), self.organization.as_ref().map(|stated| &stated.id));
        if let (Some(known), Some(stated)) = (organization, &self.organization) {
            assert_eq!(known.slug, stated.slug);
            assert_eq!(known.role, Some(format!("org:{}", stated.role)));
            assert_eq!(known.permissions, stated.permissions());
            assert!(!known.permissions_disputed);
        }
        assert_eq!(serde_json::from_str::<Value>(principal.claims_json()).unwrap(), *claims);
        for (name, _) in &self.custom {
            let claim = principal.claim(name).map(|raw| serde_json::from_str::<Value>(raw).unwrap());
            assert_eq!(claim.as_ref(), claims.get(name));
        }
    }
}

impl Organization {
    fn permissions(&self) -> Vec<String> {
        let granted = |(slug, bits): &(String, Vec<bool>)| {
            let names = self.names.iter().zip(bits).filter(|(_, granted)| **granted);
            names.map(|(name, _)| format!("org:{slug}:{name}")).collect::<Vec<_>>()
        };
        self.features.iter().flat_map(granted).collect()
    }
}

/// The number whose bits these are, the lowest first.
fn decimal(bits: &[bool]) -> String {
    let mut digits = vec![0_u8];
    for bit in bits.iter().rev() {
        let mut carry = u8::from(*bit);
        for digit in &mut digits {
            let doubled = *digit * 2 + carry;
            (*digit, carry) = (doubled % 10, doubled / 10);
        }
        digits.extend((carry > 0).then_some(carry));
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

fn verified(claims: &Value, key: &TestKey) -> Principal {
    let issuer = Issuer::parse(ISSUER).unwrap();
    let parties = AuthorizedParties::parse([PARTY]).unwrap();
    let verifier = Verifier::new(Policy::new(issuer.clone(), parties, MissingAzp::Refuse));
    let jwks = Jwks::parse(json!({ "keys": [key.jwk()] }).to_string().as_bytes()).unwrap();
    let keys = KeySet::from_jwks(&issuer, &jwks, &AwsLcRsa);
    let token = key.sign(&json!({"alg": "RS256", "kid": key.kid(), "typ": "JWT"}), claims);
    let mut buffer = TokenBuffer::new();
    let screened = verifier.screen(&token, &mut buffer).unwrap();
    verifier.verify(&screened, &keys, UnixTime::from_secs(NOW)).unwrap()
}

/// An odd number of 2048 to 8192 bits.
fn moduli() -> impl Strategy<Value = Vec<u8>> {
    (256_usize..=1024).prop_flat_map(|len| prop::collection::vec(any::<u8>(), len)).prop_map(|mut bytes| {
        bytes[0] |= 0x80;
        *bytes.last_mut().unwrap() |= 1;
        bytes
    })
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match content.len() {
        short @ 0..0x80 => vec![short as u8],
        middle @ 0x80..0x100 => vec![0x81, middle as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [&[tag][..], &length, content].concat()
}

/// RFC 8017 appendix A.1.1, and that inside RFC 5280 section 4.1.
fn documents(modulus: &[u8]) -> [(&'static str, Vec<u8>); 2] {
    const RSA_ENCRYPTION: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    let numbers = [der(2, &[&[0], modulus].concat()), der(2, &[1, 0, 1])].concat();
    let pkcs1 = der(0x30, &numbers);
    let spki = der(0x30, &[RSA_ENCRYPTION, &der(3, &[&[0], &*pkcs1].concat())].concat());
    [("RSA PUBLIC KEY", pkcs1), ("PUBLIC KEY", spki)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_session_is_the_same_through_either_version_of_the_claims(session in sessions()) {
        let key = TestKey::new("ins_round_trip", 0);
        let claims = session.version_2();
        let second = verified(&claims, &key);
        session.check(&second, &claims);
        let features: Vec<_> = second.features().iter().filter(|feature| feature.user).map(|feature| &feature.slug).collect();
        prop_assert_eq!(features, session.user_features.iter().collect::<Vec<_>>());

        let claims = session.version_1();
        let first = verified(&claims, &key);
        session.check(&first, &claims);
        // What version 1 has no claim for is all that they may differ in.
        prop_assert!(first.features().is_empty() && first.plans().is_empty());
        prop_assert_eq!(first.organization(), second.organization());
    }

    #[test]
    fn a_key_is_the_same_in_every_form_that_it_is_written_in(modulus in moduli(), kid in "\\PC{1,32}") {
        let jwk = json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "e": "AQAB", "n": base64url(&modulus)});
        let parsed = Jwk::parse(jwk.to_string().as_bytes()).unwrap();
        prop_assert_eq!(parsed.modulus(), &*modulus);
        prop_assert_eq!(parsed.kid().as_str(), &*kid);
        for text in [jwk.to_string(), json!({"keys": [jwk]}).to_string(), format!("{jwk:#}")] {
            let KeyMaterial::Jwks(jwks) = KeyMaterial::parse(&text).unwrap() else { panic!("{text}") };
            prop_assert_eq!(jwks.keys(), std::slice::from_ref(&parsed));
        }
        for (label, der) in documents(&modulus) {
            let body = base64_padded(&der);
            let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let pem = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"));
            for pasted in [
                pem.clone(),
                pem.replace('\n', "\r\n"),
                pem.replace('\n', "\\n"),
                pem.replace('\n', " "),
                pem.replace('\n', ""),
                format!("\"{}\"", pem.trim_end()),
                format!("\u{feff}{pem}"),
                body.clone(),
                lines.join("\n"),
                base64_padded(pem.as_bytes()),
            ] {
                prop_assert_eq!(KeyMaterial::parse(&pasted), Ok(KeyMaterial::Modulus(modulus.clone())), "{}", pasted);
            }
        }
    }
}
