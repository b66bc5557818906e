/** What the tests share: an issuer, a policy, a time, and a JWKS endpoint that behaves as it is told. */

import { createServer } from "node:http";
import { createTestIssuer } from "doorward/testing";

/** 2026-01-15T12:00:00Z. */
export const NOW = 1_768_478_400_000;
export const ORIGIN = "https://app.example.com";

export const issuer = await createTestIssuer();

export function settings(changes = {}) {
  return { publishableKey: issuer.publishableKey, keys: issuer.jwks, authorizedParties: [ORIGIN], ...changes };
}

/** A token of NOW, for a minute. */
export function token(shape = {}) {
  return issuer.token({ userId: "user_ada", sessionId: "sess_1", authorizedParty: ORIGIN, now: NOW, ...shape });
}

/** The code of what `work` rejects or throws with: always a VerifyError. */
export async function code(work) {
  try {
    await (typeof work === "function" ? work() : work);
    return "ok";
  } catch (error) {
    if (error.name !== "VerifyError") throw error;
    return error.code;
  }
}

/** A fetch that counts, and answers with what `answer` gives. */
export function counting(answer) {
  const fetch = async (url, init) => {
    fetch.calls += 1;
    return answer(url, init);
  };
  fetch.calls = 0;
  return fetch;
}

export function jwks(document = issuer.jwks, headers = {}) {
  return new Response(JSON.stringify(document), { headers });
}

/** A server on a free port of this machine, for as long as the test takes. */
export async function serving(test, listener) {
  const server = createServer(listener);
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}/jwks.json`;
}
