"""The rule for requests: what a request presents, and whether it is verified, anonymous, stale, rejected or unavailable.

After Clerk's decision table for cookies, as far as it goes without redirects, and stricter about headers.
"""

import base64
import hashlib
import re
import urllib.parse

import rule
from rule import Number, Refused, require

HANDSHAKE_PARAMETERS = ("__clerk_handshake", "__clerk_handshake_nonce", "__clerk_db_jwt", "__clerk_synced", "__clerk_redirect_url")
TIME_CODES = ("token-expired", "token-not-active-yet", "token-iat-in-the-future")


class Decided(Exception):
    def __init__(self, outcome, code):
        super().__init__(f"{outcome} {code}")
        self.outcome, self.code = outcome, code


def check(request, cookies, keys, policy, now):
    """The outcome, its code, and the principal of a verified request. `cookies` is "off", "on" or a publishable key."""
    try:
        if cookies != "off" and is_proxy_path(request):
            raise Decided("stale", "token-missing")
        text = refusing("rejected", bearer, request)
        if text is not None:
            return header_outcome(text, keys, policy, now)
        if cookies == "off":
            held = [name for name, value in parsed_cookies(request) if name.startswith("__session") and value]
            raise Decided(*(("rejected", "cookie-auth-off") if held else ("anonymous", "token-missing")))
        return cookie_outcome(request, cookies, keys, policy, now)
    except Decided as decided:
        return decided.outcome, decided.code, None


def refusing(outcome, judge, *arguments):
    try:
        return judge(*arguments)
    except Refused as refusal:
        raise Decided("unavailable" if refusal.code == "keys-unavailable" else outcome, refusal.code) from None


# The Authorization header

def bearer(request):
    values = header_values(request, "authorization")
    if not values:
        return None
    require(len(values) == 1, "authorization-malformed")
    value = values[0].strip(" \t")
    scheme, _, token = value.partition(" ")
    if value and scheme.lower() != "bearer":
        try:
            rule.judge_presented(value)
        except Refused as refusal:
            require(refusal.code == "token-too-large", refusal.code)
        raise Refused("authorization-malformed")
    require(not re.search(r"[\s\x00-\x1f\x7f,]", token), "authorization-malformed")
    rule.judge_presented(token)
    return token


def header_outcome(text, keys, policy, now):
    who = refusing("rejected", rule.verify, text, keys, policy, now)
    return "verified", "ok", who


# Cookies

def parsed_cookies(request):
    """Split first, decoded then. Quotation marks around a value are not part of it."""
    found = []
    for value in header_values(request, "cookie"):
        for pair in value.split(";"):
            name, equals, text = pair.partition("=")
            if equals:
                text = text.strip(" \t")
                if len(text) >= 2 and text[0] == text[-1] == '"':
                    text = text[1:-1]
                found.append((name.strip(" \t"), decoded(text)))
    return found


def decoded(text):
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        return text
    try:
        return urllib.parse.unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return text


def cookie(request, name):
    """The first of the name; an empty one is a missing one."""
    return next((value for known, value in parsed_cookies(request) if known == name), None) or None


def cookie_suffix(publishable_key):
    """The first eight characters of base64url(SHA-1(the key as it is written))."""
    return base64.urlsafe_b64encode(hashlib.sha1(publishable_key.encode()).digest()).decode()[:8]


def cookie_outcome(request, cookies, keys, policy, now):
    handshake = is_handshake(request)
    session, client_uat = cookie_set(request, cookies, policy, now)
    try:
        changed = int(client_uat) if client_uat and re.fullmatch(r"[0-9]+", client_uat) else 0
        if session is None:
            raise Decided(*(("stale", "client-uat-without-session") if changed else ("anonymous", "token-missing")))
        if not changed:
            raise Decided("stale", "session-without-client-uat")
        screened = refusing("rejected", rule.screen, session, policy)
        return judged_cookie(request, screened, changed, keys, policy, now)
    except Decided as decided:
        if handshake and decided.outcome in ("anonymous", "rejected") and decided.code != "origin-refused":
            raise Decided("stale", decided.code) from None
        raise


