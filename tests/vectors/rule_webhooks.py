"""The rule for webhooks: Standard Webhooks, under the names of its specification or those of Svix."""

import base64
import binascii
import hmac
import re

import forge
from rule import require

TOLERANCE_SECS = 300
MAX_BODY_BYTES = 256 * 1024
MAX_ID_BYTES = 256
MAX_SIGNATURES = 32
PARTS = ("id", "timestamp", "signature")


def verify(headers, body, secrets, now):
    """Nothing, or `Refused`. `now` in milliseconds."""
    message_id, timestamp, signatures = triple(headers)
    require(len(message_id) <= MAX_ID_BYTES and re.fullmatch(r"[!-~]+", message_id) and "." not in message_id, "webhook-malformed")
    require(re.fullmatch(r"[1-9][0-9]{0,9}", timestamp), "webhook-malformed")
    require(abs(int(timestamp) - now // 1000) <= TOLERANCE_SECS, "webhook-timestamp-outside")
    require(body, "webhook-malformed")
    require(len(body) <= MAX_BODY_BYTES, "body-too-large")
    require(len(signatures.split(" ")) <= MAX_SIGNATURES, "webhook-malformed")
    content = f"{message_id}.{timestamp}.".encode() + body
    expected = [hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), content, "sha256") for secret in secrets]
    presented = [decoded(entry.removeprefix("v1,")) for entry in signatures.split(" ") if entry.startswith("v1,")]
    require(any(signature in expected for signature in presented), "webhook-signature")


def triple(headers):
    """All three of one brand. One of `svix-` asks for all of `svix-`: ids are never mixed."""
    found = {}
    for name, value in headers:
        name, value = name.lower(), value.strip(" \t")
        if value and name in [f"{brand}-{part}" for brand in ("svix", "webhook") for part in PARTS]:
            require(name not in found, "webhook-malformed")
            found[name] = value
    brand = "svix" if any(name.startswith("svix-") for name in found) else "webhook"
    values = [found.get(f"{brand}-{part}") for part in PARTS]
    require(all(values), "webhook-headers-missing")
    return values


def decoded(text):
    """A signature in its one spelling of 44 characters, else nothing."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if forge.b64(data) == text else None
