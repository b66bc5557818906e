"""Key material as people paste it: PEM, JWK, JWKS, and what has become of them on the way."""

import forge
from families.base import *

LABEL = "PRIV" + "ATE KEY"


def family():
    f = Family("key_material", "A key out of a setting or a file: the form is forgiven, the content is not.")
    shapes(f)
    mangled(f)
    one_key_for_all(f)
    documents(f)
    refused(f)
    return f


def taken(f, name, why, text, by="instance", tags=()):
    f.token(f"taken-{name}", why, token(by=by), keys={"pasted": text}, means=by, tags=tags)


def not_taken(f, name, why, text, tags=()):
    f.token(f"refused-{name}", why, token(), "keys-unavailable", keys={"pasted": text}, means=None, tags=tags)


def forms(name="instance"):
    return {
        "spki": forge.pem("PUBLIC KEY", forge.spki_der(name)),
        "pkcs1": forge.pem("RSA PUBLIC KEY", forge.pkcs1_der(name)),
        "certificate": forge.pem("CERTIFICATE", forge.certificate_der(name)),
    }


def body(pem):
    return "".join(line for line in pem.splitlines() if not line.startswith("-"))


def shapes(f):
    for name, pem in forms().items():
        taken(f, name, "one RSA public key in PEM", pem)
    for key in ("odd-size", "rsa-3072", "rsa-4096", "rsa-8192"):
        for name, pem in forms(key).items():
            if key == "rsa-4096" or name == "spki":
                taken(f, f"{name}-{key}", "of every size that is taken", pem, by=key)


def mangled(f):
    changes = {
        "crlf": lambda pem: pem.replace("\n", "\r\n"),
        "cr": lambda pem: pem.replace("\n", "\r"),
        "escaped-newlines": lambda pem: pem.replace("\n", "\\n"),
        "escaped-crlf": lambda pem: pem.replace("\n", "\\r\\n"),
        "escaped-twice": lambda pem: pem.replace("\n", "\\\\n"),
        "one-line-blanks": lambda pem: pem.replace("\n", " "),
        "one-line": lambda pem: pem.replace("\n", ""),
        "no-last-newline": lambda pem: pem.rstrip("\n"),
        "leading-newlines": lambda pem: "\n\n" + pem,
        "leading-space": lambda pem: " " + pem,
        "indented": lambda pem: pem.replace("\n", "\n    "),
        "bom": lambda pem: "\ufeff" + pem,
        "double-quotes": lambda pem: f'"{pem.strip()}"',
        "single-quotes": lambda pem: f"'{pem}'",
        "quoted-and-escaped": lambda pem: '"' + pem.replace("\n", "\\n") + '"',
        "bom-and-quotes": lambda pem: "\ufeff \"" + pem + "\"\r\n",
        "no-armour": body,
        "no-armour-no-padding": lambda pem: body(pem).rstrip("="),
        "long-lines": lambda pem: "\n".join([pem.splitlines()[0], body(pem), pem.splitlines()[-1]]),
        "base64-again": lambda pem: forge.b64(pem.encode()),
    }
    for change, mangle in changes.items():
        for name, pem in forms().items():
            tags = ["attack:30", "attack:31"] if change in ("leading-space", "leading-newlines", "bom", "crlf") else ["attack:3"]
            taken(f, f"{name}-{change}", "what happens to a key between a dashboard and an environment variable", mangle(pem), tags=tags)
    pem = forms()
    taken(f, "spki-wrong-label", "a label may be wrong where the structure tells", pem["spki"].replace("PUBLIC KEY", "RSA PUBLIC KEY"))
    taken(f, "pkcs1-wrong-label", "a label may be wrong where the structure tells", pem["pkcs1"].replace("RSA PUBLIC KEY", "PUBLIC KEY"))


