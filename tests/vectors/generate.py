#!/usr/bin/env python3
"""Writes the vectors. `--check` compares instead: the committed files must be what this writes, byte for byte."""

import importlib
import json
import pathlib
import re
import sys
from collections import Counter

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
# Permission masks and numbers may have more digits than Python converts unasked.
sys.set_int_max_str_digits(0)

import rule

FAMILIES = [
    "shape",
    "json_documents",
    "header",
    "confusion",
    "issuer",
    "keys",
    "signature",
    "claims",
    "audience",
    "times",
    "parties",
    "principals",
    "has",
    "order",
    "key_material",
    "requests",
    "webhooks",
    "settings",
]


# What the cases must cover, each at least so often.
ENGINE_CODES = [*list(rule.REASONS)[: list(rule.REASONS).index("session-revoked")], "webhook-headers-missing", "webhook-timestamp-outside", "webhook-signature", "webhook-malformed", "body-too-large"]
ATTACKS = [*range(1, 36), 38, 39, 40, 41, 42, 45, 47, 48, 49, 50, 51, 53, 54, 59]
PEER_ROWS = [
    "good", "other-issuer", "azp-missing", "azp-array", "crit", "crit-empty", "exp-absent", "exp-string", "nbf-string", "exp-1e20", "exp-minus-one", "expired-3s", "expired-30s", "iat-ahead", "sub-number",
    "payload-array", "at-jwt", "template", "pending", "no-kid", "signature-padding", "standard-base64", "trailing-newline", "duplicate-sub", "alg-none", "hs256-with-pem", "lower-case-alg", "four-parts", "leading-space",
]


def main():
    families = [importlib.import_module(f"families.{name}").family() for name in FAMILIES]
    cases = [case for family in families for case in family.cases]
    repeated = [name for name, count in Counter(case["name"] for case in cases).items() if count > 1]
    if repeated:
        sys.exit(f"several cases are named {', '.join(repeated)}")
    codes = Counter(case["expect"]["code"] for case in cases)
    tags = Counter(tag for case in cases for tag in case["tags"])
    missing = [code for code in ENGINE_CODES if codes[code] < 2]
    missing += [tag for tag in [*(f"attack:{row}" for row in ATTACKS), *(f"peer:{row}" for row in PEER_ROWS)] if not tags[tag]]
    if missing:
        sys.exit(f"not covered: {', '.join(missing)}")
    files = {HERE / f"{family.name}.json": json.dumps(family.document(), indent=1) + "\n" for family in families}
    unknown = set(HERE.glob("*.json")) - set(files)
    if unknown:
        sys.exit(f"no family writes {', '.join(sorted(path.name for path in unknown))}")
    match sys.argv[1:]:
        case []:
            for path, text in files.items():
                path.write_text(text)
        case ["--check"]:
            stale = [path.name for path, text in files.items() if not path.exists() or path.read_text() != text]
            if stale:
                sys.exit(f"not what generate.py writes: {', '.join(stale)}")
            listed = re.findall(r"^\| `([a-z0-9-]+)` \| `([a-z-]+)` \|$", (HERE / "README.md").read_text(), re.M)
            if listed != list(rule.REASONS.items()):
                sys.exit("README.md lists other codes than rule.py")
        case ["--coverage"]:
            counts = [Counter(family.name for family in families for _ in family.cases), codes, tags]
            for key, count in [item for counted in counts for item in sorted(counted.items())]:
                print(f"{count:5} {key}")
        case _:
            sys.exit("usage: generate.py [--check | --coverage]")
    print(f"{len(cases)} vectors in {len(families)} families")


if __name__ == "__main__":
    main()
