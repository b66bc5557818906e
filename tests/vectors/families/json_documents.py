"""Header and payload are strict JSON objects; the first offence from the left is the verdict."""

import forge
from families.base import *

KINDS = {
    "header": lambda text: token(head=text),
    "payload": lambda text: token(body=text),
}


def family():
    f = Family("json_documents", "Header and payload as JSON: RFC 8259 to the letter, no member twice, bounded in depth and number.")
    for part in KINDS:
        good = forge.compact(header() if part == "header" else claims())
        accepted(f, part, good)
        not_objects(f, part, good)
        malformed(f, part, good)
        duplicates(f, part, good)
        bounds(f, part, good)
    header_size(f)
    first_offence(f)
    return f


def add(f, part, name, why, document, expect="ok", tags=()):
    f.token(f"{part}-{name}", why, KINDS[part](document), expect, tags=tags)


def member(good, raw):
    """The good document with one more member, written as given, in front of its last brace."""
    return good[:-1] + "," + raw + "}"


def accepted(f, part, good):
    add(f, part, "white-space", "space, tab, line feed and carriage return may stand between tokens of JSON", " \t\r\n" + good.replace(":", " :\n", 1).replace(",", "\t,\r", 1) + "\n ")
    add(f, part, "escapes", "every escape that JSON has", member(good, r'"x":"\"\\\/\b\f\n\r\tA\u00e9\ud83d\ude00"'))
    add(f, part, "name-escaped", "a member's name may be written with escapes", good.replace('"alg"' if part == "header" else '"sub"', r'"\u0061lg"' if part == "header" else r'"s\u0075b"'))
    add(f, part, "value-escaped", "a value is compared after unescaping", good.replace('"JWT"', r'"J\u0057\u0054"') if part == "header" else good.replace("https://app", r"https:\/\/app"))
    add(f, part, "four-byte-utf8", "characters of every length in UTF-8", member(good, '"x":"aé€😀\U0010ffff"'))
    add(f, part, "delete-character", "U+007F is not a control character to JSON", member(good, '"x":"\x7f"'))
    add(f, part, "escaped-nul", "a NUL, written as an escape, inside a value that nobody reads", member(good, r'"x":"\u0000"'))
    add(f, part, "names-apart-in-case", "names are compared with their case", member(good, '"SUB":1,"Alg":2'))
    add(f, part, "names-apart-in-normal-form", "names are compared by code point, not by Unicode normal form", member(good, '"\u00e9":1,"e\u0301":2'))
    add(f, part, "same-name-in-two-objects", "a name may recur in another object", member(good, '"a":{"x":1},"b":{"x":1,"y":{"x":2}}'))
    add(f, part, "empty-name", "the empty string is a name", member(good, '"":1'))
    add(f, part, "numbers", "every form of a number", member(good, '"x":[0,-0,1.5,-1.5e3,2E+2,3e-2,1e400,123456789012345678901234567890]'))
    add(f, part, "empty-containers", "an empty object and an empty list", member(good, '"x":{},"y":[],"z":[ ],"w":{ }'))


def not_objects(f, part, good):
    for name, text in {"list": f"[{good}]", "string": '"text"', "number": "1", "true": "true", "false": "false", "null": "null", "empty-list": "[]"}.items():
        tags = ["peer:payload-array"] if (part, name) == ("payload", "list") else []
        add(f, part, f"is-{name}", "only an object has members", text, "malformed-json", tags)
    add(f, part, "is-white-space", "no document at all", " ", "malformed-json")
    add(f, part, "is-empty-object", "an object, with nothing in it", "{}", "unsupported-algorithm" if part == "header" else "missing-iss")


