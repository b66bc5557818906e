/** Clerk's cookies, as its own code sets them. */

import type { ResponseCookies } from "next/dist/compiled/@edge-runtime/cookies";

type Cookies = Pick<ResponseCookies, "set">;

/** The session, and when the client was last changed, in seconds: under the plain names and those of this instance. */
export async function setSession(cookies: Cookies, token: string, clientUat: number) {
  for (const suffix of ["", `_${await suffixOf(process.env.CLERK_PUBLISHABLE_KEY!)}`]) {
    cookies.set(`__session${suffix}`, token, { path: "/", sameSite: "lax" });
    cookies.set(`__client_uat${suffix}`, String(clientUat), { path: "/", sameSite: "strict" });
  }
}

export async function clearSession(cookies: Cookies) {
  for (const suffix of ["", `_${await suffixOf(process.env.CLERK_PUBLISHABLE_KEY!)}`]) {
    cookies.set(`__session${suffix}`, "", { path: "/", maxAge: 0 });
    cookies.set(`__client_uat${suffix}`, "0", { path: "/", sameSite: "strict" });
  }
}

/** The first eight characters of the key's SHA-1, in base64url. */
async function suffixOf(publishableKey: string) {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(publishableKey));
  const base64 = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return base64.replaceAll("+", "-").replaceAll("/", "_").slice(0, 8);
}
