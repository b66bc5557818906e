/**
 * `node next-app.mjs DOORWARD [--screenshots DIR]`: a whole application in a browser. Next.js with the package in its
 * middleware, a server of doorward, a store behind it, an issuer; and what they do as each of them fails.
 */

import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { browser, check, claimsOf, hostsOutside, Issuer, main, nextBuild, nextStart, project, Server } from "./support.mjs";

const [doorward, option, screenshots] = process.argv.slice(2);

/** What the local issuer names in its tokens. */
const PARTY = "http://localhost:3000";

await main(async () => {
  const issuer = await Issuer.start(doorward);
  const settings = {
    CLERK_PUBLISHABLE_KEY: issuer.publishableKey,
    CLERK_SECRET_KEY: issuer.secretKey,
    CLERK_API_URL: issuer.url,
    AUTHORIZED_PARTIES: PARTY,
  };
  const path = await project("next-app", { "lib/api.ts": "guide/src/lib/api.ts" });
  await nextBuild(path, settings);
  const server = await Server.start(doorward, {
    ...settings,
    MONGODB_URI: process.env.DOORWARD_TEST_FERRETDB_URI,
    MONGODB_DB_NAME: `next_app_${process.pid}`,
  });
  let site = await nextStart(path, { ...settings, API_URL: server.url });
  await server.stop();
  server.settings.CORS_ORIGINS = site.url;
  await server.start();

  const chromium = await browser();
  const context = await chromium.context({ viewport: { width: 720, height: 520 } });
  const page = await context.newPage();
  const url = (path) => `${site.url}${path}`;

  // Helpers.

  /** Puts a token where Clerk's code keeps it, as if it had been signed in with it. */
  async function present(token) {
    const { iat } = claimsOf(token);
    const kept = await context.cookies(site.url);
    const replaced = kept.flatMap(({ name, ...cookie }) => {
      if (name.startsWith("__session")) return [{ ...cookie, name, value: token }];
      if (name.startsWith("__client_uat")) return [{ ...cookie, name, value: String(Math.min(iat, Number(cookie.value))) }];
      return [];
    });
    assert.ok(replaced.length >= 4, "somebody was signed in before");
    await context.addCookies(replaced);
  }

  async function presented() {
    return (await context.cookies(site.url)).find(({ name }) => name === "__session")?.value;
  }

  /** What the page's own script gets from an address: status, some headers, and the body. */
  function ask(address, headers = {}) {
    return page.evaluate(
      async ([address, headers]) => {
        const response = await fetch(address, { headers });
        const text = await response.text();
        let body = {};
        try {
          body = JSON.parse(text);
        } catch {}
        return { status: response.status, retryAfter: response.headers.get("retry-after"), code: body.code, body };
      },
      [address, headers],
    );
  }

  /** A check that shows, where it fails, what is on the page and what was logged. */
  const step = (name, work) =>
    check(name, work, async () => {
      const shown = await page.locator("body").innerText({ timeout: 5000 }).catch(String);
      const logs = [server, site, issuer].map((each) => (each.process ?? each).output.slice(-1500));
      return [page.url(), shown, ...logs].join("\n---\n").replace(/eyJ[\w.-]+/g, "eyJ…");
    });
  const bearer = (token) => ({ authorization: `Bearer ${token}` });
  const me = () => `${server.url}/api/auth/me`;
  const shows = (selector, text) => page.locator(selector).filter({ hasText: text }).waitFor();
  const alerts = (code) => page.locator(`main [role=alert][data-code="${code}"]`).waitFor();
  const reload = () => page.getByRole("button", { name: "Reload" }).click();

  /** The open page has asked both, and both know who it is. */
  async function bothKnow() {
    await shows("#edge", "user_ada");
    await shows("#server", "user_ada");
    assert.equal(await page.locator("main [role=alert]").count(), 0);
  }

  await step("signed out: pages send to sign in, APIs say that no token came", async () => {
    await page.goto(url("/account"));
    assert.equal(new URL(page.url()).pathname, "/sign-in");
    for (const address of ["/api/whoami", me()]) {
      const { status, code } = await ask(address);
      assert.deepEqual([address, status, code], [address, 401, "token-missing"]);
    }
    await page.goto(url("/"));
    await shows("#who", "You are signed out.");
  });

  await step("signed in: middleware, handler and server agree, and the store has the user", async () => {
    await page.goto(url("/sign-in"));
    await page.getByRole("button", { name: "Continue" }).click();
    await page.waitForURL(url("/account"));
    await bothKnow();
    await shows("#email", "ada@example.com");
    await page.getByLabel("New name").fill("Ada King");
    await page.getByRole("button", { name: "Rename" }).click();
    await shows("#name", "Ada King");
    if (option === "--screenshots") await page.screenshot({ path: join(resolve(screenshots), "next-app.png") });
    await page.goto(url("/"));
    await shows("#who", "Signed in as user_ada.");
  });

  await step("what the store has outlives the server's own folder", async () => {
    await server.stop();
    await server.loseCache();
    await server.start();
    await page.goto(url("/account"));
    await shows("#name", "Ada King");
  });

  await step("expired while the page is open: one refusal, one new token, the answer", async () => {
    await bothKnow();
    const expired = await issuer.token("--expired");
    await present(expired);
    const answers = [];
    const listener = (response) => response.url() === url("/api/whoami") && answers.push(response.status());
    page.on("response", listener);
    await reload();
    await bothKnow();
    page.off("response", listener);
    assert.deepEqual(answers, [401, 200]);
    assert.notEqual(await presented(), expired);
    assert.equal((await ask(me(), bearer(expired))).code, "token-expired");
  });

  await step("expired between two pages: a handshake comes back, passes the middleware, and the page is there", async () => {
    const expired = await issuer.token("--expired");
    await present(expired);
    const seen = [];
    const listener = (request) => request.isNavigationRequest() && seen.push(new URL(request.url()));
    page.on("request", listener);
    await page.goto(url("/account"));
    page.off("request", listener);
    assert.deepEqual(
      seen.map(({ pathname, searchParams }) => [pathname, searchParams.has("__clerk_handshake")]),
      [["/account", false], ["/sign-in/handshake", false], ["/account", true], ["/account", false]],
    );
    assert.equal(new URL(page.url()).search, "");
    await bothKnow();
  });

  await step("a handshake passes even beside a forged session, and replaces it", async () => {
    const good = await presented();
    const forged = await issuer.token("--forged");
    await present(forged);
    await page.goto(url(`/account?__clerk_handshake=${good}`));
    assert.equal(new URL(page.url()).pathname, "/account");
    assert.equal(await presented(), good);
    await bothKnow();
  });

  for (const [what, code, ...shape] of [
    ["forged", "wrong-signature", "--forged"],
    ["for another party", "wrong-azp", "--azp", "https://elsewhere.example.com"],
    ["of a template", "template-token", "--template"],
  ]) {
    await step(`a token that is ${what} is refused: in a cookie, in a header, by the server`, async () => {
      const good = await presented();
      const bad = await issuer.token(...shape);
      await present(bad);
      assert.equal((await ask("/api/whoami")).code, code);
      assert.equal((await ask("/api/whoami", bearer(bad))).code, code);
      assert.equal((await ask(me(), bearer(bad))).code, code);
      await page.goto(url("/account"));
      assert.equal(new URL(page.url()).pathname, "/sign-in");
      await page.goto(url("/"));
      await shows("#who", "You are signed out.");
      await present(good);
      await page.goto(url("/account"));
      await bothKnow();
    });
  }

  await step("machine tokens and garbage stop in front of a page, whatever the cookies say", async () => {
    for (const [token, code] of [["mt_made-up", "machine-token"], ["oat_made-up", "oauth-token"], ["a.b", "malformed-token"]]) {
      const { status, code: got } = await ask("/", bearer(token));
      assert.deepEqual([token, status, got], [token, 401, code]);
    }
  });

  await step("keys rotate while the page is open: new tokens pass, old ones end", async () => {
    const old = await presented();
    await issuer.rotate();
    await reload();
    await bothKnow();
    await page.evaluate(() => fetch("/sign-in/token", { method: "POST" }));
    assert.notEqual(await presented(), old);
    await reload();
    await bothKnow();
    const { body } = await ask("/api/whoami");
    assert.equal(body.key, JSON.parse(Buffer.from((await presented()).split(".")[0], "base64url")).kid);
    assert.equal((await ask("/api/whoami", bearer(old))).code, "unknown-kid");
    assert.equal((await ask(me(), bearer(old))).code, "unknown-kid");
  });

  await step("issuer down: whoever is signed in goes on", async () => {
    await issuer.stop();
    await reload();
    await bothKnow();
    await page.goto(url("/account"));
    await bothKnow();
  });

  await step("issuer down and the site's keys lost: nobody can tell, and nobody is signed out", async () => {
    await site.stop();
    site = await nextStart(path, { ...settings, API_URL: server.url }, site.port);
    const { status, code, retryAfter } = await ask("/api/whoami", bearer(await presented()));
    assert.deepEqual([status, code], [503, "keys-unavailable"]);
    assert.ok(Number(retryAfter) > 0, `Retry-After: ${retryAfter}`);
    await page.goto(url("/"));
    await shows("#who", "Nobody can tell now");
    await page.goto(url("/account"));
    await alerts("keys-unavailable");
    assert.equal((await ask(me(), bearer(await presented()))).status, 200);
    await issuer.start();
    // As long as the refusal said, and a little: the next request may ask.
    await page.waitForTimeout(1000 * Number(retryAfter));
    await reload();
    await bothKnow();
  });

  await step("server down: the page says so, the site goes on, and it comes back", async () => {
    await server.stop();
    await reload();
    await alerts("unreachable");
    await shows("#edge", "user_ada");
    await server.start();
    await reload();
    await bothKnow();
    await shows("#name", "Ada King");
  });

  await step("signed out again", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await shows("#who", "You are signed out.");
    await page.goto(url("/account"));
    assert.equal(new URL(page.url()).pathname, "/sign-in");
  });

  await step("nothing was asked of another machine", () => {
    assert.deepEqual({ browser: chromium.outside, node: hostsOutside() }, { browser: [], node: [] });
  });
  await chromium.close();
});
