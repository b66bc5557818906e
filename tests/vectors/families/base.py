"""What every family starts from: one instance, one good session, and the book that cases are written into."""

import forge
import rule
import rule_requests
import rule_webhooks

# 2026-01-15T12:00:00Z, the second in which the good token was issued, and twenty seconds later.
ISSUED = 1_768_478_400
NOW = ISSUED + 20

ISSUER = "https://clerk.example.com"
OTHER_ISSUER = "https://clerk.other.example"
ORIGIN = "https://app.example.com"
USER = "user_2NNEqL2nrIRdJ194ndJqAHwEfxC"
SESSION_ID = "sess_2NNEqL3jKyy1ZRlK3o1qtsNcTBm"
ORG_ID = "org_2NNEqL4mQHBvZ0lR8cJ6pWdYtSa"
KID = "ins_2NNEqKQZcT8pH1xFvR5uJmWbLyD"
ROTATED_KID = "ins_2PqRsTuVwXyZaBcDeFgHiJkLmNo"

ABSENT = object()

KEYS = {
    "instance": {"jwks": {"keys": [forge.jwk("instance", KID), forge.jwk("rotated", ROTATED_KID)]}},
}

POLICIES = {
    "default": {"issuer": ISSUER, "authorizedParties": [ORIGIN]},
    "any-party": {"issuer": ISSUER, "authorizedParties": "any party"},
    "azp-optional": {"issuer": ISSUER, "authorizedParties": [ORIGIN], "missingAzp": "allow"},
    "template": {"issuer": ISSUER, "authorizedParties": [ORIGIN], "templateAudience": "https://api.example.com"},
    "all-algorithms": {"issuer": ISSUER, "authorizedParties": [ORIGIN], "algorithms": ["RS256", "RS384", "RS512"]},
    "no-skew": {"issuer": ISSUER, "authorizedParties": [ORIGIN], "clockSkewSecs": 0},
    "pending": {"issuer": ISSUER, "authorizedParties": [ORIGIN], "acceptPending": True},
    "aliases": {
        "issuer": ISSUER,
        "issuerAliases": ["https://clerk.satellite.example", "https://app.example.com/__clerk"],
        "authorizedParties": [ORIGIN],
    },
}


def changed(members, changes):
    members.update(changes)
    return {name: value for name, value in members.items() if value is not ABSENT}


def header(**changes):
    return changed({"alg": "RS256", "cat": rule.SESSION, "kid": KID, "typ": "JWT"}, changes)


def claims(**changes):
    """The claims of a version 2 session token without an organization."""
    return changed(
        {
            "azp": ORIGIN,
            "exp": ISSUED + 60,
            "fva": [3, -1],
            "iat": ISSUED,
            "iss": ISSUER,
            "jti": "6c1f0a3be7d94c5a8b21",
            "nbf": ISSUED - 10,
            "sid": SESSION_ID,
            "sts": "active",
            "sub": USER,
            "v": 2,
        },
        changes,
    )


def claims_v1(**changes):
    return claims(v=ABSENT, sts=ABSENT, jti=ABSENT, fva=ABSENT, **changes)


def token(head=None, body=None, by="instance", algorithm="RS256"):
    return forge.signed(header() if head is None else head, claims() if body is None else body, by, algorithm)


def with_member(document, name, raw):
    """A document with one more member in front, its value written out as it is given."""
    rest = forge.compact(document)[1:]
    return "{" + f"{forge.compact(name)}:{raw}" + ("," if rest != "}" else "") + rest


class Family:
    """The cases of one file. Each states its verdict; one that `rule.py` does not share is not written."""

    def __init__(self, name, about):
        self.name, self.about, self.cases = name, about, []

    def token(self, name, why, text, expect="ok", keys="instance", policy="default", now=NOW, tags=(), checks=(), means=None, **stated):
        case = {"name": f"{self.name}/{name}", "why": why, "tags": list(tags), "token": text, "keys": keys, "policy": policy, "now": now}
        who = self.judged(case, expect, lambda: rule.verify(text, with_meaning(keys, means), policy_of(policy), milliseconds(now)))
        case["expect"] = verdict(expect)
        if who is not None:
            for member, value in stated.items():
                if who[member] != value:
                    raise AssertionError(f"{case['name']}: {member} is {who[member]} by the rule, stated {value}")
            case["expect"]["principal"] = who
        if checks:
            case["checks"] = [self.check(case["name"], who, ask, allowed) for ask, allowed in checks]
        self.cases.append(case)

    def request(self, name, why, request, outcome, code, keys="instance", policy="default", cookies="off", now=NOW, tags=()):
        case = {"name": f"{self.name}/{name}", "why": why, "tags": list(tags), "request": request, "cookies": cookies, "keys": keys, "policy": policy, "now": now}
        got, got_code, who = rule_requests.check(request, cookies, with_meaning(keys, None), policy_of(policy), milliseconds(now))
        if (got, got_code) != (outcome, code):
            raise AssertionError(f"{case['name']}: {got} {got_code} by the rule, stated {outcome} {code}")
        case["expect"] = {"outcome": outcome, **verdict(code)}
        if who is not None:
            case["expect"]["principal"] = who
        self.cases.append(case)

    def webhook(self, name, why, headers, body, secrets, code="ok", now=NOW, tags=()):
        case = {"name": f"{self.name}/{name}", "why": why, "tags": list(tags), "webhook": {"headers": headers, "body": body, "secrets": secrets}, "now": now}
        self.judged(case, code, lambda: rule_webhooks.verify(headers, body.encode(), secrets, milliseconds(now)))
        case["expect"] = verdict(code)
        self.cases.append(case)

    def setting(self, name, why, setting, accepted=True, tags=(), **shown):
        """A setting that is taken, with what it is understood as, or one that must stop the start."""
        self.cases.append({"name": f"{self.name}/{name}", "why": why, "tags": list(tags), "setting": setting, "expect": {"code": "ok" if accepted else "refused", **({"shown": shown} if shown else {})}})

    def check(self, name, who, ask, allowed):
        if rule.has(who, ask) != allowed:
            raise AssertionError(f"{name}: {ask} is {not allowed} by the rule")
        return {"ask": ask, "allowed": allowed}

    def judged(self, case, expect, judge):
        try:
            who, code = judge(), "ok"
        except rule.Refused as refusal:
            who, code = None, refusal.code
        if code != expect:
            raise AssertionError(f"{case['name']}: {code} by the rule, stated {expect}")
        return who

    def document(self):
        used_keys = sorted({case["keys"] for case in self.cases if isinstance(case.get("keys"), str)})
        used_policies = sorted({case["policy"] for case in self.cases if isinstance(case.get("policy"), str)})
        return {
            "family": self.name,
            "about": self.about,
            "keys": {name: KEYS[name] for name in used_keys},
            "policies": {name: POLICIES[name] for name in used_policies},
            "cases": self.cases,
        }


def policy_of(policy):
    return POLICIES[policy] if isinstance(policy, str) else policy


def milliseconds(now):
    return round(now * 1000)


def with_meaning(keys, means):
    """Pasted key text is not parsed by the rule: its case says what it means."""
    found = KEYS[keys] if isinstance(keys, str) else keys
    return means if found is not None and "pasted" in found else found


def verdict(code):
    return {"code": code, "reason": None if code == "ok" else rule.REASONS[code]}
