/** Hosts that can't import a module without configuration: it is in the JavaScript. */

import { compiled } from "./inlined.js";
import { verifierFor } from "./verifier.js";

export { SettingsError, VerifyError } from "./error.js";
export const createVerifier = verifierFor({ load: compiled, fetchOptions: { cache: "no-store" } });
