# For the scripts beside this one: sh SCRIPT PROGRAM JSON_CHECK. Each check names itself and goes on
# after a failure; finish() gives the exit status.
program=$(cd "${1%/*}" && pwd)/${1##*/}
json_check=$(cd "${2%/*}" && pwd)/${2##*/}
data=${HEARTH_TEST_DATA:-$HEARTH_TEST_DATA_DEFAULT}
story=$data/llm-stories260k/stories260K.gguf
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0
LC_ALL=C
NO_COLOR=1
export LC_ALL NO_COLOR

fail() {
    failures=$((failures + 1))
    echo "FAILED: $*" >&2
}

finish() {
    [ "$failures" -eq 0 ] || { echo "$failures failed" >&2; exit 1; }
}

# expect STATUS PATTERN ARGUMENTS...: exit status, and exactly one line on stderr that begins with
# "error: " and matches (usage errors have a second one, the hint); nothing on stdout.
expect_error() {
    want=$1 pattern=$2
    shift 2
    "$program" "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    [ "$got" -eq "$want" ] || fail "$*: exit status $got, not $want: $(cat "$work/err")"
    [ -s "$work/out" ] && fail "$*: output: $(head -c 200 "$work/out")"
    lines=1
    if [ "$want" -eq 2 ]; then
        lines=2
        sed -n 2p "$work/err" | grep -q "^try 'hearth help" || fail "$*: no hint"
    fi
    [ "$(wc -l <"$work/err")" -eq "$lines" ] || fail "$*: not $lines lines: $(cat "$work/err")"
    head -n 1 "$work/err" | grep -q "^error: " || fail "$*: $(cat "$work/err")"
    head -n 1 "$work/err" | grep -q -e "$pattern" || fail "$*: no '$pattern' in: $(cat "$work/err")"
}

# expect_json "KEYS" ARGUMENTS...: success, one JSON document, these keys at its top.
expect_json() {
    keys=$1
    shift
    "$program" "$@" >"$work/out" 2>"$work/err" </dev/null || fail "$*: $(cat "$work/err")"
    # shellcheck disable=SC2086 # KEYS is a list of words
    "$json_check" $keys <"$work/out" || fail "$*: not the JSON that was expected"
}

need_story() {
    [ -f "$story" ] || { echo "not found, skipped: $story"; exit 77; }
}
