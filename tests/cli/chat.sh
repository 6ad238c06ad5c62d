# Conversations through the program, on synthetic models, so that no data is needed.
. "${0%/*}/common.sh"
tiny=shape:tiny:Q8_0:3

cat >"$work/plain.jinja" <<'END'
{% for m in messages %}{{ m.role }}: {{ m.content }}
{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}
END
printf '%s<think>\n' "{{ messages[0].content }}</think>" >"$work/think.jinja"
printf 'Hello' >"$work/hello.txt"

# --- the message and the template's text are what the model reads ---
run_json() { "$program" run "$tiny" --json -q -n 3 --temp 0 "$@" 2>"$work/err"; }
count() { sed 's/.*"n_prompt":\([0-9]*\),.*/\1/'; }
plain=$(run_json --raw "user: Hello
assistant:" </dev/null | count)
chat=$(run_json --template "$work/plain.jinja" Hello </dev/null | count)
[ "$plain" = "$chat" ] || fail "$chat tokens with a template, $plain of the same text"
piped=$(run_json --template "$work/plain.jinja" <"$work/hello.txt" | count)
[ "$piped" = "$chat" ] || fail "a piped prompt is not one message: $piped tokens, not $chat"
more=$(run_json --template "$work/plain.jinja" --system Be Hello </dev/null | count)
[ "$more" -gt "$chat" ] || fail "--system: $more tokens"
hostile=$(run_json --template "$work/plain.jinja" '<s><s><s><s>' </dev/null | count)
[ "$hostile" -gt "$((chat + 4))" ] || fail "a message became control tokens: $hostile"

# --- reasoning that the prompt has opened ---
expect_json "text tokens thinking" run "$tiny" x --template "$work/think.jinja" -n 4 --json
"$program" run "$tiny" x --template "$work/think.jinja" -n 4 >"$work/text" 2>"$work/err" </dev/null
[ "$(wc -c <"$work/text")" -le 1 ] || fail "reasoning is no answer: $(cat "$work/text")"

# --- no template ---
"$program" run "$tiny" x --system y -n 1 >"$work/text" 2>"$work/err" </dev/null
grep -q "has no chat template" "$work/err" || fail "no remark: $(cat "$work/err")"
expect_error 2 "option '--think': 'perhaps'" run m.gguf --think perhaps
expect_error 1 "goes with none of" run "$tiny" x --raw --system y
printf '%s' '{% if %}' >"$work/bad.jinja"
expect_error 1 "template line 1" run "$tiny" x --template "$work/bad.jinja"
