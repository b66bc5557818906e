/**
 * What the module calls in its host: the RSA check, where the host does it. Numbers alone cross; `engine.js` says where
 * the module's memory is.
 */

/** How to read the module's memory: `(pointer, length) => Uint8Array`, a view that is good until the module runs on. */
let memory;
/** The hosts that check signatures, by the number that a verifier was created with. */
const checkers = [];
/** Keys that the module has prepared, by the number that it knows them by. */
const keys = new Map();
let lastKey = 0;

export function readFrom(view) {
  memory = view;
}

/** Forgets the keys of an instance that is gone. */
export function forgetKeys() {
  keys.clear();
}

/** The number under which the module asks for this `{prepare(modulus), verify(key, algorithm, message, signature)}`. */
export function numberOf(checker) {
  const known = checkers.indexOf(checker);
  return known >= 0 ? known : checkers.push(checker) - 1;
}

export function keyOf(number) {
  return keys.get(number)?.key;
}

/** Gets a key ready. 0 says that the host does not take it. */
export function host_prepare(checker, modulus, length) {
  try {
    const key = checkers[checker].prepare(memory(modulus, length));
    lastKey += 1;
    keys.set(lastKey, { checker: checkers[checker], key });
    return lastKey;
  } catch {
    return 0;
  }
}

/** Whether the signature is the key's. A host that throws has not said yes. */
export function host_verify(key, algorithm, message, messageLength, signature, signatureLength) {
  try {
    const { checker, key: prepared } = keys.get(key);
    return checker.verify(prepared, algorithm, memory(message, messageLength), memory(signature, signatureLength)) === true;
  } catch {
    return false;
  }
}

export function host_release(key) {
  keys.delete(key);
}
