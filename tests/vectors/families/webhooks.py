"""Webhooks: genuine, of now, unchanged."""

import hmac

import forge
from families.base import *

# Made here for the vectors; nobody's endpoint has them.
SECRET = "whsec_" + forge.b64(bytes(range(32)))
OTHER = "whsec_" + forge.b64(bytes(range(100, 132)))
ID = "msg_2NNEqL5qWxZzY1mK8vTbJcRdSf"
SENT = NOW - 10
BODY = '{"data":{"id":"user_2NNEqL2nrIRdJ194ndJqAHwEfxC","object":"user"},"object":"event","type":"user.updated","timestamp":1768478410000}'


def sign(body=BODY, secret=SECRET, message_id=ID, sent=str(SENT)):
    key = forge.base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + forge.b64(hmac.digest(key, f"{message_id}.{sent}.{body}".encode(), "sha256"))


def triple(message_id=ID, sent=str(SENT), signature=None, brand="svix"):
    signature = sign(message_id=message_id, sent=sent) if signature is None else signature
    return [[f"{brand}-id", message_id], [f"{brand}-timestamp", sent], [f"{brand}-signature", signature]]


def family():
    f = Family("webhooks", "A webhook's headers and body against the endpoint's secrets.")
    genuine(f)
    headers(f)
    times(f)
    ids(f)
    signatures(f)
    bodies(f)
    secrets(f)
    return f


def case(f, name, why, headers, code="ok", body=BODY, secrets=(SECRET,), now=NOW, tags=("attack:51",)):
    f.webhook(name, why, headers, body, list(secrets), code, now, tags)


