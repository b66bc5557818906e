/**
 * `node bench.mjs [ROUNDS]`: how long a whole verification of a session token takes, beside the others on npm: each in
 * processes of its own, all of them in turn, so that a busy minute of the machine meets all. Nothing fails for being slow.
 */

import { execFileSync } from "node:child_process";
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CANDIDATES } from "./candidates.mjs";

const rounds = Number(process.argv[2] ?? 3);
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

/** More tokens than a cache of theirs or ours holds, in the shape of Clerk's, of an instance with organizations. */
function tokens() {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const kid = "ins_2abcdefghijklmnopqrstuvwxyz1";
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" };
  const [issuer, party] = ["https://clerk.example.com", "https://app.example.com"];
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const token = (number) => {
    const payload = {
      azp: party,
      exp: now + 3500,
      fea: "o:invoices,o:reports,u:beta",
      fva: [3, -1],
      iat: now,
      iss: issuer,
      jti: randomBytes(10).toString("hex"),
      nbf: now - 10,
      o: { fpm: "3,1", id: "org_2abcdefghijklmnopqrstuvwxyz1", per: "read,write", rol: "admin", slg: "acme-inc" },
      pla: "o:pro,u:free",
      sid: `sess_2abcdefghijklmnopqrstuvwx${number}`,
      sts: "active",
      sub: "user_2abcdefghijklmnopqrstuvwxyz1",
      v: 2,
    };
    const input = `${part({ alg: "RS256", cat: "cl_B7d4PD111AAA", kid, typ: "JWT" })}.${part(payload)}`;
    return `${input}.${sign("RSA-SHA256", Buffer.from(input), privateKey).toString("base64url")}`;
  };
  const made = Array.from({ length: 3000 }, (_, number) => token(number));
  const at = made[0].lastIndexOf(".") + 20;
  const forged = made[0].slice(0, at) + (made[0][at] === "A" ? "B" : "A") + made[0].slice(at + 1);
  return { issuer, party, jwk, pem: publicKey.export({ format: "pem", type: "spki" }), tokens: made, forged };
}
