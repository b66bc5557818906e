/** `Session`: whom an accepted token stands for. Frozen, since one that was seen before is given to several callers. */

const decoder = new TextDecoder();

export class Session {
  /** In UTF-8, what few callers ask for: a line of the engine's words, then the token's payload. */
  #rest;
  #described;
  #claims;
  #has;

  /**
   * @param fields the engine's words, read
   * @param rest what is read when it is asked for
   * @param has asks the engine whether this session has what is required
   */
  constructor(fields, rest, has) {
    this.userId = fields.userId;
    this.sessionId = fields.sessionId;
    this.issuer = fields.issuer;
    this.authorizedParty = fields.authorizedParty;
    this.keyId = fields.keyId;
    this.expiresAt = fields.expiresAt;
    this.issuedAt = fields.issuedAt;
    this.isPending = fields.isPending;
    this.#rest = rest;
    this.#has = has;
    Object.freeze(this);
  }

  get organization() {
    return this.#read().organization;
  }

  get features() {
    return this.#read().features;
  }

  get plans() {
    return this.#read().plans;
  }

  get factorAges() {
    return this.#read().factorAges;
  }

  get impersonator() {
    return this.#read().impersonator;
  }

  /** The whole payload of the token. */
  get claims() {
    if (this.#claims === undefined) this.#claims = frozen(JSON.parse(decoder.decode(this.#rest.subarray(this.#lineEnd() + 1))));
    return this.#claims;
  }

  /** Whether the session has all that is required: role, permission, feature, plan, reverification. */
  has(requirement) {
    return this.#has(requirement);
  }

  /** All of it, as an object of its own: for `JSON.stringify`, and for whoever would spread it. */
  toJSON() {
    return { ...this, ...this.#read(), claims: this.claims };
  }

  #read() {
    this.#described ??= frozen(JSON.parse(decoder.decode(this.#rest.subarray(0, this.#lineEnd()))));
    return this.#described;
  }

  #lineEnd() {
    return this.#rest.indexOf(LINE_FEED);
  }
}

const LINE_FEED = 10;

function frozen(value) {
  if (value === null || typeof value !== "object") return value;
  for (const member of Object.values(value)) frozen(member);
  return Object.freeze(value);
}
