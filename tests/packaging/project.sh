# shellcheck shell=bash
# Projects that use the packed package. Sourced.

# new_project NAME: a copy of tests/packaging/NAME in a folder of its own, with its dependencies and the package
# installed. Prints the folder.
new_project() {
    local folder
    folder=$(mktemp -d -t "doorward-$1.XXXXXX")
    cp -R "tests/packaging/$1/." "$folder/"
    npm install --prefix "$folder" --no-audit --no-fund --no-package-lock --loglevel=error \
        "$PWD"/verifier-wasm/doorward-*.tgz >/dev/null || return
    echo "$folder"
}
