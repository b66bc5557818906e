//! `Jwk`, `Jwks`: an issuer's keys as published (RFC 7517).

use crate::base64url;
use crate::json::{self, JsonError, NameMark, Reach, Text, Value};
use crate::key_error::KeyError;
use crate::key_set::KeyId;
use crate::signature::{Algorithm, MAX_MODULUS_BITS, checked_modulus};
use crate::token::{MAX_JSON_DEPTH, MAX_JSON_MEMBERS};

/// The greatest document that is read, in bytes. Clerk's has one or two keys, about 1 kB.
pub const MAX_JWKS_BYTES: usize = 256 * 1024;
/// The most keys in one document: each is made ready for use.
pub const MAX_JWKS_KEYS: usize = 32;

/// An RSA signature key as published: its name, its algorithm, its modulus. The exponent is 65537.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    pub(crate) kid: KeyId,
    pub(crate) algorithm: Algorithm,
    pub(crate) modulus: Vec<u8>,
}

/// A JWK that is of no use here, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedJwk {
    /// Its name, where it has one.
    pub kid: Option<KeyId>,
    /// What is wrong with it.
    pub error: KeyError,
}

/// A JWK Set (RFC 7517 section 5). A bad entry is set aside; it never spoils the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwks {
    keys: Vec<Jwk>,
    refused: Vec<RefusedJwk>,
}

impl Jwks {
    /// Reads a document. An entry is read by itself, as strictly as a token, so what is wrong in it is its own.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when it is not a JWK Set at all, is over [`MAX_JWKS_BYTES`], or has more than [`MAX_JWKS_KEYS`]
    /// entries.
    pub fn parse(document: &[u8]) -> Result<Jwks, KeyError> {
        if document.len() > MAX_JWKS_BYTES {
            return Err(KeyError::JwksTooLarge { bytes: document.len() });
        }
        let mut entries = None;
        read(document, Reach::Outline, &mut |name, value| {
            if name.is("keys") {
                entries = Some(value);
            }
        })
        .map_err(not_a_jwks)?;
        let entries = entries.and_then(Value::elements).ok_or(KeyError::NotAJwks { at: 0 })?;
        let mut jwks = Jwks { keys: Vec::new(), refused: Vec::new() };
        let mut private = Vec::new();
        for (count, entry) in entries.enumerate() {
            if count == MAX_JWKS_KEYS {
                return Err(KeyError::TooManyKeys);
            }
            jwks.take(entry, &mut private);
        }
        jwks.refuse_names_used_twice(private);
        Ok(jwks)
    }

    /// The keys that are fit for use.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The entries that are not, and why.
    pub fn refused(&self) -> &[RefusedJwk] {
        &self.refused
    }

    fn take(&mut self, entry: Value<'_>, private: &mut Vec<KeyId>) {
        let glance = Glance::at(entry.raw());
        match glance.jwk(entry.raw().as_bytes()) {
            Ok(key) => self.keys.push(key),
            Err(error) => {
                self.refused.push(RefusedJwk { kid: glance.names.first().cloned(), error });
                if glance.is_private {
                    private.extend(glance.names);
                }
            }
        }
    }

    /// Two keys of one name: which one is meant, nobody can tell, so neither is. A private key counts: whose private half
    /// is published under the same name, anybody may have signed with.
    fn refuse_names_used_twice(&mut self, private: Vec<KeyId>) {
        let names: Vec<KeyId> = self.keys.iter().map(|key| key.kid.clone()).chain(private).collect();
        let twice = |kid: &KeyId| names.iter().filter(|name| *name == kid).count() > 1;
        let (bad, good): (Vec<_>, Vec<_>) =
            core::mem::take(&mut self.keys).into_iter().partition(|key| twice(&key.kid));
        self.keys = good;
        self.refused
            .extend(bad.into_iter().map(|key| RefusedJwk { kid: Some(key.kid), error: KeyError::KidTwice }));
    }
}

