/** `Verdicts`: accepted tokens, so that one seen before is not checked again. Refusals are never kept. */

/** A page and its API calls use a few tokens a minute; this is for a busy instance. */
const MAX_ENTRIES = 1000;
/** With the bound on entries, 8 MB at most. Larger tokens are checked each time. */
const MAX_TOKEN_LENGTH = 8192;
/** A token ends with its signature: five characters of it tell tokens apart. What is found is compared whole. */
const TAIL = 5;

/** Two generations: when the young one is full it becomes the old one, which is dropped. So nothing has to be deleted one by one. */
export class Verdicts {
  #young = new Map();
  #old = new Map();

  /** The session that this very token was accepted for, if that still holds at `now`. */
  get(token, now) {
    const tail = tailOf(token);
    let entry = this.#young.get(tail);
    if (entry === undefined) {
      entry = this.#old.get(tail);
      if (entry === undefined) return undefined;
      this.#put(tail, entry);
    }
    if (entry.token !== token) return undefined;
    if (now >= entry.from && now < entry.until) return entry.session;
    this.#young.delete(tail);
    this.#old.delete(tail);
    return undefined;
  }

  /** Keeps an acceptance from `from` until `until`, both in milliseconds: the engine's word. */
  keep(token, session, from, until) {
    if (until <= from || token.length > MAX_TOKEN_LENGTH) return;
    this.#put(tailOf(token), { token, session, from, until });
  }

  /** Forgets all: another key set judges from now on. */
  clear() {
    this.#young.clear();
    this.#old.clear();
  }

  #put(tail, entry) {
    if (this.#young.size >= MAX_ENTRIES / 2) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(tail, entry);
  }

  /** At most this many entries; one that was looked up lately may count twice. */
  get size() {
    return this.#young.size + this.#old.size;
  }
}

/** As a number: a string would have to be made for each token, and hashed. */
function tailOf(token) {
  let tail = 0;
  for (let at = token.length - TAIL; at < token.length; at += 1) tail = ((tail << 6) ^ token.charCodeAt(at)) & 0x3fff_ffff;
  return tail;
}
