/** Clerk's Backend API, for what clerk-js does with its Frontend API: sessions and their tokens. */

/** The cookie in which the stand-in for Clerk's own page keeps who has signed in. */
export const CLIENT = "__client";

export async function startSession(userId: string): Promise<string> {
  const session = await ask("/v1/sessions", { user_id: userId });
  return session.id;
}

export async function newToken(sessionId: string): Promise<string> {
  const token = await ask(`/v1/sessions/${encodeURIComponent(sessionId)}/tokens`, {});
  return token.jwt;
}

/** `iat`, in seconds. */
export function issuedAt(token: string): number {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString()).iat;
}

async function ask(path: string, body: object) {
  const response = await fetch(`${process.env.CLERK_API_URL}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${process.env.CLERK_SECRET_KEY}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    cache: "no-store",
  });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}
