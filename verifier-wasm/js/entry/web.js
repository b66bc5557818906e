/** Browsers: the module is a file of its own, loaded beside the page. */

import { verifierFor } from "./verifier.js";

export { SettingsError, VerifyError } from "./error.js";

async function load() {
  try {
    const response = await fetch(new URL("./engine_bg.wasm", import.meta.url));
    if (response.ok) return await WebAssembly.compile(await response.arrayBuffer());
  } catch {
    // A development server that does not serve a dependency's files: what came is not the module.
  }
  const { bytes } = await import("./inlined.js");
  return WebAssembly.compile(bytes());
}

export const createVerifier = verifierFor({ load, fetchOptions: { cache: "no-store", credentials: "omit" } });
