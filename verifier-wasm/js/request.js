/** `presented`: what of a request the engine decides from, as it reads it. */

import { pairs } from "./pairs.js";

/** All that a decision is made from. */
const HEADERS = ["authorization", "cookie", "origin", "sec-fetch-dest", "accept", "upgrade"];
/** Servers take 8 to 16 KiB of headers; the engine's own bounds are within this. */
const MAX_LENGTH = 40 * 1024;

/**
 * @param request a `Request` of the fetch standard, or Node's `IncomingMessage`
 * @returns bytes for the engine; undefined when there is more than a request may have
 */
export function presented(request) {
  const entries = [
    [":method", text(request?.method) ?? "GET"],
    [":url", text(request?.url) ?? ""],
  ];
  for (const name of HEADERS) {
    for (const value of values(request?.headers, name)) entries.push([name, value]);
  }
  const length = entries.reduce((sum, [, value]) => sum + value.length, 0);
  return length > MAX_LENGTH ? undefined : pairs(entries);
}

/** A value that is not text is "", which the engine takes for what it is: there, and no good. */
function values(headers, name) {
  const value = typeof headers?.get === "function" ? headers.get(name) : headers?.[name];
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? value : [value]).map((one) => text(one) ?? "");
}

function text(value) {
  return typeof value === "string" ? value : undefined;
}
