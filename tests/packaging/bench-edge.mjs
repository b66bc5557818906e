/**
 * `node bench-edge.mjs PROJECT [ROUNDS]`: how long a token takes where there is no node:crypto: in the Edge runtime's VM, in
 * workerd and in Chromium, beside the verifiers that run there, too. PROJECT is a copy of bench-edge with all installed. Nothing
 * fails for being slow.
 */

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { tokens } from "./bench/tokens.mjs";

const project = resolve(process.argv[2]);
const rounds = Number(process.argv[3] ?? 15);
/** Tokens between two looks at the watch, which hangs outside the host. */
const BATCH = 300;
const NAMES = ["doorward", "jose", "@clerk/backend, JWK", "@clerk/backend, PEM"];

const modules = resolve(dirname(fileURLToPath(import.meta.url)), "../../verifier-wasm");
const engine = join(project, "node_modules/doorward/simd/engine_bg.wasm");
const fixture = tokens();
const HOSTS = { "Edge runtime's VM": inEdgeVm, workerd: inWorkerd, Chromium: inChromium };

let passed = 0;
let failed = 0;
console.log(`${new Date().toISOString().slice(0, 10)}, ${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}`);
console.log(`a token of ${fixture.tokens[0].length} bytes, RSA-2048, each awaited before the next; medians of ${rounds} times ${BATCH}, in µs\n`);
console.log([" ".repeat(20), ...NAMES.map((name) => name.padStart(20)), "x jose".padStart(8), "x clerk".padStart(8)].join(" "));
for (const [host, measure] of Object.entries(HOSTS)) {
  try {
    const figures = await measure();
    const [ours, jose, clerk] = figures;
    console.log([host.padEnd(20), ...figures.map((micros) => micros.toFixed(1).padStart(20)), (jose / ours).toFixed(1).padStart(8), (clerk / ours).toFixed(1).padStart(8)].join(" "));
    passed += 1;
  } catch (error) {
    console.log(`FAILED ${host}: ${error.stack}`);
    failed += 1;
  }
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** @param run `(name, count) => Promise`: its time with no token at all is that of asking the host. */
async function timed(run) {
  const times = NAMES.map(() => []);
  for (let round = 0; round < rounds + 3; round += 1) {
    for (const [place, name] of NAMES.entries()) times[place].push((await elapsed(run, name, BATCH)) - (await elapsed(run, name, 0)));
  }
  // The first few have the host warm up.
  return times.map((list) => (1000 * median(list.slice(3))) / BATCH);
}

async function elapsed(run, name, count) {
  const from = performance.now();
  await run(name, count);
  return performance.now() - from;
}

function median(values) {
  return values.sort((one, other) => one - other)[Math.floor(values.length / 2)];
}

/** What Next.js runs middleware in: a bundle, and its module as a global. */
async function inEdgeVm() {
  const { EdgeVM } = await import(pathToFileURL(createRequire(join(project, "package.json")).resolve("@edge-runtime/vm")));
  const vm = new EdgeVM({
    extend: (context) => Object.assign(context, { engineModule: new WebAssembly.Module(readFileSync(engine)) }),
  });
  vm.evaluate(readFileSync(await bundled("edge.js", "iife", ["edge-light", "worker", "browser"]), "utf8"));
  // What comes from outside is no object of the VM's.
  const run = await vm.evaluate(`bench(${JSON.stringify(fixture)})`);
  return timed(run);
}

async function inWorkerd() {
  const environment = { ...process.env, WRANGLER_SEND_METRICS: "false", DO_NOT_TRACK: "1" };
  const server = spawn(process.execPath, ["serve.mjs"], { cwd: project, env: environment, stdio: ["pipe", "pipe", "inherit"] });
  try {
    const url = await new Promise((found, lost) => {
      createInterface({ input: server.stdout }).on("line", (line) => line.startsWith("http://") && found(line));
      server.on("exit", (code) => lost(new Error(`workerd ended with ${code}`)));
    });
    const posted = async (body) => {
      const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
      const text = await response.text();
      if (response.status !== 200) throw new Error(`${response.status}: ${text.slice(0, 500)}`);
    };
    await posted({ fixture });
    return await timed((name, count) => posted({ name, count }));
  } finally {
    server.stdin.end();
  }
}

async function inChromium() {
  const script = await bundled("page-bundle.js", "esm", ["browser"]);
  const served = {
    "/": ["text/html", "<!doctype html><script type=module src=/page.js></script>"],
    "/page.js": ["text/javascript", readFileSync(script)],
    "/engine_bg.wasm": ["application/wasm", readFileSync(engine)],
  };
  const server = createServer(({ url }, response) => {
    const [type, content] = served[url] ?? ["text/plain", "nothing here"];
    response.writeHead(served[url] === undefined ? 404 : 200, { "content-type": type }).end(content);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { chromium } = createRequire(join(modules, "package.json"))("playwright-core");
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.waitForFunction(() => typeof globalThis.bench === "function");
    await page.evaluate(async (given) => {
      globalThis.run = await globalThis.bench(given);
    }, fixture);
    return await timed((name, count) => page.evaluate(([name, count]) => globalThis.run(name, count), [name, count]));
  } finally {
    await browser.close();
    server.close();
  }
}

/** page.js in one file, for a host with these conditions. A platform that imports the module has it as a global here. */
async function bundled(name, format, conditions) {
  const { build } = createRequire(join(modules, "package.json"))("esbuild");
  const outfile = join(project, name);
  const imported = {
    name: "imported",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /\.wasm\?module$/ }, ({ path }) => ({ path, namespace: "imported" }));
      onLoad({ filter: /.*/, namespace: "imported" }, () => ({ contents: "export default globalThis.engineModule;" }));
    },
  };
  await build({
    absWorkingDir: project,
    entryPoints: ["page.js"],
    outfile,
    format,
    conditions,
    bundle: true,
    minify: true,
    mainFields: ["browser", "module", "main"],
    plugins: [imported],
    logLevel: "error",
  });
  return outfile;
}
