#!/usr/bin/env bash
# Builds the npm package into verifier-wasm/dist/, and packs it:
#
#     verifier-wasm/build.sh
#     npm install ./verifier-wasm/doorward-0.1.0.tgz      # in a project of yours
#
# The same source gives the same bytes: no path, time or name of this machine gets into the package.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly package=verifier-wasm
readonly dist=$package/dist
readonly target=${CARGO_TARGET_DIR:-target}

tools() {
    [[ $package/node_modules/.package-lock.json -nt $package/package-lock.json ]] ||
        npm ci --prefix "$package" --no-audit --no-fund --loglevel=error
    # Built with the compiler of this machine, not with the one for WebAssembly.
    env -u RUSTC -u RUSTC_BOOTSTRAP cargo build --quiet --locked --manifest-path $package/bindgen/Cargo.toml --target-dir "$target/bindgen"
}

# Inlined is what is marked so, or gets no larger by it: 3.7 kB of brotli less than where the compiler decides, and as quick.
readonly inlining=-Cllvm-args=-inline-threshold=0

# The module with the compiler flags $2, with its glue, into dist/$1.
module() {
    local variant=$1 flags=$2 built=$target/wasm-$1 folder=$dist/$1
    mkdir -p "$folder"
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="${CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS:-} \
        --remap-path-prefix=$PWD=/doorward --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo $inlining $flags" \
        cargo build --quiet --locked -p doorward-wasm --profile wasm --target wasm32-unknown-unknown --target-dir "$built"
    "$target/bindgen/debug/doorward-bindgen" "$built/wasm32-unknown-unknown/wasm/doorward_wasm.wasm" "$folder"
    # Its entry for bundlers that import modules; ours instantiate it themselves.
    rm "$folder/engine.js"
    optimize "$folder/engine_bg.wasm"
    printf '/** Written by the build: the module as text. */\n\nexport const base64 =\n  "%s";\n' \
        "$(base64 -w 0 "$folder/engine_bg.wasm")" >"$folder/engine_base64.js"
}

optimize() {
    $package/node_modules/.bin/wasm-opt -O3 --enable-bulk-memory --enable-bulk-memory-opt --enable-reference-types \
        --enable-sign-ext --enable-mutable-globals --enable-nontrapping-float-to-int --enable-multivalue --enable-simd \
        --strip-debug --strip-producers --strip-target-features "$1" -o "$1"
}

# The JavaScript of every host around a module, and CommonJS for those that `require`.
hosts() {
    local folder=$dist/$1
    cp $package/js/*.js $package/js/entry/*.js "$folder/"
    rm "$folder"/{next,testing}.js
    common_js "$folder" node inline
    # One file, with the module beside it: a first import takes Node about half a millisecond for each file.
    $package/node_modules/.bin/esbuild "$folder/node.js" --bundle --platform=node --format=esm --target=node20 \
        --external:./engine_base64.js --log-level=warning --allow-overwrite --outfile="$folder/node.js"
}

common_js() {
    local folder=$1 entry
    shift
    for entry in "$@"; do
        $package/node_modules/.bin/esbuild "$folder/$entry.js" --bundle --platform=node --format=cjs --target=node20 \
            --log-level=warning --outfile="$folder/$entry.cjs"
    done
}

documents() {
    cp $package/js/{next,testing}.js "$dist/"
    common_js "$dist" next testing
    cp $package/js/types/*.d.ts "$dist/"
    local types
    for types in "$dist"/*.d.ts; do
        # What `require` gives has types of its own kind, or TypeScript takes it for an ES module.
        sed 's/from "\.\/\(.*\)\.js"/from ".\/\1.cjs"/' "$types" >"${types%.ts}.cts"
    done
    cp $package/README.md $package/CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$dist/"
    node $package/manifest.mjs $package/package.json "$dist"
}

rm -rf "$dist"
environment=$($package/sysroot.sh)
eval "$environment"
tools
module simd -Ctarget-feature=+simd128
module scalar ""
for variant in simd scalar; do hosts $variant; done
documents
npm pack "./$dist" --pack-destination "$package" --silent
