//! Any request: it is decided without a panic, and nobody is let in but by the token that it carries.
//!
//! The input is the number of a verifier, a method and a URL in one line, and a header in each further one. `$T` stands
//! for a good token.
#![no_main]

use std::sync::{Arc, LazyLock};

use doorward_verifier::{
    AuthorizedParties, Check, CookieAuth, KeySet, Lookup, MissingAzp, PublishableKey, Request,
    RequestVerifier, TokenBuffer, bearer,
};
use doorward_verifier_fuzz::{HEADER, ISSUER, NOW, PARTY, keys, parties, token, verifier};
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<Arc<KeySet>> = LazyLock::new(|| Arc::new(keys()));
static TOKEN: LazyLock<String> = LazyLock::new(|| {
    let payload = format!(
        r#"{{"azp":"{PARTY}","exp":{},"iat":{},"iss":"{ISSUER}","sid":"sess_1","sub":"user_1"}}"#,
        NOW.as_secs() + 30,
        NOW.as_secs() - 30
    );
    token(HEADER.as_bytes(), payload.as_bytes())
});
static VERIFIERS: LazyLock<[RequestVerifier; 4]> = LazyLock::new(|| {
    // pk_test_ and the base64 of `clerk.example.com$`.
    let key = PublishableKey::parse("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k").unwrap();
    let strict = verifier(parties(), MissingAzp::Refuse);
    let open = verifier(AuthorizedParties::AnyParty, MissingAzp::Allow);
    [
        RequestVerifier::new(strict.clone(), CookieAuth::Off),
        RequestVerifier::new(strict.clone(), CookieAuth::On(None)),
        RequestVerifier::new(strict, CookieAuth::On(Some(key))),
        RequestVerifier::new(open, CookieAuth::On(None)),
    ]
});

fuzz_target!(|input: &str| {
    let with_token = input.replace("$T", &TOKEN);
    let mut lines = with_token.split('\n');
    let mut first = lines.next().unwrap_or_default().splitn(3, ' ');
    let [choice, method, url] = [(); 3].map(|()| first.next().unwrap_or_default());
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
    let headers = || headers.iter().copied();
    let is = |name: &str, wanted: &str| name.eq_ignore_ascii_case(wanted);
    let of =
        |wanted: &'static str| headers().filter(move |(name, _)| is(name, wanted)).map(|(_, value)| value);

    let which = choice.bytes().next().map_or(0, usize::from) % VERIFIERS.len();
    let request = Request::new(method, url, headers());
    let check = VERIFIERS[which].check(&request, &mut TokenBuffer::new(), |_| Lookup::Use(KEYS.clone()), NOW);
    let _ = (request.is_handshake(), request.is_navigation());
    if let Check::Verified(principal) = &check {
        let in_header = bearer(of("Authorization")).ok().flatten().is_some();
        let in_cookie = of("Cookie").any(|value| value.contains(['.', '%']));
        assert!(principal.user_id().starts_with("user_"));
        assert!(in_header || (which > 0 && in_cookie && of("Authorization").next().is_none()));
        // A page that may write is named, whenever a cookie is what lets it in.
        if !in_header && !matches!(method, "GET" | "HEAD" | "OPTIONS") {
            assert_eq!(of("Origin").count(), 1);
        }
    }
    // The same request without a token to be had stands for nobody.
    let others = headers().filter(|(name, _)| !is(name, "Authorization") && !is(name, "Cookie"));
    let bare = Request::new(method, url, others);
    let bare = VERIFIERS[which].check(&bare, &mut TokenBuffer::new(), |_| Lookup::Use(KEYS.clone()), NOW);
    assert!(matches!(bare, Check::Anonymous | Check::Stale(_)));
});
