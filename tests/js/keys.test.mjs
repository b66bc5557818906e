/** Keys by URL: one fetch however many wait, and an answer whatever the server does. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createVerifier } from "doorward";
import { createTestIssuer } from "doorward/testing";
import { code, counting, issuer, jwks, NOW, serving, settings, token } from "./support.mjs";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test("many at once are one fetch, of the issuer's public JWKS", async () => {
  const asked = [];
  const fetch = counting(async (url) => {
    asked.push(url);
    await new Promise((done) => setTimeout(done, 20));
    return jwks();
  });
  const verifier = createVerifier(settings({ keys: undefined, fetch }));
  const text = await token();
  const sessions = await Promise.all(Array.from({ length: 50 }, () => verifier.verify(text, { now: NOW })));
  assert.equal(fetch.calls, 1);
  assert.deepEqual(asked, [`${issuer.issuer}/.well-known/jwks.json`]);
  assert.equal(new Set(sessions.map((session) => session.userId)).size, 1);
});

test("hopeless tokens cost no fetch, and unknown key ids at most one in half a minute", async () => {
  const fetch = counting(() => jwks());
  const verifier = createVerifier(settings({ keys: undefined, fetch }));
  for (const hopeless of ["x", "a.b.c", await token({ header: { alg: "none" } }), await token({ claims: { iss: "https://evil.example" } })]) {
    assert.notEqual(await code(verifier.verify(hopeless, { now: NOW })), "ok");
  }
  assert.equal(fetch.calls, 0);
  for (let i = 0; i < 100; i += 1) {
    const unknown = await token({ header: { kid: `ins_${i}` } });
    assert.equal(await code(verifier.verify(unknown, { now: NOW + i * 100 })), "unknown-kid");
  }
  assert.ok(fetch.calls <= 2, `${fetch.calls} fetches`);
  assert.equal(await code(verifier.verify(await token(), { now: NOW + 10_000 })), "ok");
});

test("keys are refreshed behind the answer, used while the issuer is away, and not for longer than a day", async () => {
  let isAway = false;
  const fetch = counting(() => (isAway ? new Response("", { status: 500 }) : jwks()));
  const verifier = createVerifier(settings({ keys: undefined, fetch }));
  const at = async (now) => code(verifier.verify(await token({ now }), { now }));
  assert.equal(await at(NOW), "ok");
  isAway = true;
  const behind = [];
  const due = NOW + 11 * MINUTE;
  await verifier.verify(await token({ now: due }), { now: due, waitUntil: (work) => behind.push(work) });
  assert.equal(behind.length, 1);
  await Promise.all(behind);
  assert.equal(fetch.calls, 2);
  assert.equal(await at(NOW + 23 * HOUR), "ok");
  const error = await verifier.verify(await token({ now: NOW + 25 * HOUR }), { now: NOW + 25 * HOUR }).catch((error) => error);
  assert.equal(error.code, "keys-unavailable");
  assert.equal(error.kind, "unavailable");
  assert.ok(error.retryAfter >= 1);
  isAway = false;
  assert.equal(await at(NOW + 25 * HOUR + 2 * MINUTE), "ok");
});

test("a server's copy is as old as its answer from the issuer", async () => {
  const askedAt = Math.floor(NOW / 1000) - 23 * 3600;
  const fetch = counting(() => jwks(undefined, { "x-doorward-asked-at": String(askedAt) }));
  const verifier = createVerifier(settings({ keys: "https://api.example.com/.well-known/jwks.json", fetch }));
  const at = async (now) => code(verifier.verify(await token({ now }), { now }));
  assert.equal(await at(NOW), "ok");
  assert.equal(await at(NOW + 30 * MINUTE), "ok");
  assert.equal(await at(NOW + 2 * HOUR), "keys-unavailable");
});

test("a withdrawn key takes what was accepted with it", async () => {
  const other = await createTestIssuer();
  let published = issuer.jwks;
  const fetch = counting(() => jwks(published));
  const verifier = createVerifier(settings({ keys: undefined, fetch }));
  const text = await token({ lifetimeSecs: 3000 });
  assert.equal(await code(verifier.verify(text, { now: NOW })), "ok");
  assert.equal(await code(verifier.verify(text, { now: NOW + 1000 })), "ok");
  published = other.jwks;
  const behind = [];
  const due = NOW + 11 * MINUTE;
  await verifier.verify(text, { now: due, waitUntil: (work) => behind.push(work) });
  await Promise.all(behind);
  assert.equal(await code(verifier.verify(text, { now: due + 1000 })), "wrong-signature");
});

test("whatever a JWKS URL answers is a typed failure, and the next call works", async (t) => {
  const good = JSON.stringify(issuer.jwks);
  let answer = (response) => response.end(good);
  const url = await serving(t, (request, response) => answer(response));
  const bad = {
    html: (response) => response.setHeader("content-type", "text/html").end("<!doctype html><p>hello"),
    "404": (response) => response.writeHead(404).end("{}"),
    "500": (response) => response.writeHead(500).end(good),
    "a redirect": (response) => response.writeHead(302, { location: url }).end(),
    "10 MB": (response) => response.end(Buffer.alloc(10_000_000, " ")),
    "an empty body": (response) => response.end(),
    "a broken stream": (response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("{");
      setTimeout(() => response.destroy(), 10);
    },
    "nothing, ever": () => {},
  };
  for (const [name, misbehave] of Object.entries(bad)) {
    const verifier = createVerifier(settings({ keys: url }));
    answer = misbehave;
    const now = Date.now();
    const error = await verifier.verify(await token({ now }), { now }).catch((error) => error);
    assert.equal(error.code, "keys-unavailable", name);
    assert.equal(error.kind, "unavailable", name);
    answer = (response) => response.end(good);
    const later = now + 61_000;
    assert.equal(await code(verifier.verify(await token({ now: later }), { now: later })), "ok", name);
  }
});

test("verifySync says that keys are missing, fetches them, and has them after ready", async () => {
  const fetch = counting(() => jwks());
  const verifier = createVerifier(settings({ keys: undefined, fetch }));
  const text = await token();
  assert.equal(await code(() => verifier.verifySync(text, { now: NOW })), "keys-unavailable");
  await verifier.ready({ now: NOW });
  assert.equal(verifier.verifySync(text, { now: NOW }).userId, "user_ada");
  assert.equal(fetch.calls, 1);
});
