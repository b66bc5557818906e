//! The envelope of every value in sled: version, time limits and a checksum that covers the key too.
//!
//! sled answers some damage on disk by giving back nothing or something older, without an error. The checksum finds
//! what was changed; what is older has to be found by whoever knows how new it should be.

use std::time::Duration;

use doorward_verifier::UnixTime;

/// From 16 KB on, sled keeps a value in a file of its own, which it does not survive losing. 12 KB is measured to be
/// on the safe side.
pub(crate) const MAX_VALUE_BYTES: usize = 12 * 1024;

const FORMAT: [u8; 2] = [0xD0, 1];
/// How much longer a sealed value is than the value.
pub(crate) const HEADER_BYTES: usize = 2 + 4 + 8 + 8;

/// A value and its time limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    /// When what it holds was true.
    pub(crate) stored_at: UnixTime,
    /// From when on it is as good as absent.
    pub(crate) expires_at: UnixTime,
    /// The value.
    pub(crate) payload: &'a [u8],
}

/// Why a value can not be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvelopeError {
    #[error("{0} bytes are no envelope")]
    Short(usize),
    #[error("format {found:?}, expected {FORMAT:?}")]
    Format { found: [u8; 2] },
    #[error("checksum {found:08x}, expected {expected:08x}")]
    Checksum { found: u32, expected: u32 },
}

impl<'a> Envelope<'a> {
    /// One that never expires.
    pub(crate) fn lasting(stored_at: UnixTime, payload: &'a [u8]) -> Envelope<'a> {
        Envelope { stored_at, expires_at: stored_at.plus(Duration::MAX), payload }
    }

    /// The bytes to keep under `key`.
    pub(crate) fn seal(&self, key: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.payload.len());
        bytes.extend_from_slice(&FORMAT);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.stored_at.as_millis().to_be_bytes());
        bytes.extend_from_slice(&self.expires_at.as_millis().to_be_bytes());
        bytes.extend_from_slice(self.payload);
        let checksum = checksum(key, &bytes[6..]);
        bytes[2..6].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }

    /// What was sealed for `key`.
    pub(crate) fn open(key: &[u8], bytes: &'a [u8]) -> Result<Envelope<'a>, EnvelopeError> {
        let short = EnvelopeError::Short(bytes.len());
        let (format, rest) = bytes.split_first_chunk::<2>().ok_or(short)?;
        let (expected, covered) = rest.split_first_chunk::<4>().ok_or(short)?;
        let (stored_at, rest) = covered.split_first_chunk::<8>().ok_or(short)?;
        let (expires_at, payload) = rest.split_first_chunk::<8>().ok_or(short)?;
        if *format != FORMAT {
            return Err(EnvelopeError::Format { found: *format });
        }
        let (found, expected) = (checksum(key, covered), u32::from_be_bytes(*expected));
        if found != expected {
            return Err(EnvelopeError::Checksum { found, expected });
        }
        let time = |bytes: &[u8; 8]| UnixTime::from_millis(u64::from_be_bytes(*bytes));
        Ok(Envelope { stored_at: time(stored_at), expires_at: time(expires_at), payload })
    }
}

fn checksum(key: &[u8], covered: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(covered);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixTime = UnixTime::from_secs(1_795_521_600); // 2026-11-24T12:00:00Z

    #[test]
    fn what_is_sealed_is_taken_out_again_under_its_own_key_alone() {
        let envelope =
            Envelope { stored_at: NOON, expires_at: NOON.plus(Duration::from_secs(60)), payload: b"value" };
        let sealed = envelope.seal(b"key");
        assert_eq!(Envelope::open(b"key", &sealed), Ok(envelope));
        assert!(matches!(Envelope::open(b"yek", &sealed), Err(EnvelopeError::Checksum { .. })));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let sealed = Envelope::lasting(NOON, b"value").seal(b"key");
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Envelope::open(b"key", &flipped).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(Envelope::open(b"key", &sealed[..length]).is_err(), "length {length}");
        }
    }
}
