/**
 * `node readme.mjs README.md`: the package's examples do what they say, as they are typed. The line above a block says where
 * it runs: `<!-- runs in: NAME -->`, or `<!-- not run: REASON -->`. Those that serve get a request with a token and one without.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const bin = (name) => join(here, "node_modules/.bin", name);
const party = "https://app.example.com";

/** Where an example runs: what starts it, or what is done with it. */
const HOSTS = {
  node: (file) => served(process.execPath, [file]),
  deno: (file) => served(bin("deno"), ["run", "--allow-net", "--allow-env", "--allow-read", file]),
  bun: (file) => served(bin("bun"), [file]),
  workerd: (file) => served(process.execPath, [workerd(file)]),
  middleware: async (file) => {
    const { default: middleware } = await import(file);
    const asked = (headers) => middleware(new Request(`${party}/api`, { headers }), {});
    assert.equal(await asked({ authorization: `Bearer ${token()}` }), undefined);
    assert.equal((await asked({})).status, 401);
  },
  module: async (file) => {
    globalThis.token = token();
    await import(file);
  },
};

const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const jwks = { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "ins_1", alg: "RS256", use: "sig" }] };
const issuer = createServer((request, response) => response.end(JSON.stringify(jwks)));
await new Promise((done) => issuer.listen(0, "127.0.0.1", done));
const host = `127.0.0.1:${issuer.address().port}`;
const publishableKey = `pk_test_${Buffer.from(`${host}$`).toString("base64")}`;
process.env.CLERK_PUBLISHABLE_KEY = process.env.NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY = publishableKey;

let passed = 0;
let failed = 0;
mkdirSync(join(here, "examples"), { recursive: true });
const blocks = readFileSync(process.argv[2], "utf8").matchAll(/(?:^<!-- (runs in|not run): (.+?) -->\n)?^```js\n(.*?)^```$/gms);
for (const [, how, where, code] of blocks) {
  if (how === "not run") continue;
  try {
    assert.ok(where in HOSTS, `a block without a line that says where it runs: ${code.slice(0, 80)}`);
    const file = join(here, "examples", `${where}-${passed + failed}.mjs`);
    writeFileSync(file, code);
    await HOSTS[where](file);
    passed += 1;
  } catch (error) {
    console.log(`FAILED the example for ${where}: ${error.stack}`);
    failed += 1;
  }
}
issuer.closeAllConnections();
issuer.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

function token() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const claims = { azp: party, exp: now + 60, iat: now, iss: `http://${host}`, nbf: now - 10, sid: "sess_1", sub: "user_ada", v: 2 };
  const input = `${part({ alg: "RS256", kid: "ins_1", typ: "JWT" })}.${part(claims)}`;
  return `${input}.${sign("RSA-SHA256", Buffer.from(input), privateKey).toString("base64url")}`;
}

/** Starts an example that listens on PORT, and asks it twice. */
async function served(command, options) {
  const port = await freePort();
  const child = spawn(command, options, { cwd: here, env: { ...process.env, PORT: String(port) }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
  try {
    const url = `http://127.0.0.1:${port}/`;
    const verified = await answered(url, { authorization: `Bearer ${token()}` }, child);
    assert.equal(verified.status, 200, output);
    assert.match(await verified.text(), /user_ada/);
    assert.equal((await fetch(url)).status, 401);
    assert.equal((await fetch(url, { headers: { authorization: `Bearer ${token().slice(0, -8)}AAAAAAAA` } })).status, 401);
  } catch (error) {
    throw new Error(`${error.message}\n${output}`);
  } finally {
    child.kill();
  }
}

/** The answer, as soon as somebody listens. */
async function answered(url, headers, child) {
  for (const until = Date.now() + 90_000; ; ) {
    try {
      return await fetch(url, { headers });
    } catch (error) {
      if (Date.now() > until || child.exitCode !== null) throw error;
      await new Promise((done) => setTimeout(done, 100));
    }
  }
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** The same as `wrangler dev` with this worker, and with the variables that its settings would give. */
function workerd(file) {
  const starter = `${file}.serve.mjs`;
  const config = `${file}.jsonc`;
  writeFileSync(config, JSON.stringify({ name: "example", main: file, compatibility_date: "2026-03-01", vars: { CLERK_PUBLISHABLE_KEY: publishableKey } }));
  writeFileSync(
    starter,
    `import { unstable_dev } from "wrangler";
await unstable_dev(${JSON.stringify(file)}, {
  config: ${JSON.stringify(config)}, ip: "127.0.0.1", port: Number(process.env.PORT), local: true, logLevel: "warn",
  experimental: { disableExperimentalWarning: true, watch: false, liveReload: false },
});
`,
  );
  return starter;
}
