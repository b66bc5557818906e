"""The published key set: which entries are keys, and which key a token gets."""

import forge
from families.base import *

ENTRY = "a bad entry is refused, the set is not"


def family():
    f = Family("keys", "The JWKS as published: entries that are keys and entries that are not, look-up by `kid`, the key's algorithm.")
    lookup(f)
    algorithms(f)
    sizes(f)
    entries(f)
    documents(f)
    return f


def jwks(*entries, **more):
    return {"jwks": {"keys": list(entries), **more}}


def good_beside(entry):
    """The entry under test, and after it a good key that must survive it."""
    return jwks(entry, forge.jwk("rotated", ROTATED_KID))


def lookup(f):
    f.token("second-key", "the set's second key", token(head=header(kid=ROTATED_KID), by="rotated"))
    f.token("swapped", "the first key's name over the second key's signature", token(by="rotated"), "wrong-signature")
    f.token("swapped-back", "the second key's name over the first key's signature", token(head=header(kid=ROTATED_KID)), "wrong-signature")
    f.token("withdrawn", "a key that is no longer published", token(head=header(kid=ROTATED_KID), by="rotated"), "unknown-kid", keys=jwks(forge.jwk("instance", KID)))
    f.token("unknown", "a key that never was", token(head=header(kid="ins_unknown"), by="other"), "unknown-kid", tags=["attack:11"])
    f.token("empty-set", "no key at all verifies nothing", token(), "unknown-kid", keys=jwks(), tags=["attack:10", "attack:34", "attack:35"])
    f.token("single-key-no-kid", "a set of one key does not make `kid` superfluous", token(head=header(kid=ABSENT)), "missing-kid", keys=jwks(forge.jwk("instance", KID)), tags=["peer:no-kid"])
    f.token("unavailable", "the set could not be had: nobody can tell", token(), "keys-unavailable", keys=None, tags=["attack:34"])
    f.token("unavailable-bad-token", "what can be refused without keys is refused", token(head=header(alg="none")), "unsupported-algorithm", keys=None)
    f.token("unavailable-wrong-issuer", "another instance's token needs no keys of ours to be refused", token(body=claims(iss=OTHER_ISSUER)), "wrong-iss", keys=None)
    f.token("unavailable-expired", "the claims of a token are not looked at before its signature", token(), "keys-unavailable", keys=None, now=NOW + 9999, tags=["attack:19"])
    denying = {**POLICIES["default"], "denyKids": [KID]}
    f.token("denied", "a key that the operator denied, though it is published", token(), "denied-kid", policy=denying)
    f.token("denied-forged", "denied before the signature is looked at", token(by="other"), "denied-kid", policy=denying)
    f.token("denied-and-withdrawn", "denied is said of a key that is not published either", token(), "denied-kid", keys=jwks(), policy=denying)
    f.token("denied-and-unavailable", "denied is said without keys, too", token(), "denied-kid", keys=None, policy=denying, tags=["attack:34"])
    f.token("denied-and-no-document", "denied is said without keys, too", token(), "denied-kid", keys={"jwks": "<!doctype html>"}, policy=denying)
    f.token("denied-other-and-unavailable", "denying one key says nothing of another", token(head=header(kid=ROTATED_KID), by="rotated"), "keys-unavailable", keys=None, policy=denying)
    f.token("denied-wrong-issuer", "another instance's key of that name is not the one that was denied", token(body=claims(iss=OTHER_ISSUER)), "wrong-iss", policy=denying, tags=["attack:40"])
    f.token("denied-other-algorithm", "denied before anything is said of the key", token(head=header(alg="RS512"), algorithm="RS512"), "denied-kid", policy={**denying, "algorithms": ["RS256", "RS512"]})
    f.token("denied-other", "denying one key leaves the others", token(head=header(kid=ROTATED_KID), by="rotated"), policy=denying)
    f.token("kid-longest", "a name of 128 bytes", token(head=header(kid="k" * 128)), keys=jwks(forge.jwk("instance", "k" * 128)))
    f.token("kid-not-ascii", "a name in UTF-8", token(head=header(kid="clé")), keys=jwks(forge.jwk("instance", "clé")))
    f.token("kid-proto", "a name that means something to JavaScript", token(head=header(kid="__proto__")), keys=jwks(forge.jwk("instance", "__proto__")))


