/**
 * `node guide.mjs DOORWARD [--screenshots DIR]`: the guide's frontend, with Clerk's own code from npm and no account. The
 * local issuer stands for Clerk, a server of doorward for the backend.
 */

import assert from "node:assert/strict";
import { cp, mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { browser, check, claimsOf, freePort, hostsOutside, Issuer, main, nextBuild, nextStart, project, Server } from "./support.mjs";

const [doorward, option, screenshots] = process.argv.slice(2);

/** The code that Clerk takes for addresses that are for tests. */
const CODE = "424242";

await main(async () => {
  const issuer = await Issuer.start(doorward);
  const sitePort = await freePort();
  const origin = `http://localhost:${sitePort}`;
  const server = await Server.start(doorward, {
    CLERK_PUBLISHABLE_KEY: issuer.publishableKey,
    CLERK_SECRET_KEY: issuer.secretKey,
    CLERK_API_URL: issuer.url,
    CORS_ORIGINS: origin,
    MONGODB_URI: process.env.DOORWARD_TEST_FERRETDB_URI,
    MONGODB_DB_NAME: `guide_${process.pid}`,
  });
  const path = await project("guide");
  const settings = {
    // The guide's seven.
    NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY: issuer.publishableKey,
    CLERK_SECRET_KEY: issuer.secretKey,
    NEXT_PUBLIC_CLERK_SIGN_IN_URL: "/sign-in",
    NEXT_PUBLIC_CLERK_SIGN_UP_URL: "/sign-up",
    NEXT_PUBLIC_CLERK_AFTER_SIGN_IN_URL: "/",
    NEXT_PUBLIC_CLERK_AFTER_SIGN_UP_URL: "/",
    NEXT_PUBLIC_API_URL: server.url,
    // Whose tokens the check in front takes.
    AUTHORIZED_PARTIES: origin,
    // The local issuer in place of Clerk, and Clerk's code from here in place of its servers.
    CLERK_API_URL: issuer.url,
    NEXT_PUBLIC_CLERK_PROXY_URL: issuer.url.replace("127.0.0.1", "localhost"),
    NEXT_PUBLIC_CLERK_JS_URL: "/clerk-js/clerk.browser.js",
    NEXT_PUBLIC_CLERK_UI_URL: "/clerk-ui/ui.browser.js",
  };
  for (const [name, target] of [["clerk-js", "clerk-js"], ["ui", "clerk-ui"]]) {
    const from = join(path, "node_modules/@clerk", name, "dist");
    const to = join(path, "public", target);
    await mkdir(to, { recursive: true });
    for (const file of (await readdir(from)).filter((file) => file.endsWith(".js"))) await cp(join(from, file), join(to, file));
  }
  await nextBuild(path, settings);
  const site = await nextStart(path, settings, sitePort);

  const chromium = await browser();
  const context = await chromium.context({ viewport: { width: 720, height: 640 } });
  const page = await context.newPage();
  const asked = [];
  page.on("request", (request) => asked.push(request));

  const step = (name, work) =>
    check(name, work, async () => {
      const shown = await page.locator("body").innerText({ timeout: 5000 }).catch(String);
      const urls = asked.slice(-15).map((request) => `${request.method()} ${request.url().slice(0, 150)}`);
      const logs = [server.process, site, issuer.process].map(({ output }) => output.slice(-1500));
      return [page.url(), shown, urls.join("\n"), ...logs].join("\n---\n").replace(/eyJ[\w.-]+/g, "eyJ…");
    });
  const me = `${server.url}/api/auth/me`;
  const askAgain = () => page.getByRole("button", { name: "Ask again" }).click();
  const knows = (text) => page.locator("#me").filter({ hasText: text }).waitFor();
  const alerts = (code) => page.locator(`main [role=alert][data-code="${code}"]`).waitFor();
  const sentTo = async (url) => Promise.all(asked.filter((request) => request.url() === url && request.method() === "GET").map((request) => request.allHeaders()));

  /** Clerk's own form: an address, then the code. */
  async function enter(email, code) {
    const address = page.locator("input[name=identifier], input[name=emailAddress]").first();
    await address.fill(email);
    await page.locator(".cl-formButtonPrimary").click();
    await page.locator("input[autocomplete=one-time-code], input[data-input-otp]").first().waitFor();
    await page.keyboard.type(code);
  }

  await step("signed out: no header is sent, and the server's code is shown", async () => {
    await page.goto(origin);
    await page.locator("#signed-out").waitFor();
    await alerts("token-missing");
    for (const headers of await sentTo(me)) assert.equal(headers.authorization, undefined);
  });

  await step("Clerk's own sign-in page: a wrong code is told, the right one signs in, and the server has the user", async () => {
    await page.goto(`${origin}/sign-in`);
    await enter("ada@example.com", "000000");
    await page.locator(".cl-formFieldErrorText, .cl-otpCodeFieldErrorText").filter({ hasText: /code/i }).first().waitFor();
    if (option === "--screenshots") await page.screenshot({ path: join(resolve(screenshots), "guide-sign-in.png") });
    await page.keyboard.type(CODE);
    await page.waitForURL(`${origin}/`);
    await knows("user_ada, ada@example.com");
    await server.process.says(/Created new user from Clerk/);
  });

  await step("in the console: a token for this page, of this session", async () => {
    const token = await page.evaluate(() => window.Clerk.session.getToken());
    const claims = claimsOf(token);
    assert.deepEqual([claims.azp, claims.sub, claims.iss], [origin, "user_ada", issuer.url]);
    const response = await fetch(me, { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await response.json()).clerk_id, "user_ada");
  });

  await step("a token that expired on its way: one new one from Clerk's code, and the answer", async () => {
    const expired = await issuer.token("--expired", "--azp", origin);
    await page.route(me, (route) => {
      if (route.request().method() === "OPTIONS") return route.continue();
      return route.continue({ headers: { ...route.request().headers(), authorization: `Bearer ${expired}` } });
    }, { times: 1 });
    asked.length = 0;
    const first = page.waitForResponse((response) => response.url() === me && response.status() === 401);
    await askAgain();
    assert.equal((await (await first).json()).code, "token-expired");
    await knows("user_ada");
    const tokens = asked.filter((request) => /\/sessions\/\w+\/tokens/.test(request.url()) && request.method() === "POST");
    assert.equal(tokens.length, 1);
  });

  await step("a page with an expired cookie: through the check, Clerk's middleware and a handshake, signed in", async () => {
    const expired = await issuer.token("--expired", "--azp", origin);
    const kept = (await context.cookies(origin)).filter(({ name }) => name.startsWith("__session"));
    assert.equal(kept.length, 2);
    await context.addCookies(kept.map((cookie) => ({ ...cookie, value: expired })));
    asked.length = 0;
    await page.goto(origin);
    await knows("user_ada");
    const handshakes = asked.filter((request) => request.url().includes("/v1/client/handshake"));
    assert.equal(handshakes.length, 1);
    assert.equal(new URL(page.url()).search, "");
  });

  await step("machine tokens and garbage stop in front of Clerk's middleware", async () => {
    for (const [token, code] of [["mt_made-up", "machine-token"], ["oat_made-up", "oauth-token"], ["garbage", "malformed-token"]]) {
      const response = await fetch(origin, { headers: { authorization: `Bearer ${token}` } });
      assert.deepEqual([response.status, (await response.json()).code], [401, code]);
    }
  });

  await step("signed out by Clerk's button", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.locator("#signed-out").waitFor();
    await alerts("token-missing");
    const left = (await context.cookies(origin)).filter(({ name, value }) => name.startsWith("__session") && value !== "");
    assert.deepEqual(left, []);
  });

  await step("Clerk's own sign-up page: a new account, known to the server with its address", async () => {
    await page.goto(`${origin}/sign-up`);
    await enter("grace@example.com", CODE);
    await page.waitForURL(`${origin}/`);
    await knows("grace@example.com");
  });

  await step("keys and issuer away: the wait that the server asks for, then its code and when to come back", async () => {
    await issuer.stop();
    await server.stop();
    await server.loseCache();
    server.settings.MONGODB_DB_NAME = `guide_without_keys_${process.pid}`;
    await server.start();
    const answers = [];
    page.on("response", (response) => response.url() === me && answers.push([Date.now(), response]));
    await askAgain();
    await alerts("keys-unavailable");
    const [[at, response]] = answers;
    const seconds = Number(await response.headerValue("retry-after"));
    assert.equal(response.status(), 503);
    assert.ok(seconds > 0);
    assert.equal(answers.length, seconds <= 5 ? 2 : 1);
    // The timers of a browser may be a moment early.
    if (answers.length === 2) assert.ok(answers[1][0] - at >= seconds * 1000 - 50, `asked again after ${answers[1][0] - at} ms`);
    await page.locator("main [role=alert]").filter({ hasText: "Try again in" }).waitFor();
  });

  await step("nothing was asked of another machine", () => {
    assert.deepEqual({ browser: chromium.outside, node: hostsOutside() }, { browser: [], node: [] });
  });
  await chromium.close();
});
