"""The header, in the order in which its members are judged."""

import forge
from families.base import *

# Values of the wrong type for any text member.
NOT_TEXT = {"null": "null", "true": "true", "false": "false", "zero": "0", "number": "256", "list": '["{}"]', "empty-list": "[]", "object": '{{"a":"{}"}}', "empty-object": "{{}}"}


def not_text(of):
    return {name: raw.format(of) for name, raw in NOT_TEXT.items()}


def family():
    f = Family("header", "The header's members: typ, cat, alg, crit, headers that are not taken, kid, and the machine's subject.")
    typ(f)
    cat(f)
    alg(f)
    crit(f)
    unsupported(f)
    kid(f)
    machine_subject(f)
    ignored(f)
    return f


def raw(f, member, name, why, value, expect="ok", tags=(), **more):
    """A good header in which one member is written as given."""
    f.token(f"{member}-{name}", why, token(head=with_member(header(**{member: ABSENT}), member, value)), expect, tags=tags, **more)


def typ(f):
    f.token("typ-absent", "`typ` is optional", token(head=header(typ=ABSENT)))
    for name, value in not_text("JWT").items():
        raw(f, "typ", name, "`typ` is the string JWT, or absent", value, "wrong-typ")
    for value in ("", "jwt", "Jwt", "JWT ", " JWT", "JWS", "JOSE", "application/jwt", "JWT+at", "JWE", "logout+jwt", "dpop+jwt", "AT+JWT", "at+JWT", "application/AT+jwt", "at+jwt ", "JWT\0"):
        raw(f, "typ", f"text-{forge.compact(value)[1:-1].replace(' ', '_').replace('/', '-')}", "`typ` is compared byte for byte", forge.compact(value), "wrong-typ")
    for value in ("at+jwt", "application/at+jwt"):
        raw(f, "typ", value.replace("/", "-"), "an OAuth access token", forge.compact(value), "oauth-token", ["peer:at-jwt"])
    raw(f, "typ", "at-jwt-escaped", "an OAuth access token, its type written with an escape", r'"at\u002bjwt"', "oauth-token")


def cat(f):
    f.token("cat-absent", "minted before Clerk marked its tokens", token(head=header(cat=ABSENT)))
    f.token("cat-session", "a session token", token(head=header(cat=rule.SESSION)))
    f.token("cat-opted-out", "an instance that opted out", token(head=header(cat=rule.OPTED_OUT)))
    f.token("cat-template", "a token of a JWT template, without a session", token(head=header(cat=rule.TEMPLATE), body=claims(sid=ABSENT)), "template-token", tags=["peer:template"])
    f.token("cat-template-with-session", "the category decides, not the claims", token(head=header(cat=rule.TEMPLATE)), "template-token", tags=["peer:template"])
    f.token("cat-machine", "a machine token", token(head=header(cat=rule.MACHINE)), "machine-token")
    f.token("cat-machine-template-policy", "a machine token, whatever the policy says of templates", token(head=header(cat=rule.MACHINE)), "machine-token", policy="template")
    for name, value in not_text(rule.SESSION).items():
        raw(f, "cat", name, "an unknown category refuses the token", value, "unknown-category")
    for value in ("", "cl_B7d4PD444AAA", "cl_B7d4PD111AAA ", "CL_B7D4PD111AAA", "cl_B7d4PD111aaa", "cl_B7d4PD111AA", "cl_B7d4PD111AAAA", "session"):
        raw(f, "cat", f"text-{value.strip() or 'empty'}{len(value)}", "categories are compared byte for byte", forge.compact(value), "unknown-category")
    raw(f, "cat", "session-escaped", "compared after unescaping", r'"cl_B7d4PD\u0031\u0031\u0031AAA"')


