"""`exp`, `nbf`, `iat` and the lifetime: types, boundaries to the millisecond, absurd numbers."""

import forge
from families.base import *

SKEW = rule.DEFAULT_SKEW_SECS
MAX = rule.MAX_TIME_SECS

# Not times, in every claim: not numbers, or numbers outside 0 to 8.64e12 after truncation.
NOT_TIMES = {
    "null": "null", "true": "true", "false": "false", "empty": '""', "numeric-string": f'"{ISSUED + 60}"', "word": '"soon"', "nan-string": '"NaN"', "infinity-string": '"Infinity"',
    "iso-string": '"2026-01-15T12:01:00Z"', "list": f"[{ISSUED + 60}]", "empty-list": "[]", "object": f'{{"seconds":{ISSUED + 60}}}', "empty-object": "{}",
    "minus-one": "-1", "minus-one-point-five": "-1.5", "minus-large": f"-{ISSUED}", "minus-one-exponent": "-1e0", "beyond-by-one": str(MAX + 1), "1e13": "1e13", "1e20": "1e20", "1e308": "1e308", "1e400": "1e400",
    "2-to-53": str(2**53), "2-to-63": str(2**63), "2-to-64": str(2**64), "2-to-64-plus": str(2**64 + ISSUED + 60), "forty-digits": "1" * 40, "milliseconds-far": "1768478460000000", "exponent-overflow": "1e99999999999999999999", "exponent-tower": "9" * 20 + "e" + "9" * 20,
}

# Spellings of one time: `{}` is where its digits go.
SPELLINGS = {
    "point-zero": "{}.0", "fraction": "{}.999", "long-fraction": "{}." + "9" * 60, "exponent-zero": "{}e0", "exponent-plus": "{}E+0", "exponent-minus": "{}000e-3", "exponent-up": "{head}.{tail}e9", "many-zeros": "{}." + "0" * 300, "fraction-and-exponent": "{}5e-1",
}


def spelled(pattern, time):
    digits = str(time)
    return pattern.replace("{head}", digits[0]).replace("{tail}", digits[1:]).replace("{}", digits)


def family():
    f = Family("times", "`exp`, `nbf`, `iat`: JSON numbers of seconds, truncated toward zero; the skew; one hour at most.")
    types(f)
    boundaries(f)
    skews(f)
    lifetimes(f)
    order(f)
    b4_rows(f)
    return f


def with_claim(claim, raw, **more):
    return token(body=with_member(claims(**{claim: ABSENT, **more}), claim, raw))


def types(f):
    good = {"exp": ISSUED + 60, "nbf": ISSUED - 10, "iat": ISSUED}
    for claim, time in good.items():
        for name, raw in NOT_TIMES.items():
            peer = {("exp", "numeric-string"): ["peer:exp-string"], ("exp", "1e20"): ["peer:exp-1e20"], ("exp", "minus-one"): ["peer:exp-minus-one"]}.get((claim, name), [])
            f.token(f"{claim}-{name}", "what is no time is not an absent time", with_claim(claim, raw), f"malformed-{claim}", tags=["attack:29", *peer])
        for name, pattern in SPELLINGS.items():
            f.token(f"{claim}-spelled-{name}", "every spelling that JSON has for a number, its fraction truncated", with_claim(claim, spelled(pattern, time)), tags=["attack:29"])
    f.token("exp-absent", "a session token ends", token(body=claims(exp=ABSENT)), "missing-exp", tags=["peer:exp-absent"])
    for absent in (["nbf"], ["iat"], ["nbf", "iat"]):
        f.token(f"{'-'.join(absent)}-absent", "`nbf` and `iat` are optional", token(body=claims(**{claim: ABSENT for claim in absent})))
    zeros = {"zero": "0", "minus-zero": "-0", "minus-half": "-0.5", "minus-nearly-one": "-0.999999999999999999999", "zero-exponent": "0e999999999999", "tiny": "1e-400", "zero-point": "0.000", "minus-tiny": "-1e-9", "exponent-down": "1768478400e-99"}
    for name, raw in zeros.items():
        f.token(f"exp-{name}", "a time of 0 seconds, long past", with_claim("exp", raw), "token-expired", tags=["attack:29"])
        f.token(f"nbf-{name}", "a time of 0 seconds, long past", with_claim("nbf", raw), tags=["attack:29"])
        f.token(f"iat-{name}", "a time of 0 seconds: the token has lived for decades", with_claim("iat", raw), "lifetime-too-long", tags=["attack:29"])
    for claim, code in (("exp", "lifetime-too-long"), ("nbf", "token-not-active-yet"), ("iat", "token-iat-in-the-future")):
        for name, raw in {"latest": str(MAX), "latest-fraction": f"{MAX}.999", "latest-exponent": "8.64e12"}.items():
            f.token(f"{claim}-{name}", "the last second of JavaScript's calendar is a time", with_claim(claim, raw), code, tags=["attack:29"])
    f.token("exp-latest-no-iat", "without `iat` the life counts from now", with_claim("exp", str(MAX), iat=ABSENT), "lifetime-too-long")
    f.token("all-latest", "a token of the far future, at its time", token(body=claims(exp=MAX, iat=MAX - 60, nbf=MAX - 70)), now=MAX - 30)


