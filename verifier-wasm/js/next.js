/** For Next.js: the check in front of `clerkMiddleware`, inside it, or instead of it. Nothing here decides about a token. */

/**
 * What `inFront` leaves to Clerk although it is refused: another scheme than Bearer, tokens that Clerk renews or finishes,
 * and those of templates, which some routes take.
 */
const CLERKS_TO_ANSWER = new Set([
  "authorization-malformed",
  "token-expired",
  "token-not-active-yet",
  "token-iat-in-the-future",
  "session-pending",
  "template-token",
  "missing-sid",
]);
const OF_MACHINES = new Set(["machine-token", "oauth-token"]);

/**
 * Middleware that turns away what comes in an `Authorization` header and can't be a session token of this instance,
 * before it costs a call. Everything else goes on: cookies, handshakes and pages are Clerk's to answer.
 */
export function inFront(verifier, middleware, { machineTokens = "refuse" } = {}) {
  return async (request, event) => {
    if (request.headers.has("authorization")) {
      const { outcome, error } = await verifier.check(request, call(event));
      const passes = CLERKS_TO_ANSWER.has(error?.code) || (machineTokens === "pass" && OF_MACHINES.has(error?.code));
      if (outcome === "rejected" && !passes) return problem(error);
    }
    return middleware(request, event);
  };
}

/** A handler for `clerkMiddleware`: refuses what this verifier refuses, and tells yours what it found. */
export function inside(verifier, handler) {
  return async (auth, request, event) => {
    const check = await verifier.check(request, call(event));
    if (check.outcome === "rejected") return problem(check.error);
    return handler?.(auth, request, event, check);
  };
}

/** Middleware for API routes without Clerk's: what is not verified is answered here. Handlers verify again. */
export function instead(verifier) {
  return async (request, event) => {
    if (isPreflight(request)) return undefined;
    const { outcome, error } = await verifier.check(request, call(event));
    return outcome === "verified" ? undefined : problem(error);
  };
}

/** An error as an API answers it (RFC 9457). */
export function problem(error) {
  const { status, code, reason, hint, message, retryAfter } = error;
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store" };
  if (status === 401) headers["www-authenticate"] = code === "token-missing" ? "Bearer" : 'Bearer error="invalid_token"';
  if (retryAfter !== undefined) headers["retry-after"] = String(retryAfter);
  const body = { type: "about:blank", title: message, status, detail: hint, code, reason };
  return new Response(JSON.stringify(body), { status, headers });
}

/** A browser sends no credentials with the question whether it may. */
function isPreflight(request) {
  return request.method === "OPTIONS" && request.headers.has("access-control-request-method");
}

function call(event) {
  return typeof event?.waitUntil === "function" ? { waitUntil: (work) => event.waitUntil(work) } : undefined;
}
