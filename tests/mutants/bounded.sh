#!/usr/bin/env bash
# Runs a mutant's tests until one fails, for 20 seconds of processor time (or CPU_SECONDS) and with 4 GiB at most: one that never ends
# is then noticed, however busy the machine is. (`--fail-fast` is still behind a flag of the test harness.)
RUSTC_BOOTSTRAP=1 exec prlimit --cpu="${CPU_SECONDS:-20}" --as=4294967296 "$@" -Zunstable-options --fail-fast
