"""The signature: RSASSA-PKCS1-v1_5 to the last byte."""

import hashlib

import forge
from families.base import *


def family():
    f = Family("signature", "The signature over exactly these bytes, encoded exactly so.")
    altered(f)
    lengths(f)
    numbers(f)
    encodings(f)
    others(f)
    return f


def wrong(f, name, why, signature, tags=()):
    """The good header and claims with another signature."""
    f.token(name, why, forge.join(header(), claims(), signature), "wrong-signature", tags=tags)


def good_signature():
    return forge.key("instance").sign(forge.signing_input(header(), claims()))


def altered(f):
    good = token()
    head, body, signature = good.split(".")
    f.token("payload-altered", "other claims under a good signature", f"{head}.{forge.b64url(forge.as_bytes(claims(sub='user_attacker')))}.{signature}", "wrong-signature", tags=["attack:13", "attack:28"])
    f.token("payload-white-space", "the same claims, spelled otherwise", f"{head}.{forge.b64url(forge.as_bytes(forge.compact(claims()) + ' '))}.{signature}", "wrong-signature")
    f.token("payload-reordered", "the same claims in another order", f"{head}.{forge.b64url(forge.as_bytes(dict(reversed(claims().items()))))}.{signature}", "wrong-signature")
    f.token("header-altered", "another header under a good signature", f"{forge.b64url(forge.as_bytes(header(x=1)))}.{body}.{signature}", "wrong-signature")
    f.token("header-category-removed", "a header's category can't be taken off", f"{forge.b64url(forge.as_bytes(header(cat=ABSENT)))}.{body}.{signature}", "wrong-signature")
    f.token("signature-of-another-token", "a good signature of other claims", f"{head}.{body}.{token(body=claims(jti='x')).split('.')[2]}", "wrong-signature")
    f.token("other-key", "a stranger's key under our key's name", token(by="other"), "wrong-signature", tags=["attack:41"])
    f.token("expired-other-key", "a bad signature is named before an expired token", token(by="other"), "wrong-signature", now=NOW + 9999, tags=["attack:19"])
    f.token("everything-wrong-other-key", "no claim is judged under a bad signature", token(body=claims(sub=1, sid=1, aud=1, azp=1, exp="x"), by="other"), "wrong-signature", tags=["attack:19"])
    for byte in (0, 1, 127, 254, 255):
        flipped = bytearray(good_signature())
        flipped[byte] ^= 1
        wrong(f, f"bit-flipped-in-byte-{byte}", "one bit of the signature", bytes(flipped))
    for position in (0, len(body) // 2, len(body) - 1):
        text = forge.compact(claims(jti="00000000"))
        changed_text = text.replace("00000000", ("1" if position == 0 else "2" if position == len(body) - 1 else "3") + "0000000")
        f.token(f"claim-character-{position}", "one character of one claim", f"{head}.{forge.b64url(changed_text.encode())}.{forge.signed(header(), text).split('.')[2]}", "wrong-signature")


def lengths(f):
    good = good_signature()
    for name, signature in {
        "one-byte": b"\0",
        "one-byte-one": b"\x01",
        "cut-by-one": good[:-1],
        "cut-in-half": good[:128],
        "cut-at-the-front": good[1:],
        "zero-in-front": b"\0" + good,
        "zero-behind": good + b"\0",
        "twice": good + good,
        "of-1024-bytes": good + bytes(768),
    }.items():
        wrong(f, f"length-{name}", "a signature is as long as the modulus, neither shorter nor longer", signature, ["attack:6"])
    # A token whose genuine signature begins with a zero byte; RSA gives one in 256.
    for i in range(4000):
        body = claims(jti=f"leading-zero-{i}")
        text = token(body=body)
        signature = forge.base64.urlsafe_b64decode(text.split(".")[2] + "==")
        if signature[0] == 0:
            f.token("leading-zero", "a genuine signature whose first byte is zero", text)
            f.token("leading-zero-stripped", "the same without that byte: the number is equal, the signature is not", forge.join(header(), body, signature[1:]), "wrong-signature", tags=["attack:6"])
            break


def numbers(f):
    n = forge.key("instance").n
    for name, number in {"zero": 0, "one": 1, "two": 2, "modulus-minus-one": n - 1, "modulus": n, "modulus-plus-one": n + 1, "largest": 2**2048 - 1, "half": n // 2}.items():
        wrong(f, f"number-{name}", "a number below the modulus whose power is the encoded message, and no other", number.to_bytes(256, "big"))
    # Signature plus modulus: an equal number modulo n, in as many bytes when it fits.
    for i in range(4000):
        body = claims(jti=f"plus-modulus-{i}")
        number = int.from_bytes(forge.key("instance").sign(forge.signing_input(header(), body)), "big") + n
        if number < 2**2048:
            f.token("signature-plus-modulus", "a second spelling of a genuine signature", forge.join(header(), body, number.to_bytes(256, "big")), "wrong-signature")
            break
    negated = n - int.from_bytes(good_signature(), "big")
    wrong(f, "negated", "the negative of a genuine signature", negated.to_bytes(256, "big"))
    flipped = good_signature()[::-1]
    wrong(f, "little-endian", "a genuine signature back to front", flipped)


def encodings(f):
    """Signed with the right key, in an encoding that is not the one of RFC 8017 section 9.2."""
    message, of = forge.signing_input(header(), claims()), forge.key("instance")
    digest = hashlib.sha256(message).digest()
    prefix = forge.DIGEST_INFO["RS256"]
    right = forge.pkcs1_v15(message, "RS256", 256)
    no_null = forge.der(0x30, forge.der(0x30, bytes.fromhex("0609608648016503040201")) + forge.der(0x04, digest))
    ber_length = bytes.fromhex("308131300d0609608648016503040201050004") + b"\x20" + digest
    indefinite = bytes.fromhex("3080300d060960864801650304020105000420") + digest + b"\0\0"
    parameters = forge.der(0x30, forge.der(0x30, bytes.fromhex("0609608648016503040201") + forge.der(0x04, b"x")) + forge.der(0x04, digest))
    garbage = 256 - 3 - 8 - len(prefix) - 32
    cases = {
        "no-null": (forge.padded(no_null, 256), "the parameter NULL left out"),
        "ber-long-length": (forge.padded(ber_length, 256), "a length in more bytes than it needs"),
        "ber-indefinite": (forge.padded(indefinite, 256), "an indefinite length"),
        "other-parameters": (forge.padded(parameters, 256), "other parameters than NULL"),
        "garbage-after": (b"\x00\x01" + b"\xff" * 8 + b"\x00" + prefix + digest + b"x" * garbage, "a short padding, and garbage after the digest"),
        "garbage-in-parameters": (b"\x00\x01" + b"\xff" * 8 + b"\x00" + forge.der(0x30, forge.der(0x30, bytes.fromhex("0609608648016503040201") + forge.der(0x04, b"x" * (garbage - 4))) + forge.der(0x04, digest)).rjust(245, b"\x00")[:245], "garbage inside the parameters"),
        "padding-not-ff": (right[:10] + b"\xfe" + right[11:], "one padding byte that is not FF"),
        "padding-last-byte": (right[:203] + b"\xfe" + right[204:], "the last padding byte is not FF") ,
        "separator-not-zero": (right[:204] + b"\x01" + right[205:], "another separator"),
        "separator-early": (right[:50] + b"\x00" + right[51:], "the separator early"),
        "block-type-0": (b"\x00\x00" + b"\x00" * 202 + right[204:], "block type 0"),
        "block-type-2": (b"\x00\x02" + right[2:], "block type 2, which is that of encryption"),
        "first-byte-1": (b"\x01" + right[1:], "a first byte that is not zero"),
        "no-digest-info": (b"\x00\x01" + b"\xff" * 221 + b"\x00" + digest, "the digest without its DigestInfo"),
        "digest-cut": (forge.padded(prefix + digest[:-1], 256), "a digest cut by one byte"),
        "digest-longer": (forge.padded(prefix + digest + b"\0", 256), "a digest with a byte more"),
        "digest-zero": (forge.padded(prefix + bytes(32), 256), "a digest of zeros"),
        "digest-of-nothing": (forge.padded(prefix + hashlib.sha256(b"").digest(), 256), "the digest of nothing"),
        "digest-of-payload": (forge.padded(prefix + hashlib.sha256(message.split(b".")[1]).digest(), 256), "the digest of the payload alone"),
        "digest-of-header": (forge.padded(prefix + hashlib.sha256(message.split(b".")[0]).digest(), 256), "the digest of the header alone"),
        "digest-of-decoded": (forge.padded(prefix + hashlib.sha256(forge.as_bytes(header()) + b"." + forge.as_bytes(claims())).digest(), 256), "the digest of the decoded text"),
        "digest-with-dot": (forge.padded(prefix + hashlib.sha256(message + b".").digest(), 256), "the digest of the text with its second dot"),
        "digest-twice": (forge.padded(prefix + hashlib.sha256(digest).digest(), 256), "the digest of the digest"),
        "sha512-256": (forge.padded(bytes.fromhex("3031300d060960864801650304020605000420") + hashlib.new("sha256", message).digest(), 256), "another hash's name over this hash's digest"),
        "sha1": (forge.padded(forge.DIGEST_INFO["RS1"] + hashlib.sha1(message).digest(), 256), "SHA-1"),
        "md5-sha1": (forge.padded(hashlib.md5(message).digest() + hashlib.sha1(message).digest(), 256), "the TLS 1.0 form"),
        "sha384": (forge.pkcs1_v15(message, "RS384", 256), "SHA-384 under a header that says RS256"),
        "sha512": (forge.pkcs1_v15(message, "RS512", 256), "SHA-512 under a header that says RS256"),
        "pss": (forge.pss(message, 2048), "RSA-PSS under a header that says RS256"),
        "raw-message": (message[-255:].rjust(256, b"\0"), "the message itself, unhashed"),
    }
    for name, (encoded, why) in cases.items():
        assert len(encoded) == 256, name
        wrong(f, f"encoded-{name}", f"{why}: the encoded message is compared whole", of.sign_encoded(encoded))


def others(f):
    message = forge.signing_input(header(), claims())
    wrong(f, "of-3072-bit-key", "a signature of a larger key", forge.key("rsa-3072").sign(message))
    wrong(f, "of-1024-bit-key", "a signature of a smaller key", forge.key("rsa-1024").sign(message))
    wrong(f, "of-exponent-3-key", "a signature of a key with another exponent", forge.key("exponent-3").sign(message))
    cube = cube_root_forgery(message)
    wrong(f, "cube-root", "a cube whose front looks right: good against a lax check with exponent 3", cube)
    f.token("cube-root-exponent-3", "the same where the key has exponent 3: the key itself is refused", forge.join(header(), claims(), cube), "unknown-kid", keys={"jwks": {"keys": [forge.jwk("exponent-3", KID)]}})
    f.token("encoded-text-as-signature", "text in the place of a signature", ".".join([*token().split(".")[:2], "signature"]), "malformed-base64url")
    wrong(f, "text-as-signature", "text in the place of a signature, as base64url", b"signature")


def cube_root_forgery(message):
    """Bleichenbacher's: a number whose cube begins with a short padding and the right DigestInfo."""
    front = b"\x00\x01" + b"\xff" * 8 + b"\x00" + forge.DIGEST_INFO["RS256"] + hashlib.sha256(message).digest()
    target = int.from_bytes(front.ljust(256, b"\0"), "big")
    low, high = 0, 1 << 700
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**3 < target else (low, middle)
    return low.to_bytes(256, "big")
