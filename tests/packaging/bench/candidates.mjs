/** What is measured: for each name how a verifier of session tokens is made. They all hold `exp`, `nbf` and `iss` to account. */

import { readFile } from "node:fs/promises";

const audience = "bench";

/** doorward: the package's own way, with the engine of `folder` and the RSA that `host` brings. */
function doorward(load, settings = {}) {
  return async ({ issuer, party, jwk }) => {
    const { createVerifier } = await load();
    const verifier = createVerifier({ issuer, authorizedParties: [party], keys: { keys: [jwk] }, ...settings });
    await verifier.ready();
    return (token) => verifier.verifySync(token);
  };
}

/** The edge's entry imports its module, which a bundler or Vercel resolves; the same script, with the module compiled here. */
async function edge() {
  const folder = new URL("./node_modules/doorward/simd/", import.meta.url);
  const { verifierFor } = await import(new URL("verifier.js", folder));
  const module = new WebAssembly.Module(await readFile(new URL("engine_bg.wasm", folder)));
  return { createVerifier: verifierFor({ load: () => module, fetchOptions: {} }) };
}

/** A token may be seen again: then the same one comes each time. `awaits` says that the answer is a promise. */
export const CANDIDATES = {
  "doorward, Node": { make: doorward(() => import("doorward")) },
  "doorward, edge (simd)": { make: doorward(edge) },
  "doorward, wasm simd": { make: doorward(() => import("doorward"), { signature: "wasm" }) },
  "doorward, wasm scalar": { make: doorward(() => import("doorward/scalar"), { signature: "wasm" }) },
  "doorward, token seen before": { make: doorward(() => import("doorward")), again: true },
  jose: {
    awaits: true,
    async make({ issuer, jwk }) {
      const { importJWK, jwtVerify } = await import("jose");
      const key = await importJWK(jwk, "RS256");
      return (token) => jwtVerify(token, key, { issuer, algorithms: ["RS256"] });
    },
  },
  "@clerk/backend, JWK": {
    awaits: true,
    async make({ party, jwk }) {
      const { verifyJwt } = await import("@clerk/backend/jwt");
      return accepted((token) => verifyJwt(token, { key: jwk, authorizedParties: [party] }));
    },
  },
  "@clerk/backend, PEM": {
    awaits: true,
    async make({ party, pem }) {
      const { verifyToken } = await import("@clerk/backend");
      return accepted((token) => verifyToken(token, { jwtKey: pem, authorizedParties: [party] }));
    },
  },
  "fast-jwt": {
    async make({ issuer, pem }) {
      const { createVerifier } = await import("fast-jwt");
      return createVerifier({ key: pem, cache: false, algorithms: ["RS256"], allowedIss: issuer });
    },
  },
  "fast-jwt, token seen before": {
    again: true,
    async make({ issuer, pem }) {
      const { createVerifier } = await import("fast-jwt");
      return createVerifier({ key: pem, cache: true, algorithms: ["RS256"], allowedIss: issuer });
    },
  },
  "jsonwebtoken, KeyObject": {
    async make({ issuer, pem }) {
      const { default: jsonwebtoken } = await import("jsonwebtoken");
      const { createPublicKey } = await import("node:crypto");
      const key = createPublicKey(pem);
      return (token) => jsonwebtoken.verify(token, key, { algorithms: ["RS256"], issuer });
    },
  },
  "aws-jwt-verify": {
    async make({ issuer, jwk }) {
      const { JwtVerifier } = await import("aws-jwt-verify");
      const verifier = JwtVerifier.create({ issuer, audience, jwksUri: `${issuer}/jwks.json` });
      verifier.cacheJwks({ keys: [jwk] });
      return (token) => verifier.verifySync(token, { audience: null });
    },
  },
};

/** Some answer with what is wrong instead of rejecting. */
function accepted(verify) {
  return async (token) => {
    const answer = await verify(token);
    if (answer.errors !== undefined) throw answer.errors[0];
    return answer.data ?? answer;
  };
}
