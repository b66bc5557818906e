/** What is presented as a token, and settings that are none. */

import assert from "node:assert/strict";
import crypto from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createVerifier, SettingsError, VerifyError } from "doorward";
import { Engine } from "./node_modules/doorward/simd/engine.js";
import { Session } from "./node_modules/doorward/simd/session.js";
import { code, NOW, ORIGIN, settings, token } from "./support.mjs";

test("what is not a string is refused by code, and the next call works", async () => {
  const verifier = createVerifier(settings());
  for (const nothing of [undefined, null]) assert.equal(await code(verifier.verify(nothing)), "token-missing");
  const others = [0, 1n, true, Symbol("x"), {}, [], () => {}, new String("x"), Buffer.from("x"), Object.create(null)];
  for (const other of others) {
    assert.equal(await code(verifier.verify(other)), "malformed-token");
    assert.equal(await code(() => verifier.verifySync(other)), "malformed-token");
  }
  assert.equal((await verifier.verify(await token(), { now: NOW })).userId, "user_ada");
});

test("a huge token is refused before it reaches the module's memory", async () => {
  const memories = [];
  const { Instance } = WebAssembly;
  WebAssembly.Instance = class extends Instance {
    constructor(...given) {
      super(...given);
      memories.push(this.exports.memory);
    }
  };
  const { createVerifier } = await import("./node_modules/doorward/scalar/node.js");
  const verifier = createVerifier(settings());
  WebAssembly.Instance = Instance;
  assert.equal(await code(verifier.verify("x".repeat(100))), "malformed-token");
  const before = memories[0].buffer.byteLength;
  for (const text of ["x".repeat(32 * 1024 + 1), "x".repeat(50_000_000), "é".repeat(32 * 1024), "\u{1f600}".repeat(1_000_000)]) {
    assert.equal(await code(verifier.verify(text)), "token-too-large");
  }
  assert.equal(memories[0].buffer.byteLength, before);
  assert.equal(memories.length, 1);
});

test("text that is no UTF-8 when it leaves JavaScript is refused", async () => {
  const verifier = createVerifier(settings());
  for (const text of ["\ud800", "a.b.\udfff", "\u0000", "..", "a.b.c", ""]) {
    assert.match(await code(verifier.verify(text)), /^(malformed|token-missing)/);
  }
});

test("a character is in the alphabet of base64url or refused, wherever it stands, in both modules", async () => {
  const scalar = await import("./node_modules/doorward/scalar/node.js");
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const others = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter((one) => !alphabet.includes(one) && one !== ".");
  const text = await token();
  const start = text.lastIndexOf(".") + 1;
  // The bits that are left over are in the last one: a signature has 256 bytes.
  const last = text.length - 1;
  const places = [...Array.from({ length: 36 }, (_, at) => start + at), ...Array.from({ length: 24 }, (_, back) => last - back)];
  for (const make of [createVerifier, scalar.createVerifier]) {
    const verifier = make(settings());
    const judged = (text) => code(() => verifier.verifySync(text, { now: NOW }));
    for (const at of places) {
      const changed = (character) => text.slice(0, at) + character + text.slice(at + 1);
      for (const character of others) assert.equal(await judged(changed(character)), "malformed-base64url", `${character} at ${at}`);
      for (const [value, character] of [...alphabet].entries()) {
        const expected = at === last && value % 16 !== 0 ? "malformed-base64url" : character === text[at] ? "ok" : "wrong-signature";
        assert.equal(await judged(changed(character)), expected, `${character} at ${at}`);
      }
    }
    for (let length = 0; length < 70; length += 1) {
      const expected = length === 0 ? "malformed-token" : length % 4 === 1 ? "malformed-base64url" : "wrong-signature";
      assert.equal(await judged(text.slice(0, start) + "A".repeat(length)), expected, `${length} characters`);
    }
  }
});

test("a refusal carries code, reason, kind, hint and both sides of a comparison", async () => {
  const verifier = createVerifier(settings());
  const error = await verifier.verify(await token(), { now: NOW + 3_600_000 }).catch((error) => error);
  assert.ok(error instanceof VerifyError && error instanceof Error);
  const { code, reason, kind, status, message } = error;
  assert.deepEqual({ code, reason, kind, status }, { code: "token-expired", reason: "token-expired", kind: "refused", status: 401 });
  assert.match(message, /expired at 1768478460, now 1768482000/);
  assert.match(error.hint, /getToken/);
});

test("an error of another copy of the package is one too, and other errors are not", async () => {
  const other = await import("./node_modules/doorward/scalar/node.js");
  assert.notEqual(other.VerifyError, VerifyError);
  const error = await createVerifier(settings()).verify("x").catch((error) => error);
  assert.ok(error instanceof other.VerifyError);
  for (const value of [new Error("x"), {}, null, undefined, "x"]) assert.ok(!(value instanceof VerifyError));
});

test("a session is frozen, and reads custom claims as they are", async () => {
  const verifier = createVerifier(settings());
  const text = await token({ claims: { roles: ["a", "b"], nested: { deep: 1.5 }, __proto__x: 1, "naïve": "\n\u2028" } });
  const session = await verifier.verify(text, { now: NOW });
  assert.deepEqual(session.claims.roles, ["a", "b"]);
  assert.equal(session.claims["naïve"], "\n\u2028");
  assert.equal(session.claims, session.claims);
  assert.throws(() => (session.userId = "user_eve"), TypeError);
  assert.throws(() => session.claims.roles.push("admin"), TypeError);
  assert.equal(session, await verifier.verify(text, { now: NOW + 1000 }));
  const copy = JSON.parse(JSON.stringify(session));
  assert.deepEqual(copy.claims, session.claims);
  assert.deepEqual([copy.userId, copy.organization, copy.features], ["user_ada", null, { organization: [], user: [] }]);
});

