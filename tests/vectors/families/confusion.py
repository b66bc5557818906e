"""Key encoding x algorithm x header shape: what a header may never talk a verifier into. Generated, since such bugs come back incomplete."""

import hashlib
import hmac

import forge
from families.base import *

ABOUT = "Algorithm confusion: the public key, in every form it is written in, used as an HMAC secret; `none`; algorithms of other keys."
CLASS = ["attack:1", "attack:2", "attack:3", "attack:12", "attack:14", "attack:16", "attack:18", "attack:21", "attack:28"]


def secrets():
    """The published key in every spelling that a confused library has taken for a secret."""
    of = forge.key("instance")
    spki, pkcs1 = forge.spki_der("instance"), forge.pkcs1_der("instance")
    pem = forge.pem("PUBLIC KEY", spki)
    jwk = forge.jwk("instance", KID)
    n = of.n.to_bytes(of.size, "big")
    return {
        "spki-pem": (pem.encode(), []),
        "spki-pem-no-newline": (pem.rstrip("\n").encode(), []),
        "spki-pem-crlf": (forge.pem("PUBLIC KEY", spki, "\r\n").encode(), []),
        "spki-pem-one-line": (pem.replace("\n", "").encode(), []),
        "spki-pem-escaped-newlines": (pem.replace("\n", "\\n").encode(), []),
        "spki-pem-leading-newline": (b"\n" + pem.encode(), ["attack:30", "attack:31"]),
        "spki-pem-leading-space": (b" " + pem.encode(), ["attack:30", "attack:31"]),
        "spki-pem-bom": (b"\xef\xbb\xbf" + pem.encode(), ["attack:30", "attack:31"]),
        "spki-pem-commented": (b"Bag Attributes\n" + pem.encode(), ["attack:30", "attack:31"]),
        "pkcs1-pem": (forge.pem("RSA PUBLIC KEY", pkcs1).encode(), []),
        "certificate-pem": (forge.pem("CERTIFICATE", forge.certificate_der("instance")).encode(), []),
        "spki-der": (spki, []),
        "pkcs1-der": (pkcs1, []),
        "spki-base64": (forge.b64(spki).encode(), []),
        "jwk-json": (forge.compact(jwk).encode(), ["attack:32", "attack:33"]),
        "jwks-json": (forge.compact(KEYS["instance"]["jwks"]).encode(), ["attack:32", "attack:33"]),
        "jwk-required-members": (forge.compact({"e": jwk["e"], "kty": "RSA", "n": jwk["n"]}).encode(), ["attack:32", "attack:33"]),
        "modulus-bytes": (n, []),
        "modulus-base64url": (jwk["n"].encode(), []),
        "modulus-hex": (n.hex().encode(), []),
        "modulus-decimal": (str(of.n).encode(), []),
        "ssh": (forge.ssh("instance").encode(), []),
        "kid": (KID.encode(), []),
        "empty": (b"", ["attack:34", "attack:35"]),
        "zero-byte": (b"\0", ["attack:34"]),
    }


# Header shapes: name, header for an algorithm, and what an honest reading of that shape must answer.
SHAPES = {
    "plain": (lambda alg: header(alg=alg), "unsupported-algorithm"),
    "bare": (lambda alg: {"alg": alg, "kid": KID}, "unsupported-algorithm"),
    "jwk-inside": (lambda alg: header(alg=alg, jwk=forge.jwk("instance", KID)), "unsupported-algorithm"),
    "says-rs256": (lambda alg: header(), "wrong-signature"),
    "twice": (lambda alg: forge.compact(header())[:-1] + f',"alg":"{alg}"' + "}", "duplicate-member"),
}


def family():
    f = Family("confusion", ABOUT)
    for name, (secret, tags) in secrets().items():
        for algorithm in ("HS256", "HS384", "HS512"):
            for shape, (head, expect) in SHAPES.items():
                if shape in ("bare", "jwk-inside", "twice") and algorithm != "HS256":
                    continue
                peer = ["peer:hs256-with-pem"] if (name, algorithm, shape) == ("spki-pem", "HS256", "plain") else []
                text = forge.authenticated(head(algorithm), claims(), secret, algorithm)
                f.token(f"{algorithm.lower()}-{name}-{shape}", "an HMAC under a published text is anybody's to make", text, expect, tags=CLASS + tags + peer)
    none(f)
    other_keys(f)
    return f


