"""The order of checks: of two faults, the one that is named."""

import forge
from families.base import *

# One fault a step, in the order in which the steps are taken: code, and what it does to header, claims and signer.
STEPS = [
    ("wrong-typ", {"typ": "x"}, {}, None),
    ("unknown-category", {"cat": "x"}, {}, None),
    ("unsupported-algorithm", {"alg": "none"}, {}, None),
    ("critical-header", {"crit": ["x"]}, {}, None),
    ("unsupported-header", {"zip": "DEF"}, {}, None),
    ("missing-kid", {"kid": ABSENT}, {}, None),
    ("missing-iss", {}, {"iss": ABSENT}, None),
    ("unknown-kid", {"kid": "ins_unknown"}, {}, None),
    ("wrong-signature", {}, {}, "other"),
    ("missing-sub", {}, {"sub": ABSENT}, None),
    ("missing-sid", {}, {"sid": ABSENT}, None),
    ("wrong-aud", {}, {"aud": "x"}, None),
    ("missing-azp", {}, {"azp": ABSENT}, None),
    ("token-expired", {}, {"exp": ISSUED - 60}, None),
    ("token-not-active-yet", {}, {"nbf": NOW + 60}, None),
    ("token-iat-in-the-future", {}, {"iat": NOW + 60}, None),
    ("lifetime-too-long", {}, {"exp": ISSUED + 9999}, None),
    ("session-pending", {}, {"sts": "pending"}, None),
    ("malformed-act", {}, {"act": None}, None),
]


def family():
    f = Family("order", "Two faults in one token: the earlier step is named, so that no host tells more than another.")
    for index, (code, head, body, by) in enumerate(STEPS):
        f.token(f"alone-{code}", "one fault alone", token(header(**head), claims(**body), by or "instance"), code, tags=["attack:19"])
        for later, later_head, later_body, later_by in STEPS[index + 1 :]:
            if set(head) & set(later_head) or set(body) & set(later_body):
                continue
            text = token(header(**head, **later_head), claims(**body, **later_body), by or later_by or "instance")
            f.token(f"{code}-before-{later}", "the earlier of two faults", text, code, tags=["attack:19"])
    signature_first(f)
    return f


def signature_first(f):
    """No claim is judged under a signature that does not hold."""
    for claim in ("sub", "sid", "aud", "azp", "exp", "nbf", "iat", "sts", "act"):
        for name, value in {"null": None, "number": -1, "string": "x", "list": []}.items():
            f.token(f"forged-{claim}-{name}", "a forged token is told that it is forged, and nothing of its claims", token(body=claims(**{claim: value}), by="other"), "wrong-signature", tags=["attack:19"])
    f.token("forged-and-expired", "expired and forged is forged", token(by="other"), "wrong-signature", now=ISSUED + 9999, tags=["attack:19"])
    f.token("forged-and-pending", "pending and forged is forged", token(body=claims(sts="pending"), by="other"), "wrong-signature", tags=["attack:19"])
