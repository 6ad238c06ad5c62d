# Real work on the story model and the vocabularies, through the program.
. "${0%/*}/common.sh"
need_story

# --- text, byte for byte ---
expected=$data/llm-stories260k/expected_stdout_temp0_n200.txt
for place in "" --in-process; do
    # shellcheck disable=SC2086 # no word when empty
    "$program" run "$story" -p "" -n 200 --temp 0 --seed 1 -t 2 --raw --ignore-eos $place \
        >"$work/text" 2>"$work/err" </dev/null || fail "run: $(cat "$work/err")"
    n=$(wc -c <"$work/text")
    m=$(wc -c <"$expected")
    [ "$n" -ge 300 ] || fail "only $n bytes of text"
    [ "$n" -lt "$m" ] || n=$m
    # the expectation's own last newline is no part of the text
    head -c "$((n - 1))" "$work/text" >"$work/a"
    head -c "$((n - 1))" "$expected" >"$work/b"
    cmp "$work/a" "$work/b" || fail "the story differs $place"
done

# --- Ctrl-C ends a generation that would take minutes, with what came so far ---
# The text of before must not be taken for this one's: a signal that comes before the program
# catches it is lost, since shells start background jobs with Ctrl-C ignored.
rm -f "$work/text"
"$program" run "$story" -c 200000 -n 190000 --ignore-eos --temp 0 \
    >"$work/text" 2>"$work/err" </dev/null &
pid=$!
while [ ! -s "$work/text" ] && kill -0 "$pid" 2>"$work/null"; do sleep 0.1; done
kill -INT "$pid"
wait "$pid"
status=$?
[ "$status" -eq 130 ] || fail "Ctrl-C: exit status $status: $(cat "$work/err")"
[ -s "$work/err" ] && fail "Ctrl-C is no error: $(cat "$work/err")"
head -c 4 "$work/text" | grep -q "Once" || fail "Ctrl-C: the text is lost"

# --- the prompt's ways in give the same text ---
run_text() { "$program" run "$story" -n 12 --temp 0 -q "$@" 2>"$work/err"; }
one=$(run_text "Once upon" </dev/null) || fail "run: $(cat "$work/err")"
[ "$one" = "$(run_text -p "Once upon" </dev/null)" ] || fail "--prompt"
[ "$one" = "$(echo "Once upon" | run_text)" ] || fail "stdin"
[ "$one" = "$(echo "Once upon" | run_text -f -)" ] || fail "--file -"
echo "Once upon" >"$work/prompt.txt"
[ "$one" = "$(run_text -f "$work/prompt.txt" </dev/null)" ] || fail "--file"
[ "$one" = "$(run_text "Once upon" -t 1 -b 1 --cpu none </dev/null)" ] || fail "--cpu none"
[ -n "$one" ] || fail "no text"
run_text "Once" --temp 1 --seed 7 </dev/null >"$work/a"
run_text "Once" --temp 1 --seed 7 </dev/null >"$work/b"
cmp -s "$work/a" "$work/b" || fail "the same seed gave another text"
stopped=$(run_text "Once upon a time" -n 100 --stop " girl" </dev/null)
case $stopped in *girl*) fail "--stop: $stopped" ;; esac

# --- JSON ---
expect_json "text tokens finish seed timings logprobs" run "$story" -p Once -n 4 --json --logprobs 3
grep -q '"n_prompt":2,' "$work/out" || fail "not the beginning-of-text token and one more"
grep -q '"finish":"length"' "$work/out" || fail "finish: $(cat "$work/out")"
expect_json "metadata tensors" show "$story" --json
expect_json "weights_bytes cache_bytes scratch_bytes total_bytes fits" \
    plan "$story" --ctx 256 --json
expect_json "prompt_tps generation_tps load_ms threads runs model type cpu bytes" \
    bench "$story" -p 16 -n 8 -t 2 -r 2 --json
