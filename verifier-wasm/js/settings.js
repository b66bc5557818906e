/** `checked`: a verifier's settings, of the right types and without members that mean nothing. What they say, the engine judges. */

import { SettingsError } from "./error.js";
import { pairs } from "./pairs.js";

const isText = (value) => typeof value === "string";
const isList = (value) => Array.isArray(value) && value.every(isText);
const oneOf = (...words) => (value) => words.includes(value);

/** Each setting: what it must be, in words and as a test. */
const SETTINGS = {
  publishableKey: ["a string: NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", isText],
  issuer: ["a string such as https://clerk.example.com", isText],
  issuerAliases: ["a list of issuers", isList],
  keys: ["a URL, a JWKS, or key material as text", (value) => isText(value) || (typeof value === "object" && value !== null)],
  authorizedParties: ['a list of origins, or the words "any party"', (value) => value === "any party" || isList(value)],
  missingAzp: ['"refuse" or "allow"', oneOf("refuse", "allow")],
  cookies: ['"on" or "off"', oneOf("on", "off")],
  templateAudience: ["a string", isText],
  clockSkewSecs: ["a number of seconds", (value) => Number.isFinite(value) && value >= 0],
  acceptPending: ["true or false", (value) => typeof value === "boolean"],
  algorithms: ["a list of algorithms, with one at least", (value) => isList(value) && value.length > 0],
  denyKids: ["a list of key ids", isList],
  signature: ['"wasm" or "platform"', oneOf("wasm", "platform")],
  fetch: ["a function", (value) => typeof value === "function"],
};

/** Gives `{pairs, keysUrl?, keysGiven?, signature?, fetch?}`, or throws a `SettingsError` with every mistake. */
export function checked(settings) {
  if (settings === null || typeof settings !== "object") throw new SettingsError("createVerifier takes an object of settings");
  const mistakes = [...mistakesIn(settings)];
  if (mistakes.length > 0) throw new SettingsError(mistakes.join("; "));
  const { keys, signature, fetch } = settings;
  return { pairs: asPairs(settings), ...source(keys), signature, fetch };
}

function* mistakesIn(settings) {
  for (const [name, value] of Object.entries(settings)) {
    const setting = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
    if (setting === undefined) yield `there is no setting ${name}`;
    else if (value !== undefined && !setting[1](value)) yield `${name} must be ${setting[0]}`;
  }
  if ((settings.publishableKey === undefined) === (settings.issuer === undefined)) yield "give publishableKey or issuer, one of them";
  if (settings.authorizedParties === undefined) yield `authorizedParties must be ${SETTINGS.authorizedParties[0]}: whose tokens to accept is never assumed`;
}

/** Where the keys come from: the issuer, a URL, or the settings themselves. */
function source(keys) {
  if (keys === undefined) return {};
  if (keys instanceof URL || (isText(keys) && /^https?:/i.test(keys.trim()))) return { keysUrl: String(keys).trim() };
  return { keysGiven: isText(keys) ? keys : JSON.stringify(keys) };
}

function asPairs(settings) {
  const each = (name, values) => (values ?? []).map((value) => [name, value]);
  const parties = settings.authorizedParties;
  return pairs([
    ["publishableKey", settings.publishableKey],
    ["issuer", settings.issuer],
    ...each("issuerAlias", settings.issuerAliases),
    ...each("authorizedParty", isText(parties) ? [parties] : parties),
    ["missingAzp", settings.missingAzp],
    ["cookies", settings.cookies],
    ["templateAudience", settings.templateAudience],
    ["clockSkewMillis", settings.clockSkewSecs === undefined ? undefined : String(Math.round(settings.clockSkewSecs * 1000))],
    ["acceptPending", settings.acceptPending === true ? "true" : undefined],
    ...each("algorithm", settings.algorithms),
    ...each("denyKid", settings.denyKids),
  ]);
}
