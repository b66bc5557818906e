"""`has()`: role, permission, feature, plan, reverification, alone and together."""

import itertools

import forge
from families.base import *


def family():
    f = Family("has", "What a principal may do: every dimension that is asked for must hold, and nothing asked for is no.")
    roles_and_permissions(f)
    features_and_plans(f)
    reverification(f)
    together(f)
    return f


def body(**changes):
    return claims(**{"fea": "o:invoices,u:theme,uo:chat", "pla": "u:pro,o:team", "fva": [5, 5], "o": {"id": ORG_ID, "slg": "acme", "rol": "admin", "per": "create,read", "fpm": "3,0,1"}, **changes})


def roles_and_permissions(f):
    f.token("organization", "roles and permissions need an active organization, and compare with one prefix on both sides", token(body=body()), checks=[
        ({"role": "admin"}, True), ({"role": "org:admin"}, True), ({"role": "org:org:admin"}, False), ({"role": "Admin"}, False), ({"role": "member"}, False), ({"role": ""}, False), ({"role": "org:"}, False), ({"role": "admin "}, False), ({"role": "adm"}, False), ({"role": "user:admin"}, False),
        ({"permission": "org:invoices:create"}, True), ({"permission": "invoices:create"}, True), ({"permission": "org:invoices:read"}, True), ({"permission": "org:chat:create"}, False), ({"permission": "org:theme:create"}, False), ({"permission": "invoices"}, False), ({"permission": "create"}, False), ({"permission": ""}, False), ({"permission": "org:"}, False), ({"permission": "org:invoices:*"}, False), ({"permission": "org:invoices:delete"}, False),
        ({}, False),
    ])
    f.token("no-organization", "without an organization nobody has a role in it", token(body=claims(fea="u:theme", fva=[5, 5])), checks=[({"role": "admin"}, False), ({"role": ""}, False), ({"permission": "org:invoices:create"}, False), ({"permission": ""}, False), ({}, False)])
    f.token("no-role", "an organization without a role", token(body=body(o={"id": ORG_ID})), checks=[({"role": "admin"}, False), ({"role": ""}, False), ({"role": "org:"}, False), ({"permission": "org:invoices:create"}, False)])
    v1 = claims_v1(org_id=ORG_ID, org_role="admin", org_permissions=["org:invoices:create", "invoices:read"])
    f.token("version-1", "version 1 without prefixes", token(body=v1), checks=[({"role": "org:admin"}, True), ({"role": "admin"}, True), ({"permission": "org:invoices:create"}, True), ({"permission": "invoices:create"}, True), ({"permission": "org:invoices:read"}, True), ({"permission": "invoices:read"}, True), ({"permission": "org:invoices:delete"}, False)])


    nameless = [({dimension: wanted}, False) for dimension in ("role", "permission") for wanted in ("", "org:")]
    f.token("nameless-v1", "a role or a permission without a name is nobody's, though the token has one", token(body=claims_v1(org_id=ORG_ID, org_role="org:", org_permissions=["org:", "", "org:a"])), checks=nameless + [({"permission": "a"}, True)])
    f.token("nameless-v2", "a role without a name is nobody's, though the token has one", token(body=body(o={"id": ORG_ID, "rol": "org:"})), checks=nameless)
    f.token("prefix-twice", "one prefix is left out, and one alone", token(body=body(o={"id": ORG_ID, "rol": "org:org:"})), checks=[({"role": "org:org:"}, True), ({"role": "org:"}, False), ({"role": ""}, False)])


def features_and_plans(f):
    f.token("features", "a feature or a plan, of either, or of whom the scope says", token(body=body()), checks=[
        ({"feature": "invoices"}, True), ({"feature": "org:invoices"}, True), ({"feature": "o:invoices"}, True), ({"feature": "organization:invoices"}, True), ({"feature": "user:invoices"}, False), ({"feature": "u:invoices"}, False),
        ({"feature": "theme"}, True), ({"feature": "user:theme"}, True), ({"feature": "u:theme"}, True), ({"feature": "org:theme"}, False), ({"feature": "chat"}, True), ({"feature": "o:chat"}, True), ({"feature": "u:chat"}, True),
        ({"feature": "Invoices"}, False), ({"feature": "inv"}, False), ({"feature": ""}, False), ({"feature": "org:"}, False), ({"feature": "x:invoices"}, False), ({"feature": "missing"}, False), ({"feature": "invoices,chat"}, False),
        ({"plan": "pro"}, True), ({"plan": "user:pro"}, True), ({"plan": "org:pro"}, False), ({"plan": "org:team"}, True), ({"plan": "team"}, True), ({"plan": "u:team"}, False), ({"plan": "free"}, False), ({"plan": ""}, False), ({"plan": "invoices"}, False), ({"feature": "pro"}, False),
    ])
    f.token("no-features", "no features, no plans", token(), checks=[({"feature": "invoices"}, False), ({"feature": ""}, False), ({"plan": "pro"}, False), ({"plan": ""}, False)])


