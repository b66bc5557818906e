/** What the tests in a browser share: projects, processes, an instance of Clerk's kind, a browser that stays here. */

import { execFile, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
export const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../..");
const modules = join(root, "verifier-wasm");

/** How long a machine that does other things may take for anything at all. */
export const PATIENCE = 60_000;

const folders = [];
const processes = new Set();
let passed = 0;
let failed = 0;

/** One more passed, or one more failed. What fails is told, with what `explain` adds, and does not end the run. */
export async function check(name, work, explain = () => "") {
  try {
    await work();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    const why = `${error.stack ?? error}\n${await explain()}`;
    console.log(`FAILED  ${name}\n${why.replace(/^/gm, "        ")}`);
  }
}

/** Runs the whole, tells the counts, and leaves nothing behind. */
export async function main(work) {
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void end().then(() => process.exit(130)));
  try {
    await work();
  } catch (error) {
    failed += 1;
    console.log([error.stack ?? error, error.stdout, error.stderr].filter(Boolean).join("\n").slice(-6000));
  }
  await end();
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

async function end() {
  await Promise.all([...processes].map((process) => process.stop()));
  for (const folder of folders) await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

export async function folder(name) {
  const path = await mkdtemp(join(tmpdir(), `doorward-${name}-`));
  folders.push(path);
  return path;
}

/** What every process here is told, and nothing of what the person who runs this has set up. */
const loopbackLog = join(await folder("loopback"), "hosts");
const environment = {
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  TMPDIR: tmpdir(),
  DO_NOT_TRACK: "1",
  NEXT_TELEMETRY_DISABLED: "1",
  NEXT_PUBLIC_CLERK_TELEMETRY_DISABLED: "1",
  CLERK_TELEMETRY_DISABLED: "1",
  LOOPBACK_LOG: loopbackLog,
};
const guarded = { ...environment, NODE_OPTIONS: `--require=${join(here, "loopback.cjs")}` };

process.env.LOOPBACK_LOG = loopbackLog;
createRequire(import.meta.url)("./loopback.cjs");

/** Hosts outside this machine that a Node process wanted to reach. */
export function hostsOutside() {
  try {
    return readFileSync(loopbackLog, "utf8").split("\n").filter(Boolean);
  } catch {
    return [];
  }
}

/** A copy of the project NAME in a folder of its own, as its lock file has it, with the packed package. */
export async function project(name, extras = {}) {
  const path = await folder(name);
  await cp(join(here, name), path, { recursive: true });
  for (const [target, source] of Object.entries(extras)) await cp(join(here, source), join(path, target));
  await npm(path, "ci");
  const [tarball] = (await readdir(modules)).filter((file) => /^doorward-.*\.tgz$/.test(file));
  await npm(path, "install", "--no-save", "--no-package-lock", join(modules, tarball));
  return path;
}

async function npm(cwd, ...options) {
  await run("npm", [...options, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd,
    env: { ...process.env, ...environment },
    maxBuffer: 1e8,
  });
}

export async function nextBuild(path, settings, ...options) {
  const env = { ...guarded, ...settings };
  await run(join(path, "node_modules/.bin/next"), ["build", ...options], { cwd: path, env, maxBuffer: 1e8 });
}

/** A Next.js server that was built, on a free port or on the one it had. */
export async function nextStart(path, settings, port = 0) {
  const next = join(path, "node_modules/.bin/next");
  const options = ["start", "--hostname", "localhost", "--port", String(port)];
  const process = new Process(next, options, { cwd: path, env: { ...guarded, ...settings } });
  const [, found] = await process.says(/http:\/\/localhost:([1-9]\d*)/);
  await process.says(/Ready in/);
  return Object.assign(process, { url: `http://localhost:${found}`, port: Number(found) });
}

/** Something that runs until it is stopped. */
export class Process {
  output = "";
  #listeners = new Set();

  constructor(command, options, { cwd, env }) {
    this.child = spawn(command, options, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    processes.add(this);
    this.ended = new Promise((done) => this.child.on("exit", done));
    this.child.on("exit", () => this.#heard());
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        this.output += `${line.replace(/\u001b\[[0-9;]*m/g, "")}\n`;
        this.#heard();
      });
    }
  }

  #heard() {
    for (const listener of this.#listeners) listener();
  }

  /** What matches in its output, now or later. */
  says(pattern) {
    return new Promise((found, lost) => {
      const fail = (why) => lost(new Error(`${why}: nothing like ${pattern} in\n${this.output.slice(-3000)}`));
      const timer = setTimeout(() => settle(() => fail("in time")), PATIENCE);
      const settle = (how) => {
        clearTimeout(timer);
        this.#listeners.delete(look);
        how();
      };
      const look = () => {
        const match = this.output.match(pattern);
        if (match !== null) settle(() => found(match));
        else if (this.child.exitCode !== null || this.child.signalCode !== null) settle(() => fail("it ended"));
      };
      this.#listeners.add(look);
      look();
    });
  }

  async stop() {
    processes.delete(this);
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.#kill("SIGTERM");
    const timer = setTimeout(() => this.#kill("SIGKILL"), 15_000);
    await this.ended;
    clearTimeout(timer);
  }

  #kill(signal) {
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // It has ended.
    }
  }
}

