//! `UnverifiedToken`: taken apart, believed in nothing.

use crate::base64url;
use crate::error::{Part, VerifyError};
use crate::json::{self, JsonError, NameMark, Reach, Text, Value};
use crate::text;

/// The longest token that is looked at, in bytes. A cookie holds 4 KiB; a token in a header may be longer.
pub const MAX_TOKEN_BYTES: usize = 32 * 1024;
/// The longest header, decoded, in bytes. Clerk's has about 100; a certificate chain would fit, and is not used.
pub const MAX_HEADER_BYTES: usize = 4 * 1024;
/// The deepest nesting of JSON; the outer object is at 1.
pub const MAX_JSON_DEPTH: usize = 16;
/// The most members in one JSON document, nested ones included: finding one twice costs their square.
pub const MAX_JSON_MEMBERS: usize = 1024;
/// The longest name of a member that a rule is about, in bytes.
const LONGEST_NAME: usize = "org_permissions".len();

/// Room to take a token apart without the heap. Make one and use it again: it is 40 kB.
pub struct TokenBuffer {
    decoded: [u8; base64url::decoded_len(MAX_TOKEN_BYTES)],
    marks: [NameMark; MAX_JSON_MEMBERS],
}

impl TokenBuffer {
    /// Room for one token at a time.
    pub fn new() -> TokenBuffer {
        TokenBuffer {
            decoded: [0; base64url::decoded_len(MAX_TOKEN_BYTES)],
            marks: [NameMark::default(); MAX_JSON_MEMBERS],
        }
    }
}

impl Default for TokenBuffer {
    fn default() -> TokenBuffer {
        TokenBuffer::new()
    }
}

/// A token in its parts. Nothing in it is known to be true.
#[derive(Clone)]
pub struct UnverifiedToken<'a> {
    pub(crate) header: UnverifiedHeader<'a>,
    pub(crate) claims: UnverifiedClaims<'a>,
    signing_input: &'a [u8],
    signature: &'a [u8],
}

/// The header members that a rule is about (RFC 7515 section 4.1). Others are ignored, as Clerk asks.
#[derive(Clone, Default)]
pub(crate) struct UnverifiedHeader<'a> {
    pub(crate) typ: Option<Value<'a>>,
    pub(crate) cat: Option<Value<'a>>,
    pub(crate) alg: Option<Value<'a>>,
    pub(crate) kid: Option<Value<'a>>,
    pub(crate) has_crit: bool,
    /// A member that changes what is signed (`b64`) or says that the token is packed or encrypted.
    pub(crate) unsupported: Option<&'static str>,
}

/// The claims that a rule is about, and the document that they stand in.
#[derive(Clone, Default)]
pub(crate) struct UnverifiedClaims<'a> {
    pub(crate) document: &'a str,
    pub(crate) iss: Option<Value<'a>>,
    pub(crate) sub: Option<Value<'a>>,
    pub(crate) sid: Option<Value<'a>>,
    pub(crate) aud: Option<Value<'a>>,
    pub(crate) azp: Option<Value<'a>>,
    pub(crate) exp: Option<Value<'a>>,
    pub(crate) nbf: Option<Value<'a>>,
    pub(crate) iat: Option<Value<'a>>,
    pub(crate) sts: Option<Value<'a>>,
    pub(crate) act: Option<Value<'a>>,
    pub(crate) fva: Option<Value<'a>>,
    pub(crate) v: Option<Value<'a>>,
    pub(crate) o: Option<Value<'a>>,
    pub(crate) fea: Option<Value<'a>>,
    pub(crate) pla: Option<Value<'a>>,
    pub(crate) org_id: Option<Value<'a>>,
    pub(crate) org_slug: Option<Value<'a>>,
    pub(crate) org_role: Option<Value<'a>>,
    pub(crate) org_permissions: Option<Value<'a>>,
}

