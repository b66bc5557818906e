/** Verifies Clerk session tokens: one engine, the same verdict in Rust, Node, at the edge and in browsers. */

/** Makes a verifier. Throws a `SettingsError` that names every mistake. */
export function createVerifier(settings: VerifierSettings): Verifier;

/** What one application accepts. Whom to trust is said, never assumed. */
export type VerifierSettings = Instance & {
  /** The frontend's origins (scheme, host, port), patterns with one `*` inside one DNS label, or the words "any party". */
  authorizedParties: readonly string[] | "any party";
  /** Other spellings of the same instance in `iss`: its proxy, its satellites. */
  issuerAliases?: readonly string[];
  /**
   * Where the keys come from. Default: the instance's public JWKS. Else a URL, such as that of your server's snapshot;
   * or the keys themselves: a JWKS, a JWK, or PEM as it was pasted. With those there is no network.
   */
  keys?: string | URL | Jwks;
  /** What a token without `azp` means: native apps have none. Default "refuse". */
  missingAzp?: "refuse" | "allow";
  /** Whether `check` takes a session from Clerk's cookies. Default "on"; an API that other sites call has no use for it. */
  cookies?: "on" | "off";
  /** Takes tokens of JWT templates for this `aud`. Default: they are refused. */
  templateAudience?: string;
  /** How far the issuer's clock and this one may be apart, 0 to 60. Default 5. */
  clockSkewSecs?: number;
  /** Takes sessions whose user has a task to finish in Clerk. Default false. */
  acceptPending?: boolean;
  /** One at least. Default RS256, which Clerk signs with. */
  algorithms?: readonly ("RS256" | "RS384" | "RS512")[];
  /** Keys that are never used, whatever the issuer publishes. */
  denyKids?: readonly string[];
  /**
   * Who checks signatures: the module, or the platform by `crypto.subtle` (then there is no `verifySync`). Default: on
   * Node `node:crypto`, elsewhere the module.
   */
  signature?: "wasm" | "platform";
  /** In place of the global `fetch`. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
};

/** The Clerk instance: one of the two. */
export type Instance =
  | { /** `pk_test_…` or `pk_live_…` */ publishableKey: string; issuer?: undefined }
  | { /** Such as https://clerk.example.com */ issuer: string; publishableKey?: undefined };

/** A JWK Set (RFC 7517). */
export interface Jwks {
  readonly keys: readonly object[];
}

/** Turns tokens into sessions. */
export interface Verifier {
  /** Starts the module and gets the keys, so that `verifySync` has both. */
  ready(options?: CallOptions): Promise<void>;
  /** Rejects with a `VerifyError`. */
  verify(token: string, options?: CallOptions): Promise<Session>;
  /** Throws a `VerifyError`: of kind "unavailable" where the module or the keys are not there yet. */
  verifySync(token: string, options?: CallOptions): Session;
  /**
   * What a request presents, by its `Authorization` header or Clerk's cookies. Never rejects because of the request, and
   * never redirects.
   */
  check(request: PresentedRequest, options?: CallOptions): Promise<Check>;
  /**
   * Ends a session, or all that a user has up to now, before their tokens expire: here, in this process. What was
   * ended is kept for as long as a token can live.
   */
  revoke(whom: { sessionId?: string; userId?: string }, options?: Pick<CallOptions, "now">): void;
}

export interface CallOptions {
  /** Milliseconds since 1970. Default `Date.now()`. */
  now?: number;
  /** Keeps the host alive for a refresh of keys behind the answer: `event.waitUntil`, `ctx.waitUntil`. */
  waitUntil?: (work: Promise<unknown>) => void;
}

/** A `Request` of the fetch standard, Next.js's, or Node's `IncomingMessage`. */
export interface PresentedRequest {
  readonly method?: string;
  readonly url?: string;
  readonly headers: { get(name: string): string | null } | { readonly [name: string]: string | readonly string[] | undefined };
}

/** What a request is. More outcomes may be added: treat one that you do not know as "rejected". */
export type Check =
  | { readonly outcome: "verified"; readonly session: Session }
  /** It presents nothing. */
  | { readonly outcome: "anonymous"; readonly error: VerifyError }
  /** Its session may go on: Clerk can tell. Nobody is signed in by it. In front of Clerk, pass it on; else it is 401. */
  | { readonly outcome: "stale"; readonly error: VerifyError }
  | { readonly outcome: "rejected"; readonly error: VerifyError }
  /** Nobody can tell now. In front of Clerk, pass it on; else it is 503. */
  | { readonly outcome: "unavailable"; readonly error: VerifyError; readonly retryAfter: number };

/** Whom an accepted token stands for. Frozen. To copy it, take `toJSON()`: spreading gives the ids and times alone. */
export interface Session {
  /** `sub`: `user_…` */
  readonly userId: string;
  /** `sid`. Null for a token of a JWT template. */
  readonly sessionId: string | null;
  readonly issuer: string;
  /** `azp`: the origin that the token was made for. */
  readonly authorizedParty: string | null;
  /** `kid`: the key that signed the token. */
  readonly keyId: string;
  /** `exp`, in seconds since 1970. */
  readonly expiresAt: number;
  /** `iat`, in seconds since 1970. */
  readonly issuedAt: number | null;
  /** The user has a task to finish in Clerk: only with `acceptPending`. */
  readonly isPending: boolean;
  readonly organization: Organization | null;
  readonly features: Scoped;
  readonly plans: Scoped;
  /** Minutes since the first and the second factor were verified; -1: never. */
  readonly factorAges: readonly [first: number, second: number] | null;
  /** Who acts as the user, if somebody does. */
  readonly impersonator: Impersonator | null;
  /** The token's whole payload, custom claims included. */
  readonly claims: Claims;
  /** Whether the session has all that is required. Asks for nothing: false. */
  has(requirement: Requirement): boolean;
  /** All of it, as an object of its own. */
  toJSON(): Omit<Session, "has" | "toJSON">;
}

export interface Organization {
  readonly id: string;
  readonly slug: string | null;
  /** Always with `org:`. */
  readonly role: string | null;
  /** `org:<feature>:<permission>` */
  readonly permissions: readonly string[];
  /** Clerk's own decoders read this token's permissions in two ways; only what both grant is in `permissions`. */
  readonly permissionsDisputed: boolean;
}

export interface Scoped {
  readonly organization: readonly string[];
  readonly user: readonly string[];
}

export interface Impersonator {
  readonly userId: string;
  readonly issuer: string | null;
  readonly sessionId: string | null;
}

/** Add your own claims by declaration merging: `declare module "doorward" { interface Claims { … } }`. */
export interface Claims {
  readonly [name: string]: unknown;
  readonly iss: string;
  readonly sub: string;
  readonly exp: number;
  readonly sid?: string;
  readonly azp?: string;
  readonly iat?: number;
  readonly nbf?: number;
}

export interface Requirement {
  role?: string;
  permission?: string;
  feature?: string;
  plan?: string;
  reverification?:
    | "strict_mfa"
    | "strict"
    | "moderate"
    | "lax"
    | { level: "first_factor" | "second_factor" | "multi_factor"; afterMinutes: number };
}

/** A token was refused, or nobody could tell. */
export class VerifyError extends Error {
  private constructor();
  readonly name: "VerifyError";
  /** Lasting, in kebab case: what to compare with. */
  readonly code: string;
  /** Clerk's word for it. */
  readonly reason: string;
  /** "refused": the answer is no. "unavailable": there is none now; asking again later may give one. */
  readonly kind: "refused" | "unavailable";
  /** What to do about it. */
  readonly hint: string;
  /** The HTTP status that an API answers with. */
  readonly status: number;
  /** In seconds, where it makes sense to ask again. */
  readonly retryAfter?: number;
}

/** The settings of a verifier can't be used. */
export class SettingsError extends Error {
  private constructor();
  readonly name: "SettingsError";
}