def malformed(f, part, good):
    inside = good[1:]
    cases = {
        "bom": b"\xef\xbb\xbf" + good.encode(),
        "utf-16": good.encode("utf-16"),
        "trailing-brace": good + "}",
        "trailing-comma-after-document": good + ",",
        "second-document": good + good,
        "trailing-nul": good + "\0",
        "trailing-text": good + "x",
        "cut-off": good[:-1],
        "trailing-comma": good[:-1] + ",}",
        "leading-comma": "{," + inside,
        "double-comma": "{" + inside.replace(",", ",,", 1),
        "no-colon": member(good, '"x" 1'),
        "no-value": member(good, '"x":'),
        "no-comma": good[:-1] + ' "x":1}',
        "single-quotes": member(good, "'x':1"),
        "bare-name": member(good, "x:1"),
        "number-for-a-name": member(good, "1:1"),
        "comment": "/* */" + good,
        "line-comment": good + "// ",
        "form-feed": "\f" + good,
        "no-break-space": "\u00a0" + good,
        "vertical-tab": member(good, '"x":\v1'),
        "raw-newline-in-string": member(good, '"x":"a\nb"'),
        "raw-tab-in-string": member(good, '"x":"a\tb"'),
        "raw-nul-in-string": member(good, '"x":"a\0b"'),
        "raw-control-in-name": member(good, '"x\x1f":1'),
        "open-string": member(good, '"x":"a'),
        "bad-escape": member(good, r'"x":"\x41"'),
        "bad-escape-quote": member(good, '"x":"\\\'"'),
        "short-unicode-escape": member(good, r'"x":"\u12"'),
        "bad-hex-in-escape": member(good, r'"x":"\u12g4"'),
        "signed-hex-in-escape": member(good, r'"x":"\u+123"'),
        "lone-high-surrogate": member(good, r'"x":"\ud83d"'),
        "lone-low-surrogate": member(good, r'"x":"\ude00"'),
        "surrogates-swapped": member(good, r'"x":"\ude00\ud83d"'),
        "two-high-surrogates": member(good, r'"x":"\ud83d\ud83d"'),
        "high-surrogate-then-text": member(good, r'"x":"\ud83dxx"'),
        "high-surrogate-then-escape": member(good, r'"x":"\ud83d\n"'),
        "lone-surrogate-in-name": member(good, r'"\ud800":1'),
        "utf8-continuation-alone": member(good, '"x":"@"').encode().replace(b"@", b"\x80"),
        "utf8-cut-short": member(good, '"x":"@"').encode().replace(b"@", b"\xe2\x82"),
        "utf8-overlong": member(good, '"x":"@"').encode().replace(b"@", b"\xc0\xaf"),
        "utf8-overlong-three": member(good, '"x":"@"').encode().replace(b"@", b"\xe0\x80\xaf"),
        "utf8-surrogate": member(good, '"x":"@"').encode().replace(b"@", b"\xed\xa0\xbd"),
        "utf8-beyond": member(good, '"x":"@"').encode().replace(b"@", b"\xf4\x90\x80\x80"),
        "utf8-byte-ff": member(good, '"x":"@"').encode().replace(b"@", b"\xff"),
        "latin-1": member(good, '"x":"@"').encode().replace(b"@", b"\xe9"),
        "utf8-bad-in-name": member(good, '"@":1').encode().replace(b"@", b"\xc3"),
        "utf8-bad-between": good.encode()[:-1] + b"\xc3\xa9}",
    }
    for name, text in {"leading-zero": "01", "minus-zero-one": "-01", "plus": "+1", "no-whole": ".5", "no-fraction": "1.", "no-exponent": "1e", "no-exponent-digits": "1e+", "minus-alone": "-", "hex": "0x10", "nan": "NaN", "infinity": "Infinity", "minus-infinity": "-Infinity", "underscore": "1_000", "capital-true": "True", "capital-null": "NULL", "cut-true": "tru", "long-true": "truex", "undefined": "undefined"}.items():
        cases[f"value-{name}"] = member(good, f'"x":{text}')
    for name, text in {"list-open": "[1", "list-comma": "[1,]", "list-leading-comma": "[,1]", "list-no-comma": "[1 2]", "list-closed-by-brace": "[1}", "object-closed-by-bracket": '{"a":1]', "nested-trailing-comma": '{"a":1,}', "empty-item": "[1,,2]"}.items():
        cases[f"value-{name}"] = member(good, f'"x":{text}')
    for name, document in cases.items():
        tags = ["attack:29"] if name in ("value-nan", "value-infinity") else []
        add(f, part, name, "strict JSON or nothing: what two parsers read apart must not be signed text here", document, "malformed-json", tags)


def duplicates(f, part, good):
    first = '"alg":"RS256"' if part == "header" else f'"sub":{forge.compact(USER)}'
    cases = {
        "same-value": member(good, first),
        "other-value": member(good, '"alg":"none"' if part == "header" else '"sub":"user_attacker"'),
        "escaped": member(good, r'"\u0061lg":"none"' if part == "header" else r'"\u0073ub":"user_attacker"'),
        "first-of-two": good.replace("{", '{"kid":"x",' if part == "header" else '{"iss":"x",', 1),
        "unknown-member": member(good, '"x":1,"x":1'),
        "empty-name": member(good, '"":1,"":2'),
        "nested": member(good, '"x":{"a":1,"b":2,"a":3}'),
        "nested-in-list": member(good, '"x":[{"a":1},{"a":1,"a":2}]'),
        "deeply-nested": member(good, '"x":' + '{"y":' * 12 + '{"a":1,"a":2}' + "}" * 12),
        "surrogate-pair-and-character": member(good, r'"x":{"\ud83d\ude00":1,"😀":2}'),
        "far-apart": member(good, ",".join(f'"m{i}":{i}' for i in range(60)) + ',"m0":0'),
    }
    for name, document in cases.items():
        tags = ["peer:duplicate-sub"] if (part, name) in (("payload", "other-value"), ("payload", "same-value")) else []
        add(f, part, f"twice-{name}", "of two members with one name, two parsers take two", document, "duplicate-member", tags)


