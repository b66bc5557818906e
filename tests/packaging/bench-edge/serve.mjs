/** Runs the worker in workerd, as `wrangler dev` does, and prints its address. Ends with its standard input. */

import { unstable_dev } from "wrangler";

const worker = await unstable_dev("worker.js", {
  config: "wrangler.jsonc",
  ip: "127.0.0.1",
  local: true,
  logLevel: "warn",
  experimental: { disableExperimentalWarning: true, watch: false, liveReload: false },
});
console.log(`http://${worker.address}:${worker.port}`);
process.stdin.resume().on("end", async () => {
  await worker.stop();
  process.exit();
});
