"""Version 1 and version 2 claims to one principal: organization, packed permissions, features, plans, factor ages, custom claims."""

import forge
from families.base import *


def family():
    f = Family("principals", "Who a verified token stands for, whichever version of the claims says it.")
    version_1(f)
    version_2(f)
    versions(f)
    packed(f)
    masks(f)
    features(f)
    ages(f)
    custom(f)
    return f


def org(permissions=(), role="org:admin", slug="acme", disputed=False):
    return {"id": ORG_ID, "slug": slug, "role": role, "permissions": list(permissions), "permissions_disputed": disputed}


NOTHING = {"organization": [], "user": []}


def v1(**changes):
    return claims_v1(**{"org_id": ORG_ID, "org_slug": "acme", "org_role": "org:admin", "org_permissions": ["org:invoices:create", "org:invoices:read"], **changes})


def v2(org_changes=None, **changes):
    o = changed({"id": ORG_ID, "slg": "acme", "rol": "admin", "per": "create,delete,read", "fpm": "5,4"}, org_changes or {})
    return claims(**{"fea": "o:invoices,o:reports", "o": o, **changes})


def version_1(f):
    both = ["org:invoices:create", "org:invoices:read"]
    f.token("v1-organization", "an organization in version 1", token(body=v1()), organization=org(both))
    f.token("v1-no-organization", "no active organization", token(body=claims_v1()), organization=None)
    f.token("v1-no-slug", "an instance that uses no slugs", token(body=v1(org_slug=ABSENT)), organization=org(both, slug=None))
    f.token("v1-no-role", "a role may be missing", token(body=v1(org_role=ABSENT)), organization=org(both, role=None))
    f.token("v1-role-without-prefix", "older tokens leave the prefix out", token(body=v1(org_role="admin")), organization=org(both))
    f.token("v1-no-permissions", "permissions may be missing", token(body=v1(org_permissions=ABSENT)), organization=org([]))
    f.token("v1-empty-permissions", "none granted", token(body=v1(org_permissions=[])), organization=org([]))
    f.token("v1-no-id", "without an id there is no organization, whatever else is said", token(body=v1(org_id=ABSENT)), organization=None)
    for name, value in {"null": None, "number": 1, "empty": "", "list": [ORG_ID], "object": {"id": ORG_ID}}.items():
        f.token(f"v1-id-{name}", "an id that is none names no organization", token(body=v1(org_id=value)), organization=None)
        f.token(f"v1-role-{name}", "a role that is none gives none", token(body=v1(org_role=value)), organization=org(both, role=None))
        f.token(f"v1-slug-{name}", "a slug that is none is none", token(body=v1(org_slug=value)), organization=org(both, slug=None))
    f.token("v1-permissions-empty-text", "an empty text among them is none", token(body=v1(org_permissions=["", "org:invoices:create", ""])), organization=org(["org:invoices:create"]))
    for name, value in {"null": None, "string": "org:invoices:create", "object": {"0": "org:invoices:create"}, "number": 1}.items():
        f.token(f"v1-permissions-{name}", "what is no list grants nothing", token(body=v1(org_permissions=value)), organization=org([]))


def version_2(f):
    three = ["org:invoices:create", "org:invoices:read", "org:reports:read"]
    f.token("v2-organization", "an organization in version 2, its permissions packed", token(body=v2()), organization=org(three), features={"organization": ["invoices", "reports"], "user": []})
    f.token("v2-no-organization", "no active organization", token(body=claims(fea="u:theme")), organization=None, features={"organization": [], "user": ["theme"]})
    f.token("v2-no-slug", "a slug may be missing", token(body=v2({"slg": ABSENT})), organization=org(three, slug=None))
    f.token("v2-no-role", "a role may be missing", token(body=v2({"rol": ABSENT})), organization=org(three, role=None))
    f.token("v2-role-with-prefix", "a role that has its prefix is not given a second one", token(body=v2({"rol": "org:admin"})), organization=org(three))
    f.token("v2-id-alone", "without `per`, `fpm` and `fea` nothing is granted, and nothing breaks", token(body=claims(o={"id": ORG_ID})), organization=org([], role=None, slug=None))
    f.token("v2-no-id", "without an id there is no organization", token(body=v2({"id": ABSENT})), organization=None)
    for name, value in {"null": None, "string": ORG_ID, "list": [{"id": ORG_ID}], "empty": {}, "number": 1, "true": True}.items():
        f.token(f"v2-o-{name}", "what is no organization is none", token(body=claims(fea="o:invoices", o=value)), organization=None)
    for name, value in {"null": None, "number": 1, "empty": "", "list": [ORG_ID]}.items():
        f.token(f"v2-id-{name}", "an id that is none names no organization", token(body=v2({"id": value})), organization=None)
        f.token(f"v2-role-{name}", "a role that is none gives none", token(body=v2({"rol": value})), organization=org(three, role=None))
        f.token(f"v2-per-{name}", "permission names that are none grant nothing", token(body=v2({"per": value})), organization=org([]))
        f.token(f"v2-fpm-{name}", "masks that are none grant nothing", token(body=v2({"fpm": value})), organization=org([]))
        f.token(f"v2-fea-{name}", "features that are none grant nothing", token(body=v2(fea=value)), organization=org([]), features=NOTHING)


