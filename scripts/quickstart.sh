#!/usr/bin/env bash
# From a fresh Debian 12 to generated text: installs what the build needs, builds, runs.
# usage: scripts/quickstart.sh [MODEL.gguf "prompt"]     without arguments: what is built in
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
program=$root/build/release/hearth

# libedit is a comfort, and other systems name their packages otherwise.
can_do_without() {
    for tool in cc cmake ninja; do
        command -v $tool >/dev/null || return 1
    done
}

build() {
    cd "$root"
    scripts/packages.sh build || can_do_without || return 1
    mkdir -p build
    [ -f build/release/build.ninja ] || cmake --preset release >build/configure-release.log || {
        cat build/configure-release.log
        return 1
    }
    cmake --build build/release --target hearth -- --quiet
}

(build) >&2
if [ $# -gt 0 ]; then
    exec "$program" run "$@" # in the caller's directory: MODEL may be a relative path
fi
exec "$program" run --demo # says by itself that this model only shows that all works
