//! `VerifyError`: why a token was turned away, or why nobody could tell.

use core::fmt;
use core::time::Duration;

use crate::code::{Code, Kind};
use crate::key_set::KeyId;
use crate::policy::Issuer;
use crate::signature::Algorithm;
use crate::time::UnixTime;

/// Why a token was not accepted, about in the order in which the checks are made: size comes before what it is at all,
/// a denied key before all else about keys, and missing keys before an unknown one.
///
/// Making one never touches the heap: a flood of bad tokens costs no allocation. What it carries of the token is
/// cut to [`Excerpt::MAX_BYTES`], escaped when shown, and never the token itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each field is in its variant's message, under its name")]
pub enum VerifyError {
    /// Nothing was presented.
    #[error("no session token was presented")]
    TokenMissing,
    /// The `Authorization` header is not one of the form `Bearer <token>` (RFC 6750 section 2.1).
    #[error("the Authorization header is not of the form `Bearer <token>`")]
    AuthorizationMalformed,
    /// Only a cookie was presented, and cookies are not taken here.
    #[error("the session came in a cookie, which is not taken here")]
    CookieAuthOff,
    /// The text `null` or `undefined`: a missing token, written out.
    #[error("the token is the word null or undefined")]
    TokenIsNull,
    /// A secret or publishable key of Clerk, pasted where a token belongs.
    #[error("a Clerk key was presented where a session token belongs")]
    KeyInsteadOfToken,
    /// A machine token, an API key, or a token whose subject is a machine.
    #[error("a machine token is not a session token")]
    MachineToken,
    /// An OAuth access token (RFC 9068 section 2.1).
    #[error("an OAuth access token is not a session token")]
    OauthToken,
    /// Longer than [`MAX_TOKEN_BYTES`](crate::token::MAX_TOKEN_BYTES).
    #[error("the token has {bytes} bytes, at most {} are taken", crate::token::MAX_TOKEN_BYTES)]
    TokenTooLarge { bytes: usize },
    /// Five parts: a JWE in compact form (RFC 7516 section 3.1).
    #[error("the token has five parts: it is encrypted")]
    EncryptedToken,
    /// Not three parts that each hold something (RFC 7515 section 3.1).
    #[error("the token is not of three parts with two dots between them")]
    MalformedToken,
    /// Not the one canonical base64url spelling (RFC 7515 section 2; RFC 4648 section 3.5).
    #[error("the {part} is not base64url")]
    MalformedBase64url { part: Part },
    /// A decoded header over [`MAX_HEADER_BYTES`](crate::token::MAX_HEADER_BYTES).
    #[error("the header has {bytes} bytes, at most {} are taken", crate::token::MAX_HEADER_BYTES)]
    HeaderTooLarge { bytes: usize },
    /// Not a JSON object in UTF-8 (RFC 8259; RFC 7519 section 7.2).
    #[error("the {part} is not a JSON object: see byte {at}")]
    MalformedJson { part: Part, at: usize },
    /// A member name occurs twice in one object (RFC 7515 section 4; RFC 7519 section 4).
    #[error("the {part} has a member twice: see byte {at}")]
    DuplicateMember { part: Part, at: usize },
    /// Nested deeper than [`MAX_JSON_DEPTH`](crate::token::MAX_JSON_DEPTH).
    #[error("the {part} is nested deeper than {}", crate::token::MAX_JSON_DEPTH)]
    JsonTooDeep { part: Part },
    /// More members than [`MAX_JSON_MEMBERS`](crate::token::MAX_JSON_MEMBERS).
    #[error("the {part} has more than {} members", crate::token::MAX_JSON_MEMBERS)]
    TooManyMembers { part: Part },
    /// `typ` is there and is not `JWT`.
    #[error("`typ` is not JWT")]
    WrongTyp,
    /// A token of a JWT template: it has no session.
    #[error("the token was made from a JWT template")]
    TemplateToken,
    /// `cat` names no category that a session token has.
    #[error("`cat` is not that of a session token")]
    UnknownCategory,
    /// `alg` is not one that the policy takes.
    #[error("`alg` is {presented}, which is not taken")]
    UnsupportedAlgorithm { presented: Excerpt },
    /// `crit` is there (RFC 7515 section 4.1.11: what is not understood must refuse the token).
    #[error("`crit` names headers that must be understood")]
    CriticalHeader,
    /// A header that changes what is signed or how it is packed.
    #[error("the header `{name}` is not taken")]
    UnsupportedHeader { name: &'static str },
    /// No `kid`.
    #[error("`kid` is missing")]
    MissingKid,
    /// `kid` is not a string of 1 to 128 bytes.
    #[error("`kid` is not a string of 1 to 128 bytes")]
    MalformedKid,
    /// No `iss`.
    #[error("`iss` is missing")]
    MissingIss,
    /// `iss` is not a string.
    #[error("`iss` is not a string")]
    MalformedIss,
    /// `iss` is not an issuer of this instance, compared byte for byte.
    #[error("`iss` is {presented}, expected {expected}")]
    WrongIss { presented: Excerpt, expected: Issuer },
    /// The issuer's key set has no such key.
    #[error("no key {0} in the issuer's key set")]
    UnknownKid(KeyId),
    /// The operator has withdrawn this key.
    #[error("key {0} is denied by the operator")]
    DeniedKid(KeyId),
    /// The key is published for another algorithm than the token names.
    #[error("the token says {token}, its key is for {key}")]
    KeyAlgorithmMismatch { token: Algorithm, key: Algorithm },
    /// The issuer's keys could not be had: nobody can tell.
    #[error("the issuer's keys could not be had")]
    KeysUnavailable { retry_after: Duration },
    /// The signature is not that of the key over these bytes.
    #[error("the signature does not verify")]
    WrongSignature,
    /// No `sub`.
    #[error("`sub` is missing")]
    MissingSub,
    /// `sub` is not a Clerk user id.
    #[error("`sub` is not a user id of the form user_…")]
    MalformedSub,
    /// No `sid`, and the token is not one of an accepted template.
    #[error("`sid` is missing")]
    MissingSid,
    /// `sid` is not a string of 1 to 128 visible ASCII characters.
    #[error("`sid` is not a session id")]
    MalformedSid,
    /// A template token without the audience that the policy asks for.
    #[error("`aud` is missing")]
    MissingAud,
    /// `aud` is not a string or a list of strings (RFC 7519 section 4.1.3), or is empty.
    #[error("`aud` is not a string or a list of strings")]
    MalformedAud,
    /// `aud` names somebody else (RFC 7519 section 4.1.3).
    #[error("`aud` names another audience")]
    WrongAud,
    /// No `azp`, and the policy refuses that.
    #[error("`azp` is missing")]
    MissingAzp,
    /// `azp` is not a string, or is empty.
    #[error("`azp` is not an origin")]
    MalformedAzp,
    /// `azp` is no authorized party.
    #[error("`azp` is {presented}, which is not an authorized party")]
    WrongAzp { presented: Excerpt },
    /// No `exp`.
    #[error("`exp` is missing")]
    MissingExp,
    /// `exp` is not a number from 0 to 8.64e12.
    #[error("`exp` is not a time in seconds")]
    MalformedExp,
    /// `exp` lies in the past by the clock skew or more (RFC 7519 section 4.1.4).
    #[error("expired at {expired_at}, now {now}")]
    Expired { expired_at: UnixTime, now: UnixTime },
    /// `nbf` is not a number from 0 to 8.64e12.
    #[error("`nbf` is not a time in seconds")]
    MalformedNbf,
    /// `nbf` lies ahead by more than the clock skew (RFC 7519 section 4.1.5).
    #[error("not active before {not_before}, now {now}")]
    NotActiveYet { not_before: UnixTime, now: UnixTime },
    /// `iat` is not a number from 0 to 8.64e12.
    #[error("`iat` is not a time in seconds")]
    MalformedIat,
    /// `iat` lies ahead by more than the clock skew.
    #[error("issued at {issued_at}, now {now}")]
    IssuedInTheFuture { issued_at: UnixTime, now: UnixTime },
    /// It lives longer than [`MAX_LIFETIME`](crate::policy::MAX_LIFETIME).
    #[error("it lives {} s, at most {} s are taken", lifetime.as_secs(), crate::policy::MAX_LIFETIME.as_secs())]
    LifetimeTooLong { lifetime: Duration },
    /// `sts` is neither `active` nor `pending`.
    #[error("`sts` is neither active nor pending")]
    MalformedSts,
    /// The session waits for its user to finish a task.
    #[error("the session is pending")]
    SessionPending,
    /// `act` is not an object that names an impersonator.
    #[error("`act` names no impersonator")]
    MalformedAct,
    /// A session cookie without Clerk's record of the client.
    #[error("the session cookie has no client cookie beside it")]
    SessionWithoutClientUat,
    /// Clerk's record of a client without its session cookie.
    #[error("the client cookie has no session cookie beside it")]
    ClientUatWithoutSession,
    /// The session cookie is older than the last change of the client.
    #[error("the session cookie is older than the client cookie")]
    SessionOlderThanClientUat,
    /// A write by cookie from an origin that is no authorized party.
    #[error("the request's origin is not an authorized party")]
    OriginRefused,
}

impl VerifyError {
    /// Its lasting name.
    pub const fn code(&self) -> Code {
        match self {
            VerifyError::TokenMissing => Code::TokenMissing,
            VerifyError::AuthorizationMalformed => Code::AuthorizationMalformed,
            VerifyError::CookieAuthOff => Code::CookieAuthOff,
            VerifyError::TokenIsNull => Code::TokenIsNull,
            VerifyError::KeyInsteadOfToken => Code::KeyInsteadOfToken,
            VerifyError::MachineToken => Code::MachineToken,
            VerifyError::OauthToken => Code::OauthToken,
            VerifyError::TokenTooLarge { .. } => Code::TokenTooLarge,
            VerifyError::EncryptedToken => Code::EncryptedToken,
            VerifyError::MalformedToken => Code::MalformedToken,
            VerifyError::MalformedBase64url { .. } => Code::MalformedBase64url,
            VerifyError::HeaderTooLarge { .. } => Code::HeaderTooLarge,
            VerifyError::MalformedJson { .. } => Code::MalformedJson,
            VerifyError::DuplicateMember { .. } => Code::DuplicateMember,
            VerifyError::JsonTooDeep { .. } => Code::JsonTooDeep,
            VerifyError::TooManyMembers { .. } => Code::TooManyMembers,
            VerifyError::WrongTyp => Code::WrongTyp,
            VerifyError::TemplateToken => Code::TemplateToken,
            VerifyError::UnknownCategory => Code::UnknownCategory,
            VerifyError::UnsupportedAlgorithm { .. } => Code::UnsupportedAlgorithm,
            VerifyError::CriticalHeader => Code::CriticalHeader,
            VerifyError::UnsupportedHeader { .. } => Code::UnsupportedHeader,
            VerifyError::MissingKid => Code::MissingKid,
            VerifyError::MalformedKid => Code::MalformedKid,
            VerifyError::MissingIss => Code::MissingIss,
            VerifyError::MalformedIss => Code::MalformedIss,
            VerifyError::WrongIss { .. } => Code::WrongIss,
            VerifyError::UnknownKid(_) => Code::UnknownKid,
            VerifyError::DeniedKid(_) => Code::DeniedKid,
            VerifyError::KeyAlgorithmMismatch { .. } => Code::KeyAlgorithmMismatch,
            VerifyError::KeysUnavailable { .. } => Code::KeysUnavailable,
            VerifyError::WrongSignature => Code::WrongSignature,
            VerifyError::MissingSub => Code::MissingSub,
            VerifyError::MalformedSub => Code::MalformedSub,
            VerifyError::MissingSid => Code::MissingSid,
            VerifyError::MalformedSid => Code::MalformedSid,
            VerifyError::MissingAud => Code::MissingAud,
            VerifyError::MalformedAud => Code::MalformedAud,
            VerifyError::WrongAud => Code::WrongAud,
            VerifyError::MissingAzp => Code::MissingAzp,
            VerifyError::MalformedAzp => Code::MalformedAzp,
            VerifyError::WrongAzp { .. } => Code::WrongAzp,
            VerifyError::MissingExp => Code::MissingExp,
            VerifyError::MalformedExp => Code::MalformedExp,
            VerifyError::Expired { .. } => Code::TokenExpired,
            VerifyError::MalformedNbf => Code::MalformedNbf,
            VerifyError::NotActiveYet { .. } => Code::TokenNotActiveYet,
            VerifyError::MalformedIat => Code::MalformedIat,
            VerifyError::IssuedInTheFuture { .. } => Code::TokenIatInTheFuture,
            VerifyError::LifetimeTooLong { .. } => Code::LifetimeTooLong,
            VerifyError::MalformedSts => Code::MalformedSts,
            VerifyError::SessionPending => Code::SessionPending,
            VerifyError::MalformedAct => Code::MalformedAct,
            VerifyError::SessionWithoutClientUat => Code::SessionWithoutClientUat,
            VerifyError::ClientUatWithoutSession => Code::ClientUatWithoutSession,
            VerifyError::SessionOlderThanClientUat => Code::SessionOlderThanClientUat,
            VerifyError::OriginRefused => Code::OriginRefused,
        }
    }