def versions(f):
    both = {**v2(), **{"org_id": "org_other", "org_slug": "other", "org_role": "org:owner", "org_permissions": ["org:all:all"]}}
    f.token("both-v2", "version 2 says so; claims of version 1 beside it are ignored", token(body=both), organization=org(["org:invoices:create", "org:invoices:read", "org:reports:read"]))
    f.token("v2-with-v1-claims-only", "version 2 without `o` has no organization, though version 1 claims name one", token(body={**v1(), "v": 2}), organization=None)
    other = {"id": "org_other", "slug": "other", "role": "org:owner", "permissions": ["org:all:all"], "permissions_disputed": False}
    for name, value in {"absent": ABSENT, "string": "2", "3": 3, "1": 1, "0": 0, "null": None, "true": True, "list": [2], "fraction": 2.5, "minus": -2, "22": 22}.items():
        f.token(f"v-{name}", "what is not the number 2 is version 1", token(body=changed(dict(both), {"v": value})), organization=other)


def granting(f, name, why, fea, per, fpm, permissions, disputed=False, **more):
    f.token(name, why, token(body=v2({"per": per, "fpm": fpm}, fea=fea)), organization=org(permissions, disputed=disputed), **more)


def packed(f):
    granting(f, "packed-worked-example", "5 is 101: invoices create and read; 4 is 100: reports read", "o:invoices,o:reports,u:theme", "create,delete,read", "5,4,0", ["org:invoices:create", "org:invoices:read", "org:reports:read"])
    granting(f, "packed-readings-differ", "Clerk's decoders number the masks in two ways: only what both grant", "u:theme,o:invoices,o:reports", "create,delete,read", "0,6,1", [], disputed=True)
    granting(f, "packed-readings-overlap", "only what both readings grant", "u:theme,o:invoices,o:reports", "create,delete,read", "7,3,6", ["org:invoices:create", "org:invoices:delete", "org:reports:delete"], disputed=True)
    granting(f, "packed-readings-agree-by-value", "the readings differ in number and not in outcome", "u:theme,o:invoices,o:reports", "create,delete,read", "1,1,1", ["org:invoices:create", "org:reports:create"])
    granting(f, "packed-user-feature-last", "a user's feature behind the organization's: the readings agree", "o:invoices,u:theme", "create,delete,read", "2,7", ["org:invoices:delete"])
    granting(f, "packed-user-feature-between", "a user's feature between two: the first is sure, the second is not", "o:invoices,u:theme,o:reports", "create,delete,read", "1,2,4", ["org:invoices:create"], disputed=True)
    granting(f, "packed-user-feature-first-one-mask", "one mask too few for one reading", "u:theme,o:invoices", "read", "1", [], disputed=True)
    granting(f, "packed-feature-twice", "a feature that is named twice has each of its two masks", "o:invoices,o:invoices", "create,delete,read", "1,6", ["org:invoices:create", "org:invoices:delete", "org:invoices:read"])
    granting(f, "packed-feature-twice-readings-differ", "the readings are compared for each element: a mask that is the feature's in both, but by two elements, grants nothing", "u:theme,o:invoices,o:invoices", "create,delete,read", "0,1,0", [], disputed=True)
    granting(f, "packed-feature-twice-readings-overlap", "what both readings of one element grant", "u:theme,o:invoices,o:invoices", "create,delete,read", "4,5,2", ["org:invoices:read"], disputed=True)
    granting(f, "packed-feature-of-user-and-organization-twice", "a feature that is named for the user too", "u:invoices,o:invoices", "create,delete,read", "7,1", ["org:invoices:create"], disputed=True)
    granting(f, "packed-name-twice", "a permission that is named twice is two bits", "u:theme,o:invoices", "read,read", "1,2", [], disputed=True)
    granting(f, "packed-name-twice-readings-agree", "a permission that is named twice is granted by either bit", "o:invoices", "read,read", "3", ["org:invoices:read", "org:invoices:read"])
    granting(f, "packed-both-scopes", "a feature of user and organization counts for the organization", "uo:invoices,ou:reports", "create,delete,read", "1,2", ["org:invoices:create", "org:reports:delete"], features={"organization": ["invoices", "reports"], "user": ["invoices", "reports"]})
    granting(f, "packed-only-user-features", "a user's features have no permissions", "u:theme,u:beta", "create", "1,1", [])
    granting(f, "packed-unknown-scope", "an unknown scope is skipped by one reading and counted by the other", "x:theme,o:invoices", "create,delete", "1,2", [], disputed=True)
    granting(f, "packed-live-sample", "the masks seen from a live instance", "o:a,o:b,o:c,o:d", "p0,p1,p2,p3", "12,12,9,14", ["org:a:p2", "org:a:p3", "org:b:p2", "org:b:p3", "org:c:p0", "org:c:p3", "org:d:p1", "org:d:p2", "org:d:p3"])
    granting(f, "packed-white-space", "white space around the parts of a list is not part of them", " o:invoices , o:reports ", " create , read ", " 1 , 2 ", ["org:invoices:create", "org:reports:read"])
    granting(f, "packed-slug-with-colon", "a slug begins after the first colon", "o:a:b", "read", "1", ["org:a:b:read"])
    granting(f, "packed-fewer-masks", "a feature without a mask has no permission", "o:invoices,o:reports", "read", "1", ["org:invoices:read"])
    granting(f, "packed-more-masks", "masks without a feature are ignored", "o:invoices", "read", "1,1,1", ["org:invoices:read"])
    granting(f, "packed-no-masks", "an empty list of masks grants nothing", "o:invoices", "read", "", [])
    granting(f, "packed-no-names", "an empty list of names grants nothing", "o:invoices", "", "7", [])
    granting(f, "packed-empty-name", "an empty name among names is none", "o:invoices", "create,,read", "7", ["org:invoices:create", "org:invoices:read"])
    granting(f, "packed-no-features", "an empty list of features grants nothing", "", "read", "1", [])


