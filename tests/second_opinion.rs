//! Webhook signatures, judged by the library of those who wrote the standard, too.

use doorward_verifier::{UnixTime, WebhookHeaders, WebhookSecrets};
use proptest::prelude::*;
use standardwebhooks::Webhook;
use tests::base64_padded;
use warp::http::HeaderMap;
use warp::http::header::HeaderName;

/// The three headers of a delivery.
type Headers<'h> = [(&'static str, &'h str); 3];

fn headers<'h>(id: &'h str, timestamp: &'h str, signature: &'h str) -> Headers<'h> {
    [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)]
}

/// Whether it is genuine: to us, and to them.
fn judged([ours, theirs]: [bool; 2]) -> Result<bool, TestCaseError> {
    prop_assert_eq!(ours, theirs);
    Ok(ours)
}

fn both(secret: &str, headers: Headers<'_>, body: &str, now: u64) -> [bool; 2] {
    let found = WebhookHeaders::find(headers).unwrap();
    let ours =
        WebhookSecrets::parse(secret).unwrap().verify(&found, body.as_bytes(), UnixTime::from_secs(now));
    let map: HeaderMap = headers
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
        .collect();
    [ours.is_ok(), Webhook::new(secret).unwrap().verify(body.as_bytes(), &map).is_ok()]
}

proptest! {
    #[test]
    fn what_another_library_signs_is_genuine_here_and_there_until_it_is_altered(
        key in prop::collection::vec(any::<u8>(), 24..=64),
        id in "[!-\\-/-~]{1,64}",
        body in "\\PC{1,200}",
        // A minute from either end, since they know no time but the machine's.
        age in prop_oneof![-240_i64..=240, 400_i64..=10_000, -10_000_i64..=-400],
        at in any::<prop::sample::Index>(),
    ) {
        let now = jsonwebtoken::get_current_timestamp();
        let sent = now as i64 - age;
        let secret = format!("whsec_{}", base64_padded(&key));
        let signature = Webhook::new(&secret).unwrap().sign(&id, sent, body.as_bytes()).unwrap();
        let timestamp = sent.to_string();
        let whole = headers(&id, &timestamp, &signature);
        prop_assert_eq!(judged(both(&secret, whole, &body, now))?, age.abs() <= 240);

        // Two signatures, the first of them nobody's.
        let several = format!("v1,{} v2,x {signature}", base64_padded(&[0; 32]));
        prop_assert_eq!(judged(both(&secret, headers(&id, &timestamp, &several), &body, now))?, age.abs() <= 240);

        // Another body, another id, another time, another secret, one other character in the signature.
        let later = (sent + 1).to_string();
        let other_secret = format!("whsec_{}", base64_padded(&[key.as_slice(), b"x"].concat()[1..]));
        let mut forged = signature.clone().into_bytes();
        let place = 3 + at.index(43);
        forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        let others = [
            both(&secret, whole, &format!("{body}x"), now),
            both(&secret, headers(&format!("{id}x"), &timestamp, &signature), &body, now),
            both(&secret, headers(&id, &later, &signature), &body, now),
            both(&secret, headers(&id, &timestamp, &forged), &body, now),
        ];
        for other in others {
            prop_assert!(!judged(other)?);
        }
        if other_secret != secret {
            prop_assert!(!judged(both(&other_secret, whole, &body, now))?);
        }
    }
}
