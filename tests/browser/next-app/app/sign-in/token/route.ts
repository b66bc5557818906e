import { cookies } from "next/headers";
import { setSession } from "../../../lib/cookies";
import { CLIENT, issuedAt, newToken } from "../../../lib/issuer";

/** A new token for the session, also in its cookie: what clerk-js does every minute. */
export async function POST() {
  const jar = await cookies();
  const session = jar.get(CLIENT)?.value;
  if (session === undefined) return Response.json({ jwt: null }, { status: 401 });
  try {
    const token = await newToken(session);
    await setSession(jar, token, issuedAt(token));
    return Response.json({ jwt: token });
  } catch {
    return Response.json({ jwt: null }, { status: 503 });
  }
}
