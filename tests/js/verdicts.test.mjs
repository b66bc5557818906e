/** Accepted tokens that are remembered: no two share an entry, and none outlives its token, its key or a revocation. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createVerifier } from "doorward";
import { Verdicts } from "./node_modules/doorward/simd/verdicts.js";
import { code, NOW, settings, token } from "./support.mjs";

/** Numbers that look random and are the same each time (mulberry32). */
function numbers(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

test("whatever is kept, looked up and forgotten, what is found is what was kept for this very token, while it holds", () => {
  for (let seed = 0; seed < 200; seed += 1) {
    const random = numbers(seed);
    const verdicts = new Verdicts();
    const model = new Map();
    // Few letters and few lengths: tokens with equal tails, and tokens that are the tail of others, come up often.
    const text = () => "ab".charAt(random(2)).repeat(random(50)) + "c".repeat(40 + random(6)) + random(3);
    for (let step = 0; step < 200; step += 1) {
      const some = text();
      const now = random(100);
      if (random(10) === 0) {
        verdicts.clear();
        model.clear();
      } else if (random(2) === 0) {
        const kept = { token: some, from: now, until: now + random(20) };
        verdicts.keep(some, kept, kept.from, kept.until);
        model.set(some, kept);
      } else {
        const found = verdicts.get(some, now);
        if (found === undefined) continue;
        assert.equal(found.token, some);
        assert.equal(found, model.get(some));
        assert.ok(found.from <= now && now < found.until);
      }
    }
  }
});

test("there is a bound on entries and on the size of each", () => {
  const verdicts = new Verdicts();
  const tokens = Array.from({ length: 5000 }, (_, i) => `${"x".repeat(50)}${i}`);
  for (const text of tokens) {
    verdicts.keep(text, text, 0, 1);
    assert.ok(verdicts.size <= 1000);
  }
  for (const text of tokens.slice(-500)) assert.equal(verdicts.get(text, 0), text);
  verdicts.keep("y".repeat(8193), {}, 0, 1);
  assert.equal(verdicts.get("y".repeat(8193), 0), undefined);
});

test("an entry that is looked up stays, whatever else comes", () => {
  const verdicts = new Verdicts();
  verdicts.keep("in use", "session", 0, 1);
  for (let i = 0; i < 5000; i += 1) {
    verdicts.keep(`${"x".repeat(50)}${i}`, {}, 0, 1);
    if (i % 400 === 0) assert.equal(verdicts.get("in use", 0), "session");
    assert.ok(verdicts.size <= 1000);
  }
});

test("a token that differs in any one character is not the one that was accepted", async () => {
  const verifier = createVerifier(settings());
  const text = await token();
  assert.equal(await code(verifier.verify(text, { now: NOW })), "ok");
  const random = numbers(7);
  for (let i = 0; i < 500; i += 1) {
    const at = random(text.length);
    const other = text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
    assert.notEqual(await code(verifier.verify(other, { now: NOW })), "ok", `changed at ${at}`);
  }
});

test("an entry dies with its token, also when the clock is set back", async () => {
  const verifier = createVerifier(settings({ clockSkewSecs: 0 }));
  const text = await token();
  assert.equal(await code(verifier.verify(text, { now: NOW + 30_000 })), "ok");
  assert.equal(await code(verifier.verify(text, { now: NOW + 59_999 })), "ok");
  assert.equal(await code(verifier.verify(text, { now: NOW + 60_000 })), "token-expired");
  assert.equal(await code(verifier.verify(text, { now: NOW - 20_000 })), "token-not-active-yet");
});

test("an entry dies with a revocation, of the session or of the user up to then", async () => {
  const verifier = createVerifier(settings());
  const [one, two] = [await token(), await token({ sessionId: "sess_2" })];
  for (const text of [one, two]) assert.equal(await code(verifier.verify(text, { now: NOW })), "ok");
  verifier.revoke({ sessionId: "sess_1" }, { now: NOW });
  assert.equal(await code(verifier.verify(one, { now: NOW })), "session-revoked");
  assert.equal(await code(verifier.verify(two, { now: NOW })), "ok");
  verifier.revoke({ userId: "user_ada" }, { now: NOW + 1000 });
  assert.equal(await code(verifier.verify(two, { now: NOW + 1000 })), "session-revoked");
  const later = await token({ sessionId: "sess_3", now: NOW + 2000 });
  assert.equal(await code(verifier.verify(later, { now: NOW + 2000 })), "ok");
  const request = new Request("https://app.example.com/api", { headers: { authorization: `Bearer ${one}` } });
  assert.equal((await verifier.check(request, { now: NOW })).outcome, "rejected");
});