def masks(f):
    names = [f"p{i}" for i in range(65)]
    granting(f, "mask-65-bits", "2^64 + 2: bits 1 and 64", "o:f", ",".join(names), "18446744073709551618", ["org:f:p1", "org:f:p64"])
    for bits in (31, 32, 33, 53, 54, 63, 64, 128, 200):
        names = [f"p{i}" for i in range(bits + 1)]
        granting(f, f"mask-bit-{bits}", "masks are decimals of any width", "o:f", ",".join(names), str(1 << bits), [f"org:f:p{bits}"])
        granting(f, f"mask-below-bit-{bits}", "all bits below, and not the next", "o:f", ",".join(names), str((1 << bits) - 1), [f"org:f:p{i}" for i in range(bits)])
    granting(f, "mask-1000-bits", "a mask of 302 digits whose bits are beyond the names but for the lowest", "o:f", "read", str((1 << 1000) + 1), ["org:f:read"])
    granting(f, "mask-3000-digits", "a mask of 3000 digits", "o:f", "read", "1" * 3000, ["org:f:read"] if int("1" * 3000) & 1 else [])
    granting(f, "mask-bits-beyond-names", "bits past the last name are ignored", "o:f", "a,b", "255", ["org:f:a", "org:f:b"])
    granting(f, "mask-zero", "a mask of zero", "o:f", "a,b", "0", [])
    granting(f, "mask-leading-zeros", "leading zeros are digits", "o:f", "a,b", "0003", ["org:f:a", "org:f:b"])
    for name, mask in {"hex": "0x3", "minus": "-1", "plus": "+3", "fraction": "3.0", "exponent": "3e0", "letters": "abc", "empty": "", "inner-space": "1 1", "arabic-digit": "٣", "full-width-digit": "３", "underscore": "1_1", "binary": "11b", "nan": "NaN", "infinity": "Infinity"}.items():
        granting(f, f"mask-{name}", "a mask that is not all digits grants nothing; the next feature's mask stands", "o:f,o:g", "a,b", f"{mask},1", ["org:g:a"])


def features(f):
    f.token("features-of-scopes", "whose a feature is, its scope says", token(body=claims(fea="o:a,u:b,uo:c,ou:d", pla="u:pro")), features={"organization": ["a", "c", "d"], "user": ["b", "c", "d"]}, plans={"organization": [], "user": ["pro"]})
    for name, value in {"trailing-comma": "o:a,", "leading-comma": ",o:a", "no-colon": "b,o:a", "no-slug": "o:,o:a", "unknown-scope": "x:b,o:a", "other-case": "O:b,o:a", "double-scope": "oo:b,o:a", "no-scope": ":b,o:a"}.items():
        f.token(f"features-{name}", "an element of another form is nothing, and spoils nothing", token(body=claims(fea=value, pla=value)), features={"organization": ["a"], "user": []}, plans={"organization": ["a"], "user": []})
    for name, value in {"null": None, "number": 1, "list": ["o:a"], "object": {"o": "a"}, "empty": "", "true": True}.items():
        f.token(f"features-{name}", "what is no list of features is none", token(body=claims(fea=value, pla=value)), features=NOTHING, plans=NOTHING)


