/**
 * `PlatformRsa`: the signature check by the platform's WebCrypto. That one waits and the engine does not, so a token is
 * judged twice: the first time the engine's question is noted, the second time it is answered.
 */

import { engineUnavailable } from "./error.js";

export class PlatformRsa {
  #question;
  #answer;

  /** For the engine: gets a key ready. */
  prepare(modulus) {
    return { n: base64url(modulus), imported: new Map() };
  }

  /** For the engine: the answer, if this is what was asked; else it is noted what to ask, and nothing is accepted. */
  verify(key, algorithm, message, signature) {
    const { question, holds } = this.#answer ?? {};
    if (
      question?.key === key &&
      question.algorithm === algorithm &&
      same(question.message, message) &&
      same(question.signature, signature)
    ) {
      return holds;
    }
    this.#question = { key, algorithm, message: message.slice(), signature: signature.slice() };
    return false;
  }

  /**
   * The engine's verdict on a token, once the platform has checked its signature.
   * @param judge has the engine judge the token
   */
  async judged(judge) {
    let verdict = this.#asking(judge);
    while (this.#question !== undefined) {
      const question = this.#question;
      verdict = this.#asking(judge, { question, holds: await decide(question) });
    }
    return verdict;
  }

  #asking(judge, answer) {
    this.#question = undefined;
    this.#answer = answer;
    try {
      return judge();
    } finally {
      this.#answer = undefined;
    }
  }
}

async function decide({ key, algorithm, message, signature }) {
  const { subtle } = globalThis.crypto ?? {};
  if (subtle === undefined) throw engineUnavailable(undefined, "this platform has no crypto.subtle; a page needs HTTPS for it");
  try {
    if (!key.imported.has(algorithm)) key.imported.set(algorithm, await imported(subtle, key.n, algorithm));
    return await subtle.verify("RSASSA-PKCS1-v1_5", key.imported.get(algorithm), signature, message);
  } catch (cause) {
    throw engineUnavailable(cause, "crypto.subtle did not check the signature");
  }
}

function imported(subtle, n, algorithm) {
  const jwk = { kty: "RSA", n, e: "AQAB", ext: true };
  return subtle.importKey("jwk", jwk, { name: "RSASSA-PKCS1-v1_5", hash: `SHA-${algorithm}` }, false, ["verify"]);
}

function same(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

function base64url(bytes) {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}
