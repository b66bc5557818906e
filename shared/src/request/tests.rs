//! Requests, and what is decided about each.

use core::time::Duration;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::code::Code;
use crate::jwks::Jwks;
use crate::key_cache::Lookup;
use crate::key_error::KeyError;
use crate::key_set::{KeyId, KeySet};
use crate::policy::{AuthorizedParties, Issuer, MissingAzp, Policy, PublishableKey};
use crate::signature::{Algorithm, Rsa, RsaKey};
use crate::time::UnixTime;
use crate::token::TokenBuffer;
use crate::verifier::Verifier;

/// 2025-11-24T16:00:00Z
const NOW: u64 = 1_764_000_000;
const ISSUER: &str = "https://clerk.example.com";
const APP: &str = "https://app.example.com";
/// base64 of `clerk.example.com$`; its cookies end with `_l2OS3d9k`, as policy.rs knows.
const TEST_KEY: &str = "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k";
const LIVE_KEY: &str = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k";

/// Whose signatures are the word `good`: what is judged here is everything else.
#[derive(Debug)]
struct WordRsa;

impl Rsa for WordRsa {
    fn prepare(&self, _: &[u8]) -> Result<Arc<dyn RsaKey>, KeyError> {
        Ok(Arc::new(WordRsa))
    }
}

impl RsaKey for WordRsa {
    fn verify(&self, _: Algorithm, _: &[u8], signature: &[u8]) -> bool {
        signature == b"good"
    }
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let sextets = |group: &[u8]| {
        let bits =
            group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        (0..=group.len())
            .map(move |i| ALPHABET[(bits >> (18 - 6 * i)) as usize & 63] as char)
            .collect::<String>()
    };
    bytes.chunks(3).map(sextets).collect()
}

fn signed(header: &str, payload: &str, signature: &str) -> String {
    [header, payload, signature].map(|part| base64url(part.as_bytes())).join(".")
}

