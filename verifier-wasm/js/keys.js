/** `fetchKeys`: a JWKS over HTTP, within bounds. When to fetch and what to make of it, the engine decides. */

/** How long an issuer may take. A request may be waiting. */
const DEADLINE_MS = 4000;
/** A JWKS of 32 keys has less than a tenth of this. */
const MAX_BYTES = 256 * 1024;

/** Why no keys came; `retryAfterMs` is what the server asked for. */
export class FetchFailure extends Error {
  constructor(message, { cause, retryAfterMs = -1 } = {}) {
    super(message, { cause });
    this.name = "FetchFailure";
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Gets `url` and gives `{bytes, askedAt}`. Rejects with a `FetchFailure`, whatever the server does.
 * @param options of `fetch`, for this host
 */
export async function fetchKeys(url, fetch, options) {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), DEADLINE_MS);
  try {
    const response = await fetch(url, {
      headers: { accept: "application/json" },
      redirect: "manual",
      signal: deadline.signal,
      ...options,
    });
    if (response.status !== 200) {
      throw new FetchFailure(`answered with status ${response.status}`, { retryAfterMs: retryAfter(response) });
    }
    return { bytes: await body(response), askedAt: askedAt(response) };
  } catch (cause) {
    if (cause instanceof FetchFailure) throw cause;
    throw new FetchFailure(deadline.signal.aborted ? "did not answer in time" : "could not be reached", { cause });
  } finally {
    clearTimeout(timer);
    deadline.abort();
  }
}

/** Reads no more than a JWKS may have, whatever is sent. */
async function body(response) {
  const reader = response.body.getReader();
  const chunks = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > MAX_BYTES) {
      await reader.cancel();
      throw new FetchFailure(`answered with more than ${MAX_BYTES} bytes`);
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** When the issuer itself was asked, where this is a server's copy: in milliseconds. Undefined: just now. */
function askedAt(response) {
  const secs = Number(response.headers.get("x-doorward-asked-at") ?? NaN);
  return Number.isFinite(secs) && secs >= 0 ? secs * 1000 : undefined;
}

/** `Retry-After` in seconds (RFC 9110 section 10.2.3); a date is not worth a clock. */
function retryAfter(response) {
  const secs = Number(response.headers.get("retry-after") ?? NaN);
  return Number.isFinite(secs) && secs >= 0 ? secs * 1000 : -1;
}
/**
 * `KeySource`: carries out what the engine decides about keys. One fetch at a time, however many wait for it.
 */
export class KeySource {
  #url;
  #fetch;
  #options;
  #report;
  #sharesPromises;
  #flight;

  /**
   * @param host `{fetchOptions, sharesPromises}`
   * @param report `{started(now), fetched(bytes, askedAt, now), failed(now, retryAfterMs)}` tell the engine
   */
  constructor(url, fetch, host, report) {
    this.#url = url;
    // Looked up at each call: frameworks and tests put their own in its place.
    this.#fetch = fetch ?? ((...request) => globalThis.fetch(...request));
    this.#options = host.fetchOptions;
    this.#sharesPromises = host.sharesPromises !== false;
    this.#report = report;
  }

  /** Fetches the keys, or waits for the fetch that is under way. Never rejects: what came of it, the engine knows. */
  refresh(now) {
    if (this.#flight !== undefined && this.#sharesPromises) return this.#flight;
    const flight = this.#attempt(now).finally(() => {
      if (this.#flight === flight) this.#flight = undefined;
    });
    this.#flight = flight;
    return flight;
  }

  async #attempt(now) {
    const started = now();
    this.#report.started(started);
    try {
      const { bytes, askedAt } = await fetchKeys(this.#url, this.#fetch, this.#options);
      this.#report.fetched(bytes, askedAt ?? started, now());
    } catch (failure) {
      this.#report.failed(now(), failure.retryAfterMs ?? -1);
    }
  }
}
