/** What is measured, as it runs inside a host: each verifier is made once, and then judges one token after the other. */

import { verifyToken } from "@clerk/backend";
import { verifyJwt } from "@clerk/backend/jwt";
import { createVerifier } from "doorward";
import { importJWK, jwtVerify } from "jose";

const MAKERS = {
  async doorward({ issuer, party, jwk }) {
    const verifier = createVerifier({ issuer, authorizedParties: [party], keys: { keys: [jwk] } });
    await verifier.ready();
    return (token) => verifier.verifySync(token);
  },
  async jose({ issuer, jwk }) {
    const key = await importJWK(jwk, "RS256");
    return (token) => jwtVerify(token, key, { issuer, algorithms: ["RS256"] });
  },
  async "@clerk/backend, JWK"({ party, jwk }) {
    return accepted((token) => verifyJwt(token, { key: jwk, authorizedParties: [party] }));
  },
  async "@clerk/backend, PEM"({ party, pem }) {
    return accepted((token) => verifyToken(token, { jwtKey: pem, authorizedParties: [party] }));
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

/** A host's verifiers. `run(name, count)` judges the next tokens, and ends when the last verdict is there. */
export async function bench(fixture) {
  const verifiers = new Map();
  for (const [name, make] of Object.entries(MAKERS)) {
    const verify = await make(fixture);
    if (!(await refuses(verify, fixture.forged))) throw new Error(`${name} accepted a forged token`);
    verifiers.set(name, { verify, awaits: name !== "doorward", at: 0 });
  }
  const { tokens } = fixture;
  return async function run(name, count) {
    const verifier = verifiers.get(name);
    for (let left = count; left > 0; left -= 1) {
      const answer = verifier.verify(tokens[verifier.at]);
      if (verifier.awaits) await answer;
      // It comes again only after more others than anybody keeps.
      verifier.at = (verifier.at + 1) % tokens.length;
    }
  };
}

async function refuses(verify, token) {
  try {
    await verify(token);
    return false;
  } catch {
    return true;
  }
}
