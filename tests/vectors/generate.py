#!/usr/bin/env python3
"""Writes the vectors. `--check` compares instead: the committed files must be what this writes, byte for byte."""

import importlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
# Permission masks and numbers may have more digits than Python converts unasked.
sys.set_int_max_str_digits(0)

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


def main():
    check = sys.argv[1:] == ["--check"]
    stale, names = [], set()
    for family_name in FAMILIES:
        family = importlib.import_module(f"families.{family_name}").family()
        for case in family.cases:
            if case["name"] in names:
                sys.exit(f"two cases are named {case['name']}")
            names.add(case["name"])
        path = HERE / f"{family.name}.json"
        text = json.dumps(family.document(), indent=1, ensure_ascii=True) + "\n"
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(path.name)
    unknown = {path.name for path in HERE.glob("*.json")} - {f"{name}.json" for name in FAMILIES}
    if unknown:
        sys.exit(f"no family writes {', '.join(sorted(unknown))}")
    if stale:
        sys.exit(f"not what generate.py writes: {', '.join(stale)}")
    print(f"{len(names)} vectors in {len(FAMILIES)} families")


if __name__ == "__main__":
    main()
