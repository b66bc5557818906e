/** `Session`: whom an accepted token stands for. Frozen, since one that was seen before is given to several callers. */

import { pairs } from "./pairs.js";

export class Session {
  #engine;
  /** The token's payload, as text. Most callers want the user's id, so it is read when it is asked for. */
  #payload;
  #grants;
  #claims;

  /** @param accepted the engine's word on the token */
  constructor(engine, accepted) {
    this.userId = accepted.userId;
    this.sessionId = accepted.sessionId;
    this.issuer = accepted.issuer;
    this.authorizedParty = accepted.authorizedParty;
    this.keyId = accepted.keyId;
    this.expiresAt = accepted.expiresAt;
    this.issuedAt = accepted.issuedAt;
    this.isPending = accepted.isPending;
    this.#engine = engine;
    this.#payload = accepted.claims;
    Object.freeze(this);
  }

  get organization() {
    return this.#granted().organization;
  }

  get features() {
    return this.#granted().features;
  }

  get plans() {
    return this.#granted().plans;
  }

  get factorAges() {
    return this.#granted().factorAges;
  }

  get impersonator() {
    return this.#granted().impersonator;
  }

  /** The whole payload of the token. */
  get claims() {
    this.#claims ??= frozen(JSON.parse(this.#payload));
    return this.#claims;
  }

  /**
   * Whether the session has all that is required: role, permission, feature, plan, reverification. All that is named goes to the
   * engine, and what it can't read is not met; what is undefined is not asked for.
   */
  has(requirement) {
    const { reverification, ...asked } = requirement ?? {};
    if (typeof reverification === "object" && reverification !== null) {
      // Without one of the two it is no condition that can be met.
      for (const part of ["level", "afterMinutes"]) asked[part] = String(reverification[part]);
    } else {
      asked.reverification = reverification;
    }
    const texts = Object.entries(asked).map(([name, value]) => [name, value === undefined ? undefined : String(value)]);
    return this.#engine.has(pairs([["claims", this.#payload], ...texts]));
  }

  /** All of it, as an object of its own: for `JSON.stringify`, and for whoever would spread it. */
  toJSON() {
    return { ...this, ...this.#granted(), claims: this.claims };
  }

  #granted() {
    this.#grants ??= frozen(this.#engine.grants(this.#payload));
    return this.#grants;
  }
}

function frozen(value) {
  if (value === null || typeof value !== "object") return value;
  for (const member of Object.values(value)) frozen(member);
  return Object.freeze(value);
}
