# Help, man pages, completion, JSON, and a stdout that cannot be written.
. "${0%/*}/common.sh"

commands="run show plan tokenize embed rerank bench completion help version"
verbs="logits gguf tokens kern diff"

# --- help and man ---
for command in $commands; do
    "$program" "$command" --help >"$work/a" || fail "$command --help"
    "$program" help "$command" >"$work/b" || fail "help $command"
    cmp -s "$work/a" "$work/b" || fail "$command: --help and help differ"
    awk 'length > 100 {exit 1}' "$work/a" || fail "help $command: a line over 100 columns"
done
for name in $commands debug-logits debug-gguf debug-tokens debug-kern debug-diff ""; do
    "$program" help --man $name >"$work/page.1" || fail "help --man $name"
    if command -v mandoc >/dev/null; then
        mandoc -Tlint -Wwarning "$work/page.1" >"$work/lint" ||
            fail "man $name: $(cat "$work/lint")"
    fi
done
"$program" help debug | grep -q "debug logits" || fail "help debug lists no verbs"
for verb in $verbs; do "$program" debug "$verb" --help >/dev/null || fail "debug $verb --help"; done
"$program" --version | grep -q "^hearth [0-9]" || fail "--version"
"$program" --help | grep -q "tokenize" || fail "--help"

# --- vectors: of a model with random weights, the same in this process ---
tiny=shape:tiny:Q8_0:3
expect_json "data tokens" embed "$tiny" "one text" "another" --json
printf 'one text\n\nanother\r\n' >"$work/lines"
for place in "" --in-process; do
    # shellcheck disable=SC2086 # no word when empty
    "$program" embed "$tiny" -f "$work/lines" --dimensions 8 $place >"$work/vectors$place" ||
        fail "embed $place"
done
cmp -s "$work/vectors" "$work/vectors--in-process" || fail "embed: --in-process differs"
"$program" embed "$tiny" "one text" "another" --dimensions 8 >"$work/words" || fail "embed"
cmp -s "$work/vectors" "$work/words" || fail "embed: words and lines differ"
[ "$(wc -w <"$work/words")" -eq 16 ] || fail "embed: not two vectors of 8"
"$program" embed "$tiny" same same --similarity >"$work/a" || fail "embed --similarity"
[ "$(grep -c '^ 1.0000 1.0000  same$' "$work/a")" -eq 2 ] || fail "--similarity: $(cat "$work/a")"
expect_error 2 "no text was given" embed "$tiny"
expect_error 1 "no classifier to rank with" rerank "$tiny" question answer

# --- completion ---
for shell in bash zsh fish; do
    "$program" completion "$shell" >"$work/complete.$shell" || fail "completion $shell"
    flag=-n
    command -v "$shell" >/dev/null || continue
    "$shell" $flag "$work/complete.$shell" || fail "$shell refuses its completion"
done
if command -v bash >/dev/null; then
    complete_at() { # words; the last one is being completed
        bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hearth
                 printf "%s\n" "${COMPREPLY[@]}"' bash "$work/complete.bash" "$@"
    }
    complete_at hearth to | grep -qx tokenize || fail "bash: commands"
    complete_at hearth debug lo | grep -qx logits || fail "bash: verbs"
    complete_at hearth run --top- | grep -qx -e --top-k || fail "bash: options"
    complete_at hearth run -ctk f | grep -qx f16 || fail "bash: choices"
    complete_at hearth run -n "" | grep -q . && fail "bash: a number cannot be guessed"
fi

# --- JSON that needs no model ---
expect_json "version" version --json
expect_json "cpu kernels" debug kern --json

# --- stdout ---
mkfifo "$work/pipe"
( : <"$work/pipe" ) & # a reader that goes away at once
exec 4>"$work/pipe"
wait
"$program" version >&4 2>"$work/err"
[ $? -eq 1 ] || fail "a closed pipe is no success"
exec 4>&-
[ -s "$work/err" ] && fail "a closed pipe is no news: $(cat "$work/err")"
if [ -e /dev/full ]; then
    "$program" help --all run >/dev/full 2>"$work/err"
    [ $? -eq 1 ] || fail "a full disk is no success"
    grep -q "^error: stdout: " "$work/err" || fail "full disk: $(cat "$work/err")"
    [ "$(wc -l <"$work/err")" -eq 1 ] || fail "full disk: more than one line"
fi
finish
