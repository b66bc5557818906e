/** What a caller gets in place of an answer: `VerifyError` for a token, `SettingsError` for a verifier. */

/** Marks an error of any copy of this package: a bundler may put several into one application. */
const mark = Symbol.for("doorward.VerifyError");

/** A token was refused (`kind` is "refused"), or nobody could tell ("unavailable"). `code` is lasting, the message is not. */
export class VerifyError extends Error {
  static {
    VerifyError.prototype.name = "VerifyError";
    VerifyError.prototype[mark] = true;
  }

  static [Symbol.hasInstance](value) {
    return this === VerifyError
      ? value !== null && typeof value === "object" && value[mark] === true
      : Function.prototype[Symbol.hasInstance].call(this, value);
  }

  /** @param facts what the engine says of the code: `{message, code, reason, kind, hint, status, retryAfter?}` */
  constructor(facts, cause) {
    super(facts.message, cause === undefined ? undefined : { cause });
    this.code = facts.code;
    this.reason = facts.reason;
    this.kind = facts.kind;
    this.hint = facts.hint;
    this.status = facts.status;
    if (facts.retryAfter !== undefined) this.retryAfter = facts.retryAfter;
  }
}

/** The settings of a verifier can't be used. A mistake of the program's, found when it starts. */
export class SettingsError extends Error {
  static {
    SettingsError.prototype.name = "SettingsError";
  }
}

/** The one refusal that the engine can't word itself: it is not there. Equal to its own words by a test. */
export function engineUnavailable(cause, message = "the WebAssembly module could not be started") {
  return new VerifyError(
    {
      code: "engine-unavailable",
      reason: "unexpected-error",
      kind: "unavailable",
      hint: "the WebAssembly module could not be started; see the cause",
      status: 503,
      retryAfter: 1,
      message,
    },
    cause,
  );
}
