/** For the tests of an application: an issuer of its own. Throws where NODE_ENV is production. */

import type { Jwks } from "./index.js";

/** Makes a key pair, and what a verifier needs to accept its tokens: `publishableKey`, and `jwks` as its `keys`. */
export function createTestIssuer(options?: { host?: string }): Promise<TestIssuer>;

export interface TestIssuer {
  readonly issuer: string;
  readonly publishableKey: string;
  readonly jwks: Jwks;
  /** A session token, good for a minute. */
  token(shape?: TokenShape): Promise<string>;
}

export interface TokenShape {
  userId?: string;
  sessionId?: string;
  /** `azp`. Default: absent, as in a native app's token. */
  authorizedParty?: string;
  organization?: { id: string; slug?: string; role?: string };
  /** When it is issued, in milliseconds since 1970. Default now. */
  now?: number;
  /** Default 60; a negative one makes a token that has expired. */
  lifetimeSecs?: number;
  /** Added to the payload, or in place of what is there. */
  claims?: { readonly [name: string]: unknown };
  /** The same for the header. */
  header?: { readonly [name: string]: unknown };
}
