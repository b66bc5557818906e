"""What a request presents: its Authorization header, its cookies plain and suffixed, its Origin, Clerk's handshake."""

import forge
from families.base import *

TEST_KEY = "pk_test_" + forge.b64(b"clerk.example.com$").rstrip("=")
LIVE_KEY = "pk_live_" + forge.b64(b"clerk.example.com$").rstrip("=")
SUFFIX = {key: rule_requests.cookie_suffix(key) for key in (TEST_KEY, LIVE_KEY)}
UAT = ISSUED - 100
URL = "https://app.example.com/api/things"

GOOD = token()
FORGED = token(by="other")


def family():
    f = Family("requests", "A request to its outcome: verified, anonymous, stale, rejected or unavailable.")
    authorization(f)
    precedence(f)
    cookies_off(f)
    decision_table(f)
    cookie_text(f)
    cookie_sets(f)
    writes(f)
    missing_party(f)
    handshakes(f)
    unavailable(f)
    return f


def request(headers=(), method="GET", url=URL):
    return {"method": method, "url": url, "headers": [list(header) for header in headers]}


def bearer(text):
    return ("authorization", f"Bearer {text}")


def cookies(**values):
    """One Cookie header of these; `s` and `u` are the suffixed pair of the live key."""
    names = {"S": "__session", "U": "__client_uat", "s": f"__session_{SUFFIX[LIVE_KEY]}", "u": f"__client_uat_{SUFFIX[LIVE_KEY]}"}
    return ("cookie", "; ".join(f"{names.get(name, name)}={value}" for name, value in values.items()))


def authorization(f):
    def case(name, why, value, outcome, code, tags=()):
        f.request(f"header-{name}", why, request([("authorization", value)]), outcome, code, tags=tags)

    case("good", "the form of RFC 6750", f"Bearer {GOOD}", "verified", "ok")
    f.request("header-name-case", "names of headers have no case", request([("AUTHORIZATION", f"Bearer {GOOD}")]), "verified", "ok")
    for word in ("bearer", "BEARER", "bEaReR"):
        case(f"scheme-{word}", "the scheme has no case", f"{word} {GOOD}", "verified", "ok")
    case("blanks-around", "blanks around a header's value are not part of it", f" \tBearer {GOOD} \t", "verified", "ok")
    for name, value in {"two-blanks": f"Bearer  {GOOD}", "tab": f"Bearer\t{GOOD}", "two-tokens": f"Bearer {GOOD} {GOOD}", "comma": f"Bearer {GOOD}, Bearer {GOOD}", "comma-glued": f"Bearer {GOOD},{GOOD}", "inner-newline": f"Bearer {GOOD[:40]}\n{GOOD[40:]}", "no-blank": f"Bearer{GOOD}", "scheme-twice": f"Bearer Bearer {GOOD}", "basic": "Basic dXNlcjpwYXNz", "digest": 'Digest username="x"', "token-scheme": f"Token {GOOD}", "jwt-scheme": f"JWT {GOOD}", "dpop": f"DPoP {GOOD}", "no-scheme": GOOD, "quoted": f'"Bearer {GOOD}"', "colon": f"Bearer: {GOOD}", "word": "anything"}.items():
        case(name, "a header that is there and holds no token in this one form is refused: nothing else is asked instead", value, "rejected", "authorization-malformed")
    f.request("header-twice", "which of two is meant, nobody can tell", request([bearer(GOOD), bearer(GOOD)]), "rejected", "authorization-malformed", tags=["attack:47"])
    f.request("header-twice-differing", "which of two is meant, nobody can tell", request([bearer(GOOD), bearer(FORGED)]), "rejected", "authorization-malformed", tags=["attack:47"])
    f.request("header-twice-in-two-cases", "which of two is meant, nobody can tell", request([bearer(GOOD), ("Authorization", "Basic x")]), "rejected", "authorization-malformed")
    case("scheme-alone", "the scheme, and nothing after it", "Bearer", "rejected", "token-missing")
    case("scheme-and-blank", "the scheme, and nothing after it", "Bearer ", "rejected", "token-missing")
    case("empty", "an empty header is there, and holds nothing", "", "rejected", "token-missing")
    for value, code in {"null": "token-is-null", "undefined": "token-is-null", "sk_test_abcdefgh": "key-instead-of-token", "pk_live_abcdefgh": "key-instead-of-token", "mt_abc": "machine-token", "ak_abc": "machine-token", "oat_abc": "oauth-token"}.items():
        case(f"bearer-{value}", "what was sent by mistake is called by its name", f"Bearer {value}", "rejected", code)
        case(f"bare-{value}", "also without the scheme", value, "rejected", code)
    case("bearer-[object", "JavaScript wrote out an object", "Bearer [object", "rejected", "malformed-token")
    case("bearer-promise", "JavaScript wrote out a promise", "Bearer [object Promise]", "rejected", "authorization-malformed")
    case("bearer-too-large", "over 32 KiB", "Bearer " + "a" * 32769, "rejected", "token-too-large", tags=["attack:24"])
    for name, (text, code) in {"forged": (FORGED, "wrong-signature"), "expired": (token(body=claims(exp=ISSUED - 60)), "token-expired"), "pending": (token(body=claims(sts="pending")), "session-pending"), "no-azp": (token(body=claims(azp=ABSENT)), "missing-azp"), "wrong-azp": (token(body=claims(azp="https://attacker.example")), "wrong-azp"), "machine": (token(body=claims(sub="mch_1")), "machine-token"), "template": (token(head=header(cat=rule.TEMPLATE)), "template-token"), "oauth": (token(head=header(typ="at+jwt")), "oauth-token"), "unknown-kid": (token(head=header(kid="x")), "unknown-kid"), "other-instance": (token(body=claims(iss=OTHER_ISSUER)), "wrong-iss"), "early": (token(body=claims(nbf=NOW + 60)), "token-not-active-yet"), "future": (token(body=claims(iat=NOW + 60)), "token-iat-in-the-future")}.items():
        case(f"token-{name}", "a header's token that is refused is rejected, never stale: a header is not the browser's to renew", f"Bearer {text}", "rejected", code, tags=["attack:59"])
    for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "get", "PROPFIND"):
        f.request(f"method-{method}", "a header's token is nobody's cookie: any method will do, whatever the Origin", request([bearer(GOOD), ("origin", "https://attacker.example")], method), "verified", "ok")
    f.request("header-older-than-client", "a header knows nothing of cookies", request([bearer(GOOD), cookies(S=GOOD, U=NOW)]), "verified", "ok", cookies="on")
    azp_less = token(body=claims(azp=ABSENT))
    f.request("header-no-azp-allowed", "without `azp`, where the policy allows it", request([bearer(azp_less)]), "verified", "ok", policy="azp-optional")