impl<'a> UnverifiedToken<'a> {
    /// Takes a compact JWS apart (RFC 7515 section 7.1), in the order of the checks: what it is at all, its size,
    /// its parts, their spelling, their JSON.
    ///
    /// The work is linear in the length but for the search for members twice, which is bounded by
    /// [`MAX_JSON_MEMBERS`].
    ///
    /// # Errors
    ///
    /// The first rule that the text breaks, from [`VerifyError::TokenMissing`] to [`VerifyError::TooManyMembers`].
    pub fn parse(text: &'a str, buffer: &'a mut TokenBuffer) -> Result<UnverifiedToken<'a>, VerifyError> {
        check_presented(text)?;
        let [header, payload, signature] = split(text)?;
        let signing_input = text.as_bytes().get(..header.len() + 1 + payload.len()).unwrap_or_default();
        let TokenBuffer { decoded, marks } = buffer;
        let (header, rest) = decode(header, decoded, Part::Header)?;
        let (payload, rest) = decode(payload, rest, Part::Payload)?;
        let (signature, _) = decode(signature, rest, Part::Signature)?;
        if header.len() > MAX_HEADER_BYTES {
            return Err(VerifyError::HeaderTooLarge { bytes: header.len() });
        }
        Ok(UnverifiedToken {
            header: read_header(header, marks)?,
            claims: read_claims(payload, marks)?,
            signing_input,
            signature,
        })
    }

    /// What was signed: header and payload as they came, with the dot between them.
    pub fn signing_input(&self) -> &'a [u8] {
        self.signing_input
    }

    /// The signature, decoded.
    pub fn signature(&self) -> &'a [u8] {
        self.signature
    }
}

/// Never shows what it holds: a token is a credential.
impl core::fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("UnverifiedToken(…)")
    }
}

/// Says what was presented when it is plainly something else than a session token.
///
/// # Errors
///
/// [`VerifyError::TokenMissing`], [`TokenTooLarge`](VerifyError::TokenTooLarge),
/// [`TokenIsNull`](VerifyError::TokenIsNull), [`KeyInsteadOfToken`](VerifyError::KeyInsteadOfToken),
/// [`MachineToken`](VerifyError::MachineToken) or [`OauthToken`](VerifyError::OauthToken) (prefixes: Clerk, "Machine
/// authentication").
pub(crate) fn check_presented(text: &str) -> Result<(), VerifyError> {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
    match text {
        "" => Err(VerifyError::TokenMissing),
        _ if text.len() > MAX_TOKEN_BYTES => Err(VerifyError::TokenTooLarge { bytes: text.len() }),
        "null" | "undefined" => Err(VerifyError::TokenIsNull),
        _ if begins(&["sk_", "pk_"]) => Err(VerifyError::KeyInsteadOfToken),
        _ if begins(&["mt_", "ak_"]) => Err(VerifyError::MachineToken),
        _ if begins(&["oat_"]) => Err(VerifyError::OauthToken),
        _ => Ok(()),
    }
}

fn split(text: &str) -> Result<[&[u8]; 3], VerifyError> {
    let mut parts = text::split(text, b'.').map(str::as_bytes);
    let [a, b, c, d, e, f] = core::array::from_fn(|_| parts.next());
    match (a, b, c) {
        _ if e.is_some() && f.is_none() => Err(VerifyError::EncryptedToken),
        (Some(header), Some(payload), Some(signature))
            if d.is_none() && !header.is_empty() && !payload.is_empty() && !signature.is_empty() =>
        {
            Ok([header, payload, signature])
        }
        _ => Err(VerifyError::MalformedToken),
    }
}

fn decode<'a>(text: &[u8], room: &'a mut [u8], part: Part) -> Result<(&'a [u8], &'a mut [u8]), VerifyError> {
    let malformed = VerifyError::MalformedBase64url { part };
    let Some(len) = base64url::decode(text, room).map(|bytes| bytes.len()) else {
        return Err(malformed);
    };
    let (decoded, rest) = room.split_at_mut_checked(len).ok_or(malformed)?;
    Ok((decoded, rest))
}

