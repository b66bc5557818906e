//! Webhooks: whether a delivery is from the sender that shares our secret (Standard Webhooks; Svix).

use core::fmt;
use core::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::base64;
use crate::code::Code;
use crate::time::UnixTime;

/// How far the time in a delivery may be from ours, either way, in whole seconds: what the sender's own libraries take.
pub const WEBHOOK_TOLERANCE: Duration = Duration::from_secs(300);

/// The longest body, in bytes. A user with all that Clerk can say of one is some 10 kB.
pub const MAX_WEBHOOK_BYTES: usize = 256 * 1024;

/// The longest `svix-id`, in bytes. Svix's has 31.
const MAX_ID_BYTES: usize = 256;

/// The most signatures in one delivery. While a secret is rotated there are two.
const MAX_SIGNATURES: usize = 32;

/// The most secrets at once. While one is rotated there are two.
const MAX_SECRETS: usize = 4;

/// The secrets that an endpoint shares with its sender: one, or the old and the new while it is rotated.
#[derive(Clone)]
pub struct WebhookSecrets(Vec<Hmac<Sha256>>);

/// Why a text is no webhook secret. None repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookSecretError {
    /// There is none.
    #[error("no webhook secret")]
    Missing,
    /// More than are of use.
    #[error("{given} webhook secrets, at most {MAX_SECRETS} are taken")]
    TooMany {
        /// How many.
        given: usize,
    },
    /// A key of Clerk's that is for something else.
    #[error("a Clerk API key, expected the webhook endpoint's signing secret: whsec_…")]
    ClerkKey,
    /// Not base64.
    #[error("not a webhook secret: whsec_ and base64 are expected")]
    NotBase64,
    /// Too short to be a secret or too long to be one of these (Standard Webhooks, "Signature scheme").
    #[error("a webhook secret of {bytes} bytes, must have 24 to 64")]
    Size {
        /// Decoded.
        bytes: usize,
    },
}

impl WebhookSecrets {
    /// Takes one secret as the dashboard shows it, `whsec_` and base64, or several with commas or white space between
    /// them. The prefix may be missing.
    ///
    /// # Errors
    ///
    /// [`WebhookSecretError`], the first secret's that is none.
    pub fn parse(text: &str) -> Result<WebhookSecrets, WebhookSecretError> {
        let texts = text.split([',', ' ', '\t', '\r', '\n']).filter(|text| !text.is_empty());
        let given = texts.clone().count();
        match given {
            0 => Err(WebhookSecretError::Missing),
            1..=MAX_SECRETS => texts.map(secret).collect::<Result<_, _>>().map(WebhookSecrets),
            _ => Err(WebhookSecretError::TooMany { given }),
        }
    }

    /// Says that a delivery is genuine, of now, and has not been changed. `body` is the request's, byte for byte: one
    /// that was parsed and written again is another.
    ///
    /// Within five minutes the same delivery is genuine twice: the receiver keeps [`Delivery::id`].
    ///
    /// # Errors
    ///
    /// The first rule that is broken, in the order of [`WebhookError`].
    pub fn verify<'h>(
        &self,
        headers: &WebhookHeaders<'h>,
        body: &[u8],
        now: UnixTime,
    ) -> Result<Delivery<'h>, WebhookError> {
        let sent_at = headers.sent_at(now)?;
        match body.len() {
            0 => return Err(WebhookError::EmptyBody),
            bytes if bytes > MAX_WEBHOOK_BYTES => return Err(WebhookError::BodyTooLarge { bytes }),
            _ => {}
        }
        let signatures = headers.signatures()?;
        let is_ours = |secret: &Hmac<Sha256>| {
            let signed = [headers.id.as_bytes(), headers.timestamp.as_bytes(), body];
            let mac = signed_over(secret, signed);
            // `verify_slice` takes the same time wherever two differ.
            signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
        };
        if self.0.iter().any(is_ours) {
            Ok(Delivery { id: headers.id, sent_at })
        } else {
            Err(WebhookError::WrongSignature)
        }
    }
}

