//! A string in a token's JSON is read eight bytes at a time: what ends or breaks it is seen wherever it stands in the eight.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward_verifier::{
    AuthorizedParties, Issuer, MissingAzp, Part, Policy, TokenBuffer, Verifier, VerifyError,
};

/// What is made of a token whose payload has a custom claim of this text, as it is spelled.
fn screened(spelled: &[u8]) -> Result<(), VerifyError> {
    let issuer = Issuer::parse("https://clerk.example.com").unwrap();
    let verifier = Verifier::new(Policy::new(issuer, AuthorizedParties::AnyParty, MissingAzp::Allow));
    let payload =
        [&b"{\"iss\":\"https://clerk.example.com\",\"x\":\""[..], spelled, b"\",\"y\":\"z\"}"].concat();
    let parts = [&b"{\"alg\":\"RS256\",\"kid\":\"k\"}"[..], &payload, b"signature"];
    let token = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    verifier.screen(&token, &mut TokenBuffer::new()).map(|_| ())
}

/// The first byte of the text, in the payload.
const START: usize = 40;

#[test]
fn what_breaks_a_string_is_seen_at_every_place() {
    for at in 0..24 {
        let with = |byte: u8| {
            let mut text = [b'a'; 24];
            text[at] = byte;
            text
        };
        for control in 0..0x20 {
            let refusal = screened(&with(control)).unwrap_err();
            assert_eq!(
                refusal,
                VerifyError::MalformedJson { part: Part::Payload, at: START + at },
                "{control}"
            );
        }
        // A quote ends it, and then a comma or a brace must come.
        let refusal = screened(&with(b'"')).unwrap_err();
        assert_eq!(refusal, VerifyError::MalformedJson { part: Part::Payload, at: START + at + 1 });
        // `\a` is no escape; half a character is no UTF-8.
        for broken in [b'\\', 0x80, 0xc3, 0xff] {
            assert!(
                matches!(screened(&with(broken)), Err(VerifyError::MalformedJson { .. })),
                "{broken} at {at}"
            );
        }
    }
}

#[test]
fn whatever_else_is_in_a_string_is_read_over_at_every_place() {
    for at in 0..24 {
        for part in
            ["\u{7f}", "!", "#", "[", "]", "é", "\u{10ffff}", r"\n", r#"\""#, r"\u00e9", r"\ud83d\ude00"]
        {
            let text = ["a".repeat(at), part.to_owned(), "a".repeat(24 - at)].concat();
            assert_eq!(screened(text.as_bytes()), Ok(()), "{part} at {at}");
        }
    }
}
