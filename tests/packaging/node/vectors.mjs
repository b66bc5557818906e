/** `node vectors.mjs DIR`: the vectors of DIR, each through all that check signatures here. Deno and Bun run it too. */

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createVerifier } from "doorward";
import * as scalar from "doorward/scalar";
import { runVectors } from "./run-vectors.mjs";

const [folder] = process.argv.slice(2);
const families = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));

const runs = [
  ["default", createVerifier, undefined],
  ["wasm", createVerifier, "wasm"],
  ["wasm, scalar", scalar.createVerifier, "wasm"],
  ["crypto.subtle", createVerifier, "platform"],
];
let passed = 0;
let failed = 0;
for (const [name, create, signature] of runs) {
  const result = await runVectors(create, families, signature);
  console.log(`${name}: ${result.passed} vectors passed, ${result.failed} failed`);
  for (const failure of result.failures) console.log(`  ${failure}`);
  passed += result.passed;
  failed += result.failed;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
