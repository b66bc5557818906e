"""`judge.py MUTANTS.OUT FOLDER`: whether only those mutants survived that a line of FOLDER/explained.txt is about.

A line there is a mutant as cargo-mutants names it, without line and column, two spaces or more, and the reason why no test can
notice it. Lines that begin with `#` are comments. With UPDATE_RESULTS set, the counts of each file of which every mutant was tried are
written to FOLDER/results.txt; the other lines of it stay.
"""

import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
from collections import Counter, defaultdict

COLUMNS = ("mutants", "noticed", "not compiled", "explained", "survived")


def without_place(name):
    return re.sub(r":\d+:\d+:", ":", name.strip())


def outcomes(results):
    """Each mutant that was tried, by its file: its name, and what became of it."""
    tried = defaultdict(list)
    for outcome in json.loads((results / "outcomes.json").read_text())["outcomes"]:
        if outcome["scenario"] != "Baseline":
            mutant = outcome["scenario"]["Mutant"]
            tried[mutant["file"]].append((without_place(mutant["name"]), outcome["summary"]))
    return tried


def kind(name, summary, explained):
    """A mutant that never ends, or takes all memory, is noticed, too."""
    if summary in ("CaughtMutant", "Timeout"):
        return "noticed"
    if summary == "Unviable":
        return "not compiled"
    if summary == "MissedMutant":
        return "explained" if name in explained else "survived"
    raise ValueError(f"what is {summary}?")


def update(path, counts):
    lines = path.read_text().splitlines()
    head = [line for line in lines if line.startswith("#")]
    rows = {line.split()[0]: line for line in lines if line and not line.startswith("#")}
    commit = subprocess.run(["git", "rev-parse", "--short=9", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    version = subprocess.run(["cargo", "mutants", "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    day = datetime.date.today().isoformat()
    for name, count in counts.items():
        figures = "".join(f"{count[column]:>14}" for column in COLUMNS)
        rows[name] = f"{name:<32}{figures}  {day}  {version}  {commit}"
    path.write_text("\n".join([*head, *(rows[name] for name in sorted(rows))]) + "\n")


def main():
    results, folder = map(pathlib.Path, sys.argv[1:3])
    lines = [line for line in (folder / "explained.txt").read_text().splitlines() if line.strip() and not line.startswith("#")]
    explained = {re.split(r"\s{2,}", line.strip(), maxsplit=1)[0] for line in lines}
    listed = Counter(mutant["file"] for mutant in json.loads((results / "mutants.json").read_text()))

    counts = {}
    for file, tried in outcomes(results).items():
        kinds = [(name, kind(name, summary, explained)) for name, summary in tried]
        counts[file] = Counter(kind for _, kind in kinds) + Counter(mutants=len(tried))
        for name, became in kinds:
            if became == "survived":
                print(f"FAILED: survived, and nobody says why: {name}")
    if os.environ.get("UPDATE_RESULTS"):
        whole = {file: count for file, count in counts.items() if count["mutants"] == listed[file]}
        update(folder / "results.txt", whole)

    total = sum(counts.values(), Counter())
    print(", ".join(f"{total[column]} {column}" for column in COLUMNS))
    print(f"{total['noticed'] + total['explained']} passed, {total['survived']} failed")
    return total["survived"] > 0


sys.exit(main())
