#!/usr/bin/env bash
# Runs every fuzzer, as many at a time as there are processors. The seeds are read from
# tests/fuzz/corpus; what is found goes to build/fuzz/found and build/fuzz/crashes.
# usage: scripts/fuzz.sh SECONDS_EACH [NAME...]      (a fuzzer: tests/fuzz/fuzz_NAME.c)
#
# Limits: 256 MB for one allocation and 5 s for one input. The promise to users is 1 s in 256 MB
# without sanitizers; these builds are several times slower and share their processors, and
# AddressSanitizer keeps freed memory, hence 768 MB in all.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
shift
names=("$@")
if [ ${#names[@]} = 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        [ -e "$source" ] && names+=("$(basename "$source" .c | sed 's/^fuzz_//')")
    done
fi
[ ${#names[@]} -gt 0 ] || { echo "no fuzzers in tests/fuzz"; exit 0; }

[ -f build/fuzz/build.ninja ] || cmake --preset fuzz --log-level=WARNING >/dev/null
cmake --build build/fuzz --target fuzzers -- --quiet

run_one() {
    local name=fuzz_$1 seconds=$2
    local found=build/fuzz/found/$name log=build/fuzz/$name.log corpus=tests/fuzz/corpus/$name
    mkdir -p "$found" build/fuzz/crashes
    [ -d "$corpus" ] || corpus=
    # CI judges a change, not luck: it always begins with the same random numbers.
    local seed=${CI:+-seed=1}
    if ASAN_OPTIONS=quarantine_size_mb=16 build/fuzz/tests/"$name" -max_total_time="$seconds" \
        -rss_limit_mb=768 -malloc_limit_mb=256 -timeout=5 -print_final_stats=1 \
        $seed -artifact_prefix=build/fuzz/crashes/"$name"- "$found" $corpus \
        >"$log" 2>&1 </dev/null; then
        echo "$name: $(awk '/number_of_executed_units/ { print $2 }' "$log") inputs, nothing found"
    else
        echo "$name: FAILED, see $log"
        tail -n 40 "$log"
        return 1
    fi
}
export -f run_one
printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I{} bash -c 'run_one {} '"$seconds"