def precedence(f):
    other = token(body=claims(sub="user_other", sid="sess_other"))
    both = cookies(S=GOOD, U=UAT)
    f.request("both-header-counts", "with a header there, cookies are not looked at", request([bearer(other), both]), "verified", "ok", cookies="on", tags=["attack:47"])
    assert f.cases[-1]["expect"]["principal"]["user_id"] == "user_other"
    f.request("both-header-after", "in whatever order they come", request([both, bearer(other)]), "verified", "ok", cookies="on", tags=["attack:47"])
    assert f.cases[-1]["expect"]["principal"]["user_id"] == "user_other"
    for name, (value, code) in {"forged": (f"Bearer {FORGED}", "wrong-signature"), "null": ("Bearer null", "token-is-null"), "empty": ("", "token-missing"), "scheme-alone": ("Bearer", "token-missing"), "basic": ("Basic dXNlcjpwYXNz", "authorization-malformed"), "expired": (f"Bearer {token(body=claims(exp=ISSUED - 60))}", "token-expired"), "machine": ("Bearer mt_abc", "machine-token")}.items():
        f.request(f"both-header-{name}", "a header that fails is never rescued by a cookie", request([("authorization", value), both]), "rejected", code, cookies="on", tags=["attack:47", "attack:59"])


def cookies_off(f):
    f.request("nothing", "nothing presented", request(), "anonymous", "token-missing")
    f.request("nothing-cookies-on", "nothing presented", request(), "anonymous", "token-missing", cookies="on")
    f.request("off-cookie", "a session in a cookie where none is taken: told so", request([cookies(S=GOOD, U=UAT)]), "rejected", "cookie-auth-off")
    f.request("off-suffixed-cookie", "the suffixed one too", request([("cookie", f"__session_{SUFFIX[LIVE_KEY]}={GOOD}")]), "rejected", "cookie-auth-off")
    f.request("off-empty-cookie", "an empty session cookie is none", request([("cookie", "__session=; __client_uat=0")]), "anonymous", "token-missing")
    f.request("off-other-cookies", "other cookies are nobody's business", request([("cookie", "theme=dark; session=abc; _session=x")]), "anonymous", "token-missing")
    f.request("off-client-uat", "without a session nothing is presented", request([("cookie", f"__client_uat={UAT}")]), "anonymous", "token-missing")
    f.request("off-header-and-cookie", "a header beside a cookie that is not taken", request([bearer(GOOD), cookies(S=GOOD, U=UAT)]), "verified", "ok")


