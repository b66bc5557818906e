/**
 * `node check.mjs TARBALL`: what is published is what is meant to be: the files, the manifest, what the module asks of its
 * host, and nothing of the machine that built it. `UPDATE=1` writes the lists that are compared.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [tarball] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../../..");
const folder = mkdtempSync(join(tmpdir(), "doorward-package-"));
execFileSync("tar", ["-xzf", tarball, "-C", folder, "--strip-components=1"]);
const read = (path) => readFileSync(join(folder, path));
const manifest = JSON.parse(read("package.json"));
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
  .sort();

const checks = {
  "it holds the files of the list, and no other": () => same("contents.txt", files),

  "its modules ask for nothing but the host's RSA check, and offer what the list says": () => {
    for (const variant of ["simd", "scalar"]) {
      const module = new WebAssembly.Module(read(`${variant}/engine_bg.wasm`));
      const imports = WebAssembly.Module.imports(module).map(({ module: from, name, kind }) => `import ${from} ${name.replace(/_[0-9a-f]{16}$/, "")} ${kind}`);
      const exports = WebAssembly.Module.exports(module).map(({ name, kind }) => `export ${name} ${kind}`);
      same("module.txt", [...imports, ...exports].sort());
    }
  },

  "the module as text is the module": () => {
    for (const variant of ["simd", "scalar"]) {
      assert.ok(read(`${variant}/engine_base64.js`).includes(read(`${variant}/engine_bg.wasm`).toString("base64")), variant);
    }
  },

  "the edge's and the workers' entries reach no bytes, no eval and no Node": () => {
    for (const entry of ["edge-light", "workerd"]) {
      for (const file of reached(`simd/${entry}.js`)) {
        const text = read(file).toString().replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
        assert.doesNotMatch(text, /\beval\b|new Function|WebAssembly\.(Module|compile|instantiate)\b|base64\.js|node:|\bprocess\b/, file);
      }
    }
  },

  "every entry of the manifest is there, with its types": () => {
    const targets = (value) => (typeof value === "string" ? [value] : Object.values(value).flatMap(targets));
    for (const target of targets(manifest.exports)) assert.ok(existsSync(join(folder, target)), target);
    assert.deepEqual(Object.keys(manifest.exports), [".", "./scalar", "./next", "./testing", "./package.json"]);
  },

  "the manifest says what a registry asks: licence, repository, provenance, no scripts, nothing to install": () => {
    assert.equal(manifest.license, "MIT OR Apache-2.0");
    assert.match(manifest.repository.url, /^git\+https:/);
    assert.equal(manifest.repository.directory, "verifier-wasm");
    assert.deepEqual(manifest.publishConfig, { access: "public", provenance: true });
    assert.equal(manifest.engines.node, ">=20");
    for (const absent of ["private", "scripts", "dependencies", "devDependencies", "bin"]) assert.equal(manifest[absent], undefined, absent);
    for (const licence of ["LICENSE-MIT", "LICENSE-APACHE"]) assert.deepEqual(read(licence), readFileSync(join(root, licence)));
  },

  "its version is the workspace's, semantic, and the first of the changelog": () => {
    const version = readFileSync(join(root, "Cargo.toml"), "utf8").match(/^version = "(.*)"$/m)[1];
    assert.equal(manifest.version, version);
    assert.match(version, /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/);
    assert.equal(read("CHANGELOG.md").toString().match(/^## (\S+)/m)[1], version);
  },

  "no path of the machine that built it is in it": () => {
    for (const path of [homedir(), root, process.env.CARGO_HOME, process.env.CARGO_TARGET_DIR].filter((path) => path?.length > 1)) {
      for (const file of files) assert.ok(!read(file).includes(`${path}/`), `${path} in ${file}`);
    }
  },
};

let passed = 0;
let failed = 0;
try {
  for (const [name, check] of Object.entries(checks)) {
    try {
      check();
      passed += 1;
    } catch (error) {
      console.log(`FAILED ${name}: ${error.message}`);
      failed += 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function same(list, found) {
  const path = join(here, list);
  if (process.env.UPDATE === "1") writeFileSync(path, `${found.join("\n")}\n`);
  assert.deepEqual(found, readFileSync(path, "utf8").trim().split("\n"));
}

/** A script and all that it imports. */
function reached(entry, seen = new Set()) {
  if (seen.has(entry) || !entry.endsWith(".js")) return seen;
  seen.add(entry);
  for (const [, name] of read(entry).toString().matchAll(/(?:from|import)\s*\(?\s*"\.\/([^"]+)"/g)) {
    reached(join(dirname(entry), name), seen);
  }
  return seen;
}
