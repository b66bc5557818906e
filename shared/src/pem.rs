//! `KeyMaterial`: keys as people paste them.

use crate::base64;
use crate::error::Excerpt;
use crate::jwks::{Jwk, Jwks, MAX_JWKS_BYTES};
use crate::key_error::KeyError;
use crate::key_set::KeySet;
use crate::pasted::{unwrapped, written_out};
use crate::policy::Issuer;
use crate::signature::Rsa;
use crate::text;

/// An instance's keys out of a setting or a file, understood.
///
/// Taken are a JWKS, a single JWK, and one RSA public key in PEM: as `PUBLIC KEY` (RFC 7468 section 13), as
/// `RSA PUBLIC KEY` (RFC 8017 appendix A.1.1) or in a `CERTIFICATE`, of which the key alone is looked at, neither its
/// dates nor its signature. Any of these may have lost its shape on the way: all in one line, CRLF, quotes around it, a
/// byte order mark, no BEGIN and END lines, newlines written out as `\n`, JSON put into a JSON string, all of it in base64
/// once more.
///
/// The form is forgiven, the content is not: DER is read strictly, and whatever else stands in the text refuses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyMaterial {
    /// Published keys, each with its name. At least one is fit for use.
    Jwks(Jwks),
    /// The modulus of one key without a name, big-endian. Its exponent is 65537.
    Modulus(Vec<u8>),
}

impl KeyMaterial {
    /// Understands a text of at most [`MAX_JWKS_BYTES`].
    ///
    /// # Errors
    ///
    /// [`KeyError`] says what the text was taken for and what is wrong with it, and repeats nothing of it but the label
    /// of a PEM block.
    pub fn parse(text: &str) -> Result<KeyMaterial, KeyError> {
        if text.len() > MAX_JWKS_BYTES {
            return Err(KeyError::JwksTooLarge { bytes: text.len() });
        }
        let text = unwrapped(text);
        if let Some(material) = parse_text(text) {
            return material;
        }
        let bytes = base64::decode(&written_out(text)).map_err(|at| KeyError::NotBase64 {
            understood: "a key in base64 without BEGIN and END lines",
            at,
        })?;
        let inner = core::str::from_utf8(&bytes).ok().map(unwrapped);
        inner.and_then(parse_text).unwrap_or_else(|| modulus(&bytes).map(KeyMaterial::Modulus))
    }

    /// The keys, ready for use. A key without a name is there for every `kid`, with RS256.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when no key is fit for use: the first one's.
    pub fn key_set(&self, issuer: &Issuer, rsa: &dyn Rsa) -> Result<KeySet, KeyError> {
        let keys = match self {
            KeyMaterial::Modulus(modulus) => return KeySet::from_modulus(issuer, modulus, rsa),
            KeyMaterial::Jwks(jwks) => KeySet::from_jwks(issuer, jwks, rsa),
        };
        if keys.is_empty() { Err(first_refusal(keys.refused())) } else { Ok(keys) }
    }
}

/// The material, where the text shows what it is; `None` for what can be base64 alone.
fn parse_text(text: &str) -> Option<Result<KeyMaterial, KeyError>> {
    const CLERK_KEYS: [(&str, &str); 3] =
        [("pk_", "a Clerk publishable key"), ("sk_", "a Clerk secret key"), ("whsec_", "a webhook secret")];
    const OTHER_KEYS: [&str; 4] = ["ssh-", "ecdsa-", "sk-", "---- BEGIN SSH2"];
    if text.is_empty() {
        return Some(Err(KeyError::Empty));
    }
    if is_json(text) {
        return Some(parse_json(text));
    }
    let plain = written_out(text);
    let inner = unwrapped(&plain);
    if is_json(inner) {
        return Some(parse_keys(inner));
    }
    if let Some((_, kind)) = CLERK_KEYS.into_iter().find(|(prefix, _)| text.starts_with(prefix)) {
        return Some(Err(KeyError::ClerkKey { kind }));
    }
    if OTHER_KEYS.into_iter().any(|prefix| text.starts_with(prefix)) {
        return Some(Err(KeyError::OtherKey { kind: "an OpenSSH public key" }));
    }
    if text::contains(text, "--") {
        return Some(parse_pem(&plain).map(KeyMaterial::Modulus));
    }
    None
}

fn is_json(text: &str) -> bool {
    matches!(text.as_bytes(), [b'{' | b'[', ..])
}

fn parse_json(text: &str) -> Result<KeyMaterial, KeyError> {
    match parse_keys(text) {
        // Newlines that were written out, or quotes, since the JSON was put into a string.
        Err(KeyError::NotAJwks { at: 1.. }) => parse_keys(&written_out(text)),
        parsed => parsed,
    }
}

