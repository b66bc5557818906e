/** `node measure.mjs NAME FIXTURE [cold]`: one verifier in a process of its own. Prints JSON: times in microseconds. */

import { readFileSync } from "node:fs";
import { CANDIDATES } from "./candidates.mjs";

const [name, fixture, mode] = process.argv.slice(2);
const { tokens, forged, ...given } = JSON.parse(readFileSync(fixture, "utf8"));
const candidate = CANDIDATES[name];

if (mode === "cold") {
  const from = performance.now();
  const verify = await candidate.make(given);
  await verify(tokens[0]);
  console.log(JSON.stringify({ first: (performance.now() - from) * 1000 }));
} else {
  const verify = await candidate.make(given);
  await holds(verify);
  console.log(JSON.stringify(candidate.again ? seenBefore(verify) : await eachNew(verify)));
}

/** Whoever accepts a forged token, or refuses a good one, is not measured. */
async function holds(verify) {
  await verify(tokens[0]);
  let isRefused = false;
  try {
    await verify(forged);
  } catch {
    isRefused = true;
  }
  if (!isRefused) throw new Error(`${name} accepted a forged token`);
}

/** Each token comes again only after more others than any of them keeps. Calls are timed one by one: what else the machine does moves the median little. */
async function eachNew(verify) {
  const times = [];
  for (let round = 0; round < 3; round += 1) {
    for (const token of tokens) {
      const from = performance.now();
      const answer = verify(token);
      if (candidate.awaits) await answer;
      times.push((performance.now() - from) * 1000);
    }
  }
  return summary(times.slice(tokens.length));
}

/** As a header's value does, the token comes as another string each time. */
function seenBefore(verify) {
  const batch = 200;
  const times = [];
  for (let round = 0; round < 2000; round += 1) {
    const fresh = Array.from({ length: batch }, () => Buffer.from(tokens[0], "latin1").latin1Slice());
    const from = performance.now();
    for (const token of fresh) verify(token);
    times.push(((performance.now() - from) * 1000) / batch);
  }
  return summary(times.slice(500));
}

function summary(times) {
  times.sort((one, other) => one - other);
  const at = (share) => times[Math.floor(times.length * share)];
  return { median: at(0.5), p99: at(0.99), least: times[0] };
}