    /// Whether the token was refused, or nobody could tell.
    pub const fn kind(&self) -> Kind {
        self.code().kind()
    }
}

/// A part of a token (RFC 7515 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The JOSE header.
    Header,
    /// The claims.
    Payload,
    /// What proves the two.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Header => "header",
            Part::Payload => "payload",
            Part::Signature => "signature",
        })
    }
}

/// The beginning of a text from outside, held in place, and escaped when it is shown: nothing but ASCII gets into a log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Excerpt {
    bytes: [u8; Excerpt::MAX_BYTES],
    len: u8,
    cut: bool,
}

impl Excerpt {
    /// An origin or an issuer fits; a log line stays a line.
    pub const MAX_BYTES: usize = 96;

    /// The first bytes of `text`, up to a character's end.
    pub fn of(text: &str) -> Excerpt {
        Excerpt::from_chars(text.chars())
    }

    pub(crate) fn from_chars(chars: impl Iterator<Item = char>) -> Excerpt {
        let mut excerpt = Excerpt { bytes: [0; Excerpt::MAX_BYTES], len: 0, cut: false };
        for c in chars {
            let start = usize::from(excerpt.len);
            let Some(room) = excerpt.bytes.get_mut(start..).filter(|room| room.len() >= c.len_utf8()) else {
                excerpt.cut = true;
                break;
            };
            excerpt.len += c.encode_utf8(room).len() as u8;
        }
        excerpt
    }