def algorithms(f):
    for published in ("RS256", "RS384", "RS512"):
        keys = jwks(forge.jwk("instance", KID, alg=published))
        for said in ("RS256", "RS384", "RS512"):
            text = token(head=header(alg=said), algorithm=said)
            expect = "ok" if said == published else "key-algorithm-mismatch"
            f.token(f"{said.lower()}-under-{published.lower()}-key", "a key does one thing: the token's algorithm is the key's", text, expect, keys=keys, policy="all-algorithms", tags=["attack:38", "attack:9"])
            if said != published:
                text = token(head=header(alg=said), algorithm=published)
                f.token(f"{said.lower()}-says-signed-{published.lower()}", "the header's word against the key's, and the key's own signature", text, "key-algorithm-mismatch", keys=keys, policy="all-algorithms", tags=["attack:38"])
                text = token(head=header(alg=published), algorithm=said)
                f.token(f"{published.lower()}-throughout-but-hash-of-{said.lower()}", "the right words over another hash", text, "wrong-signature", keys=keys, policy="all-algorithms")
    for published in ("RS384", "RS512"):
        f.token(f"rs256-under-{published.lower()}-key-default-policy", "a key of an algorithm that the policy does not take", token(), "key-algorithm-mismatch", keys=jwks(forge.jwk("instance", KID, alg=published)))
    only = {**POLICIES["default"], "algorithms": ["RS512"]}
    f.token("only-rs512-takes-rs512", "a policy names its algorithms whole", token(head=header(alg="RS512"), algorithm="RS512"), keys=jwks(forge.jwk("instance", KID, alg="RS512")), policy=only)
    f.token("only-rs512-refuses-rs256", "naming RS512 alone leaves RS256 out", token(), "unsupported-algorithm", policy=only)


def sizes(f):
    for name in ("instance", "odd-size", "rsa-3072", "rsa-4096", "rsa-8192"):
        bits = forge.key(name).n.bit_length()
        for algorithm in ("RS256", "RS384", "RS512"):
            if bits == 8192 and algorithm != "RS512":
                continue
            keys = jwks(forge.jwk(name, KID, alg=algorithm))
            text = token(head=header(alg=algorithm), by=name, algorithm=algorithm)
            f.token(f"{bits}-bits-{algorithm.lower()}", "2048 to 8192 bits, also those that do not fill their last byte", text, keys=keys, policy="all-algorithms")
            changed_text = text[:-8] + ("A" if text[-8] != "A" else "B") + text[-7:]
            f.token(f"{bits}-bits-{algorithm.lower()}-changed", "the same with one character of its signature changed", changed_text, "wrong-signature", keys=keys, policy="all-algorithms")
    for name in ("rsa-1024", "rsa-2047", "rsa-8193"):
        keys = good_beside(forge.jwk(name, KID))
        f.token(f"{name}", "a modulus outside 2048 to 8192 bits is no key, however good the signature", token(by=name), "unknown-kid", keys=keys, tags=["attack:9"])
    f.token("exponent-3", "another public exponent refuses the key, however good the signature", token(by="exponent-3"), "unknown-kid", keys=good_beside(forge.jwk("exponent-3", KID)), tags=["attack:9"])
    even = (forge.key("instance").n & ~1).to_bytes(256, "big")
    f.token("even-modulus", "an even modulus is no RSA modulus", token(), "unknown-kid", keys=good_beside(forge.jwk("instance", KID, n=forge.b64url(even))))


