"use client";

import { useAuth } from "@clerk/nextjs";
import { useEffect, useState } from "react";
import { ApiError } from "@/lib/api";
import { useApi } from "@/lib/use-api";

interface Me {
  clerk_id: string;
  email: string | null;
  name: string | null;
}

/** The user as the server has them, or what it said instead. */
export function Profile() {
  const makeApiRequest = useApi();
  const { isLoaded, userId } = useAuth();
  const [me, setMe] = useState<Me>();
  const [error, setError] = useState<ApiError>();
  const [asked, ask] = useState(0);

  useEffect(() => {
    if (!isLoaded) return;
    let isCurrent = true;
    setMe(undefined);
    setError(undefined);
    makeApiRequest<Me>("/api/auth/me").then(
      (me) => isCurrent && setMe(me),
      (error) => isCurrent && setError(error),
    );
    return () => {
      isCurrent = false;
    };
  }, [makeApiRequest, isLoaded, userId, asked]);

  return (
    <section>
      {me && (
        <p id="me">
          {me.clerk_id}, {me.email}
        </p>
      )}
      {error && (
        <p role="alert" data-code={error.code}>
          {error.message} <code>{error.code}</code>
          {error.retryAfter !== undefined && ` Try again in ${error.retryAfter} s.`}
        </p>
      )}
      <button onClick={() => ask(asked + 1)}>Ask again</button>
    </section>
  );
}
