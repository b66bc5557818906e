/**
 * `node hosts.mjs [HOST...]`: in each host a small project that installs the packed package, with nothing configured, and
 * runs the vectors of VECTORS_DIR through each check of signatures. Prints host by host how many passed.
 */

import { execFile, spawn } from "node:child_process";
import { cp, mkdtemp, readFile, readdir, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../..");
const vectors = resolve(process.env.VECTORS_DIR ?? join(root, "tests/vectors"));
const modules = join(root, "verifier-wasm");
const environment = {
  ...process.env,
  NEXT_TELEMETRY_DISABLED: "1",
  WRANGLER_SEND_METRICS: "false",
  DO_NOT_TRACK: "1",
  DENO_NO_UPDATE_CHECK: "1",
  VECTORS_DIR: vectors,
};

const HOSTS = {
  "Node, ES modules": () => withProject("node", (folder) => lines(folder, "node", ["vectors.mjs", vectors])),
  "Node, CommonJS TypeScript in Jest": () => withProject("jest", jest),
  Deno: () => withProject("deno", (folder) => lines(folder, bin(folder, "deno"), ["run", "--allow-read", "vectors.mjs", vectors])),
  Bun: () => withProject("bun", (folder) => lines(folder, bin(folder, "bun"), ["vectors.mjs", vectors])),
  "Cloudflare workerd": () => withProject("workerd", workerd),
  "Next.js 15 middleware, webpack": () => withProject("next-15", (folder) => next(folder, [], "edge")),
  "Next.js 15 middleware, Turbopack": () => withProject("next-15", (folder) => next(folder, ["--turbopack"], "edge")),
  "Next.js 16 middleware, webpack": () => withProject("next-16-edge", (folder) => next(folder, ["--webpack"], "edge")),
  "Next.js 16 middleware, Turbopack": () => withProject("next-16-edge", (folder) => next(folder, ["--turbopack"], "edge")),
  "Next.js 16 proxy, webpack": () => withProject("next-16-proxy", (folder) => next(folder, ["--webpack"], "node")),
  "Next.js 16 proxy, Turbopack": () => withProject("next-16-proxy", (folder) => next(folder, ["--turbopack"], "node")),
  "Vite page in Chromium, built": () => withProject("vite", (folder) => vite(folder, true)),
  "Vite page in Chromium, development": () => withProject("vite", (folder) => vite(folder, false)),
};

/** What a platform's own check of signatures does not take: the answer is that nobody can tell. */
const BEYOND = {
  // Its crypto.subtle takes RSA keys of up to 4096 bits.
  "Deno, crypto.subtle": /^(key_material\/taken-spki-rsa-8192|keys\/8192-bits-rs512(-changed)?): code "engine-unavailable"/,
};

const asked = process.argv.slice(2);
let passed = 0;
let failed = 0;
for (const [name, host] of Object.entries(HOSTS)) {
  if (asked.length > 0 && !asked.some((part) => name.toLowerCase().includes(part.toLowerCase()))) continue;
  const started = Date.now();
  let results;
  try {
    results = await host();
  } catch (error) {
    const output = [error.stdout, error.stderr].filter(Boolean).join("\n").slice(-3000);
    results = [{ signature: "did not run", passed: 0, failed: 1, failures: [`${error.message}`.slice(0, 2000), output] }];
  }
  const seconds = Math.round((Date.now() - started) / 1000);
  for (const { signature, passed: good, failures: all = [], ...result } of results) {
    const failures = all.filter((failure) => !BEYOND[`${name}, ${signature}`]?.test(failure.trim()));
    const bad = result.failed - (all.length - failures.length);
    if (failures.length < all.length) console.log(`${name}: ${all.length - failures.length} vectors are beyond ${signature} here`);
    console.log(`${name.padEnd(36)} ${signature.padEnd(16)} ${String(good).padStart(6)} vectors passed, ${bad} failed`);
    for (const failure of failures.slice(0, 5)) console.log(`    ${failure}`);
    passed += good;
    failed += bad + (good === 0 && bad === 0 ? 1 : 0);
  }
  console.log(`${" ".repeat(36)} ${seconds} s`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

/** A copy of the project NAME in a folder of its own, with its dependencies and the package in it, for as long as `use` takes. */
async function withProject(name, use) {
  const folder = await mkdtemp(join(tmpdir(), `doorward-${name}-`));
  try {
    await cp(join(here, name), folder, { recursive: true });
    await cp(join(here, "vectors.mjs"), join(folder, "run-vectors.mjs"));
    if (name === "deno" || name === "bun") await cp(join(here, "node/vectors.mjs"), join(folder, "vectors.mjs"));
    const [tarball] = (await readdir(modules)).filter((file) => /^doorward-.*\.tgz$/.test(file));
    await run("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error", join(modules, tarball)], {
      cwd: folder,
      env: environment,
      maxBuffer: 1e8,
    });
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function bin(folder, name) {
  return join(folder, "node_modules/.bin", name);
}

/** A program that prints a line for each check of signatures. */
async function lines(folder, command, options) {
  const { stdout } = await run(command, options, { cwd: folder, env: environment, maxBuffer: 1e8 }).catch((error) => {
    if (/vectors passed/.test(error.stdout)) return error;
    throw error;
  });
  return counted(stdout);
}

function counted(output) {
  return [...output.matchAll(/^\s*(.+): (\d+) vectors passed, (\d+) failed((?:\n {2}.*)*)/gm)].map(([, signature, good, bad, failures]) => ({
    signature,
    passed: Number(good),
    failed: Number(bad),
    failures: failures.split("\n").filter(Boolean),
  }));
}

async function jest(folder) {
  const esbuild = join(modules, "node_modules/.bin/esbuild");
  await run(esbuild, ["run-vectors.mjs", "--format=cjs", "--outfile=run-vectors.js", "--log-level=error"], { cwd: folder });
  const { stdout, stderr } = await run(bin(folder, "jest"), ["--ci"], { cwd: folder, env: environment, maxBuffer: 1e8 });
  return counted(stdout + stderr);
}

/** Posts each family to a host that runs its vectors and answers with the counts. */
async function posted(url) {
  const results = [];
  for (const signature of [undefined, "platform"]) {
    const result = { signature: signature === undefined ? "default" : "crypto.subtle", passed: 0, failed: 0, failures: [] };
    for (const family of await families()) {
      const query = signature === undefined ? "" : `?signature=${signature}`;
      const response = await fetch(`${url}/run${query}`, { method: "POST", body: family });
      const text = await response.text();
      if (response.status !== 200) throw new Error(`${response.status}: ${text.slice(0, 500)}`);
      add(result, JSON.parse(text));
    }
    results.push(result);
  }
  return results;
}

async function families() {
  const names = (await readdir(vectors)).filter((name) => name.endsWith(".json"));
  return Promise.all(names.map((name) => readFile(join(vectors, name), "utf8")));
}

function add(result, { passed, failed, failures }) {
  result.passed += passed;
  result.failed += failed;
  result.failures.push(...failures);
}

async function workerd(folder) {
  return whileServing(folder, process.execPath, ["serve.mjs"], /^(http:\/\/\S+)/, posted);
}

async function next(folder, options, runtime) {
  await run(bin(folder, "next"), ["build", ...options], { cwd: folder, env: environment, maxBuffer: 1e8 });
  if (runtime === "edge") await refuseBytes(join(folder, ".next/server"));
  return whileServing(folder, bin(folder, "next"), ["start", "--hostname", "127.0.0.1", "--port", "0"], /(http:\/\/127\.0\.0\.1:[1-9]\d*)/, posted);
}

/** On the edge the module is imported: nothing in what was built could compile it from bytes, or evaluate text. */
async function refuseBytes(folder) {
  const files = (await readdir(folder, { recursive: true })).filter((name) => /middleware|edge/.test(name) && name.endsWith(".js"));
  let found = 0;
  for (const name of files) {
    const path = join(folder, name);
    if (!(await stat(path)).isFile()) continue;
    const text = await readFile(path, "utf8");
    if (!text.includes("authorizedParties")) continue;
    found += 1;
    // The magic number and the version of a module, in base64.
    if (text.includes("AGFzbQEAAAA")) throw new Error(`${name} holds the module as text`);
    if (/new WebAssembly\.Module\(|WebAssembly\.compile\(/.test(text)) throw new Error(`${name} compiles a module from bytes`);
    if (/\b(eval|Function)\s*\(/.test(text)) throw new Error(`${name} evaluates text`);
  }
  if (found === 0) throw new Error(`nothing of the package in ${files.length} files of the edge bundle`);
}

async function vite(folder, built) {
  if (built) await run(bin(folder, "vite"), ["build", "--logLevel", "error"], { cwd: folder, env: environment });
  const options = built ? ["preview"] : [];
  return whileServing(folder, bin(folder, "vite"), [...options, "--host", "127.0.0.1", "--port", "0"], /(http:\/\/127\.0\.0\.1:[1-9]\d*)/, inChromium);
}

async function inChromium(url) {
  const { chromium } = createRequire(join(modules, "package.json"))("playwright-core");
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage();
    await page.goto(url);
    await page.waitForFunction(() => typeof window.run === "function");
    const results = [];
    for (const signature of [undefined, "platform"]) {
      const result = { signature: signature === undefined ? "default" : "crypto.subtle", passed: 0, failed: 0, failures: [] };
      for (const family of await families()) {
        add(result, await page.evaluate(([text, how]) => window.run(JSON.parse(text), how ?? undefined), [family, signature ?? null]));
      }
      results.push(result);
    }
    return results;
  } finally {
    await browser.close();
  }
}

/** Starts a server, waits until it says where it is, and ends it after `use`. */
async function whileServing(folder, command, options, address, use) {
  const child = spawn(command, options, { cwd: folder, env: environment, stdio: ["pipe", "pipe", "pipe"], detached: true });
  let output = "";
  try {
    const url = await new Promise((found, lost) => {
      const timer = setTimeout(() => lost(new Error(`said no address in time:\n${output}`)), 120_000);
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on("line", (line) => {
          output += `${line}\n`;
          const match = line.replace(/\u001b\[[0-9;]*m/g, "").match(address);
          if (match !== null) {
            clearTimeout(timer);
            found(match[1]);
          }
        });
      }
      child.on("exit", (code) => lost(new Error(`ended with ${code}:\n${output}`)));
    });
    return await use(url);
  } catch (error) {
    error.message += `\n${output.slice(-1500)}`;
    throw error;
  } finally {
    child.stdin.end();
    try {
      process.kill(-child.pid, "SIGTERM");
    } catch {
      // It has ended.
    }
  }
}