def judged_cookie(request, screened, changed, keys, policy, now):
    issued = glance_time(screened[0], "iat")
    older = issued is None or issued < changed
    try:
        who = rule.verify_screened(screened, keys, policy, now)
    except Refused as refusal:
        if refusal.code == "keys-unavailable":
            raise Decided("unavailable", refusal.code) from None
        if refusal.code in TIME_CODES:
            raise Decided("stale", "session-older-than-client-uat" if older else refusal.code) from None
        raise Decided("stale" if refusal.code == "session-pending" else "rejected", refusal.code) from None
    if older:
        raise Decided("stale", "session-older-than-client-uat")
    if who["authorized_party"] is None:
        raise Decided("stale", "missing-azp")
    if is_write(request) and not may_write(request, who, policy):
        raise Decided("rejected", "origin-refused")
    return "verified", "ok", who


def is_write(request):
    return request["method"] not in ("GET", "HEAD", "OPTIONS") or bool(header_values(request, "upgrade"))


def may_write(request, who, policy):
    origins = header_values(request, "origin")
    if len(origins) != 1 or origins[0] == "null":
        return False
    parties = policy["authorizedParties"]
    if parties == "any party":
        return origins[0] == who["authorized_party"]
    return any(rule.matches(pattern, origins[0]) for pattern in parties)


def cookie_set(request, cookies, policy, now):
    """Plain or suffixed: the rules of clerk-facts 7.3 in their order; the first that matches."""
    plain = cookie(request, "__session"), cookie(request, "__client_uat")
    if cookies == "on":
        return plain
    suffix = cookie_suffix(cookies)
    suffixed = cookie(request, f"__session_{suffix}"), cookie(request, f"__client_uat_{suffix}")
    (S, U), (s, u) = plain, suffixed
    S_payload, s_payload = unverified(S), unverified(s)
    S_iat, s_iat = (glance_time(payload, "iat") or 0 for payload in (S_payload, s_payload))
    if S is not None:
        issuer = (S_payload or {}).get("iss")
        if not (isinstance(issuer, str) and issuer):
            return plain
        if issuer not in [policy["issuer"], *policy.get("issuerAliases", [])]:
            return suffixed
    if s is None and u is None:
        return plain
    if u != "0" and U != "0" and S_iat > s_iat:
        return plain
    if u == "0" and U != "0":
        return plain
    s_exp = glance_time(s_payload, "exp")
    if cookies.startswith("pk_test_") and u != "0" and U == "0" and s_exp is not None and s_exp <= now // 1000:
        return plain
    if s is not None and u is None:
        return plain
    return suffixed


def unverified(text):
    try:
        return rule.take_apart(text)[1] if text is not None else None
    except Refused:
        return None


def glance_time(payload, claim):
    try:
        return rule.seconds(payload, claim) if payload else None
    except Refused:
        return None


# The request itself

def header_values(request, wanted):
    return [value for name, value in request["headers"] if name.lower() == wanted]


def path_and_query(request):
    url, _, _ = request["url"].partition("#")
    path, _, query = url.partition("?")
    if "://" in path and not path.startswith("/"):
        rest = path.partition("://")[2]
        path = rest[rest.find("/") :] if "/" in rest else "/"
    return path, query


def is_proxy_path(request):
    path = path_and_query(request)[0]
    return not re.search(r"\.\.|%|\\", path) and (path == "/__clerk" or path.startswith("/__clerk/"))


def is_handshake(request):
    names = [decoded(pair.partition("=")[0]) for pair in path_and_query(request)[1].split("&")]
    cookies = [cookie(request, name) for name in HANDSHAKE_PARAMETERS[:2]]
    return is_proxy_path(request) or any(cookies) or any(name in HANDSHAKE_PARAMETERS for name in names)
