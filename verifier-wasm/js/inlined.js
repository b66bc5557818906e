/** The module from the text that the build wrote. */

import { base64 } from "./engine_base64.js";

export function bytes() {
  if (typeof Uint8Array.fromBase64 === "function") return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  // The first thing that a process does: a function called for each byte would take longer than all else.
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

export function compiled() {
  return new WebAssembly.Module(bytes());
}
