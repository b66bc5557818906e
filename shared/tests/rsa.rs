//! Our own RSA operation beside aws-lc-rs: the same verdict on every signature, for moduli of every length.
#![cfg(feature = "aws-lc")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod small_primes;

use doorward_verifier::{Algorithm, AwsLcRsa, KeyError, OwnRsa, Rsa};
use num_bigint::BigUint;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::small_primes::{Numbers, SmallPrimes, padded};

/// RFC 8017 section 9.2, with the prefixes of its note 1 as they stand there.
fn encode(algorithm: Algorithm, message: &[u8], length: usize) -> Vec<u8> {
    let (prefix, hash) = match algorithm {
        Algorithm::Rs256 => ("3031300d060960864801650304020105000420", Sha256::digest(message).to_vec()),
        Algorithm::Rs384 => ("3041300d060960864801650304020205000430", Sha384::digest(message).to_vec()),
        Algorithm::Rs512 => ("3051300d060960864801650304020305000440", Sha512::digest(message).to_vec()),
    };
    let prefix = BigUint::parse_bytes(prefix.as_bytes(), 16).unwrap().to_bytes_be();
    let padding = vec![0xff; length - 3 - prefix.len() - hash.len()];
    [vec![0, 1], padding, vec![0], prefix, hash].concat()
}

#[test]
fn both_judge_alike_at_every_length() {
    let mut numbers = Numbers(65537);
    for bits in
        [2048, 2049, 2050, 2056, 2069, 2500, 3000, 3072, 4095, 4096, 4097, 5000, 6144, 7777, 8191, 8192]
    {
        let key = SmallPrimes::of(bits, &mut numbers);
        let length = bits.div_ceil(8) as usize;
        let modulus = key.modulus.to_bytes_be();
        let [own, aws_lc] = [OwnRsa.prepare(&modulus).unwrap(), AwsLcRsa.prepare(&modulus).unwrap()];
        for algorithm in Algorithm::ALL {
            let message = format!("{bits} bits, {algorithm}, {}", numbers.next());
            let encoded = encode(algorithm, message.as_bytes(), length);
            let signature = key.sign(&encoded);
            let judge = |algorithm, message: &[u8], signature: &[u8]| {
                let verdict = own.verify(algorithm, message, signature);
                assert_eq!(verdict, aws_lc.verify(algorithm, message, signature), "{bits} bits, {algorithm}");
                verdict
            };
            assert!(judge(algorithm, message.as_bytes(), &signature), "{bits} bits, {algorithm}");

            // Another algorithm, another message.
            for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
                assert!(!judge(other, message.as_bytes(), &signature));
            }
            assert!(!judge(algorithm, b"another message", &signature));
            // Another spelling of the same number, or of one that is congruent.
            assert!(!judge(algorithm, message.as_bytes(), &[&[0], &*signature].concat()));
            assert!(!judge(algorithm, message.as_bytes(), &signature[1..]));
            assert!(!judge(algorithm, message.as_bytes(), &signature[..length - 1]));
            assert!(!judge(algorithm, message.as_bytes(), &[]));
            let congruent = BigUint::from_bytes_be(&signature) + &key.modulus;
            assert!(!judge(algorithm, message.as_bytes(), &padded(&congruent, length)));
            // One bit of the signature, or of what it opens to.
            for _ in 0..20 {
                let bit = numbers.next() as usize % (8 * length);
                let flipped = |bytes: &[u8]| {
                    let mut bytes = bytes.to_vec();
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    bytes
                };
                assert!(!judge(algorithm, message.as_bytes(), &flipped(&signature)));
                let altered = flipped(&encoded);
                if BigUint::from_bytes_be(&altered) < key.modulus {
                    assert!(
                        !judge(algorithm, message.as_bytes(), &key.sign(&altered)),
                        "bit {bit} of {encoded:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn both_refuse_the_same_moduli_and_say_why() {
    let modulus = |bits: usize| {
        let one = BigUint::from(1_u32);
        (&one << (bits - 1) | one).to_bytes_be()
    };
    for rsa in [&OwnRsa as &dyn Rsa, &AwsLcRsa] {
        for bits in [1, 1024, 2047, 8193, 16384] {
            assert_eq!(rsa.prepare(&modulus(bits)).unwrap_err(), KeyError::ModulusSize { bits });
        }
        assert_eq!(rsa.prepare(&[]).unwrap_err(), KeyError::ModulusSize { bits: 0 });
        assert_eq!(rsa.prepare(&[0; 256]).unwrap_err(), KeyError::ModulusSize { bits: 0 });
        let mut even = modulus(2048);
        even[255] = 0;
        assert_eq!(rsa.prepare(&even).unwrap_err(), KeyError::ModulusEven);
        // Leading zeros do not count.
        assert!(rsa.prepare(&[vec![0; 9], modulus(2048)].concat()).is_ok());
        assert!(rsa.prepare(&modulus(8192)).is_ok());
    }
}
