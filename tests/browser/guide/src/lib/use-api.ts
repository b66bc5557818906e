import { useAuth } from "@clerk/nextjs";
import { useCallback } from "react";
import { makeApiRequest } from "./api";

/** `makeApiRequest` as whoever is signed in. */
export function useApi() {
  const { getToken } = useAuth();
  return useCallback(
    <T>(endpoint: string, options?: RequestInit) => makeApiRequest<T>(getToken, endpoint, options),
    [getToken],
  );
}
