/** Node: the module is in the JavaScript, so that bundlers find nothing to lose; RSA is OpenSSL's. */

import { createPublicKey, createVerify } from "node:crypto";
import { base64 } from "./engine_base64.js";
import { verifierFor } from "./verifier.js";

export { SettingsError, VerifyError } from "./error.js";

const rsa = {
  prepare(modulus) {
    const n = Buffer.from(modulus).toString("base64url");
    return createPublicKey({ format: "jwk", key: { kty: "RSA", n, e: "AQAB" } });
  },
  verify(key, algorithm, message, signature) {
    return createVerify(`sha${algorithm}`).update(message).verify(key, signature);
  },
};

const load = () => new WebAssembly.Module(Buffer.from(base64, "base64"));

export const createVerifier = verifierFor({ load, fetchOptions: { cache: "no-store" }, rsa });
