//! What a signature check costs, and what a whole token costs beside it.
//!
//! The measure is `bare`: aws-lc-rs with its key parsed once, the fastest that there is natively.
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

/// 2026-09-21T14:13:20Z.
const NOW: u64 = 1_790_000_000;

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
    let token = token(&signer);
    let jwks = format!(
        r#"{{"keys":[{{"kty":"RSA","use":"sig","alg":"RS256","kid":"ins_bench","e":"AQAB","n":"{}"}}]}}"#,
        BASE64URL.encode(signer.modulus())
    );
    let issuer = Issuer::parse("https://clerk.example.com").unwrap();
    let parties = AuthorizedParties::parse(["https://app.example.com"]).unwrap();
    let verifier = Verifier::new(Policy::new(issuer.clone(), parties, MissingAzp::Refuse));
    let now = UnixTime::from_secs(NOW);

    let mut group = criterion.benchmark_group("token/2048");
    for (name, rsa) in [("aws-lc", &AwsLcRsa as &dyn Rsa), ("own", &OwnRsa)] {
        let keys = KeySet::from_jwks(&issuer, &Jwks::parse(jwks.as_bytes()).unwrap(), rsa);
        group.bench_function(name, |bencher| {
            let mut buffer = TokenBuffer::new();
            bencher.iter(|| {
                let screened = verifier.screen(black_box(&token), &mut buffer).unwrap();
                verifier.verify(&screened, &keys, now).unwrap()
            });
        });
    }
    group.bench_function("screened only", |bencher| {
        let mut buffer = TokenBuffer::new();
        bencher.iter(|| {
            verifier.screen(black_box(&token), &mut buffer).unwrap();
        });
    });
}

/// A session token in the second format with an organization: about a kilobyte, as Clerk's are.
fn token(signer: &Signer) -> String {
    let header = r#"{"alg":"RS256","cat":"cl_B7d4PD111AAA","kid":"ins_bench","typ":"JWT"}"#;
    let claims = format!(
        r#"{{"azp":"https://app.example.com","exp":{},"fea":"o:invoices,o:reports,u:profile","fva":[3,-1],"iat":{NOW},"iss":"https://clerk.example.com","jti":"0c7f4be5a2f1d8e39b60","nbf":{},"o":{{"fpm":"3,1","id":"org_2sYxR8kTfWq0aBcDeFgHiJkLmNo","per":"read,write","rol":"admin","slg":"example-works"}},"pla":"o:business","sid":"sess_2tZyS9lUgXr1bCdEfGhIjKlMnOp","sts":"active","sub":"user_2rXwQ7jSeVp9zAbCdEfGhIjKlMn","v":2}}"#,
        NOW + 60,
        NOW - 10
    );
    let input = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims));
    let signature = BASE64URL.encode(signer.sign(input.as_bytes()));
    format!("{input}.{signature}")
}

criterion_group!(benches, signatures, tokens);
criterion_main!(benches);
