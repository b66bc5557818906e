//! The host's own RSA check, behind the engine's trait. Numbers cross; `js/host.js` reads the module's memory.

use std::sync::Arc;

use doorward_verifier::{Algorithm, KeyError, Rsa, RsaKey};
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(raw_module = "./host.js")]
extern "C" {
    /// A number for the key, 0 when the host does not take it.
    fn host_prepare(checker: u32, modulus: *const u8, length: usize) -> u32;
    fn host_verify(
        key: u32,
        algorithm: u32,
        message: *const u8,
        message_length: usize,
        signature: *const u8,
        signature_length: usize,
    ) -> bool;
    fn host_release(key: u32);
}

/// A check that the host has, by the number it is known by in `js/host.js`.
pub(crate) struct HostRsa {
    pub(crate) checker: u32,
}

/// A key that the host holds for us.
#[derive(Debug)]
struct HostKey {
    number: u32,
}

impl Rsa for HostRsa {
    fn prepare(&self, modulus: &[u8]) -> Result<Arc<dyn RsaKey>, KeyError> {
        let bare = doorward_verifier::checked_modulus(modulus)?;
        match host_prepare(self.checker, bare.as_ptr(), bare.len()) {
            0 => Err(KeyError::ModulusRefused { bits: bare.len() * 8, implementation: "the host" }),
            number => Ok(Arc::new(HostKey { number })),
        }
    }
}

impl RsaKey for HostKey {
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let hash_bits = match algorithm {
            Algorithm::Rs256 => 256,
            Algorithm::Rs384 => 384,
            Algorithm::Rs512 => 512,
        };
        let (message_length, signature_length) = (message.len(), signature.len());
        host_verify(
            self.number,
            hash_bits,
            message.as_ptr(),
            message_length,
            signature.as_ptr(),
            signature_length,
        )
    }
}

impl Drop for HostKey {
    fn drop(&mut self) {
        host_release(self.number);
    }
}