def alg(f):
    f.token("alg-absent", "without `alg` nothing says how it was signed", token(head=header(alg=ABSENT)), "unsupported-algorithm", tags=["attack:10"])
    for name, value in not_text("RS256").items():
        raw(f, "alg", name, "`alg` is a string", value, "unsupported-algorithm", ["attack:5"])
    for value in ("", "rs256", "Rs256", "RS256 ", " RS256", "RS-256", "RS255", "RS2560", "SHA256withRSA", "RSASSA-PKCS1-v1_5", "PS256", "PS384", "PS512", "ES256", "ES256K", "ES384", "ES512", "EdDSA", "Ed25519", "HS256", "HS384", "HS512", "RS1", "RSA1_5", "RSA-OAEP", "dir", "A128KW", "PBES2-HS256+A128KW", "unknown", "RS256,HS256"):
        tags = ["attack:38", "attack:21"] + (["peer:lower-case-alg"] if value == "rs256" else []) + (["attack:9"] if value.startswith("ES") else [])
        raw(f, "alg", f"text-{forge.compact(value)[1:-1].replace(' ', '_') or 'empty'}", "one algorithm, compared byte for byte, under a genuine RS256 signature", forge.compact(value), "unsupported-algorithm", tags)
    raw(f, "alg", "escaped", "compared after unescaping", r'"\u0052S256"')
    for algorithm in ("RS384", "RS512"):
        f.token(f"alg-{algorithm}-default-policy", "RS384 and RS512 are for policies that name them", token(head=header(alg=algorithm), algorithm=algorithm), "unsupported-algorithm")


def crit(f):
    odd = {"unknown": '["unknown"]', "unknown-value": '["http://example.invalid/must"]', "empty-list": "[]", "null": "null", "string": '"exp"', "empty-string": '""', "true": "true", "false": "false", "number": "1", "object": '{"b64":false}', "empty-object": "{}", "registered": '["alg"]', "twice": '["x","x"]', "number-in-list": "[1]", "b64": '["b64"]', "exp": '["exp"]', "kid-and-typ": '["kid","typ"]'}
    for name, value in odd.items():
        peer = {"unknown": ["peer:crit"], "empty-list": ["peer:crit-empty"]}.get(name, [])
        raw(f, "crit", name, "nothing critical is understood, so whatever it holds refuses (RFC 7515 section 4.1.11)", value, "critical-header", ["attack:25", "attack:26", "attack:27", *peer])
    f.token("crit-named-header-present", "the header that `crit` names is there", token(head=header(crit=["must"], must="understand")), "critical-header", tags=["attack:25", "peer:crit"])
    f.token("crit-b64-false", "an unencoded payload, declared critical as RFC 7797 asks", token(head=header(b64=False, crit=["b64"])), "critical-header", tags=["attack:45"])
    f.token("crit-escaped-name", "the name `crit` written with an escape", token(head=with_member(header(), "x", "1").replace('"x":1', r'"cri\u0074":["x"]')), "critical-header", tags=["attack:25"])
    f.token("crit-other-case", "`CRIT` is another header, unknown and ignored", token(head=header(CRIT=["x"])))


def unsupported(f):
    values = {"b64": ["false", "true", "null", '"false"'], "zip": ['"DEF"', "null", '""'], "enc": ['"A256GCM"', "null"], "p2c": ["1000000000", "0", "null"], "p2s": ['"c2FsdA"', "null"], "epk": ['{"kty":"EC"}', "null"]}
    for member, listed in values.items():
        for index, value in enumerate(listed):
            tags = ["attack:45"] if member == "b64" else ["attack:17", "attack:16"]
            raw(f, member, f"is-{index}", "a header of other kinds of token, whatever its value", value, "unsupported-header", tags)
    f.token("p2c-largest", "an iteration count that would keep a machine busy for years", token(head=header(p2c=2**53 - 1, p2s="c2FsdA", enc="A128GCM")), "unsupported-header", tags=["attack:17"])