def decision_table(f):
    def case(name, why, outcome, code, S=None, U=None, now=NOW, policy="default", tags=(), **more):
        values = {name: value for name, value in (("S", S), ("U", U)) if value is not None}
        f.request(f"row-{name}", why, request([cookies(**values)] if values else [], **more), outcome, code, cookies="on", now=now, policy=policy, tags=tags)

    case("7-nothing", "no session, no client", "anonymous", "token-missing")
    case("7-signed-out", "no session, signed out", "anonymous", "token-missing", U=0)
    case("8-no-uat", "a session without a client cookie", "stale", "session-without-client-uat", S=GOOD)
    case("8-uat-0", "a session, signed out", "stale", "session-without-client-uat", S=GOOD, U=0)
    case("8-forged", "whatever the session is", "stale", "session-without-client-uat", S=FORGED, U=0)
    case("9-no-session", "a client without a session", "stale", "client-uat-without-session", U=UAT)
    case("10-undecodable", "a session that is no token", "rejected", "malformed-token", S="abc", U=UAT)
    case("10-bad-base64", "a session that is no token", "rejected", "malformed-base64url", S="a b.c.d", U=UAT)
    case("10-key", "a key in the place of a session", "rejected", "key-instead-of-token", S="sk_test_abc", U=UAT)
    case("11-machine", "a machine's token in a cookie", "rejected", "machine-token", S=token(body=claims(sub="mch_1")), U=UAT)
    case("11-machine-category", "a machine's token in a cookie", "rejected", "machine-token", S=token(head=header(cat=rule.MACHINE)), U=UAT)
    case("11-template", "a template's token in a cookie", "rejected", "template-token", S=token(head=header(cat=rule.TEMPLATE)), U=UAT)
    case("11-oauth", "an access token in a cookie", "rejected", "oauth-token", S=token(head=header(typ="at+jwt")), U=UAT)
    for name, uat, outcome, code in (("before", ISSUED - 1, "verified", "ok"), ("equal", ISSUED, "verified", "ok"), ("after", ISSUED + 1, "stale", "session-older-than-client-uat"), ("far-after", 9999999999, "stale", "session-older-than-client-uat")):
        case(f"12-client-{name}", "a session issued before the client last changed is out of date; equal is not older", outcome, code, S=GOOD, U=uat)
    case("12-no-iat", "without a time of issue nobody can tell that it is not older", "stale", "session-older-than-client-uat", S=token(body=claims(iat=ABSENT)), U=UAT)
    case("12-older-and-forged", "a forged session is forged, however old", "rejected", "wrong-signature", S=FORGED, U=NOW)
    case("12-older-and-wrong-azp", "what is refused is refused", "rejected", "wrong-azp", S=token(body=claims(azp="https://attacker.example")), U=NOW)
    case("12-older-and-expired", "older is said before expired", "stale", "session-older-than-client-uat", S=GOOD, U=ISSUED + 1, now=ISSUED + 90)
    case("13-expired", "an expired session may be renewed", "stale", "token-expired", S=GOOD, U=UAT, now=ISSUED + 90)
    case("13-expired-forged", "a forged session is not renewed", "rejected", "wrong-signature", S=FORGED, U=UAT, now=ISSUED + 90)
    case("14-early", "a clock is off", "stale", "token-not-active-yet", S=token(body=claims(nbf=NOW + 60)), U=UAT)
    case("14-future", "a clock is off", "stale", "token-iat-in-the-future", S=token(body=claims(iat=NOW + 60)), U=UAT)
    for name, (text, code) in {"forged": (FORGED, "wrong-signature"), "none": (token(head=header(alg="none")), "unsupported-algorithm"), "unknown-kid": (token(head=header(kid="x")), "unknown-kid"), "other-instance": (token(body=claims(iss=OTHER_ISSUER)), "wrong-iss"), "wrong-azp": (token(body=claims(azp="https://attacker.example")), "wrong-azp"), "no-azp": (token(body=claims(azp=ABSENT)), "missing-azp"), "no-sid": (token(body=claims(sid=ABSENT)), "missing-sid"), "bad-sub": (token(body=claims(sub="x")), "malformed-sub"), "long": (token(body=claims(exp=ISSUED + 9999)), "lifetime-too-long"), "critical": (token(head=header(crit=["x"])), "critical-header")}.items():
        case(f"15-{name}", "any other refusal is one", "rejected", code, S=text, U=UAT)
    case("15-pending", "a pending session's user has something to finish at Clerk's", "stale", "session-pending", S=token(body=claims(sts="pending")), U=UAT)
    case("18-pending-accepted", "unless the policy takes pending sessions", "verified", "ok", S=token(body=claims(sts="pending")), U=UAT, policy="pending")
    case("18-good", "otherwise signed in", "verified", "ok", S=GOOD, U=UAT)
    case("18-boundary", "a millisecond before it ends, skew and all", "verified", "ok", S=GOOD, U=UAT, now=ISSUED + 64.999)
    for name, uat in {"letters": "abc", "minus": "-5", "fraction": "1.5", "exponent": "1e9", "blank-inside": "17 68", "hex": "0x10", "nan": "NaN", "plus": "+5"}.items():
        case(f"uat-{name}", "what is no number of seconds is 0: signed out", "stale", "session-without-client-uat", S=GOOD, U=uat)
    case("uat-leading-zeros", "leading zeros are digits", "verified", "ok", S=GOOD, U="00000000001")
    case("uat-huge", "more digits than a time has: later than any token", "stale", "session-older-than-client-uat", S=GOOD, U="9" * 30)
    case("uat-zeros", "many zeros are 0", "stale", "session-without-client-uat", S=GOOD, U="000")


