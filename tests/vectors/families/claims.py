"""Each claim: absent, null, of the wrong type, at its boundary, absurd."""

import forge
from families.base import *
from families.header import not_text


def family():
    f = Family("claims", "`sub`, `sid`, `sts`, `act` and the types of `aud` and `azp`, each under a genuine signature.")
    sub(f)
    sid(f)
    sts(f)
    act(f)
    forgotten(f)
    return f


def raw(f, claim, name, why, value, expect="ok", tags=(), **more):
    f.token(f"{claim}-{name}", why, token(body=with_member(claims(**{claim: ABSENT}), claim, value)), expect, tags=tags, **more)


def sub(f):
    f.token("sub-absent", "a session token names its user", token(body=claims(sub=ABSENT)), "missing-sub")
    for name, value in not_text(USER).items():
        raw(f, "sub", name, "`sub` is a string", value, "malformed-sub", ["attack:23"] + (["peer:sub-number"] if name in ("number", "zero") else []))
    for name, value in {
        "empty": "", "space": " ", "prefix-alone": "user_", "other-prefix": "org_2NNEqL4mQHBvZ0lR8cJ6pWdYtSa", "session-id": SESSION_ID, "no-prefix": "2NNEqL2nrIRdJ194ndJqAHwEfxC",
        "upper-case-prefix": "USER_2NNEqL2nrIRdJ194ndJqAHwEfxC", "leading-space": " " + USER, "trailing-space": USER + " ", "trailing-newline": USER + "\n", "trailing-nul": USER + "\0",
        "inner-space": "user_a b", "slash": "user_a/b", "dots": "user_../..", "dot": "user_a.b", "dollar": "user_$ne", "quote": "user_a'b", "star": "user_*", "percent": "user_%00", "colon": "user_a:b",
        "email": "somebody@example.com", "not-ascii": "user_é", "full-width": "user_Ａ", "right-to-left": "user_\u202eabc", "zero-width": "user_a\u200bb", "too-long": "user_" + "a" * 124, "very-long": "user_" + "a" * 9000,
        "api-key": "ak_abc", "mch-inside": "user_mch_.", "undefined": "undefined", "null-text": "null",
    }.items():
        raw(f, "sub", name, "`sub` is user_ and 1 to 123 letters, digits, hyphens and underscores", forge.compact(value), "malformed-sub")
    for name, value in {"shortest": "user_1", "longest": "user_" + "a" * 123, "every-kind": "user_aZ09_-", "mch-later": "user_mch_1", "prefix-twice": "user_user_1", "proto": "user___proto__"}.items():
        raw(f, "sub", name, "`sub` is user_ and 1 to 123 letters, digits, hyphens and underscores", forge.compact(value), user_id=value)
    raw(f, "sub", "escaped", "judged after unescaping", r'"us\u0065r_1"', user_id="user_1")


def sid(f):
    f.token("sid-absent", "a session token names its session", token(body=claims(sid=ABSENT)), "missing-sid")
    f.token("sid-absent-no-category", "a token that does not say what it is, and names no session", token(head=header(cat=ABSENT), body=claims(sid=ABSENT)), "missing-sid")
    for name, value in not_text(SESSION_ID).items():
        raw(f, "sid", name, "`sid` is a string", value, "malformed-sid", ["attack:23"])
    for name, value in {"empty": "", "space": " ", "inner-space": "sess_a b", "trailing-newline": SESSION_ID + "\n", "nul": "sess_\0", "tab": "sess_\t", "delete": "sess_\x7f", "not-ascii": "sess_é", "too-long": "s" * 129, "very-long": "s" * 9000}.items():
        raw(f, "sid", name, "`sid` is 1 to 128 visible characters of ASCII", forge.compact(value), "malformed-sid")
    for name, value in {"shortest": "s", "longest": "s" * 128, "punctuation": "!~/.$'\"\\{}", "no-prefix": "abc", "proto": "__proto__"}.items():
        raw(f, "sid", name, "`sid` is 1 to 128 visible characters of ASCII", forge.compact(value), session_id=value)