def ages(f):
    for name, value in {"both": [3, 7], "no-second": [3, -1], "no-first": [-1, 7], "neither": [-1, -1], "zero": [0, 0], "large": [100000, 525600]}.items():
        f.token(f"ages-{name}", "minutes since each factor was verified; -1 for never", token(body=claims(fva=value)), factor_ages=value)
    for name, raw in {"null": "null", "empty": "[]", "one": "[1]", "three": "[1,2,3]", "strings": '["1","2"]', "null-inside": "[1,null]", "minus-two": "[1,-2]", "minus-far": "[-1,-100]", "string": '"1,2"', "object": '{"0":1,"1":2}', "number": "1", "nested": "[[1,2]]", "booleans": "[true,false]", "beyond": "[1,1e30]", "minus-half": "[-0.5,-0.5]", "minus-half-first": "[-0.5,0]", "minus-nearly-one": "[-0.999999999999999999999,0]", "minus-more-than-one": "[0,-1.9]", "minus-hardly-more-than-one": "[0,-1.000000000000000000001]", "minus-tenth": "[-1e-1,0]", "minus-hardly-anything": "[-1e-400,0]", "minus-ten": "[0,-1e1]", "minus-far-beyond": "[0,-1e30]", "1e15": "[0,1e15]", "1e15-in-digits": "[0,1000000000000000]", "1e20": "[100000000000000000000,0]", "beyond-any-exponent": "[1e99999999999999999999,0]"}.items():
        f.token(f"ages-{name}", "what is not two numbers, each -1 or not negative and below 1e15, says nothing", token(body=with_member(claims(fva=ABSENT), "fva", raw)), factor_ages=None)
    for name, (raw, value) in {"minus-one-point-zero": ("[-1.0,-1.000]", [-1, -1]), "minus-one-by-exponent": ("[-1e0,-1E+0]", [-1, -1]), "minus-one-shifted": ("[-0.1e1,-10e-1]", [-1, -1]), "minus-one-of-many-zeros": ("[0,-100000000000000000000000e-23]", [0, -1]), "minus-zero": ("[-0,-0.0]", [0, 0]), "minus-zero-by-exponent": ("[-0e5,-0.00e-99999999999999999999]", [0, 0])}.items():
        f.token(f"ages-{name}", "-1 is the number, however it is written, and -0 is 0", token(body=with_member(claims(fva=ABSENT), "fva", raw)), factor_ages=value)
    for name, (raw, value) in {"half": ("[0.5,0.999999]", [0, 0]), "fraction": ("[9.99,10.01]", [9, 10]), "by-exponent": ("[1e1,1.5E+2]", [10, 150]), "hardly-anything": ("[1e-400,1]", [0, 1]), "largest": ("[999999999999999.9,0]", [999_999_999_999_999, 0])}.items():
        f.token(f"ages-{name}", "a fraction of a minute is not counted", token(body=with_member(claims(fva=ABSENT), "fva", raw)), factor_ages=value)


def custom(f):
    members = {"email": "somebody@example.com", "metadata": {"plan": "gold", "tags": ["a", 1, True, None, 1.5]}, "empty": {}, "text": "é😀\u0000\n\"\\", "large": "x" * 2000}
    f.token("custom-claims", "custom claims are kept", token(body=claims(**members)))
    f.cases[-1]["expect"]["principal"]["claims"] = claims(**members)
    f.token("custom-names", "custom claims may be named anything", token(body=claims(**{"": 1, "__proto__": {"a": 1}, "constructor": 2, "a b": 3, "o_": 4})))
    f.cases[-1]["expect"]["principal"]["claims"] = claims(**{"": 1, "__proto__": {"a": 1}, "constructor": 2, "a b": 3, "o_": 4})
    f.token("custom-organization-look-alikes", "custom claims that look like another version's are nothing but custom", token(body=claims(organization={"id": "org_other"}, orgId="org_other", role="admin", permissions=["org:all:all"], userId="user_other", sessionId="sess_other")), organization=None)
    f.token("v1-o-is-custom", "`o` in version 1 is no organization", token(body=claims_v1(o={"id": "org_other", "rol": "owner"})), organization=None)
