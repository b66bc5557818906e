/** `node manifest.mjs package.json DIST`: writes the manifest that is published, without what is for building alone. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [template, dist] = process.argv.slice(2);
const { private: _private, devDependencies: _tools, ...published } = JSON.parse(readFileSync(template, "utf8"));
writeFileSync(join(dist, "package.json"), `${JSON.stringify(published, null, 2)}\n`);