def cookie_text(f):
    def case(name, why, headers, outcome, code, tags=()):
        f.request(f"cookie-{name}", why, request([("cookie", header) for header in headers]), outcome, code, cookies="on", tags=tags)

    case("no-blank", "no blank after the semicolon", [f"__session={GOOD};__client_uat={UAT}"], "verified", "ok")
    case("blanks", "blanks around names and values", [f"  __session = {GOOD} ;  __client_uat = {UAT}  "], "verified", "ok")
    case("quoted", "quotation marks around a value", [f'__session="{GOOD}"; __client_uat="{UAT}"'], "verified", "ok")
    case("two-headers", "two Cookie headers, as HTTP/2 sends them", [f"__session={GOOD}", f"__client_uat={UAT}"], "verified", "ok")
    case("percent-encoded", "values are decoded", [f"__session={GOOD.replace('.', '%2E')}; __client_uat={UAT}"], "verified", "ok")
    case("others-around", "among other cookies", [f"a=b; __session={GOOD}; x=y=z; __client_uat={UAT}; c"], "verified", "ok")
    case("first-counts", "of two cookies of one name the first counts", [f"__session={GOOD}; __session={FORGED}; __client_uat={UAT}"], "verified", "ok")
    case("first-counts-forged", "of two cookies of one name the first counts", [f"__session={FORGED}; __session={GOOD}; __client_uat={UAT}"], "rejected", "wrong-signature")
    case("first-empty", "an empty first is an empty one", [f"__session=; __session={GOOD}; __client_uat={UAT}"], "stale", "client-uat-without-session")
    case("encoded-semicolon", "split first, decoded then: an encoded semicolon makes no cookie", [f"theme=a%3B%20__session={GOOD}; __client_uat={UAT}"], "stale", "client-uat-without-session", ["attack:47"])
    case("encoded-name", "names are not decoded", [f"%5F%5Fsession={GOOD}; __client_uat={UAT}"], "stale", "client-uat-without-session")
    case("name-case", "names have their case", [f"__Session={GOOD}; __CLIENT_UAT={UAT}"], "anonymous", "token-missing")
    case("bad-percent", "a percent sign that encodes nothing is left as it is", [f"__session={GOOD}%; __client_uat={UAT}"], "rejected", "malformed-base64url")
    case("bad-utf8", "an encoding that is no text is left as it is", [f"__session={GOOD}%FF; __client_uat={UAT}"], "rejected", "malformed-base64url")
    case("encoded-blank", "white space in a token is refused, encoded or not", [f"__session={GOOD}%20; __client_uat={UAT}"], "rejected", "malformed-base64url")
    case("prefix-host", "the `__Host-` form is another cookie", [f"__Host-__session={GOOD}; __client_uat={UAT}"], "stale", "client-uat-without-session")
    case("null", "a written out null", [f"__session=null; __client_uat={UAT}"], "rejected", "token-is-null")
    f.request("cookie-only-comma", "a comma parts no cookies", request([("cookie", f"a=b, __session={GOOD}, __client_uat={UAT}")]), "anonymous", "token-missing", cookies="on")


