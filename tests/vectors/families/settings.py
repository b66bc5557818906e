"""Settings that are taken, and those that must stop the start: publishable keys, issuers, authorized parties, webhook secrets."""

import forge
import rule_requests
from families.base import *


def family():
    f = Family("settings", "What a setting is understood as; one that is wrong is refused when it is read, never when a token comes.")
    publishable_keys(f)
    issuers(f)
    parties(f)
    webhook_secrets(f)
    policies(f)
    return f


def pk(host, kind="test", padding=False):
    text = forge.b64(host.encode())
    return f"pk_{kind}_" + (text if padding else text.rstrip("="))


def publishable_keys(f):
    def taken(name, why, text, issuer, live):
        key = text.strip()
        f.setting(f"publishable-key-{name}", why, {"publishable_key": text}, issuer=issuer, live=live, cookie_suffix=rule_requests.cookie_suffix(key))

    taken("test", "a development instance", pk("clerk.example.com$"), "https://clerk.example.com", False)
    taken("live", "a production instance", pk("clerk.example.com$", "live"), "https://clerk.example.com", True)
    taken("accounts-dev", "as Clerk names development instances", pk("curious-cat-1.clerk.accounts.dev$"), "https://curious-cat-1.clerk.accounts.dev", False)
    taken("padded", "padding is part of the text that the cookies' suffix is made of", pk("clerk.a.example.com$", padding=True), "https://clerk.a.example.com", False)
    taken("unpadded", "the same key without it has another suffix", pk("clerk.a.example.com$"), "https://clerk.a.example.com", False)
    taken("newline", "white space around a key is not part of it", pk("clerk.example.com$") + "\n", "https://clerk.example.com", False)
    plain = pk("clerk.example.com$")
    for name, text in {"blanks": f" \t{plain}\r\n", "bom": "\ufeff" + plain, "double-quotes": f'"{plain}"', "single-quotes": f"'{plain}'\n", "back-quotes": f"`{plain}`", "typographic-quotes": f"\u201c{plain}\u201d", "bom-blanks-and-quotes": f'\ufeff "{plain} "\r\n', "quotes-in-quotes": f"'\"{plain}\"'", "no-break-space": f"\u00a0{plain}"}.items():
        f.setting(f"publishable-key-{name}", "what was pasted around a key is not part of it", {"publishable_key": text}, issuer="https://clerk.example.com", live=False, cookie_suffix=rule_requests.cookie_suffix(plain))
    taken("port", "a host may have a port", pk("clerk.example.com:8443$"), "https://clerk.example.com:8443", False)
    taken("loopback", "a test key of a loopback host means http", pk("127.0.0.1:9400$"), "http://127.0.0.1:9400", False)
    taken("loopback-live", "no other key does", pk("127.0.0.1:9400$", "live"), "https://127.0.0.1:9400", True)
    for name, text in {
        "empty": "", "prefix-alone": "pk_test_", "no-prefix": forge.b64(b"clerk.example.com$"), "old-prefix": "test_" + forge.b64(b"clerk.example.com$"), "other-kind": pk("clerk.example.com$", "prod"), "upper-case": pk("clerk.example.com$").upper(), "prefix-case": "PK_test_" + forge.b64(b"clerk.example.com$"),
        "secret-key": "sk_test_" + forge.b64(b"clerk.example.com$"), "no-dollar": pk("clerk.example.com"), "cut": pk("clerk.example.com$")[:-2], "dollar-inside": pk("clerk$.example.com$"), "two-dollars": pk("clerk.example.com$$"), "no-dot": pk("localhost$"), "only-dot": pk(".$"), "only-dollar": pk("$"),
        "scheme": pk("https://clerk.example.com$"), "path": pk("clerk.example.com/x$"), "slash": pk("clerk.example.com/$"), "user-info": pk("a@clerk.example.com$"), "query": pk("clerk.example.com?x$"), "upper-case-host": pk("Clerk.example.com$"), "space-host": pk("clerk example.com$"), "newline-host": pk("clerk.example.com\n$"), "nul-host": pk("clerk.example.com\0$"), "not-ascii-host": pk("clérk.example.com$"), "star": pk("*.example.com$"), "bad-port": pk("clerk.example.com:99999$"), "no-port": pk("clerk.example.com:$"), "two-dots": pk("clerk..example.com$"), "hyphen-first": pk("-clerk.example.com$"), "long-label": pk("a" * 64 + ".example.com$"),
        "fourth-part": pk("clerk.example.com$") + "_x", "base64url": "pk_test_" + forge.b64url("clerk.example.com/???>>>$".encode()), "not-base64": "pk_test_!!!!", "quote-before": '"' + pk("clerk.example.com$"), "quote-after": pk("clerk.example.com$") + "'", "quotes-differ": '"' + pk("clerk.example.com$") + "'", "quotes-alone": '""', "quote-alone": "'", "name-before": "CLERK_PUBLISHABLE_KEY=" + pk("clerk.example.com$"),
    }.items():
        f.setting(f"publishable-key-{name}-refused", "a plain DNS host in lower case, perhaps a port, and `$`", {"publishable_key": text}, accepted=False)


