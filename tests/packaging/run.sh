#!/usr/bin/env bash
# Builds and packs the npm package, installs it in an empty project, and runs the vectors and its own tests there, in Node;
# then holds its verdicts against those of a server.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# shellcheck source=tests/packaging/project.sh
source tests/packaging/project.sh

passed=0
failed=0

# Runs a script in the project and adds what its last line counts.
counted() {
    local output
    output=$(mktemp)
    "$@" | tee "$output" | sed '/^[0-9]* passed, [0-9]* failed$/d' || true
    read -r p f < <(sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$output") || { p=0 f=1; }
    passed=$((passed + p)) failed=$((failed + f))
}

verifier-wasm/build.sh
program=$(tests/runner/program)
project=$(new_project node)
cp tests/packaging/vectors.mjs "$project/run-vectors.mjs"
counted node "$project/vectors.mjs" "$(realpath "${VECTORS_DIR:-tests/vectors}")"
cp tests/js/*.mjs "$project/"
(cd "$project" && node --test --test-reporter=tap ./*.test.mjs) >"$project/tests.tap" || grep -A 20 '^ *not ok' "$project/tests.tap" || true
passed=$((passed + $(sed -n 's/^# pass //p' "$project/tests.tap"))) failed=$((failed + $(sed -n 's/^# fail //p' "$project/tests.tap")))
counted node "$project/server.mjs" "$program" "$project/data"
echo "$passed passed, $failed failed"
((failed == 0))