def cookie_sets(f):
    """Plain S and U, suffixed s and u: which pair counts. The pair that does not is made of a forged session or none."""
    newer, older = token(body=claims(iat=ISSUED + 10)), token(body=claims(iat=ISSUED - 30, exp=ISSUED + 30))
    newer_forged, older_forged = token(body=claims(iat=ISSUED + 10), by="other"), token(body=claims(iat=ISSUED - 30, exp=ISSUED + 30), by="other")
    foreign = token(body=claims(iss=OTHER_ISSUER))
    no_issuer = token(body=claims(iss=ABSENT))

    def case(name, why, outcome, code, key=LIVE_KEY, now=NOW, **values):
        headers = [] if not values else [cookies(**values)]
        for index, (header_name, text) in enumerate(headers):
            headers[index] = (header_name, text.replace(SUFFIX[LIVE_KEY], SUFFIX[key]))
        f.request(f"set-{name}", why, request(headers), outcome, code, cookies=key, now=now)

    case("plain-alone", "rule 3: no suffixed cookie", "verified", "ok", S=GOOD, U=UAT)
    case("suffixed-alone", "rule 8: the suffixed pair", "verified", "ok", s=GOOD, u=UAT)
    case("nothing", "rule 3: no cookie at all", "anonymous", "token-missing")
    case("1-no-issuer", "rule 1: a plain session without an issuer is taken, and refused", "rejected", "missing-iss", S=no_issuer, U=UAT, s=GOOD, u=UAT)
    case("1-undecodable", "rule 1: a plain session that can't be read is taken, and refused", "rejected", "malformed-token", S="abc", U=UAT, s=GOOD, u=UAT)
    case("2-foreign", "rule 2: a plain session of another instance: the suffixed pair", "verified", "ok", S=foreign, U=UAT, s=GOOD, u=UAT)
    case("2-foreign-no-suffixed", "rule 2: the suffixed pair, which is not there", "anonymous", "token-missing", S=foreign, U=UAT)
    case("2-foreign-u-alone", "rule 2: the suffixed pair, of which there is half", "stale", "client-uat-without-session", S=foreign, U=UAT, u=UAT)
    case("4-plain-newer", "rule 4: both signed in, the plain session is newer", "verified", "ok", S=newer, U=UAT, s=older_forged, u=UAT)
    case("4-suffixed-newer", "rule 8: both signed in, the suffixed session is newer", "verified", "ok", S=older_forged, U=UAT, s=newer, u=UAT)
    case("4-equal", "rule 8: equally old", "verified", "ok", S=FORGED, U=UAT, s=GOOD, u=UAT)
    case("4-plain-newer-forged", "rule 4 believes what is unverified, and lets nobody in by it", "rejected", "wrong-signature", S=newer_forged, U=UAT, s=older, u=UAT)
    case("4-no-suffixed-session", "rule 4: a missing suffixed session is the oldest", "verified", "ok", S=GOOD, U=UAT, u=UAT)
    case("5-suffixed-signed-out", "rule 5: signed out in the suffixed pair alone: plain", "verified", "ok", S=GOOD, U=UAT, u=0)
    case("5-both-signed-out", "rule 8: both signed out", "stale", "session-without-client-uat", S=older, U=0, s=GOOD, u=0)
    case("5-suffixed-signed-out-no-plain-uat", "rule 5: a missing cookie is not signed out", "stale", "session-without-client-uat", S=GOOD, u=0)
    case("6-development-expired", "rule 6: development, plain signed out, suffixed expired: plain", "stale", "session-without-client-uat", key=TEST_KEY, S=GOOD, U=0, s=older, u=UAT, now=ISSUED + 31)
    case("6-development-expired-exactly", "rule 6: expired at its very second", "stale", "session-without-client-uat", key=TEST_KEY, S=GOOD, U=0, s=older, u=UAT, now=ISSUED + 30)
    case("6-development-not-expired", "rule 8: not expired yet", "verified", "ok", key=TEST_KEY, S=older, U=0, s=older, u=UAT, now=ISSUED + 29)
    case("6-production-expired", "rule 8: rule 6 is not for production", "stale", "token-expired", S=older, U=0, s=older, u=UAT, now=ISSUED + 40)
    case("7-suffixed-session-alone", "rule 7: a suffixed session without its client cookie: plain", "stale", "client-uat-without-session", U=UAT, s=GOOD)
    case("7-suffixed-session-alone-plain-there", "rule 7: the plain pair", "verified", "ok", S=GOOD, U=UAT, s=token(body=claims(iat=ISSUED + 10), by="other"))
    case("8-suffixed-uat-alone", "rule 8: a suffixed client cookie without its session", "stale", "client-uat-without-session", u=UAT)
    case("other-suffix", "cookies of another key's suffix are not ours", "anonymous", "token-missing", **{f"__session_{SUFFIX[TEST_KEY]}": GOOD, f"__client_uat_{SUFFIX[TEST_KEY]}": UAT})
    f.request("set-no-key", "without a publishable key suffixed cookies are not known", request([cookies(s=GOOD, u=UAT)]), "anonymous", "token-missing", cookies="on")
    alias = token(body=claims(iss=POLICIES["aliases"]["issuerAliases"][0]))
    f.request("set-alias", "a plain session of an alias is of this instance", request([cookies(S=alias, U=UAT, s=older_forged, u=UAT)]), "verified", "ok", cookies=LIVE_KEY, policy="aliases")


