/** For the tests of an application: an issuer of its own, whose tokens the application's verifier accepts. Never in production. */

const RSA = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
/** What Clerk puts into the header of a session token. */
const SESSION_CATEGORY = "cl_B7d4PD111AAA";

/** Makes a key pair, and what a verifier needs to accept its tokens. */
export async function createTestIssuer({ host = "clerk.test.example" } = {}) {
  refuseProduction();
  const { publicKey, privateKey } = await crypto.subtle.generateKey(RSA, true, ["sign", "verify"]);
  const { kty, n, e } = await crypto.subtle.exportKey("jwk", publicKey);
  const kid = "ins_test";
  const issuer = `https://${host}`;
  return {
    issuer,
    publishableKey: `pk_test_${btoa(`${host}$`)}`,
    jwks: { keys: [{ use: "sig", kty, kid, alg: "RS256", n, e }] },
    /** A session token of this shape, good for a minute. */
    async token(shape = {}) {
      refuseProduction();
      const { now = Date.now(), lifetimeSecs = 60, header = {}, ...described } = shape;
      const issuedAt = Math.floor(now / 1000);
      return signed(
        { alg: "RS256", cat: SESSION_CATEGORY, kid, typ: "JWT", ...header },
        { iss: issuer, iat: issuedAt, nbf: issuedAt - 10, exp: issuedAt + lifetimeSecs, ...claims(described) },
        privateKey,
      );
    },
  };
}

function claims({ userId = "user_test", sessionId = "sess_test", authorizedParty, organization, claims = {} }) {
  const described = { v: 2, sts: "active", fva: [0, -1], sub: userId, sid: sessionId, ...claims };
  if (authorizedParty !== undefined) described.azp = authorizedParty;
  if (organization !== undefined) described.o = { id: organization.id, slg: organization.slug, rol: organization.role };
  return described;
}

async function signed(header, payload, key) {
  const input = [header, payload].map((part) => base64url(new TextEncoder().encode(JSON.stringify(part)))).join(".");
  const signature = await crypto.subtle.sign(RSA.name, key, new TextEncoder().encode(input));
  return `${input}.${base64url(new Uint8Array(signature))}`;
}

function base64url(bytes) {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

function refuseProduction() {
  if (globalThis.process?.env?.NODE_ENV === "production") {
    throw new Error("doorward/testing makes tokens that nobody signed in for: it does not run in production");
  }
}
