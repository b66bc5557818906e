/** Cloudflare Workers: the module is imported. What one request awaits, another must not. */

import module from "./engine_bg.wasm";
import { verifierFor } from "./verifier.js";

export { SettingsError, VerifyError } from "./error.js";
export const createVerifier = verifierFor({ load: () => module, fetchOptions: {}, sharesPromises: false });
