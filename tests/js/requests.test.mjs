/** Requests as hosts give them, and what doorward/next makes of them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createVerifier } from "doorward";
import { inFront, inside, instead } from "doorward/next";
import { createTestIssuer } from "doorward/testing";
import { settings, issuer, ORIGIN } from "./support.mjs";

const verifier = createVerifier(settings());
const bearer = (value, init = {}) => new Request("https://app.example.com/api/things", { ...init, headers: { ...init.headers, authorization: value } });
const fresh = () => issuer.token({ authorizedParty: ORIGIN });

test("a request without headers, or with hostile ones, is decided and never throws", async () => {
  const hostile = [
    {},
    { headers: undefined },
    { headers: null },
    { headers: {} },
    { headers: { authorization: 1 } },
    { headers: { authorization: ["Bearer a", "Bearer b"] } },
    { headers: { get: () => { throw new Error("no"); } } },
    { headers: { get: () => ({ toString: () => "Bearer x" }) } },
    { method: 1, url: 2, headers: new Headers() },
    undefined,
    null,
    { headers: new Headers({ cookie: "x".repeat(100_000) }) },
    { url: "https://app.example.com/?__clerk_handshake=%", headers: new Headers({ cookie: "__session=%E0%A4%A; __client_uat=1" }) },
  ];
  for (const request of hostile) {
    const check = await verifier.check(request);
    assert.ok(["anonymous", "rejected", "stale"].includes(check.outcome), `${check.outcome}`);
    assert.equal(typeof check.error.code, "string");
  }
});

test("Node's own request is understood", async () => {
  const headers = { authorization: `Bearer ${await fresh()}` };
  assert.equal((await verifier.check({ method: "GET", url: "/api", headers })).outcome, "verified");
});

test("in front of Clerk: garbage and machine tokens in a header stop, all else goes on", async () => {
  let reached = 0;
  const middleware = inFront(verifier, () => {
    reached += 1;
    return new Response("clerk");
  });
  const stops = ["Bearer garbage", "Bearer null", "Bearer mt_abc", "Bearer oat_abc", "Bearer ak_abc", `Bearer ${(await fresh()).slice(0, -3)}AAA`];
  for (const value of stops) {
    const response = await middleware(bearer(value));
    assert.equal(response.status, 401, value);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    assert.match(response.headers.get("www-authenticate"), /^Bearer/);
  }
  assert.equal(reached, 0);
  const goesOn = [
    bearer(`Bearer ${await fresh()}`),
    bearer(`Bearer ${await issuer.token({ authorizedParty: ORIGIN, lifetimeSecs: -60 })}`),
    bearer("Basic dXNlcjpwYXNz"),
    new Request("https://app.example.com/"),
    new Request("https://app.example.com/", { headers: { cookie: "__session=garbage; __client_uat=1" } }),
    new Request("https://app.example.com/?__clerk_handshake=x"),
  ];
  for (const request of goesOn) assert.equal(await (await middleware(request)).text(), "clerk");
  const passing = inFront(verifier, () => new Response("clerk"), { machineTokens: "pass" });
  assert.equal(await (await passing(bearer("Bearer mt_abc"))).text(), "clerk");
});

test("instead of Clerk: what is not verified is answered, a preflight is not", async () => {
  const middleware = instead(verifier);
  assert.equal(await middleware(bearer(`Bearer ${await fresh()}`)), undefined);
  const anonymous = await middleware(new Request("https://app.example.com/api"));
  assert.equal(anonymous.status, 401);
  assert.equal((await anonymous.json()).code, "token-missing");
  const preflight = new Request("https://app.example.com/api", { method: "OPTIONS", headers: { "access-control-request-method": "POST" } });
  assert.equal(await middleware(preflight), undefined);
  const away = createVerifier(settings({ keys: undefined, fetch: async () => new Response("", { status: 503 }) }));
  const unavailable = await instead(away)(bearer(`Bearer ${await fresh()}`));
  assert.equal(unavailable.status, 503);
  assert.ok(Number(unavailable.headers.get("retry-after")) >= 1);
});

test("inside Clerk: a refusal is answered, the rest is told to the handler", async () => {
  const handler = inside(verifier, (auth, request, event, check) => new Response(`${auth} ${check.outcome}`));
  assert.equal(await (await handler("auth", bearer(`Bearer ${await fresh()}`))).text(), "auth verified");
  assert.equal((await handler("auth", bearer("Bearer x"))).status, 401);
});

test("the test issuer does not run in production", async () => {
  process.env.NODE_ENV = "production";
  try {
    await assert.rejects(createTestIssuer(), /production/);
  } finally {
    delete process.env.NODE_ENV;
  }
});
