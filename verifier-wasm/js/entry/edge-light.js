/** Vercel's Edge runtime, Next.js middleware: the module is imported, since compiling bytes is forbidden there. */

import module from "./engine_bg.wasm?module";
import { verifierFor } from "./verifier.js";

export { SettingsError, VerifyError } from "./error.js";
export const createVerifier = verifierFor({ load: () => module, fetchOptions: { cache: "no-store" } });