def writes(f):
    pair = cookies(S=GOOD, U=UAT)

    def case(name, why, headers, outcome="verified", code="ok", method="POST", policy="default", text=None):
        f.request(f"write-{name}", why, request([pair if text is None else cookies(S=text, U=UAT), *headers], method), outcome, code, cookies="on", policy=policy)

    for method in ("GET", "HEAD", "OPTIONS"):
        case(f"{method}-no-origin", "what changes nothing needs no Origin", [], method=method)
        case(f"{method}-other-origin", "nor the right one", [("origin", "https://attacker.example")], method=method)
    for method in ("POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "PROPFIND", "get"):
        case(f"{method}-our-origin", "a write by cookie from an authorized party", [("origin", ORIGIN)], method=method)
        case(f"{method}-no-origin", "a write by cookie without an Origin", [], "rejected", "origin-refused", method=method)
        case(f"{method}-other-origin", "a write by cookie from elsewhere: CSRF", [("origin", "https://attacker.example")], "rejected", "origin-refused", method=method)
    for name, origin in {"null": "null", "empty": "", "prefix": ORIGIN[:-1], "suffix": ORIGIN + ".attacker.example", "slash": ORIGIN + "/", "http": "http://app.example.com", "port": ORIGIN + ":443", "case": "https://App.example.com", "list": f"{ORIGIN} {ORIGIN}", "star": "*", "sibling": "https://other.example.com", "parent": "https://example.com"}.items():
        case(f"origin-{name}", "an Origin is compared byte for byte", [("origin", origin)], "rejected", "origin-refused")
    case("origin-twice", "which of two is meant, nobody can tell", [("origin", ORIGIN), ("origin", ORIGIN)], "rejected", "origin-refused")
    case("referer-is-no-origin", "a Referer does not stand in for it", [("referer", ORIGIN + "/x")], "rejected", "origin-refused")
    case("fetch-site-is-no-origin", "nor does Sec-Fetch-Site", [("sec-fetch-site", "same-origin")], "rejected", "origin-refused")
    case("socket-no-origin", "a socket that opens could write", [("upgrade", "websocket")], "rejected", "origin-refused", method="GET")
    case("socket-our-origin", "a socket from an authorized party", [("upgrade", "websocket"), ("origin", ORIGIN)], method="GET")
    case("any-party-own", "where any party is taken, the token's own", [("origin", ORIGIN)], policy="any-party")
    case("any-party-other", "and no other", [("origin", "https://attacker.example")], "rejected", "origin-refused", policy="any-party")
    patterned = {**POLICIES["default"], "authorizedParties": [ORIGIN, "https://app-*.example.com"]}
    case("pattern", "an authorized party by a pattern", [("origin", "https://app-7.example.com")], policy=patterned)
    case("pattern-miss", "a pattern is anchored", [("origin", "https://app-7.example.com.attacker.example")], "rejected", "origin-refused", policy=patterned)
    case("forged-first", "a forged session is forged, wherever it comes from", [("origin", "https://attacker.example")], "rejected", "wrong-signature", text=FORGED)
    case("older-first", "an older session is stale before its origin is asked", [("origin", "https://attacker.example")], "stale", "session-older-than-client-uat", text=token(body=claims(iat=UAT - 1)))


def missing_party(f):
    azp_less = token(body=claims(azp=ABSENT))
    f.request("no-azp-refused", "a cookie's token without `azp` where the policy refuses that", request([cookies(S=azp_less, U=UAT)]), "rejected", "missing-azp", cookies="on", tags=["attack:42"])
    f.request("no-azp-allowed", "where the policy allows it, a cookie's token still needs one: Clerk makes one in a minute", request([cookies(S=azp_less, U=UAT)]), "stale", "missing-azp", cookies="on", policy="azp-optional", tags=["attack:42"])
    f.request("no-azp-any-party", "where any party is taken, a cookie's token still needs one", request([cookies(S=azp_less, U=UAT)]), "stale", "missing-azp", cookies="on", policy={**POLICIES["any-party"], "missingAzp": "allow"}, tags=["attack:42"])
    f.request("wrong-azp-any-party", "any party's token in a cookie", request([cookies(S=token(body=claims(azp="https://elsewhere.example")), U=UAT)]), "verified", "ok", cookies="on", policy="any-party")


def handshakes(f):
    urls = {"handshake": f"{URL}?__clerk_handshake=x", "nonce": f"{URL}?a=b&__clerk_handshake_nonce=x", "dev-browser": f"{URL}?__clerk_db_jwt=x", "synced": f"{URL}?__clerk_synced=true", "redirect": f"{URL}?__clerk_redirect_url=https%3A%2F%2Fx", "encoded-name": f"{URL}?__clerk%5Fhandshake=x", "no-value": f"{URL}?__clerk_handshake", "path-alone": "/api/things?__clerk_handshake=x"}
    for name, url in urls.items():
        f.request(f"handshake-{name}-no-session", "a handshake that comes back brings its session with it: let Clerk read it", request(url=url), "stale", "token-missing", cookies="on")
        f.request(f"handshake-{name}-bad-session", "the cookies that it finds do not decide about it", request([cookies(S=FORGED, U=UAT)], url=url), "stale", "wrong-signature", cookies="on")
        f.request(f"handshake-{name}-good-session", "a good session is one all the same", request([cookies(S=GOOD, U=UAT)], url=url), "verified", "ok", cookies="on")
        f.request(f"handshake-{name}-header", "a header that fails is rejected, handshake or not", request([bearer(FORGED)], url=url), "rejected", "wrong-signature", cookies="on", tags=["attack:59"])
        f.request(f"handshake-{name}-cookies-off", "where cookies are not taken there is no handshake", request(url=url), "anonymous", "token-missing")
    for name in ("__clerk_handshake", "__clerk_handshake_nonce"):
        f.request(f"handshake-cookie-{name}", "a handshake in a cookie", request([("cookie", f"{name}=x; __session={FORGED}; __client_uat={UAT}")]), "stale", "wrong-signature", cookies="on")
        f.request(f"handshake-cookie-{name}-empty", "an empty cookie is none", request([("cookie", f"{name}=; __session={FORGED}; __client_uat={UAT}")]), "rejected", "wrong-signature", cookies="on")
    for name, url in {"fragment": f"{URL}#?__clerk_handshake=x", "in-value": f"{URL}?next=__clerk_handshake=x", "in-path": "https://app.example.com/__clerk_handshake", "longer-name": f"{URL}?__clerk_handshakes=x", "other-case": f"{URL}?__CLERK_HANDSHAKE=x"}.items():
        f.request(f"no-handshake-{name}", "what only looks like a handshake", request([cookies(S=FORGED, U=UAT)], url=url), "rejected", "wrong-signature", cookies="on")
    for name, path in {"root": "/__clerk", "below": "/__clerk/v1/client", "slash": "/__clerk/"}.items():
        f.request(f"proxy-{name}", "the proxy of Clerk's own API: not ours to judge", request([cookies(S=FORGED, U=UAT)], "POST", f"https://app.example.com{path}"), "stale", "token-missing", cookies="on")
        f.request(f"proxy-{name}-cookies-off", "where cookies are not taken there is no such proxy", request([bearer(GOOD)], "POST", f"https://app.example.com{path}"), "verified", "ok")
    for name, path in {"longer": "/__clerkx", "dots": "/__clerk/../api", "encoded": "/__clerk%2Fv1", "encoded-dots": "/__clerk/%2e%2e/api", "backslash": "/__clerk\\..\\api", "other-case": "/__CLERK/v1", "later": "/api/__clerk/v1", "doubled": "//__clerk/v1"}.items():
        f.request(f"no-proxy-{name}", "a path that a router might read otherwise is not the proxy", request([cookies(S=FORGED, U=UAT)], "GET", f"https://app.example.com{path}"), "rejected", "wrong-signature", cookies="on", tags=["attack:49"])
    f.request("subrequest-header", "no header switches the check off", request([("x-middleware-subrequest", "middleware:middleware"), bearer(FORGED)]), "rejected", "wrong-signature", cookies="on", tags=["attack:48", "attack:53"])
    f.request("subrequest-header-nothing", "no header switches the check off", request([("x-middleware-subrequest", "src/middleware")]), "anonymous", "token-missing", cookies="on", tags=["attack:48"])
    f.request("identity-headers", "no header carries identity", request([("x-auth-user-id", USER), ("x-clerk-auth-status", "signed-in"), ("x-clerk-auth-token", GOOD)]), "anonymous", "token-missing", cookies="on", tags=["attack:48", "attack:54"])


def unavailable(f):
    f.request("keys-away-header", "without keys nobody can tell", request([bearer(GOOD)]), "unavailable", "keys-unavailable", keys=None)
    f.request("keys-away-cookie", "without keys nobody can tell", request([cookies(S=GOOD, U=UAT)]), "unavailable", "keys-unavailable", keys=None, cookies="on")
    f.request("keys-away-forged", "without keys nobody can tell, forged or not", request([bearer(FORGED)]), "unavailable", "keys-unavailable", keys=None)
    f.request("keys-away-nothing", "nothing presented needs no keys", request(), "anonymous", "token-missing", keys=None, cookies="on")
    f.request("keys-away-refusable", "what needs no keys to be refused is refused", request([bearer("null")]), "rejected", "token-is-null", keys=None)
    f.request("keys-away-other-issuer", "another instance's token needs none", request([bearer(token(body=claims(iss=OTHER_ISSUER)))]), "rejected", "wrong-iss", keys=None)
    denying = {**POLICIES["default"], "denyKids": [KID]}
    f.request("denied", "a key that the operator denied", request([bearer(GOOD)]), "rejected", "denied-kid", policy=denying)
    f.request("denied-cookie", "a key that the operator denied is denied to cookies too", request([cookies(S=GOOD, U=UAT)]), "rejected", "denied-kid", policy=denying, cookies="on")
    f.request("keys-away-denied", "a denied key is denied without keys, too", request([bearer(GOOD)]), "rejected", "denied-kid", keys=None, policy=denying)
    f.request("keys-away-denied-cookie", "a denied key is denied without keys, too", request([cookies(S=GOOD, U=UAT)]), "rejected", "denied-kid", keys=None, policy=denying, cookies="on")
    f.request("keys-away-denied-handshake", "a handshake comes to replace its cookies, whatever they are", request([cookies(S=GOOD, U=UAT)], url=URL + "?__clerk_handshake=x"), "stale", "denied-kid", keys=None, policy=denying, cookies="on")
    f.request("keys-away-signed-out", "signed out needs none", request([cookies(S=GOOD, U=0)]), "stale", "session-without-client-uat", keys=None, cookies="on")
