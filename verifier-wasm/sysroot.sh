#!/usr/bin/env bash
# Makes sure that a Rust compiler with a standard library for wasm32-unknown-unknown is at hand,
# and prints the environment in which cargo uses it:
#
#     eval "$(verifier-wasm/sysroot.sh)"
#     cargo build -p doorward-wasm --profile wasm --target wasm32-unknown-unknown
#
# Where the toolchain has the target already (`rustup target add wasm32-unknown-unknown`), nothing
# is printed but a comment. Elsewhere a compiler that came with its library's source is used
# (Debian's rustc-web with rust-web-src, or a toolchain with the component rust-src), and the
# library is built once, in about a minute, into target/wasm-sysroot/. `--check` builds nothing:
# it exits with 0 where all that is needed is there, and with 1 where it is not.
#
# Flags of your own go after those printed here:
#
#     export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS+=" -Ctarget-feature=+simd128"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly target=wasm32-unknown-unknown
# `rust-version` of the workspace.
readonly oldest_minor=89

has_std() {
    compgen -G "$("$1" --print target-libdir --target $target 2>/dev/null)/libstd-*.rlib" >/dev/null
}

source_of_std() {
    local library
    library="$("$1" --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library"
    [[ -f $library/std/Cargo.toml ]] && echo "$library"
}

is_new_enough() {
    [[ $("$1" --version) =~ ^rustc\ 1\.([0-9]+)\. ]] && ((BASH_REMATCH[1] >= oldest_minor))
}

version_of() {
    local release
    release=$("$1" -vV | sed -n 's/^release: //p')
    echo "$release-$("$1" -vV | sha256sum | cut -c 1-8)"
}

# The flags with which compiler $1 makes a panic a trap and nothing else: what a panic would say reaches nobody here, and
# its texts and places are a third of the module's data. Unstable, so none of them where the compiler is too old. The library
# and what uses it must agree.
trapping() {
    local flags="-Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none -Zfmt-debug=none"
    # shellcheck disable=SC2086 # several flags
    if RUSTC_BOOTSTRAP=1 "$1" $flags --print cfg >/dev/null 2>&1; then echo "$flags"; fi
}

# The first compiler that came with its library's source: the one in use, then the distribution's.
compiler_with_source() {
    local compiler
    for compiler in "${RUSTC:-rustc}" /usr/bin/rustc; do
        if command -v "$compiler" >/dev/null && is_new_enough "$compiler" && source_of_std "$compiler" >/dev/null; then
            command -v "$compiler"
            return
        fi
    done
    return 1
}

# A linker for WebAssembly. Toolchains of rustup have one inside; Debian's is in the package lld.
linker() {
    local compiler host candidate
    for compiler in rustc "$1"; do
        host=$("$compiler" -vV 2>/dev/null | sed -n 's/^host: //p') || continue
        candidate="$("$compiler" --print sysroot)/lib/rustlib/$host/bin/rust-lld"
        [[ -x $candidate ]] && { echo "$candidate"; return; }
    done
    for candidate in rust-lld wasm-ld wasm-ld-{22,21,20,19,18,17,16,15,14}; do
        command -v "$candidate" && return
    done
    return 1
}

# Builds the library with compiler $1 into the folder $2. Bitcode stays inside, since link-time
# optimisation needs it. Paths of this machine do not get into the module.
build_std() {
    local compiler=$1 sysroot=$2 work library
    library=$(source_of_std "$compiler")
    mkdir -p "$(dirname "$sysroot")"
    work=$(mktemp -d "$(realpath "$(dirname "$sysroot")")/.build.XXXXXX")
    # shellcheck disable=SC2064 # the folder of this very call
    trap "rm -rf '$work'" EXIT

    mkdir "$work/src"
    echo '#![no_std]' >"$work/src/lib.rs"
    cat >"$work/Cargo.toml" <<-MANIFEST
	[package]
	name = "empty"
	version = "0.0.0"
	edition = "2021"
	[workspace]
	[profile.release]
	debug = 0
	opt-level = "s"
	panic = "abort"
	MANIFEST
    # In a folder of its own and without the caller's flags: neither this workspace's configuration
    # nor the environment's must change how the library is built. Fetched first, so that the
    # folders of the sources are known and their paths can be left out.
    (
        cd "$work"
        local flags sources
        flags="-Cembed-bitcode=yes $(trapping "$compiler")"
        local cargo=(env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS -u CARGO_BUILD_TARGET
            RUSTC="$compiler" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$work/target" cargo)
        local std=(--quiet --target "$target" "-Zbuild-std=std,panic_abort"
            -Zbuild-std-features=optimize_for_size)
        "${cargo[@]}" fetch "${std[@]}"
        for sources in "${library%/library}" "$(realpath "${library%/library}")"; do
            flags+=" --remap-path-prefix=$sources=/rustc"
        done
        for sources in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
            flags+=" --remap-path-prefix=$sources=/crates"
        done
        CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=$flags "${cargo[@]}" build --release "${std[@]}"
    ) >&2

    local libraries="$work/sysroot/lib/rustlib/$target/lib"
    mkdir -p "$libraries"
    cp "$work/target/$target"/release/deps/*.rlib "$libraries/"
    rm -f "$libraries"/libempty*.rlib
    # Renamed when whole, so that an interrupted build leaves nothing behind that looks finished.
    # When somebody else was quicker, theirs is as good.
    mv -T "$work/sysroot" "$sysroot" 2>/dev/null || [[ -d $sysroot/lib ]]
}

main() {
    local compiler sysroot linker flags
    if has_std "${RUSTC:-rustc}"; then
        echo "# ${RUSTC:-rustc} has $target"
        return
    fi
    if ! compiler=$(compiler_with_source) || ! linker=$(linker "$compiler"); then
        [[ ${1:-} == --check ]] || cat >&2 <<-HELP
	error: no Rust standard library for $target.
	With rustup:  rustup target add $target
	On Debian:    apt-get install --no-install-recommends rustc-web rust-web-src lld
	HELP
        return 1
    fi
    [[ ${1:-} == --check ]] && return

    # The compiler's version and how the library is built are in the path, since cargo does not notice a changed sysroot.
    sysroot="$(realpath -m "${CARGO_TARGET_DIR:-target}")/wasm-sysroot/$(version_of "$compiler")-small"
    if [[ ! -d $sysroot ]]; then
        echo "building the standard library for $target with $("$compiler" --version), once" >&2
        build_std "$compiler" "$sysroot"
    fi
    printf 'export RUSTC=%q\n' "$compiler"
    printf 'export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=%q\n' "$linker"
    flags=$(trapping "$compiler")
    [[ -z $flags ]] || printf 'export RUSTC_BOOTSTRAP=1\n'
    printf 'export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=%q\n' "--sysroot=$sysroot $flags"
}

main "$@"
