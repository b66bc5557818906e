/** `getToken` of Clerk's `useAuth()`: a session token, or `null` while nobody is signed in. */
export type GetToken = (options?: { skipCache?: boolean }) => Promise<string | null>;

/** What the server said instead of an answer: a problem (RFC 9457) with a lasting `code`. */
export class ApiError extends Error {
  readonly status?: number;
  readonly code: string;
  /** In seconds, where it makes sense to ask again. */
  readonly retryAfter?: number;

  constructor({ status, code, title, detail, retryAfter }: Problem) {
    super(detail ?? title);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

interface Problem {
  status?: number;
  code: string;
  title: string;
  detail?: string;
  retryAfter?: number;
}

/** Longer than that nobody is kept waiting: the error says when to ask again. */
const LONGEST_WAIT_SECS = 5;

/**
 * Asks an endpoint as whoever is signed in. A token that expired on its way is replaced once; where the server can't tell
 * now, reading waits as long as it says, once.
 */
export async function makeApiRequest<T>(getToken: GetToken, endpoint: string, options: RequestInit = {}): Promise<T> {
  let response = await send(endpoint, options, await getToken());
  let error = await refusal(response);
  if (error?.code === "token-expired") {
    response = await send(endpoint, options, await getToken({ skipCache: true }));
    error = await refusal(response);
  }
  const wait = error?.retryAfter ?? Infinity;
  if (isReading(options) && wait <= LONGEST_WAIT_SECS) {
    await new Promise((done) => setTimeout(done, wait * 1000));
    response = await send(endpoint, options, await getToken());
    error = await refusal(response);
  }
  if (error !== undefined) throw error;
  return response.status === 204 ? (undefined as T) : response.json();
}

function send(endpoint: string, options: RequestInit, token: string | null): Promise<Response> {
  const headers = new Headers(options.headers);
  // Signed out there is no header: `Bearer null` is no token.
  if (token !== null) headers.set("Authorization", `Bearer ${token}`);
  if (options.body !== undefined && !headers.has("Content-Type")) headers.set("Content-Type", "application/json");
  return fetch(new URL(endpoint, process.env.NEXT_PUBLIC_API_URL ?? location.origin), { ...options, headers });
}

async function refusal(response: Response): Promise<ApiError | undefined> {
  if (response.ok) return undefined;
  const problem: Partial<Problem> = (await response.json().catch(() => null)) ?? {};
  const { code = "unexpected-answer", title = `The server answered ${response.status}`, detail } = problem;
  const seconds = Number(response.headers.get("Retry-After") ?? NaN);
  const retryAfter = Number.isFinite(seconds) ? seconds : undefined;
  return new ApiError({ status: response.status, code, title, detail, retryAfter });
}

function isReading({ method = "GET" }: RequestInit): boolean {
  return ["GET", "HEAD"].includes(method.toUpperCase());
}
