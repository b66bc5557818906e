import { bench } from "./candidates.js";

/** For whoever drives the page, or holds the VM. */
globalThis.bench = bench;