def none(f):
    good = token()
    body = good.split(".")[1]
    for spelling in ("none", "None", "NONE", "nOnE", "none ", "nоne", ""):
        head = forge.b64url(forge.compact(header(alg=spelling)).encode())
        label = f"{spelling.strip() or 'empty'}-{len(spelling)}" if spelling.isascii() else "cyrillic"
        peer = ["peer:alg-none"] if spelling == "none" else []
        f.token(f"none-{label}-two-parts", "an unsecured token is no token", f"{head}.{body}", "malformed-token", tags=["attack:5", "attack:22", *peer])
        f.token(f"none-{label}-empty-signature", "an unsecured token as RFC 7515 writes it", f"{head}.{body}.", "malformed-token", tags=["attack:5", "attack:6", "attack:22", *peer])
        f.token(f"none-{label}-some-signature", "with something in the place of a signature", f"{head}.{body}.AA", "unsupported-algorithm", tags=["attack:5", "attack:22", *peer])
        f.token(f"none-{label}-good-signature", "with a genuine signature: the algorithm is refused, not the signature", token(head=header(alg=spelling)), "unsupported-algorithm", tags=["attack:5", "attack:22"])
    for name, value in {"null": "null", "list-none": '["none"]', "list-both": '["RS256","none"]', "false": "false", "zero": "0"}.items():
        text = token(head=with_member(header(alg=ABSENT), "alg", value))
        f.token(f"none-typed-{name}", "`alg` of another type", text, "unsupported-algorithm", tags=["attack:5", "attack:21"])


def other_keys(f):
    body = claims()
    zero = b"\0" * 64
    f.token("es256-zero-signature", "r = s = 0, the signature that passed for every message", forge.join(header(alg="ES256"), body, zero), "unsupported-algorithm", tags=["attack:8", "attack:9"])
    der_zero = bytes.fromhex("3006020100020100")
    f.token("es256-zero-signature-der", "the same in DER", forge.join(header(alg="ES256"), body, der_zero), "unsupported-algorithm", tags=["attack:8"])
    f.token("rs256-says-zero-ecdsa", "an ECDSA signature under a header that says RS256", forge.join(header(), body, zero), "wrong-signature", tags=["attack:8", "attack:9"])
    message = forge.signing_input(header(alg="PS256"), body)
    pss = forge.key("instance").sign_encoded(forge.pss(message, 2048))
    f.token("ps256-genuine", "a genuine RSA-PSS signature of the right key: not an algorithm that is taken", forge.join(header(alg="PS256"), body, pss), "unsupported-algorithm", tags=["attack:9", "attack:21"])
    f.token("ps256-all-algorithms", "nor where all three RSA algorithms of PKCS #1 v1.5 are", forge.join(header(alg="PS256"), body, pss), "unsupported-algorithm", policy="all-algorithms", tags=["attack:21"])
    f.token("eddsa", "Ed25519 with a signature of 64 bytes", forge.join(header(alg="EdDSA"), body, hashlib.sha512(b"x").digest()), "unsupported-algorithm", tags=["attack:9"])
    digest = hmac.digest(forge.pem("PUBLIC KEY", forge.spki_der("instance")).encode(), forge.signing_input(header(), body), "sha256")
    f.token("hmac-padded-to-rsa-size", "an HMAC, padded to the size of an RSA signature", forge.join(header(), body, digest.rjust(256, b"\0")), "wrong-signature", tags=CLASS)
    jwe = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": KID, "typ": "JWT", "cty": "JWT"}
    f.token("jwe-header-in-three-parts", "a JWE's header over three parts", forge.signed(jwe, body), "unsupported-algorithm", tags=["attack:15", "attack:39"])
    f.token("enc-beside-rs256", "a JWE's header beside a good algorithm", token(head=header(enc="A256GCM")), "unsupported-header", tags=["attack:15", "attack:39", "attack:17"])
    f.token("plain-payload-in-jwe", "five parts around an unsigned token", ".".join([forge.b64url(forge.as_bytes(jwe)), "a2V5", "aXZpdml2aXZpdg", forge.b64url(b'{"alg":"none"}'), "dGFn"]), "encrypted-token", tags=["attack:39"])
    f.token("polyglot-header", "a second header after the first: which one a reader takes is not asked", forge.join(forge.compact(header()) + forge.compact(header(alg="none")), body, b"x"), "malformed-json", tags=["attack:13"])
