"""`bench_table.py FOLDER`: what criterion measured there, as a table of ratios to the bare signature check.

The least of the samples is what the machine can do while nobody else uses it; the ratios that are required are of these.
"""

import json
import pathlib
import statistics
import sys

BARE = "bare"
OURS = "doorward"
AT_MOST = 1.2


def micros(folder):
    sample = json.loads((folder / "new" / "sample.json").read_text())
    times = [nanos / iterations / 1000 for nanos, iterations in zip(sample["times"], sample["iters"])]
    return statistics.median(times), min(times)


def name_of(folder):
    return json.loads((folder / "new" / "benchmark.json").read_text())["function_id"]


def main():
    folders = [folder for folder in pathlib.Path(sys.argv[1]).iterdir() if (folder / "new").is_dir()]
    measured = {name_of(folder): micros(folder) for folder in folders}
    median_of_bare, least_of_bare = measured[BARE]
    print("| | median | least | median, times bare | least, times bare |")
    print("|---|---|---|---|---|")
    for name, (median, least) in sorted(measured.items(), key=lambda item: item[1][1]):
        ratios = f"{median / median_of_bare:.2f} | {least / least_of_bare:.2f}"
        print(f"| {name} | {median:.1f} µs | {least:.1f} µs | {ratios} |")

    least = {name: times[1] for name, times in measured.items()}
    promises = {
        f"a whole token costs at most {AT_MOST} times its bare check": least[OURS] <= AT_MOST * least[BARE],
        "less than with jsonwebtoken": least[OURS] < least["jsonwebtoken"],
        "less than with jwt-simple": least[OURS] < least["jwt-simple"],
    }
    for promise, kept in promises.items():
        if not kept:
            print(f"FAILED: {promise}")
    kept = sum(promises.values())
    print(f"{kept} passed, {len(promises) - kept} failed")
    return kept < len(promises)


sys.exit(main())