def issuers(f):
    for name, text in {"plain": "https://clerk.example.com", "port": "https://clerk.example.com:8443", "path": "https://app.example.com/__clerk", "loopback": "http://127.0.0.1:9400", "loopback-name": "http://localhost:9400", "loopback-6": "http://[::1]:9400"}.items():
        f.setting(f"issuer-{name}", "https, or http for a loopback address", {"issuer": text}, issuer=text)
    for name, text in {"empty": "", "host-alone": "clerk.example.com", "http": "http://clerk.example.com", "trailing-slash": "https://clerk.example.com/", "upper-case": "https://Clerk.example.com", "scheme-case": "HTTPS://clerk.example.com", "other-scheme": "ftp://clerk.example.com", "query": "https://clerk.example.com?x", "fragment": "https://clerk.example.com#x", "user-info": "https://a@clerk.example.com", "space": "https://clerk.example.com ", "newline": "https://clerk.example.com\n", "star": "https://*.example.com", "no-host": "https://", "port-zero": "https://clerk.example.com:0", "port-too-great": "https://clerk.example.com:65536", "loopback-look-alike": "http://127.0.0.1.attacker.example", "not-loopback": "http://10.0.0.1", "not-ascii": "https://clérk.example.com", "two-dots": "https://clerk..example.com", "backslash": "https:\\\\clerk.example.com", "list": "https://a.example.com,https://b.example.com", "javascript": "javascript://clerk.example.com", "double-slash-path": "https://clerk.example.com//x"}.items():
        f.setting(f"issuer-{name}-refused", "`https://host[:port][/path]` in lower case, without a slash at the end", {"issuer": text}, accepted=False)


def parties(f):
    for name, listed in {"one": [ORIGIN], "several": [ORIGIN, "http://localhost:3000"], "pattern": ["https://app-*.example.com"], "whole-label": ["https://*.example.com"], "words": ["any party"], "extension": ["chrome-extension://abcdefghijklmnop"], "port": ["https://app.example.com:8443"], "loopback": ["http://127.0.0.1:5173", "http://[::1]:5173"]}.items():
        f.setting(f"parties-{name}", "origins as a browser sends them, or the words `any party`", {"authorized_parties": listed})
    for name, listed in {"empty-list": [], "empty-text": [""], "host-alone": ["app.example.com"], "trailing-slash": [ORIGIN + "/"], "path": [ORIGIN + "/x"], "upper-case": ["https://App.example.com"], "default-port": [ORIGIN + ":443"], "default-http-port": ["http://app.example.com:80"], "star": ["*"], "star-host": ["https://*"], "star-top-level": ["https://*.com"], "star-domain": ["https://app.*"], "star-registrable": ["https://app-*.com"], "two-stars": ["https://*.*.example.com"], "two-stars-one-label": ["https://a*b*.example.com"], "star-port": ["https://app.example.com:*"], "star-scheme": ["*://app.example.com"], "user-info": ["https://a@app.example.com"], "query": [ORIGIN + "?"], "space": [ORIGIN + " "], "words-and-more": ["any party", ORIGIN], "null": ["null"], "good-and-bad": [ORIGIN, "https://"], "comma-list": [ORIGIN + "," + ORIGIN]}.items():
        f.setting(f"parties-{name}-refused", "what can never be an origin is not waited for", {"authorized_parties": listed}, accepted=False)


