//! RSA keys of any length, made at once: for tests, worth nothing as keys.

use std::collections::BTreeSet;

use num_bigint::BigUint;

/// Numbers from a seed, the same in every run (splitmix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// The next one.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A prime of exactly `bits` bits, 15 to 31, for which 65537 is invertible.
    fn prime(&mut self, bits: u32) -> u64 {
        loop {
            let number = (self.next() >> (64 - bits)) | 1 << (bits - 1) | 1;
            if number % 65537 != 1
                && (3..).step_by(2).take_while(|d| d * d <= number).all(|d| !number.is_multiple_of(d))
            {
                return number;
            }
        }
    }
}

/// A key whose modulus is a product of many small primes: worth nothing, but it is made at once, at any length, and a
/// verifier cannot tell.
pub(crate) struct SmallPrimes {
    /// Their product.
    pub(crate) modulus: BigUint,
    primes: BTreeSet<u64>,
}

impl SmallPrimes {
    /// A modulus of exactly `bits` bits.
    pub(crate) fn of(bits: u64, numbers: &mut Numbers) -> SmallPrimes {
        let mut key = SmallPrimes { modulus: BigUint::from(1_u32), primes: BTreeSet::new() };
        while key.modulus.bits() < bits {
            // The last two share what is missing; the last is drawn until it brings exactly that.
            let missing = (bits - key.modulus.bits()) as u32;
            let prime = numbers.prime(match missing {
                ..=29 => missing + 1,
                30..=58 => missing / 2,
                _ => 27,
            });
            let modulus = &key.modulus * prime;
            if modulus.bits() <= bits && key.primes.insert(prime) {
                key.modulus = modulus;
            }
        }
        key
    }

    /// What opens to `encoded`: the root modulo each prime, then put together.
    pub(crate) fn sign(&self, encoded: &[u8]) -> Vec<u8> {
        let number = BigUint::from_bytes_be(encoded);
        let (mut root, mut modulus) = (BigUint::ZERO, BigUint::from(1_u32));
        for prime in &self.primes {
            let remainder = |number: &BigUint| u64::try_from(number % prime).unwrap();
            let exponent = BigUint::from(65537_u32).modinv(&BigUint::from(prime - 1)).unwrap();
            let residue = power(remainder(&number), u64::try_from(exponent).unwrap(), *prime);
            let difference = residue + prime - remainder(&root);
            let inverse = power(remainder(&modulus), prime - 2, *prime);
            root += &modulus * (difference % prime * inverse % prime);
            modulus *= *prime;
        }
        padded(&root, encoded.len())
    }
}

/// For moduli of fewer than 32 bits.
fn power(base: u64, exponent: u64, modulus: u64) -> u64 {
    (0..64).rev().fold(1, |power, bit| {
        let squared = power * power % modulus;
        if exponent >> bit & 1 == 1 { squared * base % modulus } else { squared }
    })
}

/// Big-endian, in `length` bytes or as many more as it takes.
pub(crate) fn padded(number: &BigUint, length: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; length.saturating_sub(bytes.len())], bytes].concat()
}
