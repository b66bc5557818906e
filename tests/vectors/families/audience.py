"""`aud`, and tokens of JWT templates: not sessions, unless the policy names their audience."""

import forge
from families.base import *

AUDIENCE = POLICIES["template"]["templateAudience"]


def family():
    f = Family("audience", "`aud` fails closed; tokens of a JWT template are taken for a configured audience alone.")
    session_tokens(f)
    template_tokens(f)
    return f


VALUES = {
    # name: (JSON, the verdict with no audience configured, the verdict with one configured)
    "ours": (forge.compact(AUDIENCE), "wrong-aud", "ok"),
    "ours-in-list": (forge.compact([AUDIENCE]), "wrong-aud", "ok"),
    "ours-first": (forge.compact([AUDIENCE, "other"]), "wrong-aud", "ok"),
    "ours-last": (forge.compact(["other", AUDIENCE]), "wrong-aud", "ok"),
    "ours-escaped": (forge.compact(AUDIENCE).replace("/", r"\/"), "wrong-aud", "ok"),
    "ours-in-list-of-many": (forge.compact([f"a{i}" for i in range(500)] + [AUDIENCE]), "wrong-aud", "ok"),
    "other": ('"https://other.example.com"', "wrong-aud", "wrong-aud"),
    "other-in-list": ('["https://other.example.com","x"]', "wrong-aud", "wrong-aud"),
    "other-case": (forge.compact(AUDIENCE.upper()), "wrong-aud", "wrong-aud"),
    "prefix": (forge.compact(AUDIENCE[:-1]), "wrong-aud", "wrong-aud"),
    "suffix": (forge.compact(AUDIENCE + "/"), "wrong-aud", "wrong-aud"),
    "comma-list": (forge.compact(AUDIENCE + ",other"), "wrong-aud", "wrong-aud"),
    "space": ('" "', "wrong-aud", "wrong-aud"),
    "star": ('"*"', "wrong-aud", "wrong-aud"),
    "issuer": (forge.compact(ISSUER), "wrong-aud", "wrong-aud"),
    "empty": ('""', "malformed-aud", "malformed-aud"),
    "empty-list": ("[]", "malformed-aud", "malformed-aud"),
    "list-of-empty": ('[""]', "malformed-aud", "malformed-aud"),
    "list-with-empty": (forge.compact([AUDIENCE, ""]), "malformed-aud", "malformed-aud"),
    "list-with-number": (forge.compact([AUDIENCE, 1]), "malformed-aud", "malformed-aud"),
    "list-with-null": (forge.compact([AUDIENCE, None]), "malformed-aud", "malformed-aud"),
    "list-in-list": (forge.compact([[AUDIENCE]]), "malformed-aud", "malformed-aud"),
    "list-with-object": (forge.compact([{"aud": AUDIENCE}]), "malformed-aud", "malformed-aud"),
    "null": ("null", "malformed-aud", "malformed-aud"),
    "true": ("true", "malformed-aud", "malformed-aud"),
    "false": ("false", "malformed-aud", "malformed-aud"),
    "zero": ("0", "malformed-aud", "malformed-aud"),
    "object": (forge.compact({"0": AUDIENCE, "length": 1}), "malformed-aud", "malformed-aud"),
    "object-keyed": (forge.compact({AUDIENCE: True}), "malformed-aud", "malformed-aud"),
    "empty-object": ("{}", "malformed-aud", "malformed-aud"),
}


def session_tokens(f):
    for name, (value, bare, configured) in VALUES.items():
        text = token(body=with_member(claims(), "aud", value))
        f.token(f"session-{name}", "a session token names no audience; whoever is not named in one refuses (RFC 7519 section 4.1.3)", text, bare, tags=["attack:7"])
        f.token(f"session-{name}-configured", "with an audience configured, `aud` must hold it", text, configured, policy="template", tags=["attack:7"])
    odd = {**POLICIES["template"], "templateAudience": r"a\u0062"}
    for name, value, expect in [("escape", r'"a\u0062"', "wrong-aud"), ("text", r'"a\\u0062"', "ok"), ("read", '"ab"', "wrong-aud")]:
        text = token(body=with_member(claims(), "aud", value))
        f.token(f"session-backslash-{name}", "a configured audience is what `aud` reads as, not how it is spelled", text, expect, policy=odd)
    f.token("session-absent-configured", "a session token is taken beside template tokens", token(), policy="template")


def template_tokens(f):
    no_session = dict(sid=ABSENT, v=ABSENT, sts=ABSENT, fva=ABSENT)
    for category, head in {"marked": header(cat=rule.TEMPLATE), "unmarked": header(cat=ABSENT), "opted-out": header(cat=rule.OPTED_OUT)}.items():
        good = token(head=head, body=claims(aud=AUDIENCE, **no_session))
        f.token(f"template-{category}", "a template's token for the configured audience", good, policy="template", session_id=None)
        f.token(f"template-{category}-default", "no audience configured: not a session", good, "template-token" if category == "marked" else "missing-sid", tags=["peer:template"])
        f.token(f"template-{category}-no-aud", "a template's token must name the audience", token(head=head, body=claims(**no_session)), "missing-aud", policy="template")
        f.token(f"template-{category}-with-sid", "a session in a template's token is kept", token(head=head, body=claims(aud=AUDIENCE)), policy="template", session_id=SESSION_ID)
        f.token(f"template-{category}-bad-sid", "a session in a template's token is one, or the token is none", token(head=head, body=claims(aud=AUDIENCE, sid="")), "malformed-sid", policy="template")
        f.token(f"template-{category}-null-sid", "null is not absent", token(head=head, body=claims(aud=AUDIENCE, sid=None)), "malformed-sid", policy="template")
        f.token(f"template-{category}-forged", "the signature comes first", token(head=head, body=claims(aud=AUDIENCE, **no_session), by="other"), "wrong-signature", policy="template")
        f.token(f"template-{category}-no-azp", "`azp` is asked of a template's token like of any other", token(head=head, body=claims(aud=AUDIENCE, azp=ABSENT, **no_session)), "missing-azp", policy="template")
        f.token(f"template-{category}-bad-sub", "so is a user", token(head=head, body=claims(aud=AUDIENCE, sub="service", **{k: v for k, v in no_session.items()})), "malformed-sub", policy="template")
        f.token(f"template-{category}-too-long", "and an hour at most", token(head=head, body=claims(aud=AUDIENCE, exp=ISSUED + 3601, **no_session)), "lifetime-too-long", policy="template")
        f.token(f"template-{category}-an-hour", "a template may ask for a longer life, up to an hour", token(head=head, body=claims(aud=AUDIENCE, exp=ISSUED + 3600, **no_session)), policy="template")
        for name, (value, _, configured) in VALUES.items():
            if name.startswith(("ours", "other", "empty", "null", "list")) and category != "opted-out":
                text = token(head=head, body=with_member(claims(**no_session), "aud", value))
                f.token(f"template-{category}-aud-{name}", "the audience of a template's token", text, configured, policy="template", tags=["attack:7"])
    f.token("marked-template-with-sid-no-aud", "marked as a template's, it must name the audience though it has a session", token(head=header(cat=rule.TEMPLATE)), "missing-aud", policy="template")
    f.token("marked-session-without-sid", "marked as a session's, it must have one, whatever the policy", token(body=claims(sid=ABSENT, aud=AUDIENCE)), "missing-sid", policy="template")
    f.token("unmarked-with-sid-no-aud", "unmarked and with a session, it is a session's", token(head=header(cat=ABSENT)), policy="template")