def one_key_for_all(f):
    keys = {"pasted": forms()["spki"]}
    f.token("unnamed-any-kid", "PEM has no name for its key: it is there for every `kid`", token(head=header(kid="ins_whatever")), keys=keys, means="instance", key_id="ins_whatever")
    f.token("unnamed-no-kid", "a token without `kid` is refused all the same", token(head=header(kid=ABSENT)), "missing-kid", keys=keys, means="instance", tags=["peer:no-kid"])
    f.token("unnamed-other-key", "another key's signature", token(by="other"), "wrong-signature", keys=keys, means="instance")
    f.token("unnamed-other-issuer", "a configured key is its issuer's alone", token(body=claims(iss=OTHER_ISSUER)), "wrong-iss", keys=keys, means="instance", tags=["attack:40"])
    f.token("unnamed-rs384", "a key without a name is for RS256", token(head=header(alg="RS384"), algorithm="RS384"), "key-algorithm-mismatch", keys=keys, means="instance", policy="all-algorithms")
    f.token("unnamed-denied", "a denied `kid` is denied", token(), "denied-kid", keys=keys, means="instance", policy={**POLICIES["default"], "denyKids": [KID]})
    for algorithm in ("HS256", "HS384", "HS512"):
        text = forge.authenticated(header(alg=algorithm), claims(), keys["pasted"].encode(), algorithm)
        f.token(f"unnamed-{algorithm.lower()}", "the configured text as an HMAC secret", text, "unsupported-algorithm", keys=keys, means="instance", tags=["attack:1", "attack:2", "attack:3", "attack:30"])
        text = forge.authenticated(header(), claims(), keys["pasted"].encode(), algorithm)
        f.token(f"unnamed-{algorithm.lower()}-says-rs256", "the configured text as an HMAC secret, under another name", text, "wrong-signature", keys=keys, means="instance", tags=["attack:1", "attack:3"])


def documents(f):
    jwk = forge.jwk("instance", KID)
    jwks = {"keys": [jwk, forge.jwk("rotated", ROTATED_KID)]}
    texts = {
        "jwk": (forge.compact(jwk), [jwk]),
        "jwk-pretty": (forge.json.dumps(jwk, indent=2), [jwk]),
        "jwks": (forge.compact(jwks), jwks["keys"]),
        "jwks-pretty": (forge.json.dumps(jwks, indent=2), jwks["keys"]),
        "jwks-bom": ("\ufeff" + forge.compact(jwks), jwks["keys"]),
        "jwks-quoted": ("'" + forge.compact(jwks) + "'\n", jwks["keys"]),
        "jwks-base64": (forge.b64(forge.compact(jwks).encode()), jwks["keys"]),
        "jwk-base64": (forge.b64(forge.compact(jwk).encode()), [jwk]),
        "jwks-bad-entry": (forge.compact({"keys": [{"kty": "EC"}, jwk]}), [jwk]),
        "jwks-deep-entry": ('{"keys":[{"x":' + "[" * 40 + "]" * 40 + "}," + forge.compact(jwk) + "]}", [jwk]),
    }
    for form, document, means in (("jwk", jwk, [jwk]), ("jwks", jwks, jwks["keys"])):
        pretty = forge.json.dumps(document, indent=2)
        string = forge.json.dumps(pretty)
        for name, text in {
            "escaped-newlines": pretty.replace("\n", "\\n"),
            "escaped-crlf": pretty.replace("\n", "\\r\\n"),
            "escaped-twice": pretty.replace("\n", "\\\\n"),
            "escaped-newlines-and-real-ones": pretty.replace("\n", "\\n\n"),
            "escaped-newlines-around": "\\n" + pretty.replace("\n", "\\n") + "\\n",
            "escaped-tabs": forge.json.dumps(document, indent="\t").replace("\n", "\\n").replace("\t", "\\t"),
            "continued-lines": pretty.replace("\n", "\\\n"),
            "quoted-escaped-newlines": "'" + pretty.replace("\n", "\\n") + "'",
            "in-a-string": string,
            "in-a-string-without-quotes": string[1:-1],
            "in-a-string-with-real-newlines": string.replace("\\n", "\n"),
            "in-a-string-in-a-string": forge.json.dumps(string),
            "in-a-string-compact": forge.json.dumps(forge.compact(document)),
            "in-a-string-with-slashes": string.replace("/", "\\/"),
            "in-a-string-base64": forge.b64(string.encode()),
            "escaped-newlines-bom": "\ufeff\"" + pretty.replace("\n", "\\n") + '"\r\n',
        }.items():
            texts[f"{form}-{name}"] = (text, means)
    odd = {**jwk, "kid": 'ins_\\u00e9"\\\\n'}
    f.token("jwk-odd-name", "what is written out in a name stays as it is", token(head=header(kid=odd["kid"])), keys={"pasted": forge.compact(odd)}, means={"jwks": {"keys": [odd]}})
    hyphens = forge.jwk("instance", "ins--1")
    for name, text in {"": forge.compact(hyphens), "-in-a-string": forge.json.dumps(forge.compact(hyphens)), "-escaped-newlines": "\\n" + forge.compact(hyphens)}.items():
        f.token(f"jwk-hyphens{name}", "two hyphens make no PEM of a JWK", token(head=header(kid="ins--1")), keys={"pasted": text}, means={"jwks": {"keys": [hyphens]}})
    for name, (text, keys) in texts.items():
        means = {"jwks": {"keys": keys}}
        f.token(f"{name}", "published keys in a setting, each with its name", token(), keys={"pasted": text}, means=means)
        f.token(f"{name}-other-kid", "keys with names are there for their names", token(head=header(kid="ins_unknown")), "unknown-kid", keys={"pasted": text}, means=means)


