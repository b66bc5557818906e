"use client";

import { useCallback, useEffect, useState, type FormEvent } from "react";
import { ApiError, makeApiRequest } from "../../lib/api";
import { getToken, signOut } from "../../lib/session";

interface Profile {
  clerk_id: string;
  email: string | null;
  name: string | null;
}

/** What the server and this application's own API say of whoever is signed in. */
export function Account({ apiUrl }: { apiUrl: string }) {
  const [profile, setProfile] = useState<Profile>();
  const [edge, setEdge] = useState<string>();
  const [error, setError] = useState<ApiError>();

  const ask = useCallback(async (work: () => Promise<void>) => {
    setError(undefined);
    try {
      await work();
    } catch (error) {
      setError(error instanceof ApiError ? error : new ApiError({ code: "unreachable", title: String(error) }));
    }
  }, []);

  const load = useCallback(
    () =>
      ask(async () => {
        setProfile(undefined);
        setEdge(undefined);
        setEdge((await makeApiRequest<{ user: string }>(getToken, "/api/whoami")).user);
        setProfile(await makeApiRequest<Profile>(getToken, `${apiUrl}/api/auth/me`));
      }),
    [apiUrl, ask],
  );

  useEffect(() => void load(), [load]);

  function rename(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = new FormData(event.currentTarget).get("name");
    void ask(async () => {
      const body = JSON.stringify({ name });
      setProfile(await makeApiRequest<Profile>(getToken, `${apiUrl}/api/auth/me`, { method: "PATCH", body }));
    });
  }

  return (
    <main>
      <h1>Account</h1>
      {error && (
        <p role="alert" data-code={error.code}>
          {error.message} <code>{error.code}</code>
          {error.retryAfter !== undefined && ` Try again in ${error.retryAfter} s.`}
        </p>
      )}
      <dl>
        <dt>This site says</dt>
        <dd id="edge">{edge ?? "…"}</dd>
        <dt>The server says</dt>
        <dd id="server">{profile?.clerk_id ?? "…"}</dd>
        <dt>Name</dt>
        <dd id="name">{profile?.name ?? "…"}</dd>
        <dt>Email</dt>
        <dd id="email">{profile?.email ?? "…"}</dd>
      </dl>
      <form onSubmit={rename}>
        <input name="name" aria-label="New name" maxLength={100} /> <button>Rename</button>
      </form>
      <p>
        <button onClick={() => void load()}>Reload</button>{" "}
        <button onClick={() => void signOut().then(() => location.assign("/"))}>Sign out</button>
      </p>
    </main>
  );
}
