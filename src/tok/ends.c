// Tokens with a meaning that files often do not state: ends of a turn and fill-in-the-middle marks.
//
// A GGUF file names one end token (eos), sometimes an end of turn (eot) and of a tool message
// (eom); many models stop with others as well. Those are known by their spelling. A token with such
// a spelling that the file calls ordinary is a mistake of the converter and becomes a control
// token, so that user text cannot spell it and output does not show it. Two spellings are
// ambiguous: "</s>" is HTML in some vocabularies and counts only as a control token, and "<|end|>"
// ends a message but not the turn where "<|return|>" and "<|call|>" (or "<|calls|>", "<|flush|>")
// exist.
#include "tok/tok_int.h"

typedef enum role { // up to ROLE_FILE they end a generation
    ROLE_END, ROLE_TURN, ROLE_MESSAGE, ROLE_PAD, ROLE_REPO, ROLE_FILE, ROLE_PRE, ROLE_SUF, ROLE_MID
} role;

static const struct { const char *text; role role; } KNOWN[] = {
    {"<|eot_id|>", ROLE_TURN},
    {"<|im_end|>", ROLE_TURN},
    {"<|end|>", ROLE_TURN},
    {"<end_of_turn>", ROLE_TURN},
    {"<|endoftext|>", ROLE_TURN},
    {"<|end_of_text|>", ROLE_TURN},
    {"<EOT>", ROLE_TURN},
    {"_<EOT>", ROLE_TURN},
    {"[EOT]", ROLE_TURN},
    {"<\xEF\xBD\x9C" "end\xE2\x96\x81" "of\xE2\x96\x81" "sentence\xEF\xBD\x9C>", ROLE_TURN},
    {"<end_of_utterance>", ROLE_TURN},
    {"[e~[", ROLE_END},
    {"<turn|>", ROLE_END},
    {"<|tool_response>", ROLE_END},
    {"<|eom_id|>", ROLE_MESSAGE},
    {"<|return|>", ROLE_END},
    {"<|call|>", ROLE_END},
    {"<|calls|>", ROLE_END},
    {"<|flush|>", ROLE_END},
    {"</s>", ROLE_END},
    {"[EOS]", ROLE_END},
    {"<eos>", ROLE_END},
    {"<|fim_pad|>", ROLE_PAD},
    {"<fim-pad>", ROLE_PAD},
    {"<fim_pad>", ROLE_PAD},
    {"<|fim_repo|>", ROLE_REPO},
    {"<|repo_name|>", ROLE_REPO},
    {"<fim-repo>", ROLE_REPO},
    {"<REPO>", ROLE_REPO},
    {"<reponame>", ROLE_REPO},
    {"<repo_name>", ROLE_REPO},
    {"<|file_sep|>", ROLE_FILE},
    {"<|file_separator|>", ROLE_FILE},
    {"<file_sep>", ROLE_FILE},
    {"<|fim_prefix|>", ROLE_PRE},
    {"<fim_prefix>", ROLE_PRE},
    {"<fim-prefix>", ROLE_PRE},
    {"<PRE>", ROLE_PRE},
    {"\xE2\x96\x81<PRE>", ROLE_PRE},
    {"<|code_prefix|>", ROLE_PRE},
    {"<|prefix|>", ROLE_PRE},
    {"<\xEF\xBD\x9C" "fim\xE2\x96\x81" "begin\xEF\xBD\x9C>", ROLE_PRE},
    {"<|fim_suffix|>", ROLE_SUF},
    {"<fim_suffix>", ROLE_SUF},
    {"<fim-suffix>", ROLE_SUF},
    {"<SUF>", ROLE_SUF},
    {"\xE2\x96\x81<SUF>", ROLE_SUF},
    {"<|code_suffix|>", ROLE_SUF},
    {"<|suffix|>", ROLE_SUF},
    {"<\xEF\xBD\x9C" "fim\xE2\x96\x81" "hole\xEF\xBD\x9C>", ROLE_SUF},
    {"<|fim_middle|>", ROLE_MID},
    {"<fim_middle>", ROLE_MID},
    {"<fim-middle>", ROLE_MID},
    {"<MID>", ROLE_MID},
    {"\xE2\x96\x81<MID>", ROLE_MID},
    {"<|code_middle|>", ROLE_MID},
    {"<|middle|>", ROLE_MID},
    {"<\xEF\xBD\x9C" "fim\xE2\x96\x81" "end\xEF\xBD\x9C>", ROLE_MID},
};

