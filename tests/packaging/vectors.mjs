/**
 * Runs the shared vectors through an installed `doorward`, the same way in every host: what a family's file says, and
 * nothing of its own. Gives `{passed, failed, failures}`.
 */

/** @param families the parsed files of `tests/vectors`; @param signature the setting of that name */
export async function runVectors(createVerifier, families, signature) {
  const failures = [];
  let passed = 0;
  for (const family of families) {
    for (const vector of family.cases) {
      const run = vector.token !== undefined ? ofToken : vector.request !== undefined ? ofRequest : undefined;
      if (run === undefined) continue;
      const differences = differ();
      await run(createVerifier, stated(family, vector, signature), vector, differences);
      if (differences.found.length === 0) passed += 1;
      else failures.push(`${vector.name}: ${differences.found.join("; ")}`);
    }
  }
  return { passed, failed: failures.length, failures: failures.slice(0, 10) };
}

/** The settings that a vector states. */
function stated(family, vector, signature) {
  const policy = typeof vector.policy === "string" ? family.policies[vector.policy] : vector.policy;
  const keys = typeof vector.keys === "string" ? family.keys[vector.keys] : vector.keys;
  return { ...policy, ...source(keys), signature };
}

async function ofToken(createVerifier, stated, vector, differ) {
  const { document, ...settings } = stated;
  let session;
  let refusal;
  try {
    const verifier = createVerifier(settings);
    session = await verifier.verify(vector.token, { now: vector.now * 1000 });
  } catch (error) {
    refusal = asRefusal(error, settings);
  }
  if (vector.expect.code === "unknown-kid" && refusal?.code === "keys-unavailable" && isOfNoUse(createVerifier, stated)) {
    refusal = unknownKid;
  }
  compareAnswer(differ, vector, session, refusal);
}

const unknownKid = { code: "unknown-kid", reason: "jwk-kid-mismatch" };

/** The vectors judge by any set of keys; one without a single good key counts as a failed fetch where sets are fetched. */
function isOfNoUse(createVerifier, { document, ...settings }) {
  if (document === undefined) return false;
  try {
    createVerifier({ ...settings, keys: document });
    return false;
  } catch (error) {
    return error.name === "SettingsError";
  }
}

/** Pasted keys that are none: here the settings are refused, which leaves no keys to judge with. */
function asRefusal(error, { keys }) {
  if (error.name === "SettingsError" && keys !== undefined) {
    return { code: "keys-unavailable", reason: "jwk-remote-failed-to-load" };
  }
  if (error.name !== "VerifyError") throw error;
  return error;
}

async function ofRequest(createVerifier, { issuer, document, ...settings }, vector, differ) {
  const withKey = vector.cookies.startsWith("pk_");
  const verifier = createVerifier({
    ...settings,
    ...(withKey ? { publishableKey: vector.cookies } : { issuer }),
    cookies: vector.cookies === "off" ? "off" : "on",
  });
  const { method, url } = vector.request;
  const headers = {};
  for (const [name, value] of vector.request.headers) (headers[name.toLowerCase()] ??= []).push(value);
  const check = await verifier.check({ method, url, headers }, { now: vector.now * 1000 });
  differ("outcome", vector.expect.outcome, check.outcome);
  compareAnswer(differ, vector, check.session, check.error);
}

function compareAnswer(differ, { expect, checks = [] }, session, refusal) {
  differ("code", expect.code, refusal?.code ?? "ok");
  differ("reason", expect.reason, refusal?.reason ?? null);
  if (session === undefined) return;
  const got = asInVectors(session);
  for (const [name, expected] of Object.entries(expect.principal ?? {})) differ(name, expected, got[name]);
  for (const { ask, allowed } of checks) differ(`has(${JSON.stringify(ask)})`, allowed, session.has(ask));
}

/** Collects what is not as it should be. */
function differ() {
  const found = [];
  const compare = (what, expected, got) => {
    const [wanted, is] = [expected, got].map((value) => JSON.stringify(value));
    if (wanted !== is) found.push(`${what} ${is}, expected ${wanted}`);
  };
  return Object.assign(compare, { found });
}

/** Keys as they are given: pasted, published (then with the document), or not to be had. */
function source(keys) {
  if (keys === null) return { fetch: async () => new Response("", { status: 503 }) };
  if (keys.pasted !== undefined) return { keys: keys.pasted };
  const document = typeof keys.jwks === "string" ? keys.jwks : JSON.stringify(keys.jwks);
  return { document, fetch: async () => new Response(document) };
}

/** A session under the names that the vectors use for all languages. */
function asInVectors(session) {
  const { organization } = session;
  const { permissionsDisputed, ...rest } = organization ?? {};
  const impersonator = session.impersonator;
  return {
    user_id: session.userId,
    session_id: session.sessionId,
    issuer: session.issuer,
    authorized_party: session.authorizedParty,
    key_id: session.keyId,
    expires_at: session.expiresAt,
    issued_at: session.issuedAt,
    organization: organization && { ...rest, permissions_disputed: permissionsDisputed },
    features: session.features,
    plans: session.plans,
    factor_ages: session.factorAges,
    impersonator: impersonator && { user_id: impersonator.userId, issuer: impersonator.issuer, session_id: impersonator.sessionId },
    pending: session.isPending,
    claims: session.claims,
  };
}
