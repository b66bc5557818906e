import { createVerifier } from "doorward";
import { runVectors } from "./run-vectors.mjs";

/** What the driver calls with a family and a signature setting. */
window.run = (family, signature) => runVectors(createVerifier, [family], signature);
