/**
 * `node bench.mjs [--rounds N]`: how long a whole verification of a session token takes, beside the others on npm: each in
 * processes of its own, all of them in turn, so that a busy minute of the machine meets all. Nothing fails for being slow.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CANDIDATES } from "./candidates.mjs";
import { tokens } from "./tokens.mjs";

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "3" } } });
const rounds = Number(options.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds takes a whole number from 1 up, not ${options.rounds}`);
const here = dirname(fileURLToPath(import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "doorward-bench-"));
const fixture = join(scratch, "fixture.json");
const median = (values) => values.sort((one, other) => one - other)[Math.floor(values.length / 2)];

let passed = 0;
let failed = 0;
try {
  writeFileSync(fixture, JSON.stringify(tokens()));
  const results = new Map();
  for (let round = 0; round < rounds; round += 1) {
    for (const name of Object.keys(CANDIDATES)) measured(results, name);
  }
  for (let round = 0; round < 4 * rounds; round += 1) {
    for (const [name, { again }] of Object.entries(CANDIDATES)) if (!again && results.get(name) !== undefined) measured(results, name, "cold");
  }
  shown(results);
  passed = results.size;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function measured(results, name, ...mode) {
  if (results.get(name) === null) return;
  try {
    const output = execFileSync(process.execPath, [join(here, "measure.mjs"), name, fixture, ...mode], { encoding: "utf8", cwd: here });
    const before = results.get(name) ?? {};
    for (const [what, micros] of Object.entries(JSON.parse(output))) (before[what] ??= []).push(micros);
    results.set(name, before);
  } catch (error) {
    console.log(`FAILED ${name}: ${`${error.stderr ?? error}`.slice(-600)}`);
    failed += 1;
    results.delete(name);
    delete CANDIDATES[name];
  }
}

function shown(results) {
  const figures = new Map([...results].map(([name, lists]) => [name, Object.fromEntries(Object.entries(lists).map(([what, list]) => [what, median(list)]))]));
  const [jose, clerk] = ["jose", "@clerk/backend, JWK"].map((name) => figures.get(name)?.median);
  console.log(`${new Date().toISOString().slice(0, 10)}, ${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}`);
  console.log(versions());
  console.log(`a token of ${JSON.parse(readFileSync(fixture)).tokens[0].length} bytes, RSA-2048; medians of ${rounds} runs, in µs; the first verdict of a process in ms\n`);
  const row = (...cells) => console.log([cells[0].padEnd(30), ...cells.slice(1).map((cell) => cell.padStart(9))].join(" "));
  row("", "median", "p99", "least", "x jose", "x clerk", "first ms");
  for (const [name, { median: mid, p99, least, first }] of figures) {
    const times = (peer) => (peer === undefined ? "" : `${(peer / mid).toFixed(1)}`);
    row(name, mid.toFixed(mid < 10 ? 2 : 1), p99.toFixed(1), least.toFixed(mid < 10 ? 2 : 1), times(jose), times(clerk), first === undefined ? "" : (first / 1000).toFixed(1));
  }
  console.log();
}

function versions() {
  const names = ["doorward", "jose", "@clerk/backend", "fast-jwt", "jsonwebtoken", "aws-jwt-verify"];
  return names.map((name) => `${name} ${JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"))).version}`).join(", ");
}