LEVELS = ("first_factor", "second_factor", "multi_factor")


def reverification(f):
    def fresh(age, limit):
        return 0 <= age < limit

    for first, second in itertools.product((-1, 0, 5, 9, 10, 11, 59, 60, 1439, 1440), repeat=2):
        if not {first, second} & {-1, 9, 10}:
            continue
        checks = []
        for name, (level, limit) in {"strict": ("second_factor", 10), "strict_mfa": ("multi_factor", 10), "moderate": ("second_factor", 60), "lax": ("second_factor", 1440)}.items():
            if level == "second_factor":
                met = fresh(first, limit) if second == -1 else fresh(second, limit)
            else:
                met = fresh(first, limit) and (second == -1 or fresh(second, limit))
            checks.append(({"reverification": name}, met))
        checks.append(({"reverification": {"level": "first_factor", "afterMinutes": 10}}, fresh(second if first == -1 else first, 10)))
        f.token(f"ages-{first}-{second}", "an age below the limit is fresh; a missing factor falls back as Clerk's presets do", token(body=claims(fva=[first, second])), checks=checks)
    for name, fva in {"absent": ABSENT, "null": None, "strings": ["1", "1"], "one": [1], "minus-two": [-2, 1]}.items():
        checks = [({"reverification": preset}, False) for preset in ("strict", "strict_mfa", "moderate", "lax")]
        checks += [({"reverification": {"level": level, "afterMinutes": 100000}}, False) for level in LEVELS]
        f.token(f"ages-{name}", "without two ages nothing was confirmed", token(body=claims(fva=fva)), checks=checks)
    for name, fva in {"minus-half": [-0.5, -0.5], "minus-almost-two": [0, -1.9], "minus-tenth": [-0.1, 0], "1e15": [0, 1e15]}.items():
        checks = [({"reverification": preset}, False) for preset in ("strict", "strict_mfa", "moderate", "lax")]
        checks += [({"reverification": {"level": level, "afterMinutes": 100000}}, False) for level in LEVELS]
        f.token(f"ages-{name}", "a number that is no age confirms nothing, and the one beside it neither", token(body=claims(fva=fva)), checks=checks)
    halves = [({"reverification": {"level": level, "afterMinutes": limit}}, limit > 9) for level in LEVELS for limit in (9, 10)]
    f.token("ages-fraction", "an age of nine minutes and some seconds is below ten, and not below nine", token(body=claims(fva=[9.9, 9.1])), checks=halves)
    zero = [({"reverification": {"level": level, "afterMinutes": 0}}, False) for level in LEVELS] + [({"reverification": {"level": level, "afterMinutes": 1}}, True) for level in LEVELS]
    f.token("ages-limit-zero", "no age is below zero", token(body=claims(fva=[0, 0])), checks=zero)


def together(f):
    """Each pair and triple of dimensions in all truth values, and all five: a combination holds when every part does."""
    met = {"role": "admin", "permission": "invoices:create", "feature": "invoices", "plan": "pro", "reverification": "strict"}
    unmet = {"role": "member", "permission": "invoices:delete", "feature": "missing", "plan": "free", "reverification": {"level": "second_factor", "afterMinutes": 5}}
    for size in (2, 3, 5):
        for dimensions in itertools.combinations(met, size):
            checks = []
            for truths in itertools.product((True, False), repeat=size):
                ask = {name: (met if truth else unmet)[name] for name, truth in zip(dimensions, truths)}
                checks.append((ask, all(truths)))
            f.token(f"together-{'-'.join(dimensions)}", "what is asked for together must hold together", token(body=body()), checks=checks, tags=["attack:50"])
