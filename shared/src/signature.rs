//! `Algorithm`, `Rsa`, `RsaKey`: how a signature is checked, and by whom.

use core::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::key_error::KeyError;
use crate::rsa::PublicKey;

/// The shortest modulus, in bits: RFC 7518 section 3.3.
pub const MIN_MODULUS_BITS: usize = 2048;

/// The longest modulus, in bits. A check costs the square of the length, and nobody needs more: 8192 bits is also where
/// aws-lc-rs ends.
pub const MAX_MODULUS_BITS: usize = 8192;

/// A signature algorithm of RFC 7518 section 3.3: RSASSA-PKCS1-v1_5 with one of three hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// With SHA-256: what Clerk signs with.
    Rs256,
    /// With SHA-384: only where the policy asks for it.
    Rs384,
    /// With SHA-512: only where the policy asks for it.
    Rs512,
}

impl Algorithm {
    /// All of them, shortest hash first.
    pub const ALL: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512];

    /// The name in `alg`: `RS256`, `RS384` or `RS512`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
        }
    }

    /// The algorithm of that name, spelled exactly so.
    pub fn from_name(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// What precedes the hash in a signed message: the DER of `DigestInfo` up to it (RFC 8017 section 9.2, note 1).
    const fn digest_info(self) -> [u8; 19] {
        // The last arc of the hash's object identifier 2.16.840.1.101.3.4.2.x, and how many bytes it gives.
        let (arc, length) = match self {
            Algorithm::Rs256 => (1, 32),
            Algorithm::Rs384 => (2, 48),
            Algorithm::Rs512 => (3, 64),
        };
        let [sequence, oid, null, octets] = [0x30, 0x06, 0x05, 0x04];
        #[rustfmt::skip]
        let der = [
            sequence, 17 + length, sequence, 13, oid, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc,
            null, 0, octets, length,
        ];
        der
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who does the RSA public operation. The caller chooses: [`OwnRsa`] everywhere, [`AwsLcRsa`] natively, or the host's.
///
/// An implementation that accepts a signature which the key's owner did not make lets anyone be anyone.
pub trait Rsa: Send + Sync {
    /// Gets a key ready for use. `modulus` is big-endian; leading zeros do not count. The exponent is always 65537.
    ///
    /// # Errors
    /// [`KeyError`] when the modulus is even or has fewer than [`MIN_MODULUS_BITS`] or more than [`MAX_MODULUS_BITS`] bits.
    fn prepare(&self, modulus: &[u8]) -> Result<Arc<dyn RsaKey>, KeyError>;
}

/// A key that is ready for use.
pub trait RsaKey: Send + Sync + fmt::Debug {
    /// Whether `signature` is this key's signature of `message`: as long as the modulus, less than it, and opening to
    /// exactly the encoded message. Never panics, whatever it is given.
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool;
}

/// Our own public operation: safe Rust, the same natively and in wasm.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnRsa;

impl Rsa for OwnRsa {
    fn prepare(&self, modulus: &[u8]) -> Result<Arc<dyn RsaKey>, KeyError> {
        Ok(Arc::new(PublicKey::of(checked_modulus(modulus)?)))
    }
}

impl RsaKey for PublicKey {
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let mut buffer = [0; MAX_MODULUS_BITS / 8];
        let Some(encoded) = buffer.get_mut(..self.len()) else { return false };
        match algorithm {
            Algorithm::Rs256 => encode(encoded, &algorithm.digest_info(), &Sha256::digest(message)),
            Algorithm::Rs384 => encode(encoded, &algorithm.digest_info(), &Sha384::digest(message)),
            Algorithm::Rs512 => encode(encoded, &algorithm.digest_info(), &Sha512::digest(message)),
        }
        self.opens(signature, encoded)
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2) over the whole of `encoded`: `00 01 FF … FF 00`, `DigestInfo`, hash.
///
/// The shortest modulus has 256 bytes and the longest tail 84, so it always fits, with more than the eight `FF` that
/// the standard asks for.
fn encode(encoded: &mut [u8], digest_info: &[u8], hash: &[u8]) {
    let ends = [&[0x00, 0x01][..], &[0x00], digest_info, hash];
    let padding = encoded.len().saturating_sub(ends.iter().map(|part| part.len()).sum());
    let [start, tail @ ..] = ends;
    let bytes = start.iter().chain(core::iter::repeat_n(&0xff, padding)).chain(tail.into_iter().flatten());
    encoded.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
}

/// aws-lc-rs: the quickest natively.
#[cfg(feature = "aws-lc")]
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLcRsa;

#[cfg(feature = "aws-lc")]
impl Rsa for AwsLcRsa {
    fn prepare(&self, modulus: &[u8]) -> Result<Arc<dyn RsaKey>, KeyError> {
        use aws_lc_rs::signature as aws_lc;

        let n = checked_modulus(modulus)?;
        let components = aws_lc::RsaPublicKeyComponents { n, e: &[1, 0, 1][..] };
        let parse = |parameters| {
            components
                .to_parsed_public_key(parameters)
                .map_err(|_| KeyError::ModulusRefused { bits: bit_length(n), implementation: "aws-lc-rs" })
        };
        Ok(Arc::new(AwsLcKey {
            rs256: parse(&aws_lc::RSA_PKCS1_2048_8192_SHA256)?,
            rs384: parse(&aws_lc::RSA_PKCS1_2048_8192_SHA384)?,
            rs512: parse(&aws_lc::RSA_PKCS1_2048_8192_SHA512)?,
        }))
    }
}

/// One key, parsed once for each algorithm: aws-lc-rs binds a parsed key to one, and parsing costs a sixth of a check.
#[cfg(feature = "aws-lc")]
#[derive(Debug)]
struct AwsLcKey {
    rs256: aws_lc_rs::signature::ParsedPublicKey,
    rs384: aws_lc_rs::signature::ParsedPublicKey,
    rs512: aws_lc_rs::signature::ParsedPublicKey,
}

#[cfg(feature = "aws-lc")]
impl RsaKey for AwsLcKey {
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let key = match algorithm {
            Algorithm::Rs256 => &self.rs256,
            Algorithm::Rs384 => &self.rs384,
            Algorithm::Rs512 => &self.rs512,
        };
        key.verify_sig(message, signature).is_ok()
    }
}

/// The modulus without leading zeros, when an RSA key may have it. Every [`Rsa`] asks this first.
///
/// # Errors
/// [`KeyError::ModulusSize`] or [`KeyError::ModulusEven`].
pub fn checked_modulus(modulus: &[u8]) -> Result<&[u8], KeyError> {
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let modulus = modulus.get(zeros..).unwrap_or_default();
    let bits = bit_length(modulus);
    if !(MIN_MODULUS_BITS..=MAX_MODULUS_BITS).contains(&bits) {
        return Err(KeyError::ModulusSize { bits });
    }
    if modulus.last().is_none_or(|last| last % 2 == 0) {
        return Err(KeyError::ModulusEven);
    }
    Ok(modulus)
}

/// How many bits a big-endian number without leading zeros has.
fn bit_length(number: &[u8]) -> usize {
    number.first().map_or(0, |first| 8 * number.len() - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_algorithm_is_shown_by_the_name_that_finds_it() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.to_string(), algorithm.as_str());
            assert_eq!(Algorithm::from_name(algorithm.as_str()), Some(algorithm));
        }
    }
}
