/**
 * `node alongside.mjs DOORWARD`: the check in front of the real `clerkMiddleware` changes nothing for any request that is
 * Clerk's to answer, and stops the others before they cost a call. Both are asked, and their answers compared.
 */

import assert from "node:assert/strict";
import { createDecipheriv, createHash } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { check, claimsOf, hostsOutside, Issuer, main, project } from "./support.mjs";

const [doorward] = process.argv.slice(2);

/** What Clerk's middleware takes for a session, and we don't: no Clerk makes such tokens. */
const STRICTER = new Set(["malformed-base64url", "wrong-iss"]);

/** What the middleware hands on encrypted, under a salt of its own each time. */
const SEALED = "x-middleware-request-x-clerk-request-data";

/** What the local issuer names in its tokens. */
const PARTY = "http://localhost:3000";

await main(async () => {
  const issuer = await Issuer.start(doorward);
  const api = await countingProxy(issuer.url);
  const path = await project("guide");
  Object.assign(process.env, {
    NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY: issuer.publishableKey,
    CLERK_SECRET_KEY: issuer.secretKey,
    CLERK_API_URL: api.url,
    NEXT_PUBLIC_CLERK_PROXY_URL: issuer.url,
    NEXT_PUBLIC_CLERK_SIGN_IN_URL: "/sign-in",
    NEXT_PUBLIC_CLERK_TELEMETRY_DISABLED: "1",
    NODE_ENV: "production",
  });
  const require = createRequire(join(path, "package.json"));
  const { clerkMiddleware } = require("@clerk/nextjs/server");
  const { NextRequest } = require("next/server");
  const { createVerifier } = require("doorward");
  const { inFront } = require("doorward/next");

  const verifier = createVerifier({ publishableKey: issuer.publishableKey, authorizedParties: [PARTY] });
  const clerk = clerkMiddleware(
    async (auth, request) => {
      if (request.nextUrl.pathname.startsWith("/protected")) await auth.protect();
    },
    { authorizedParties: [PARTY] },
  );
  const front = inFront(verifier, clerk);
  const frontThatPasses = inFront(verifier, clerk, { machineTokens: "pass" });

  /** What a middleware answers, all of it, and which calls to Clerk's API it took. */
  async function answer(middleware, { method, url, headers }) {
    api.calls.length = 0;
    const request = new NextRequest(url, { method, headers });
    try {
      const response = await middleware(request, { waitUntil() {} });
      const headers = Object.fromEntries([...response.headers].sort());
      headers[SEALED] &&= unsealed(headers[SEALED], issuer.secretKey);
      // "Not found" is a rewrite to where nothing is, by the time.
      headers["x-middleware-rewrite"] &&= headers["x-middleware-rewrite"].replace(/clerk_\d{13}$/, "clerk_…");
      // The second in which it was asked: two answers about one request may come in two.
      headers["x-clerk-auth-message"] &&= headers["x-clerk-auth-message"].replace(/Current date: [^;]+/, "Current date: …");
      return { status: response.status, headers, body: await response.text(), calls: [...api.calls] };
    } catch (error) {
      // Clerk's middleware throws at a development instance's forged handshake.
      return { thrown: error.message, calls: [...api.calls] };
    }
  }

  /** What Clerk hands on to the application. */
  const status = ({ headers }) => headers["x-middleware-request-x-clerk-auth-status"];

  const suffix = createHash("sha1").update(issuer.publishableKey).digest("base64url").slice(0, 8);
  const cookies = (session, uat, names = ["", `_${suffix}`]) => {
    const pairs = names.flatMap((suffix) => [
      `__clerk_db_jwt${suffix}=dvb_1`,
      ...(session === undefined ? [] : [`__session${suffix}=${session}`]),
      ...(uat === undefined ? [] : [`__client_uat${suffix}=${uat}`]),
    ]);
    return { cookie: pairs.join("; ") };
  };
  const bearer = (token) => ({ authorization: `Bearer ${token}` });

  const good = await issuer.token();
  const { iat } = claimsOf(good);
  const expired = await issuer.token("--expired");
  const long = claimsOf(expired).iat;
  const forged = await issuer.token("--forged");
  const elsewhere = await issuer.token("--azp", "https://elsewhere.example.com");
  const template = await issuer.token("--template");
  const pending = await issuer.token("--pending");
  const noParty = await issuer.token("--claims", '{"azp":null}');
  const machine = await issuer.token("--claims", '{"sub":"mch_1"}');
  const otherIssuer = await issuer.token("--claims", '{"iss":"https://clerk.example.com"}');
  const early = await issuer.token("--claims", `{"nbf":${iat + 600}}`);
  const handshake = await issuer.token("--claims", `{"handshake":["__session=${good}; Path=/","__client_uat=${iat}; Path=/"]}`);

  /** What each browser sends, by what it has. */
  const presented = {
    nothing: {},
    "a development browser": cookies(undefined, 0),
    "a session": cookies(good, iat),
    "a session under plain names": cookies(good, iat, [""]),
    "a session under its instance's names": cookies(good, iat, [`_${suffix}`]),
    "a session with an organization": cookies(await issuer.token("--org"), iat),
    "a session of version 1": cookies(await issuer.token("--v1"), iat),
    "a session without a development browser": { cookie: `__session=${good}; __client_uat=${iat}` },
    "a session without client_uat": cookies(good),
    "client_uat without a session": cookies(undefined, iat),
    "a session older than client_uat": cookies(good, iat + 100),
    "an expired session": cookies(expired, long),
    "a session that begins later": cookies(early, iat),
    "a pending session": cookies(pending, iat),
    "a session without azp": cookies(noParty, iat),
    "a forged session": cookies(forged, iat),
    "a session for another party": cookies(elsewhere, iat),
    "a template's token in a cookie": cookies(template, iat),
    "a machine's token in a cookie": cookies(machine, iat),
    "garbage in a cookie": cookies("garbage", iat),
    "another instance's session": cookies(otherIssuer, iat),
    "a redirect that goes round": { cookie: `${cookies(expired, long).cookie}; __clerk_redirect_count=3` },
    "a token": bearer(good),
    "a token, and a forged session": { ...bearer(good), ...cookies(forged, iat) },
    "an expired token": bearer(expired),
    "a token that begins later": bearer(early),
    "a pending session's token": bearer(pending),
    "a template's token": bearer(template),
    "other credentials": { authorization: "Basic YWRhOmFkYQ==" },
    "other credentials, and a session": { authorization: "Basic YWRhOmFkYQ==", ...cookies(good, iat) },
  };

  /** How it asks. */
  const ways = {
    "for a page": { method: "GET", headers: { accept: "text/html", "sec-fetch-dest": "document" } },
    "as curl does": { method: "GET", headers: { accept: "*/*" } },
    "by script": { method: "GET", headers: { accept: "application/json", "sec-fetch-dest": "empty" } },
    "to write": { method: "POST", headers: { accept: "*/*", "sec-fetch-dest": "empty", origin: PARTY } },
    "whether it may": { method: "OPTIONS", headers: { origin: PARTY, "access-control-request-method": "GET" } },
  };
  const places = {
    "a page": "/",
    "a protected page": "/protected",
    "a handshake that comes back": `/?__clerk_handshake=${handshake}`,
    "a handshake that is forged": `/?__clerk_handshake=${forged}`,
    "a development browser's synchronisation": "/?__clerk_db_jwt=dvb_1",
    "a satellite's synchronisation": "/?__clerk_synced=true",
  };

  // Each has its keys before anything is counted.
  for (const middleware of [clerk, front]) await answer(middleware, { method: "GET", url: PARTY, headers: bearer(good) });

  for (const [what, presents] of Object.entries(presented)) {
    await check(`Clerk's answer, and no other call: ${what}`, async () => {
      for (const [how, { method, headers }] of Object.entries(ways)) {
        for (const [where, at] of Object.entries(places)) {
          const request = { method, url: `${PARTY}${at}`, headers: { host: "localhost:3000", ...headers, ...presents } };
          const alone = await answer(clerk, request);
          const behind = await answer(front, request);
          assert.deepEqual(behind, alone, `${how}, ${where}`);
        }
      }
    });
  }

  const stopped = {
    "machine-token": ["mt_made-up", "ak_made-up", machine],
    "oauth-token": ["oat_made-up"],
    "malformed-token": ["garbage", "a.b", `${good}.x`],
    "malformed-base64url": [`${good}=`],
    "token-is-null": ["null", "undefined"],
    "key-instead-of-token": [issuer.publishableKey],
    "wrong-signature": [forged],
    "wrong-azp": [elsewhere],
    "missing-azp": [noParty],
    "wrong-iss": [otherIssuer],
  };
  for (const [code, tokens] of Object.entries(stopped)) {
    await check(`stopped before it costs a call: ${code}`, async () => {
      for (const token of tokens) {
        for (const [how, { method, headers }] of Object.entries(ways)) {
          const request = { method, url: `${PARTY}/`, headers: { ...headers, ...bearer(token), ...cookies(good, iat) } };
          const behind = await answer(front, request);
          assert.deepEqual([how, behind.status, JSON.parse(behind.body).code, behind.calls], [how, 401, code, []]);
          const alone = await answer(clerk, request);
          assert.equal(status(alone) === "signed-in", STRICTER.has(code) || token === machine, how);
        }
      }
    });
  }

  await check("what each of them would have cost", async () => {
    const costs = {};
    for (const token of ["mt_made-up", "oat_made-up", "ak_made-up"]) {
      const { calls } = await answer(clerk, { method: "GET", url: `${PARTY}/`, headers: bearer(token) });
      assert.ok(calls.length > 0, `${token} costs Clerk's middleware a call`);
      costs[token] = calls;
    }
    console.log(`        ${JSON.stringify(costs)}`);
  });

  await check("machine tokens go on where routes take them", async () => {
    for (const token of ["mt_made-up", "oat_made-up", "ak_made-up", machine]) {
      const request = { method: "GET", url: `${PARTY}/`, headers: bearer(token) };
      assert.deepEqual(await answer(frontThatPasses, request), await answer(clerk, request), token.slice(0, 4));
    }
  });

  await check("the issuer away: what Clerk answers is still Clerk's", async () => {
    await issuer.stop();
    for (const what of ["nothing", "a session", "an expired session", "a token"]) {
      for (const { method, headers } of Object.values(ways)) {
        const request = { method, url: `${PARTY}/`, headers: { ...headers, ...presented[what] } };
        const alone = await answer(clerk, request);
        assert.deepEqual(await answer(front, request), alone, what);
      }
    }
  });
  api.close();

  await check("nothing was asked of another machine", () => assert.deepEqual(hostsOutside(), []));
});