def entries(f):
    good = forge.jwk("instance", KID)
    n = forge.key("instance").n.to_bytes(256, "big")
    private = forge.key("instance")
    secret = forge.b64url(forge.as_bytes("secret" * 8))

    def refused(name, why, tags=(), **members):
        entry = changed(dict(good), members)
        f.token(f"entry-{name}", why, token(), "unknown-kid", keys=good_beside(entry), tags=tags)
        f.token(f"entry-{name}-spares-the-rest", ENTRY, token(head=header(kid=ROTATED_KID), by="rotated"), keys=good_beside(entry))

    def taken(name, why, **members):
        f.token(f"entry-{name}", why, token(), keys=good_beside(changed(dict(good), members)))

    for value in (ABSENT, "EC", "OKP", "oct", "rsa", "Rsa", "", None, 1, ["RSA"]):
        refused(f"kty-{label(value)}", "`kty` is RSA", ["attack:9", "attack:38"], kty=value)
    for value in (ABSENT, "RS257", "rs256", "HS256", "none", "ES256", "PS256", "RSA-OAEP", "", None, 256, ["RS256"]):
        refused(f"alg-{label(value)}", "without one of the three algorithms nothing says what the key does", ["attack:38"], alg=value)
    for value in ("enc", "SIG", "", None, ["sig"], "sign", True):
        refused(f"use-{label(value)}", "`use` is sig, or absent", ["attack:38"], use=value)
    taken("use-absent", "`use` is sig, or absent", use=ABSENT)
    for value in (["sign"], [], ["encrypt"], "verify", None, {}, ["VERIFY"], [None], [["verify"]]):
        refused(f"key-ops-{label(value)}", "`key_ops` holds verify, or is absent", ["attack:38"], key_ops=value)
    taken("key-ops-holds-verify", "`key_ops` holds verify", key_ops=["verify"])
    taken("key-ops-holds-more", "`key_ops` holds verify among others", key_ops=["sign", "verify"])
    for value in (ABSENT, "Aw", "AAEAAQ", "AQAB=", "AQAA", "EAAB", "", None, 65537, "65537", "AQAAAAE", forge.b64url(n)):
        refused(f"e-{label(value)}", "`e` is AQAB, the canonical 65537", e=value)
    bad_moduli = {
        "absent": ABSENT,
        "empty": "",
        "null": None,
        "number": 65537,
        "list": [good["n"]],
        "padded": good["n"] + "==",
        "leading-zero": forge.b64url(b"\0" + n),
        "standard-alphabet": forge.b64(n).rstrip("="),
        "white-space": good["n"][:40] + "\n" + good["n"][40:],
        "stray-bit": good["n"][:-1] + chr(ord(good["n"][-1]) + 1),
        "decimal": str(private.n),
        "one": "AQ",
        "cut": good["n"][:-4],
    }
    for name, value in bad_moduli.items():
        refused(f"n-{name}", "`n` is canonical base64url of 2048 to 8192 bits without a leading zero byte", n=value)
    f.token("entry-n-hex", "hexadecimal digits are base64url too: a key of 3072 bits, and not the one that signed", token(), "wrong-signature", keys=good_beside({**good, "n": n.hex()}))
    for value in (ABSENT, "", None, 1, [KID], "k" * 129):
        refused(f"kid-{label(value)}", "an entry without a name can't be asked for", kid=value)
    for member, value in {"d": forge.b64url(private.d.to_bytes(256, "big")), "p": forge.b64url(private.p.to_bytes(128, "big")), "q": "AQ", "dp": "AQ", "dq": "AQ", "qi": "AQ", "oth": [], "k": secret}.items():
        refused(f"private-{member}", "a private member has no place in a published key: it was leaked, or it is a trap", ["attack:11"], **{member: value})
    refused("private-d-null", "the member alone refuses it, whatever its value", ["attack:11"], d=None)
    taken("certificate-members-ignored", "x5c, x5t and unknown members are ignored", x5c=["!"], x5t="x", **{"x5t#S256": 1}, ext=True, note={"a": 1})

    f.token("entry-symmetric", "an HMAC secret among the keys is no key", forge.authenticated(header(alg="HS256"), claims(), b"secret" * 8, "HS256"), "unsupported-algorithm", keys=good_beside({"kty": "oct", "kid": KID, "alg": "HS256", "k": secret}), tags=["attack:11", "attack:1"])
    f.token("entry-symmetric-says-rs256", "an HMAC secret under the name of an RSA key is no key", forge.authenticated(header(), claims(), b"secret" * 8, "HS256"), "unknown-kid", keys=good_beside({"kty": "oct", "kid": KID, "alg": "RS256", "k": secret}), tags=["attack:11", "attack:1"])
    ec = {"kty": "EC", "crv": "P-256", "kid": KID, "alg": "ES256", "use": "sig", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
    f.token("entry-elliptic", "a key of another kind under the token's `kid`", token(), "unknown-kid", keys=good_beside(ec), tags=["attack:9"])
    f.token("entry-elliptic-says-rs256", "a key of another kind that says RS256", token(), "unknown-kid", keys=good_beside({**ec, "alg": "RS256"}), tags=["attack:9"])
    f.token("entry-twice", "two keys of one name: neither", token(), "unknown-kid", keys=jwks(good, forge.jwk("other", KID)))
    f.token("entry-twice-other-first", "two keys of one name: neither", token(), "unknown-kid", keys=jwks(forge.jwk("other", KID), good))
    f.token("entry-twice-the-same", "one key twice: neither, since one name stands for one entry", token(), "unknown-kid", keys=jwks(good, good))
    f.token("entry-thrice", "three keys of one name: none", token(), "unknown-kid", keys=jwks(good, forge.jwk("other", KID), good))
    f.token("entry-twice-spares-the-rest", ENTRY, token(head=header(kid=ROTATED_KID), by="rotated"), keys=jwks(good, forge.jwk("other", KID), forge.jwk("rotated", ROTATED_KID)))
    for name, (twin, spoils) in {
        "elliptic": (ec, False),
        "symmetric": ({"kty": "oct", "kid": KID, "alg": "HS256"}, False),
        "for-encryption": (forge.jwk("other", KID, use="enc"), False),
        "without-algorithm": (changed(forge.jwk("other", KID), {"alg": ABSENT}), False),
        "too-small": (forge.jwk("rsa-1024", KID), False),
        "too-large": (forge.jwk("rsa-8193", KID), False),
        "of-another-exponent": (forge.jwk("exponent-3", KID), False),
        "for-rs512": (forge.jwk("instance", KID, alg="RS512"), True),
        "its-private-half": ({**good, "d": forge.b64url(private.d.to_bytes(256, "big"))}, True),
        "anothers-private-half": ({**forge.jwk("other", KID), "d": "AQ"}, True),
        "a-secret": ({"kty": "oct", "kid": KID, "alg": "HS256", "k": secret}, True),
    }.items():
        why = "two keys of one name, or a private one beside it: neither" if spoils else "an entry that is no key leaves its name to one that is"
        for order, keys in {"after": jwks(good, twin), "before": jwks(twin, good)}.items():
            f.token(f"same-kid-{name}-{order}", why, token(), "unknown-kid" if spoils else "ok", keys=keys, tags=["attack:9", "attack:11"])
    f.token("same-kid-private-spares-the-rest", ENTRY, token(head=header(kid=ROTATED_KID), by="rotated"), keys=good_beside({**good, "d": "AQ"}))
    two_names = jwks(good, forge.jwk("instance", "second-name"))
    f.token("one-key-two-names", "one key under two names is two keys", token(head=header(kid="second-name")), keys=two_names)

    for name, item in {"null": None, "number": 1, "text": "key", "list": [], "empty": {}}.items():
        f.token(f"entry-is-{name}", ENTRY, token(), keys=jwks(item, good))

    def text(entry):
        return {"jwks": forge.compact({"keys": ["@", forge.jwk("rotated", ROTATED_KID)]}).replace('"@"', entry)}

    doubled = forge.compact(good)
    for name, entry in {
        "n": doubled[:-1] + f',"n":"{forge.jwk("other", KID)["n"]}"' + "}",
        "same-value": doubled[:-1] + ',"use":"sig"}',
        "unknown": doubled[:-1] + ',"x":1,"x":2}',
        "escaped": doubled[:-1] + r',"\u006eX":1,"nX":2}',
        "nested": doubled[:-1] + ',"x":{"a":1,"a":2}}',
    }.items():
        f.token(f"entry-duplicate-{name}", "a member twice in an entry refuses the entry", token(), "unknown-kid", keys=text(entry))
        f.token(f"entry-duplicate-{name}-spares-the-rest", ENTRY, token(head=header(kid=ROTATED_KID), by="rotated"), keys=text(entry))

    def nested(depth):
        return "[" * depth + "]" * depth

    def entry_is(name, why, text_of_entry, taken=False, tags=()):
        f.token(f"entry-{name}", why, token(), "ok" if taken else "unknown-kid", keys=text(text_of_entry), tags=tags)
        f.token(f"entry-{name}-spares-the-rest", ENTRY, token(head=header(kid=ROTATED_KID), by="rotated"), keys=text(text_of_entry), tags=tags)

    extended = doubled[:-1] + ","
    many = ",".join(f'"m{i}":0' for i in range(1024 - len(good)))
    entry_is("16-deep", "an entry is nested 16 deep at most, itself being 1", extended + f'"x":{nested(15)}}}', taken=True)
    entry_is("17-deep", "an entry that is nested deeper than 16 refuses itself", extended + f'"x":{nested(16)}}}', tags=["attack:39"])
    entry_is("300-deep", "an entry that is nested deeper than 16 refuses itself", extended + f'"x":{nested(300)}}}', tags=["attack:39"])
    entry_is("deep-and-not-an-object", "an entry that is no object refuses itself, however deep it is", nested(40))
    entry_is("1024-members", "an entry has 1024 members at most", extended + many + "}", taken=True)
    entry_is("1025-members", "an entry of more than 1024 members refuses itself", extended + many + ',"x":0}')
    entry_is("1025-members-inside", "those of what lies in it are counted", extended + '"x":{' + many + ',"y":0}}')
    entry_is("5000-members", "an entry of more than 1024 members refuses itself", extended + ",".join(f'"m{i}":0' for i in range(5000)) + "}")
    entry_is("half-a-pair", "half of a surrogate pair stands for no character: the entry refuses itself", extended + r'"x":"\ud800"}')
    entry_is("half-a-pair-in-a-name", "half of a surrogate pair stands for no character: the entry refuses itself", extended + r'"\udc00":1}')
    entry_is("half-a-pair-nested", "half of a surrogate pair stands for no character: the entry refuses itself", extended + r'"x":[["\ud83d","\ud83d\ud83d"]]}')
    entry_is("half-a-pair-before-a-quote", "what follows half of a pair is not part of it", extended + r'"x":"\ud800\"","y":"\ud800","z":"\udfff\\"}')
    entry_is("whole-pair", "a surrogate pair is a character", extended + r'"x":"\ud83d\ude00"}', taken=True)

    for name, value in {"deep": nested(17), "300-deep": nested(300), "half-a-pair": r'"\ud800"', "many-members": "{" + ",".join(f'"m{i}":0' for i in range(2000)) + "}", "duplicate": '{"a":1,"a":2}'}.items():
        f.token(f"document-member-{name}", "what a document has beside its keys is not looked into", token(), keys={"jwks": forge.compact({"keys": [good]})[:-1] + f',"x":{value}}}'})
    many = ",".join(f'"m{i}":0' for i in range(1023))
    f.token("document-1024-members", "a document has 1024 members of its own at most", token(), keys={"jwks": "{" + many + "," + forge.compact({"keys": [good]})[1:]})
    f.token("document-1025-members", "a document of more than 1024 members is refused as a whole", token(), "keys-unavailable", keys={"jwks": "{" + many + ',"x":0,' + forge.compact({"keys": [good]})[1:]})
    f.token("document-half-a-pair-in-a-name", "half of a surrogate pair in the name of a document's own member makes it none", token(), "keys-unavailable", keys={"jwks": r'{"\ud800":1,' + forge.compact({"keys": [good]})[1:]})
    for name, value in {"bad-number": "01", "bad-escape": r'"\x"', "short-escape": r'"\ud80"', "control-character": '"\x01"', "trailing-comma": "[1,]", "no-colon": '{"a" 1}', "no-comma": '{"a":1 "b":2}', "number-as-name": "{1:2}", "brackets-crossed": "[{]}", "brackets-crossed-deep": "[" * 20 + "{]}" + "]" * 20, "not-closed": "[", "word": "none", "deep-and-bad": "[" * 20 + "01" + "]" * 20}.items():
        f.token(f"entry-no-json-{name}", "a document with an entry that is no JSON is no JSON: where the entry ends, nobody can tell", token(head=header(kid=ROTATED_KID), by="rotated"), "keys-unavailable", keys=text(extended + f'"x":{value}}}'))

    private_half = forge.b64url(private.d.to_bytes(256, "big"))
    for name, entry in {
        "d-twice": extended + f'"d":"{private_half}","d":"{private_half}"}}',
        "d-twice-escaped": extended + f'"d":"{private_half}",' + r'"\u0064":"AQ"}',
        "after-a-member-twice": extended + f'"use":"sig","d":"{private_half}"}}',
        "after-a-name-twice": f'{{"x":1,"x":2,"kid":"{KID}","d":"{private_half}"}}',
        "named-twice": f'{{"kid":"ins_whatever","kid":"{KID}","d":"{private_half}"}}',
        "named-twice-and-first": f'{{"kid":"{KID}","kid":"ins_whatever","d":"{private_half}"}}',
        "too-deep": extended + f'"x":{nested(17)},"d":"{private_half}"}}',
        "of-too-many-members": extended + ",".join(f'"m{i}":0' for i in range(1025)) + f',"d":"{private_half}"}}',
        "with-half-a-pair": extended + r'"x":"\udc00",' + f'"d":"{private_half}"}}',
    }.items():
        why = "a private key spoils its name, whatever else is wrong with it"
        keys = {"jwks": forge.compact({"keys": [good, "@", forge.jwk("rotated", ROTATED_KID)]}).replace('"@"', entry)}
        f.token(f"private-{name}", why, token(), "unknown-kid", keys=keys, tags=["attack:11"])
        f.token(f"private-{name}-spares-the-rest", ENTRY, token(head=header(kid=ROTATED_KID), by="rotated"), keys=keys, tags=["attack:11"])
    nobody = f'{{"kid":"{KID}' + r'\ud800","d":"AQ"}'
    f.token("private-named-by-half-a-pair", "a name with half of a surrogate pair is nobody's", token(), keys=text(nobody + "," + forge.compact(good)), tags=["attack:11"])
    escaped = forge.compact(good).replace('"kty"', r'"k\u0074y"').replace(KID, KID.replace("_", r"\u005f"))
    f.token("entry-escaped", "an entry's members are compared after unescaping", token(), keys=text(escaped))


def documents(f):
    good = forge.jwk("instance", KID)
    whole = forge.compact({"keys": [good]})
    f.token("document-in-white-space", "white space around a document", token(), keys={"jwks": "\r\n\t " + whole + "\n"})
    f.token("document-pretty", "a document with line breaks", token(), keys={"jwks": forge.json.dumps({"keys": [good]}, indent=4)})
    f.token("document-more-members", "unknown members of a document are ignored", token(), keys=jwks(good, issuer=ISSUER, x=[1]))
    for name, text in {
        "empty": "",
        "only-white-space": "  ",
        "html": "<!doctype html><title>502 Bad Gateway</title>",
        "cut": whole[:-3],
        "bom": "\ufeff" + whole,
        "trailing": whole + "x",
        "trailing-comma": '{"keys":[' + forge.compact(good) + ",]}",
        "list": "[" + forge.compact(good) + "]",
        "null": "null",
        "text": forge.compact(whole),
        "no-keys": "{}",
        "keys-null": '{"keys":null}',
        "keys-object": forge.compact({"keys": {KID: good}}),
        "keys-text": '{"keys":"none"}',
        "keys-twice": '{"keys":[],"keys":[' + forge.compact(good) + "]}",
        "member-twice": '{"x":1,"x":1,"keys":[' + forge.compact(good) + "]}",
        "keys-escaped-twice": r'{"keys":[' + forge.compact(good) + r'],"\u006beys":[]}',
        "clerk-error": '{"errors":[{"code":"clerk_key_invalid","message":"The provided Clerk Secret Key is invalid."}]}',
        "certificates": forge.compact({KID: forge.pem("CERTIFICATE", forge.certificate_der("instance"))}),
    }.items():
        f.token(f"document-{name}", "what is no JWKS is no key set", token(), "keys-unavailable", keys={"jwks": text}, tags=["attack:34"] if name in ("empty", "no-keys") else [])
    fillers = [forge.jwk("other", f"filler-{i}") for i in range(32)]
    f.token("document-32-keys", "32 keys are taken", token(), keys=jwks(*fillers[:31], good))
    f.token("document-33-keys", "33 are not", token(), "keys-unavailable", keys=jwks(*fillers, good))
    f.token("document-33-entries-31-bad", "entries count, good or bad", token(), "keys-unavailable", keys=jwks(good, *[{"kty": "EC"}] * 32))
    room = rule.MAX_JWKS_BYTES - len(forge.compact({"keys": [good], "x": ""}))
    f.token("document-largest", "256 KiB are taken", token(), keys={"jwks": forge.compact({"keys": [good], "x": "x" * room})})
    f.token("document-too-large", "one byte more is not", token(), "keys-unavailable", keys={"jwks": forge.compact({"keys": [good], "x": "x" * (room + 1)})})


def label(value):
    if value is ABSENT:
        return "absent"
    text = forge.compact(value).strip('"') or "empty"
    text = f"number-{text}" if isinstance(value, int) and not isinstance(value, bool) else text
    text = text.replace("[", "list-").replace("{", "object-")
    text = "".join(c if c.isalnum() or c in "-_" else "." for c in text).rstrip(".-")
    return text if len(text) <= 40 else f"{text[:12]}-{len(text)}"
