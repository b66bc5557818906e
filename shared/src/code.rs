//! The lasting names of every answer that is not yes.

use core::fmt;

/// A refusal's or a failure's lasting name: the same in Rust, HTTP, JavaScript and the test vectors.
///
/// Codes are only ever added to. In the order in which they can occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the name, the reason and the hint of each are in `facts`")]
pub enum Code {
    // What was presented.
    TokenMissing,
    AuthorizationMalformed,
    CookieAuthOff,
    TokenIsNull,
    KeyInsteadOfToken,
    MachineToken,
    OauthToken,
    TokenTooLarge,
    EncryptedToken,
    MalformedToken,
    MalformedBase64url,
    HeaderTooLarge,
    MalformedJson,
    DuplicateMember,
    JsonTooDeep,
    TooManyMembers,
    // Its header.
    WrongTyp,
    TemplateToken,
    UnknownCategory,
    UnsupportedAlgorithm,
    CriticalHeader,
    UnsupportedHeader,
    MissingKid,
    MalformedKid,
    // Its issuer, which picks the key set.
    MissingIss,
    MalformedIss,
    WrongIss,
    // The key and the signature.
    UnknownKid,
    DeniedKid,
    KeyAlgorithmMismatch,
    KeysUnavailable,
    WrongSignature,
    // Its claims.
    MissingSub,
    MalformedSub,
    MissingSid,
    MalformedSid,
    MissingAud,
    MalformedAud,
    WrongAud,
    MissingAzp,
    MalformedAzp,
    WrongAzp,
    MissingExp,
    MalformedExp,
    TokenExpired,
    MalformedNbf,
    TokenNotActiveYet,
    MalformedIat,
    TokenIatInTheFuture,
    LifetimeTooLong,
    MalformedSts,
    SessionPending,
    MalformedAct,
    // What the cookies of a request say together.
    SessionWithoutClientUat,
    ClientUatWithoutSession,
    SessionOlderThanClientUat,
    OriginRefused,
    // Standing: the token is genuine, its bearer may not come in.
    SessionRevoked,
    UserBanned,
    UserDeleted,
    UserInactive,
    UnverifiedPrincipal,
    NotAllowed,
    ReverificationRequired,
    // Webhooks.
    WebhookHeadersMissing,
    WebhookTimestampOutside,
    WebhookSignature,
    WebhookMalformed,
    // The rim: HTTP and JavaScript hosts.
    MalformedBody,
    HttpsRequired,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    BodyTooLarge,
    UnsupportedMediaType,
    TooManyRequests,
    HeadersTooLarge,
    InternalError,
    StoreUnavailable,
    Overloaded,
    EngineUnavailable,
}

/// Whether the token was judged, or could not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The answer is no.
    Refused,
    /// There is no answer now; asking again later may give one.
    Unavailable,
}

impl Kind {
    /// `refused` or `unavailable`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Refused => "refused",
            Kind::Unavailable => "unavailable",
        }
    }
}

/// What is true of a code wherever it appears.
struct Facts {
    name: &'static str,
    /// Clerk's word for it: `TokenVerificationErrorReason` or `AuthErrorReason` in @clerk/backend.
    reason: &'static str,
    status: u16,
    hint: &'static str,
}