test("wrong settings are named, all of them, where they are written", () => {
  const wrong = (changes) => {
    try {
      createVerifier(settings(changes));
    } catch (error) {
      assert.ok(error instanceof SettingsError, `${error}`);
      return error.message;
    }
    assert.fail(`accepted ${JSON.stringify(changes)}`);
  };
  assert.match(wrong({ authorizedParties: undefined }), /authorizedParties must be/);
  assert.match(wrong({ authorizedParties: [] }), /no authorized party/);
  assert.match(wrong({ authorizedParties: "https://app.example.com" }), /authorizedParties must be/);
  assert.match(wrong({ authorizedParties: ["app.example.com"] }), /scheme is missing/);
  assert.match(wrong({ authorisedParties: [ORIGIN] }), /no setting authorisedParties/);
  assert.match(wrong({ issuer: "https://clerk.example.com" }), /one of them/);
  assert.match(wrong({ publishableKey: "sk_test_x" }), /secret key/);
  assert.match(wrong({ clockSkewSecs: 3600 }), /clock skew/);
  assert.match(wrong({ clockSkewSecs: -1, missingAzp: "maybe" }), /clockSkewSecs must be.*missingAzp must be|missingAzp must be.*clockSkewSecs must be/);
  assert.match(wrong({ keys: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----" }), /given keys/);
  for (const none of [undefined, null, 1, "x"]) assert.throws(() => createVerifier(none), SettingsError);
});

test("many at once get each their own answer, whoever checks signatures", async () => {
  for (const signature of [undefined, "wasm", "platform"]) {
    const verifier = createVerifier(settings({ signature }));
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, i) => token({ userId: `user_${i}`, sessionId: `sess_${i}`, claims: { n: i } })));
    const bearer = (text) => new Request(ORIGIN, { headers: { authorization: `Bearer ${text}` } });
    const expected = tokens.map((_, i) => [`user_${i}`, `sess_${i}`, i]);
    const seen = ({ userId, sessionId, claims }) => [userId, sessionId, claims.n];
    const checks = await Promise.all(tokens.map((text) => verifier.check(bearer(text), { now: NOW })));
    assert.deepEqual(checks.map(({ session }) => seen(session)), expected);
    const sessions = await Promise.all(tokens.map((text) => verifier.verify(text, { now: NOW })));
    assert.deepEqual(sessions.map(seen), expected);
    // Refusals and acceptances in turn.
    const fresh = await Promise.all(tokens.map((_, i) => token({ userId: `user_${i}`, lifetimeSecs: i % 2 === 0 ? 50 : -60 })));
    const settled = await Promise.allSettled(fresh.map((text) => verifier.verify(text, { now: NOW })));
    const told = settled.map(({ value, reason }) => value?.userId ?? reason.code);
    assert.deepEqual(told, fresh.map((_, i) => (i % 2 === 0 ? `user_${i}` : "token-expired")));
  }
});

test("where Node has no hash at once, its stream checks signatures, with the same verdicts", async () => {
  const quick = createVerifier(settings());
  const { hash } = crypto;
  crypto.hash = undefined;
  const streaming = createVerifier(settings());
  crypto.hash = hash;
  const good = await token();
  const [header, payload, signature] = good.split(".");
  const other = (await token({ userId: "user_eve" })).split(".")[2];
  const texts = [good, `${header}.${payload}.${other}`, `${header}.${payload}.${signature.slice(4)}`, `${header}.${payload}.AAAA${signature}`];
  for (const bytes of [Buffer.alloc(256), Buffer.alloc(256, 0xff)]) texts.push(`${header}.${payload}.${bytes.toString("base64url")}`);
  for (const [at, text] of texts.entries()) {
    const expected = at === 0 ? "ok" : "wrong-signature";
    for (const verifier of [quick, streaming]) assert.equal(await code(verifier.verify(text, { now: NOW })), expected, `${at}`);
  }
});

test("a condition that can't be read is met by nobody, and takes nothing away from the others", () => {
  const bytes = readFileSync(new URL("./node_modules/doorward/simd/engine_bg.wasm", import.meta.url));
  const claims = JSON.stringify({ v: 2, o: { id: "org_1", rol: "admin", slg: "acme" }, fva: [1, 1] });
  const session = new Session(new Engine(() => new WebAssembly.Module(bytes)), { claims });
  assert.ok(session.has({ role: "admin" }));
  assert.ok(session.has({ role: "admin", reverification: "strict", feature: undefined }));
  assert.ok(session.has({ role: "admin", reverification: { level: "first_factor", afterMinutes: 10 } }));
  const unread = [null, {}, [], "strictt", 5, { level: "first_factor" }, { afterMinutes: 10 }, { level: null, afterMinutes: 10 }];
  for (const reverification of unread) assert.ok(!session.has({ role: "admin", reverification }), JSON.stringify(reverification));
  assert.ok(!session.has({ role: "admin", permision: "org:a:b" }));
  for (const requirement of [undefined, null, {}, { role: null }, { role: undefined }]) assert.ok(!session.has(requirement));
});