fn parse_keys(text: &str) -> Result<KeyMaterial, KeyError> {
    let jwks = match Jwks::parse(text.as_bytes()) {
        // An object, but without a list `keys`: a JWK that stands alone.
        Err(KeyError::NotAJwks { at: 0 }) => {
            Jwk::parse(text.as_bytes())?;
            Jwks::parse([r#"{"keys":["#, text, "]}"].concat().as_bytes())?
        }
        parsed => parsed?,
    };
    if jwks.keys().is_empty() { Err(first_refusal(jwks.refused())) } else { Ok(KeyMaterial::Jwks(jwks)) }
}

fn first_refusal(refused: &[crate::jwks::RefusedJwk]) -> KeyError {
    refused.first().map_or(KeyError::NoKeys, |entry| entry.error.clone())
}

/// The modulus in the one PEM block of a text (RFC 7468), whose lines may have been joined.
fn parse_pem(text: &str) -> Result<Vec<u8>, KeyError> {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "-----END ";
    const DASHES: &str = "-----";
    let armour = |wrong| KeyError::PemArmour { wrong };
    // Before all else, whatever shape the rest is in.
    if text::contains(text, "PRIVATE KEY") {
        return Err(KeyError::PrivateKey { kind: "a private key in PEM" });
    }
    let (before, rest) =
        text::split_once_at(text, BEGIN).ok_or_else(|| armour("no line `-----BEGIN …-----`"))?;
    let (label, rest) = text::split_once_at(rest, DASHES)
        .ok_or_else(|| armour("the BEGIN line ends without its five dashes"))?;
    if !matches!(label, "PUBLIC KEY" | "RSA PUBLIC KEY" | "CERTIFICATE" | "X509 CERTIFICATE") {
        return Err(KeyError::PemLabel { label: Excerpt::of(label) });
    }
    if !text::trim(before).is_empty() {
        return Err(armour("there is text before the BEGIN line: take it away"));
    }
    let (body, rest) = text::split_once_at(rest, END).ok_or_else(|| {
        armour(
            "the END line is missing: was the value cut at its first newline? write it in one line, with \\n",
        )
    })?;
    let after = rest
        .strip_prefix(label)
        .and_then(|rest| rest.strip_prefix(DASHES))
        .ok_or_else(|| armour("the END line does not match the BEGIN line"))?;
    if text::contains(after, BEGIN) {
        return Err(armour("there is more than one block: keep the one of the instance's key"));
    }
    if !text::trim(after).is_empty() {
        return Err(armour("there is text after the END line: take it away"));
    }
    let der = base64::decode(body).map_err(|at| KeyError::NotBase64 { understood: "PEM", at })?;
    modulus(&der)
}

/// The modulus of an RSA public key in DER: a `SubjectPublicKeyInfo`, an `RSAPublicKey` or a `Certificate`. Which one
/// it is, its structure tells; a label may be wrong.
fn modulus(der: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut whole = Der { bytes: der, at: 0, understood: "DER" };
    let content = whole.expect(SEQUENCE)?;
    whole.end()?;
    let mut ahead = content;
    let first = ahead.element()?;
    let second = ahead.element()?;
    match (first.tag, second.tag) {
        (INTEGER, INTEGER) if ahead.bytes.is_empty() => rsa_public_key(content),
        // A version, then two and more integers (RFC 8017 appendix A.1.2), an algorithm (RFC 5958) or the octets of an
        // elliptic curve's key (RFC 5915).
        (INTEGER, INTEGER | SEQUENCE | OCTET_STRING) => {
            Err(KeyError::PrivateKey { kind: "a private key in DER" })
        }
        (SEQUENCE, OCTET_STRING) => Err(KeyError::PrivateKey { kind: "an encrypted private key in DER" }),
        (SEQUENCE, BIT_STRING) => subject_public_key_info(content),
        (SEQUENCE, SEQUENCE) => certificate(content),
        _ => Err(KeyError::NotDer { understood: "DER of no key that is known here", at: second.content.at }),
    }
}

/// `RSAPublicKey` without its outer tag: modulus and exponent (RFC 8017 appendix A.1.1).
fn rsa_public_key(content: Der<'_>) -> Result<Vec<u8>, KeyError> {
    let mut content = content.taken_for("an RSA public key (PKCS#1)");
    let modulus = content.unsigned()?;
    let exponent = content.unsigned()?;
    content.end()?;
    if exponent != [1, 0, 1] { Err(KeyError::Exponent) } else { Ok(modulus.to_vec()) }
}

/// `SubjectPublicKeyInfo` without its outer tag: an algorithm, and a key in a bit string (RFC 5280 section 4.1.2.7).
fn subject_public_key_info(content: Der<'_>) -> Result<Vec<u8>, KeyError> {
    let mut content = content.taken_for("a public key (SPKI)");
    let mut algorithm = content.expect(SEQUENCE)?;
    let name = algorithm.expect(OBJECT_IDENTIFIER)?;
    if name.bytes != RSA_ENCRYPTION {
        return Err(KeyError::OtherKey { kind: kind_of_key(name.bytes) });
    }
    // RFC 3279 section 2.3.1: the parameters are NULL, and they are there.
    algorithm.expect(NULL)?.end()?;
    algorithm.end()?;
    let bits = content.expect(BIT_STRING)?;
    content.end()?;
    // The first octet says how many bits of the last are not used: none.
    let (unused, key) = bits.bytes.split_first().ok_or_else(|| bits.fault())?;
    if *unused != 0 {
        return Err(bits.fault());
    }
    let mut key = Der { bytes: key, at: bits.at + 1, understood: bits.understood };
    let public_key = key.expect(SEQUENCE)?;
    key.end()?;
    rsa_public_key(public_key)
}

/// `Certificate` without its outer tag (RFC 5280 section 4.1): the key in it. It is trusted because it was pasted, so
/// its dates and its signature are not looked at.
fn certificate(content: Der<'_>) -> Result<Vec<u8>, KeyError> {
    let mut content = content.taken_for("a certificate");
    let mut signed = content.expect(SEQUENCE)?;
    content.expect(SEQUENCE)?;
    content.expect(BIT_STRING)?;
    content.end()?;
    if signed.bytes.first() == Some(&VERSION) {
        signed.expect(VERSION)?;
    }
    // Serial number; algorithm, issuer, validity, subject.
    signed.expect(INTEGER)?;
    for _ in 0..4 {
        signed.expect(SEQUENCE)?;
    }
    subject_public_key_info(signed.expect(SEQUENCE)?)
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const NULL: u8 = 0x05;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// `[0]`, constructed.
const VERSION: u8 = 0xa0;

/// 1.2.840.113549.1.1.1 (RFC 8017 appendix A.1).
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// What a key of another algorithm is called.
fn kind_of_key(object_identifier: &[u8]) -> &'static str {
    match object_identifier {
        // 1.2.840.10045.2.1 (RFC 5480 section 2.1.1)
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01] => "an EC key",
        // 1.2.840.113549.1.1.10 (RFC 4055 section 3.1)
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a] => "an RSA key that is for PSS alone",
        // 1.3.101.112 (RFC 8410 section 3)
        [0x2b, 0x65, 0x70] => "an Ed25519 key",
        _ => "a key of another algorithm",
    }
}

