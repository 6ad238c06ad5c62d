#!/usr/bin/env bash
# Every check, in steps; ends with one line `N passed, N failed, N skipped`.
# usage: scripts/test.sh [--quick|--long]
#   --quick   release build, its fast tests, lint (while working)
#   (none)    release, AddressSanitizer + UBSan, a minute of fuzzing, lint (what CI runs)
#   --long    all of that, 30 minutes a fuzzer, TSan, clang, other systems, a fresh root
# What this machine cannot do is skipped with a line that says so. A step that fails does not stop
# the others, but the exit status is then 1.
# FUZZ_SECONDS=N changes how long each fuzzer runs.
set -uo pipefail
cd "$(dirname "$0")/.."
mode=${1:-}
case $mode in
    '' | --quick | --long) ;;
    *) echo "usage: scripts/test.sh [--quick|--long]" >&2; exit 2 ;;
esac
export CTEST_PARALLEL_LEVEL CMAKE_BUILD_PARALLEL_LEVEL
CTEST_PARALLEL_LEVEL=$(nproc)
CMAKE_BUILD_PARALLEL_LEVEL=$(nproc)
passed=0 failed=0 skipped=0 failed_steps=()

step() { # step NAME COMMAND...
    local name=$1 began=$SECONDS failed_before=$failed
    shift
    echo "=== $name"
    if "$@" </dev/null; then
        echo "--- $name: $((SECONDS - began)) s"
    else
        echo "--- $name: FAILED after $((SECONDS - began)) s"
        failed_steps+=("$name")
        [ "$failed" != "$failed_before" ] || failed=$((failed + 1)) # a step without tests
        return 1
    fi
}

skip() { # skip WHAT WHY
    echo "=== $1: skipped, $2"
    skipped=$((skipped + 1))
}

have() { command -v "$1" >/dev/null; }

build() { # build PRESET
    local log=build/configure-$1.log
    mkdir -p build
    # What was installed since (quickstart.sh does without cmocka) is found by configuring again.
    if [ ! "build/$1/build.ninja" -nt /var/lib/dpkg/status ]; then
        cmake --preset "$1" >"$log" 2>&1 || { cat "$log"; return 1; }
        grep -E 'not found:|no C\+\+ compiler' "$log"
    fi
    cmake --build "build/$1" -- --quiet
}

# Runs ctest in build/PRESET and adds its counts. A cmocka program that skips cases (data that is
# not there) passes; its skipped cases are counted one by one.
tests() { # tests PRESET CTEST_ARGUMENT...
    local log=build/$1/ctest.log result=0 cases p f s runner=()
    # Addresses randomised beyond what gcc 12's TSan can map end its programs at start.
    [ "$1" != tsan ] || runner=(setarch "$(uname -m)" -R)
    "${runner[@]}" ctest --test-dir "build/$1" --output-on-failure "${@:2}" >"$log" 2>&1 || result=1
    read -r p f s < <(awk '/ Test +#[0-9]+: / {
        if (/ Passed /) p++; else if (/\*\*\*Skipped/) s++; else f++
    } END { print p+0, f+0, s+0 }' "$log")
    cases=$(grep -aoE '^\[  SKIPPED \] [0-9]+ test' "build/$1/Testing/Temporary/LastTest.log" |
        awk '{ n += $4 } END { print n+0 }')
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s + cases))
    [ $result = 0 ] || sed -n '/Start\|Passed\|^Internal/!p' "$log"
    grep -a '^not found, skipped:' "build/$1/Testing/Temporary/LastTest.log" | sort -u
    echo "$p passed, $f failed, $((s + cases)) skipped"
    return $result
}

build_and_test() { build "$1" && tests "$@"; }

lint() {
    local result=0
    python3 tools/style.py || result=1
    python3 tools/layers.py --self-test || result=1
    python3 tools/layers.py build/release || result=1
    return $result
}

fuzz_share() { # 60 s of processor time shared by all
    local n
    n=$(find tests/fuzz -name 'fuzz_*.c' 2>/dev/null | wc -l)
    scripts/fuzz.sh "${FUZZ_SECONDS:-$((n ? (60 + n - 1) / n : 0))}"
}

checkkern_under() { qemu-x86_64 -cpu "$1" build/release/tests/checkkern; }

long_steps() {
    step "tsan" build_and_test tsan -L 'unit|golden'
    if have clang; then step "clang" build_and_test clang; else skip clang "no clang"; fi
    if have qemu-x86_64 && [ -x build/release/tests/checkkern ]; then
        step "checkkern on Nehalem" checkkern_under Nehalem
        step "checkkern on Haswell" checkkern_under Haswell
    else
        skip "checkkern on older processors" "no qemu-x86_64 or no checkkern"
    fi
    if have aarch64-linux-gnu-gcc && have qemu-aarch64; then
        QEMU_CPU=cortex-a53 step "aarch64, cortex-a53" build_and_test aarch64
        QEMU_CPU=max step "aarch64, max" build_and_test aarch64
    else
        skip aarch64 "no cross compiler or no qemu-aarch64"
    fi
    if have wasm-ld && have node && [ -d /usr/lib/wasm32-wasi ]; then
        step "wasm" build_and_test wasm
    else
        skip wasm "no wasm-ld, node or wasi-libc"
    fi
    if have x86_64-w64-mingw32-gcc; then
        step "mingw" build mingw
    else
        skip mingw "no mingw gcc"
    fi
    if have clang; then step "fuzzing, 30 minutes each" scripts/fuzz.sh "${FUZZ_SECONDS:-1800}"; fi
    if [ "$(id -u)" = 0 ] && have debootstrap; then
        step "fresh root" scripts/fresh_root.sh
    else
        skip "fresh root" "needs root and debootstrap"
    fi
}

groups=(build test)
[ "$mode" != --long ] || groups+=(long)
echo "=== packages"
scripts/packages.sh "${groups[@]}" || echo "--- going on without them"
if [ "$mode" = --quick ]; then
    step "release: build" build release && step "release: fast tests" tests release -LE 'oom|golden'
else
    step "release: build" build release && step "release: all tests" tests release
    step "asan: build" build asan &&
        step "asan: unit, golden, oom, fuzz corpora, program" \
            tests asan -L 'unit|golden|oom|fuzz|program'
    if ! have clang; then
        skip fuzzing "no clang"
    elif [ "$mode" = '' ]; then
        step "fuzzing, a minute shared" fuzz_share
    fi
fi
if have python3; then step "lint" lint; else skip lint "no python3"; fi
if [ "$mode" = --long ]; then long_steps; fi

echo "=== total: $SECONDS s"
[ ${#failed_steps[@]} = 0 ] || printf 'failed step: %s\n' "${failed_steps[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