static int find_known(str text)
{
    if (text.n < 4 || text.n > 32) return -1;
    char c = text.p[0];
    if (c != '<' && c != '[' && c != '_' && c != '\xE2') return -1;
    for (size_t i = 0; i < COUNTOF(KNOWN); i++) {
        if (str_eq_z(text, KNOWN[i].text)) return (int)i;
    }
    return -1;
}

static void take_role(tok *t, int32_t id, role r)
{
    tok_special *s = &t->special;
    int32_t *const slots[] = {[ROLE_END] = NULL,         [ROLE_TURN] = &s->eot,
                              [ROLE_MESSAGE] = &s->eom,  [ROLE_PAD] = &s->fim_pad,
                              [ROLE_REPO] = &s->fim_repo, [ROLE_FILE] = &s->fim_file,
                              [ROLE_PRE] = &s->fim_pre,  [ROLE_SUF] = &s->fim_suf,
                              [ROLE_MID] = &s->fim_mid};
    if (slots[r] && *slots[r] == TOK_NONE) *slots[r] = id;
    bool ends = r <= ROLE_FILE;
    // What unknown characters become stays known as that: text must not make control tokens.
    tok_attr attr = attr_of(t, id) == TOK_UNKNOWN ? TOK_UNKNOWN : TOK_CONTROL;
    t->attr[id] = (uint8_t)(attr | (ends ? ATTR_END : 0));
}

static void mark_id(tok *t, int32_t id)
{
    if (id != TOK_NONE) t->attr[id] |= ATTR_END;
}

// Removes the end mark of "<|end|>" where it only ends a message; it stays visible text then, for
// whoever takes the messages of one reply apart.
static void unmark_message_end(tok *t, int32_t end, uint32_t seen)
{
    enum { RETURN = 1, CALL = 2, FLUSH = 4 };
    bool harmony = (seen & (RETURN | CALL)) == (RETURN | CALL);
    bool solar = (seen & (CALL | FLUSH)) == (CALL | FLUSH);
    if (end == TOK_NONE || !(harmony || solar)) return;
    t->attr[end] = TOK_USER_DEFINED;
    if (t->special.eot == end) t->special.eot = TOK_NONE;
}

static uint32_t seen_bit(str text)
{
    if (str_eq_z(text, "<|return|>")) return 1;
    if (str_eq_z(text, "<|call|>") || str_eq_z(text, "<|calls|>")) return 2;
    return str_eq_z(text, "<|flush|>") ? 4 : 0;
}

void ends_mark(tok *t)
{
    int32_t end = TOK_NONE;
    uint32_t seen = 0;
    for (int32_t i = 0; i < t->n; i++) {
        str text = t->text[i];
        int known = find_known(text);
        if (known < 0) continue;
        if (str_eq_z(text, "</s>") && attr_of(t, i) != TOK_CONTROL) continue;
        if (str_eq_z(text, "<|end|>")) end = i;
        seen |= seen_bit(text);
        take_role(t, i, KNOWN[known].role);
    }
    unmark_message_end(t, end, seen);
    mark_id(t, t->special.eos);
    mark_id(t, t->special.eot);
    mark_id(t, t->special.eom);
    mark_id(t, t->special.fim_pad);
    mark_id(t, t->special.fim_repo);
    mark_id(t, t->special.fim_file);
}
