# Mistakes: exact exit status, one line that names the thing, no output, nothing left behind.
. "${0%/*}/common.sh"

# --- usage ---
expect_error 2 "no command"
expect_error 2 "unknown command 'rnu', did you mean 'run'?" rnu
expect_error 2 "unknown command 'debug gguff', did you mean 'debug gguf'?" debug gguff
expect_error 2 "'debug' needs a verb" debug
expect_error 2 "unknown command 'xyzzy'" help xyzzy
expect_error 2 "unknown option '--tmep', did you mean '--temp'?" run m.gguf --tmep 1
expect_error 2 "unknown option '--ngl'" run m.gguf --ngl 99
expect_error 2 "option '--temp': 'hot' is not a number" run m.gguf --temp hot
expect_error 2 "option '-t': 9999 is out of range (0 to 512)" run m.gguf -t 9999
expect_error 2 "option '--top-p': 1.5 is out of range (0 to 1)" run m.gguf --top-p 1.5
expect_error 2 "option '-ctk': 'q4_0' is none of: f32 f16" run m.gguf -ctk q4_0
expect_error 2 "option '--memory-limit': 'lots' is not a size" run m.gguf --memory-limit lots
expect_error 2 "option '-n' needs a value (N)" run m.gguf -n
expect_error 2 "option '--raw' takes no value" run m.gguf --raw=1
expect_error 2 "'c' is one argument too many" run a b c
expect_error 2 "no model" run
expect_error 2 "something is missing: hearth show MODEL" show
expect_error 2 "a model and --shape exclude each other" bench m.gguf --shape tiny
expect_error 2 "no model and no --shape" bench
expect_error 2 "no shape 'qwen9'" bench --shape qwen9
expect_error 2 "no completion for 'csh'" completion csh
expect_error 2 "\-\-tokens is missing" debug logits m.gguf --out x.npy
expect_error 2 "\-\-out is missing" debug logits m.gguf --tokens 1
expect_error 2 "option '--tokens': 'x' is not a token id" debug logits m.gguf --tokens 1,x -o x
expect_error 2 "\-\-ids and --decode exclude each other" tokenize m.gguf --ids --decode
expect_error 2 "option '--cpu': 'abacus'" debug kern --cpu abacus

# --- files ---
printf 'no model at all' >"$work/text.gguf"
: >"$work/empty.gguf"
: >"$work/stories.gguf"
for command in run show plan tokenize "debug gguf" "debug tokens" bench; do
    # shellcheck disable=SC2086 # two words for debug
    expect_error 1 "$work/text.gguf: " $command "$work/text.gguf"
    # shellcheck disable=SC2086
    expect_error 1 "$work/empty.gguf: " $command "$work/empty.gguf"
    # shellcheck disable=SC2086
    expect_error 1 "$work/none.gguf: no such file or model" $command "$work/none.gguf"
    # shellcheck disable=SC2086
    expect_error 1 "$work: is a folder" $command "$work"
done
expect_error 1 "story.gguf: no such file or model, did you mean '$work/stories.gguf'" \
    run "$work/story.gguf" hi
(
    cd "$work" || exit 1
    expect_error 1 "storeis.gguf: no such file or model, did you mean 'stories.gguf'?" \
        run storeis.gguf hi
    exit "$failures"
) || fail "a name without a folder"
expect_error 1 "$work/none.npy: " debug diff "$work/none.npy" "$work/none.npy"
expect_error 1 "$work/text.gguf: " debug diff "$work/text.gguf" "$work/text.gguf"

# --- folders ---
mkdir "$work/folder"
expect_error 1 "$work/folder: is a folder without a config" convert "$work/folder" "$work/o.gguf"
expect_error 1 "$work/text.gguf: is no folder" convert "$work/text.gguf" "$work/o.gguf"
printf '{"architectures":["LlamaForCausalLM"]}' >"$work/folder/config.json"
for command in run show plan; do
    expect_error 1 "$work/folder: no model.safetensors" $command "$work/folder"
done
expect_error 1 "$work/folder: no model.safetensors" convert "$work/folder" "$work/o.gguf"
printf 'broken' >"$work/folder/model.safetensors"
expect_error 1 "$work/folder/model.safetensors: 6 bytes" convert "$work/folder" "$work/o.gguf"
ls "$work"/o.gguf* >/dev/null 2>&1 && fail "a file of a conversion that failed"

# --- damaged models ---
if [ -f "$story" ]; then
    head -c 500000 "$story" >"$work/cut.gguf"
    expect_error 1 "$work/cut.gguf: .*tensor 'blk.*past the end" run "$work/cut.gguf" hi
    expect_error 1 "$work/cut.gguf: " show "$work/cut.gguf" --json
    head -c 100 "$story" >"$work/head.gguf"
    expect_error 1 "$work/head.gguf: " tokenize "$work/head.gguf" --ids
    expect_error 1 "memory" run "$story" hi --memory-limit 1K
    expect_error 1 "$work/none.txt: " run "$story" -f "$work/none.txt"
    expect_error 1 "outside the vocabulary (0 to 511)" \
        debug logits "$story" --tokens 1,512 --out "$work/x.npy"
    expect_error 1 "$work/no/x.npy: " debug logits "$story" --tokens 1,2 --out "$work/no/x.npy"
    awk 'BEGIN {for (i = 0; i < 300; i++) printf "word "}' >"$work/long.txt"
    expect_error 1 "$story: the prompt has [0-9]* tokens, the context 64" \
        run "$story" -c 64 -f "$work/long.txt"
    expect_error 1 "option '--logit-bias'" run "$story" hi --logit-bias 5
    expect_error 1 "option '--samplers'" run "$story" hi --samplers "top_k;magic"
    ls "$work" | grep -q -e 'npy' && fail "a file was left behind: $(ls "$work")"
else
    echo "not found, skipped: $story"
fi
finish