impl Jwk {
    /// Reads one JWK that stands alone.
    ///
    /// # Errors
    ///
    /// [`KeyError`]: what is wrong with it.
    pub fn parse(document: &[u8]) -> Result<Jwk, KeyError> {
        if document.len() > MAX_JWKS_BYTES {
            return Err(KeyError::JwksTooLarge { bytes: document.len() });
        }
        Glance::at(core::str::from_utf8(document).unwrap_or_default()).jwk(document)
    }

    /// Its name.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The algorithm that it is published for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its modulus, big-endian.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }
}

/// What a JWK says of itself, also one that can't be read whole.
#[derive(Default)]
struct Glance {
    names: Vec<KeyId>,
    is_private: bool,
}

impl Glance {
    fn at(document: &str) -> Glance {
        const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
        let mut glance = Glance::default();
        for (name, value) in Value::of_read_document(document).members().into_iter().flatten() {
            if name.is("kid") {
                glance.names.extend(key_id(value));
            }
            glance.is_private |= PRIVATE.iter().any(|private| name.is(private));
        }
        glance
    }

    fn jwk(&self, document: &[u8]) -> Result<Jwk, KeyError> {
        // Before all else that may be wrong with it.
        if self.is_private {
            return Err(KeyError::PrivateMember);
        }
        let mut members = Members::default();
        read(document, Reach::Depth(MAX_JSON_DEPTH), &mut |name, value| members.take(name, value))
            .map_err(|error| not_a_jwk(document, error))?;
        members.jwk(self.names.first())
    }
}

/// The members of a JWK that a rule is about (RFC 7517 section 4; RFC 7518 section 6.3).
#[derive(Clone, Copy, Default)]
struct Members<'a> {
    kty: Option<Value<'a>>,
    alg: Option<Value<'a>>,
    usage: Option<Value<'a>>,
    key_ops: Option<Value<'a>>,
    n: Option<Value<'a>>,
    e: Option<Value<'a>>,
}

impl<'a> Members<'a> {
    fn take(&mut self, name: Text<'a>, value: Value<'a>) {
        match name {
            _ if name.is("kty") => self.kty = Some(value),
            _ if name.is("alg") => self.alg = Some(value),
            _ if name.is("use") => self.usage = Some(value),
            _ if name.is("key_ops") => self.key_ops = Some(value),
            _ if name.is("n") => self.n = Some(value),
            _ if name.is("e") => self.e = Some(value),
            _ => (),
        }
    }

    fn jwk(&self, kid: Option<&KeyId>) -> Result<Jwk, KeyError> {
        let says = |member: Option<Value<'_>>, expected: &str| {
            member.and_then(Value::text).is_some_and(|text| text.is(expected))
        };
        if !says(self.kty, "RSA") {
            return Err(KeyError::NotRsa);
        }
        if self.usage.is_some() && !says(self.usage, "sig") {
            return Err(KeyError::NotForSignatures);
        }
        if let Some(key_ops) = self.key_ops {
            let mut operations = key_ops.elements().into_iter().flatten();
            if !operations.any(|operation| says(Some(operation), "verify")) {
                return Err(KeyError::NotForSignatures);
            }
        }
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| says(self.alg, algorithm.as_str()));
        let algorithm = algorithm.ok_or(KeyError::NoAlgorithm)?;
        let kid = kid.cloned().ok_or(KeyError::NoKid)?;
        if !says(self.e, "AQAB") {
            return Err(KeyError::Exponent);
        }
        Ok(Jwk { kid, algorithm, modulus: modulus(self.n)? })
    }
}

/// `n` in its one spelling: base64url without leading zero bytes (RFC 7518 section 6.3.1.1).
fn modulus(n: Option<Value<'_>>) -> Result<Vec<u8>, KeyError> {
    let text = n.and_then(Value::text).and_then(Text::plain).ok_or(KeyError::ModulusSpelling)?;
    // One that is too long is told so, by its size.
    let mut room = [0; MAX_MODULUS_BITS / 8 * 2];
    let bytes = base64url::decode(text.as_bytes(), &mut room).ok_or(KeyError::ModulusSpelling)?;
    if bytes.first().is_none_or(|first| *first == 0) {
        return Err(KeyError::ModulusSpelling);
    }
    // Here rather than where the key is made ready: what is none must not be counted among keys of one name.
    checked_modulus(bytes).map(<[u8]>::to_vec)
}