def bounds(f, part, good):
    for name, opening, closing in (("lists", "[", "]"), ("objects", '{"a":', "}")):
        middle = "" if name == "lists" else "1"
        for depth, expect in ((15, "ok"), (16, "json-too-deep"), (200, "json-too-deep")):
            document = member(good, '"x":' + opening * depth + middle + closing * depth)
            why = "the document itself is depth 1, so fifteen more are the most"
            add(f, part, f"depth-{depth + 1}-{name}", why, document, expect)
    add(f, part, "depth-never-closed", "the depth is refused where it is passed, closed or not", member(good, '"x":' + "[" * 500), "json-too-deep")
    if part == "payload":
        present = len(claims())
        for extra, expect in ((1024 - present, "ok"), (1025 - present, "too-many-members"), (2000, "too-many-members")):
            body = claims(**{f"m{i}": 0 for i in range(extra)})
            add(f, part, f"members-{extra + present}", "1024 members in one document", forge.compact(body), expect)
        nested = claims(x=[{"a": i} for i in range(1025)])
        add(f, part, "members-in-nested-objects", "members of nested objects count like all others", forge.compact(nested), "too-many-members")
        nested = claims(x=[{"a": i} for i in range(1024 - present - 1)])
        add(f, part, "members-in-nested-objects-at-the-bound", "up to 1024 of them", forge.compact(nested))
        add(f, part, "items-are-no-members", "items of a list are not members", forge.compact(claims(x=[0] * 3000)))


def header_size(f):
    room = rule.MAX_HEADER_BYTES - len(forge.compact(header(x="")))
    add(f, "header", "largest", "a decoded header of 4096 bytes", forge.compact(header(x="x" * room)))
    add(f, "header", "too-large-by-one", "4097 bytes", forge.compact(header(x="x" * (room + 1))), "header-too-large")
    add(f, "header", "too-large-of-white-space", "white space counts", forge.compact(header()) + " " * 4096, "header-too-large")
    add(f, "header", "too-large-and-no-json", "the size is looked at before the JSON", "x" * 4097, "header-too-large")
    add(f, "header", "too-large-x5c", "a certificate chain in the header", forge.compact(header(x5c=[forge.b64(forge.certificate_der("other"))] * 6)), "header-too-large", ["attack:4"])
    add(f, "header", "members-many-and-short", "four-byte members: the size is reached before 1024 members are", "{" + ",".join(f'"{chr(97 + i // 26 % 26)}{chr(97 + i % 26)}":{i % 10}' for i in range(600)) + "}", "header-too-large")


def first_offence(f):
    good = forge.compact(claims())
    add(f, "payload", "duplicate-then-malformed", "what stands further left is named", good[:-1] + ',"x":1,"x":2,"y":}', "duplicate-member")
    add(f, "payload", "malformed-then-duplicate", "what stands further left is named", good[:-1] + ',"y":01,"x":1,"x":2}', "malformed-json")
    add(f, "payload", "duplicate-then-deep", "what stands further left is named", good[:-1] + ',"x":1,"x":' + "[" * 20 + "]" * 20 + "}", "duplicate-member")
    add(f, "payload", "deep-then-duplicate", "what stands further left is named", good[:-1] + ',"x":' + "[" * 20 + "]" * 20 + ',"x":1}', "json-too-deep")
    add(f, "payload", "deep-then-malformed", "what stands further left is named", good[:-1] + ',"x":' + "[" * 20 + "}", "json-too-deep")
    add(f, "payload", "malformed-then-deep", "what stands further left is named", good[:-1] + ',"w":.5,"x":' + "[" * 20 + "]" * 20 + "}", "malformed-json")
    add(f, "payload", "duplicate-then-bad-utf8", "what stands further left is named", (good[:-1] + ',"x":1,"x":2,"y":"').encode() + b'\xff"}', "duplicate-member")
    add(f, "payload", "bad-utf8-then-duplicate", "what stands further left is named", (good[:-1] + ',"y":"').encode() + b'\xff","x":1,"x":2}', "malformed-json")
    many = ",".join(f'"m{i}":0' for i in range(1024))
    add(f, "payload", "many-then-malformed", "what stands further left is named", good[:-1] + "," + many + ',"y":}', "too-many-members")
    add(f, "payload", "malformed-then-many", "what stands further left is named", good[:-1] + ',"y":+1,' + many + "}", "malformed-json")
    both = token(head=forge.compact(header())[:-1] + ',"x":1,"x":2}', body="[]")
    f.token("header-before-payload-1", "the header is read before the payload", both, "duplicate-member")
    both = token(head=forge.compact(header())[:-1] + ",}", body=good[:-1] + ',"x":1,"x":2}')
    f.token("header-before-payload-2", "the header is read before the payload", both, "malformed-json")
    f.token("json-before-header", "what the header says is looked at after both documents are JSON", token(head=header(alg="none"), body="{"), "malformed-json")
