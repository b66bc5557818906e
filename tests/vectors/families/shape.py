"""What was presented: its size, its parts, its base64url."""

import base64

import forge
from families.base import *

MAX = rule.MAX_TOKEN_BYTES


def family():
    f = Family("shape", "What was presented, its size, its three parts and their one base64url spelling.")
    good = token()
    head, body, signature = good.split(".")

    f.token("good", "the token that every other case departs from", good, tags=["peer:good"])
    f.token("good-v1", "a version 1 token of an instance that did not upgrade", token(body=claims_v1()))

    presented(f)
    sizes(f)
    parts(f, head, body, signature)
    spelling(f, head, body, signature)
    return f


def presented(f):
    f.token("empty", "nothing was presented", "", "token-missing")
    for word in ("null", "undefined"):
        f.token(word, "JavaScript wrote out a missing token", word, "token-is-null")
    for word in ("Null", "NULL", "nil", "None", "undefined ", "false", "0"):
        f.token(f"not-quite-null-{word.strip()}", "only what JavaScript writes is the word for no token", word, "malformed-token")
    for key in ("sk_test_abcdefghijklmnopqrstuvwxyz0123456789ABCD", "sk_live_", "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k", "pk_live_x", "sk_a.b.c"):
        f.token(f"key-{key[:7]}-{len(key)}", "a Clerk key pasted where a token belongs", key, "key-instead-of-token")
    for text, code in (("mt_abc123", "machine-token"), ("ak_abc123", "machine-token"), ("mt_a.b.c", "machine-token"), ("oat_abc123", "oauth-token"), ("oat_a.b.c", "oauth-token")):
        f.token(f"opaque-{text}", "opaque tokens are known by their prefix, before their parts are counted", text, code)
    for text in ("MT_abc", "Sk_test_x", "m2m_abc", "oat", "sess_2NNEqL3jKyy1ZRlK3o1qtsNcTBm"):
        f.token(f"no-prefix-{text[:7]}", "prefixes are compared with their case; what is no token is malformed", text, "malformed-token")


