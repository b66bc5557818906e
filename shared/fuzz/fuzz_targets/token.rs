//! Any text as a token: nothing panics, and what is taken has one spelling and reads the same to another JSON parser.
#![no_main]

use std::sync::LazyLock;

use doorward_verifier::{MissingAzp, TokenBuffer, UnverifiedToken, Verifier};
use doorward_verifier_fuzz::{base64url, parties, verifier};
use libfuzzer_sys::{Corpus, fuzz_target};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| verifier(parties(), MissingAzp::Refuse));

fuzz_target!(|text: &str| -> Corpus {
    let mut buffer = TokenBuffer::new();
    let parsed = UnverifiedToken::parse(text, &mut buffer).map(|token| {
        // One token, one spelling: what a deny list or a cache keeps is the only one.
        let again = [token.signing_input(), b".", base64url(token.signature()).as_bytes()].concat();
        assert_eq!(again, text.as_bytes());
    });
    let mut buffer = TokenBuffer::new();
    match (VERIFIER.screen(text, &mut buffer), parsed) {
        (Ok(screened), Ok(())) => {
            let claims: serde_json::Value = serde_json::from_str(screened.unverified_claims_json()).unwrap();
            assert!(claims["iss"].is_string());
            assert!((1..=128).contains(&screened.key_id().as_str().len()));
        }
        (Ok(_), Err(error)) => panic!("screened, though it does not parse: {error}"),
        // A message is made of whatever came.
        (Err(error), _) => assert!(!error.to_string().is_empty()),
    }
    Corpus::Keep
});