def webhook_secrets(f):
    good = "whsec_" + forge.b64(bytes(range(32)))
    for name, text in {"one": good, "two": f"{good},{good}", "spaces": f" {good} {good}\n", "no-prefix": good.removeprefix("whsec_"), "shortest": "whsec_" + forge.b64(bytes(24)), "longest": "whsec_" + forge.b64(bytes(64))}.items():
        f.setting(f"webhook-secrets-{name}", "`whsec_` and base64 of 24 to 64 bytes, or several while one is rotated", {"webhook_secrets": text})
    for name, text in {"empty": "", "blank": " \n", "prefix-alone": "whsec_", "too-short": "whsec_" + forge.b64(bytes(23)), "too-long": "whsec_" + forge.b64(bytes(65)), "not-base64": "whsec_!", "secret-key": "sk_test_" + "abcdefghijklmnopqrstuvwxyz012345", "publishable-key": pk("clerk.example.com$"), "one-of-two": f"{good},x"}.items():
        f.setting(f"webhook-secrets-{name}-refused", "a secret that is none is refused before a webhook comes", {"webhook_secrets": text}, accepted=False)


def policies(f):
    good = POLICIES["default"]
    for name, changes in {"default": {}, "no-skew": {"clockSkewSecs": 0}, "longest-skew": {"clockSkewSecs": 60}, "audience": {"templateAudience": "x"}, "all-algorithms": {"algorithms": ["RS256", "RS384", "RS512"]}, "one-algorithm": {"algorithms": ["RS512"]}, "any-party": {"authorizedParties": "any party"}, "denied": {"denyKids": ["x", "k" * 128]}}.items():
        f.setting(f"policy-{name}", "whom to trust is said, and the rest has a default", {"policy": {**good, **changes}})
    for name, (changes, tags) in {
        "skew-too-long": ({"clockSkewSecs": 61}, []), "skew-quarter-hour": ({"clockSkewSecs": 900}, []), "empty-audience": ({"templateAudience": ""}, ["attack:7"]), "blank-audience": ({"templateAudience": " "}, ["attack:7"]), "blank-audience-newline": ({"templateAudience": "\t\n"}, ["attack:7"]), "no-algorithm": ({"algorithms": []}, ["attack:10", "attack:35"]), "hmac": ({"algorithms": ["HS256"]}, ["attack:1", "attack:10"]), "none": ({"algorithms": ["none"]}, ["attack:5", "attack:10"]), "one-of-two": ({"algorithms": ["RS256", "HS256"]}, ["attack:1", "attack:18"]), "lower-case": ({"algorithms": ["rs256"]}, []), "elliptic": ({"algorithms": ["ES256"]}, ["attack:9"]),
        "no-party": ({"authorizedParties": []}, ["attack:42"]), "party-no-origin": ({"authorizedParties": [""]}, ["attack:42"]), "other-words": ({"authorizedParties": "*"}, ["attack:42"]), "issuer": ({"issuer": ""}, ["attack:40"]), "alias": ({"issuerAliases": ["https://*.example.com"]}, ["attack:20"]), "denied-empty": ({"denyKids": [""]}, []), "denied-long": ({"denyKids": ["k" * 129]}, []),
    }.items():
        f.setting(f"policy-{name}-refused", "a policy that would accept more than was said, or nothing, is none", {"policy": {**good, **changes}}, accepted=False, tags=tags)