impl Code {
    /// Every code, in order.
    pub const ALL: &'static [Code] = &[
        Code::TokenMissing,
        Code::AuthorizationMalformed,
        Code::CookieAuthOff,
        Code::TokenIsNull,
        Code::KeyInsteadOfToken,
        Code::MachineToken,
        Code::OauthToken,
        Code::TokenTooLarge,
        Code::EncryptedToken,
        Code::MalformedToken,
        Code::MalformedBase64url,
        Code::HeaderTooLarge,
        Code::MalformedJson,
        Code::DuplicateMember,
        Code::JsonTooDeep,
        Code::TooManyMembers,
        Code::WrongTyp,
        Code::TemplateToken,
        Code::UnknownCategory,
        Code::UnsupportedAlgorithm,
        Code::CriticalHeader,
        Code::UnsupportedHeader,
        Code::MissingKid,
        Code::MalformedKid,
        Code::MissingIss,
        Code::MalformedIss,
        Code::WrongIss,
        Code::UnknownKid,
        Code::DeniedKid,
        Code::KeyAlgorithmMismatch,
        Code::KeysUnavailable,
        Code::WrongSignature,
        Code::MissingSub,
        Code::MalformedSub,
        Code::MissingSid,
        Code::MalformedSid,
        Code::MissingAud,
        Code::MalformedAud,
        Code::WrongAud,
        Code::MissingAzp,
        Code::MalformedAzp,
        Code::WrongAzp,
        Code::MissingExp,
        Code::MalformedExp,
        Code::TokenExpired,
        Code::MalformedNbf,
        Code::TokenNotActiveYet,
        Code::MalformedIat,
        Code::TokenIatInTheFuture,
        Code::LifetimeTooLong,
        Code::MalformedSts,
        Code::SessionPending,
        Code::MalformedAct,
        Code::SessionWithoutClientUat,
        Code::ClientUatWithoutSession,
        Code::SessionOlderThanClientUat,
        Code::OriginRefused,
        Code::SessionRevoked,
        Code::UserBanned,
        Code::UserDeleted,
        Code::UserInactive,
        Code::UnverifiedPrincipal,
        Code::NotAllowed,
        Code::ReverificationRequired,
        Code::WebhookHeadersMissing,
        Code::WebhookTimestampOutside,
        Code::WebhookSignature,
        Code::WebhookMalformed,
        Code::MalformedBody,
        Code::HttpsRequired,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::RequestTimeout,
        Code::BodyTooLarge,
        Code::UnsupportedMediaType,
        Code::TooManyRequests,
        Code::HeadersTooLarge,
        Code::InternalError,
        Code::StoreUnavailable,
        Code::Overloaded,
        Code::EngineUnavailable,
    ];

    #[rustfmt::skip]
    const fn facts(self) -> Facts {
        const fn f(name: &'static str, reason: &'static str, status: u16, hint: &'static str) -> Facts {
            Facts { name, reason, status, hint }
        }
        match self {
            Code::TokenMissing => f("token-missing", "session-token-and-uat-missing", 401, "send `Authorization: Bearer <token>` with the token of `await getToken()`"),
            Code::AuthorizationMalformed => f("authorization-malformed", "token-invalid", 401, "send one Authorization header of the form `Bearer <token>`"),
            Code::CookieAuthOff => f("cookie-auth-off", "session-token-and-uat-missing", 401, "this server takes no cookies: send the token in the Authorization header, or set COOKIE_AUTH=on"),
            Code::TokenIsNull => f("token-is-null", "token-invalid", 401, "`getToken()` gave no token: send no Authorization header while nobody is signed in"),
            Code::KeyInsteadOfToken => f("key-instead-of-token", "token-invalid", 401, "a Clerk key was sent where a session token belongs; if it was a secret key, rotate it"),
            Code::MachineToken => f("machine-token", "token-type-mismatch", 401, "send the token of `await getToken()`: machine tokens and API keys are not taken"),
            Code::OauthToken => f("oauth-token", "token-type-mismatch", 401, "send the token of `await getToken()`: OAuth access tokens are not taken"),
            Code::TokenTooLarge => f("token-too-large", "token-invalid", 401, "a session token is a few kB; look for what was put into its custom claims"),
            Code::EncryptedToken => f("encrypted-token", "token-invalid", 401, "send the token of `await getToken()`: encrypted tokens (JWE) are not taken"),
            Code::MalformedToken => f("malformed-token", "token-invalid", 401, "send the whole token of `await getToken()`: three parts with two dots between them"),
            Code::MalformedBase64url => f("malformed-base64url", "token-invalid", 401, "each part is base64url without padding; look for a cut or a changed character"),
            Code::HeaderTooLarge => f("header-too-large", "token-invalid", 401, "a session token's header has a handful of short members"),
            Code::MalformedJson => f("malformed-json", "token-invalid", 401, "header and payload are JSON objects"),
            Code::DuplicateMember => f("duplicate-member", "token-invalid", 401, "a JSON member may occur once"),
            Code::JsonTooDeep => f("json-too-deep", "token-invalid", 401, "custom claims are nested too deep"),
            Code::TooManyMembers => f("too-many-members", "token-invalid", 401, "custom claims have too many members"),
            Code::WrongTyp => f("wrong-typ", "token-invalid", 401, "a session token's `typ` is JWT"),
            Code::TemplateToken => f("template-token", "token-type-mismatch", 401, "call `getToken()` without a template, or set TEMPLATE_AUDIENCE"),
            Code::UnknownCategory => f("unknown-category", "token-type-mismatch", 401, "this is not a session token"),
            Code::UnsupportedAlgorithm => f("unsupported-algorithm", "token-invalid-algorithm", 401, "session tokens are signed with RS256"),
            Code::CriticalHeader => f("critical-header", "token-invalid", 401, "no critical header is understood"),
            Code::UnsupportedHeader => f("unsupported-header", "token-invalid", 401, "compressed, detached and encrypted tokens are not session tokens"),
            Code::MissingKid => f("missing-kid", "token-invalid", 401, "a session token names its key in `kid`"),
            Code::MalformedKid => f("malformed-kid", "token-invalid", 401, "`kid` is a short string"),
            Code::MissingIss => f("missing-iss", "token-invalid-issuer", 401, "a session token names its issuer"),
            Code::MalformedIss => f("malformed-iss", "token-invalid-issuer", 401, "`iss` is a string"),
            Code::WrongIss => f("wrong-iss", "token-invalid-issuer", 401, "the token is of another Clerk instance: compare the publishable keys of frontend and backend, or set CLERK_ISSUER"),
            Code::UnknownKid => f("unknown-kid", "jwk-kid-mismatch", 401, "the instance does not publish this key: compare the publishable keys of frontend and backend"),
            Code::DeniedKid => f("denied-kid", "jwk-kid-mismatch", 401, "this key was withdrawn by the operator (DENY_KIDS)"),
            Code::KeyAlgorithmMismatch => f("key-algorithm-mismatch", "token-verification-failed", 401, "the key is published for another algorithm"),
            Code::KeysUnavailable => f("keys-unavailable", "jwk-remote-failed-to-load", 503, "try again; if it lasts, let this server reach the address of the keys"),
            Code::WrongSignature => f("wrong-signature", "token-invalid-signature", 401, "the token was changed, or signed with another key"),
            Code::MissingSub => f("missing-sub", "token-verification-failed", 401, "a session token names its user in `sub`"),
            Code::MalformedSub => f("malformed-sub", "token-verification-failed", 401, "`sub` is a Clerk user id: user_…"),
            Code::MissingSid => f("missing-sid", "token-verification-failed", 401, "the token has no session: a template token? call `getToken()` without a template, or set TEMPLATE_AUDIENCE"),
            Code::MalformedSid => f("malformed-sid", "token-verification-failed", 401, "`sid` is a Clerk session id"),
            Code::MissingAud => f("missing-aud", "token-verification-failed", 401, "the template must set the `aud` that TEMPLATE_AUDIENCE names"),
            Code::MalformedAud => f("malformed-aud", "token-verification-failed", 401, "`aud` is a string or a list of strings"),
            Code::WrongAud => f("wrong-aud", "token-verification-failed", 401, "the token is meant for another audience; see TEMPLATE_AUDIENCE"),
            Code::MissingAzp => f("missing-azp", "token-invalid-authorized-parties", 401, "the token names no origin (native app, or minted in a navigation); MISSING_AZP=allow takes it"),
            Code::MalformedAzp => f("malformed-azp", "token-invalid-authorized-parties", 401, "`azp` is an origin"),
            Code::WrongAzp => f("wrong-azp", "token-invalid-authorized-parties", 401, "add the frontend's origin (scheme, host, port) to AUTHORIZED_PARTIES"),
            Code::MissingExp => f("missing-exp", "token-verification-failed", 401, "a session token expires"),
            Code::MalformedExp => f("malformed-exp", "token-verification-failed", 401, "`exp` is a number of seconds since 1970"),
            Code::TokenExpired => f("token-expired", "token-expired", 401, "get a new token with `getToken()` and try once more; if a fresh one fails, a clock is off"),
            Code::MalformedNbf => f("malformed-nbf", "token-verification-failed", 401, "`nbf` is a number of seconds since 1970"),
            Code::TokenNotActiveYet => f("token-not-active-yet", "token-not-active-yet", 401, "this machine's clock is behind: synchronise it"),
            Code::MalformedIat => f("malformed-iat", "token-verification-failed", 401, "`iat` is a number of seconds since 1970"),
            Code::TokenIatInTheFuture => f("token-iat-in-the-future", "token-iat-in-the-future", 401, "this machine's clock is behind: synchronise it"),
            Code::LifetimeTooLong => f("lifetime-too-long", "token-verification-failed", 401, "a session token lives a minute, an hour at most"),
            Code::MalformedSts => f("malformed-sts", "token-verification-failed", 401, "`sts` is active or pending"),
            Code::SessionPending => f("session-pending", "token-verification-failed", 401, "the user has a task to finish in Clerk before the session is active"),
            Code::MalformedAct => f("malformed-act", "token-verification-failed", 401, "`act` names an impersonator"),
            Code::SessionWithoutClientUat => f("session-without-client-uat", "session-token-but-no-client-uat", 401, "let Clerk refresh the session"),
            Code::ClientUatWithoutSession => f("client-uat-without-session", "client-uat-but-no-session-token", 401, "let Clerk refresh the session"),
            Code::SessionOlderThanClientUat => f("session-older-than-client-uat", "session-token-iat-before-client-uat", 401, "let Clerk refresh the session"),
            Code::OriginRefused => f("origin-refused", "token-invalid-authorized-parties", 403, "a write with a cookie needs an Origin that is an authorized party"),
            Code::SessionRevoked => f("session-revoked", "token-verification-failed", 401, "the session was ended: sign in again"),
            Code::UserBanned => f("user-banned", "token-verification-failed", 403, "the user is banned in Clerk"),
            Code::UserDeleted => f("user-deleted", "token-verification-failed", 403, "the user was deleted in Clerk"),
            Code::UserInactive => f("user-inactive", "token-verification-failed", 403, "the user was deactivated here"),
            Code::UnverifiedPrincipal => f("unverified-principal", "token-verification-failed", 403, "the debug fallback never writes: let the server reach the issuer's keys"),
            Code::NotAllowed => f("not-allowed", "token-verification-failed", 403, "the session lacks the role or permission that this needs"),
            Code::ReverificationRequired => f("reverification-required", "token-verification-failed", 403, "the user must confirm who they are again"),
            Code::WebhookHeadersMissing => f("webhook-headers-missing", "token-invalid", 400, "a webhook carries svix-id, svix-timestamp and svix-signature, or the same three with webhook-"),
            Code::WebhookTimestampOutside => f("webhook-timestamp-outside", "token-invalid", 400, "a webhook is good for five minutes: look at the clock"),
            Code::WebhookSignature => f("webhook-signature", "token-invalid-signature", 400, "check CLERK_WEBHOOK_SIGNING_SECRET, and that nothing rewrites the body"),
            Code::WebhookMalformed => f("webhook-malformed", "token-invalid", 400, "the event is not of the shape that Clerk sends"),
            Code::MalformedBody => f("malformed-body", "unexpected-error", 400, "send the members that this endpoint takes, as JSON"),
            Code::HttpsRequired => f("https-required", "unexpected-error", 403, "use https; behind a proxy, set TRUSTED_PROXIES"),
            Code::NotFound => f("not-found", "unexpected-error", 404, "look at the path"),
            Code::MethodNotAllowed => f("method-not-allowed", "unexpected-error", 405, "see the Allow header"),
            Code::RequestTimeout => f("request-timeout", "unexpected-error", 408, "the request took too long to arrive"),
            Code::BodyTooLarge => f("body-too-large", "unexpected-error", 413, "send less"),
            Code::UnsupportedMediaType => f("unsupported-media-type", "unexpected-error", 415, "send application/json"),
            Code::TooManyRequests => f("too-many-requests", "unexpected-error", 429, "wait as long as Retry-After says"),
            Code::HeadersTooLarge => f("headers-too-large", "unexpected-error", 431, "send less in headers; look at the cookies"),
            Code::InternalError => f("internal-error", "unexpected-error", 500, "a defect here: look for the request id in the log"),
            Code::StoreUnavailable => f("store-unavailable", "unexpected-error", 503, "the store could not be reached; try again"),
            Code::Overloaded => f("overloaded", "unexpected-error", 503, "too much at once; try again"),
            Code::EngineUnavailable => f("engine-unavailable", "unexpected-error", 503, "the WebAssembly module could not be started; see the cause"),
        }
    }

    /// The code as it is written, in kebab case.
    pub const fn as_str(self) -> &'static str {
        self.facts().name
    }

    /// Clerk's word for the same: of `TokenVerificationErrorReason` where it has one, else of `AuthErrorReason`.
    pub const fn reason(self) -> &'static str {
        self.facts().reason
    }

    /// The HTTP status that an API answers with.
    pub const fn status(self) -> u16 {
        self.facts().status
    }

    /// What to do about it, in one sentence.
    pub const fn hint(self) -> &'static str {
        self.facts().hint
    }

    /// Whether the answer is no, or there is none now.
    pub const fn kind(self) -> Kind {
        match self.status() {
            503 | 500 => Kind::Unavailable,
            _ => Kind::Refused,
        }
    }

    /// The code that is written so, if there is one.
    pub fn from_name(name: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str() == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_has_one_name_in_kebab_case_by_which_it_is_found() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        let is_kebab = |name: &str| {
            name.split('-').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
        };
        for code in Code::ALL {
            assert!(is_kebab(&code.as_str().replace("base64url", "base")), "{code}");
            assert_eq!(Code::from_name(code.as_str()), Some(*code));
            assert_eq!(code.to_string(), code.as_str());
            // The name is that of the variant, which nobody may change.
            let variant = format!("{code:?}").to_lowercase();
            assert_eq!(code.as_str().replace('-', ""), variant);
        }
        for name in ["", "ok", "token_expired", "Token-Expired", "token-expired "] {
            assert_eq!(Code::from_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn every_code_has_clerks_word_and_a_hint() {
        for code in Code::ALL {
            assert!(!code.reason().is_empty() && !code.reason().contains(' '), "{code}");
            // A sentence that says what to do.
            assert!(code.hint().split(' ').count() >= 2, "{code}");
        }
        assert_eq!(Code::WrongAzp.reason(), "token-invalid-authorized-parties");
        assert!(Code::WrongAzp.hint().contains("AUTHORIZED_PARTIES"));
    }

    #[test]
    fn a_refusal_is_told_from_a_failure_by_status_and_kind() {
        let failures = [
            (Code::KeysUnavailable, 503),
            (Code::InternalError, 500),
            (Code::StoreUnavailable, 503),
            (Code::Overloaded, 503),
            (Code::EngineUnavailable, 503),
        ];
        for code in Code::ALL {
            let failure = failures.iter().find(|(failure, _)| failure == code);
            match failure {
                Some((_, status)) => assert_eq!((code.status(), code.kind()), (*status, Kind::Unavailable)),
                None => {
                    assert!((400..500).contains(&code.status()), "{code}");
                    assert_eq!(code.kind(), Kind::Refused, "{code}");
                }
            }
        }
        for (code, status) in
            [(Code::WrongSignature, 401), (Code::SessionRevoked, 401), (Code::UserBanned, 403)]
        {
            assert_eq!(code.status(), status);
        }
        assert_eq!((Kind::Refused.as_str(), Kind::Unavailable.as_str()), ("refused", "unavailable"));
    }
}
