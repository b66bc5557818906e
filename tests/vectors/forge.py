"""Makes what the vectors present: base64url, JSON, RSA signatures, key material. Standard library only, no randomness."""

import base64
import functools
import hashlib
import hmac
import json
import pathlib

HERE = pathlib.Path(__file__).parent


# Text

def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64(data):
    return base64.b64encode(data).decode()


def compact(value):
    """JSON as Clerk's backend writes it: no white space, members in the order given, UTF-8 as it is."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def as_bytes(document):
    """A document is given as a value, as JSON text, or as bytes that need not be JSON."""
    if isinstance(document, bytes):
        return document
    return (document if isinstance(document, str) else compact(document)).encode()


# RSA

@functools.cache
def key(name):
    """A key of `keys/`, as numbers. They are test keys, every private exponent of theirs is public."""
    stored = json.loads((HERE / "keys" / f"{name}.json").read_text())
    return RsaKey(stored)


class RsaKey:
    def __init__(self, stored):
        self.n = int(stored["modulus"], 16)
        self.e = stored["public_exponent"]
        self.d = int(stored["private_exponent"], 16)
        self.p = int(stored["prime1"], 16)
        self.q = int(stored["prime2"], 16)
        self.size = (self.n.bit_length() + 7) // 8

    @functools.cache
    def raw(self, number):
        """The private operation, by the two primes (RFC 8017 section 5.1.2)."""
        sp = pow(number % self.p, self.d % (self.p - 1), self.p)
        sq = pow(number % self.q, self.d % (self.q - 1), self.q)
        return sq + self.q * ((sp - sq) * pow(self.q, -1, self.p) % self.p)

    def sign(self, message, algorithm="RS256"):
        """RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.1)."""
        return self.sign_encoded(pkcs1_v15(message, algorithm, self.size))

    def sign_encoded(self, encoded):
        """Signs any encoded message, so that wrong encodings can be made under the right key."""
        return self.raw(int.from_bytes(encoded, "big")).to_bytes(self.size, "big")

    def opens(self, signature, message, algorithm):
        """Whether `signature` is the one over `message`: the public operation, compared whole."""
        number = int.from_bytes(signature, "big")
        if len(signature) != self.size or number >= self.n:
            return False
        return pow(number, self.e, self.n).to_bytes(self.size, "big") == pkcs1_v15(message, algorithm, self.size)


HASHES = {"RS256": hashlib.sha256, "RS384": hashlib.sha384, "RS512": hashlib.sha512}

# DigestInfo up to the digest itself (RFC 8017 section 9.2, note 1).
DIGEST_INFO = {
    "RS256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "RS384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "RS512": bytes.fromhex("3051300d060960864801650304020305000440"),
    "RS1": bytes.fromhex("3021300906052b0e03021a05000414"),
}


def pkcs1_v15(message, algorithm, size):
    """EMSA-PKCS1-v1_5 (RFC 8017 section 9.2)."""
    return padded(DIGEST_INFO[algorithm] + HASHES[algorithm](message).digest(), size)


def padded(digest_info, size):
    return b"\x00\x01" + b"\xff" * (size - len(digest_info) - 3) + b"\x00" + digest_info


def pss(message, bits):
    """EMSA-PSS with SHA-256 and a salt of 32 zero bytes (RFC 8017 section 9.1.1)."""
    salt, size = bytes(32), (bits - 1 + 7) // 8
    digest = hashlib.sha256(bytes(8) + hashlib.sha256(message).digest() + salt).digest()
    block = bytes(size - 32 - 32 - 2) + b"\x01" + salt
    mask = b"".join(hashlib.sha256(digest + i.to_bytes(4, "big")).digest() for i in range(size // 32 + 1))
    masked = bytearray(a ^ b for a, b in zip(block, mask))
    masked[0] &= 0xFF >> (8 * size - (bits - 1))
    return bytes(masked) + digest + b"\xbc"


# Tokens

def join(header, payload, signature):
    return b64url(as_bytes(header)) + "." + b64url(as_bytes(payload)) + "." + b64url(signature)


def signing_input(header, payload):
    return (b64url(as_bytes(header)) + "." + b64url(as_bytes(payload))).encode()


def signed(header, payload, by="instance", algorithm="RS256"):
    """A token with a genuine RSA signature of `algorithm`, whatever its header says."""
    return join(header, payload, key(by).sign(signing_input(header, payload), algorithm))


def authenticated(header, payload, secret, algorithm):
    """A token with an HMAC for a signature."""
    digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[algorithm]
    return join(header, payload, hmac.digest(secret, signing_input(header, payload), digest))


# Key material

def jwk(name, kid, **members):
    """The public key as Clerk publishes it; a member given as None is left out."""
    of = key(name)
    return {
        member: value
        for member, value in {
            "use": "sig",
            "kty": "RSA",
            "kid": kid,
            "alg": "RS256",
            "n": b64url(of.n.to_bytes(of.size, "big")),
            "e": b64url(of.e.to_bytes((of.e.bit_length() + 7) // 8, "big")),
            **members,
        }.items()
        if value is not None
    }


def der(tag, content):
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def der_integer(number):
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")
SHA256_WITH_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")


def pkcs1_der(name):
    of = key(name)
    return der(0x30, der_integer(of.n) + der_integer(of.e))


def spki_der(name, algorithm=RSA_ENCRYPTION):
    return der(0x30, algorithm + der(0x03, b"\x00" + pkcs1_der(name)))


def private_der(name):
    of = key(name)
    numbers = [0, of.n, of.e, of.d, of.p, of.q, of.d % (of.p - 1), of.d % (of.q - 1), pow(of.q, -1, of.p)]
    return der(0x30, b"".join(map(der_integer, numbers)))


def certificate_der(name):
    """A self-signed certificate: version 3, one name, ten years (RFC 5280 section 4.1)."""
    common_name = der(0x30, der(0x31, der(0x30, bytes.fromhex("0603550403") + der(0x0C, b"clerk.example.com"))))
    validity = der(0x30, der(0x17, b"250101000000Z") + der(0x17, b"350101000000Z"))
    body = der(
        0x30,
        der(0xA0, der_integer(2)) + der_integer(1) + SHA256_WITH_RSA + common_name + validity + common_name + spki_der(name),
    )
    return der(0x30, body + SHA256_WITH_RSA + der(0x03, b"\x00" + key(name).sign(body)))


def pem(label, data, newline="\n", width=64):
    text = b64(data)
    lines = [text[i : i + width] for i in range(0, len(text), width)]
    return newline.join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def ssh(name):
    of = key(name)

    def field(data):
        return len(data).to_bytes(4, "big") + data

    def number(value):
        return field(value.to_bytes(value.bit_length() // 8 + 1, "big"))

    return "ssh-rsa " + b64(field(b"ssh-rsa") + number(of.e) + number(of.n))
