/** `node verdicts.mjs DIR`: the vectors of DIR by the module; prints a line of JSON for each, then what differs. */

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createVerifier } from "doorward";
import { runVectors } from "./run-vectors.mjs";

const [folder] = process.argv.slice(2);
const families = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));
const tell = (name, code) => console.log(JSON.stringify({ name, host: "wasm", code }));
const { passed, failed, failures } = await runVectors(createVerifier, families, "wasm", tell);
for (const failure of failures) console.log(failure);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
