//! The RSA public operation: `signature^65537 mod n`.

use core::fmt;

/// An RSA public key with the exponent 65537.
pub(crate) struct PublicKey {
    modulus: Box<[u8]>,
    limbs: Box<[u32]>,
}

impl PublicKey {
    /// `modulus` is odd, big-endian and without leading zeros.
    pub(crate) fn new(modulus: &[u8]) -> PublicKey {
        PublicKey { modulus: modulus.into(), limbs: limbs(modulus) }
    }

    /// How many bytes the modulus has, and so every signature.
    pub(crate) fn len(&self) -> usize {
        self.modulus.len()
    }

    /// Whether `signature^65537 mod n` is `encoded`, both big-endian and as long as the modulus.
    pub(crate) fn opens(&self, signature: &[u8], encoded: &[u8]) -> bool {
        if signature.len() != self.len() || signature >= &*self.modulus {
            return false;
        }
        let base = limbs(signature);
        let mut power = base.clone();
        for _ in 0..16 {
            power = self.times(&power, &power);
        }
        self.times(&power, &base) == limbs(encoded)
    }

    /// `a * b mod n`, bit by bit.
    fn times(&self, a: &[u32], b: &[u32]) -> Box<[u32]> {
        let mut sum: Box<[u32]> = vec![0; self.limbs.len()].into();
        for bit in (0..32 * b.len()).rev() {
            let twice = sum.clone();
            self.add(&mut sum, &twice);
            if b.get(bit / 32).is_some_and(|limb| limb >> (bit % 32) & 1 == 1) {
                self.add(&mut sum, a);
            }
        }
        sum
    }

    /// `sum + other mod n`, for both less than `n`.
    fn add(&self, sum: &mut [u32], other: &[u32]) {
        let mut carry = 0;
        for (to, from) in sum.iter_mut().zip(other) {
            carry += u64::from(*to) + u64::from(*from);
            *to = carry as u32;
            carry >>= 32;
        }
        if carry == 1 || sum.iter().rev().ge(self.limbs.iter().rev()) {
            let mut borrow = 0;
            for (to, from) in sum.iter_mut().zip(&self.limbs) {
                borrow += i64::from(*to) - i64::from(*from);
                *to = borrow as u32;
                borrow >>= 32;
            }
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} bytes)", self.len())
    }
}

/// Big-endian bytes as limbs of 32 bits, least significant first.
fn limbs(bytes: &[u8]) -> Box<[u32]> {
    bytes.rchunks(4).map(|chunk| chunk.iter().fold(0, |limb, byte| limb << 8 | u32::from(*byte))).collect()
}
