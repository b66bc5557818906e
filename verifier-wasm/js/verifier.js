/** `createVerifier`: settings in, tokens to sessions. Every decision about a token is the engine's. */

import { Engine } from "./engine.js";
import { SettingsError, VerifyError } from "./error.js";
import { numberOf } from "./host.js";
import { KeySource } from "./keys.js";
import { PlatformRsa } from "./platform_rsa.js";
import { presented } from "./request.js";
import { Revocations } from "./revocations.js";
import { Session } from "./session.js";
import { checked } from "./settings.js";
import { Verdicts } from "./verdicts.js";

/** In place of a host's number: the RSA check that the module has of its own. */
const OWN_RSA = -1;

/** Gives back the engine's places of verifiers that nobody holds any more. */
const released = new FinalizationRegistry(({ engine, place }) => engine.release(place));

/**
 * `createVerifier` for a host.
 * @param host `{load, fetchOptions, rsa?, sharesPromises?}`: how it gets the module, how it fetches, its own RSA check,
 *   and whether one request may wait for what another began
 */
export function verifierFor(host) {
  const engine = new Engine(host.load);
  return function createVerifier(settings) {
    return new Verifier(engine, host, checked(settings));
  };
}

class Verifier {
  #engine;
  #host;
  #settings;
  #rsa;
  #platform;
  /** Made once the issuer's URL is known. */
  #keys;
  /** The keys that were fetched last, for an instance that starts afresh. */
  #held;
  /** The engine's number for this verifier, and the instance that gave it. */
  #place = { number: 0, generation: 0 };
  #verdicts = new Verdicts();
  #revocations = new Revocations();