def sizes(f):
    def of_size(size):
        """A good token of exactly `size` bytes, padded by a custom claim and by white space in the header."""
        for spaces in range(4):
            for pad in range(size * 3 // 4 - 900, size * 3 // 4):
                text = len(forge.b64url(bytes(len(forge.compact(header())) + spaces))) + len(forge.b64url(bytes(len(forge.compact(claims(note=""))) + pad))) + 2 + 342
                if text == size:
                    return token(" " * spaces + forge.compact(header()), claims(note="x" * pad))
        raise AssertionError("no token of that size")

    f.token("largest", "32768 bytes are taken", of_size(MAX), tags=["attack:24"])
    f.token("too-large-by-one", "32769 bytes are not, however well they are signed", of_size(MAX + 1), "token-too-large", tags=["attack:24"])
    f.token("too-large-dots", "thousands of dots: the size is looked at before they are counted", "." * (MAX + 1), "token-too-large", tags=["attack:24"])
    f.token("dots-within-size", "within the size, more than four dots are malformed whatever their number", "." * MAX, "malformed-token", tags=["attack:24"])
    f.token("too-large-key", "the size comes before the prefix", "sk_test_" + "a" * MAX, "token-too-large")
    f.token("too-large-oauth", "the size comes before the prefix", "oat_" + "a" * MAX, "token-too-large")
    f.token("too-large-in-bytes", "the size is in bytes of UTF-8, not in characters", "é" * (MAX // 2 + 1), "token-too-large")
    f.token("largest-in-bytes", "32768 bytes of UTF-8, which are no token", "é" * (MAX // 2), "malformed-token")


def parts(f, head, body, signature):
    five = ".".join([head, "ZW5jcnlwdGVkLWtleQ", "aXZpdml2aXZpdg", body, "dGFndGFndGFn"])
    f.token("five-parts", "a JWE in compact form", five, "encrypted-token", tags=["attack:15", "attack:39", "attack:16"])
    f.token("five-parts-jwe-header", "a JWE that says so in its header", ".".join([forge.b64url(b'{"alg":"RSA-OAEP","enc":"A256GCM","zip":"DEF"}'), "a2V5", "aXY", "Y3Q", "dGFn"]), "encrypted-token", tags=["attack:16", "attack:17", "attack:39"])
    f.token("five-parts-dir", "a JWE with a direct key has an empty second part", f"{head}..aXY.{body}.dGFn", "encrypted-token", tags=["attack:15"])
    f.token("five-empty-parts", "five parts are named before empty ones", "....", "encrypted-token")
    f.token("one-part", "no dot at all", head, "malformed-token")
    f.token("two-parts", "an unsecured token without even its last dot", f"{head}.{body}", "malformed-token", tags=["attack:5", "attack:6"])
    f.token("four-parts", "one part too many", f"{head}.{body}.{signature}.{signature}", "malformed-token", tags=["peer:four-parts"])
    f.token("four-parts-empty", "a dot at the end is a part", f"{head}.{body}.{signature}.", "malformed-token")
    f.token("six-parts", "not even a JWE", f"{head}.{body}.{signature}.a.b.c", "malformed-token")
    f.token("no-header", "an empty first part", f".{body}.{signature}", "malformed-token")
    f.token("no-payload", "an empty second part: a detached payload", f"{head}..{signature}", "malformed-token", tags=["attack:45"])
    f.token("no-signature", "an empty third part", f"{head}.{body}.", "malformed-token", tags=["attack:5", "attack:6"])
    f.token("only-dots", "three empty parts", "..", "malformed-token")
    f.token("json-flattened", "the JSON serialization is not the compact one", forge.compact({"protected": head, "payload": body, "signature": signature}), "malformed-token", tags=["attack:13"])
    f.token("json-general", "the general JSON serialization neither", forge.compact({"payload": body, "signatures": [{"protected": head, "signature": signature}]}), "malformed-token", tags=["attack:13"])
    polyglot = '{"' + f"{head}.{body}.{signature}" + '":"","protected":"' + head + '","payload":"' + body + '","signature":"' + signature + '"}'
    f.token("json-polyglot", "JSON that is also three parts between two dots: claims of one form under the signature of the other", polyglot, "malformed-base64url", tags=["attack:13"])
    f.token("bearer-left-on", "the scheme belongs to the header field", f"Bearer {head}.{body}.{signature}", "malformed-base64url")
    f.token("quoted", "quotation marks are not part of a token", f'"{head}.{body}.{signature}"', "malformed-base64url")
    f.token("nested-token", "a token whose payload is a token", forge.signed(header(cty="JWT"), f"{head}.{body}.{signature}"), "malformed-json", tags=["attack:39"])
    f.token("comma-joined", "two header fields joined by a proxy", f"{head}.{body}.{signature}, {head}.{body}.{signature}", "encrypted-token")


def spelling(f, head, body, signature):
    whole = f"{head}.{body}.{signature}"
    for name, text in {
        "leading-space": " " + whole,
        "trailing-space": whole + " ",
        "trailing-newline": whole + "\n",
        "trailing-crlf": whole + "\r\n",
        "leading-bom": "\ufeff" + whole,
        "trailing-nul": whole + "\0",
        "inner-newline": f"{head}.{body[:76]}\n{body[76:]}.{signature}",
        "inner-space": f"{head}. {body}.{signature}",
        "inner-tab": f"{head}.{body}.\t{signature}",
        "percent-encoded": f"{head}.{body}.{signature[:-3]}%3D",
        "not-ascii": f"{head}.{body}é.{signature}",
        "full-width": f"{head}.{body}.{signature[:-1]}Ａ",
    }.items():
        tags = {"leading-space": ["peer:leading-space"], "trailing-newline": ["peer:trailing-newline"]}.get(name, [])
        f.token(name, "white space and foreign characters would give one token many spellings", text, "malformed-base64url", tags=tags)
    for part in range(3):
        for padding in ("=", "=="):
            pieces = [head, body, signature]
            pieces[part] += padding
            name = ("header", "payload", "signature")[part]
            tags = ["peer:signature-padding"] if (part, padding) == (2, "==") else []
            f.token(f"{name}-padding-{len(padding)}", "padding would give one token many spellings", ".".join(pieces), "malformed-base64url", tags=tags)

    # Spaces and a claim of the right length, so that each part in turn ends in a character with bits to spare.
    for name, spare in (("two", 1), ("four", 2)):
        text = forge.compact(header())
        text += " " * ((spare - len(text)) % 3)
        short = forge.b64url(text.encode())
        stray = short[:-1] + chr(ord(short[-1]) + 1)
        signed = forge.signed(text, claims())
        f.token(f"header-{name}-characters-over", "a last group of fewer than four characters is canonical when its spare bits are zero", signed)
        f.token(f"header-stray-bit-{name}", "the same bytes with a stray bit in the last character", stray + signed[len(short) :], "malformed-base64url")
        text = forge.compact(claims())
        text += " " * ((spare - len(text)) % 3)
        short = forge.b64url(text.encode())
        f.token(f"payload-stray-bit-{name}", "the same for the payload, and signed with the stray bit in it", resigned(head, short[:-1] + chr(ord(short[-1]) + 1)), "malformed-base64url")
    last = signature[-1]
    f.token("signature-stray-bit", "256 bytes end in a character with four spare bits", f"{head}.{body}.{signature[:-1]}{chr(ord(last) + 1)}", "malformed-base64url")
    f.token("signature-one-character-over", "a single character holds no byte", f"{head}.{body}.{signature}AAA", "malformed-base64url", tags=["attack:6"])
    f.token("header-one-character", "a single character holds no byte", f"e.{body}.{signature}", "malformed-base64url")

    standard = standard_base64()
    f.token("standard-alphabet", "standard base64, unpadded: `+` and `/` are not of this alphabet", standard.replace("=", ""), "malformed-base64url", tags=["peer:standard-base64"])
    f.token("standard-alphabet-padded", "standard base64 as other libraries write it", standard, "malformed-base64url", tags=["peer:standard-base64"])


def resigned(head, body):
    message = f"{head}.{body}"
    return message + "." + forge.b64url(forge.key("instance").sign(message.encode()))


def standard_base64():
    head = base64.b64encode(forge.compact(header()).encode()).decode()
    body = base64.b64encode(forge.compact(claims(note="???>>>~~~")).encode()).decode()
    assert "+" in body + head or "/" in body + head
    message = f"{head}.{body}"
    return message + "." + base64.b64encode(forge.key("instance").sign(message.encode())).decode()
