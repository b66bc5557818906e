//! The engine against jsonwebtoken and jwt-simple, over mutated tokens.
//!
//! Half of the tokens are signed again, correctly, after the mutation: what is judged then is what a parser makes of odd
//! text under a good signature. Where the libraries may differ is written in `tests/vectors/differences.md`; any other
//! difference fails. `DIFFERENTIAL_SEED` and `DIFFERENTIAL_COUNT` run other tokens, and more. The same tokens
//! are judged in JavaScript by `tests/run differential-js`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use doorward_verifier::{
    AuthorizedParties, AwsLcRsa, Issuer, KeySet, MissingAzp, Policy, TokenBuffer, UnixTime, Verifier,
};
use jwt_simple::prelude::{RS256PublicKey, RSAPublicKeyLike, VerificationOptions};
use serde_json::{Value, json};
use tests::base64url;

const ISSUER: &str = "https://clerk.example.com";
const LEEWAY_SECS: u64 = 5;

/// What the run differs in, each once: who, our code, their answer.
type Differences = BTreeSet<(String, String, String)>;

#[test]
fn mutated_tokens_are_judged_as_other_libraries_judge_them_or_as_written() {
    let judges = Judges::new();
    let (seed, count) = run();
    let (mut seen, mut accepted) = (BTreeMap::new(), 0);
    for token in judges.tokens(seed, count) {
        let ours = judges.ours(&token);
        accepted += usize::from(ours == "ok");
        for (who, theirs) in
            [("jsonwebtoken", judges.jsonwebtoken(&token)), ("jwt-simple", judges.jwt_simple(&token))]
        {
            if (ours == "ok") != (theirs == "accepts") {
                seen.entry((who.to_owned(), ours.to_owned(), theirs)).or_insert(token.clone());
            }
        }
    }
    println!("seed {seed}: {count} tokens, {accepted} accepted, {} kinds of differences", seen.len());
    let listed = listed_differences();
    let unlisted: Vec<_> = seen.iter().filter(|(difference, _)| !listed.contains(*difference)).collect();
    for ((who, ours, theirs), token) in &unlisted {
        println!("| `{who}` | `{ours}` | `{theirs}` | {:?}", in_plain(token));
    }
    assert!(unlisted.is_empty(), "{} differences that are not listed, with seed {seed}", unlisted.len());
    // A run in which nothing passes, or nothing fails, compares nothing.
    assert!((count / 10..count / 2).contains(&accepted), "{accepted} of {count} accepted");
    if seed == 1 {
        let unseen: Vec<_> = listed.iter().filter(|difference| !seen.contains_key(*difference)).collect();
        assert!(unseen.is_empty(), "listed, and not seen: {unseen:?}");
    }
}

#[test]
#[ignore = "writes the tokens that `tests/run differential-js` has judged in JavaScript"]
fn the_tokens_are_written_with_our_verdicts() {
    let path = std::env::var_os("DIFFERENTIAL_TOKENS").expect("DIFFERENTIAL_TOKENS names the file");
    let judges = Judges::new();
    let (seed, count) = run();
    let mut lines = vec![judges.described(seed)];
    lines.extend(judges.tokens(seed, count).map(|token| json!([token, judges.ours(&token)])));
    std::fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

/// Which tokens, and how many.
fn run() -> (u64, usize) {
    let count = setting("DIFFERENTIAL_COUNT").unwrap_or(12_000);
    (setting("DIFFERENTIAL_SEED").unwrap_or(1), count as usize)
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect(name))
}

/// The rows of the list that are about these two libraries: `| who | our code | their answer | why |`.
fn listed_differences() -> Differences {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/differences.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        match cells[..] {
            ["", who @ ("jsonwebtoken" | "jwt-simple"), ours, theirs, why, ""] => {
                assert!(!why.is_empty(), "no reason given: {line}");
                Some((who.to_owned(), ours.to_owned(), theirs.to_owned()))
            }
            _ => None,
        }
    });
    rows.collect()
}