/// Never shows what it holds.
impl fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookSecrets({})", self.0.len())
    }
}

fn secret(text: &str) -> Result<Hmac<Sha256>, WebhookSecretError> {
    if text.starts_with("sk_") || text.starts_with("pk_") {
        return Err(WebhookSecretError::ClerkKey);
    }
    let encoded = text.strip_prefix("whsec_").unwrap_or(text);
    let key = base64::decode(encoded).map_err(|_| WebhookSecretError::NotBase64)?;
    let size = WebhookSecretError::Size { bytes: key.len() };
    if !(24..=64).contains(&key.len()) {
        return Err(size);
    }
    // HMAC takes keys of any length.
    Hmac::new_from_slice(&key).map_err(|_| size)
}

/// Its id, its time and its body, with dots between them.
fn signed_over(secret: &Hmac<Sha256>, [id, timestamp, body]: [&[u8]; 3]) -> Hmac<Sha256> {
    [id, b".", timestamp, b".", body].into_iter().fold(secret.clone(), |mac, part| mac.chain_update(part))
}

/// A delivery that was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'h> {
    id: &'h str,
    sent_at: UnixTime,
}

impl<'h> Delivery<'h> {
    /// The message's name: the same each time that it is delivered.
    pub fn id(&self) -> &'h str {
        self.id
    }

    /// When it was sent, to the second.
    pub fn sent_at(&self) -> UnixTime {
        self.sent_at
    }
}

/// The three headers of a delivery. Nothing in them is known to be true.
#[derive(Clone, Copy, Debug)]
pub struct WebhookHeaders<'h> {
    id: &'h str,
    timestamp: &'h str,
    signature: &'h str,
}

impl<'h> WebhookHeaders<'h> {
    /// Picks them out of a request's headers, whose names may be in any case.
    ///
    /// They are `svix-id`, `svix-timestamp` and `svix-signature`, or all three with `webhook-` (Standard Webhooks). One
    /// name of the first kind asks for all of that kind: taken from both kinds, the id that is kept need not be the id
    /// that was signed. An empty header is a missing one.
    ///
    /// # Errors
    ///
    /// [`WebhookError::HeaderMissing`] or [`WebhookError::HeaderTwice`].
    pub fn find(
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    ) -> Result<WebhookHeaders<'h>, WebhookError> {
        let mut found = [None; NAMES.len()];
        for (name, value) in headers {
            let value = value.trim_matches([' ', '\t']);
            let places = NAMES.iter().zip(&mut found).filter(|(known, _)| name.eq_ignore_ascii_case(known));
            for (name, place) in places.filter(|_| !value.is_empty()) {
                if place.replace(value).is_some() {
                    return Err(WebhookError::HeaderTwice { name });
                }
            }
        }
        let [svix, webhook] = [[found[0], found[1], found[2]], [found[3], found[4], found[5]]];
        let (first_name, kind) =
            if svix != [None; 3] || webhook == [None; 3] { (0, svix) } else { (3, webhook) };
        match kind {
            [Some(id), Some(timestamp), Some(signature)] => Ok(WebhookHeaders { id, timestamp, signature }),
            _ => {
                let missing = kind.iter().position(Option::is_none).unwrap_or_default();
                Err(WebhookError::HeaderMissing { name: NAMES[first_name + missing] })
            }
        }
    }

    /// The time in it, if it is near enough; and the shape of the id, which is signed together with it.
    fn sent_at(&self, now: UnixTime) -> Result<UnixTime, WebhookError> {
        // A dot in the id would let one signed text be read as two different deliveries.
        let is_id_byte = |byte: u8| byte.is_ascii_graphic() && byte != b'.';
        if self.id.len() > MAX_ID_BYTES || !self.id.bytes().all(is_id_byte) {
            return Err(WebhookError::MalformedId);
        }
        // Up to ten digits, the first of them not zero: until the year 2286, and the same number in every library.
        let digits = self.timestamp.len() <= 10 && self.timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let secs = self.timestamp.parse().ok().filter(|_| digits && !self.timestamp.starts_with('0'));
        let sent_at = UnixTime::from_secs(secs.ok_or(WebhookError::MalformedTimestamp)?);
        if sent_at.as_secs().abs_diff(now.as_secs()) > WEBHOOK_TOLERANCE.as_secs() {
            return Err(WebhookError::TimestampOutside { sent_at, now });
        }
        Ok(sent_at)
    }

    /// Its signatures of the one version that is known, `v1`: HMAC-SHA256 in base64. Others are not ours to judge.
    fn signatures(&self) -> Result<Vec<Vec<u8>>, WebhookError> {
        if self.signature.split(' ').count() > MAX_SIGNATURES {
            return Err(WebhookError::TooManySignatures);
        }
        let encoded = self.signature.split(' ').filter_map(|entry| entry.strip_prefix("v1,"));
        Ok(encoded.filter_map(signature).collect())
    }
}

