//! Any delivery under any secret: it is genuine only where an HMAC made here says so, and one that was signed here is.
//!
//! The input is a header a line, an empty line, and the body. `secret` is no header, but a text to be read as one.
#![no_main]

use base64::prelude::{BASE64_STANDARD, Engine as _};
use doorward_verifier::{UnixTime, WebhookHeaders, WebhookSecrets};
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;

const KEY: &[u8; 32] = b"fuzzing, and nothing else at all";
const NOW: UnixTime = UnixTime::from_secs(1_790_000_030);

fuzz_target!(|input: &[u8]| {
    let end = input.windows(2).position(|two| two == b"\n\n").unwrap_or(input.len());
    let (head, body) = (&input[..end], input.get(end + 2..).unwrap_or_default());
    let head = String::from_utf8_lossy(head);
    let headers: Vec<_> = head.split('\n').filter_map(|line| line.split_once(": ")).collect();
    let value_of = |wanted: &str| {
        let found = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.trim_matches([' ', '\t'])).find(|value| !value.is_empty())
    };
    let _ = WebhookSecrets::parse(value_of("secret").unwrap_or_default());
    let secrets = WebhookSecrets::parse(&format!("whsec_{}", BASE64_STANDARD.encode(KEY))).unwrap();
    let signed = |id: &str, timestamp: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    };

    if let Ok(found) = WebhookHeaders::find(headers.iter().copied()) {
        if let Ok(delivery) = secrets.verify(&found, body, NOW) {
            let prefix = if value_of("svix-id").is_some() { "svix" } else { "webhook" };
            let [id, timestamp, signatures] =
                ["id", "timestamp", "signature"].map(|name| value_of(&format!("{prefix}-{name}")).unwrap());
            assert_eq!(delivery.id(), id);
            assert!(signatures.split(' ').any(|signature| signature == signed(id, timestamp)));
        }
    }

    // The same, signed well. Only the id and the time can be wrong then.
    let id = value_of("svix-id").unwrap_or("msg_1");
    let timestamp = value_of("svix-timestamp").unwrap_or("1790000000");
    let signature = signed(id, timestamp);
    let headers = [("svix-id", id), ("svix-timestamp", timestamp), ("svix-signature", &signature)];
    let found = WebhookHeaders::find(headers).unwrap();
    let verdict = secrets.verify(&found, body, NOW);
    let id_fits = id.len() <= 256 && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.');
    let time_fits = timestamp.len() == 10
        && timestamp.bytes().all(|byte| byte.is_ascii_digit())
        && timestamp.parse().is_ok_and(|secs: u64| secs.abs_diff(NOW.as_secs()) <= 300);
    assert_eq!(verdict.is_ok(), id_fits && time_fits && !body.is_empty());
    // And altered.
    let altered = [body, b"x"].concat();
    assert!(secrets.verify(&found, &altered, NOW).is_err());
});
