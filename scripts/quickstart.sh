#!/usr/bin/env bash
# From a fresh Debian 12 to generated text: installs what the build needs, builds, runs.
# usage: scripts/quickstart.sh [MODEL.gguf "prompt"]     without arguments: what is built in
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
program=$root/build/release/hearth

build() {
    cd "$root"
    scripts/packages.sh build || command -v cmake ninja gcc >/dev/null || return 1
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
echo "No model named: running the built-in one, which is tiny and has seeded random weights." >&2
exec "$program" run --demo