def at(f, name, why, body, offset_ms, base, expect="ok", policy="default", tags=()):
    now = (base * 1000 + offset_ms) / 1000
    f.token(name, why, token(body=body), expect, now=int(now) if now == int(now) else now, policy=policy, tags=tags)


def boundaries(f):
    for offset, expect in ((-1001, "ok"), (-1000, "ok"), (-1, "ok"), (0, "token-expired"), (1, "token-expired"), (1000, "token-expired")):
        at(f, f"exp-boundary-{offset}ms", "expired at exactly `exp` and the skew, not a millisecond earlier", claims(), offset, ISSUED + 60 + SKEW, expect)
    quiet = dict(iat=ABSENT)
    for offset, expect in ((-1000, "token-not-active-yet"), (-1, "token-not-active-yet"), (0, "ok"), (1, "ok"), (1000, "ok")):
        at(f, f"nbf-boundary-{offset}ms", "active at exactly `nbf` less the skew, not a millisecond earlier", claims(nbf=ISSUED, **quiet), offset, ISSUED - SKEW, expect)
        at(f, f"iat-boundary-{offset}ms", "issued at exactly `iat` less the skew, not a millisecond earlier", claims(nbf=ABSENT), offset, ISSUED - SKEW, expect.replace("not-active-yet", "iat-in-the-future"))
    fraction = with_member(claims(exp=ABSENT), "exp", f"{ISSUED + 60}.999")
    for offset, expect in ((-1, "ok"), (0, "token-expired"), (998, "token-expired")):
        at(f, f"exp-fraction-boundary-{offset}ms", "a fraction of `exp` is truncated: it does not lengthen a life", fraction, offset, ISSUED + 60 + SKEW, expect)
    nearly = with_member(claims(exp=ABSENT), "exp", f"{ISSUED + 59}." + "9" * 40)
    for offset, expect in ((-1, "ok"), (0, "token-expired")):
        at(f, f"exp-nearly-boundary-{offset}ms", "truncated on its digits: binary fractions would round it up", nearly, offset, ISSUED + 59 + SKEW, expect)
    for claim, code in (("nbf", "token-not-active-yet"), ("iat", "token-iat-in-the-future")):
        early = with_member(claims(nbf=ABSENT, iat=ABSENT), claim, f"{ISSUED}.999")
        for offset, expect in ((-1, code), (0, "ok")):
            at(f, f"{claim}-fraction-boundary-{offset}ms", "a fraction is truncated", early, offset, ISSUED - SKEW, expect)


def skews(f):
    for skew in (0, 1, 30, 60):
        policy = {**POLICIES["default"], "clockSkewSecs": skew}
        for offset, expect in ((-1, "ok"), (0, "token-expired")):
            at(f, f"skew-{skew}-exp-{offset}ms", "the skew is the policy's", claims(), offset, ISSUED + 60 + skew, expect, policy)
        for offset, expect in ((-1, "token-not-active-yet"), (0, "ok")):
            at(f, f"skew-{skew}-nbf-{offset}ms", "the skew is the policy's", claims(nbf=ISSUED, iat=ABSENT), offset, ISSUED - skew, expect, policy)
            at(f, f"skew-{skew}-iat-{offset}ms", "the skew is the policy's", claims(nbf=ABSENT), offset, ISSUED - skew, expect.replace("not-active-yet", "iat-in-the-future"), policy)