def refused(f):
    pem = forms()["spki"]
    spki = forge.spki_der("instance")
    private = forge.pem("RSA " + LABEL, forge.private_der("instance"))
    other_oid = bytes.fromhex("300d06092a864886f70d01010a0500")
    ed25519 = forge.der(0x30, bytes.fromhex("300506032b6570") + forge.der(0x03, b"\0" + bytes(32)))
    elliptic = forge.der(0x30, bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107") + forge.der(0x03, b"\0\x04" + bytes(range(64))))
    pkcs8 = forge.der(0x30, forge.der_integer(0) + forge.RSA_ENCRYPTION + forge.der(0x04, forge.private_der("instance")))
    jwk = forge.jwk("instance", KID)
    cases = {
        "empty": ("", ["attack:34", "attack:35"]),
        "white-space": (" \n", ["attack:34"]),
        "quotes-alone": ('""', ["attack:34"]),
        "word": ("undefined", ["attack:35"]),
        "publishable-key": ("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k", []),
        "secret-key": ("sk_test_" + "abcdefghijklmnopqrstuvwxyz", []),
        "webhook-secret": ("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", []),
        "token": (token(), []),
        "private-pem": (private, ["attack:11"]),
        "private-pkcs8": (forge.pem(LABEL, pkcs8), ["attack:11"]),
        "private-after-public": (pem + private, ["attack:11"]),
        "private-before-public": (private + pem, ["attack:11"]),
        "private-under-public-label": (forge.pem("PUBLIC KEY", forge.private_der("instance")), ["attack:11"]),
        "private-no-armour": (forge.b64(forge.private_der("instance")), ["attack:11"]),
        "private-jwk": (forge.compact({**jwk, "d": forge.b64url(forge.key("instance").d.to_bytes(256, "big"))}), ["attack:11"]),
        "private-jwk-d-twice": (forge.compact(jwk)[:-1] + ',"d":"AQ","d":"AQ"}', ["attack:11"]),
        "private-jwk-escaped-newlines": (forge.json.dumps({**jwk, "d": "AQ"}, indent=1).replace("\n", "\\n"), ["attack:11"]),
        "private-jwk-in-a-string": (forge.json.dumps(forge.compact({**jwk, "d": "AQ"})), ["attack:11"]),
        "private-beside-public": (forge.compact({"keys": [jwk, {**jwk, "d": "AQ"}]}), ["attack:11"]),
        "private-beside-public-d-twice": ('{"keys":[' + forge.compact(jwk) + "," + forge.compact(jwk)[:-1] + ',"d":"AQ","d":"AQ"}]}', ["attack:11"]),
        "jwk-newline-in-a-name": (forge.compact(jwk).replace("ins_", "ins\n_"), []),
        "jwk-escaped-newline-in-a-member": (forge.compact(jwk).replace('"kty"', '"k\\nty"'), []),
        "jwk-no-json-in-a-string": (forge.json.dumps(forge.compact(jwk)[:-1]), []),
        "symmetric-jwk": (forge.compact({"kty": "oct", "kid": KID, "alg": "HS256", "k": "c2VjcmV0"}), ["attack:11"]),
        "elliptic": (forge.pem("PUBLIC KEY", elliptic), ["attack:9"]),
        "ed25519": (forge.pem("PUBLIC KEY", ed25519), ["attack:9"]),
        "pss-only": (forge.pem("PUBLIC KEY", forge.spki_der("instance", other_oid)), ["attack:9"]),
        "ssh": (forge.ssh("instance"), ["attack:12"]),
        "1024-bits": (forms("rsa-1024")["spki"], ["attack:9"]),
        "2047-bits": (forms("rsa-2047")["spki"], ["attack:9"]),
        "8193-bits": (forms("rsa-8193")["spki"], []),
        "exponent-3": (forms("exponent-3")["spki"], ["attack:9"]),
        "exponent-3-pkcs1": (forms("exponent-3")["pkcs1"], ["attack:9"]),
        "even-modulus": (forge.pem("RSA PUBLIC KEY", forge.der(0x30, forge.der_integer(forge.key("instance").n - 1) + forge.der_integer(65537))), []),
        "negative-modulus": (forge.pem("RSA PUBLIC KEY", forge.der(0x30, forge.der(0x02, forge.key("instance").n.to_bytes(256, "big")) + forge.der_integer(65537))), []),
        "modulus-leading-zeros": (forge.pem("RSA PUBLIC KEY", forge.der(0x30, forge.der(0x02, b"\0\0" + forge.key("instance").n.to_bytes(256, "big")) + forge.der_integer(65537))), []),
        "exponent-leading-zero": (forge.pem("RSA PUBLIC KEY", forge.der(0x30, forge.der_integer(forge.key("instance").n) + forge.der(0x02, b"\0\x01\0\x01"))), []),
        "three-integers": (forge.pem("RSA PUBLIC KEY", forge.der(0x30, forge.der_integer(forge.key("instance").n) + forge.der_integer(65537) + forge.der_integer(1))), []),
        "trailing-der": (forge.pem("PUBLIC KEY", spki + b"\0"), []),
        "cut-der": (forge.pem("PUBLIC KEY", spki[:-1]), []),
        "ber-length": (forge.pem("PUBLIC KEY", b"\x30\x83\x00\x01\x22" + spki[4:]), []),
        "indefinite-length": (forge.pem("PUBLIC KEY", b"\x30\x80" + spki[4:] + b"\0\0"), []),
        "unused-bits": (forge.pem("PUBLIC KEY", forge.der(0x30, forge.RSA_ENCRYPTION + forge.der(0x03, b"\x01" + forge.pkcs1_der("instance")))), []),
        "no-null": (forge.pem("PUBLIC KEY", forge.spki_der("instance", bytes.fromhex("300b06092a864886f70d010101"))), []),
        "two-keys": (pem + forms("other")["spki"], []),
        "text-before": ("CLERK_JWT_KEY=" + pem, ["attack:30", "attack:31"]),
        "comment-before": ("# the key\n" + pem, ["attack:30", "attack:31"]),
        "text-after": (pem + "x", []),
        "cut-at-newline": (pem.splitlines()[0], []),
        "cut-in-the-middle": (pem[:200], []),
        "end-label-differs": (pem.replace("END PUBLIC", "END RSA PUBLIC"), []),
        "four-dashes": (pem.replace("-----BEGIN", "----BEGIN"), []),
        "other-label": (forge.pem("CERTIFICATE REQUEST", spki), []),
        "lower-case-label": (pem.replace("BEGIN PUBLIC KEY", "begin public key"), []),
        "bad-base64": (pem.replace("A", "*", 1), []),
        "base64url-body": (pem.replace("+", "-").replace("/", "_"), []),
        "headers-inside": (pem.replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1), []),
        "path": ("/etc/secrets/clerk.pem", ["attack:44"]),
        "url": ("https://clerk.example.com/.well-known/jwks.json", ["attack:44"]),
        "jwks-empty": ('{"keys":[]}', ["attack:34"]),
        "jwks-no-usable-key": (forge.compact({"keys": [{"kty": "EC", "kid": KID}]}), ["attack:34"]),
        "jwk-without-alg": (forge.compact({name: value for name, value in jwk.items() if name != "alg"}), ["attack:38"]),
        "jwk-without-kid": (forge.compact({name: value for name, value in jwk.items() if name != "kid"}), []),
        "json-null": ("null", []),
        "json-empty": ("{}", []),
        "json-list": (forge.compact([jwk]), []),
        "too-large": ("A" * (256 * 1024 + 1), []),
    }
    for name, (text, tags) in cases.items():
        not_taken(f, name, "what is no RSA public key of ours stops the start, and verifies nothing", text, tags)