def genuine(f):
    case(f, "genuine", "as Svix names its headers", triple())
    case(f, "genuine-standard", "as Standard Webhooks names them", triple(brand="webhook"))
    case(f, "genuine-other-case", "names of headers have no case", [[name.title(), value] for name, value in triple()])
    case(f, "genuine-blanks", "blanks around a header's value are not part of it", [[name, f" \t{value} "] for name, value in triple()])
    case(f, "genuine-both", "both kinds, whole", triple() + triple(brand="webhook"))
    case(f, "genuine-among-others", "other headers beside them", [["host", "api.example.com"], ["content-type", "application/json"], ["user-agent", "Svix-Webhooks/1.0"], *triple()])
    case(f, "genuine-replayed", "within five minutes the same delivery is genuine again: its id is the receiver's to keep", triple(), now=NOW + 60)
    # The example of the Standard Webhooks specification, as its libraries' tests have it.
    example = [["webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"], ["webhook-timestamp", "1614265330"], ["webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="]]
    case(f, "specification-example", "the example of the specification", example, body='{"test": 2432232314}', secrets=["whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], now=1614265330)


def headers(f):
    for brand in ("svix", "webhook"):
        for index, part in enumerate(("id", "timestamp", "signature")):
            whole = triple(brand=brand)
            case(f, f"{brand}-{part}-missing", "all three or none", whole[:index] + whole[index + 1 :], "webhook-headers-missing")
            for name, value in {"empty": "", "blank": " \t"}.items():
                blank = [list(header) for header in whole]
                blank[index][1] = value
                case(f, f"{brand}-{part}-{name}", "an empty header is a missing one", blank, "webhook-headers-missing")
            case(f, f"{brand}-{part}-twice", "which of two is meant, nobody can tell", whole + [whole[index]], "webhook-malformed")
    for index, part in enumerate(("id", "timestamp", "signature")):
        mixed = triple()
        mixed[index] = triple(brand="webhook")[index]
        case(f, f"mixed-{part}", "one triple, never a mixture: the id that is kept must be the id that was signed", mixed, "webhook-headers-missing")
        case(f, f"stray-{part}", "a stray header of the other kind might be what somebody else reads", triple(brand="webhook") + [triple()[index]], "webhook-headers-missing")
    case(f, "none", "no headers at all", [], "webhook-headers-missing")
    case(f, "other-names", "headers of another sender", [["x-hub-signature-256", "sha256=00"], ["stripe-signature", "t=1,v1=00"]], "webhook-headers-missing")


def times(f):
    for offset, code in ((-301, "webhook-timestamp-outside"), (-300, "ok"), (-299, "ok"), (0, "ok"), (299, "ok"), (300, "ok"), (300.999, "ok"), (301, "webhook-timestamp-outside"), (86400, "webhook-timestamp-outside")):
        case(f, f"age-{offset}", "five minutes either way, in whole seconds", triple(), code, now=SENT + offset)
    for name, sent in {"fraction": f"{SENT}.789", "plus": f"+{SENT}", "minus": f"-{SENT}", "leading-zero": f"0{SENT}", "milliseconds": f"{SENT}000", "exponent": "1.768e9", "hex": "0x695", "word": "now", "inner-space": f"{str(SENT)[:5]} {str(SENT)[5:]}", "zero": "0", "arabic-digits": "١٧٦٨٤٧٨٤١٠", "two": f"{SENT},{SENT}", "huge": "9" * 40, "iso": "2026-01-15T12:00:10Z"}.items():
        case(f, f"timestamp-{name}", "a time has one spelling: what two libraries read apart is not signed text here", triple(sent=sent), "webhook-malformed")
    case(f, "timestamp-altered", "a time that was changed is not the one that was signed", triple(sent=str(SENT + 5), signature=sign()), "webhook-signature")
    case(f, "timestamp-far-future", "ten digits, in the year 2286", triple(sent="9999999999"), "webhook-timestamp-outside")


def ids(f):
    for name, value in {"dot": "msg.1", "space": "msg 1", "delete": "msg\x7f", "not-ascii": "mség", "too-long": "m" * 257}.items():
        case(f, f"id-{name}", "an id with a dot would let one signed text be two deliveries", triple(message_id=value), "webhook-malformed")
    case(f, "id-longest", "256 bytes", triple(message_id="m" * 256))
    case(f, "id-altered", "an id that was changed is not the one that was signed", triple(message_id=ID + "x", signature=sign()), "webhook-signature")
    shifted = str(SENT) + "." + BODY
    case(f, "id-shifted", "the same signed text, cut elsewhere", triple(message_id=ID, sent=str(SENT), signature=sign(body=shifted)), "webhook-signature")


def signatures(f):
    good = sign()
    value = good.removeprefix("v1,")
    zero = "v1," + forge.b64(bytes(32))
    for name, signature in {"other-after": f"{good} {zero}", "other-before": f"{zero} {good}", "other-versions": f"v1a,AAAA v2,BBBB {good}", "nonsense-before": f"nonsense {good}", "blanks": f"  {good}  ", "thirty-two": " ".join([zero] * 31 + [good]), "twice": f"{good} {good}"}.items():
        case(f, f"signatures-{name}", "any of several signatures suffices: secrets rotate", triple(signature=signature))
    case(f, "signatures-thirty-three", "a flood of signatures is not looked at", triple(signature=" ".join([zero] * 32 + [good])), "webhook-malformed")
    for name, signature in {
        "bare": value, "v0": f"v0,{value}", "v2": f"v2,{value}", "v1a": f"v1a,{value}", "upper-case": f"V1,{value}", "space-inside": f"v1, {value}", "no-padding": f"v1,{value.rstrip('=')}", "more-padding": f"v1,{value}=", "cut": f"v1,{value[:40]}", "longer": f"v1,{forge.b64(forge.base64.b64decode(value) + b'x')}",
        "prefix-bytes": f"v1,{forge.b64(forge.base64.b64decode(value)[:16])}", "base64url": "v1," + forge.base64.urlsafe_b64encode(bytes(forge.base64.b64decode(value))).decode().replace("=", ""), "hex": f"v1,{forge.base64.b64decode(value).hex()}", "zero": zero, "empty": "v1,", "padding-alone": "v1,=", "version-alone": "v1", "comma-list": f"{zero},{value}", "equals": f"v1={value}",
        "other-secret": sign(secret=OTHER), "other-body": sign(body="{}"), "no-id": "v1," + forge.b64(hmac.digest(bytes(range(32)), f"{SENT}.{BODY}".encode(), "sha256")), "sha1": "v1," + forge.b64(hmac.digest(bytes(range(32)), f"{ID}.{SENT}.{BODY}".encode(), "sha1")), "sha512": "v1," + forge.b64(hmac.digest(bytes(range(32)), f"{ID}.{SENT}.{BODY}".encode(), "sha512")), "secret-as-text": "v1," + forge.b64(hmac.digest(SECRET.encode(), f"{ID}.{SENT}.{BODY}".encode(), "sha256")), "empty-key": "v1," + forge.b64(hmac.digest(b"", f"{ID}.{SENT}.{BODY}".encode(), "sha256")),
    }.items():
        case(f, f"signature-{name}", "the whole HMAC-SHA256 in its one spelling, or none", triple(signature=signature), "webhook-signature")
    last = value[-2]
    stray = value[:-2] + chr(ord(last) + 1) + "="
    case(f, "signature-stray-bit", "a second spelling of the same bytes", triple(signature="v1," + stray), "webhook-signature")


def bodies(f):
    for name, body in {"space-added": BODY + " ", "newline-added": BODY + "\n", "rewritten": forge.json.dumps(forge.json.loads(BODY)), "altered": BODY.replace("user.updated", "user.deleted"), "other": "x"}.items():
        case(f, f"body-{name}", "the body byte for byte: one that was parsed and written again is another", triple(), "webhook-signature", body=body)
    case(f, "body-empty", "nothing was sent", triple(signature=sign(body="")), "webhook-malformed", body="")
    case(f, "body-not-json", "what the body holds is not looked at before it is genuine", triple(signature=sign(body="not json")), body="not json")
    case(f, "body-utf8", "bytes of UTF-8", triple(signature=sign(body='{"name":"é😀"}')), body='{"name":"é😀"}')
    largest = "x" * rule_webhooks.MAX_BODY_BYTES
    case(f, "body-largest", "256 KiB", triple(signature=sign(body=largest)), body=largest)
    case(f, "body-too-large", "one byte more", triple(signature=sign(body=largest + "x")), "body-too-large", body=largest + "x")
    case(f, "body-too-large-forged", "the size is looked at before the signature", triple(signature="v1,x"), "body-too-large", body=largest + "x")


def secrets(f):
    case(f, "secret-without-prefix", "`whsec_` may be missing", triple(), secrets=[SECRET.removeprefix("whsec_")])
    case(f, "secrets-old-and-new", "two secrets while one is rotated", triple(), secrets=[OTHER, SECRET])
    case(f, "secrets-new-and-old", "in either order", triple(), secrets=[SECRET, OTHER])
    case(f, "secret-other", "another endpoint's secret", triple(), "webhook-signature", secrets=[OTHER])
    for size in (24, 64):
        secret = "whsec_" + forge.b64(bytes(range(size)))
        case(f, f"secret-{size}-bytes", "24 to 64 bytes", triple(signature=sign(secret=secret)), secrets=[secret])
