/** `Engine`: the module, its memory, and what happens when it fails. Numbers and text cross; nothing is decided here. */

import { engineUnavailable } from "./error.js";
import * as glue from "./engine_bg.js";
import { forgetKeys, readFrom } from "./host.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What `verify` and `check` of the module return; the answer's text says the rest. */
const ACCEPTED = 0;
const ACCEPTED_AND_REFRESH = 1;
const FETCH = 3;

/** How many numbers tell of an acceptance. */
const NUMBERS = 9;

export class Engine {
  #load;
  #module;
  #loading;
  #exports;
  #memory;
  #input;
  #inputAt;
  #room;
  #numbers;
  #numbersAt;
  /** Counts instances: what one knew, the next does not. */
  generation = 0;

  /** @param load gives the compiled module, or a promise of it */
  constructor(load) {
    this.#load = load;
  }

  /** Starts the module if it has not been: at once where the host has it at hand, else only after `ready`. */
  start() {
    if (this.#exports !== undefined) return;
    try {
      this.#module ??= this.#compiled();
      const instance = new WebAssembly.Instance(this.#module, { "./engine_bg.js": glue });
      glue.__wbg_set_wasm(instance.exports);
      instance.exports.__wbindgen_start();
      this.#exports = instance.exports;
      this.#inputAt = this.#exports.input_ptr();
      this.#room = this.#exports.input_len();
      this.#numbersAt = this.#exports.numbers_ptr();
      this.#look();
      readFrom((pointer, length) => this.#bytes(pointer, length));
      forgetKeys();
      this.generation += 1;
    } catch (cause) {
      // What came may have been no module of ours: it is asked for again.
      this.#module = undefined;
      throw this.#failed(cause, "the WebAssembly module could not be started");
    }
  }

  /** Waits for a module that has to be loaded first. A failure is not remembered: the next call tries again. */
  async ready() {
    if (this.#module === undefined) {
      try {
        this.#loading ??= (async () => this.#load())();
        this.#module = await this.#loading;
        if (this.#module === undefined) throw new Error("no module came");
      } catch (cause) {
        throw engineUnavailable(cause);
      } finally {
        this.#loading = undefined;
      }
    }
    this.start();
  }

  /** Whether calls can be answered without waiting. */
  get isReady() {
    try {
      this.start();
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Judges a token. A longer text than any token's is cut, which the engine refuses for its size all the same.
   * @returns a verdict: `{accepted, refresh}`, `{refused}`, or `{needsKeys: true}`
   */
  verify(verifier, token, now, afterFetch) {
    this.start();
    try {
      this.#look();
      const { written } = encoder.encodeInto(token.length > this.#room ? token.slice(0, this.#room) : token, this.#input);
      return this.#verdict(this.#exports.verify(verifier, written, now, afterFetch));
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  /** Judges the request that `content` tells of; the verdict is as of `verify`. */
  check(verifier, content, now, afterFetch) {
    const length = this.write(content);
    try {
      return this.#verdict(this.#exports.check(verifier, length, now, afterFetch));
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  /** Writes what is no token: text, or bytes. Gives the length, for the call that reads it. */
  write(content) {
    this.start();
    try {
      const bytes = typeof content === "string" ? encoder.encode(content) : content;
      const room = this.#exports.reserve(bytes.length);
      this.#bytes(room, bytes.length).set(bytes);
      return bytes.length;
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  /** Calls an export of the module: numbers go in, one comes back. */
  call(name, ...numbers) {
    this.start();
    try {
      return this.#exports[name](...numbers);
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  /** Forgets a verifier, where there is still one to forget. Never throws: nobody asked. */
  release({ number, generation }) {
    if (this.#exports === undefined || generation !== this.generation) return;
    try {
      this.#exports.release(number);
    } catch (cause) {
      this.#failed(cause);
    }
  }

  /** The text of the last answer. */
  answer() {
    return decoder.decode(this.#answer());
  }

  /** What the claims of an accepted token grant. */
  grants(claims) {
    this.call("grants", this.write(claims));
    return JSON.parse(this.answer());
  }

  /** Whether they grant what `asked` says in pairs. */
  has(asked) {
    return this.call("has", this.write(asked)) !== 0;
  }

  /** What the engine says of a code: `{code, reason, kind, hint, status, message}`. */
  facts(code) {
    this.call("facts", this.write(code));
    return JSON.parse(this.answer());
  }

  /** Reads the answer at once: the next call, perhaps about somebody else's token, writes over it. */
  #verdict(word) {
    if (word === FETCH) return { needsKeys: true };
    const answer = this.#answer();
    if (word !== ACCEPTED && word !== ACCEPTED_AND_REFRESH) return { refused: JSON.parse(decoder.decode(answer)) };
    return { accepted: this.#accepted(decoder.decode(answer)), refresh: word === ACCEPTED_AND_REFRESH };
  }

  /** Who an accepted token stands for: numbers, and texts that follow one another. */
  #accepted(text) {
    const numbers = this.#numbers;
    let at = 0;
    const next = (length) => (length < 0 ? null : text.slice(at, (at += length)));
    return {
      until: numbers[0],
      expiresAt: numbers[1],
      issuedAt: numbers[2] < 0 ? null : numbers[2],
      isPending: numbers[3] === 1,
      userId: next(numbers[4]),
      sessionId: next(numbers[5]),
      issuer: next(numbers[6]),
      authorizedParty: next(numbers[7]),
      keyId: next(numbers[8]),
      claims: text.slice(at),
    };
  }

  #answer() {
    return this.#bytes(this.#exports.answer_ptr(), this.#exports.answer_len());
  }

  /** The module, where it is at hand. Where it has to be loaded, that begins, once. */
  #compiled() {
    if (this.#loading === undefined) {
      const module = this.#load();
      if (typeof module?.then !== "function") return module;
      this.#loading = module;
      // Its outcome is for `ready` to tell.
      module.then(undefined, () => {});
    }
    throw new Error("the module is being loaded: `await verifier.ready()` first");
  }

  /**
   * Memory that has grown is another buffer, and the one before has no bytes any more: asking the module's memory would take
   * longer. The module may be in the middle of a call, so it is not asked anything.
   */
  #look() {
    if (this.#memory?.length > 0) return;
    this.#memory = new Uint8Array(this.#exports.memory.buffer);
    this.#input = this.#memory.subarray(this.#inputAt, this.#inputAt + this.#room);
    this.#numbers = new Float64Array(this.#memory.buffer, this.#numbersAt, NUMBERS);
  }

  #bytes(pointer, length) {
    this.#look();
    return new Uint8Array(this.#memory.buffer, pointer, length);
  }

  /** After a trap nothing in the instance can be trusted: the next call gets a fresh one. */
  #failed(cause, message = "the WebAssembly module stopped") {
    this.#exports = undefined;
    this.#memory = undefined;
    return engineUnavailable(cause, message);
  }
}
