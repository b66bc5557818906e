/** The module from the text that the build wrote. */

import { base64 } from "./engine_base64.js";

export function bytes() {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

export function compiled() {
  return new WebAssembly.Module(bytes());
}