    /// What is held of the text, as it came.
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.len))
            .and_then(|held| core::str::from_utf8(held).ok())
            .unwrap_or_default()
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_str().escape_default(), f)?;
        if self.cut { f.write_str("…") } else { Ok(()) }
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_ends_at_a_character_and_shows_no_control_characters() {
        let excerpt = Excerpt::of(&"é\n".repeat(60));
        assert!(excerpt.as_str().len() <= Excerpt::MAX_BYTES);
        assert!(!excerpt.to_string().contains('\n'));
        assert!(excerpt.to_string().ends_with('…'));
    }

    #[test]
    fn a_short_excerpt_is_the_text() {
        assert_eq!(Excerpt::of("https://app.example.com").to_string(), "https://app.example.com");
    }

    #[test]
    fn an_excerpt_is_cut_where_it_is_full_and_nowhere_else() {
        for (text, held) in [
            ("a".repeat(96), 96),
            ("a".repeat(97), 96),
            ("é".repeat(48), 96),
            ("é".repeat(49), 96),
            (format!("{}é", "a".repeat(94)), 96),
            (format!("{}éb", "a".repeat(95)), 95),
            (format!("{}\u{10ffff}", "a".repeat(93)), 93),
            (String::new(), 0),
        ] {
            let excerpt = Excerpt::of(&text);
            assert_eq!(excerpt.as_str(), &text[..held], "{text}");
            assert_eq!(excerpt.to_string().ends_with('…'), held < text.len(), "{text}");
        }
    }

    #[test]
    fn an_excerpt_is_escaped_however_it_is_shown() {
        let excerpt = Excerpt::of("a\"é\n");
        assert_eq!(excerpt.to_string(), r#"a\"\u{e9}\n"#);
        assert_eq!(format!("{excerpt:?}"), r#""a\"\u{e9}\n""#);
    }

    #[test]
    fn what_could_not_be_told_is_no_refusal() {
        let unavailable = VerifyError::KeysUnavailable { retry_after: Duration::from_secs(1) };
        assert_eq!((unavailable.code(), unavailable.kind()), (Code::KeysUnavailable, Kind::Unavailable));
        assert_eq!(VerifyError::WrongSignature.kind(), Kind::Refused);
    }

    #[test]
    fn a_message_names_the_part_that_is_wrong() {
        let messages = [Part::Header, Part::Payload, Part::Signature]
            .map(|part| VerifyError::MalformedBase64url { part }.to_string());
        assert_eq!(
            messages,
            ["the header is not base64url", "the payload is not base64url", "the signature is not base64url"]
        );
    }
}
