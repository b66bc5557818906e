//! Any payload under a good signature, at any time: whoever is let in is whom another JSON parser reads there, and every
//! rule that the policy is about holds by its reading too.
#![no_main]

use std::sync::LazyLock;

use doorward_verifier::{
    AuthorizedParties, KeySet, MissingAzp, Principal, Requirement, Reverification, TokenBuffer, UnixTime,
    Verifier,
};
use doorward_verifier_fuzz::{HEADER, NOW, keys, parties, token, verifier};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;

static KEYS: LazyLock<KeySet> = LazyLock::new(keys);
static STRICT: LazyLock<Verifier> = LazyLock::new(|| verifier(parties(), MissingAzp::Refuse));
static OPEN: LazyLock<Verifier> = LazyLock::new(|| verifier(AuthorizedParties::AnyParty, MissingAzp::Allow));

fuzz_target!(|input: (i16, &[u8])| -> Corpus {
    let (offset, payload) = input;
    let now = UnixTime::from_secs(NOW.as_secs().saturating_add_signed(i64::from(offset)));
    let token = token(HEADER.as_bytes(), payload);
    if token.len() > doorward_verifier::MAX_TOKEN_BYTES {
        return Corpus::Reject;
    }
    for (verifier, azp_required) in [(&*STRICT, true), (&*OPEN, false)] {
        let mut buffer = TokenBuffer::new();
        let verified =
            verifier.screen(&token, &mut buffer).and_then(|screened| verifier.verify(&screened, &KEYS, now));
        match verified {
            Ok(principal) => check(&principal, payload, now, azp_required),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    Corpus::Keep
});

fn check(principal: &Principal, payload: &[u8], now: UnixTime, azp_required: bool) {
    // Numbers beyond a double are no numbers to serde_json: nothing here depends on them.
    let Ok(claims) = serde_json::from_slice::<Value>(payload) else { return };
    let text = |name: &str| claims[name].as_str();
    assert_eq!(text("sub"), Some(principal.user_id()));
    assert!(principal.user_id().starts_with("user_"));
    assert_eq!(text("sid"), principal.session_id());
    assert_eq!(text("azp"), principal.authorized_party());
    assert_eq!(text("iss"), Some(principal.issuer().as_str()));
    assert!(!azp_required || principal.authorized_party().is_some());
    assert!(principal.expires_at().as_secs() + 5 > now.as_secs());
    let start = principal.issued_at().unwrap_or(now).as_secs();
    assert!(principal.expires_at().as_secs().saturating_sub(start) <= 3600);
    assert!(start <= now.as_secs() + 5);
    assert_eq!(claims["sts"] == "pending", principal.is_pending());
    assert_eq!(claims.get("act").is_some(), principal.impersonator().is_some());
    assert_eq!(principal.claims_json().as_bytes(), payload);

    let permissions = principal.organization().map(|organization| organization.permissions.clone());
    for permission in permissions.unwrap_or_default() {
        let asked = Requirement { permission: Some(&permission), ..Requirement::default() };
        // The one name that is never held: nothing behind the prefix.
        assert_eq!(
            principal.has(&asked),
            permission.trim_start_matches("org:") != "" || permission.len() > 4
        );
    }
    for preset in ["strict_mfa", "strict", "moderate", "lax"] {
        let reverification = Some(Reverification::preset(preset).unwrap());
        let asked = Requirement { role: Some("org:admin"), reverification, ..Requirement::default() };
        let role = Requirement { role: Some("admin"), ..Requirement::default() };
        assert!(!principal.has(&asked) || principal.has(&role));
    }
    assert!(!principal.has(&Requirement::default()));
}
