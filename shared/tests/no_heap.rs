//! A flood of bad tokens costs no allocation: whatever is refused before its signature holds never touches the heap.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use doorward_verifier::{
    Algorithm, AuthorizedParties, Code, Issuer, Jwks, KeyError, KeyId, KeySet, MissingAzp, Policy, Rsa,
    RsaKey, TokenBuffer, UnixTime, Verifier,
};

/// Counts what this thread asks the heap for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait; this one passes everything on")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the trait's promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the trait's promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Holds no signature good: what is measured ends there at the latest.
#[derive(Debug)]
struct NeverGood;

impl Rsa for NeverGood {
    fn prepare(&self, _: &[u8]) -> Result<Arc<dyn RsaKey>, KeyError> {
        Ok(Arc::new(NeverGood))
    }
}

impl RsaKey for NeverGood {
    fn verify(&self, _: Algorithm, _: &[u8], _: &[u8]) -> bool {
        false
    }
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        text.extend((0..=chunk.len()).map(|i| char::from(ALPHABET[(bits >> (18 - 6 * i) & 63) as usize])));
    }
    text
}

fn token(header: &str, payload: &str) -> String {
    format!("{}.{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()), base64url(&[1; 256]))
}

const HEADER: &str = r#"{"alg":"RS256","typ":"JWT","kid":"ins_1"}"#;
const PAYLOAD: &str = r#"{"iss":"https://clerk.example.com","sub":"user_1","sid":"sess_1"}"#;

#[test]
fn what_is_refused_before_its_signature_holds_never_touches_the_heap() {
    let nested = format!(r#"{{"a":{}{}}}"#, "[".repeat(20), "]".repeat(20));
    let many = format!("{{{}}}", (0..1025).map(|i| format!("\"{i}\":1")).collect::<Vec<_>>().join(","));
    let long_header = format!(r#"{{"alg":"RS256","x":"{}"}}"#, "x".repeat(5000));
    let cases = [
        (String::new(), Code::TokenMissing),
        ("null".into(), Code::TokenIsNull),
        ("sk_test_x".into(), Code::KeyInsteadOfToken),
        ("mt_x".into(), Code::MachineToken),
        ("oat_x".into(), Code::OauthToken),
        ("x".repeat(40_000), Code::TokenTooLarge),
        ("a.b.c.d.e".into(), Code::EncryptedToken),
        (".".repeat(30_000), Code::MalformedToken),
        ("a=.b.c".into(), Code::MalformedBase64url),
        (token(&long_header, PAYLOAD), Code::HeaderTooLarge),
        (token("{", PAYLOAD), Code::MalformedJson),
        (token(HEADER, r#"{"a":1,"a":2}"#), Code::DuplicateMember),
        (token(HEADER, &nested), Code::JsonTooDeep),
        (token(HEADER, &many), Code::TooManyMembers),
        (token(r#"{"typ":"jwt"}"#, PAYLOAD), Code::WrongTyp),
        (token(r#"{"cat":"cl_B7d4PD222AAA"}"#, PAYLOAD), Code::TemplateToken),
        (token(r#"{"cat":1}"#, PAYLOAD), Code::UnknownCategory),
        (token(r#"{"alg":"none"}"#, PAYLOAD), Code::UnsupportedAlgorithm),
        (token(r#"{"alg":"RS256","crit":[]}"#, PAYLOAD), Code::CriticalHeader),
        (token(r#"{"alg":"RS256","zip":"DEF"}"#, PAYLOAD), Code::UnsupportedHeader),
        (token(r#"{"alg":"RS256"}"#, PAYLOAD), Code::MissingKid),
        (token(r#"{"alg":"RS256","kid":1}"#, PAYLOAD), Code::MalformedKid),
        (token(HEADER, r#"{"sub":"mch_1"}"#), Code::MachineToken),
        (token(HEADER, "{}"), Code::MissingIss),
        (token(HEADER, r#"{"iss":[]}"#), Code::MalformedIss),
        (token(HEADER, r#"{"iss":"https://clerk.evil.com"}"#), Code::WrongIss),
        (token(r#"{"alg":"RS256","kid":"ins_4"}"#, PAYLOAD), Code::DeniedKid),
        (token(r#"{"alg":"RS256","kid":"ins_2"}"#, PAYLOAD), Code::UnknownKid),
        (token(r#"{"alg":"RS256","kid":"ins_3"}"#, PAYLOAD), Code::KeyAlgorithmMismatch),
        (token(HEADER, PAYLOAD), Code::WrongSignature),
    ];

    let issuer = Issuer::parse("https://clerk.example.com").unwrap();
    let n = base64url(&[0xff; 256]);
    let jwks = format!(
        r#"{{"keys":[{{"kty":"RSA","alg":"RS256","kid":"ins_1","e":"AQAB","n":"{n}"}},{{"kty":"RSA","alg":"RS512","kid":"ins_3","e":"AQAB","n":"{n}"}}]}}"#
    );
    let keys = KeySet::from_jwks(&issuer, &Jwks::parse(jwks.as_bytes()).unwrap(), &NeverGood);
    let policy = Policy::new(issuer, AuthorizedParties::AnyParty, MissingAzp::Refuse);
    let verifier = Verifier::new(policy.with_denied_kids(KeyId::parse("ins_4")));
    let mut buffer = Box::new(TokenBuffer::new());
    let now = UnixTime::from_secs(1_790_000_000); // 2026-09-21

    for (token, code) in cases {
        let before = ALLOCATIONS.with(Cell::get);
        let verdict = match verifier.screen(&token, &mut buffer) {
            Ok(screened) => verifier.verify(&screened, &keys, now),
            Err(error) => Err(error),
        };
        let allocations = ALLOCATIONS.with(Cell::get) - before;
        assert_eq!(verdict.map_err(|error| error.code()).err(), Some(code));
        assert_eq!(allocations, 0, "{code}");
    }
}
