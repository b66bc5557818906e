"""`azp`: exact origins, patterns with one `*` inside one label, what a missing one means, any party."""

import forge
from families.base import *
from families.header import not_text


def family():
    f = Family("parties", "`azp`: the origin that the token was made for is one that the policy names.")
    types(f)
    look_alikes(f)
    patterns(f)
    any_party(f)
    several(f)
    return f


def types(f):
    absent = token(body=claims(azp=ABSENT))
    f.token("absent", "no origin: a native app, the Backend API, or a navigation; refused unless the policy says otherwise", absent, "missing-azp", tags=["attack:42", "peer:azp-missing"])
    f.token("absent-allowed", "the policy allows a missing `azp`", absent, policy="azp-optional", tags=["attack:42", "peer:azp-missing"], authorized_party=None)
    f.token("absent-any-party", "any party is not no party", absent, "missing-azp", policy="any-party", tags=["attack:42"])
    f.token("absent-any-party-allowed", "any party, and none", absent, policy={**POLICIES["any-party"], "missingAzp": "allow"}, tags=["attack:42"])
    for policy in ("default", "azp-optional", "any-party"):
        for name, value in not_text(ORIGIN).items():
            tags = ["attack:7", "attack:23"] + (["attack:42"] if name == "null" else []) + (["peer:azp-array"] if name == "list" else [])
            f.token(f"{name}-{policy}", "`azp` is a string; what is not one is neither absent nor allowed", token(body=with_member(claims(azp=ABSENT), "azp", value)), "malformed-azp", policy=policy, tags=tags)
        f.token(f"empty-{policy}", "an empty `azp` is neither absent nor allowed", token(body=claims(azp="")), "malformed-azp", policy=policy, tags=["attack:42"])


def look_alikes(f):
    for name, value in {
        "trailing-slash": ORIGIN + "/", "path": ORIGIN + "/x", "query": ORIGIN + "?", "fragment": ORIGIN + "#", "port": ORIGIN + ":443", "other-port": ORIGIN + ":8443", "http": "http://app.example.com",
        "no-scheme": "app.example.com", "scheme-alone": "https://", "scheme-case": "HTTPS://app.example.com", "host-case": "https://App.example.com", "upper-case": ORIGIN.upper(), "subdomain": "https://x.app.example.com", "parent": "https://example.com",
        "prefix": ORIGIN[:-1], "suffix": ORIGIN + "x", "suffix-host": ORIGIN + ".attacker.example", "glued": "https://xapp.example.com", "user-info": "https://app.example.com@attacker.example", "own-user-info": "https://x@app.example.com",
        "trailing-dot": ORIGIN + ".", "trailing-space": ORIGIN + " ", "leading-space": " " + ORIGIN, "trailing-newline": ORIGIN + "\n", "trailing-nul": ORIGIN + "\0", "list-text": ORIGIN + "," + ORIGIN, "null-origin": "null", "star": "*",
        "cyrillic": "https://аpp.example.com", "punycode": "https://xn--pp-7kc.example.com", "percent": "https://app%2Eexample.com", "backslash": "https:\\\\app.example.com", "dot-full-width": "https://app．example.com", "other": "https://attacker.example", "long": "https://" + "a" * 5000,
    }.items():
        f.token(f"not-{name}", "an origin is compared byte for byte", token(body=claims(azp=value)), "wrong-azp")
    f.token("escaped", "compared after unescaping", token(body=with_member(claims(azp=ABSENT), "azp", r'"https:\/\/app\u002eexample.com"')))
    f.token("wrong-though-absent-allowed", "allowing none does not allow any", token(body=claims(azp="https://attacker.example")), "wrong-azp", policy="azp-optional", tags=["attack:42"])


