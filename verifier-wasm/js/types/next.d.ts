/** For Next.js: the check in front of `clerkMiddleware`, inside it, or instead of it. */

import type { Check, Verifier, VerifyError } from "./index.js";

interface NextRequestLike {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
}

/**
 * Middleware (or a proxy) in front of `clerkMiddleware()`: turns away what comes in an `Authorization` header and can't be
 * a session token of this instance. Cookies, handshakes and pages go on to Clerk as they are.
 */
export function inFront<R extends NextRequestLike, E, A>(
  verifier: Verifier,
  middleware: (request: R, event: E) => A,
  options?: { /** "pass" where routes take Clerk's machine tokens. Default "refuse". */ machineTokens?: "refuse" | "pass" },
): (request: R, event: E) => Promise<Response | Awaited<A>>;

/** A handler for `clerkMiddleware`: refuses what this verifier refuses, and tells yours what it found. */
export function inside<U, R extends NextRequestLike, E, A = undefined>(
  verifier: Verifier,
  handler?: (auth: U, request: R, event: E, check: Check) => A,
): (auth: U, request: R, event: E) => Promise<Response | Awaited<A> | undefined>;

/** Middleware for API routes without Clerk's: what is not verified is answered here, 401, 403 or 503. Handlers verify again. */
export function instead<R extends NextRequestLike, E>(
  verifier: Verifier,
): (request: R, event: E) => Promise<Response | undefined>;

/** An error as an API answers it: `application/problem+json`. */
export function problem(error: VerifyError): Response;
