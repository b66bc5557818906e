import { cookies } from "next/headers";
import { redirect } from "next/navigation";
import type { NextRequest } from "next/server";
import { CLIENT, newToken } from "../../../lib/issuer";

/** Where Clerk's Frontend API would be asked whether the session goes on. It comes back with the answer in the URL. */
export async function GET(request: NextRequest) {
  const asked = request.nextUrl.searchParams.get("redirect_url") ?? "/";
  const back = /^\/(?![/\\])/.test(asked) ? asked : "/";
  const session = (await cookies()).get(CLIENT)?.value;
  if (session === undefined) redirect("/sign-in");
  const token = await newToken(session).catch(() => null);
  if (token === null) return new Response("Nobody can tell now whether you are signed in.", { status: 503 });
  redirect(`${back}?__clerk_handshake=${token}`);
}