fn key_id(kid: Value<'_>) -> Option<KeyId> {
    KeyId::from_chars(kid.whole_text()?.chars())
}

fn read<'a>(
    document: &'a [u8],
    reach: Reach,
    member: &mut dyn FnMut(Text<'a>, Value<'a>),
) -> Result<(), JsonError> {
    json::read_object(document, &mut [NameMark::default(); MAX_JSON_MEMBERS], reach, member).map(|_| ())
}

fn not_a_jwks(error: JsonError) -> KeyError {
    match error {
        JsonError::Malformed { at } => KeyError::NotAJwks { at },
        JsonError::Duplicate { at } => KeyError::MemberTwice { at },
        JsonError::TooDeep => KeyError::JsonTooDeep,
        JsonError::TooManyMembers => KeyError::TooManyMembers,
    }
}

fn not_a_jwk(document: &[u8], error: JsonError) -> KeyError {
    match error {
        JsonError::Malformed { at } if document.trim_ascii_start().starts_with(b"{") => {
            KeyError::MalformedJwk { at }
        }
        JsonError::Malformed { .. } => KeyError::NotAJwk,
        error => not_a_jwks(error),
    }
}

#[cfg(test)]
mod tests {
    use ::base64::Engine as _;
    use ::base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const PUBLISHED: &str = include_str!("example/jwks.json");

    /// The text, with blanks at its end until it has so many bytes.
    fn filled_up(text: &str, bytes: usize) -> Vec<u8> {
        let mut text = text.trim().as_bytes().to_vec();
        text.resize(bytes, b' ');
        text
    }

