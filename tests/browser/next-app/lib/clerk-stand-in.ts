/**
 * In place of `clerkMiddleware()`, for pages: takes up a handshake that comes back, asks for one where a session may go
 * on, and sends to the sign-in page whoever needs to be signed in.
 */

import { NextResponse, type NextRequest } from "next/server";
import { setSession } from "./cookies";
import { verifier } from "./verifier";

const HANDSHAKE = "__clerk_handshake";

export async function clerkStandIn(request: NextRequest) {
  const url = request.nextUrl;
  const handshake = url.searchParams.get(HANDSHAKE);
  if (handshake !== null) return takeUp(handshake, url);

  // Where sessions come from. Clerk has it on a host of its own.
  if (url.pathname.startsWith("/sign-in")) return NextResponse.next();

  const check = await verifier.check(request);
  if (check.outcome === "stale") return to("/sign-in/handshake", url);
  const needsUser = url.pathname.startsWith("/account");
  if (needsUser && check.outcome !== "verified" && check.outcome !== "unavailable") return to("/sign-in", url);
  return NextResponse.next();
}

async function takeUp(token: string, url: NextRequest["nextUrl"]) {
  const clean = url.clone();
  clean.searchParams.delete(HANDSHAKE);
  const response = NextResponse.redirect(clean);
  response.headers.set("cache-control", "no-store");
  const session = await verifier.verify(token).catch(() => null);
  if (session?.issuedAt != null) await setSession(response.cookies, token, session.issuedAt);
  return response;
}

function to(path: string, from: NextRequest["nextUrl"]) {
  const target = from.clone();
  target.pathname = path;
  target.search = `?redirect_url=${encodeURIComponent(from.pathname)}`;
  const response = NextResponse.redirect(target);
  response.headers.set("cache-control", "no-store");
  return response;
}
