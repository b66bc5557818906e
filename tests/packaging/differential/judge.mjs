/**
 * `node judge.mjs TOKENS DIFFERENCES`: the tokens that `tests/differential.rs` wrote, judged by jose, by @clerk/backend and
 * by this package, whose verdict must be the one that Rust wrote beside each. The first line of TOKENS says with what key
 * and when; each further one is a token and its code.
 */

import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { verifyToken } from "@clerk/backend";
import { createVerifier } from "doorward";
import { jwtVerify } from "jose";

const [tokensFile, differencesFile] = process.argv.slice(2);
const [first, ...lines] = readFileSync(tokensFile, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
const { issuer, leeway, modulus, now, seed } = first;

const key = createPublicKey({ key: { kty: "RSA", n: modulus, e: "AQAB" }, format: "jwk" });
const pem = key.export({ type: "spki", format: "pem" });

// What no other library looks at is left open, as in Rust.
const settings = { issuer, keys: pem, authorizedParties: "any party", missingAzp: "allow", acceptPending: true };
const engines = ["wasm", "platform", undefined].map((signature) => createVerifier({ ...settings, signature }));

async function ours(engine, token) {
  try {
    await engine.verify(token, { now: now * 1000 });
    return "ok";
  } catch (error) {
    return error.code ?? String(error);
  }
}

/** Each as strict as it can be told to be; what they answer is "accepts", or the name of their refusal. */
const judges = {
  jose: (token) =>
    jwtVerify(token, key, {
      algorithms: ["RS256"],
      issuer,
      clockTolerance: leeway,
      currentDate: new Date(now * 1000),
      requiredClaims: ["exp", "sub"],
    }),
  "@clerk/backend": (token) => verifyToken(token, { jwtKey: pem, issuer, clockSkewInMs: leeway * 1000 }),
};

// @clerk/backend can't be told the time.
Date.now = () => now * 1000;

async function theirs(judge, token) {
  try {
    await judge(token);
    return "accepts";
  } catch (error) {
    return error.reason ?? error.code ?? error.name;
  }
}

/** The rows of the list that are about these two: `| who | our code | their answer | why |`. */
function listed() {
  const rows = readFileSync(differencesFile, "utf8").split("\n");
  const cells = rows.map((row) => row.split("|").map((cell) => cell.trim().replaceAll("`", "")));
  return new Set(cells.filter(([, who, , , why]) => who in judges && why).map((row) => row.slice(1, 4).join(" | ")));
}

/** A token's header and payload, for a person to read. */
const inPlain = (token) => token.split(".").slice(0, 2).map((part) => Buffer.from(part, "base64url").toString()).join(" ");

const expected = listed();
/** How often each difference was met. */
const seen = new Map();
let passed = 0;
let failed = 0;

function fail(text) {
  failed += 1;
  if (failed <= 50) console.log(text);
}

for (const [token, code] of lines) {
  const verdicts = await Promise.all(engines.map((engine) => ours(engine, token)));
  const isTheSame = verdicts.every((verdict) => verdict === code);
  if (!isTheSame) fail(`${code} in Rust, ${verdicts} in JavaScript: ${JSON.stringify(inPlain(token))}`);
  let unlisted = false;
  for (const [who, judge] of Object.entries(judges)) {
    const answer = await theirs(judge, token);
    if ((code === "ok") === (answer === "accepts")) continue;
    const difference = `${who} | ${code} | ${answer}`;
    unlisted ||= !expected.has(difference);
    if (!expected.has(difference) && !seen.has(difference)) fail(`not listed: | ${difference} | ${JSON.stringify(inPlain(token))}`);
    seen.set(difference, (seen.get(difference) ?? 0) + 1);
  }
  if (isTheSame && !unlisted) passed += 1;
}
// A row that is met no more would excuse what nobody meant.
if (seed === 1) for (const difference of expected) if (!seen.has(difference)) fail(`listed, and not seen: ${difference}`);

const accepted = lines.filter(([, code]) => code === "ok").length;
const met = [...seen.values()].reduce((sum, times) => sum + times, 0);
console.log(`seed ${seed}: ${lines.length} tokens, ${accepted} accepted; ${met} differences of ${seen.size} kinds`);
console.log(`${passed} passed, ${failed} failed`);
// A run in which nothing passes, or nothing fails, compares nothing.
process.exitCode = failed === 0 && accepted > lines.length / 10 && accepted < lines.length / 2 ? 0 : 1;
