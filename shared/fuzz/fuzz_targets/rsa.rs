//! Our own RSA beside aws-lc-rs: any modulus and any signature, and signatures of nearly the right encoded message.
#![no_main]

use std::sync::LazyLock;

use doorward_verifier::{Algorithm, AwsLcRsa, OwnRsa, Rsa};
use libfuzzer_sys::fuzz_target;
use num_bigint::BigUint;
use sha2::{Digest, Sha256};

use crate::small_primes::{Numbers, SmallPrimes};

#[path = "../../tests/small_primes/mod.rs"]
mod small_primes;

static KEYS: LazyLock<Vec<SmallPrimes>> = LazyLock::new(|| {
    let mut numbers = Numbers(1);
    [2048, 2049, 3000, 4096, 4097, 8192].map(|bits| SmallPrimes::of(bits, &mut numbers)).into()
});

fuzz_target!(|input: (u8, &[u8], &[u8], Vec<(u16, u8)>)| {
    let (choice, first, second, changes) = input;
    let algorithm = Algorithm::ALL[usize::from(choice) % 3];
    agree(algorithm, first, second, second);

    let key = &KEYS[usize::from(choice / 3) % KEYS.len()];
    let mut encoded = encode(second, key.modulus.bits().div_ceil(8) as usize);
    for (at, change) in &changes {
        let at = usize::from(*at) % encoded.len();
        encoded[at] ^= change;
    }
    if BigUint::from_bytes_be(&encoded) < key.modulus {
        let verdict = agree(Algorithm::Rs256, &key.modulus.to_bytes_be(), second, &key.sign(&encoded));
        assert_eq!(verdict, encoded == encode(second, encoded.len()));
    }
});

/// The verdict of both.
fn agree(algorithm: Algorithm, modulus: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let verdict = |rsa: &dyn Rsa| rsa.prepare(modulus).map(|key| key.verify(algorithm, message, signature));
    let (own, aws_lc) = (verdict(&OwnRsa), verdict(&AwsLcRsa));
    assert_eq!(own, aws_lc);
    own.unwrap_or(false)
}

/// RFC 8017 section 9.2, for SHA-256.
fn encode(message: &[u8], length: usize) -> Vec<u8> {
    let prefix = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
    let hash = Sha256::digest(message);
    [&[0, 1][..], &vec![0xff; length - 3 - prefix.len() - hash.len()], &[0], prefix, &hash].concat()
}
