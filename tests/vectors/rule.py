"""The rule: what a verifier of Clerk session tokens must answer, stated once, in a second language.

Nothing here calls the engine or was recorded from it. Every case states its own expectation; the generator refuses to
write one with which this file disagrees. Times are milliseconds since 1970 unless a name says otherwise.
"""

import base64
import re

import forge

MAX_TOKEN_BYTES = 32 * 1024
MAX_HEADER_BYTES = 4096
MAX_KID_BYTES = 128
MAX_DEPTH = 16
MAX_MEMBERS = 1024
MAX_JWKS_BYTES = 256 * 1024
MAX_JWKS_KEYS = 32
MAX_TIME_SECS = 8_640_000_000_000
MAX_LIFETIME = 3600 * 1000
DEFAULT_SKEW_SECS = 5

# Clerk's word for each code.
REASONS = {
    "token-missing": "session-token-and-uat-missing",
    "authorization-malformed": "token-invalid",
    "cookie-auth-off": "session-token-and-uat-missing",
    "token-is-null": "token-invalid",
    "key-instead-of-token": "token-invalid",
    "machine-token": "token-type-mismatch",
    "oauth-token": "token-type-mismatch",
    "token-too-large": "token-invalid",
    "encrypted-token": "token-invalid",
    "malformed-token": "token-invalid",
    "malformed-base64url": "token-invalid",
    "header-too-large": "token-invalid",
    "malformed-json": "token-invalid",
    "duplicate-member": "token-invalid",
    "json-too-deep": "token-invalid",
    "too-many-members": "token-invalid",
    "wrong-typ": "token-invalid",
    "template-token": "token-type-mismatch",
    "unknown-category": "token-type-mismatch",
    "unsupported-algorithm": "token-invalid-algorithm",
    "critical-header": "token-invalid",
    "unsupported-header": "token-invalid",
    "missing-kid": "token-invalid",
    "malformed-kid": "token-invalid",
    "missing-iss": "token-invalid-issuer",
    "malformed-iss": "token-invalid-issuer",
    "wrong-iss": "token-invalid-issuer",
    "unknown-kid": "jwk-kid-mismatch",
    "denied-kid": "jwk-kid-mismatch",
    "key-algorithm-mismatch": "token-verification-failed",
    "keys-unavailable": "jwk-remote-failed-to-load",
    "wrong-signature": "token-invalid-signature",
    "missing-sub": "token-verification-failed",
    "malformed-sub": "token-verification-failed",
    "missing-sid": "token-verification-failed",
    "malformed-sid": "token-verification-failed",
    "missing-aud": "token-verification-failed",
    "malformed-aud": "token-verification-failed",
    "wrong-aud": "token-verification-failed",
    "missing-azp": "token-invalid-authorized-parties",
    "malformed-azp": "token-invalid-authorized-parties",
    "wrong-azp": "token-invalid-authorized-parties",
    "missing-exp": "token-verification-failed",
    "malformed-exp": "token-verification-failed",
    "token-expired": "token-expired",
    "malformed-nbf": "token-verification-failed",
    "token-not-active-yet": "token-not-active-yet",
    "malformed-iat": "token-verification-failed",
    "token-iat-in-the-future": "token-iat-in-the-future",
    "lifetime-too-long": "token-verification-failed",
    "malformed-sts": "token-verification-failed",
    "session-pending": "token-verification-failed",
    "malformed-act": "token-verification-failed",
    "session-without-client-uat": "session-token-but-no-client-uat",
    "client-uat-without-session": "client-uat-but-no-session-token",
    "session-older-than-client-uat": "session-token-iat-before-client-uat",
    "origin-refused": "token-invalid-authorized-parties",
    "session-revoked": "token-verification-failed",
    "user-banned": "token-verification-failed",
    "user-deleted": "token-verification-failed",
    "user-inactive": "token-verification-failed",
    "unverified-principal": "token-verification-failed",
    "not-allowed": "token-verification-failed",
    "reverification-required": "token-verification-failed",
    "webhook-headers-missing": "token-invalid",
    "webhook-timestamp-outside": "token-invalid",
    "webhook-signature": "token-invalid-signature",
    "webhook-malformed": "token-invalid",
    "malformed-body": "unexpected-error",
    "https-required": "unexpected-error",
    "not-found": "unexpected-error",
    "method-not-allowed": "unexpected-error",
    "request-timeout": "unexpected-error",
    "body-too-large": "unexpected-error",
    "unsupported-media-type": "unexpected-error",
    "too-many-requests": "unexpected-error",
    "headers-too-large": "unexpected-error",
    "internal-error": "unexpected-error",
    "store-unavailable": "unexpected-error",
    "overloaded": "unexpected-error",
    "engine-unavailable": "unexpected-error",
}