expect_json "" tokenize "$story" -p "Once upon" --json
expect_json "version keys tensors" debug gguf "$story" --json
expect_json "" debug tokens "$story" --json

# --- for people ---
"$program" show "$story" --tensors >"$work/out" || fail "show"
grep -q "^architecture  *llama" "$work/out" || fail "show: no architecture"
grep -q "blk.0.attn_q.weight" "$work/out" || fail "show: no tensors"
"$program" plan "$story" | grep -q "^total" || fail "plan"
"$program" bench --shape tiny --type q8_0 -p 8 -n 4 -r 1 -q >"$work/out" || fail "bench --shape"
grep -q "^generation" "$work/out" || fail "bench --shape: no figures"

# --- the model that is built in ---
"$program" run "a sentence for nobody" -n 4 >"$work/out" 2>"$work/err" </dev/null ||
    fail "demo: $(cat "$work/err")"
grep -q "random weights" "$work/err" || fail "the demo does not say what it is"
"$program" run --demo -p "x y" -n 4 -q >"$work/out" 2>"$work/err" </dev/null || fail "--demo"
[ -s "$work/err" ] && fail "-q is not quiet: $(cat "$work/err")"

# --- logits ---
logits() { "$program" debug logits "$story" "$@" || fail "logits $*"; }
logits --tokens 1,403,407 --out "$work/a.npy" -t 1 --batch 1
logits --tokens 1,403,407 --out "$work/b.npy" -t 2 --batch 3 --in-process
cmp "$work/a.npy" "$work/b.npy" || fail "logits depend on threads or batch"
size=$(wc -c <"$work/a.npy")
[ "$size" -eq $((128 + 3 * 512 * 4)) ] || fail "logits: $size bytes"
"$program" debug diff "$work/a.npy" "$work/b.npy" | grep -q "^equal" || fail "diff"
logits --tokens 1,403,408 --out "$work/c.npy"
"$program" debug diff "$work/a.npy" "$work/c.npy" >"$work/out" 2>/dev/null
[ $? -eq 1 ] || fail "diff of different arrays"
grep -q "^first at  *\[2, " "$work/out" || fail "diff: $(cat "$work/out")"
( # a file that cannot grow beyond 1 KB: the write fails in the middle
    trap '' XFSZ
    ulimit -f 2
    "$program" debug logits "$story" --tokens 1,403 --in-process \
        --out "$work/full.npy" 2>"$work/err"
    [ $? -eq 1 ]
) || fail "a write that fails is no success"
[ -e "$work/full.npy" ] && fail "half a file"
ls "$work" | grep -q tmp && fail "temporary files were left: $(ls "$work")"

# --- tokens there and back, the bytes of each file whole ---
for name in llama-spm phi-3 gpt-2 llama-bpe; do
    vocabulary=$data/tokenizers/$name.gguf
    [ -f "$vocabulary" ] || { echo "not found, skipped: $vocabulary"; continue; }
    text=$vocabulary.inp
    "$program" tokenize "$vocabulary" --ids <"$text" >"$work/ids" || fail "tokenize $name"
    [ "$(wc -l <"$work/ids")" -eq 1 ] || fail "tokenize $name: more than one line"
    grep -q '^[0-9][0-9 ]*$' "$work/ids" || fail "tokenize $name: not only ids"
    "$program" tokenize "$vocabulary" --decode <"$work/ids" >"$work/back" || fail "decode $name"
    cmp "$text" "$work/back" || fail "$name: text did not come back"
done
bos=$(printf 'Once' | "$program" tokenize "$story" --ids --bos)
case $bos in "1 "*) ;; *) fail "--bos: $bos" ;; esac
plain=$(printf '</s>' | "$program" tokenize "$story" --ids)
special=$(printf '</s>' | "$program" tokenize "$story" --ids --special)
[ "$special" = 2 ] || fail "--special: $special"
[ "$plain" != 2 ] || fail "control tokens were parsed without --special"
finish
