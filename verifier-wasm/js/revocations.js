/** `Revocations`: sessions and users that were ended while their tokens still live. */

/** No accepted token outlives this: the longest lifetime, an hour, and the greatest clock skew on both ends. */
const LONGEST_LIFE_MS = (3600 + 2 * 60) * 1000;

export class Revocations {
  #sessions = new Map();
  #users = new Map();

  /** From `now` on. A session is over; a user's tokens are those made up to now, so that signing in again works. */
  add({ sessionId, userId }, now) {
    this.#drop(now);
    if (sessionId !== undefined) this.#sessions.set(sessionId, now);
    if (userId !== undefined) this.#users.set(userId, now);
  }

  includes(session) {
    if (this.#sessions.size > 0 && this.#sessions.has(session.sessionId)) return true;
    const since = this.#users.size > 0 ? this.#users.get(session.userId) : undefined;
    return since !== undefined && (session.issuedAt === null || session.issuedAt * 1000 <= since);
  }

  #drop(now) {
    for (const ended of [this.#sessions, this.#users]) {
      for (const [id, at] of ended) if (now - at > LONGEST_LIFE_MS) ended.delete(id);
    }
  }
}
