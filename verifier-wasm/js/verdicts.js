/** `Verdicts`: accepted tokens, so that one seen before is not checked again. Refusals are never kept. */

/** A page and its API calls use a few tokens a minute; this is for a busy instance. */
const MAX_ENTRIES = 1000;
/** With the bound on entries, 8 MB at most. Larger tokens are checked each time. */
const MAX_TOKEN_LENGTH = 8192;
/** A token ends with its signature: half of it tells tokens apart, and hashing it is quick. What is found is compared whole. */
const TAIL = 43;

export class Verdicts {
  #entries = new Map();

  /** The session that this very token was accepted for, if that still holds at `now`. */
  get(token, now) {
    const tail = token.slice(-TAIL);
    const entry = this.#entries.get(tail);
    if (entry === undefined || entry.token !== token) return undefined;
    if (now >= entry.from && now < entry.until) return entry.session;
    this.#entries.delete(tail);
    return undefined;
  }

  /** Keeps an acceptance from `from` until `until`, both in milliseconds: the engine's word. */
  keep(token, session, from, until) {
    if (until <= from || token.length > MAX_TOKEN_LENGTH) return;
    if (this.#entries.size >= MAX_ENTRIES) this.#entries.delete(this.#entries.keys().next().value);
    this.#entries.set(token.slice(-TAIL), { token, session, from, until });
  }

  /** Forgets all: another key set judges from now on. */
  clear() {
    this.#entries.clear();
  }

  get size() {
    return this.#entries.size;
  }
}