const NAMES: [&str; 6] =
    ["svix-id", "svix-timestamp", "svix-signature", "webhook-id", "webhook-timestamp", "webhook-signature"];

/// A signature in its one spelling: 44 characters of base64. What is not of 32 bytes then, compares as wrong.
fn signature(encoded: &str) -> Option<Vec<u8>> {
    let canonical = encoded.len() == 44 && encoded.bytes().all(|byte| byte.is_ascii_graphic());
    base64::decode(encoded).ok().filter(|_| canonical)
}

/// Why a delivery was turned away, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// One of the three headers is missing or empty.
    #[error("the header {name} is missing")]
    HeaderMissing {
        /// Which.
        name: &'static str,
    },
    /// A header came twice: which one is meant, nobody can tell.
    #[error("the header {name} came twice")]
    HeaderTwice {
        /// Which.
        name: &'static str,
    },
    /// The id is longer than 256 bytes, has a dot in it, or what is not visible ASCII.
    #[error("the message id is not one")]
    MalformedId,
    /// The time is not a whole number of seconds since 1970.
    #[error("the timestamp is not a number of seconds")]
    MalformedTimestamp,
    /// The time is too far from ours, one way or the other.
    #[error("sent at {sent_at}, now {now}: more than {} s apart", WEBHOOK_TOLERANCE.as_secs())]
    TimestampOutside {
        /// By the sender's clock.
        sent_at: UnixTime,
        /// By ours.
        now: UnixTime,
    },
    /// Nothing was sent.
    #[error("the body is empty")]
    EmptyBody,
    /// Over [`MAX_WEBHOOK_BYTES`].
    #[error("a body of {bytes} bytes, at most {MAX_WEBHOOK_BYTES} are taken")]
    BodyTooLarge {
        /// As it came.
        bytes: usize,
    },
    /// More than 32 signatures.
    #[error("more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// None of its signatures is made with one of our secrets.
    #[error("no signature is made with the secret that is known here")]
    WrongSignature,
}

