import { cookies } from "next/headers";
import { NextResponse, type NextRequest } from "next/server";
import { clearSession, setSession } from "../../../lib/cookies";
import { CLIENT, issuedAt, newToken, startSession } from "../../../lib/issuer";

/** Signs in whom the form names. */
export async function POST(request: NextRequest) {
  const form = await request.formData();
  const session = await startSession(String(form.get("user")));
  const token = await newToken(session);
  const jar = await cookies();
  jar.set(CLIENT, session, { httpOnly: true, sameSite: "lax", path: "/sign-in" });
  await setSession(jar, token, issuedAt(token));
  return NextResponse.redirect(new URL("/account", request.headers.get("origin")!), 303);
}

/** Signs out. */
export async function DELETE() {
  const jar = await cookies();
  jar.set(CLIENT, "", { path: "/sign-in", maxAge: 0 });
  await clearSession(jar);
  return new Response(null, { status: 204 });
}
