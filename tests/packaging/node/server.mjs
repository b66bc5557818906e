/**
 * `node server.mjs DOORWARD DATA_DIR`: tokens of the local issuer get the same verdict from the server and from the
 * package, with nothing configured but the publishable key.
 */

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { createVerifier } from "doorward";

const [doorward, dataDir] = process.argv.slice(2);
const origin = "http://localhost:3000";

const dev = spawn(doorward, ["dev", "--listen", "127.0.0.1:0", "--data-dir", dataDir], { stdio: ["ignore", "pipe", "inherit"] });
let passed = 0;
let failed = 0;
try {
  const { server, publishableKey } = await announced(dev);
  const verifier = createVerifier({ publishableKey, authorizedParties: [origin] });
  const snapshot = createVerifier({ publishableKey, authorizedParties: [origin], keys: `${server}/.well-known/jwks.json` });

  await passes("a good token", "ok", []);
  await passes("an expired token", "token-expired", ["--expired"]);
  await passes("a forged token", "wrong-signature", ["--forged"]);
  await passes("a token for another party", "wrong-azp", ["--azp", "https://elsewhere.example.com"]);

  async function passes(what, expected, shape) {
    const token = execFileSync(doorward, ["token", "--data-dir", dataDir, ...shape], { encoding: "utf8" }).trim();
    const response = await fetch(`${server}/api/auth/me`, { headers: { authorization: `Bearer ${token}` } });
    const body = await response.json();
    try {
      assert.equal(response.status, expected === "ok" ? 200 : 401);
      const codes = [body.code ?? "ok", await verdict(verifier, token), await verdict(snapshot, token)];
      assert.deepEqual(codes, [expected, expected, expected]);
      if (expected === "ok") assert.equal((await verifier.verify(token)).userId, body.clerk_id);
      console.log(`${what}: ${codes.join(", ")}`);
      passed += 1;
    } catch (error) {
      console.log(`FAILED ${what}: ${error.message}`);
      failed += 1;
    }
  }
} finally {
  dev.kill();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

async function verdict(verifier, token) {
  try {
    await verifier.verify(token);
    return "ok";
  } catch (error) {
    return error.code;
  }
}

/** The server's address and the issuer's key, which `doorward dev` prints. It is listened to until it ends. */
function announced(child) {
  return new Promise((resolve, reject) => {
    let server;
    child.on("exit", (code) => reject(new Error(`doorward dev ended with ${code}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      server ??= line.match(/http:\/\/127\.0\.0\.1:\d+/)?.[0];
      const publishableKey = line.match(/pk_test_\S+/)?.[0];
      if (publishableKey !== undefined) resolve({ server, publishableKey });
    });
  });
}