/// What is left to read of some DER (ITU-T X.690 section 10): definite lengths in their shortest form.
#[derive(Clone, Copy)]
struct Der<'a> {
    bytes: &'a [u8],
    /// Where it begins in the whole.
    at: usize,
    /// What it is taken for.
    understood: &'static str,
}

struct Element<'a> {
    tag: u8,
    content: Der<'a>,
}

impl<'a> Der<'a> {
    fn taken_for(self, understood: &'static str) -> Der<'a> {
        Der { understood, ..self }
    }

    fn fault(&self) -> KeyError {
        KeyError::NotDer { understood: self.understood, at: self.at }
    }

    /// Reads the next element.
    fn element(&mut self) -> Result<Element<'a>, KeyError> {
        let (header, len, tag) = header(self.bytes).ok_or_else(|| self.fault())?;
        let end = header.checked_add(len).ok_or_else(|| self.fault())?;
        let (element, rest) = self.bytes.split_at_checked(end).ok_or_else(|| self.fault())?;
        let content = Der { bytes: element.get(header..).unwrap_or_default(), at: self.at + header, ..*self };
        *self = Der { bytes: rest, at: self.at + end, ..*self };
        Ok(Element { tag, content })
    }

    /// Reads the next element, which must have this tag.
    fn expect(&mut self, tag: u8) -> Result<Der<'a>, KeyError> {
        let fault = self.fault();
        let element = self.element()?;
        if element.tag == tag { Ok(element.content) } else { Err(fault) }
    }

    /// Reads an integer that is not negative, in its shortest form, and gives its bytes without the leading zero.
    fn unsigned(&mut self) -> Result<&'a [u8], KeyError> {
        let content = self.expect(INTEGER)?;
        match content.bytes {
            [0, rest @ ..] if rest.first().is_some_and(|first| first & 0x80 != 0) => Ok(rest),
            [first, ..] if (1..0x80).contains(first) => Ok(content.bytes),
            [0] => Ok(content.bytes),
            _ => Err(content.fault()),
        }
    }

    /// Nothing may follow.
    fn end(&self) -> Result<(), KeyError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(self.fault()) }
    }
}

