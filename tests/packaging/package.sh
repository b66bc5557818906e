#!/usr/bin/env bash
# What would be published: the files and the manifest, the types as TypeScript reads them, the README's examples as they
# are typed, and that another build in another place gives the same bytes.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
source tests/runner/count.sh
# shellcheck source=tests/packaging/project.sh
source tests/packaging/project.sh

# Adds what a script's last line counts.
counted() {
    local output
    output=$("$@")
    sed '$d' <<<"$output"
    read -r p f < <(sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' <<<"$output") || { p=0 f=1; }
    passed=$((passed + p)) failed=$((failed + f))
}

# compiles KIND RESOLUTION: the types, in a program that is strict.
compiles() {
    (cd "$types" && node_modules/.bin/tsc --noEmit --strict --exactOptionalPropertyTypes --target es2022 --lib es2022,dom,dom.iterable \
        --types node --module "$1" --moduleResolution "$2" use.ts ${3:+"$3"})
}

# Another folder, another target folder: the standard library and the tool that makes the glue are the only things shared.
builds_the_same() {
    local target copy
    target=$(realpath "${CARGO_TARGET_DIR:-target}")
    copy=$(mktemp -d -t doorward-again.XXXXXX)
    git ls-files -z --cached --others --exclude-standard | tar --null -cf - --files-from - | tar -xf - -C "$copy"
    mkdir "$copy/target"
    ln -s "$target/bindgen" "$target/wasm-sysroot" "$copy/target/"
    (cd "$copy" && env -u CARGO_TARGET_DIR verifier-wasm/build.sh) || return
    (cd "$copy/verifier-wasm/dist" && sha256sum -- */*.wasm *.js *.d.ts) >"$copy/again.txt"
    (cd verifier-wasm/dist && sha256sum --check --quiet "$copy/again.txt") || return
    [[ $(sha256sum <verifier-wasm/doorward-*.tgz) == $(sha256sum <"$copy"/verifier-wasm/doorward-*.tgz) ]] || return
    rm -rf "$copy"
}

verifier-wasm/build.sh || { failed=1; finish; }
tarball=$(realpath verifier-wasm/doorward-*.tgz)
counted node tests/packaging/package/check.mjs "$tarball"

types=$(new_project types) || { failed=$((failed + 1)); finish; }
check "tsc --strict, node16" compiles node16 node16 require.cts
check "tsc --strict, nodenext" compiles nodenext nodenext require.cts
check "tsc --strict, bundler" compiles esnext bundler
check publint "$types/node_modules/.bin/publint" --strict "$types/node_modules/doorward"
# Node 10 knows no `exports`; it is not among the hosts.
check "are the types wrong" "$types/node_modules/.bin/attw" "$tarball" --profile node16 --no-color

readme=$(new_project readme) || { failed=$((failed + 1)); finish; }
counted node "$readme/readme.mjs" verifier-wasm/README.md
check "two builds, the same bytes" builds_the_same
finish