def lifetimes(f):
    for life, expect in ((0, "ok"), (1, "ok"), (60, "ok"), (3599, "ok"), (3600, "ok"), (3601, "lifetime-too-long"), (86400, "lifetime-too-long"), (315360000, "lifetime-too-long")):
        f.token(f"lifetime-{life}", "`exp` lies at most 3600 s after `iat`", token(body=claims(exp=ISSUED + life, nbf=ABSENT)), expect, now=ISSUED)
    f.token("lifetime-backwards", "`exp` before `iat`, both within the skew: no long life", token(body=claims(exp=ISSUED - 2, nbf=ABSENT)), now=ISSUED)
    f.token("lifetime-truncated", "both times are truncated before they are subtracted", token(body=with_member(claims(exp=ABSENT), "exp", f"{ISSUED + 3600}.999")), now=ISSUED)
    for offset, expect in ((-1, "lifetime-too-long"), (0, "ok"), (1, "ok")):
        at(f, f"lifetime-no-iat-{offset}ms", "without `iat` the life counts from now, to the millisecond", claims(exp=ISSUED + 3600, iat=ABSENT, nbf=ABSENT), offset, ISSUED, expect)
    f.token("lifetime-nbf-does-not-count", "the life does not count from `nbf`", token(body=claims(exp=ISSUED + 3600, nbf=ISSUED - 3600)))
    f.token("lifetime-long-and-old", "a token of ten years is refused in its first second and in its last", token(body=claims(exp=NOW + 5, iat=NOW - 315360000, nbf=ABSENT)), "lifetime-too-long")


def order(f):
    def two(name, body, expect, now=NOW):
        f.token(f"order-{name}", "each time is judged whole, its type and its comparison, before the next", token(body=body), expect, now=now)

    two("expired-before-bad-nbf", claims(exp=ISSUED - 60, nbf="x"), "token-expired")
    two("bad-exp-before-bad-nbf", claims(exp="x", nbf="x"), "malformed-exp")
    two("missing-exp-before-bad-nbf", claims(exp=ABSENT, nbf="x"), "missing-exp")
    two("early-before-bad-iat", claims(nbf=NOW + 60, iat="x", exp=NOW + 120), "token-not-active-yet")
    two("bad-nbf-before-future-iat", claims(nbf="x", iat=NOW + 60, exp=NOW + 120), "malformed-nbf")
    two("future-iat-before-lifetime", claims(iat=NOW + 60, exp=NOW + 9999), "token-iat-in-the-future")
    two("expired-before-early", claims(exp=ISSUED - 60, nbf=NOW + 60, iat=NOW + 60), "token-expired")
    two("bad-iat-before-lifetime", claims(iat="x", exp=NOW + 9999), "malformed-iat")
    two("lifetime-before-sts", claims(exp=ISSUED + 9999, sts="x"), "lifetime-too-long")
    two("expired-before-lifetime", claims(iat=ISSUED - 9999, exp=ISSUED - 60), "token-expired")


def b4_rows(f):
    f.token("b4-nbf-far-future-string", "a far `nbf`, written as a string", token(body=claims(nbf=str(ISSUED + 10**8))), "malformed-nbf", tags=["peer:nbf-string", "attack:29"])
    f.token("b4-expired-3s-ago", "expired three seconds ago, within the skew", token(), now=ISSUED + 63, tags=["peer:expired-3s"])
    f.token("b4-expired-30s-ago", "expired thirty seconds ago", token(), "token-expired", now=ISSUED + 90, tags=["peer:expired-30s"])
    f.token("b4-iat-1h-ahead", "issued in an hour", token(body=claims(iat=NOW + 3600, exp=NOW + 3660)), "token-iat-in-the-future", tags=["peer:iat-ahead"])