/** `doorward dev`: its local issuer stands for an instance of Clerk. */
export class Issuer {
  static async start(doorward) {
    const issuer = new Issuer();
    Object.assign(issuer, { doorward, data: await folder("issuer") });
    await issuer.start();
    return issuer;
  }

  async start() {
    const options = ["dev", "--listen", "127.0.0.1:0", "--data-dir", this.data];
    this.process = new Process(this.doorward, options, { cwd: this.data, env: environment });
    await this.process.says(/CLERK_PUBLISHABLE_KEY=pk_test_\S+/);
    const instance = await this.#instance();
    Object.assign(this, {
      url: instance.issuer,
      publishableKey: instance.publishable_key,
      secretKey: instance.secret_key,
    });
  }

  stop() {
    return this.process.stop();
  }

  /** Another key under another `kid`, in place of the one before. */
  async rotate() {
    await run(this.doorward, ["dev", "rotate-key", "--data-dir", this.data], { env: environment });
  }

  async token(...shape) {
    const { stdout } = await run(this.doorward, ["token", "--data-dir", this.data, ...shape], { env: environment });
    return stdout.trim();
  }

  async #instance() {
    return JSON.parse(await readFile(join(this.data, "issuer/instance.json"), "utf8"));
  }
}

/** `doorward serve`, with settings of its own and a data folder that can be lost. */
export class Server {
  static async start(doorward, settings) {
    const server = new Server();
    Object.assign(server, { doorward, settings, port: await freePort(), data: await folder("server") });
    server.url = `http://127.0.0.1:${server.port}`;
    await server.start();
    return server;
  }

  async start() {
    const env = { ...environment, HOST: "127.0.0.1", PORT: String(this.port), DATA_DIR: this.data, ...this.settings };
    this.process = new Process(this.doorward, ["serve"], { cwd: this.data, env });
    await this.process.says(/listening on http/);
  }

  stop() {
    return this.process.stop();
  }

  /** What it kept beside its store is gone when it starts again. */
  async loseCache() {
    await rm(this.data, { recursive: true });
    this.data = await folder("server");
  }
}

/** A port that was free a moment ago. */
export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Chromium without a way out of this machine. `outside` is what its pages asked of other hosts. */
export async function browser() {
  const { chromium } = createRequire(join(modules, "package.json"))("playwright-core");
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"],
  });
  const outside = [];
  return {
    outside,
    close: () => browser.close(),
    async context(options = {}) {
      const context = await browser.newContext(options);
      context.setDefaultTimeout(PATIENCE);
      await context.route(isOutside, (route) => {
        outside.push(route.request().url());
        return route.abort();
      });
      return context;
    },
  };
}

function isOutside(url) {
  return /^(https?|wss?):$/.test(url.protocol) && !["localhost", "127.0.0.1"].includes(url.hostname);
}

/** What a token says, believed in nothing. */
export function claimsOf(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
}
