/** The module fails: a typed error, and the next call works. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { code, counting, jwks, NOW, settings, token } from "./support.mjs";

const Instance = WebAssembly.Instance;
let isBroken = false;
let trapNext = false;

/** An instance whose `verify` traps when told to. */
WebAssembly.Instance = class {
  constructor(...given) {
    if (isBroken) throw new WebAssembly.LinkError("made to fail");
    const instance = new Instance(...given);
    const verify = (...numbers) => {
      if (trapNext) {
        trapNext = false;
        throw new WebAssembly.RuntimeError("unreachable");
      }
      return instance.exports.verify(...numbers);
    };
    return { exports: { ...instance.exports, verify } };
  }
};
const { createVerifier } = await import("doorward");

test("a trap is a typed error, and a fresh instance has the keys again", async () => {
  const fetch = counting(() => jwks());
  const fetching = createVerifier(settings({ keys: undefined, fetch }));
  const given = createVerifier(settings());
  const text = await token();
  assert.equal(await code(fetching.verify(text, { now: NOW })), "ok");
  trapNext = true;
  const error = await given.verify(text, { now: NOW }).catch((error) => error);
  assert.equal(error.code, "engine-unavailable");
  assert.equal(error.kind, "unavailable");
  assert.match(String(error.cause), /unreachable/);
  assert.equal(await code(given.verify(text, { now: NOW })), "ok");
  assert.equal(await code(fetching.verify(text, { now: NOW })), "ok");
  // They are used at once, and confirmed behind the answer.
  assert.ok(fetch.calls <= 2, `${fetch.calls} fetches`);
  trapNext = true;
  assert.equal(await code(() => given.verifySync(text.slice(0, -1), { now: NOW })), "engine-unavailable");
  assert.equal(await code(() => given.verifySync(text, { now: NOW })), "ok");
});

test("a module that can't be started is a typed error, and is tried again", async () => {
  const { createVerifier } = await import("./node_modules/doorward/scalar/node.js");
  isBroken = true;
  const verifier = createVerifier(settings());
  assert.equal(await code(verifier.verify(await token(), { now: NOW })), "engine-unavailable");
  const check = await verifier.check(new Request("https://app.example.com/"));
  assert.equal(check.outcome, "unavailable");
  assert.ok(check.retryAfter >= 1);
  isBroken = false;
  assert.equal(await code(verifier.verify(await token(), { now: NOW })), "ok");
});

test("the words for a missing engine are the engine's own", async () => {
  const { Engine } = await import("./node_modules/doorward/simd/engine.js");
  const { engineUnavailable } = await import("./node_modules/doorward/simd/error.js");
  const { compiled } = await import("./node_modules/doorward/simd/inlined.js");
  const told = new Engine(compiled).facts("engine-unavailable");
  const { code, reason, kind, hint, status } = engineUnavailable();
  assert.deepEqual({ code, reason, kind, hint, status, message: hint }, told);
});
