/** The page that judges a token where it was pasted: shows what the engine says, and decides nothing. */

const MEANINGS = {
  iss: "who issued it",
  sub: "the user",
  sid: "the session",
  azp: "the frontend's origin",
  aud: "whom it is for",
  exp: "when it ends",
  nbf: "when it begins",
  iat: "when it was issued",
  jti: "the token's own name",
  sts: "whether the session is active",
  fva: "minutes since the first and the second factor; -1: never",
  act: "who acts as the user",
  o: "the active organization",
  v: "the version of Clerk's claims",
  pla: "plans",
  fea: "features",
};
const TIMES = ["exp", "nbf", "iat"];

const element = (id) => document.getElementById(id);
const form = element("form");
const field = element("token");
const state = element("state");

main().catch((error) => {
  state.textContent = `The page could not start: ${error.message}. In a terminal, doorward inspect says the same.`;
});

async function main() {
  const instance = await (await fetch("/inspect/instance.json")).json();
  showSettings(instance.settings, "");
  if (!instance.engine) {
    state.textContent =
      "The engine is not here. Build it with verifier-wasm/build.sh, or name a folder of the npm package doorward in " +
      "INSPECTOR_DIR, and start the server again. Meanwhile, doorward inspect TOKEN says the same in a terminal.";
    return;
  }
  const { createVerifier, VerifyError } = await import("/inspect/engine/web.js");
  const keys = new URL("/.well-known/jwks.json", document.location);
  const verifier = createVerifier({ ...instance.verifier, keys });
  // Without keys all that needs none can still be told.
  await verifier.ready().catch(() => {});

  async function judge(token, now) {
    try {
      return { claims: (await verifier.verify(token, { now })).claims };
    } catch (error) {
      if (error instanceof VerifyError) return { error };
      throw error;
    }
  }

  let last = 0;
  async function inspect({ moves }) {
    const token = field.value.trim().replace(/^(authorization:\s*)?bearer\s+/i, "");
    const turn = ++last;
    if (token === "") return clear();
    const now = Date.now();
    const verdict = await judge(token, now);
    // Something else was pasted meanwhile.
    if (turn === last) show(instance, token, verdict, now);
    if (turn === last && moves) element("verdict").focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    inspect({ moves: true });
  });
  form.addEventListener("reset", () => {
    last += 1;
    clear();
    showSettings(instance.settings, "");
    field.focus();
  });
  field.addEventListener("input", () => inspect({ moves: false }));
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  for (const control of form.elements) control.disabled = false;
  state.textContent = "Ready.";
  field.focus();
}

function clear() {
  element("result").hidden = true;
  state.textContent = "Ready.";
  state.className = "";
}

function show(instance, token, { claims, error }, now) {
  const failedAt = error === undefined ? instance.steps.length : (instance.codes[error.code] ?? 0);
  const failed = error?.kind === "unavailable" ? "untold" : "failed";
  const verdict = element("verdict");
  verdict.className = error === undefined ? "passed" : failed;
  const word = { passed: "Accepted", failed: "Refused", untold: "Could not tell" }[verdict.className];
  verdict.textContent = error === undefined ? `${word}: ${claims.sub}` : `${word}: ${error.code}`;
  element("detail").textContent = error === undefined ? "" : `${error.message}. Clerk's word for it: ${error.reason}.`;
  element("hint").textContent = error === undefined ? "" : `→ ${error.hint}`;
  showSteps(instance.steps, failedAt, failed);
  showSettings(instance.settings, error?.hint ?? "");

  const signature = instance.steps.findIndex(({ name }) => name === "signature");
  // What is in a token of the wrong form, or of somebody else's, is not shown as claims.
  const readable = failedAt >= instance.steps.findIndex(({ name }) => name === "key");
  const shown = claims ?? (readable ? unverifiedClaims(token) : undefined);
  element("shown").hidden = shown === undefined;
  if (shown !== undefined) {
    const verified = failedAt > signature;
    element("standing").textContent = verified ? "The signature holds: the issuer wrote them." : "Not verified: anybody can have written them.";
    showClaims(shown, now);
  }
  element("result").hidden = false;
  // For those who do not see the page.
  state.textContent = verdict.textContent;
  state.className = "heard";
}

function showSteps(steps, failedAt, failed) {
  const outcomes = steps.map(({ name, about }, index) => {
    const [kind, mark, word] =
      index < failedAt ? ["passed", "✓", "passed"] : index > failedAt ? ["later", "·", "not reached"] : [failed, "✗", failed === "failed" ? "failed" : "could not tell"];
    const item = made("li", "", kind);
    item.append(made("b", `${mark} ${name}`), made("span", word), made("i", ` — ${about}`));
    return item;
  });
  element("steps").replaceChildren(...outcomes);
}

function showClaims(claims, now) {
  const rows = Object.entries(claims).map(([name, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const time = TIMES.includes(name) && typeof value === "number" ? date(value, now) : undefined;
    return row(name, time === undefined ? text : `${time} (${text})`, MEANINGS[name] ?? "");
  });
  element("claims").replaceChildren(...rows);
}

/** Those that the hint names stand out. */
function showSettings(settings, hint) {
  const rows = settings.map(({ name, value }) => {
    const shown = row(name, value);
    if (hint.includes(name)) shown.className = "named";
    return shown;
  });
  element("settings").replaceChildren(...rows);
}

function row(name, ...cells) {
  const shown = document.createElement("tr");
  const head = made("th", name);
  head.scope = "row";
  shown.append(head, ...cells.map((cell) => made("td", cell)));
  return shown;
}

function made(kind, text, className) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** As a date in UTC, and how far away. Beyond what a date can say, the number stands alone. */
function date(seconds, now) {
  const time = new Date(seconds * 1000);
  if (Number.isNaN(time.getTime())) return undefined;
  const away = seconds - Math.floor(now / 1000);
  const when = away === 0 ? "now" : away < 0 ? `${span(-away)} ago` : `in ${span(away)}`;
  return `${time.toISOString()}, ${when}`;
}

function span(seconds) {
  const [size, unit] = [[86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** To look at; the engine has its own. It took the token apart before, so there is a payload of JSON. */
function unverifiedClaims(token) {
  const base64 = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}
