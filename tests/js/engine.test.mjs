/** The module fails: a typed error, and the next call works. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { code, counting, jwks, NOW, settings, token } from "./support.mjs";

const Instance = WebAssembly.Instance;
let isBroken = false;
/** The export that traps when it is called next. */
let trapIn;

/** An instance whose exports trap when told to. */
WebAssembly.Instance = class {
  constructor(...given) {
    if (isBroken) throw new WebAssembly.LinkError("made to fail");
    const exports = { ...new Instance(...given).exports };
    for (const [name, work] of Object.entries(exports)) {
      if (typeof work !== "function") continue;
      exports[name] = (...numbers) => {
        if (trapIn === name) {
          trapIn = undefined;
          throw new WebAssembly.RuntimeError("unreachable");
        }
        return work(...numbers);
      };
    }
    return { exports };
  }
};
const { createVerifier } = await import("doorward");

test("a trap is a typed error, and a fresh instance has the keys again", async () => {
  const fetch = counting(() => jwks());
  const fetching = createVerifier(settings({ keys: undefined, fetch }));
  const given = createVerifier(settings());
  const text = await token();
  assert.equal(await code(fetching.verify(text, { now: NOW })), "ok");
  trapIn = "verify";
  const error = await given.verify(text, { now: NOW }).catch((error) => error);
  assert.equal(error.code, "engine-unavailable");
  assert.equal(error.kind, "unavailable");
  assert.match(String(error.cause), /unreachable/);
  assert.equal(await code(given.verify(text, { now: NOW })), "ok");
  assert.equal(await code(fetching.verify(text, { now: NOW })), "ok");
  // They are used at once, and confirmed behind the answer.
  assert.ok(fetch.calls <= 2, `${fetch.calls} fetches`);
  trapIn = "verify";
  assert.equal(await code(() => given.verifySync(text.slice(0, -1), { now: NOW })), "engine-unavailable");
  assert.equal(await code(() => given.verifySync(text, { now: NOW })), "ok");
});

test("wherever in the module it traps, nothing is accepted by it, and the next call works", async () => {
  const text = await token();
  const request = new Request("https://app.example.com/", { headers: { authorization: `Bearer ${text}` } });
  for (const name of ["verify", "check", "reserve", "answer_ptr", "create", "give_keys"]) {
    const verifier = createVerifier(settings());
    // A new instance for the next: it creates the verifier anew.
    trapIn = "verify";
    assert.equal(await code(verifier.verify(text, { now: NOW })), "engine-unavailable");
    trapIn = name;
    const check = await verifier.check(request, { now: NOW });
    assert.equal(check.outcome, name === "verify" ? "verified" : "unavailable", name);
    trapIn = undefined;
    assert.equal((await verifier.check(request, { now: NOW })).outcome, "verified", name);
    assert.equal(await code(verifier.verify(text, { now: NOW })), "ok", name);
  }
  for (const name of ["fetched", "fetch_started", "wants_keys"]) {
    const verifier = createVerifier(settings({ keys: undefined, fetch: async () => jwks() }));
    trapIn = name;
    assert.match(await code(verifier.ready({ now: NOW })), /^(ok|engine-unavailable)$/, name);
    trapIn = undefined;
    const later = NOW + 60_000;
    assert.equal(await code(verifier.verify(await token({ now: later }), { now: later })), "ok", name);
  }
  for (const name of ["has", "grants"]) {
    const session = await createVerifier(settings()).verify(text, { now: NOW });
    trapIn = name;
    assert.equal(await code(() => (name === "has" ? session.has({ role: "admin" }) : session.organization)), "engine-unavailable");
    assert.equal(session.has({ role: "admin" }), false);
    assert.equal(session.organization, null);
  }
});

test("a module that does not come, or is none, is a typed error, and is asked for again", async () => {
  const { verifierFor } = await import("./node_modules/doorward/simd/verifier.js");
  const { bytes } = await import("./node_modules/doorward/simd/inlined.js");
  const answers = [
    async () => {
      throw new TypeError("fetch failed");
    },
    async () => WebAssembly.compile(new TextEncoder().encode("<!doctype html>")),
    async () => undefined,
    async () => WebAssembly.compile(bytes().slice(0, 1000)),
    async () => new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])),
  ];
  for (const answer of answers) {
    let load = answer;
    const verifier = verifierFor({ load: () => load(), fetchOptions: {} })(settings());
    const text = await token();
    assert.equal(await code(() => verifier.verifySync(text, { now: NOW })), "engine-unavailable");
    assert.equal(await code(verifier.verify(text, { now: NOW })), "engine-unavailable");
    assert.equal((await verifier.check(new Request("https://app.example.com/"), { now: NOW })).outcome, "unavailable");
    load = async () => WebAssembly.compile(bytes());
    assert.equal(await code(verifier.verify(text, { now: NOW })), "ok");
    assert.equal(await code(() => verifier.verifySync(text, { now: NOW })), "ok");
  }
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

test("a module that is loaded is asked for once, however many wait", async () => {
  const { verifierFor } = await import("./node_modules/doorward/simd/verifier.js");
  const { bytes } = await import("./node_modules/doorward/simd/inlined.js");
  let loads = 0;
  const load = async () => {
    loads += 1;
    return WebAssembly.compile(bytes());
  };
  const verifier = verifierFor({ load, fetchOptions: {} })(settings());
  const text = await token();
  assert.deepEqual(await Promise.all([1, 2, 3].map(() => code(verifier.verify(text, { now: NOW })))), ["ok", "ok", "ok"]);
  assert.equal(loads, 1);
});
