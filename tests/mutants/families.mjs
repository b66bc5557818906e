/**
 * `node families.mjs MODULES VECTORS [FAMILY...]`: the vectors of these families, or of all, through the npm package's
 * modules in that folder, with the RSA check that the engine has of its own. Prints `{passed, failed}`.
 */

import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { runVectors } from "../packaging/vectors.mjs";

const [modules, folder, ...names] = process.argv.slice(2);
const { createVerifier } = await import(pathToFileURL(resolve(modules, "node.js")));
const families = readdirSync(folder)
  .filter((name) => name.endsWith(".json") && (names.length === 0 || names.includes(name.slice(0, -".json".length))))
  .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));
const { passed, failed } = await runVectors(createVerifier, families, "wasm");
console.log(JSON.stringify({ passed, failed }));
