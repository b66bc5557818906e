# shellcheck shell=bash
# How suites in bash count. Sourced by them.

passed=0
failed=0

# check NAME COMMAND...: one more passed, or one more failed.
check() {
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name"
    fi
}

# Adds the counts of `cargo test`, whose output is in the file $1 and whose exit code is $2. What
# fell without counting, such as a build, is one failure.
count_cargo() {
    local counts
    counts=$(awk '/^test result:/ { passed += $4; failed += $6 } END { print passed + 0, failed + 0 }' "$1")
    passed=$((passed + ${counts% *})) failed=$((failed + ${counts#* }))
    if (($2 != 0 && ${counts#* } == 0)); then failed=$((failed + 1)); fi
}

finish() {
    echo "$passed passed, $failed failed"
    ((failed == 0))
    exit
}