/// The length of an element's header, that of its content, and its tag. A tag of more than one byte begins with one
/// that is expected nowhere.
fn header(bytes: &[u8]) -> Option<(usize, usize, u8)> {
    match *bytes {
        [tag, len, ..] if len < 0x80 => Some((2, usize::from(len), tag)),
        [tag, 0x81, len, ..] if len >= 0x80 => Some((3, usize::from(len), tag)),
        [tag, 0x82, a, b, ..] if a > 0 => Some((4, usize::from(a) << 8 | usize::from(b), tag)),
        [tag, 0x83, a, b, c, ..] if a > 0 => {
            Some((5, usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c), tag))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::signature::OwnRsa;

    const SPKI: &str = include_str!("../tests/keys/public-key.pem");
    const PKCS1: &str = include_str!("../tests/keys/rsa-public-key.pem");
    const CERTIFICATE: &str = include_str!("../tests/keys/certificate.pem");
    /// The same key, as its modulus in base64url.
    const N: &str = "wlb38793i9pL-vXjF3CJmPUGMnP1WC5l5cHRack3PzfBYlKVULqFCZ6LKRlNmcqksi2XsYhb9CvF9zGzjXCdsBBRtetb00E6HDVZEiJvE_4Fj4iB_UgrID2D3KIHZInUjpL10mYZzZ78IsraQsSIW5d8e6MkxLFmbq7YLDlXpBhXT23k0_O2bX7mzDGvYWPlMEoGa5oI_GGybnsr3KIxE3u5eco-rMc-GZAcu_av45nJ56_FjSD9pzgLlEtxgr7cOc4kMfMF6edlwcAQHEH05f6WNQHi1QMTb_0hnwjMJYZur6IL3mv9np1U_AWukbT6drucdK5PqEELlnPWfqubAw";

    fn known_modulus() -> Vec<u8> {
        let mut room = [0; 300];
        crate::base64url::decode(N.as_bytes(), &mut room).unwrap().to_vec()
    }

    fn jwk() -> String {
        format!(r#"{{"kty":"RSA","use":"sig","alg":"RS256","kid":"ins_1","n":"{N}","e":"AQAB"}}"#)
    }

    /// The base64 of a PEM text, in one line.
    fn body(pem: &str) -> String {
        pem.lines().filter(|line| !line.starts_with('-')).collect()
    }

    fn bytes(pem: &str) -> Vec<u8> {
        base64::decode(&body(pem)).unwrap()
    }

    /// Standard base64 of some bytes, for material that is made here.
    fn encoded(bytes: &[u8]) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let bits =
                group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            for i in 0..4 {
                let sextet = (bits >> (18 - 6 * i)) as usize & 63;
                text.push(if i > group.len() { '=' } else { ALPHABET[sextet] as char });
            }
        }
        text
    }

    fn assert_is_the_key(text: &str) {
        assert_eq!(KeyMaterial::parse(text), Ok(KeyMaterial::Modulus(known_modulus())), "{text}");
    }

    fn refusal(text: &str) -> KeyError {
        KeyMaterial::parse(text).expect_err(text)
    }

    #[test]
    fn the_three_forms_of_a_public_key_give_one_modulus() {
        for pem in [SPKI, PKCS1, CERTIFICATE] {
            assert_is_the_key(pem);
        }
    }

    /// What happens between a dashboard and an environment variable.
    #[test]
    fn whatever_was_lost_on_the_way_the_key_is_read() {
        type Change = fn(&str) -> String;
        let changes: [(&str, Change); 20] = [
            ("escaped newlines", |pem| pem.replace('\n', "\\n")),
            ("escaped CRLF", |pem| pem.replace('\n', "\\r\\n")),
            ("escaped twice", |pem| pem.replace('\n', "\\\\n")),
            ("escaped newlines and real ones", |pem| pem.replace('\n', "\\n\n")),
            ("shell continuations", |pem| pem.replace('\n', "\\\n")),
            ("CRLF", |pem| pem.replace('\n', "\r\n")),
            ("CR", |pem| pem.replace('\n', "\r")),
            ("one line, blanks", |pem| pem.replace('\n', " ")),
            ("one line, nothing", |pem| pem.replace('\n', "")),
            ("indented", |pem| pem.replace('\n', "\n    ")),
            ("byte order mark", |pem| format!("\u{feff}{pem}")),
            ("double quotes", |pem| format!("\"{}\"", pem.trim_end())),
            ("single quotes", |pem| format!("'{pem}'")),
            ("back quotes", |pem| format!("`{pem}`")),
            ("typographic quotes", |pem| format!("“{pem}”")),
            ("quotes in quotes", |pem| format!("'\"{}\"' ", pem.replace('\n', "\\n"))),
            ("mark, blanks and quotes", |pem| format!("\u{feff} \n\"{pem}\"\r\n")),
            ("without BEGIN and END", |pem| body(pem)),
            ("without BEGIN, END and padding", |pem| body(pem).trim_end_matches('=').to_owned()),
            ("base64 of it all", |pem| encoded(pem.as_bytes())),
        ];
        for (name, change) in changes {
            for pem in [SPKI, PKCS1, CERTIFICATE] {
                let changed = change(pem);
                let read = KeyMaterial::parse(&changed);
                assert_eq!(read, Ok(KeyMaterial::Modulus(known_modulus())), "{name}: {changed}");
            }
        }
    }

    #[test]
    fn a_body_without_armour_may_keep_its_lines() {
        let lines: Vec<_> = SPKI.lines().filter(|line| !line.starts_with('-')).collect();
        assert_is_the_key(&lines.join("\n"));
        assert_is_the_key(&lines.join("\\n"));
    }

    #[test]
    fn a_label_may_be_wrong_where_the_structure_tells() {
        assert_is_the_key(&SPKI.replace("PUBLIC KEY", "RSA PUBLIC KEY"));
        assert_is_the_key(&PKCS1.replace("RSA PUBLIC KEY", "PUBLIC KEY"));
        assert_is_the_key(&CERTIFICATE.replace("CERTIFICATE", "X509 CERTIFICATE"));
    }

    #[test]
    fn a_jwk_and_a_jwks_are_told_apart() {
        let jwks = format!(r#"{{"keys":[{}]}}"#, jwk());
        let expected = KeyMaterial::parse(&jwks).unwrap();
        let KeyMaterial::Jwks(read) = &expected else { panic!("not a JWKS") };
        assert_eq!(read.keys()[0].kid().as_str(), "ins_1");
        assert_eq!(read.keys()[0].modulus(), known_modulus());
        let escaped = format!("\"{}\"", jwk().replace('"', "\\\""));
        for text in [
            jwk(),
            format!(" \u{feff}'{jwks}'\n"),
            escaped,
            encoded(jwks.as_bytes()),
            encoded(jwk().as_bytes()),
        ] {
            assert_eq!(KeyMaterial::parse(&text).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn material_becomes_a_key_set_of_its_issuer() {
        let issuer = Issuer::parse("https://clerk.example.com").unwrap();
        let named = KeyMaterial::parse(&jwk()).unwrap().key_set(&issuer, &OwnRsa).unwrap();
        assert_eq!(named.ids().map(|id| id.as_str()).collect::<Vec<_>>(), ["ins_1"]);
        let unnamed = KeyMaterial::parse(SPKI).unwrap().key_set(&issuer, &OwnRsa).unwrap();
        assert_eq!((unnamed.ids().count(), unnamed.is_empty()), (0, false));
        assert_eq!(unnamed.issuer(), &issuer);
    }

    #[test]
    fn material_without_a_key_that_is_fit_for_use_is_no_key_set() {
        let issuer = Issuer::parse("https://clerk.example.com").unwrap();
        let short = KeyMaterial::Modulus(vec![0xff; 128]).key_set(&issuer, &OwnRsa);
        assert_eq!(short.unwrap_err(), KeyError::ModulusSize { bits: 1024 });
        // 128 bytes of ones in base64url.
        let short = jwk().replace(N, &format!("{}8", "_".repeat(170)));
        assert_eq!(refusal(&short), KeyError::ModulusSize { bits: 1024 });
    }

    #[test]
    fn a_quote_in_a_name_is_no_sign_of_json_in_a_string() {
        let named = jwk().replace("ins_1", r#"ins_\"1"#);
        let KeyMaterial::Jwks(jwks) = KeyMaterial::parse(&named).unwrap() else { panic!("no JWKS") };
        assert_eq!(jwks.keys()[0].kid().as_str(), "ins_\"1");
        assert!(KeyMaterial::parse(&jwk().replace('"', "\\\"")).is_ok());
    }

    #[test]
    fn nothing_is_no_key() {
        for text in ["", " ", "\u{feff}", "\"\"", " '' \n", "\"'\"\"'\""] {
            assert_eq!(refusal(text), KeyError::Empty, "{text:?}");
        }
        assert_eq!(refusal(r#"{"keys":[]}"#), KeyError::NoKeys);
    }

    #[test]
    fn a_text_over_the_bound_is_not_looked_at() {
        let text = "A".repeat(MAX_JWKS_BYTES + 1);
        assert_eq!(refusal(&text), KeyError::JwksTooLarge { bytes: text.len() });
        assert!(matches!(refusal(&text[1..]), KeyError::NotDer { .. }), "the longest that is");
    }

    #[test]
    fn other_keys_of_clerks_are_told_apart() {
        for (text, kind) in [
            ("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k", "a Clerk publishable key"),
            ("\"sk_test_abcdefghij\"", "a Clerk secret key"),
            ("whsec_abcdefghij", "a webhook secret"),
        ] {
            let refusal = refusal(text);
            assert_eq!(refusal, KeyError::ClerkKey { kind });
            assert!(!refusal.to_string().contains("abcdefghij"), "a secret was repeated");
        }
    }

    /// Labels are put together here, so that no file of ours looks as if it held a private key.
    fn labelled(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    #[test]
    fn a_private_key_is_refused_by_its_label() {
        for kind in ["", "RSA ", "EC ", "ENCRYPTED ", "OPENSSH ", "DSA "] {
            let label = format!("{kind}PRIVATE KEY");
            let private = labelled(&label, &body(PKCS1));
            let refused = KeyError::PrivateKey { kind: "a private key in PEM" };
            assert_eq!(refusal(&private), refused, "{label}");
            assert_eq!(refusal(&private.replace('\n', "\\n")), refused, "{label}");
            assert_eq!(refusal(&format!("{SPKI}{private}")), refused, "{label}");
            assert_eq!(refusal(&format!("{private}{SPKI}")), refused, "{label}");
            assert_eq!(refusal(&private.replace("-----END", "")), refused, "{label}");
            assert_eq!(refusal(&encoded(private.as_bytes())), refused, "{label}");
        }
        assert_eq!(refusal(&jwk().replace("\"e\"", "\"d\":\"AQAB\",\"e\"")), KeyError::PrivateMember);
        assert_eq!(refusal(r#"{"kty":"oct","k":"AAAA","kid":"a","alg":"HS256"}"#), KeyError::PrivateMember);
    }

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut der = vec![tag];
        match content.len() {
            len @ 0..0x80 => der.push(len as u8),
            len @ 0x80..0x100 => der.extend([0x81, len as u8]),
            len @ 0x100..0x1_0000 => der.extend([0x82, (len >> 8) as u8, len as u8]),
            len => der.extend([0x83, (len >> 16) as u8, (len >> 8) as u8, len as u8]),
        }
        der.extend(content);
        der
    }

    fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
        der(SEQUENCE, &elements.concat())
    }

    fn integer(bytes: &[u8]) -> Vec<u8> {
        let sign = bytes.first().is_some_and(|first| first & 0x80 != 0);
        der(INTEGER, &[if sign { &[0][..] } else { &[] }, bytes].concat())
    }

    fn rsa_algorithm() -> Vec<u8> {
        sequence(&[der(OBJECT_IDENTIFIER, RSA_ENCRYPTION), der(NULL, &[])])
    }

    #[test]
    fn a_private_key_is_refused_by_its_structure() {
        let n = known_modulus();
        let pkcs1 = sequence(&[
            integer(&[0]),
            integer(&n),
            integer(&[1, 0, 1]),
            integer(&n),
            integer(&n),
            integer(&n),
        ]);
        let pkcs8 = sequence(&[integer(&[0]), rsa_algorithm(), der(OCTET_STRING, &pkcs1)]);
        let sec1 = sequence(&[integer(&[1]), der(OCTET_STRING, &[7; 32])]);
        for private in [&pkcs1, &pkcs8, &sec1] {
            let refused = KeyError::PrivateKey { kind: "a private key in DER" };
            assert_eq!(refusal(&encoded(private)), refused);
            assert_eq!(refusal(&labelled("PUBLIC KEY", &encoded(private))), refused);
        }
        let encrypted = sequence(&[rsa_algorithm(), der(OCTET_STRING, &[7; 32])]);
        assert_eq!(
            refusal(&encoded(&encrypted)),
            KeyError::PrivateKey { kind: "an encrypted private key in DER" }
        );
    }

    #[test]
    fn keys_of_other_algorithms_are_called_by_their_names() {
        for (pem, kind) in [
            (include_str!("../tests/keys/ec-public-key.pem"), "an EC key"),
            (include_str!("../tests/keys/ed25519-public-key.pem"), "an Ed25519 key"),
            (include_str!("../tests/keys/rsa-pss-public-key.pem"), "an RSA key that is for PSS alone"),
        ] {
            assert_eq!(refusal(pem), KeyError::OtherKey { kind });
            assert_eq!(refusal(&body(pem)), KeyError::OtherKey { kind });
        }
        let unknown = sequence(&[sequence(&[der(OBJECT_IDENTIFIER, &[0x2a, 3])]), der(BIT_STRING, &[0, 1])]);
        assert_eq!(refusal(&encoded(&unknown)), KeyError::OtherKey { kind: "a key of another algorithm" });
        for ssh in [
            "ssh-rsa AAAAB3NzaC1yc2E user@host",
            "ecdsa-sha2-nistp256 AAAA",
            "---- BEGIN SSH2 PUBLIC KEY ----",
        ] {
            assert_eq!(refusal(ssh), KeyError::OtherKey { kind: "an OpenSSH public key" });
        }
        assert_eq!(refusal(&jwk().replace("RSA", "EC")), KeyError::NotRsa);
    }

    #[test]
    fn blocks_of_other_labels_are_called_by_their_names() {
        let request = include_str!("../tests/keys/certificate-request.pem");
        assert_eq!(refusal(request), KeyError::PemLabel { label: Excerpt::of("CERTIFICATE REQUEST") });
        for label in
            ["EC PARAMETERS", "PGP PUBLIC KEY BLOCK", "TRUSTED CERTIFICATE", "public key", " PUBLIC KEY", ""]
        {
            assert_eq!(
                refusal(&labelled(label, &body(SPKI))),
                KeyError::PemLabel { label: Excerpt::of(label) }
            );
        }
        // As a certificate it is none.
        assert!(matches!(refusal(&body(request)), KeyError::NotDer { understood: "a certificate", .. }));
    }

    #[test]
    fn damaged_armour_is_pointed_out() {
        let first_line = SPKI.lines().next().unwrap();
        for (text, wrong) in [
            (SPKI.replace("-----BEGIN", "----BEGIN"), "no line `-----BEGIN …-----`"),
            (SPKI.replace("-----BEGIN", "—–BEGIN"), "no line `-----BEGIN …-----`"),
            ("-----BEGIN PUBLIC KEY".to_owned(), "the BEGIN line ends without its five dashes"),
            (format!("CLERK_JWT_KEY={SPKI}"), "there is text before the BEGIN line: take it away"),
            (format!("# the key\n{SPKI}"), "there is text before the BEGIN line: take it away"),
            (
                first_line.to_owned(),
                "the END line is missing: was the value cut at its first newline? write it in one line, with \\n",
            ),
            (format!("\"{first_line}"), "there is text before the BEGIN line: take it away"),
            (SPKI.replace("END PUBLIC", "END RSA PUBLIC"), "the END line does not match the BEGIN line"),
            (
                SPKI.replace("KEY-----\n", "KEY--\n").replace("BEGIN PUBLIC KEY--", "BEGIN PUBLIC KEY-----"),
                "the END line does not match the BEGIN line",
            ),
            (format!("{SPKI}{SPKI}"), "there is more than one block: keep the one of the instance's key"),
            (
                format!("{CERTIFICATE}{SPKI}"),
                "there is more than one block: keep the one of the instance's key",
            ),
            (format!("{SPKI};"), "there is text after the END line: take it away"),
            (format!("{}\",", SPKI.trim_end()), "there is text after the END line: take it away"),
        ] {
            assert_eq!(refusal(&text), KeyError::PemArmour { wrong }, "{text}");
        }
    }

    #[test]
    fn damaged_base64_is_pointed_at() {
        let bare = |at| KeyError::NotBase64 { understood: "a key in base64 without BEGIN and END lines", at };
        assert_eq!(refusal("MIIB*"), bare(4));
        assert_eq!(refusal("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyXzEifQ.c2ln"), bare(20), "a token");
        let first_plus = body(SPKI).find('+').unwrap();
        assert_eq!(refusal(&body(SPKI).replace('+', "-")), bare(first_plus));
        assert_eq!(refusal("C:\\keys\\clerk.pem"), bare(1));
        assert_eq!(refusal("/etc/clerk.pem"), bare(10));
        let proc_type = SPKI.replacen("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1);
        assert_eq!(refusal(&proc_type), KeyError::NotBase64 { understood: "PEM", at: 5 });
        assert_eq!(
            refusal(&labelled("PUBLIC KEY", "MIIB=A")),
            KeyError::NotBase64 { understood: "PEM", at: 6 }
        );
    }

    #[test]
    fn der_is_read_strictly() {
        let n = known_modulus();
        let good = sequence(&[integer(&n), integer(&[1, 0, 1])]);
        assert_is_the_key(&encoded(&good));
        let pkcs1 = "an RSA public key (PKCS#1)";
        let spki = "a public key (SPKI)";
        let key = |bits: &[u8]| sequence(&[rsa_algorithm(), der(BIT_STRING, bits)]);
        let no_parameters = sequence(&[der(OBJECT_IDENTIFIER, RSA_ENCRYPTION)]);
        let full_null = sequence(&[der(OBJECT_IDENTIFIER, RSA_ENCRYPTION), der(NULL, &[0])]);
        let long_algorithm =
            sequence(&[der(OBJECT_IDENTIFIER, RSA_ENCRYPTION), der(NULL, &[]), der(NULL, &[])]);
        let bits = [&[0][..], &good].concat();
        assert_is_the_key(&encoded(&key(&bits)));
        for (name, bytes, understood) in [
            ("trailing byte", [&good[..], &[0]].concat(), "DER"),
            ("cut", good[..good.len() - 1].to_vec(), "DER"),
            ("an indefinite length", vec![SEQUENCE, 0x80, 0, 0], "DER"),
            (
                "an indefinite length before as many bytes",
                [&[SEQUENCE, 0x80][..], &der(0x0c, &[7; 62]), &der(0x0c, &[7; 62])].concat(),
                "DER",
            ),
            ("a length in more bytes than it needs", vec![SEQUENCE, 0x81, 2, 5, 0], "DER"),
            ("a length with a leading zero", vec![SEQUENCE, 0x82, 0, 0x80], "DER"),
            ("a length of four bytes", vec![SEQUENCE, 0x84, 1, 0, 0, 0], "DER"),
            ("a length beyond the end", vec![SEQUENCE, 0x83, 0xff, 0xff, 0xff], "DER"),
            ("no sequence", integer(&n), "DER"),
            ("an empty sequence", sequence(&[]), "DER"),
            ("one element", sequence(&[integer(&n)]), "DER"),
            (
                "a tag of two bytes",
                sequence(&[vec![0x1f, 1, 0], integer(&n)]),
                "DER of no key that is known here",
            ),
            ("texts", sequence(&[der(0x0c, b"a"), der(0x0c, b"b")]), "DER of no key that is known here"),
            ("a negative modulus", sequence(&[der(INTEGER, &n), integer(&[1, 0, 1])]), pkcs1),
            ("an empty modulus", sequence(&[der(INTEGER, &[]), integer(&[1, 0, 1])]), pkcs1),
            (
                "a padded modulus",
                sequence(&[der(INTEGER, &[&[0, 0][..], &n].concat()), integer(&[1, 0, 1])]),
                pkcs1,
            ),
            ("a padded exponent", sequence(&[integer(&n), der(INTEGER, &[0, 1, 0, 1])]), pkcs1),
            ("a length in two bytes for one", sequence(&[integer(&n), vec![2, 0x81, 3, 1, 0, 1]]), "DER"),
            (
                "a length in three bytes for one",
                sequence(&[integer(&n), vec![2, 0x82, 0, 3, 1, 0, 1]]),
                "DER",
            ),
            (
                "a length in four bytes for one",
                sequence(&[integer(&n), vec![2, 0x83, 0, 0, 3, 1, 0, 1]]),
                "DER",
            ),
            ("parameters and more", sequence(&[long_algorithm, der(BIT_STRING, &bits)]), spki),
            ("no parameters", sequence(&[no_parameters, der(BIT_STRING, &bits)]), spki),
            ("parameters that are not NULL", sequence(&[full_null, der(BIT_STRING, &bits)]), spki),
            ("an empty bit string", key(&[]), spki),
            ("unused bits", key(&[&[1][..], &good].concat()), spki),
            ("something after the key", key(&[&bits[..], &[0]].concat()), spki),
            (
                "something after the bit string",
                sequence(&[rsa_algorithm(), der(BIT_STRING, &bits), der(NULL, &[])]),
                spki,
            ),
            (
                "no certificate",
                sequence(&[sequence(&[]), sequence(&[]), der(BIT_STRING, &[0])]),
                "a certificate",
            ),
        ] {
            match refusal(&encoded(&bytes)) {
                KeyError::NotDer { understood: said, at } => {
                    assert_eq!(said, understood, "{name}");
                    assert!(at <= bytes.len(), "{name}");
                }
                other => panic!("{name}: {other}"),
            }
        }
    }

    #[test]
    fn the_place_of_what_is_wrong_in_der_is_told() {
        let n = known_modulus();
        // 4 bytes of header, the modulus at 4 and its bytes at 8, the exponent at 265 and its bytes at 267; 270 in all.
        let key = |exponent: Vec<u8>| sequence(&[integer(&n), exponent]);
        let good = key(integer(&[1, 0, 1]));
        assert_eq!(good.len(), 270);
        // 4 bytes of header, 15 of the algorithm, 4 of the next header: the bits at 23, the key in them at 24. Headers of a
        // short one take 2.
        let spki =
            |bits: &[u8], after: &[u8]| sequence(&[rsa_algorithm(), der(BIT_STRING, bits), after.to_vec()]);
        let padded = der(INTEGER, &[0, 1, 0, 1]);
        for (bytes, place) in [
            ([&good[..], &[0]].concat(), 270),
            (good[1..].to_vec(), 0),
            (sequence(&[der(INTEGER, &n), integer(&[1, 0, 1])]), 8),
            (key(padded.clone()), 267),
            (key(der(NULL, &[])), 267),
            (key(vec![INTEGER, 0x81, 3, 1, 0, 1]), 265),
            (spki(&[&[1][..], &good].concat(), &[]), 23),
            (spki(&[], &[]), 19),
            (spki(&[&[0][..], &good, &[0]].concat(), &[]), 24 + 270),
            (spki(&[&[0][..], &key(padded)].concat(), &[]), 24 + 267),
            (spki(&[&[0][..], &good].concat(), &der(NULL, &[])), 24 + 270),
        ] {
            match refusal(&encoded(&bytes)) {
                KeyError::NotDer { at, .. } => assert_eq!(at, place, "{bytes:x?}"),
                other => panic!("{other}: {bytes:x?}"),
            }
        }
    }

    /// Those of a certificate's names: what is in them is not looked at.
    #[test]
    fn a_length_takes_as_many_bytes_as_it_needs() {
        for len in [0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0x1_0203] {
            let (name, empty) = (der(SEQUENCE, &vec![7; len]), sequence(&[]));
            let signed = sequence(&[integer(&[7]), rsa_algorithm(), name, empty.clone(), empty, bytes(SPKI)]);
            assert_is_the_key(&encoded(&sequence(&[signed, rsa_algorithm(), der(BIT_STRING, &[0, 1])])));
        }
    }

    #[test]
    fn a_certificate_of_the_first_version_is_read_and_nothing_may_follow() {
        let (good, serial, name) = (bytes(SPKI), integer(&[7]), sequence(&[]));
        let v1 = [serial, rsa_algorithm(), name.clone(), name.clone(), name, good];
        let signature = || [rsa_algorithm(), der(BIT_STRING, &[0, 1])];
        let [algorithm, signed] = signature();
        assert_is_the_key(&encoded(&sequence(&[sequence(&v1), algorithm, signed])));
        let [algorithm, signed] = signature();
        let longer = sequence(&[sequence(&v1), algorithm, signed, der(NULL, &[])]);
        assert!(matches!(refusal(&encoded(&longer)), KeyError::NotDer { understood: "a certificate", .. }));
    }

    #[test]
    fn another_exponent_refuses_the_key() {
        for exponent in [&[3][..], &[1], &[0], &[1, 0, 0], &[1, 0, 1, 1]] {
            let key = sequence(&[integer(&known_modulus()), integer(exponent)]);
            assert_eq!(refusal(&encoded(&key)), KeyError::Exponent, "{exponent:?}");
        }
        assert_eq!(refusal(&jwk().replace("AQAB", "Aw")), KeyError::Exponent);
    }

    #[test]
    fn json_that_is_no_key_says_where() {
        assert_eq!(refusal("{"), KeyError::NotAJwks { at: 1 });
        assert_eq!(refusal("{}"), KeyError::NotRsa);
        assert_eq!(refusal("[]"), KeyError::NotAJwk);
        assert_eq!(refusal(r#"{"keys":{}}"#), KeyError::NotRsa);
        assert_eq!(refusal(&jwk().replace("\"kid\"", "\"x\"")), KeyError::NoKid);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_that_is_pasted_panics(text in "\\PC*") {
            let _ = KeyMaterial::parse(&text);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = modulus(&bytes);
        }

        /// Read is only what can be written again: so no second spelling of a key is taken.
        #[test]
        fn a_changed_byte_never_gives_the_same_key(at in 0usize..270, to in any::<u8>()) {
            for pem in [SPKI, PKCS1] {
                let original = bytes(pem);
                let mut changed = original.clone();
                changed[at % original.len()] = to;
                if changed != original {
                    prop_assert_ne!(modulus(&changed), Ok(known_modulus()));
                }
            }
        }
    }
}
