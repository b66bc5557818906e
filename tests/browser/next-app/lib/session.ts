/** What `useAuth()` of Clerk gives, from the cookie that Clerk's code keeps the token in. */

export async function getToken({ skipCache = false } = {}): Promise<string | null> {
  const kept = document.cookie.split("; ").find((cookie) => cookie.startsWith("__session="));
  if (!skipCache) return kept?.slice("__session=".length) || null;
  const response = await fetch("/sign-in/token", { method: "POST" });
  return (await response.json()).jwt;
}

export async function signOut(): Promise<void> {
  await fetch("/sign-in/session", { method: "DELETE" });
}
