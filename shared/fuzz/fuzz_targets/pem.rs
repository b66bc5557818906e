//! Any text as pasted key material: what is understood is understood again in its plainest form.
#![no_main]

use base64::prelude::{BASE64_STANDARD, Engine as _};
use doorward_verifier::{KeyMaterial, OwnRsa};
use doorward_verifier_fuzz::issuer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match KeyMaterial::parse(text) {
        Ok(material) => {
            if let KeyMaterial::Modulus(modulus) = &material {
                assert_eq!(KeyMaterial::parse(&pem(modulus)).as_ref(), Ok(&material));
            }
            // A size that no key may have is told here.
            let _ = material.key_set(&issuer(), &OwnRsa);
        }
        // A message is made of what came, and repeats no more of it than a label.
        Err(error) => assert!(error.to_string().len() < 1000),
    }
});

/// `RSA PUBLIC KEY` (RFC 8017 appendix A.1.1).
fn pem(modulus: &[u8]) -> String {
    let sign = if modulus[0] & 0x80 == 0 { &[][..] } else { &[0] };
    let numbers = [der(2, &[sign, modulus].concat()), der(2, &[1, 0, 1])].concat();
    let body = BASE64_STANDARD.encode(der(0x30, &numbers));
    format!("-----BEGIN RSA PUBLIC KEY-----\n{body}\n-----END RSA PUBLIC KEY-----\n")
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let bytes = content.len().to_be_bytes();
    let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    let length = match content.len() {
        short @ 0..0x80 => vec![short as u8],
        _ => [&[0x80 | bytes.len() as u8], bytes].concat(),
    };
    [&[tag][..], &length, content].concat()
}