/// A token's header and payload, for a person to read.
fn in_plain(token: &str) -> String {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
    let plain = |part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    token
        .split('.')
        .take(2)
        .map(|part| String::from_utf8_lossy(&plain(part)).into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The three verifiers, each as strict as it can be told to be, and all with one key, one issuer and one leeway.
struct Judges {
    now: u64,
    modulus: Vec<u8>,
    signing_key: jsonwebtoken::EncodingKey,
    verifier: Verifier,
    keys: KeySet,
    decoding_key: jsonwebtoken::DecodingKey,
    validation: jsonwebtoken::Validation,
    public_key: RS256PublicKey,
}

impl Judges {
    fn new() -> Judges {
        // jsonwebtoken can't be told the time: these tokens are made for today, with so much between their times and now
        // that a machine that stands still for half an hour changes nothing.
        let now = jsonwebtoken::get_current_timestamp();
        let key = TestKey::load();
        let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
        validation.leeway = LEEWAY_SECS;
        validation.validate_nbf = true;
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        let issuer = Issuer::parse(ISSUER).unwrap();
        let keys = KeySet::from_modulus(&issuer, &key.modulus, &AwsLcRsa).unwrap();
        // What no other library looks at is left open, so that the rest is compared.
        let policy = Policy::new(issuer, AuthorizedParties::AnyParty, MissingAzp::Allow).accept_pending();
        Judges {
            now,
            signing_key: jsonwebtoken::EncodingKey::from_rsa_der(&key.private_der()),
            verifier: Verifier::new(policy),
            keys,
            decoding_key: jsonwebtoken::DecodingKey::from_rsa_raw_components(&key.modulus, &[1, 0, 1]),
            validation,
            public_key: RS256PublicKey::from_components(&key.modulus, &[1, 0, 1]).unwrap(),
            modulus: key.modulus,
        }
    }

    /// What another judge must know.
    fn described(&self, seed: u64) -> Value {
        json!({
            "issuer": ISSUER,
            "leeway": LEEWAY_SECS,
            "modulus": base64url(&self.modulus),
            "now": self.now,
            "seed": seed,
        })
    }

    fn ours(&self, token: &str) -> &'static str {
        let mut buffer = TokenBuffer::new();
        let verified = self
            .verifier
            .screen(token, &mut buffer)
            .and_then(|screened| self.verifier.verify(&screened, &self.keys, UnixTime::from_secs(self.now)));
        verified.map_or_else(|error| error.code().as_str(), |_| "ok")
    }

    fn jsonwebtoken(&self, token: &str) -> String {
        let decoded =
            jsonwebtoken::decode::<HashMap<String, Value>>(token, &self.decoding_key, &self.validation);
        decoded.map_or_else(
            |error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::Json(error) => in_json(error),
                kind => variant(kind),
            },
            |_| "accepts".to_owned(),
        )
    }

    fn jwt_simple(&self, token: &str) -> String {
        let options = VerificationOptions {
            allowed_issuers: Some([ISSUER.to_owned()].into()),
            time_tolerance: Some(jwt_simple::prelude::Duration::from_secs(LEEWAY_SECS)),
            artificial_time: Some(jwt_simple::prelude::UnixTimeStamp::from_secs(self.now)),
            max_token_length: Some(32 * 1024),
            ..VerificationOptions::default()
        };
        match self.public_key.verify_token::<HashMap<String, Value>>(token, Some(options)) {
            Ok(_) => "accepts".to_owned(),
            Err(error) => match error.downcast_ref::<serde_json::Error>() {
                Some(error) => in_json(error),
                None => error.downcast_ref::<jwt_simple::JWTError>().map_or("Decoding".to_owned(), variant),
            },
        }
    }

    fn sign(&self, header: &[u8], payload: &[u8]) -> String {
        let input = [header, payload].map(base64url).join(".");
        let algorithm = jsonwebtoken::Algorithm::RS256;
        let signature = jsonwebtoken::crypto::sign(input.as_bytes(), &self.signing_key, algorithm).unwrap();
        format!("{input}.{signature}")
    }

    fn header(&self) -> Document {
        Document::of(&[
            ("alg", r#""RS256""#),
            ("cat", r#""cl_B7d4PD111AAA""#),
            ("kid", r#""ins_2NNEqKQZcT8pH1xFvR5uJmWbLyD""#),
            ("typ", r#""JWT""#),
        ])
    }

    fn payload(&self) -> Document {
        let now = self.now;
        Document::of(&[
            ("azp", r#""https://app.example.com""#),
            ("exp", &(now + 2700).to_string()),
            ("iat", &(now - 600).to_string()),
            ("iss", &format!("{ISSUER:?}")),
            ("nbf", &(now - 610).to_string()),
            ("sid", r#""sess_2NNEqL3jKyy1ZRlK3o1qtsNcTBm""#),
            ("sub", r#""user_2NNEqL2nrIRdJ194ndJqAHwEfxC""#),
            ("custom", r#"{"a":[1,{"b":null}],"c":"é"}"#),
            ("v", "2"),
        ])
    }

    /// Half of them signed again after they were mutated: all of [`Judges::every_pair`], then ones at random.
    fn tokens(&self, seed: u64, count: usize) -> impl Iterator<Item = String> {
        let (mut random, mut pairs) = (Random(seed), self.every_pair());
        (0..count).map(move |i| match i % 2 {
            0 => pairs.next().unwrap_or_else(|| self.signed_again(&mut random)),
            _ => self.altered(&mut random),
        })
    }

    /// A token for each member and each value that it might have, the rest being good.
    fn every_pair(&self) -> impl Iterator<Item = String> {
        let in_header = HEADER_NAMES.into_iter().flat_map(move |name| {
            header_values().into_iter().map(move |value| (self.header().with(name, &value), self.payload()))
        });
        let in_payload = CLAIM_NAMES.into_iter().flat_map(move |name| {
            self.claim_values()
                .into_iter()
                .map(move |value| (self.header(), self.payload().with(name, &value)))
        });
        in_header.chain(in_payload).map(|(header, payload)| {
            let [header, payload] = [header, payload].map(|document| document.text(&mut Random(0)));
            self.sign(header.as_bytes(), payload.as_bytes())
        })
    }

    /// A token whose header or claims are odd, and whose signature is good.
    fn signed_again(&self, random: &mut Random) -> String {
        let (mut header, mut payload) = (self.header(), self.payload());
        for _ in 0..random.below(3) {
            if random.below(10) < 3 {
                header.mutate(random, &HEADER_NAMES, &header_values());
            } else {
                payload.mutate(random, &CLAIM_NAMES, &self.claim_values());
            }
        }
        let [mut header, mut payload] = [header.text(random), payload.text(random)].map(String::into_bytes);
        match random.below(12) {
            0 => alter_bytes(&mut header, random),
            1 => alter_bytes(&mut payload, random),
            _ => {}
        }
        self.sign(&header, &payload)
    }

    /// A good token, or an odd one, that was altered after it was signed.
    fn altered(&self, random: &mut Random) -> String {
        let good = self.sign(
            self.header().text(&mut Random(0)).as_bytes(),
            self.payload().text(&mut Random(0)).as_bytes(),
        );
        let token = if random.below(4) == 0 { self.signed_again(random) } else { good };
        let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
        let part = random.below(3).min(parts.len() - 1);
        match random.below(16) {
            0 => parts.swap(0, part),
            1 => parts.push(parts[part].clone()),
            2 => drop(parts.remove(part)),
            3 => parts[part].clear(),
            4 => parts[part].push_str(random.pick(&["=", "==", "===", "A", "AA", "\n", " ", "\0", "%3D"])),
            5 => parts[part].insert_str(0, random.pick(&[" ", "\n", "\t", "=", "\u{feff}", "A", "Bearer "])),
            6 => parts[part] = parts[part].replace('-', "+").replace('_', "/"),
            7 => parts[part] = parts[part].to_ascii_uppercase(),
            8 => parts[0] = base64url(br#"{"alg":"none","typ":"JWT","kid":"x"}"#),
            9 => parts[0] = base64url(br#"{"alg":"HS256","typ":"JWT","kid":"x"}"#),
            10 => parts[part] = String::from_utf8_lossy(&unbase64url(&parts[part])).into_owned(),
            11 => parts[part] = parts[part].chars().rev().collect(),
            12 => return with_altered_bytes(&token, random),
            13 => {
                let mut bytes = unbase64url(&parts[part]);
                alter_bytes(&mut bytes, random);
                parts[part] = base64url(&bytes);
            }
            14 => parts[2] = base64url(&unbase64url(&parts[2])[random.below(3)..]),
            _ => {
                let last = parts[part].pop().unwrap();
                parts[part].push(char::from_u32(last as u32 + 1 + random.below(3) as u32).unwrap());
            }
        }
        parts.join(".")
    }

    /// Values for any claim, as JSON text. Times to come are 40 minutes away, and within the longest life.
    fn claim_values(&self) -> Vec<String> {
        let now = self.now;
        let times = [
            now - 600,
            now + 2400,
            now - 100_000,
            now + 100_000,
            now * 1000,
            0,
            8_640_000_000_000,
            8_640_000_000_001,
            u64::MAX,
        ];
        let spelled = [
            format!("{}.5", now + 2400),
            format!("{}.999", now + 2400),
            format!("-{now}"),
            format!("{}e0", now + 2400),
            format!("{}E-3", (now + 2400) * 1000),
            format!("\"{}\"", now + 2400),
            format!("[{}]", now + 2400),
        ];
        let texts = [
            ISSUER,
            "https://clerk.example.com/",
            "https://other.example.com",
            "user_1",
            "user_é",
            "user_",
            "mch_1",
            "",
            " ",
            "active",
            "pending",
            "ended",
            "a b",
            "sess_1",
            "2",
        ];
        let long = "x".repeat(200);
        let raw = [
            "null",
            "true",
            "false",
            "0",
            "-0",
            "-1",
            "1",
            "2",
            "1.5",
            "-0.5",
            "1e400",
            "-1e400",
            "1e-400",
            "[]",
            "{}",
            r#"[""]"#,
            r#"["https://clerk.example.com"]"#,
            r#"["a","b"]"#,
            r#"{"sub":"user_2"}"#,
            r#"{"sub":1}"#,
            r#""\u0000""#,
            r#""\ud800""#,
            r#""\ud83d\ude00""#,
            r#""us\u0065r_1""#,
            r#""https:\/\/clerk.example.com""#,
            "[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]",
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":{"a":1}}}"#,
            "01",
            "1.",
            "nul",
            "'x'",
            "NaN",
        ];
        let texts = texts.into_iter().chain([long.as_str()]).map(|text| Value::from(text).to_string());
        times
            .map(|time| time.to_string())
            .into_iter()
            .chain(spelled)
            .chain(texts)
            .chain(raw.map(str::to_owned))
            .collect()
    }
}

const HEADER_NAMES: [&str; 22] = [
    "alg",
    "cat",
    "kid",
    "typ",
    "crit",
    "b64",
    "zip",
    "enc",
    "p2c",
    "epk",
    "jwk",
    "jku",
    "x5c",
    "x5t",
    "cty",
    "url",
    "nonce",
    "salt",
    "ALG",
    "x",
    "",
    "k\\u0069d",
];

const CLAIM_NAMES: [&str; 20] = [
    "sub",
    "sid",
    "iss",
    "aud",
    "azp",
    "exp",
    "nbf",
    "iat",
    "sts",
    "act",
    "jti",
    "v",
    "nonce",
    "fva",
    "o",
    "SUB",
    "x",
    "",
    "custom",
    "\\u0073ub",
];

fn header_values() -> Vec<String> {
    [
        r#""RS256""#,
        r#""RS384""#,
        r#""HS256""#,
        r#""ES256""#,
        r#""none""#,
        r#""rs256""#,
        r#""JWT""#,
        r#""jwt""#,
        r#""at+jwt""#,
        r#""x+jwt""#,
        r#""cl_B7d4PD222AAA""#,
        r#""cl_B7d4PD333AAA""#,
        r#""cl_I7d4PD111III""#,
        r#""x""#,
        r#""""#,
        "null",
        "true",
        "false",
        "0",
        "1",
        "[]",
        "{}",
        r#"["x"]"#,
        r#"["b64"]"#,
        r#"["RS256"]"#,
        r#""J\u0057T""#,
        r#""\ud800""#,
        r#"{"kty":"RSA","n":"AQ","e":"AQAB"}"#,
        r#"{"a":1,"a":1}"#,
        "01",
        r#""DEF""#,
        r#""A256GCM""#,
        r#""AAAA""#,
    ]
    .map(str::to_owned)
    .to_vec()
}

/// An object's members as raw text, so that they may come twice or be no JSON at all.
struct Document(Vec<(String, String)>);

impl Document {
    fn of(members: &[(&str, &str)]) -> Document {
        Document(members.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn with(mut self, name: &str, value: &str) -> Document {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    fn mutate(&mut self, random: &mut Random, names: &[&str], values: &[String]) {
        let at = random.below(self.0.len().max(1)).min(self.0.len().saturating_sub(1));
        let (name, value) = (random.pick(names).to_owned(), random.pick(values));
        match random.below(8) {
            _ if self.0.is_empty() => self.0.push((name, value)),
            0 => drop(self.0.remove(at)),
            1 => self.0.push(self.0[at].clone()),
            2 => self.0.push((self.0[at].0.clone(), value)),
            3 => self.0[at].0 = name,
            4 => self.0.swap(0, at),
            5 => self.0[at].1 = value,
            _ => {
                self.0.retain(|(known, _)| *known != name);
                self.0.insert(at.min(self.0.len()), (name, value));
            }
        }
    }

    /// The object, with white space where JSON allows it, at times.
    fn text(&self, random: &mut Random) -> String {
        let blank = random.pick(&["", "", "", "", "", " ", "\n", "\t", "\r\n", "\u{a0}"]);
        let members = self.0.iter().map(|(name, value)| format!("{blank}\"{name}\"{blank}:{value}"));
        format!("{blank}{{{}}}{blank}", members.collect::<Vec<_>>().join(","))
    }
}

fn unbase64url(part: &str) -> Vec<u8> {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
    BASE64_URL_SAFE_NO_PAD.decode(part).unwrap_or_else(|_| part.as_bytes().to_vec())
}

fn alter_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    const ODD: &[u8] = b"\0\t\n \"',:{}[]\\0123456789eE.-+/abtfnu\x7f\x80\xc0\xe2\xed\xf4\xff";
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    match random.below(5) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => drop(bytes.remove(at)),
        2 => bytes.insert(at, random.pick(ODD)),
        3 => bytes[at] = random.pick(ODD),
        _ => bytes.truncate(at),
    }
}

fn with_altered_bytes(token: &str, random: &mut Random) -> String {
    let mut bytes = token.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        alter_bytes(&mut bytes, random);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What serde wanted, without what it got and where.
fn in_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let wanted = text.split_once("expected ").map_or(text.as_str(), |(_, wanted)| wanted);
    format!("Json: {}", wanted.split(" at line").next().unwrap_or_default())
}

/// An enum's variant, without what it carries.
fn variant(error: &impl std::fmt::Debug) -> String {
    format!("{error:?}").chars().take_while(|c| c.is_ascii_alphanumeric()).collect()
}

/// The vectors' key, both halves of which are public.
struct TestKey {
    modulus: Vec<u8>,
    /// In the order of RFC 8017 appendix A.1.2.
    numbers: Vec<Vec<u8>>,
}

impl TestKey {
    fn load() -> TestKey {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/keys/instance.json");
        let stored: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let number = |name: &str| unhex(stored[name].as_str().unwrap());
        let names = ["private_exponent", "prime1", "prime2", "exponent1", "exponent2", "coefficient"];
        let modulus = number("modulus");
        let mut numbers = vec![vec![0], modulus.clone(), vec![1, 0, 1]];
        numbers.extend(names.map(number));
        TestKey { modulus, numbers }
    }

    fn private_der(&self) -> Vec<u8> {
        let integer = |number: &Vec<u8>| {
            let sign = if number[0] & 0x80 == 0 { &[][..] } else { &[0] };
            der(2, &[sign, number].concat())
        };
        der(0x30, &self.numbers.iter().flat_map(integer).collect::<Vec<_>>())
    }
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len();
    let length = match len {
        0..0x80 => vec![len as u8],
        0x80..0x100 => vec![0x81, len as u8],
        _ => vec![0x82, (len >> 8) as u8, len as u8],
    };
    [&[tag][..], &length, content].concat()
}

fn unhex(text: &str) -> Vec<u8> {
    let padded = format!("{}{text}", if text.len().is_multiple_of(2) { "" } else { "0" });
    (0..padded.len()).step_by(2).map(|at| u8::from_str_radix(&padded[at..at + 2], 16).unwrap()).collect()
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())].clone()
    }
}