/// A session token of some issuer with these times, and more claims.
fn session_of(iss: &str, iat: u64, exp: u64, more: &str) -> String {
    let header = r#"{"alg":"RS256","typ":"JWT","kid":"ins_1"}"#;
    let times = format!(r#""iat":{iat},"exp":{exp}"#);
    signed(header, &format!(r#"{{"iss":"{iss}","sub":"user_1","sid":"sess_1",{times}{more}}}"#), "good")
}

/// A good session token, issued so many seconds ago.
fn session(age: u64) -> String {
    session_of(ISSUER, NOW - age, NOW - age + 60, &format!(r#","azp":"{APP}""#))
}

fn expired() -> String {
    session(100)
}

fn forged() -> String {
    session(10).replace("Z29vZA", "YmFkIQ")
}

fn keys() -> Lookup {
    let n = format!("{}w", "_".repeat(341));
    let jwks = format!(r#"{{"keys":[{{"kty":"RSA","alg":"RS256","kid":"ins_1","e":"AQAB","n":"{n}"}}]}}"#);
    let jwks = Jwks::parse(jwks.as_bytes()).unwrap();
    Lookup::Use(Arc::new(KeySet::from_jwks(&Issuer::parse(ISSUER).unwrap(), &jwks, &WordRsa)))
}

fn policy(parties: AuthorizedParties, missing_azp: MissingAzp) -> Policy {
    Policy::new(Issuer::parse(ISSUER).unwrap(), parties, missing_azp)
}

fn requests(cookies: CookieAuth) -> RequestVerifier {
    let parties = AuthorizedParties::parse([APP]).unwrap();
    RequestVerifier::new(Verifier::new(policy(parties, MissingAzp::Allow)), cookies)
}

fn with_key(key: &str) -> RequestVerifier {
    requests(CookieAuth::On(Some(PublishableKey::parse(key).unwrap())))
}

/// The outcome, and Clerk's or our word for why.
type Said = (&'static str, &'static str);

fn said(check: Check) -> Said {
    let why = match &check {
        Check::Verified(principal) => {
            assert_eq!(principal.user_id(), "user_1");
            ""
        }
        Check::Stale(error) | Check::Rejected(error) => error.code().as_str(),
        Check::Anonymous | Check::Unavailable { .. } => "",
    };
    (check.as_str(), why)
}

fn checked(requests: &RequestVerifier, method: &str, url: &str, headers: &[(&str, &str)]) -> Said {
    let request = Request::new(method, url, headers.iter().copied());
    said(requests.check(&request, &mut TokenBuffer::new(), |_| keys(), UnixTime::from_secs(NOW)))
}

fn get(requests: &RequestVerifier, headers: &[(&str, &str)]) -> Said {
    checked(requests, "GET", "https://app.example.com/", headers)
}

/// A GET with these cookies, where the session may come in one.
fn cookie(cookies: &str) -> Said {
    get(&with_key(TEST_KEY), &[("cookie", cookies)])
}

const VERIFIED: Said = ("verified", "");
const ANONYMOUS: Said = ("anonymous", "");

mod headers {
    use super::*;

    fn presented<'h>(values: &[&'h str]) -> Result<Option<&'h str>, Code> {
        bearer(values.iter().copied()).map_err(|error| error.code())
    }

    #[test]
    fn no_header_presents_nothing_and_an_empty_one_lacks_its_token() {
        assert_eq!(presented(&[]), Ok(None));
        for value in ["", " ", "Bearer", "Bearer ", "bearer\t"] {
            assert_eq!(presented(&[value]), Err(Code::TokenMissing), "{value:?}");
        }
    }

    #[test]
    fn the_word_may_be_in_any_case() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "bEaReR a.b.c", " Bearer a.b.c\t"] {
            assert_eq!(presented(&[value]), Ok(Some("a.b.c")), "{value:?}");
        }
    }

    #[test]
    fn what_is_no_ascii_is_left_to_be_refused_as_a_token() {
        for (value, token) in [("Bearer é.b.c", "é.b.c"), ("Bearer \u{fffd}", "\u{fffd}")] {
            assert_eq!(presented(&[value]), Ok(Some(token)));
            let got = get(&requests(CookieAuth::Off), &[("authorization", value)]);
            assert!(matches!(got, ("rejected", "malformed-token" | "malformed-base64url")), "{got:?}");
        }
    }

    #[test]
    fn any_other_form_is_malformed() {
        for value in [
            "a.b.c",
            "Basic dXNlcjpwYXNz",
            "Bearera.b.c",
            "Bearer  a.b.c",
            "Bearer\ta.b.c",
            "Bearer a.b.c d",
            "Bearer a.b.c, Bearer d.e.f",
            "Bearer a.b.c,d",
            "Bearer ,",
            "Bearer ,,",
            "Bearer a\u{a0}b",
            "Bearer a\u{0}b",
            "Token a.b.c",
            "Bearer: a.b.c",
            "Béarer a.b.c",
        ] {
            assert_eq!(presented(&[value]), Err(Code::AuthorizationMalformed), "{value:?}");
        }
    }

    #[test]
    fn nothing_of_a_request_is_shown() {
        let headers = [("authorization", "Bearer a.b.c"), ("cookie", "__session=d.e.f")];
        let request = Request::new("GET", "/?__clerk_handshake=g", headers);
        assert_eq!(format!("{request:?}"), "Request(…)");
    }

    #[test]
    fn several_headers_are_refused_though_they_agree() {
        for values in [["Bearer a.b.c", "Bearer a.b.c"], ["Bearer a.b.c", "Basic x"], ["", ""]] {
            assert_eq!(presented(&values), Err(Code::AuthorizationMalformed));
        }
        let value = format!("Bearer {}", session(1));
        let twice = [("authorization", &*value); 2];
        assert_eq!(get(&requests(CookieAuth::Off), &twice), ("rejected", "authorization-malformed"));
    }

    #[test]
    fn what_was_pasted_in_place_of_a_token_is_called_by_its_name() {
        for (token, code) in [
            ("null", Code::TokenIsNull),
            ("undefined", Code::TokenIsNull),
            ("sk_test_abc", Code::KeyInsteadOfToken),
            ("sk_live_abc", Code::KeyInsteadOfToken),
            ("pk_test_abc", Code::KeyInsteadOfToken),
            ("mt_abc", Code::MachineToken),
            ("ak_abc", Code::MachineToken),
            ("oat_abc", Code::OauthToken),
        ] {
            assert_eq!(presented(&[&format!("Bearer {token}")]).err(), Some(code), "{token}");
            assert_eq!(presented(&[token]).err(), Some(code), "{token} without the word");
        }
        let long = "a".repeat(40_000);
        assert_eq!(presented(&[&format!("Bearer {long}")]).err(), Some(Code::TokenTooLarge));
        assert_eq!(presented(&[&long]).err(), Some(Code::AuthorizationMalformed));
    }

    #[test]
    fn a_token_in_a_header_is_verified_or_refused() {
        for requests in [requests(CookieAuth::Off), with_key(TEST_KEY)] {
            let with = |token: String| get(&requests, &[("Authorization", &format!("Bearer {token}"))]);
            assert_eq!(with(session(10)), VERIFIED);
            assert_eq!(with(expired()), ("rejected", "token-expired"));
            assert_eq!(with(forged()), ("rejected", "wrong-signature"));
            assert_eq!(with("x".to_owned()), ("rejected", "malformed-token"));
            assert_eq!(
                with(session_of(ISSUER, NOW, NOW + 60, r#","sts":"pending""#)),
                ("rejected", "session-pending")
            );
        }
    }

    #[test]
    fn a_token_in_a_header_may_lack_azp_where_the_policy_says_so_and_needs_no_origin() {
        let native = format!("Bearer {}", session_of(ISSUER, NOW, NOW + 60, ""));
        let headers = [("authorization", &*native), ("origin", "https://evil.example")];
        assert_eq!(checked(&with_key(TEST_KEY), "POST", "/", &headers), VERIFIED);
    }

    #[test]
    fn a_header_that_fails_is_never_rescued_by_a_cookie() {
        let good = format!("__session={}; __client_uat={}", session(10), NOW - 10);
        for (value, code) in [
            (format!("Bearer {}", expired()), "token-expired"),
            (format!("Bearer {}", forged()), "wrong-signature"),
            ("Bearer null".to_owned(), "token-is-null"),
            ("Basic dXNlcjpwYXNz".to_owned(), "authorization-malformed"),
            (String::new(), "token-missing"),
        ] {
            let headers = [("cookie", &*good), ("authorization", &*value)];
            assert_eq!(get(&with_key(TEST_KEY), &headers), ("rejected", code), "{value}");
        }
        assert_eq!(get(&with_key(TEST_KEY), &[("cookie", &good)]), VERIFIED);
    }

    #[test]
    fn a_header_that_holds_is_not_spoilt_by_cookies() {
        let header = format!("Bearer {}", session(10));
        let headers = [("cookie", "__session=x; __client_uat=0"), ("authorization", &*header)];
        assert_eq!(get(&with_key(TEST_KEY), &headers), VERIFIED);
    }
}

mod cookies_of_one_set {
    use super::*;

    #[test]
    fn nothing_is_anonymous() {
        for cookies in [
            "",
            "theme=dark",
            "__client_uat=0",
            "__session=; __client_uat=0",
            "__session=",
            "__client_uat=x",
            "; ;=;__session",
        ] {
            assert_eq!(cookie(cookies), ANONYMOUS, "{cookies}");
        }
        assert_eq!(get(&with_key(TEST_KEY), &[]), ANONYMOUS);
    }

    #[test]
    fn a_good_session_is_verified() {
        let (token, uat) = (session(10), NOW - 10);
        for cookies in [
            format!("__session={token}; __client_uat={uat}"),
            format!("theme=dark;__client_uat={uat};__session={token};x"),
            format!("__session=\"{token}\"; __client_uat={uat}"),
            format!("__session={}; __client_uat={uat}", token.replace('.', "%2E")),
        ] {
            assert_eq!(cookie(&cookies), VERIFIED, "{cookies}");
        }
        let (session, uat) = (format!("__session={token}"), format!("__client_uat={uat}"));
        assert_eq!(get(&with_key(TEST_KEY), &[("Cookie", &session), ("cookie", &uat)]), VERIFIED);
        assert_eq!(
            get(&requests(CookieAuth::On(None)), &[("cookie", &format!("{session}; {uat}"))]),
            VERIFIED
        );
    }

    /// Rows 8 and 9 of Clerk's table.
    #[test]
    fn a_session_and_a_client_that_disagree_are_stale() {
        for uat in [
            "",
            "; __client_uat=0",
            "; __client_uat=",
            "; __client_uat=abc",
            "; __client_uat=-5",
            "; __client_uat=12x",
        ] {
            let cookies = format!("__session={}{uat}", session(10));
            assert_eq!(cookie(&cookies), ("stale", "session-without-client-uat"), "{uat}");
        }
        let alone = format!("__client_uat={NOW}");
        assert_eq!(cookie(&alone), ("stale", "client-uat-without-session"));
        // As Clerk has it, what the session is does not matter then.
        assert_eq!(cookie("__session=x"), ("stale", "session-without-client-uat"));
    }

    /// Rows 10, 11 and 15.
    #[test]
    fn what_is_no_session_of_ours_is_rejected() {
        let header = |more: &str| format!(r#"{{"alg":"RS256","kid":"ins_1"{more}}}"#);
        let payload = format!(r#"{{"iss":"{ISSUER}","sub":"user_1","sid":"s","iat":{NOW},"exp":{NOW}}}"#);
        for (token, code) in [
            ("x".to_owned(), "malformed-token"),
            ("null".to_owned(), "token-is-null"),
            ("mt_abc".to_owned(), "machine-token"),
            (signed(&header(r#","typ":"at+jwt""#), &payload, "good"), "oauth-token"),
            (signed(&header(r#","cat":"cl_B7d4PD222AAA""#), &payload, "good"), "template-token"),
            (signed(&header(""), &payload.replace("user_1", "mch_1"), "good"), "machine-token"),
            (forged(), "wrong-signature"),
            (session_of(ISSUER, NOW, NOW + 60, r#","azp":"https://evil.example""#), "wrong-azp"),
        ] {
            let cookies = format!("__session={token}; __client_uat=1");
            assert_eq!(cookie(&cookies), ("rejected", code), "{token}");
        }
    }

    /// Row 12: equal is fine.
    #[test]
    fn a_session_from_before_the_clients_last_change_is_stale() {
        let with = |uat: &str| cookie(&format!("__session={}; __client_uat={uat}", session(10)));
        assert_eq!(with(&(NOW - 10).to_string()), VERIFIED);
        let older = ("stale", "session-older-than-client-uat");
        assert_eq!(with(&(NOW - 9).to_string()), older);
        assert_eq!(with("99999999999999999999999999"), older);
        // Without a time of issue nobody can tell.
        let payload =
            format!(r#"{{"iss":"{ISSUER}","sub":"user_1","sid":"s","exp":{},"azp":"{APP}"}}"#, NOW + 60);
        let no_iat = signed(r#"{"alg":"RS256","kid":"ins_1"}"#, &payload, "good");
        assert_eq!(cookie(&format!("__session={no_iat}; __client_uat=1")), older);
        // Before row 13, and never for a forged one.
        assert_eq!(cookie(&format!("__session={}; __client_uat={NOW}", expired())), older);
        assert_eq!(
            cookie(&format!("__session={}; __client_uat={NOW}", forged())),
            ("rejected", "wrong-signature")
        );
    }

    /// Rows 13 and 14, and what Clerk's pages have still to finish.
    #[test]
    fn a_session_that_is_out_of_date_is_stale() {
        let azp = format!(r#","azp":"{APP}""#);
        for (token, code) in [
            (expired(), "token-expired"),
            (
                session_of(ISSUER, NOW, NOW + 60, &format!(r#"{azp},"nbf":{}"#, NOW + 6)),
                "token-not-active-yet",
            ),
            (session_of(ISSUER, NOW + 6, NOW + 60, &azp), "token-iat-in-the-future"),
            (session_of(ISSUER, NOW, NOW + 60, &format!(r#"{azp},"sts":"pending""#)), "session-pending"),
        ] {
            let cookies = format!("__session={token}; __client_uat=1");
            assert_eq!(cookie(&cookies), ("stale", code), "{code}");
        }
    }

    #[test]
    fn a_cookie_needs_an_azp_even_where_the_policy_does_not() {
        let cookies = format!("__session={}; __client_uat=1", session_of(ISSUER, NOW, NOW + 60, ""));
        assert_eq!(cookie(&cookies), ("stale", "missing-azp"));
        let parties = AuthorizedParties::parse([APP]).unwrap();
        let strict =
            RequestVerifier::new(Verifier::new(policy(parties, MissingAzp::Refuse)), CookieAuth::On(None));
        assert_eq!(get(&strict, &[("cookie", &cookies)]), ("rejected", "missing-azp"));
    }

    #[test]
    fn where_cookies_are_not_taken_a_session_in_one_is_told_so() {
        let off = requests(CookieAuth::Off);
        let told = ("rejected", "cookie-auth-off");
        assert_eq!(get(&off, &[("cookie", &format!("__session={}", session(1)))]), told);
        assert_eq!(get(&off, &[("cookie", "__session_abcdefgh=x")]), told);
        assert_eq!(get(&off, &[("cookie", "__client_uat=1; theme=dark; __session=")]), ANONYMOUS);
        let header = format!("Bearer {}", session(1));
        assert_eq!(get(&off, &[("cookie", "__session=x"), ("authorization", &header)]), VERIFIED);
    }

    /// clerk/javascript#9466: decoded before it is split, a value makes cookies.
    #[test]
    fn an_encoded_semicolon_makes_no_cookie() {
        let forgery = format!("theme=a%3B%20__session={}; __client_uat=1", session(1));
        assert_eq!(cookie(&forgery), ("stale", "client-uat-without-session"));
        let forgery = format!("__client_uat=1; __session=x%3B__session%3D{}", session(1));
        assert_eq!(cookie(&forgery), ("rejected", "malformed-base64url"));
    }

    #[test]
    fn of_two_cookies_of_one_name_the_first_counts_as_with_clerk() {
        let (good, uat) = (session(10), NOW - 10);
        assert_eq!(cookie(&format!("__session={good}; __session=x; __client_uat={uat}")), VERIFIED);
        assert_eq!(
            cookie(&format!("__session=x; __session={good}; __client_uat={uat}")),
            ("rejected", "malformed-token")
        );
    }

    #[test]
    fn names_are_compared_as_they_are() {
        let token = session(10);
        for name in ["__Session", "session", "__session2", "%5F%5Fsession"] {
            assert_eq!(cookie(&format!("{name}={token}; __client_uat=0")), ANONYMOUS, "{name}");
        }
    }
}

mod writes_by_cookie {
    use super::*;

    fn written(requests: &RequestVerifier, method: &str, headers: &[(&str, &str)]) -> Said {
        let cookies = format!("__session={}; __client_uat=1", session(10));
        checked(requests, method, "/", &[headers, &[("cookie", &cookies)]].concat())
    }

    #[test]
    fn a_write_needs_an_origin_that_is_an_authorized_party() {
        let requests = with_key(TEST_KEY);
        let refused = ("rejected", "origin-refused");
        for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "get", "QUERY", ""] {
            assert_eq!(written(&requests, method, &[("Origin", APP)]), VERIFIED, "{method}");
            for origin in [
                "https://evil.example",
                "null",
                "",
                "https://app.example.com.evil.example",
                "https://app.example.com/",
            ] {
                assert_eq!(written(&requests, method, &[("origin", origin)]), refused, "{method} {origin}");
            }
            assert_eq!(written(&requests, method, &[]), refused, "{method} without an Origin");
            assert_eq!(written(&requests, method, &[("origin", APP), ("origin", APP)]), refused);
        }
    }

    #[test]
    fn a_read_needs_none() {
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert_eq!(written(&with_key(TEST_KEY), method, &[]), VERIFIED);
            assert_eq!(written(&with_key(TEST_KEY), method, &[("origin", "https://evil.example")]), VERIFIED);
            let others =
                [("user-agent", "a browser"), ("connection", "keep-alive"), ("x-upgrade", "websocket")];
            assert_eq!(written(&with_key(TEST_KEY), method, &others), VERIFIED);
        }
    }

    #[test]
    fn a_socket_is_a_write() {
        let upgrade = ("Upgrade", "websocket");
        assert_eq!(written(&with_key(TEST_KEY), "GET", &[upgrade]), ("rejected", "origin-refused"));
        assert_eq!(written(&with_key(TEST_KEY), "GET", &[upgrade, ("origin", APP)]), VERIFIED);
    }

    #[test]
    fn where_any_party_will_do_the_origin_is_the_tokens_own() {
        let any = Verifier::new(policy(AuthorizedParties::AnyParty, MissingAzp::Allow));
        let any = RequestVerifier::new(any, CookieAuth::On(None));
        assert_eq!(written(&any, "POST", &[("origin", APP)]), VERIFIED);
        assert_eq!(
            written(&any, "POST", &[("origin", "https://evil.example")]),
            ("rejected", "origin-refused")
        );
        // What a browser sends for a page that it keeps in a sandbox is nobody's origin.
        let nobody = session_of(ISSUER, NOW, NOW + 60, r#","azp":"null""#);
        let cookies = format!("__session={nobody}; __client_uat=1");
        let headers = [("cookie", &*cookies), ("origin", "null")];
        assert_eq!(checked(&any, "POST", "/", &headers), ("rejected", "origin-refused"));
    }

    #[test]
    fn a_token_that_is_refused_is_refused_first() {
        let cookies = format!("__session={}; __client_uat=1", expired());
        assert_eq!(
            checked(&with_key(TEST_KEY), "POST", "/", &[("cookie", &cookies)]),
            ("stale", "token-expired")
        );
    }
}

/// The rules of `usesSuffixedCookies` in @clerk/backend, each by its number in the order there.
mod which_set {
    use super::*;

    /// Plain session and client, suffixed session and client, as far as there are any.
    fn sets(plain: (&str, &str), suffixed: (&str, &str)) -> String {
        let named = [
            ("__session", plain.0),
            ("__client_uat", plain.1),
            ("__session_SUFFIX", suffixed.0),
            ("__client_uat_SUFFIX", suffixed.1),
        ];
        let pairs = named
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// What becomes of them with a development and with a live key.
    fn with_either(plain: (&str, &str), suffixed: (&str, &str)) -> [Said; 2] {
        [TEST_KEY, LIVE_KEY].map(|key| {
            let suffix = PublishableKey::parse(key).unwrap().cookie_suffix();
            get(&with_key(key), &[("cookie", &sets(plain, suffixed).replace("SUFFIX", &suffix))])
        })
    }

    fn assert_said(plain: (&str, &str), suffixed: (&str, &str), expected: Said) {
        assert_eq!(with_either(plain, suffixed), [expected; 2], "{plain:?} {suffixed:?}");
    }

    #[test]
    fn rule_1_a_plain_session_without_an_issuer_keeps_the_plain_set() {
        let good = session(10);
        assert_said(("x", "1"), (&good, "1"), ("rejected", "malformed-token"));
        let no_iss = signed(r#"{"alg":"RS256","kid":"ins_1"}"#, r#"{"sub":"user_1"}"#, "good");
        assert_said((&no_iss, "1"), (&good, "1"), ("rejected", "missing-iss"));
        let empty = session_of("", NOW, NOW + 60, "");
        assert_said((&empty, "1"), (&good, "1"), ("rejected", "wrong-iss"));
    }

    #[test]
    fn rule_2_a_plain_session_of_another_instance_gives_way() {
        let (other, good) = (session_of("https://clerk.other.example", NOW, NOW + 60, ""), session(10));
        assert_said((&other, "1"), (&good, "1"), VERIFIED);
        assert_said((&other, "1"), ("", ""), ANONYMOUS);
        assert_said((&other, "1"), ("", "1"), ("stale", "client-uat-without-session"));
    }

    #[test]
    fn rule_3_without_suffixed_cookies_it_is_the_plain_set() {
        assert_said((&session(10), "1"), ("", ""), VERIFIED);
        assert_said(("", "1"), ("", ""), ("stale", "client-uat-without-session"));
    }

    #[test]
    fn rule_4_of_two_that_are_signed_in_the_newer_plain_one_wins() {
        assert_said((&session(5), "1"), (&expired(), "1"), VERIFIED);
        assert_said((&expired(), "1"), (&session(5), "1"), VERIFIED);
        // Equally new: the suffixed one.
        let same = session(5);
        assert_said((&same, "1"), (&same.replace("Z29vZA", "YmFkIQ"), "1"), ("rejected", "wrong-signature"));
        // A missing client is not signed out.
        assert_said((&session(5), "1"), (&session(9), ""), VERIFIED);
        assert_said((&session(5), ""), (&session(9), "1"), ("stale", "session-without-client-uat"));
    }

    #[test]
    fn rule_5_a_suffixed_set_that_is_signed_out_gives_way_to_a_plain_one_that_is_not() {
        assert_said((&session(10), "1"), (&session(1), "0"), VERIFIED);
        assert_said(("", ""), (&session(1), "0"), ANONYMOUS);
        assert_said((&session(10), "0"), (&session(1), "0"), ("stale", "session-without-client-uat"));
    }

    #[test]
    fn rule_6_in_development_an_expired_suffixed_session_gives_way_to_signed_out() {
        let [development, production] = with_either(("", "0"), (&expired(), "1"));
        assert_eq!(development, ANONYMOUS);
        assert_eq!(production, ("stale", "token-expired"));
        let [development, _] = with_either(("", "0"), (&session(60), "1"));
        assert_eq!(development, ANONYMOUS, "expired in this very second, without a skew");
        assert_said(("", "0"), (&session(59), "1"), VERIFIED);
        assert_said(("", "0"), ("", "1"), ("stale", "client-uat-without-session"));
    }

    #[test]
    fn rule_7_a_suffixed_session_without_its_client_gives_way() {
        assert_said(("", ""), (&session(10), ""), ANONYMOUS);
        assert_said(("", "1"), (&session(10), ""), ("stale", "client-uat-without-session"));
    }

    #[test]
    fn rule_8_else_it_is_the_suffixed_set() {
        assert_said(("", ""), (&session(10), "1"), VERIFIED);
        assert_said(("", "1"), (&session(10), "1"), VERIFIED);
        assert_said((&session(20), "1"), (&session(10), "1"), VERIFIED);
        assert_said(
            (&session(20), "1"),
            (&session(10), &NOW.to_string()),
            ("stale", "session-older-than-client-uat"),
        );
    }

    #[test]
    fn cookies_of_another_suffix_are_not_ours() {
        let cookies = format!("__session_abcdefgh={}; __client_uat_abcdefgh=1", session(10));
        assert_eq!(cookie(&cookies), ANONYMOUS);
        let suffix = PublishableKey::parse(TEST_KEY).unwrap().cookie_suffix();
        let cookies = format!("__session_{suffix}={}; __client_uat_{suffix}=1", session(10));
        assert_eq!(get(&requests(CookieAuth::On(None)), &[("cookie", &cookies)]), ANONYMOUS);
        assert_eq!(get(&with_key(LIVE_KEY), &[("cookie", &cookies)]), ANONYMOUS);
    }
}

mod how_a_token_came {
    use super::*;

    /// Whether the token is in a cookie, and the token on which alone the decision depends.
    fn came(
        requests: &RequestVerifier,
        url: &str,
        headers: &[(&str, &str)],
    ) -> (Option<bool>, Option<String>) {
        let request = Request::new("GET", url, headers.iter().copied());
        let mut buffer = TokenBuffer::new();
        let presented = requests.screen(&request, &mut buffer, UnixTime::from_secs(NOW)).ok();
        let is_cookie = presented.map(|presented| {
            assert_eq!(format!("{presented:?}"), "PresentedToken(…)", "a token in a log");
            presented.is_cookie()
        });
        (is_cookie, requests.token_in_header(&request).map(str::to_owned))
    }

    #[test]
    fn the_token_of_a_header_is_told_from_that_of_a_cookie() {
        let token = session(10);
        let header = format!("Bearer {token}");
        let cookies = format!("__session={token}; __client_uat={}", NOW - 20);
        let header = ("authorization", &*header);
        let cookie = ("cookie", &*cookies);
        let url = "https://app.example.com/";
        let taken = with_key(TEST_KEY);
        for requests in [&requests(CookieAuth::Off), &taken] {
            assert_eq!(came(requests, url, &[header]), (Some(false), Some(token.clone())));
            assert_eq!(came(requests, url, &[header, cookie]), (Some(false), Some(token.clone())));
        }
        assert_eq!(came(&taken, url, &[cookie]), (Some(true), None));
        assert_eq!(came(&taken, url, &[header, header]), (None, None));
    }

    #[test]
    fn a_token_that_is_found_unread_is_the_one_on_which_the_decision_depends() {
        let token = session(10);
        let values = [
            format!("Bearer {token}"),
            format!("bEARER {token}"),
            format!("Bearer  {token}"),
            format!("Bearer\t{token}"),
            format!("Bearer {token} "),
            format!(" Bearer {token}"),
            format!("Bearer{token}"),
            format!("Basic {token}"),
            format!("Bearer {token},{token}"),
            format!("Bearer {token}, Bearer {token}"),
            format!("Bearer {}", &token[1..]),
            token.clone(),
            "Bearer ".to_owned(),
            "Bearer".to_owned(),
            String::new(),
        ];
        let singles = values.iter().map(|value| vec![value.as_str()]);
        let pairs = values.iter().map(|value| vec![values[0].as_str(), value]);
        let (mut found, mut read) = (0, 0);
        for headers in singles.chain(pairs).chain([vec![]]) {
            for url in ["/", "/__clerk/v1", "https://app.example.com/__clerk?a#b", "/x?/__clerk"] {
                for requests in [requests(CookieAuth::Off), with_key(TEST_KEY)] {
                    let bytes = requests.bytes_in_header(url, headers.iter().map(|value| value.as_bytes()));
                    let is_found = bytes == Some(token.as_bytes());
                    let named: Vec<_> = headers.iter().map(|value| ("authorization", *value)).collect();
                    let is_read = came(&requests, url, &named).1.as_ref() == Some(&token);
                    assert!(!is_found || is_read, "{headers:?} {url}");
                    (found, read) = (found + usize::from(is_found), read + usize::from(is_read));
                }
            }
        }
        // With white space around it, it is read as a token, and not found.
        assert_eq!((found, read), (12, 24));
    }

    #[test]
    fn what_is_left_to_clerk_depends_on_no_token() {
        let token = session(10);
        let header = format!("Bearer {token}");
        let url = "https://app.example.com/__clerk/v1/client";
        let headers = [("authorization", &*header)];
        assert_eq!(came(&with_key(TEST_KEY), url, &headers), (None, None));
        assert_eq!(came(&requests(CookieAuth::Off), url, &headers), (Some(false), Some(token)));
    }
}

mod keys_that_are_missing {
    use super::*;

    fn with(lookup: Lookup, headers: &[(&str, &str)]) -> Check {
        let request = Request::new("GET", "/", headers.iter().copied());
        let requests = with_key(TEST_KEY);
        requests.check(&request, &mut TokenBuffer::new(), |_| lookup, UnixTime::from_secs(NOW))
    }

    #[test]
    fn keys_that_can_not_be_had_are_unavailable_never_a_refusal() {
        let (header, cookies) =
            (format!("Bearer {}", session(1)), format!("__session={}; __client_uat=1", session(1)));
        for headers in [[("authorization", &*header)], [("cookie", &*cookies)]] {
            let retry_after = Duration::from_secs(7);
            assert_eq!(
                with(Lookup::Unavailable { retry_after }, &headers),
                Check::Unavailable { retry_after }
            );
            assert_eq!(with(Lookup::Fetch, &headers), Check::Unavailable { retry_after: Duration::ZERO });
            assert_eq!(said(with(Lookup::UnknownKid, &headers)), ("rejected", "unknown-kid"));
        }
    }

    #[test]
    fn keys_are_asked_for_only_when_a_token_could_be_ours() {
        let other = session_of("https://clerk.other.example", NOW, NOW + 60, "");
        for value in ["Bearer x", "Bearer null", &format!("Bearer {other}")] {
            let headers = [("authorization", value)];
            let request = Request::new("GET", "/", headers);
            let asked = |_: &KeyId| panic!("asked for a key for {value}");
            let now = UnixTime::from_secs(NOW);
            let check = requests(CookieAuth::Off).check(&request, &mut TokenBuffer::new(), asked, now);
            assert_eq!(check.as_str(), "rejected");
        }
    }

    #[test]
    fn the_two_steps_are_the_whole() {
        let header = format!("Bearer {}", session(1));
        let request = Request::new("GET", "/", [("authorization", &*header)]);
        let (requests, mut buffer, now) = (with_key(TEST_KEY), TokenBuffer::new(), UnixTime::from_secs(NOW));
        let presented = requests.screen(&request, &mut buffer, now).unwrap();
        assert_eq!((presented.key_id().as_str(), presented.is_cookie()), ("ins_1", false));
        assert_eq!(said(requests.verify(&presented, keys(), now)), VERIFIED);
        let shown = format!("{request:?} {presented:?}");
        assert!(!shown.contains("eyJ"), "a token was shown: {shown}");
    }
}

mod handshakes {
    use super::*;

    fn is_handshake(url: &str, headers: &[(&str, &str)]) -> bool {
        Request::new("GET", url, headers.iter().copied()).is_handshake()
    }

    #[test]
    fn traffic_between_browser_and_clerk_is_recognised() {
        for url in [
            "/?__clerk_handshake=x",
            "https://app.example.com/a?b=c&__clerk_handshake_nonce=x#d",
            "/?__clerk_db_jwt=x",
            "/?__clerk_synced=true",
            "/?a&__clerk_redirect_url=https%3A%2F%2Fx",
            "/?%5F_clerk_handshake=x",
            "/?__clerk_handshake",
            "/__clerk",
            "/__clerk/v1/client",
            "https://app.example.com/__clerk/npm/@clerk/clerk-js@5/dist/clerk.browser.js",
        ] {
            assert!(is_handshake(url, &[]), "{url}");
        }
        assert!(is_handshake("/", &[("cookie", "__clerk_handshake=x")]));
        assert!(is_handshake("/", &[("cookie", "a=b; __clerk_handshake_nonce=x")]));
    }

    #[test]
    fn what_only_looks_like_it_is_not() {
        for url in [
            "/",
            "/?clerk_handshake=x",
            "/?x=__clerk_handshake",
            "/?x=/__clerk/",
            "/#?__clerk_handshake=x",
            "/__clerkx",
            "/a/__clerk/",
            "/a://b/__clerk/",
            "//__clerk/",
            "/__CLERK/",
            "/__clerk/../api/secret",
            "/__clerk/%2e%2e/api/secret",
            "/__clerk/..%2fapi",
            "/__clerk\\..\\api",
            "/%5F%5Fclerk/x",
            "https://__clerk/x",
            "/?next=https://a.b/__clerk/",
        ] {
            assert!(!is_handshake(url, &[]), "{url}");
        }
        assert!(!is_handshake(
            "/",
            &[("cookie", "__clerk_db_jwt=x; __clerk_handshake=; x=__clerk_handshake")]
        ));
    }

    #[test]
    fn cookies_do_not_decide_about_a_handshake_that_comes_to_replace_them() {
        let url = "/?__clerk_handshake=x";
        let with = |cookies: &str| checked(&with_key(TEST_KEY), "GET", url, &[("cookie", cookies)]);
        assert_eq!(with(""), ("stale", "token-missing"));
        assert_eq!(with("__session=x; __client_uat=1"), ("stale", "malformed-token"));
        assert_eq!(with(&format!("__session={}; __client_uat=1", forged())), ("stale", "wrong-signature"));
        assert_eq!(with(&format!("__session={}; __client_uat=1", session(1))), VERIFIED);
    }

    #[test]
    fn a_handshake_makes_up_for_no_header() {
        let header = format!("Bearer {}", forged());
        let headers = [("authorization", &*header)];
        let checked_at = |url| checked(&with_key(TEST_KEY), "GET", url, &headers);
        assert_eq!(checked_at("/?__clerk_handshake=x"), ("rejected", "wrong-signature"));
        assert_eq!(checked_at("/__clerk/v1/client"), ("stale", "token-missing"));
    }

    #[test]
    fn where_cookies_are_not_taken_there_are_no_handshakes() {
        let off = requests(CookieAuth::Off);
        assert_eq!(checked(&off, "GET", "/?__clerk_handshake=x", &[]), ANONYMOUS);
        assert_eq!(
            checked(&off, "GET", "/__clerk/v1", &[("authorization", "Bearer x")]),
            ("rejected", "malformed-token")
        );
    }

    #[test]
    fn a_page_is_told_from_data() {
        let is_navigation = |method: &str, headers: &[(&str, &str)]| {
            Request::new(method, "/", headers.iter().copied()).is_navigation()
        };
        assert!(is_navigation("GET", &[("Sec-Fetch-Dest", "document")]));
        assert!(is_navigation("GET", &[("sec-fetch-dest", "iframe"), ("accept", "*/*")]));
        assert!(is_navigation("GET", &[("Accept", "text/html,application/xhtml+xml")]));
        assert!(!is_navigation("POST", &[("sec-fetch-dest", "document")]));
        assert!(!is_navigation("GET", &[("sec-fetch-dest", "empty"), ("accept", "text/html")]));
        assert!(!is_navigation("GET", &[("accept", "application/json, text/html")]));
        assert!(!is_navigation("GET", &[]));
        assert!(!is_navigation("GET", &[("sec-fetch-dest", "document"), ("sec-fetch-dest", "document")]));
    }
}

#[test]
fn percent_signs_are_decoded_where_they_are_well_formed() {
    for (text, decoded) in [
        ("", ""),
        ("abc", "abc"),
        ("a%2Eb%2ec", "a.b.c"),
        ("%E2%82%AC", "€"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("%2", "%2"),
        ("%+1", "%+1"),
        ("%ff", "%ff"),
        ("%%41", "%%41"),
        ("%é1", "%é1"),
    ] {
        assert_eq!(percent_decoded(text), decoded, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_sent_panics_or_is_verified(
        method in "\\PC{0,6}",
        url in "\\PC{0,40}",
        headers in prop::collection::vec(
            (prop_oneof![Just("cookie"), Just("authorization"), Just("origin"), Just("accept")], "\\PC{0,60}"),
            0..5,
        ),
    ) {
        let request = Request::new(&method, &url, headers.iter().map(|(name, value)| (*name, &**value)));
        let (_, _) = (request.is_handshake(), request.is_navigation());
        for requests in [requests(CookieAuth::Off), with_key(TEST_KEY)] {
            let check = requests.check(&request, &mut TokenBuffer::new(), |_| keys(), UnixTime::from_secs(NOW));
            prop_assert_ne!(check.as_str(), "verified");
        }
    }

    /// Whatever stands in the cookies: nobody is signed in by a token that is not good by itself.
    #[test]
    fn only_a_good_session_is_ever_verified(
        pieces in prop::collection::vec((0usize..4, 0usize..6), 0..6),
    ) {
        let values = [expired(), forged(), "x".to_owned(), "0".to_owned(), "1".to_owned(), String::new()];
        let suffix = PublishableKey::parse(TEST_KEY).unwrap().cookie_suffix();
        let names = ["__session".to_owned(), "__client_uat".to_owned(), format!("__session_{suffix}"), format!("__client_uat_{suffix}")];
        let cookies: Vec<_> = pieces.iter().map(|(name, value)| format!("{}={}", names[*name], values[*value])).collect();
        prop_assert_ne!(cookie(&cookies.join("; ")).0, "verified");
    }
}
