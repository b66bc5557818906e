import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createVerifier, VerifyError } from "doorward";
import { createTestIssuer } from "doorward/testing";
const { runVectors } = require("./run-vectors.js");

const folder = process.env.VECTORS_DIR as string;
const families = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));

test.each([[undefined], ["wasm"], ["platform"]])("every vector, signature: %s", async (signature) => {
  const result = await runVectors(createVerifier, families, signature);
  console.log(`${signature ?? "default"}: ${result.passed} vectors passed, ${result.failed} failed`);
  expect(result.failures).toEqual([]);
  expect(result.passed).toBeGreaterThan(1000);
}, 120_000);

test("tokens of a test issuer are accepted by a verifier of its settings", async () => {
  const { publishableKey, jwks, token } = await createTestIssuer();
  const authorizedParty = "https://app.example.com";
  const verifier = createVerifier({ publishableKey, keys: jwks, authorizedParties: [authorizedParty] });
  const session = await verifier.verify(await token({ userId: "user_ada", authorizedParty }));
  expect(session.userId).toBe("user_ada");
  const expired = await token({ authorizedParty, lifetimeSecs: -60 });
  await expect(verifier.verify(expired)).rejects.toBeInstanceOf(VerifyError);
}, 30_000);