def kid(f):
    f.token("kid-absent", "a key that is not named is not guessed, though the set has it", token(head=header(kid=ABSENT)), "missing-kid", tags=["peer:no-kid"])
    for name, value in not_text(KID).items():
        raw(f, "kid", name, "`kid` is a string", value, "malformed-kid")
    raw(f, "kid", "empty", "`kid` names something", '""', "malformed-kid")
    raw(f, "kid", "longest", "128 bytes, of a key that is not published", forge.compact("k" * 128), "unknown-kid")
    raw(f, "kid", "too-long", "129 bytes", forge.compact("k" * 129), "malformed-kid")
    raw(f, "kid", "too-long-in-bytes", "65 characters of two bytes each", forge.compact("é" * 65), "malformed-kid")
    raw(f, "kid", "longest-in-bytes", "64 characters of two bytes each", forge.compact("é" * 64), "unknown-kid")
    raw(f, "kid", "longest-escaped", "128 bytes, each written in six", '"' + r"\u006b" * 128 + '"', "unknown-kid")
    raw(f, "kid", "escaped", "compared after unescaping", '"' + KID.replace("ins", r"i\u006es") + '"')
    for name, value in {"other-case": KID.lower(), "prefix": KID[:-1], "suffix": KID + "0", "trailing-space": KID + " ", "leading-space": " " + KID, "path": "../../../../dev/null", "sql": "' OR 1=1 --", "url": "https://attacker.example/jwks.json", "nul": KID + "\0", "newline": KID + "\n", "local": "local", "proto": "__proto__", "constructor": "constructor", "has-own-property": "hasOwnProperty"}.items():
        raw(f, "kid", name, "a name is looked up as it is, and is nothing but a name", forge.compact(value), "unknown-kid")


def machine_subject(f):
    for name, head in {"default": header(), "no-category": header(cat=ABSENT), "no-typ": header(typ=ABSENT)}.items():
        f.token(f"machine-subject-{name}", "a machine's subject says what the token is before anything costs", token(head=head, body=claims(sub="mch_2NNEqL2nrIRdJ194ndJqAHwEfxC")), "machine-token")
    f.token("machine-subject-only-prefix", "the prefix alone is a machine's", token(body=claims(sub="mch_")), "machine-token")
    f.token("machine-subject-escaped", "the prefix after unescaping", token(body=with_member(claims(sub=ABSENT), "sub", r'"mc\u0068_x"')), "machine-token")
    f.token("machine-subject-forged", "said before the signature is looked at", token(body=claims(sub="mch_x"), by="other"), "machine-token")
    f.token("machine-subject-other-case", "prefixes are compared with their case", token(body=claims(sub="MCH_x")), "malformed-sub")
    f.token("machine-subject-other-issuer", "said before the issuer is looked at", token(body=claims(sub="mch_x", iss=OTHER_ISSUER)), "machine-token")


def ignored(f):
    other = forge.jwk("other", KID)
    certificate = forge.b64(forge.certificate_der("other"))
    for name, members in {
        "jwk": {"jwk": other},
        "jku": {"jku": "https://attacker.example/jwks.json"},
        "x5u": {"x5u": "https://attacker.example/key.pem"},
        "x5c": {"x5c": [certificate]},
        "x5t": {"x5t": "dGh1bWJwcmludA", "x5t#S256": "dGh1bWJwcmludA"},
        "all": {"jwk": other, "jku": "file:///etc/passwd", "x5u": "http://169.254.169.254/", "x5c": [certificate], "x5t": "x"},
    }.items():
        f.token(f"{name}-ignored", "a key that a token brings along is not looked at; the published one verifies it", token(head=header(**members)), tags=["attack:4"])
        f.token(f"{name}-not-believed", "signed with the key that the token brings along", token(head=header(**members), by="other"), "wrong-signature", tags=["attack:4"])
        f.token(f"{name}-no-kid", "a key that a token brings along does not stand in for `kid`", token(head=header(kid=ABSENT, **members), by="other"), "missing-kid", tags=["attack:4"])
        f.token(f"{name}-unknown-kid", "nor for a key that is not published", token(head=header(kid="attacker", **members), by="other"), "unknown-kid", tags=["attack:4", "attack:11"])
    f.token("oiat-ignored", "Clerk's own extra members and unknown ones are ignored", token(head=header(oiat=ISSUED, cty="JWT", unknown={"a": [1]})))
