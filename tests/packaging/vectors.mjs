/**
 * Runs the shared vectors through an installed `doorward`, the same way in every host: what a family's file says, and
 * nothing of its own. Gives `{passed, failed, failures}`.
 */

/**
 * @param families the parsed files of `tests/vectors`, or such as are like them; what they do not expect is not compared
 * @param signature the setting of that name
 * @param tell is given the name and the code of each vector
 */
export async function runVectors(createVerifier, families, signature, tell = () => {}) {
  const failures = [];
  let passed = 0;
  for (const family of families) {
    for (const given of family.cases) {
      const vector = { ...given, expect: given.expect ?? {} };
      const differences = differ();
      if (vector.token !== undefined) await ofToken(createVerifier, stated(family, vector, signature), vector, differences);
      else if (vector.request !== undefined) await ofRequest(createVerifier, stated(family, vector, signature), vector, differences);
      else if (isOurs(vector.setting)) await ofSetting(createVerifier, signature, vector, differences);
      else continue;
      tell(vector.name, differences.got.code);
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
  const { session, refusal } = await answer(createVerifier, stated, async (verifier) => {
    try {
      return { session: await verifier.verify(vector.token, { now: time(vector) }) };
    } catch (error) {
      if (error.name !== "VerifyError") throw error;
      return { refusal: error };
    }
  });
  compareAnswer(differ, vector, session, refusal);
}

async function ofRequest(createVerifier, { issuer, ...stated }, vector, differ) {
  const cookies = vector.cookies ?? "off";
  const whose = cookies.startsWith("pk_") ? { publishableKey: cookies } : { issuer };
  const { method, url } = vector.request;
  const headers = {};
  for (const [name, value] of vector.request.headers) (headers[name.toLowerCase()] ??= []).push(value);
  const settings = { ...stated, ...whose, cookies: cookies === "off" ? "off" : "on" };
  const { outcome, session, refusal } = await answer(createVerifier, settings, async (verifier) => {
    const check = await verifier.check({ method, url, headers }, { now: time(vector) });
    return { outcome: check.outcome, session: check.session, refusal: check.error };
  });
  differ("outcome", vector.expect.outcome, outcome);
  compareAnswer(differ, vector, session, refusal);
}

const time = ({ now = 0 }) => now * 1000;

/** What `judge` says with a verifier of these settings, as the vectors have it wherever settings are refused as a whole. */
async function answer(createVerifier, { document, ...settings }, judge) {
  let said;
  try {
    said = await judge(createVerifier(settings));
  } catch (error) {
    if (error.name !== "SettingsError") throw error;
    const { keys, ...rest } = settings;
    // Pasted keys that are none leave no keys to judge with.
    return keys === undefined ? { refusal: STOPPED } : answer(createVerifier, { ...rest, ...NO_KEYS }, judge);
  }
  if (document === undefined || said.refusal?.code !== "keys-unavailable") return said;
  // One without a single good key counts as a failed fetch where sets are fetched. The vectors judge by any set.
  return judge(createVerifier({ ...settings, fetch: async () => new Response(withOneKeyMore(document)) }));
}

/** A policy that is refused stops the start: there is no code. */
const STOPPED = { code: "refused", reason: null };

const NO_KEYS = { fetch: async () => new Response("", { status: 503 }) };

/** A set with a key that nobody names; what is no set stays none. */
function withOneKeyMore(document) {
  const key = JSON.stringify({ kty: "RSA", alg: "RS256", kid: "one key more", e: "AQAB", n: `${"_".repeat(341)}w` });
  return document.replace(/"keys"\s*:\s*\[(?=\s*(\])?)/, (begin, isEmpty) => `${begin}${key}${isEmpty ? "" : ","}`);
}

/** Webhooks, and their secrets, are for servers: this package has neither. */
const isOurs = (setting) => setting !== undefined && setting.webhook_secrets === undefined;

/** What a setting is understood as shows in whom the verifier asks for keys. */
async function ofSetting(createVerifier, signature, { setting, expect }, differ) {
  const settings = {
    authorizedParties: setting.authorized_parties ?? "any party",
    ...(setting.publishable_key !== undefined ? { publishableKey: setting.publishable_key } : { issuer: setting.issuer ?? "https://clerk.example.com" }),
    ...setting.policy,
  };
  let asked;
  const fetch = async (url) => {
    asked = String(url);
    return new Response("", { status: 503 });
  };
  let code = "ok";
  try {
    await createVerifier({ ...settings, signature, fetch }).ready();
  } catch (error) {
    if (error.name === "SettingsError") code = "refused";
    else if (error.code !== "keys-unavailable") throw error;
  }
  differ("code", expect.code, code);
  if (expect.shown !== undefined) differ("keys of", expect.shown.issuer, asked?.replace(/\/\.well-known\/jwks\.json$/, ""));
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
  const got = {};
  const compare = (what, expected, value) => {
    got[what] = value;
    const [wanted, is] = [expected, value].map((each) => JSON.stringify(each));
    if (expected !== undefined && wanted !== is) found.push(`${what} ${is}, expected ${wanted}`);
  };
  return Object.assign(compare, { found, got });
}

/** Keys as they are given: pasted, published (then with the document), or not to be had. */
function source(keys) {
  if (keys === null || keys === undefined) return NO_KEYS;
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