impl WebhookError {
    /// Its lasting name.
    pub const fn code(&self) -> Code {
        match self {
            WebhookError::HeaderMissing { .. } => Code::WebhookHeadersMissing,
            WebhookError::HeaderTwice { .. }
            | WebhookError::MalformedId
            | WebhookError::MalformedTimestamp
            | WebhookError::EmptyBody
            | WebhookError::TooManySignatures => Code::WebhookMalformed,
            WebhookError::TimestampOutside { .. } => Code::WebhookTimestampOutside,
            WebhookError::BodyTooLarge { .. } => Code::BodyTooLarge,
            WebhookError::WrongSignature => Code::WebhookSignature,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of the Standard Webhooks repository (its libraries' tests share it), made by other hands than ours.
    const SECRET: &str = concat!("whsec", "_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    /// 2021-02-25T15:02:10Z
    const TIMESTAMP: &str = "1614265330";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const NOW: UnixTime = UnixTime::from_secs(1_614_265_330);

    const OTHER_SECRET: &str = concat!("whsec", "_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX");

    fn secrets(text: &str) -> WebhookSecrets {
        WebhookSecrets::parse(text).unwrap()
    }

    fn verified(
        headers: &[(&'static str, &'static str)],
        body: &[u8],
        now: UnixTime,
    ) -> Result<Delivery<'static>, WebhookError> {
        secrets(SECRET).verify(&WebhookHeaders::find(headers.iter().copied())?, body, now)
    }

    fn with_signature(signature: &str) -> Result<(), WebhookError> {
        let headers = WebhookHeaders { id: ID, timestamp: TIMESTAMP, signature };
        secrets(SECRET).verify(&headers, BODY, NOW).map(|_| ())
    }

    /// The signature over these, by a secret of ours.
    fn sign(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
        let secret = &secrets(secret).0[0];
        signed_over(secret, [id.as_bytes(), timestamp.as_bytes(), body]).finalize().into_bytes().into()
    }

    const SVIX: [(&str, &str); 3] =
        [("svix-id", ID), ("svix-timestamp", TIMESTAMP), ("svix-signature", SIGNATURE)];
    const WEBHOOK: [(&str, &str); 3] =
        [("webhook-id", ID), ("webhook-timestamp", TIMESTAMP), ("webhook-signature", SIGNATURE)];

    #[test]
    fn the_example_of_the_specification_is_genuine() {
        for headers in [SVIX, WEBHOOK] {
            let delivery = verified(&headers, BODY, NOW).unwrap();
            assert_eq!((delivery.id(), delivery.sent_at()), (ID, NOW));
        }
        let shouted = SVIX.map(|(name, value)| (if name == "svix-id" { "SVIX-Id" } else { name }, value));
        assert!(verified(&shouted, BODY, NOW).is_ok());
        assert!(verified(&[SVIX, WEBHOOK].concat(), BODY, NOW).is_ok());
    }

    #[test]
    fn a_header_that_is_missing_or_blank_is_named() {
        for (i, name) in NAMES.into_iter().enumerate() {
            let mut headers = if i < 3 { SVIX.to_vec() } else { WEBHOOK.to_vec() };
            headers.remove(i % 3);
            assert_eq!(verified(&headers, BODY, NOW), Err(WebhookError::HeaderMissing { name }));
            headers.push((name, " \t"));
            assert_eq!(verified(&headers, BODY, NOW), Err(WebhookError::HeaderMissing { name }));
        }
        assert_eq!(verified(&[], BODY, NOW), Err(WebhookError::HeaderMissing { name: "svix-id" }));
    }

    #[test]
    fn headers_of_both_kinds_are_never_put_together() {
        for i in 0..3 {
            let mut mixed = SVIX;
            mixed[i] = WEBHOOK[i];
            assert_eq!(verified(&mixed, BODY, NOW), Err(WebhookError::HeaderMissing { name: NAMES[i] }));
            // A whole triple of one kind, and a stray of the other that somebody else might read.
            let stray = [&WEBHOOK[..], &SVIX[i..=i]].concat();
            assert!(matches!(verified(&stray, BODY, NOW), Err(WebhookError::HeaderMissing { .. })), "{i}");
        }
    }

    #[test]
    fn a_header_that_comes_twice_is_refused() {
        for i in 0..3 {
            let twice = [&SVIX[..], &SVIX[i..=i]].concat();
            assert_eq!(verified(&twice, BODY, NOW), Err(WebhookError::HeaderTwice { name: NAMES[i] }));
        }
    }

    #[test]
    fn five_minutes_either_way_are_taken_and_not_a_second_more() {
        let at = |secs: u64| verified(&SVIX, BODY, UnixTime::from_secs(secs)).map(|_| ());
        let now = NOW.as_secs();
        assert_eq!((at(now - 300), at(now + 300)), (Ok(()), Ok(())));
        for secs in [now - 301, now + 301, 0, u64::MAX] {
            let now = UnixTime::from_secs(secs);
            assert_eq!(at(secs), Err(WebhookError::TimestampOutside { sent_at: NOW, now }));
        }
        // Whole seconds: 300.999 s are 300.
        assert!(verified(&SVIX, BODY, UnixTime::from_millis(now * 1000 + 300_999)).is_ok());
    }

    #[test]
    fn a_timestamp_has_one_spelling() {
        for timestamp in [
            "1614265330.0",
            "1614265330.789",
            "+1614265330",
            "-1614265330",
            "01614265330",
            "1614265330000",
            "1.6e9",
            "0x6037",
            "١٦١٤٢٦٥٣٣٠",
            "now",
            "1614265330,1614265330",
            "0",
            "16142 65330",
        ] {
            let headers = WebhookHeaders { id: ID, timestamp, signature: SIGNATURE };
            let refused = secrets(SECRET).verify(&headers, BODY, NOW);
            assert_eq!(refused, Err(WebhookError::MalformedTimestamp), "{timestamp}");
        }
    }

    #[test]
    fn an_id_without_dots_can_not_be_taken_for_a_part_of_something_else() {
        let long = "m".repeat(257);
        for id in ["msg.1", "msg 1", "msg\u{7f}", "mség", &long] {
            let headers = WebhookHeaders { id, timestamp: TIMESTAMP, signature: SIGNATURE };
            assert_eq!(secrets(SECRET).verify(&headers, BODY, NOW), Err(WebhookError::MalformedId), "{id}");
        }
    }

    #[test]
    fn any_of_several_signatures_suffices() {
        let other = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        for signature in [
            format!("{other} {SIGNATURE}"),
            format!("{SIGNATURE} {other}"),
            format!("v1a,AAAA v2,BBBB {SIGNATURE}"),
            format!("nonsense {SIGNATURE}"),
            format!("  {SIGNATURE}"),
        ] {
            assert_eq!(with_signature(&signature), Ok(()), "{signature}");
        }
    }

    /// CVE-2025-53548 and RUSTSEC-2024-0010: signatures of the wrong shape or length passed.
    #[test]
    fn what_is_not_the_whole_signature_in_its_one_spelling_is_none() {
        let value = SIGNATURE.strip_prefix("v1,").unwrap();
        for signature in [
            value.to_owned(),
            format!("v1a,{value}"),
            format!("v0,{value}"),
            format!("V1,{value}"),
            format!("v1, {value}"),
            format!("v1,{}", value.trim_end_matches('=')),
            format!("v1,{value}="),
            format!("v1,{}", &value[..40]),
            format!("v1,{}", value.replace('+', "-").replace('/', "_")),
            format!("v1,{value},{value}"),
            format!("v1,{value}\tv1"),
            format!("v1,{}", value.replace("OE=", "OF=")),
            format!("v1,{}", "A".repeat(44)),
            format!("v1,{}", &value.replace('=', "A")),
            format!("v1,{}\u{b}=", &value[..42]),
            "v1,".to_owned(),
            "v1,=".to_owned(),
            "v1".to_owned(),
            "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned(),
        ] {
            assert_eq!(with_signature(&signature), Err(WebhookError::WrongSignature), "{signature}");
        }
    }

    #[test]
    fn a_flood_of_signatures_is_not_looked_at() {
        let (most, more) = (vec![SIGNATURE; 32].join(" "), vec![SIGNATURE; 33].join(" "));
        assert_eq!(with_signature(&most), Ok(()));
        assert_eq!(with_signature(&more), Err(WebhookError::TooManySignatures));
    }

    #[test]
    fn a_body_that_was_changed_or_written_again_is_another() {
        for body in
            [&br#"{"test":2432232314}"#[..], br#"{"test": 2432232315}"#, br#"{"test": 2432232314} "#, b"x"]
        {
            assert_eq!(verified(&SVIX, body, NOW), Err(WebhookError::WrongSignature));
        }
        assert_eq!(verified(&SVIX, b"", NOW), Err(WebhookError::EmptyBody));
        let huge = vec![b' '; MAX_WEBHOOK_BYTES + 1];
        assert_eq!(verified(&SVIX, &huge, NOW), Err(WebhookError::BodyTooLarge { bytes: huge.len() }));
    }

    #[test]
    fn while_a_secret_is_rotated_the_old_and_the_new_are_good() {
        let headers = WebhookHeaders::find(SVIX).unwrap();
        for both in
            [format!("{OTHER_SECRET},{SECRET}"), format!("{SECRET} {OTHER_SECRET}"), format!(" {SECRET},\n")]
        {
            assert!(secrets(&both).verify(&headers, BODY, NOW).is_ok(), "{both}");
        }
        assert_eq!(secrets(OTHER_SECRET).verify(&headers, BODY, NOW), Err(WebhookError::WrongSignature));
    }

    #[test]
    fn a_secret_is_base64_of_24_to_64_bytes() {
        let without_prefix = SECRET.strip_prefix("whsec_").unwrap();
        assert!(secrets(without_prefix).verify(&WebhookHeaders::find(SVIX).unwrap(), BODY, NOW).is_ok());
        let bytes = |n: usize| "A".repeat((n * 4).div_ceil(3));
        for (text, error) in [
            ("", WebhookSecretError::Missing),
            (" , \n", WebhookSecretError::Missing),
            ("whsec_", WebhookSecretError::Size { bytes: 0 }),
            (&bytes(23), WebhookSecretError::Size { bytes: 23 }),
            (&bytes(65), WebhookSecretError::Size { bytes: 65 }),
            ("whsec_not-base64!", WebhookSecretError::NotBase64),
            ("sk_test_abcdefghij", WebhookSecretError::ClerkKey),
            ("pk_test_abcdefghij", WebhookSecretError::ClerkKey),
            (&[SECRET; 5].join(","), WebhookSecretError::TooMany { given: 5 }),
            (&format!("{SECRET},x"), WebhookSecretError::NotBase64),
        ] {
            assert_eq!(WebhookSecrets::parse(text).unwrap_err(), error, "{text}");
        }
        assert!(WebhookSecrets::parse(&bytes(24)).is_ok() && WebhookSecrets::parse(&bytes(64)).is_ok());
    }

    #[test]
    fn no_secret_is_shown() {
        assert_eq!(format!("{:?}", secrets(SECRET)), "WebhookSecrets(1)");
        let refusal = WebhookSecrets::parse("whsec_hunter2!").unwrap_err();
        assert!(!format!("{refusal} {refusal:?}").contains("hunter2"));
    }

    #[test]
    fn each_refusal_has_its_code() {
        let codes = [
            (verified(&[], BODY, NOW), Code::WebhookHeadersMissing),
            (verified(&SVIX, BODY, UnixTime::from_secs(0)), Code::WebhookTimestampOutside),
            (verified(&SVIX, b"x", NOW), Code::WebhookSignature),
            (verified(&SVIX, b"", NOW), Code::WebhookMalformed),
            (verified(&SVIX, &[0; MAX_WEBHOOK_BYTES + 1], NOW), Code::BodyTooLarge),
        ];
        for (refused, code) in codes {
            assert_eq!(refused.unwrap_err().code(), code);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_delivery_of_ours_is_genuine_until_one_byte_changes(
            body in prop::collection::vec(any::<u8>(), 1..200),
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
        ) {
            let sum = sign(OTHER_SECRET, ID, TIMESTAMP, &body);
            let mac = signed_over(&secrets(OTHER_SECRET).0[0], [ID.as_bytes(), TIMESTAMP.as_bytes(), &body]);
            prop_assert!(mac.verify_slice(&sum).is_ok());
            let mut changed = body.clone();
            changed[at.index(body.len())] ^= flip;
            prop_assert_ne!(sign(OTHER_SECRET, ID, TIMESTAMP, &changed), sum);
        }

        #[test]
        fn nothing_that_is_sent_panics(
            id in "\\PC{0,20}",
            timestamp in "\\PC{0,20}",
            signature in "\\PC{0,80}",
            body in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let headers = [("svix-id", &*id), ("svix-timestamp", &*timestamp), ("svix-signature", &*signature)];
            if let Ok(headers) = WebhookHeaders::find(headers) {
                prop_assert!(secrets(SECRET).verify(&headers, &body, NOW).is_err());
            }
        }
    }
}
