/**
 * `node webhooks.mjs VECTORS`: the webhook vectors whose signature decides, judged at each vector's time by Svix's own
 * library too. What is refused before the signature is looked at is refused here alone, where it is.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Webhook } from "svix";

const [folder] = process.argv.slice(2);
const { cases } = JSON.parse(readFileSync(join(folder, "webhooks.json"), "utf8"));
const decided = cases.filter(({ expect }) => expect.code === "ok" || expect.code === "webhook-signature");

function accepts(secret, { headers, body }) {
  // As a server hands them on: blanks around a value are no part of it (RFC 9110 section 5.5).
  const received = Object.fromEntries(new Headers(headers));
  try {
    new Webhook(secret).verify(body, received, { jsonParse: false });
    return true;
  } catch (error) {
    if (error.name === "WebhookVerificationError") return false;
    throw error;
  }
}

let passed = 0;
let failed = 0;
for (const { name, webhook, now, expect } of decided) {
  // It can't be told the time.
  Date.now = () => now * 1000;
  const secrets = webhook.secrets.flatMap((text) => text.split(/[, ]+/)).filter(Boolean);
  const theirs = secrets.some((secret) => accepts(secret, webhook));
  if (theirs === (expect.code === "ok")) {
    passed += 1;
  } else {
    failed += 1;
    console.log(`${name}: ${expect.code}, and Svix ${theirs ? "accepts" : "refuses"} it`);
  }
}
console.log(`${passed} of ${decided.length} webhooks are judged by Svix's library as here`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed >= 50 ? 0 : 1;
