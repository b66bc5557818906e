/** `Session`: whom an accepted token stands for. Frozen, since one that was seen before is given to several callers. */

export class Session {
  #claims;
  #has;

  /**
   * @param fields the engine's words, read
   * @param claims the token's payload, as text
   * @param has asks the engine whether this session has what is required
   */
  constructor(fields, claims, has) {
    this.userId = fields.userId;
    this.sessionId = fields.sessionId;
    this.issuer = fields.issuer;
    this.authorizedParty = fields.authorizedParty;
    this.keyId = fields.keyId;
    this.expiresAt = fields.expiresAt;
    this.issuedAt = fields.issuedAt;
    this.isPending = fields.isPending;
    this.organization = frozen(fields.organization);
    this.features = frozen(fields.features);
    this.plans = frozen(fields.plans);
    this.factorAges = frozen(fields.factorAges);
    this.impersonator = frozen(fields.impersonator);
    this.#claims = claims;
    this.#has = has;
    Object.freeze(this);
  }

  /** The whole payload of the token. Read when it is asked for: most callers want the user's id. */
  get claims() {
    if (typeof this.#claims === "string") this.#claims = frozen(JSON.parse(this.#claims));
    return this.#claims;
  }

  /** Whether the session has all that is required: role, permission, feature, plan, reverification. */
  has(requirement) {
    return this.#has(requirement);
  }
}

function frozen(value) {
  if (value === null || typeof value !== "object") return value;
  for (const member of Object.values(value)) frozen(member);
  return Object.freeze(value);
}
