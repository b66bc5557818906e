//! What a signature check costs, what a whole token costs beside it, and what other libraries take for one.
//!
//! The measure is `bare`: aws-lc-rs with its key parsed once, the fastest that there is natively. `tests/run bench` prints
//! the ratios.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![allow(missing_docs, reason = "criterion makes a public function")]

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use criterion::{Criterion, criterion_group, criterion_main};
use doorward_verifier::{
    Algorithm, AuthorizedParties, AwsLcRsa, Issuer, Jwks, KeySet, MissingAzp, OwnRsa, Policy, Rsa,
    TokenBuffer, UnixTime, Verifier,
};
use jwt_simple::prelude::{RS256PublicKey, RSAPublicKeyLike as _, VerificationOptions};

const ISSUER: &str = "https://clerk.example.com";

/// As long as the signing input of a session token with an organization usually is.
const MESSAGE: &[u8] = &[b'e'; 674];

struct Signer(KeyPair);

impl Signer {
    fn new(size: KeySize) -> Signer {
        Signer(KeyPair::generate(size).unwrap())
    }

    fn modulus(&self) -> &[u8] {
        // RFC 8017, A.1.1: the modulus, then the exponent in five bytes.
        let der = self.0.public_key().as_ref();
        let (numbers, _) = der.split_at(der.len() - 5);
        &numbers[numbers.len() - self.0.public_modulus_len()..]
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }
}

fn signatures(criterion: &mut Criterion) {
    for (size, name) in [
        (KeySize::Rsa2048, "2048"),
        (KeySize::Rsa3072, "3072"),
        (KeySize::Rsa4096, "4096"),
        (KeySize::Rsa8192, "8192"),
    ] {
        let signer = Signer::new(size);
        let signature = signer.sign(MESSAGE);
        let mut group = criterion.benchmark_group(format!("signature/{name}"));

        let components = RsaPublicKeyComponents { n: signer.modulus(), e: &[1, 0, 1] };
        let bare = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).unwrap();
        group.bench_function("bare", |bencher| {
            bencher.iter(|| bare.verify_sig(black_box(MESSAGE), black_box(&signature)).unwrap());
        });
        for (name, rsa) in [("aws-lc", &AwsLcRsa as &dyn Rsa), ("own", &OwnRsa)] {
            let key = rsa.prepare(signer.modulus()).unwrap();
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    assert!(key.verify(Algorithm::Rs256, black_box(MESSAGE), black_box(&signature)))
                });
            });
            group.bench_function(format!("{name} key"), |bencher| {
                bencher.iter(|| rsa.prepare(black_box(signer.modulus())).unwrap());
            });
        }
    }
}

fn tokens(criterion: &mut Criterion) {
    let signer = Signer::new(KeySize::Rsa2048);
    // jsonwebtoken can't be told the time.
    let now = jsonwebtoken::get_current_timestamp();
    let token = token(&signer, now);
    let mut group = criterion.benchmark_group("token/2048");

    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64URL.decode(signature).unwrap();
    let components = RsaPublicKeyComponents { n: signer.modulus(), e: &[1, 0, 1] };
    let bare = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).unwrap();
    group.bench_function("bare", |bencher| {
        bencher.iter(|| bare.verify_sig(black_box(input.as_bytes()), black_box(&signature)).unwrap());
    });

    let issuer = Issuer::parse(ISSUER).unwrap();
    let parties = AuthorizedParties::parse(["https://app.example.com"]).unwrap();
    let verifier = Verifier::new(Policy::new(issuer.clone(), parties, MissingAzp::Refuse));
    let jwks = format!(
        r#"{{"keys":[{{"kty":"RSA","use":"sig","alg":"RS256","kid":"ins_bench","e":"AQAB","n":"{}"}}]}}"#,
        BASE64URL.encode(signer.modulus())
    );
    for (name, rsa) in [("doorward", &AwsLcRsa as &dyn Rsa), ("doorward, own RSA", &OwnRsa)] {
        let keys = KeySet::from_jwks(&issuer, &Jwks::parse(jwks.as_bytes()).unwrap(), rsa);
        group.bench_function(name, |bencher| {
            let mut buffer = TokenBuffer::new();
            bencher.iter(|| {
                let screened = verifier.screen(black_box(&token), &mut buffer).unwrap();
                verifier.verify(&screened, &keys, UnixTime::from_secs(now)).unwrap()
            });
        });
    }
    group.bench_function("doorward, screened only", |bencher| {
        let mut buffer = TokenBuffer::new();
        bencher.iter(|| {
            verifier.screen(black_box(&token), &mut buffer).unwrap();
        });
    });

    let key = jsonwebtoken::DecodingKey::from_rsa_raw_components(signer.modulus(), &[1, 0, 1]);
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_issuer(&[ISSUER]);
    validation.validate_nbf = true;
    group.bench_function("jsonwebtoken", |bencher| {
        bencher.iter(|| jsonwebtoken::decode::<SessionClaims>(black_box(&token), &key, &validation).unwrap());
    });

    let key = RS256PublicKey::from_components(signer.modulus(), &[1, 0, 1]).unwrap();
    group.bench_function("jwt-simple", |bencher| {
        bencher.iter(|| {
            let options = VerificationOptions {
                allowed_issuers: Some([ISSUER.to_owned()].into()),
                ..VerificationOptions::default()
            };
            key.verify_token::<OwnClaims>(black_box(&token), Some(options)).unwrap()
        });
    });
}

/// What a backend wants to know of a session, as one that uses jsonwebtoken declares it.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "made by the library, and read by nobody here")]
struct SessionClaims {
    iss: String,
    sub: String,
    exp: u64,
    iat: u64,
    nbf: u64,
    azp: String,
    sid: String,
    sts: String,
    v: u8,
    fea: String,
    pla: String,
    fva: [i64; 2],
    o: OrganizationClaim,
}

/// The same for jwt-simple, which reads the registered claims by itself.
#[derive(serde::Serialize, serde::Deserialize)]
struct OwnClaims {
    azp: String,
    sid: String,
    sts: String,
    v: u8,
    fea: String,
    pla: String,
    fva: [i64; 2],
    o: OrganizationClaim,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct OrganizationClaim {
    id: String,
    slg: String,
    rol: String,
    per: String,
    fpm: String,
}

/// A session token in the second format with an organization: about a kilobyte, as Clerk's are.
fn token(signer: &Signer, now: u64) -> String {
    let header = r#"{"alg":"RS256","cat":"cl_B7d4PD111AAA","kid":"ins_bench","typ":"JWT"}"#;
    let claims = format!(
        r#"{{"azp":"https://app.example.com","exp":{},"fea":"o:invoices,o:reports,u:profile","fva":[3,-1],"iat":{now},"iss":"{ISSUER}","jti":"0c7f4be5a2f1d8e39b60","nbf":{},"o":{{"fpm":"3,1","id":"org_2sYxR8kTfWq0aBcDeFgHiJkLmNo","per":"read,write","rol":"admin","slg":"example-works"}},"pla":"o:business","sid":"sess_2tZyS9lUgXr1bCdEfGhIjKlMnOp","sts":"active","sub":"user_2rXwQ7jSeVp9zAbCdEfGhIjKlMn","v":2}}"#,
        now + 3000,
        now - 10
    );
    let input = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims));
    let signature = BASE64URL.encode(signer.sign(input.as_bytes()));
    format!("{input}.{signature}")
}

criterion_group!(benches, signatures, tokens);
criterion_main!(benches);
