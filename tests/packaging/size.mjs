/** `node size.mjs`: what a bundle of each entry weighs, its module included. Fails where the edge's is over its budget. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

/**
 * For the edge-light entry with its module, in bytes of brotli: what was reached, so that it does not grow, and what is wanted. Reached
 * where `sysroot.sh` builds the standard library: rustup's keeps the texts of panics, some kB.
 */
const BUDGET = 55_700;
const WANTED = 25_000;

const modules = resolve(dirname(fileURLToPath(import.meta.url)), "../../verifier-wasm");
const weigh = (bytes) => ({ raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, brotli: brotliCompressSync(bytes).length });
const shown = ({ raw, gzip, brotli }) => [raw, gzip, brotli].map((bytes) => String(bytes).padStart(8)).join(" ");

function bundle(entry) {
  const esbuild = join(modules, "node_modules/.bin/esbuild");
  const options = ["--bundle", "--minify", "--format=esm", "--platform=neutral", "--external:*.wasm", "--external:*.wasm?module", "--external:node:*"];
  return execFileSync(esbuild, [join(modules, "dist", entry), ...options], { maxBuffer: 1e8 });
}

let edge = 0;
console.log(`${"".padEnd(28)}     raw     gzip   brotli`);
for (const variant of ["simd", "scalar"]) {
  const module = weigh(readFileSync(join(modules, "dist", variant, "engine_bg.wasm")));
  const script = weigh(bundle(`${variant}/edge-light.js`));
  console.log(`${`${variant}: module`.padEnd(28)} ${shown(module)}`);
  console.log(`${`${variant}: edge-light script`.padEnd(28)} ${shown(script)}`);
  console.log(`${`${variant}: node, all inline`.padEnd(28)} ${shown(weigh(bundle(`${variant}/node.js`)))}`);
  if (variant === "simd") edge = module.brotli + script.brotli;
}
const fits = edge <= BUDGET;
console.log(`edge-light with its module: ${edge} of ${BUDGET} bytes of brotli; ${WANTED} are wanted`);
console.log(`${fits ? 1 : 0} passed, ${fits ? 0 : 1} failed`);
process.exitCode = fits ? 0 : 1;