/** The text of what crypto-js has encrypted: `Salted__`, the salt, AES-256-CBC under what MD5 makes of salt and password. */
function unsealed(base64, password) {
  const bytes = Buffer.from(base64, "base64");
  const salt = bytes.subarray(8, 16);
  let key = Buffer.alloc(0);
  let last = Buffer.alloc(0);
  while (key.length < 48) {
    last = createHash("md5").update(Buffer.concat([last, Buffer.from(password), salt])).digest();
    key = Buffer.concat([key, last]);
  }
  const decipher = createDecipheriv("aes-256-cbc", key.subarray(0, 32), key.subarray(32, 48));
  return Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()]).toString();
}

/** Passes calls on to `target`, and tells which there were. */
async function countingProxy(target) {
  const calls = [];
  const server = createServer(async (request, response) => {
    calls.push(`${request.method} ${request.url}`);
    const body = [];
    for await (const chunk of request) body.push(chunk);
    try {
      const { authorization, "content-type": type } = request.headers;
      const answer = await fetch(`${target}${request.url}`, {
        method: request.method,
        headers: Object.fromEntries(Object.entries({ authorization, "content-type": type }).filter(([, value]) => value)),
        body: body.length > 0 ? Buffer.concat(body) : undefined,
      });
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "text/plain" });
      response.end(await answer.text());
    } catch {
      response.destroy();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, calls, close };
}