    #[test]
    fn a_document_up_to_the_bound_is_read_and_none_above() {
        let one =
            PUBLISHED.trim().strip_prefix(r#"{"keys": ["#).and_then(|rest| rest.strip_suffix("]}")).unwrap();
        assert!(Jwks::parse(&filled_up(PUBLISHED, MAX_JWKS_BYTES)).is_ok());
        assert!(Jwk::parse(&filled_up(one, MAX_JWKS_BYTES)).is_ok());
        for bytes in [MAX_JWKS_BYTES + 1, 2 * MAX_JWKS_BYTES] {
            let too_large = KeyError::JwksTooLarge { bytes };
            assert_eq!(Jwks::parse(&filled_up(PUBLISHED, bytes)), Err(too_large.clone()));
            assert_eq!(Jwk::parse(&filled_up(one, bytes)), Err(too_large));
        }
    }

    #[test]
    fn what_is_set_aside_is_listed_with_its_reason() {
        let entries = r#"{"keys": [{"kty": "oct", "kid": "a", "k": "AA"}, {"kty": "EC"}, 1, "#;
        let jwks = Jwks::parse(PUBLISHED.replacen(r#"{"keys": ["#, entries, 1).as_bytes()).unwrap();
        let set_aside = [
            (KeyId::parse("a"), KeyError::PrivateMember),
            (None, KeyError::NotRsa),
            (None, KeyError::NotAJwk),
        ];
        assert_eq!(jwks.refused(), set_aside.map(|(kid, error)| RefusedJwk { kid, error }));
        assert_eq!(jwks.keys().len(), 1);
    }

    #[test]
    fn an_entry_that_can_not_be_read_is_set_aside_under_its_name() {
        let deep = format!(r#"{{"kid": "a", "x": {}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let many: String = (0..1025).map(|i| format!(r#""{i}": 0, "#)).collect();
        let private = |error: &str| format!(r#"{{"kid": "a", {error}, "kid": "b", "d": "AQ"}}"#);
        for (entry, error) in [
            (deep.clone(), KeyError::JsonTooDeep),
            (format!(r#"{{{many}"kid": "a"}}"#), KeyError::TooManyMembers),
            (r#"{"x": "\ud800", "kid": "a"}"#.to_owned(), KeyError::MalformedJwk { at: 13 }),
            (r#"{"x": 1, "x": 1, "kid": "a"}"#.to_owned(), KeyError::MemberTwice { at: 9 }),
            (private(r#""d": 1"#), KeyError::PrivateMember),
            (private(&deep[13..deep.len() - 1]), KeyError::PrivateMember),
            (private(r#""x": "\udc00""#), KeyError::PrivateMember),
            (private(many.trim_end_matches(", ")), KeyError::PrivateMember),
        ] {
            let jwks = Jwks::parse(PUBLISHED.replacen('[', &format!("[{entry}, "), 1).as_bytes()).unwrap();
            assert_eq!(jwks.refused(), [RefusedJwk { kid: KeyId::parse("a"), error: error.clone() }]);
            assert_eq!(jwks.keys().len(), 1);
            assert_eq!(Jwk::parse(entry.as_bytes()), Err(error));
        }
        let nobody = r#"{"kid": "a\ud800", "x": "\ud800"}"#;
        assert_eq!(Jwk::parse(nobody.as_bytes()), Err(KeyError::MalformedJwk { at: 16 }));
        let jwks = Jwks::parse(format!(r#"{{"keys": [{nobody}]}}"#).as_bytes()).unwrap();
        assert_eq!(jwks.refused().first().map(|entry| &entry.kid), Some(&None));
    }

    /// The names of a private key are spoilt, each of them.
    #[test]
    fn a_private_key_spoils_all_the_names_that_it_has() {
        let private = r#"{"keys": [{"kid": "a", "d": 1, "kid": "ins_example"}, "#;
        let jwks = Jwks::parse(PUBLISHED.replacen(r#"{"keys": ["#, private, 1).as_bytes()).unwrap();
        let set_aside = [("a", KeyError::PrivateMember), ("ins_example", KeyError::KidTwice)];
        let set_aside = set_aside.map(|(kid, error)| RefusedJwk { kid: KeyId::parse(kid), error });
        assert_eq!(jwks.refused(), set_aside);
    }

    #[test]
    fn what_is_wrong_with_a_whole_document_is_told() {
        let many: String = (0..1025).map(|i| format!(r#""{i}": 0, "#)).collect();
        for (document, error) in [
            (r#"{"keys": [}"#.to_owned(), KeyError::NotAJwks { at: 10 }),
            (r#"{"\ud800": 1, "keys": []}"#.to_owned(), KeyError::NotAJwks { at: 8 }),
            (format!(r#"{{{many}"keys": []}}"#), KeyError::TooManyMembers),
            (r#"{"keys": [], "keys": []}"#.to_owned(), KeyError::MemberTwice { at: 13 }),
            (format!(r#"{{"keys": [{}1]}}"#, "1,".repeat(32)), KeyError::TooManyKeys),
        ] {
            assert_eq!(Jwks::parse(document.as_bytes()), Err(error), "{document}");
        }
        assert_eq!(Jwk::parse(b"[1]"), Err(KeyError::NotAJwk));
        assert_eq!(Jwk::parse(b"{"), Err(KeyError::MalformedJwk { at: 1 }));
    }

    #[test]
    fn a_modulus_that_is_too_long_is_told_its_size_up_to_twice_the_greatest() {
        let refused = |bytes: usize| {
            let n = URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
            let jwk = format!(r#"{{"kty": "RSA", "alg": "RS256", "kid": "a", "e": "AQAB", "n": "{n}"}}"#);
            Jwk::parse(jwk.as_bytes()).map(|_| ())
        };
        assert_eq!(refused(1024), Ok(()));
        assert_eq!(refused(1032), Err(KeyError::ModulusSize { bits: 8256 }));
        assert_eq!(refused(2048), Err(KeyError::ModulusSize { bits: 16_384 }));
        assert_eq!(refused(2052), Err(KeyError::ModulusSpelling));
    }
}