class Refused(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


def require(condition, code):
    if not condition:
        raise Refused(code)


# JSON, as RFC 8259 has it and no looser

class Number:
    """A number as it was written."""

    def __init__(self, text):
        self.text = text
        sign, whole, fraction, exponent = re.fullmatch(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?", text).groups()
        self.negative = sign == "-"
        self.digits = (whole + (fraction or "")).lstrip("0")
        self.point = len(self.digits) - len(fraction or "") + int(exponent or 0)

    def truncated(self):
        """Toward zero; None when it is of more than 20 digits, which is beyond every bound here."""
        if not self.digits or self.point <= 0:
            return 0
        if self.point > 20:
            return None
        size = int(self.digits[: self.point].ljust(self.point, "0"))
        return -size if self.negative else size

    def is_negative(self):
        """Less than zero: `-0` is not, however it is written."""
        return self.negative and self.digits != ""

    def is_one_in_size(self):
        return self.digits.rstrip("0") == "1" and self.point == 1


class Scanner:
    """Reads one document from the left; the first offence that it meets is the verdict."""

    def __init__(self, data):
        self.data, self.at, self.depth, self.members = data, 0, 0, 0
        self.max_depth = MAX_DEPTH

    def document(self):
        self.blank()
        value = self.value()
        self.blank()
        self.need(self.at == len(self.data))
        return value

    def need(self, condition):
        require(condition, "malformed-json")

    def peek(self):
        self.need(self.at < len(self.data))
        return self.data[self.at]

    def blank(self):
        while self.at < len(self.data) and self.data[self.at] in b" \t\n\r":
            self.at += 1

    def literal(self, text):
        self.need(self.data.startswith(text, self.at))
        self.at += len(text)

    def value(self):
        first = self.peek()
        if first == ord("{"):
            return self.object()
        if first == ord("["):
            return self.list()
        if first == ord('"'):
            return self.string()
        for text, value in ((b"true", True), (b"false", False), (b"null", None)):
            if first == text[0]:
                self.literal(text)
                return value
        return self.number()

    def enter(self):
        self.at += 1
        self.depth += 1
        require(self.depth <= self.max_depth, "json-too-deep")
        self.blank()

    def leave(self):
        self.at += 1
        self.depth -= 1

    def object(self):
        start = self.at
        self.enter()
        found = self.new_object()
        if self.peek() == ord("}"):
            self.leave()
            return found
        while True:
            self.need(self.peek() == ord('"'))
            name = self.name(found)
            self.blank()
            self.literal(b":")
            self.blank()
            self.take(found, name, self.value())
            self.blank()
            if self.peek() == ord("}"):
                self.leave()
                return self.whole_object(found, start)
            self.literal(b",")
            self.blank()

    def new_object(self):
        return {}

    def name(self, found):
        name = self.string()
        self.members += 1
        require(name not in found, "duplicate-member")
        require(self.members <= MAX_MEMBERS, "too-many-members")
        return name

    def take(self, found, name, value):
        found[name] = value

    def whole_object(self, found, start):
        return found

    def list(self):
        self.enter()
        found = []
        if self.peek() == ord("]"):
            self.leave()
            return found
        while True:
            found.append(self.value())
            self.blank()
            if self.peek() == ord("]"):
                self.leave()
                return found
            self.literal(b",")
            self.blank()

    def number(self):
        match = re.compile(rb"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?").match(self.data, self.at)
        self.need(match)
        self.at = match.end()
        return Number(match[0].decode())

    def string(self):
        self.at += 1
        text = bytearray()
        while True:
            byte = self.peek()
            if byte == ord('"'):
                self.at += 1
                return text.decode()
            self.need(byte >= 0x20)
            if byte == ord("\\"):
                text += self.escape().encode()
            else:
                text += self.character()

    def character(self):
        """One character of UTF-8, in its shortest form, no surrogate."""
        for size in (1, 2, 3, 4):
            piece = self.data[self.at : self.at + size]
            try:
                piece.decode()
            except UnicodeDecodeError:
                continue
            self.at += size
            return piece
        self.need(False)

    def escape(self):
        self.at += 1
        letter = chr(self.peek())
        self.at += 1
        if letter == "u":
            return self.unicode_escape()
        self.need(letter in '"\\/bfnrt')
        return {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}.get(letter, letter)

    def unicode_escape(self):
        unit = self.hex4()
        if 0xD800 <= unit < 0xDC00:
            self.literal(b"\\u")
            low = self.hex4()
            self.need(0xDC00 <= low < 0xE000)
            return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
        self.need(not 0xDC00 <= unit < 0xE000)
        return chr(unit)

    def hex4(self):
        digits = self.data[self.at : self.at + 4]
        self.need(re.fullmatch(rb"[0-9A-Fa-f]{4}", digits))
        self.at += 4
        return int(digits, 16)


class Half(str):
    """A text with half of a surrogate pair in it: it is nobody's name."""

    def __eq__(self, other):
        return False

    __hash__ = str.__hash__


class Entry:
    """An object in a document that is read for its outline: what it is written as, and its members, each as often as it occurs."""

    def __init__(self):
        self.members, self.raw = [], b""


class OutlineScanner(Scanner):
    """Reads a document whose entries are judged each on its own: what lies in it need only be JSON by the grammar."""

    def __init__(self, data):
        super().__init__(data)
        self.max_depth = len(data)

    def new_object(self):
        return {} if self.depth == 1 else Entry()

    def name(self, found):
        if self.depth == 1:
            name = super().name(found)
            self.need(not isinstance(name, Half))
            return name
        return self.string()

    def take(self, found, name, value):
        if self.depth == 1:
            super().take(found, name, value)
        else:
            found.members.append((name, value))

    def whole_object(self, found, start):
        if isinstance(found, Entry):
            found.raw = self.data[start : self.at]
        return found

    def string(self):
        self.has_half = False
        text = super().string()
        return Half(text) if self.has_half else text

    def unicode_escape(self):
        start = self.at
        try:
            return super().unicode_escape()
        except Refused:
            self.at = start
            self.hex4()
            self.has_half = True
            return "\ufffd"


def json_object(data):
    value = Scanner(data).document()
    require(isinstance(value, dict), "malformed-json")
    return value


# Step 1: what was presented

def canonical_base64url(text):
    require(re.fullmatch(r"[A-Za-z0-9_-]+", text) and len(text) % 4 != 1, "malformed-base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    require(forge.b64url(data) == text, "malformed-base64url")
    return data


def judge_presented(token):
    require(token, "token-missing")
    require(len(token.encode()) <= MAX_TOKEN_BYTES, "token-too-large")
    require(token not in ("null", "undefined"), "token-is-null")
    require(not token.startswith(("sk_", "pk_")), "key-instead-of-token")
    require(not token.startswith(("mt_", "ak_")), "machine-token")
    require(not token.startswith("oat_"), "oauth-token")


def take_apart(token):
    judge_presented(token)
    parts = token.split(".")
    require(len(parts) != 5, "encrypted-token")
    require(len(parts) == 3 and all(parts), "malformed-token")
    header, payload, signature = map(canonical_base64url, parts)
    require(len(header) <= MAX_HEADER_BYTES, "header-too-large")
    return json_object(header), json_object(payload), signature, token.rpartition(".")[0].encode()


# Step 2: the header

SESSION, TEMPLATE, MACHINE, OPTED_OUT = "cl_B7d4PD111AAA", "cl_B7d4PD222AAA", "cl_B7d4PD333AAA", "cl_I7d4PD111III"
UNSUPPORTED = ("b64", "zip", "enc", "p2c", "p2s", "epk")


def judge_header(header, payload, policy):
    typ = header.get("typ", "JWT")
    require(typ not in ("at+jwt", "application/at+jwt"), "oauth-token")
    require(typ == "JWT", "wrong-typ")
    category = header.get("cat", OPTED_OUT)
    require(category != TEMPLATE or "templateAudience" in policy, "template-token")
    require(category != MACHINE, "machine-token")
    require(category in (SESSION, TEMPLATE, OPTED_OUT), "unknown-category")
    algorithm = header.get("alg")
    require(isinstance(algorithm, str) and algorithm in policy.get("algorithms", ["RS256"]), "unsupported-algorithm")
    require("crit" not in header, "critical-header")
    require(not any(name in header for name in UNSUPPORTED), "unsupported-header")
    require("kid" in header, "missing-kid")
    kid = header["kid"]
    require(isinstance(kid, str) and 0 < len(kid.encode()) <= MAX_KID_BYTES, "malformed-kid")
    subject = payload.get("sub")
    require(not (isinstance(subject, str) and subject.startswith("mch_")), "machine-token")
    return category, algorithm, kid


# Step 3: the issuer

def judge_issuer(payload, policy):
    require("iss" in payload, "missing-iss")
    require(isinstance(payload["iss"], str), "malformed-iss")
    require(payload["iss"] in [policy["issuer"], *policy.get("issuerAliases", [])], "wrong-iss")


# Steps 4 and 5: the key and the signature

class Key:
    def __init__(self, n, algorithm):
        self.n, self.e, self.size, self.algorithm = n, 65537, (n.bit_length() + 7) // 8, algorithm

    opens = forge.RsaKey.opens


def usable_modulus(n):
    return n % 2 == 1 and 2048 <= n.bit_length() <= 8192


PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")


def usable_jwk(item):
    """An entry's name and its key, read as a document of its own, or None when the entry is refused. One bad entry never spoils
    the others."""
    try:
        entry = json_object(item.raw) if isinstance(item, Entry) else {}
    except Refused:
        return None
    if any(member in entry for member in PRIVATE_MEMBERS):
        return None
    kid, n, ops = entry.get("kid"), entry.get("n"), entry.get("key_ops", ["verify"])
    if not (isinstance(kid, str) and 0 < len(kid.encode()) <= MAX_KID_BYTES):
        return None
    if entry.get("kty") != "RSA" or entry.get("use", "sig") != "sig" or entry.get("e") != "AQAB":
        return None
    if entry.get("alg") not in ("RS256", "RS384", "RS512"):
        return None
    if not (isinstance(ops, list) and "verify" in [op for op in ops if isinstance(op, str)]):
        return None
    if not isinstance(n, str):
        return None
    try:
        modulus = canonical_base64url(n)
    except Refused:
        return None
    if modulus[0] == 0 or not usable_modulus(int.from_bytes(modulus, "big")):
        return None
    return kid, Key(int.from_bytes(modulus, "big"), entry["alg"])


def private_names(item):
    """The names of a private key, whatever else is wrong with it: a public key of such a name is none, since anybody may have
    signed with it."""
    if not isinstance(item, Entry) or not any(name == private for name, _ in item.members for private in PRIVATE_MEMBERS):
        return set()
    return {value for name, value in item.members if name == "kid" and isinstance(value, str) and not isinstance(value, Half)}


def key_set(text):
    """A JWKS as published: `kid` to key. Refused as a document, it leaves nothing to judge by."""
    data = text.encode()
    require(len(data) <= MAX_JWKS_BYTES, "keys-unavailable")
    try:
        document = OutlineScanner(data).document()
    except Refused:
        raise Refused("keys-unavailable") from None
    require(isinstance(document, dict) and isinstance(document.get("keys"), list), "keys-unavailable")
    require(len(document["keys"]) <= MAX_JWKS_KEYS, "keys-unavailable")
    keys, seen = {}, set().union(*map(private_names, document["keys"]))
    for kid, key in filter(None, map(usable_jwk, document["keys"])):
        if kid in seen:
            keys.pop(kid, None)
            continue
        seen.add(kid)
        keys[kid] = key
    return keys


def chosen_key(keys, kid, policy):
    """`keys` is a JWKS, the name of a test key that was configured without a `kid`, or None: none could be had."""
    require(kid not in policy.get("denyKids", []), "denied-kid")
    require(keys is not None, "keys-unavailable")
    if isinstance(keys, str):
        n = forge.key(keys).n
        require(usable_modulus(n) and forge.key(keys).e == 65537, "keys-unavailable")
        return Key(n, "RS256")
    jwks = keys["jwks"]
    found = key_set(jwks if isinstance(jwks, str) else forge.compact(jwks)).get(kid)
    require(found, "unknown-kid")
    return found


# Step 6: the claims

def is_text(value):
    return isinstance(value, str) and value != ""


def judge_subject(payload):
    require("sub" in payload, "missing-sub")
    subject = payload["sub"]
    require(isinstance(subject, str) and re.fullmatch(r"user_[A-Za-z0-9_-]{1,123}", subject), "malformed-sub")


def judge_session(payload, is_template):
    require("sid" in payload or is_template, "missing-sid")
    if "sid" in payload:
        session = payload["sid"]
        require(isinstance(session, str) and re.fullmatch(r"[!-~]{1,128}", session), "malformed-sid")


def judge_audience(payload, policy, is_template):
    wanted = policy.get("templateAudience")
    if "aud" not in payload:
        require(not is_template, "missing-aud")
        return
    audience = payload["aud"]
    named = audience if isinstance(audience, list) else [audience]
    require(named and all(map(is_text, named)), "malformed-aud")
    require(wanted is not None and wanted in named, "wrong-aud")


def matches(pattern, origin):
    """One `*` stands for one or more of a-z, 0-9 and `-`, so it never crosses a dot."""
    before, star, after = pattern.partition("*")
    if not star:
        return pattern == origin
    return re.fullmatch(re.escape(before) + "[a-z0-9-]+" + re.escape(after), origin) is not None


def judge_party(payload, policy):
    if "azp" not in payload:
        require(policy.get("missingAzp", "refuse") == "allow", "missing-azp")
        return
    party, parties = payload["azp"], policy["authorizedParties"]
    require(is_text(party), "malformed-azp")
    require(parties == "any party" or any(matches(pattern, party) for pattern in parties), "wrong-azp")


def seconds(payload, claim):
    """A time claim, truncated toward zero, in seconds; None when absent."""
    if claim not in payload:
        return None
    value = payload[claim].truncated() if isinstance(payload[claim], Number) else None
    require(value is not None and 0 <= value <= MAX_TIME_SECS, f"malformed-{claim}")
    return value


def judge_times(payload, policy, now):
    skew = round(policy.get("clockSkewSecs", DEFAULT_SKEW_SECS) * 1000)
    require("exp" in payload, "missing-exp")
    expires = seconds(payload, "exp") * 1000
    require(now < expires + skew, "token-expired")
    if (begins := seconds(payload, "nbf")) is not None:
        require(begins * 1000 <= now + skew, "token-not-active-yet")
    if (issued := seconds(payload, "iat")) is not None:
        require(issued * 1000 <= now + skew, "token-iat-in-the-future")
    since = now if issued is None else issued * 1000
    require(expires - since <= MAX_LIFETIME, "lifetime-too-long")


def judge_status(payload, policy):
    status = payload.get("sts", "active")
    require(status in ("active", "pending"), "malformed-sts")
    require(status == "active" or policy.get("acceptPending", False), "session-pending")


def judge_actor(payload):
    if "act" in payload:
        require(isinstance(payload["act"], dict) and is_text(payload["act"].get("sub")), "malformed-act")


def verify(token, keys, policy, now):
    """The whole way. The principal, or `Refused`."""
    return verify_screened(screen(token, policy), keys, policy, now)


def screen(token, policy):
    """Steps 1 to 3: what needs no key."""
    header, payload, signature, message = take_apart(token)
    category, algorithm, kid = judge_header(header, payload, policy)
    judge_issuer(payload, policy)
    return payload, signature, message, category, algorithm, kid


def verify_screened(screened, keys, policy, now):
    payload, signature, message, category, algorithm, kid = screened
    key = chosen_key(keys, kid, policy)
    require(key.algorithm == algorithm, "key-algorithm-mismatch")
    require(key.opens(signature, message, algorithm), "wrong-signature")
    is_template = "templateAudience" in policy and (
        category == TEMPLATE or (category == OPTED_OUT and "sid" not in payload)
    )
    judge_subject(payload)
    judge_session(payload, is_template)
    judge_audience(payload, policy, is_template)
    judge_party(payload, policy)
    judge_times(payload, policy, now)
    judge_status(payload, policy)
    judge_actor(payload)
    return principal(payload, kid)


# Who a verified token stands for

def principal(payload, kid):
    return {
        "key_id": kid,
        "user_id": payload["sub"],
        "session_id": payload.get("sid"),
        "issuer": payload["iss"],
        "authorized_party": payload.get("azp"),
        "expires_at": seconds(payload, "exp"),
        "issued_at": seconds(payload, "iat"),
        "organization": organization(payload),
        "features": scoped(payload, "fea"),
        "plans": scoped(payload, "pla"),
        "factor_ages": factor_ages(payload),
        "pending": payload.get("sts") == "pending",
        "impersonator": impersonator(payload),
    }


def impersonator(payload):
    if "act" not in payload:
        return None
    act = payload["act"]
    return {"user_id": act["sub"], "issuer": text_or_none(act.get("iss")), "session_id": text_or_none(act.get("sid"))}


def is_version_2(payload):
    return isinstance(payload.get("v"), Number) and payload["v"].text == "2"


def text_or_none(value):
    return value if is_text(value) else None


def with_prefix(role):
    return None if role is None else role if role.startswith("org:") else "org:" + role


def organization(payload):
    if is_version_2(payload):
        org = payload.get("o")
        if not (isinstance(org, dict) and is_text(org.get("id"))):
            return None
        permissions, disputed = unpacked_permissions(payload)
        return {
            "id": org["id"],
            "slug": text_or_none(org.get("slg")),
            "role": with_prefix(text_or_none(org.get("rol"))),
            "permissions": permissions,
            "permissions_disputed": disputed,
        }
    if not is_text(payload.get("org_id")):
        return None
    permissions = payload.get("org_permissions")
    return {
        "id": payload["org_id"],
        "slug": text_or_none(payload.get("org_slug")),
        "role": with_prefix(text_or_none(payload.get("org_role"))),
        "permissions": [p for p in permissions if is_text(p)] if isinstance(permissions, list) else [],
        "permissions_disputed": False,
    }


def elements(payload, claim):
    """`fea` and `pla`: pairs of scope letters and slug, in order; what is not `<scope>:<slug>` has no scope."""
    text = payload.get(claim)
    if not isinstance(text, str):
        return []
    pairs = [element.strip().partition(":") for element in text.split(",")]
    return [(scope if scope in ("o", "u", "uo", "ou") and slug else "", slug) for scope, _, slug in pairs]


def scoped(payload, claim):
    pairs = elements(payload, claim) if is_version_2(payload) else []
    return {
        "organization": [slug for scope, slug in pairs if "o" in scope],
        "user": [slug for scope, slug in pairs if "u" in scope],
    }


def unpacked_permissions(payload):
    """Clerk's decoders number the masks in two ways. What both grant by the same element of `fea` is granted, and that they
    differ is said."""
    org, pairs = payload["o"], elements(payload, "fea")
    if not (isinstance(org.get("per"), str) and isinstance(org.get("fpm"), str)):
        return [], False
    names = [name.strip() for name in org["per"].split(",")]
    masks = [mask.strip() for mask in org["fpm"].split(",")]

    def allows(index, bit):
        return index < len(masks) and re.fullmatch(r"[0-9]+", masks[index]) is not None and int(masks[index]) >> bit & 1 == 1

    permissions, disputed = [], False
    positions = [position for position, (scope, _) in enumerate(pairs) if "o" in scope]
    for among_organization_features, position in enumerate(positions):
        for bit, name in enumerate(names):
            if name:
                readings = {allows(among_organization_features, bit), allows(position, bit)}
                disputed = disputed or len(readings) == 2
                if readings == {True}:
                    permissions.append(f"org:{pairs[position][1]}:{name}")
    return permissions, disputed


def factor_ages(payload):
    ages = payload.get("fva")
    if not (isinstance(ages, list) and len(ages) == 2 and all(isinstance(age, Number) for age in ages)):
        return None
    minutes = [age_in_minutes(age) for age in ages]
    return None if None in minutes else minutes


def age_in_minutes(number):
    """-1 for never. Any other number below zero is no age, and one of 1e15 minutes and more is beyond every clock."""
    if number.is_negative():
        return -1 if number.is_one_in_size() else None
    minutes = number.truncated()
    return minutes if minutes is not None and minutes < 10**15 else None


# What a principal may do: `has()`

PRESETS = {
    "strict": ("second_factor", 10),
    "strict_mfa": ("multi_factor", 10),
    "moderate": ("second_factor", 60),
    "lax": ("second_factor", 1440),
}


def has(who, asked):
    """Every dimension asked for must hold; nothing asked for is no."""
    tests = {"role": has_role, "permission": has_permission, "feature": has_listed("features"), "plan": has_listed("plans"), "reverification": is_fresh}
    return bool(asked) and all(tests[dimension](who, wanted) for dimension, wanted in asked.items())


def has_role(who, wanted):
    org = who["organization"]
    return org is not None and org["role"] is not None and names_something(wanted) and org["role"] == with_prefix(wanted)


def has_permission(who, wanted):
    org = who["organization"]
    return org is not None and names_something(wanted) and with_prefix(wanted) in map(with_prefix, org["permissions"])


def names_something(wanted):
    """A role or a permission without a name is nobody's, also where a token has one."""
    return wanted.removeprefix("org:") != ""


def has_listed(kind):
    def test(who, wanted):
        scope, colon, slug = wanted.partition(":")
        if not colon:
            return wanted in who[kind]["organization"] + who[kind]["user"]
        if scope in ("o", "org", "organization"):
            return slug in who[kind]["organization"]
        return scope in ("u", "user") and slug in who[kind]["user"]

    return test


def is_fresh(who, wanted):
    if who["factor_ages"] is None:
        return False
    level, limit = PRESETS[wanted] if isinstance(wanted, str) else (wanted["level"], wanted["afterMinutes"])
    first, second = who["factor_ages"]
    if level == "multi_factor":
        needed = [first] if second == -1 else [first, second]
    elif level == "second_factor":
        needed = [first if second == -1 else second]
    else:
        needed = [second if first == -1 else first]
    return all(0 <= age < limit for age in needed)
