# sh run.sh javascript|python|fields|load HEARTH MAKE_MODELS BUILD_DIR
#
# Starts a server on a free port over the models of make_models and a random one, and runs the
# client packages of other people against it, unchanged. npm's packages go into BUILD_DIR; Python's
# are used where they are installed.
here=$(cd "${0%/*}" && pwd)
kind=$1 hearth=$2 make_models=$3 build=$4
python=${HEARTH_TEST_PYTHON:-python3}
NO_COLOR=1
export NO_COLOR

skip() {
    echo "skipped: $*"
    exit 77
}

case $kind in
javascript)
    command -v node >/dev/null && command -v npm >/dev/null || skip "node or npm is not installed"
    mkdir -p "$build" && cp "$here"/package*.json "$here"/*.mjs "$build" || exit 1
    if ! cmp -s "$here/package-lock.json" "$build/node_modules/installed.json"; then
        (cd "$build" && npm ci --no-audit --no-fund --fetch-retries=1 >npm.log 2>&1) ||
            skip "npm has not got the packages (see $build/npm.log)"
        cp "$here/package-lock.json" "$build/node_modules/installed.json"
    fi
    ;;
python)
    "$python" -c 'import ollama, openai' 2>/dev/null ||
        skip "$python has not got the packages ollama and openai (HEARTH_TEST_PYTHON names another)"
    ;;
fields | load)
    command -v "$python" >/dev/null || skip "$python is not installed"
    ;;
esac

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
"$make_models" "$work" || exit 1
: >"$work/log"
"$hearth" serve shape:tiny:Q8_0:3 --models "$work" --port 0 --threads 1 --parallel 4 \
    --ctx-size 512 2>"$work/log" &
server=$!
tries=0
address=
while [ -z "$address" ]; do
    address=$(sed -n 's/^.*listening on \(http[^ ]*\).*$/\1/p' "$work/log")
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$work/log" >&2
        exit 1
    fi
    sleep 0.1
done

case $kind in
javascript) node "$build/clients.mjs" "$address" ;;
python) "$python" "$here/clients.py" "$address" ;;
fields | load) "$python" "$here/$kind.py" "$address" ;;
esac
status=$?
kill -INT "$server" && wait "$server" || { echo "the server's exit status is not 0" >&2; status=1; }
[ "$status" -eq 0 ] || cat "$work/log" >&2
exit "$status"