fn read_header<'a>(document: &'a [u8], marks: &mut [NameMark]) -> Result<UnverifiedHeader<'a>, VerifyError> {
    /// `b64`: RFC 7797. `zip`, `enc`, `p2c`, `p2s`, `epk`: RFC 7516 and RFC 7518 sections 4.6.1 and 4.8.1.
    const UNSUPPORTED: [&str; 6] = ["b64", "zip", "enc", "p2c", "p2s", "epk"];
    let mut header = UnverifiedHeader::default();
    read(document, marks, Part::Header, &mut |name, value| match name.unescaped(&mut [0; LONGEST_NAME]) {
        Some("typ") => header.typ = Some(value),
        Some("cat") => header.cat = Some(value),
        Some("alg") => header.alg = Some(value),
        Some("kid") => header.kid = Some(value),
        Some("crit") => header.has_crit = true,
        Some(name) => {
            let unsupported = UNSUPPORTED.into_iter().find(|known| *known == name);
            header.unsupported = header.unsupported.or(unsupported);
        }
        None => (),
    })?;
    Ok(header)
}

fn read_claims<'a>(document: &'a [u8], marks: &mut [NameMark]) -> Result<UnverifiedClaims<'a>, VerifyError> {
    let mut claims = UnverifiedClaims::default();
    claims.document = read(document, marks, Part::Payload, &mut |name, value| claims.take(name, value))?;
    Ok(claims)
}

impl<'a> UnverifiedClaims<'a> {
    /// The claims of a document that was read before.
    pub(crate) fn of_read_document(document: &'a str) -> UnverifiedClaims<'a> {
        let mut claims = UnverifiedClaims { document, ..UnverifiedClaims::default() };
        for (name, value) in Value::of_read_document(document).members().into_iter().flatten() {
            claims.take(name, value);
        }
        claims
    }

    fn take(&mut self, name: Text<'_>, value: Value<'a>) {
        if let Some(claim) = name.unescaped(&mut [0; LONGEST_NAME]).and_then(|name| self.named(name)) {
            *claim = Some(value);
        }
    }

    /// The place of a claim that a rule is about; `None` for a custom claim.
    fn named(&mut self, name: &str) -> Option<&mut Option<Value<'a>>> {
        Some(match name {
            "iss" => &mut self.iss,
            "sub" => &mut self.sub,
            "sid" => &mut self.sid,
            "aud" => &mut self.aud,
            "azp" => &mut self.azp,
            "exp" => &mut self.exp,
            "nbf" => &mut self.nbf,
            "iat" => &mut self.iat,
            "sts" => &mut self.sts,
            "act" => &mut self.act,
            "fva" => &mut self.fva,
            "v" => &mut self.v,
            "o" => &mut self.o,
            "fea" => &mut self.fea,
            "pla" => &mut self.pla,
            "org_id" => &mut self.org_id,
            "org_slug" => &mut self.org_slug,
            "org_role" => &mut self.org_role,
            "org_permissions" => &mut self.org_permissions,
            _ => return None,
        })
    }
}

fn read<'a>(
    document: &'a [u8],
    marks: &mut [NameMark],
    part: Part,
    member: &mut dyn FnMut(Text<'a>, Value<'a>),
) -> Result<&'a str, VerifyError> {
    json::read_object(document, marks, Reach::Depth(MAX_JSON_DEPTH), member).map_err(|error| match error {
        JsonError::Malformed { at } => VerifyError::MalformedJson { part, at },
        JsonError::Duplicate { at } => VerifyError::DuplicateMember { part, at },
        JsonError::TooDeep => VerifyError::JsonTooDeep { part },
        JsonError::TooManyMembers => VerifyError::TooManyMembers { part },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_token_is_shown() {
        let mut buffer = TokenBuffer::new();
        let token = UnverifiedToken::parse(include_str!("example/token.txt"), &mut buffer).unwrap();
        assert_eq!(format!("{token:?}"), "UnverifiedToken(…)");
    }
}
