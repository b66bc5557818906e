#!/usr/bin/env bash
# Runs a mutant's tests until one fails, for a minute of processor time and with 4 GiB at most: one that never ends is then noticed,
# however busy the machine is. One that survives takes 3 seconds, or 15 with all the lengths that rsa.rs is tried with.
# (`--fail-fast` is still behind a flag of the test harness.)
RUSTC_BOOTSTRAP=1 exec prlimit --cpu=60 --as=4294967296 "$@" -Zunstable-options --fail-fast