def sts(f):
    f.token("sts-absent", "a version 1 token says nothing of it", token(body=claims(sts=ABSENT)), pending=False)
    f.token("sts-active", "an active session", token(body=claims(sts="active")), pending=False)
    f.token("sts-pending", "the user has a task to finish", token(body=claims(sts="pending")), "session-pending", tags=["peer:pending"])
    f.token("sts-pending-accepted", "the policy takes pending sessions", token(body=claims(sts="pending")), policy="pending", pending=True)
    f.token("sts-pending-escaped", "judged after unescaping", token(body=with_member(claims(sts=ABSENT), "sts", r'"p\u0065nding"')), "session-pending")
    f.token("sts-active-pending-policy", "the policy takes active sessions too", token(), policy="pending", pending=False)
    for policy in ("default", "pending"):
        for name, value in not_text("active").items():
            raw(f, "sts", f"{name}-{policy}", "`sts` is active or pending", value, "malformed-sts", policy=policy)
        for value in ("", "Active", "PENDING", "pending ", "ended", "revoked", "expired"):
            raw(f, "sts", f"text-{value.strip() or 'empty'}{len(value)}-{policy}", "`sts` is active or pending, with its case", forge.compact(value), "malformed-sts", policy=policy)


def act(f):
    actor = {"sub": "user_2NNEqImpersonator", "iss": "https://dashboard.clerk.com", "sid": "sess_2NNEqImpersonator"}
    f.token("act", "somebody else acts as the user", token(body=claims(act=actor)), impersonator={"user_id": actor["sub"], "issuer": actor["iss"], "session_id": actor["sid"]})
    f.token("act-sub-alone", "who acts is all that is needed", token(body=claims(act={"sub": "user_2NNEqImpersonator"})), impersonator={"user_id": "user_2NNEqImpersonator", "issuer": None, "session_id": None})
    f.token("act-agent", "an agent's session", token(body=claims(act={"sub": "agent_1", "type": "agent"})), impersonator={"user_id": "agent_1", "issuer": None, "session_id": None})
    f.token("act-nested", "a chain of actors: the outermost acts", token(body=claims(act={"sub": "user_a", "act": {"sub": "user_b"}})), impersonator={"user_id": "user_a", "issuer": None, "session_id": None})
    f.token("act-odd-details", "details of another type are left out", token(body=claims(act={"sub": "user_a", "iss": 1, "sid": None})), impersonator={"user_id": "user_a", "issuer": None, "session_id": None})
    for name, value in {
        "null": "null", "true": "true", "false": "false", "zero": "0", "string": '"user_a"', "list": '[{"sub":"user_a"}]', "empty-list": "[]", "empty-object": "{}",
        "sub-null": '{"sub":null}', "sub-number": '{"sub":1}', "sub-empty": '{"sub":""}', "sub-list": '{"sub":["user_a"]}', "sub-object": '{"sub":{}}', "iss-alone": '{"iss":"https://dashboard.clerk.com"}', "sub-other-case": '{"SUB":"user_a"}', "sub-deeper": '{"act":{"sub":"user_a"}}',
    }.items():
        raw(f, "act", name, "an impersonated session must never pass for an ordinary one: `act` names who acts", value, "malformed-act")


def forgotten(f):
    f.token("only-issuer", "a signed token with nothing but an issuer", token(body={"iss": ISSUER}), "missing-sub")
    f.token("fewest", "the fewest claims that make a session", token(body={"iss": ISSUER, "sub": USER, "sid": SESSION_ID, "azp": ORIGIN, "exp": ISSUED + 60}), issued_at=None, factor_ages=None, organization=None)
    for claim in ("jti", "v", "fva"):
        f.token(f"{claim}-absent", "an optional claim", token(body=claims(**{claim: ABSENT})))
    for name, value in {"number": 1, "null": None, "list": [], "object": {}}.items():
        f.token(f"jti-{name}", "`jti` is not looked at", token(body=claims(jti=value)))
    f.token("names-are-cased", "claims are found by their exact names", token(body=claims(sub=ABSENT, SUB=USER, Sub=USER)), "missing-sub")
    f.token("proto-claims", "a claim in a member `__proto__` is not the token's", token(body=claims(sub=ABSENT, __proto__={"sub": USER})), "missing-sub")
    f.token("nested-claims", "a claim deeper inside is not the token's", token(body=claims(sid=ABSENT, claims={"sid": SESSION_ID})), "missing-sid")
    f.token("claims-in-header", "claims in the header are not the token's", token(head=header(sub=USER), body=claims(sub=ABSENT)), "missing-sub")
    f.token("header-in-claims", "header members in the payload are not the header's", token(head=header(kid=ABSENT), body=claims(kid=KID)), "missing-kid")