  constructor(engine, host, settings) {
    this.#engine = engine;
    this.#host = host;
    this.#settings = settings;
    if (settings.signature === "platform") this.#platform = new PlatformRsa();
    const rsa = this.#platform ?? (settings.signature === undefined ? host.rsa : undefined);
    this.#rsa = rsa === undefined ? OWN_RSA : numberOf(rsa);
    released.register(this, { engine, place: this.#place });
    // A mistake in the settings is told where they are written, if the module is at hand.
    if (engine.isReady) this.#number(Date.now());
  }

  /** Starts the module and gets the keys, so that `verifySync` has both. */
  async ready(options) {
    const { now } = read(options);
    await this.#engine.ready();
    if (this.#engine.call("wants_keys", this.#number(now()), now())) await this.#keys.refresh(now);
  }

  async verify(token, options) {
    const call = read(options);
    const known = this.#known(token, call.now());
    if (known !== undefined) return known;
    if (!this.#engine.isReady) await this.#engine.ready();
    const verdict = await this.#judged((now, afterFetch) => this.#judge(token, now, afterFetch), call);
    return this.#concluded(verdict, call);
  }

  verifySync(token, options) {
    const call = read(options);
    const now = call.now();
    const known = this.#known(token, now);
    if (known !== undefined) return known;
    if (this.#platform !== undefined) {
      throw this.#refusal("engine-unavailable", 'with signature: "platform" the check is asynchronous: use verify');
    }
    const verdict = this.#judge(token, now, false);
    if (verdict.needsKeys) {
      this.#refreshBehind(call);
      throw this.#refusal("keys-unavailable", "the issuer's keys are being fetched: `await verifier.ready()` first");
    }
    return this.#concluded(verdict, call);
  }

  async check(request, options) {
    const call = read(options);
    try {
      return await this.#outcome(request, call);
    } catch (error) {
      if (!(error instanceof VerifyError)) throw error;
      return { outcome: "unavailable", error, retryAfter: error.retryAfter ?? 1 };
    }
  }

  /** Ends a session, or all that a user has up to now, before their tokens do. */
  revoke(whom, options) {
    this.#revocations.add(whom, read(options).now());
  }

  /** The session of a token that was accepted before, and still is. */
  #known(token, now) {
    if (typeof token !== "string") throw this.#notText(token);
    if (this.#place.generation !== this.#engine.generation) return undefined;
    const session = this.#verdicts.get(token, now);
    if (session !== undefined) this.#refuseRevoked(session);
    return session;
  }

  async #outcome(request, call) {
    if (!this.#engine.isReady) await this.#engine.ready();
    let content;
    try {
      content = presented(request);
    } catch (cause) {
      return { outcome: "rejected", error: this.#refusal("authorization-malformed", "the request could not be read", cause) };
    }
    if (content === undefined) {
      return { outcome: "rejected", error: this.#refusal("headers-too-large", "the request's headers are too large") };
    }
    const verdict = await this.#judged(
      (now, afterFetch) => this.#engine.check(this.#number(now), content, now, afterFetch),
      call,
    );
    if (verdict.refused !== undefined) return decided(verdict.refused);
    const session = new Session(this.#engine, verdict.accepted);
    if (verdict.refresh) this.#refreshBehind(call);
    if (this.#revocations.includes(session)) return { outcome: "rejected", error: this.#revoked() };
    return { outcome: "verified", session };
  }

  /** The engine's verdict, with keys fetched and the platform asked where that is called for. */
  async #judged(judge, call) {
    const verdict = await this.#settled(() => judge(call.now(), false));
    if (!verdict.needsKeys) return verdict;
    await this.#keys.refresh(call.now);
    return this.#settled(() => judge(call.now(), true));
  }

  #settled(judge) {
    return this.#platform === undefined ? judge() : this.#platform.judged(judge);
  }

  /** A token's verdict. An acceptance is kept in the same turn: later, other keys may be in force. */
  #judge(token, now, afterFetch) {
    const verdict = this.#engine.verify(this.#number(now), token, now, afterFetch);
    if (verdict.accepted !== undefined) {
      verdict.session = new Session(this.#engine, verdict.accepted);
      this.#verdicts.keep(token, verdict.session, now, verdict.accepted.until);
    }
    return verdict;
  }

  /** The session, or the refusal, that a token's verdict is. */
  #concluded({ refused, session, refresh }, call) {
    if (refused !== undefined) throw new VerifyError(refused);
    if (refresh) this.#refreshBehind(call);
    this.#refuseRevoked(session);
    return session;
  }

  /** This verifier's number with the engine: it gets another, and its keys again, when the instance is a new one. */
  #number(now) {
    const engine = this.#engine;
    engine.start();
    const place = this.#place;
    if (place.generation === engine.generation) return place.number;
    const number = engine.call("create", this.#rsa, engine.write(this.#settings.pairs));
    if (number < 0) throw new SettingsError(engine.answer());
    this.#verdicts.clear();
    this.#keys ??= this.#source(engine.answer());
    const { keysGiven } = this.#settings;
    if (keysGiven !== undefined && !engine.call("give_keys", number, engine.write(keysGiven))) {
      throw new SettingsError(engine.answer());
    }
    if (this.#held !== undefined) engine.call("restored", number, engine.write(this.#held.bytes), this.#held.askedAt, now);
    place.number = number;
    place.generation = engine.generation;
    return number;
  }

  #source(issuersUrl) {
    const { keysUrl, fetch } = this.#settings;
    const engine = this.#engine;
    return new KeySource(keysUrl ?? issuersUrl, fetch, this.#host, {
      started: (now) => engine.call("fetch_started", this.#number(now), now),
      failed: (now, retryAfterMs) => engine.call("fetch_failed", this.#number(now), now, retryAfterMs),
      fetched: (bytes, askedAt, now) => {
        const taken = engine.call("fetched", this.#number(now), engine.write(bytes), askedAt, now);
        if (taken) this.#hold(bytes, askedAt);
      },
    });
  }

  /** Verdicts are those of one key set; the same bytes are the same set. */
  #hold(bytes, askedAt) {
    const before = this.#held?.bytes;
    const isSame = before?.length === bytes.length && bytes.every((byte, at) => byte === before[at]);
    if (!isSame) this.#verdicts.clear();
    this.#held = { bytes, askedAt };
  }

  #refreshBehind({ now, waitUntil }) {
    const refreshed = this.#keys.refresh(now);
    waitUntil?.(refreshed);
  }

  #refuseRevoked(session) {
    if (this.#revocations.includes(session)) throw this.#revoked();
  }

  #revoked() {
    return this.#refusal("session-revoked", "the session was ended");
  }

  #notText(token) {
    const isMissing = token === undefined || token === null;
    return this.#refusal(
      isMissing ? "token-missing" : "malformed-token",
      isMissing ? "no session token was presented" : `expected the token as a string, got a value of type ${typeof token}`,
    );
  }

  #refusal(code, message, cause) {
    return new VerifyError({ ...this.#engine.facts(code), message }, cause);
  }
}

/** What the engine says of a request that is not verified, with its error as one. */
function decided({ outcome, error }) {
  const decided = { outcome, error: new VerifyError(error) };
  if (error.retryAfter !== undefined) decided.retryAfter = error.retryAfter;
  return decided;
}

/** The options of one call. `now` is in milliseconds, as `Date.now()` gives. */
function read(options) {
  const { now, waitUntil } = options ?? {};
  if (now === undefined) return { now: Date.now, waitUntil };
  if (typeof now !== "number" || !(now >= 0)) throw new SettingsError("now must be a number of milliseconds since 1970");
  return { now: () => now, waitUntil };
}
