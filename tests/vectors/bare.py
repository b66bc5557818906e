#!/usr/bin/env python3
"""`bare.py FOLDER`: writes cases as somebody may write their own, with less in them than those here, and prints for each its name and
the code that every host must give it."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.dont_write_bytecode = True

import forge
from families.base import *

DEFAULT = POLICIES["default"]
BAD_POLICY = {**DEFAULT, "clockSkewSecs": 61}
GOOD = token()
PASTED = forge.pem("PUBLIC KEY", forge.spki_der("instance"))

# What is presented, the keys, the policy; None leaves a member out.
CASES = {
    "good": (GOOD, KEYS["instance"], DEFAULT),
    "good-pasted": (GOOD, {"pasted": PASTED}, DEFAULT),
    "no-keys": (GOOD, None, DEFAULT),
    "no-keys-refusable": ("null", None, DEFAULT),
    "no-keys-denied": (GOOD, None, {**DEFAULT, "denyKids": [KID]}),
    "empty-set": (GOOD, {"jwks": {"keys": []}}, DEFAULT),
    "empty-set-text": (GOOD, {"jwks": '{ "keys" : [ ] }'}, DEFAULT),
    "empty-set-refusable": ("a.b", {"jwks": {"keys": []}}, DEFAULT),
    "set-of-bad-entries": (GOOD, {"jwks": {"keys": [{"kty": "EC"}, 1]}}, DEFAULT),
    "set-of-one-name": (GOOD, {"jwks": {"keys": [forge.jwk("instance", KID)] * 2}}, DEFAULT),
    "no-set": (GOOD, {"jwks": "<!doctype html>"}, DEFAULT),
    "no-set-in-a-list": (GOOD, {"jwks": [{"keys": []}]}, DEFAULT),
    "pasted-nothing": (GOOD, {"pasted": ""}, DEFAULT),
    "pasted-empty-set": (GOOD, {"pasted": '{"keys":[]}'}, DEFAULT),
    "pasted-nothing-refusable": (token(body=claims(iss=OTHER_ISSUER)), {"pasted": "x"}, DEFAULT),
    "policy-refused": (GOOD, KEYS["instance"], BAD_POLICY),
    "policy-refused-no-keys": (GOOD, None, BAD_POLICY),
    "policy-refused-pasted": (GOOD, {"pasted": PASTED}, BAD_POLICY),
    "policy-refused-pasted-nothing": (GOOD, {"pasted": "x"}, BAD_POLICY),
    "policy-of-no-party": (GOOD, {"pasted": PASTED}, {**DEFAULT, "authorizedParties": []}),
}


def code(text, keys, policy, now):
    if policy is not DEFAULT and "denyKids" not in policy:
        return "refused"
    means = keys
    if keys is not None and "pasted" in keys:
        means = "instance" if keys["pasted"] == PASTED else None
    try:
        rule.verify(text, means if means is None or isinstance(means, str) else {"jwks": means["jwks"]}, policy, milliseconds(now))
    except rule.Refused as refusal:
        return refusal.code
    return "ok"


def cases():
    for name, (text, keys, policy) in CASES.items():
        given = {"policy": policy} if keys is None else {"policy": policy, "keys": keys}
        yield {"name": f"token/{name}", "token": text, "now": NOW, **given}, code(text, keys, policy, NOW)
        request = {"method": "GET", "url": "/", "headers": [["authorization", f"Bearer {text}"]]}
        yield {"name": f"request/{name}", "request": request, "now": NOW, **given}, code(text, keys, policy, NOW)
        yield {"name": f"timeless/{name}", "token": text, **given}, code(text, keys, policy, 0)


folder = pathlib.Path(sys.argv[1])
written = list(cases())
(folder / "bare.json").write_text(json.dumps({"cases": [case for case, _ in written]}))
for case, expected in written:
    print(case["name"], expected)
