/** `Engine`: the module, its memory, and what happens when it fails. Numbers and text cross; nothing is decided here. */

import { engineUnavailable } from "./error.js";
import * as glue from "./engine_bg.js";
import { forgetKeys, readFrom } from "./host.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What `verify` and `check` of the module return; the answer's text says the rest. */
const ACCEPTED = 0;
const ACCEPTED_AND_REFRESH = 1;
const FETCH = 3;

const LINE_FEED = 10;

export class Engine {
  #load;
  #module;
  #loading;
  #exports;
  #memory;
  #input;
  #inputAt;
  #room;
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
      this.#look();
      readFrom((pointer, length) => this.#bytes(pointer, length));
      forgetKeys();
      this.generation += 1;
    } catch (cause) {
      throw this.#failed(cause, "the WebAssembly module could not be started");
    }
  }

  /** Waits for a module that has to be loaded first. A failure is not remembered: the next call tries again. */
  async ready() {
    if (this.#module === undefined) {
      this.#loading ??= (async () => this.#load())();
      try {
        this.#module = await this.#loading;
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
   * @returns a verdict: `{fields, rest, refresh}` of an acceptance, `{refused}`, or `{needsKeys: true}`
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
    const end = answer.indexOf(LINE_FEED);
    const fields = JSON.parse(decoder.decode(answer.subarray(0, end)));
    return { fields, rest: answer.slice(end + 1), refresh: word === ACCEPTED_AND_REFRESH };
  }

  #answer() {
    return this.#bytes(this.#exports.answer_ptr(), this.#exports.answer_len());
  }

  #compiled() {
    const module = this.#load();
    if (typeof module?.then !== "function") return module;
    // Its outcome is for `ready` to tell.
    module.then(undefined, () => {});
    throw new Error("the module is being loaded: `await verifier.ready()` first");
  }

  /** Memory that has grown is another buffer. The module may be in the middle of a call, so it is not asked anything. */
  #look() {
    if (this.#memory?.buffer === this.#exports.memory.buffer) return;
    this.#memory = new Uint8Array(this.#exports.memory.buffer);
    this.#input = this.#memory.subarray(this.#inputAt, this.#inputAt + this.#room);
  }

  #bytes(pointer, length) {
    this.#look();
    return this.#memory.subarray(pointer, pointer + length);
  }

  /** After a trap nothing in the instance can be trusted: the next call gets a fresh one. */
  #failed(cause, message = "the WebAssembly module stopped") {
    this.#exports = undefined;
    this.#memory = undefined;
    return engineUnavailable(cause, message);
  }
}