def patterns(f):
    tables = {
        "https://app-*.example.com": {
            "ok": ["https://app-1.example.com", "https://app-a.example.com", "https://app-abc-123.example.com", "https://app--.example.com", "https://app-" + "a" * 50 + ".example.com", "https://app-xn--e1afmkfd.example.com"],
            "wrong-azp": ["https://app-.example.com", "https://app-a.b.example.com", "https://app-..example.com", "https://app-A.example.com", "https://app-é.example.com", "https://app-_.example.com", "https://app-%2e.example.com", "https://app-a.example.com.attacker.example", "https://app-a.example.com/", "https://app-a.example.com:443", "https://app-a.example.com:8443", "http://app-a.example.com", "https://attacker.example/app-a.example.com", "https://attacker.example?app-a.example.com", "https://attacker.example#app-a.example.com", "https://app-a@attacker.example", "https://app-a/.example.com", "https://app-a:1.example.com", "https://xapp-a.example.com", "https://app-a.example.comx", "https://app-a.examplexcom", "https://app-a\n.example.com", "https://app-a\0.example.com", "https://app-*.example.com?", "https://app-.a.example.com", " https://app-a.example.com", "https://APP-a.example.com", "https://app-a.example", "app-a.example.com", "https://app-a b.example.com"],
        },
        "https://*.example.com": {
            "ok": ["https://a.example.com", "https://my-app.example.com", "https://0.example.com"],
            "wrong-azp": ["https://example.com", "https://.example.com", "https://a.b.example.com", "https://a.example.com.", "https://a.example.org", "https://aexample.com", "https://*.example.com"],
        },
        "https://my-app-*-team.vercel.app": {
            "ok": ["https://my-app-git-main-team.vercel.app", "https://my-app-a-team.vercel.app", "https://my-app---team.vercel.app"],
            "wrong-azp": ["https://my-app-team.vercel.app", "https://my-app--team.vercel.app", "https://my-app-a-team-evil.vercel.app", "https://my-app-a.team.vercel.app", "https://evil-my-app-a-team.vercel.app", "https://my-app-a-team.vercel.app.attacker.example"],
        },
        "https://pr-*.preview.example.com:8443": {
            "ok": ["https://pr-7.preview.example.com:8443"],
            "wrong-azp": ["https://pr-7.preview.example.com", "https://pr-7.preview.example.com:443", "https://pr-7.preview.example.com:84430", "https://pr-7.preview.example.com:8443/", "https://pr-7.x.preview.example.com:8443"],
        },
        "https://app.*.example.com": {
            "ok": ["https://app.eu.example.com"],
            "wrong-azp": ["https://app.example.com", "https://app..example.com", "https://app.eu.west.example.com", "https://app.eu-west.attacker.com"],
        },
    }
    for number, (pattern, verdicts) in enumerate(tables.items()):
        policy = {**POLICIES["default"], "authorizedParties": [pattern]}
        for expect, origins in verdicts.items():
            for index, origin in enumerate(origins):
                f.token(f"pattern-{number}-{expect}-{index}", f"`*` stands for one or more of a-z, 0-9 and - within one label: {pattern}", token(body=claims(azp=origin)), expect, policy=policy)
    f.token("no-pattern-in-the-token", "a `*` that the token brings is a character", token(body=claims(azp="https://*.example.com")), "wrong-azp")


def any_party(f):
    for name, value in {"ours": ORIGIN, "other": "https://attacker.example", "no-origin": "app", "space": " ", "extension": "chrome-extension://abcdefghijklmnop", "native": "com.example.app", "null-origin": "null", "not-ascii": "https://éxample.com", "long": "https://" + "a" * 5000}.items():
        f.token(f"any-{name}", "any party, asked for in these words, is any string that is not empty", token(body=claims(azp=value)), policy="any-party", authorized_party=value)


def several(f):
    policy = {**POLICIES["default"], "authorizedParties": [ORIGIN, "http://localhost:3000", "https://app-*.example.com", "chrome-extension://abcdefghijklmnop"]}
    for index, (origin, expect) in enumerate([(ORIGIN, "ok"), ("http://localhost:3000", "ok"), ("https://app-2.example.com", "ok"), ("chrome-extension://abcdefghijklmnop", "ok"), ("http://localhost:3001", "wrong-azp"), ("https://localhost:3000", "wrong-azp"), ("http://127.0.0.1:3000", "wrong-azp"), ("http://[::1]:3000", "wrong-azp"), ("chrome-extension://other", "wrong-azp"), ("https://app.example.comhttp://localhost:3000", "wrong-azp")]):
        f.token(f"several-{index}", "any one of several parties, whole", token(body=claims(azp=origin)), expect, policy=policy)
