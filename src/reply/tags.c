// The tags that families put around reasoning and calls, and which of them a template means.
//
// A row is evident when the template holds its opening tag (or the row's own evidence), or, for
// tags that templates leave to the model, when the vocabulary has a token of that spelling. Adding
// a family: a row here and, if its calls are written in a new way, a parser.
#include "reply/reply_int.h"

#define BAR "\xEF\xBD\x9C" // U+FF5C
#define LOW "\xE2\x96\x81" // U+2581

const reply_tag reply_tags[] = {
    // --- reasoning
    {TAG_THINK, TAG_TOKEN, STR_INIT("<think>"), STR_INIT("</think>"), "</think>", NULL, NULL},
    {TAG_THINK, TAG_TOKEN, STR_INIT("[THINK]"), STR_INIT("[/THINK]"), NULL, NULL, NULL},
    {TAG_THINK, 0, STR_INIT("<seed:think>"), STR_INIT("</seed:think>"), NULL, NULL, NULL},
    {TAG_THINK, 0, STR_INIT("<mm:think>"), STR_INIT("</mm:think>"), NULL, NULL, NULL},
    {TAG_THINK, 0, STR_INIT("<|START_THINKING|>"), STR_INIT("<|END_THINKING|>"), NULL, NULL, NULL},
    {TAG_THINK, 0, STR_INIT("<|channel>thought"), STR_INIT("<channel|>"), "<|channel>", NULL, NULL},
    // --- calls between tags
    {TAG_CALL, 0, STR_INIT("<tool_call>"), STR_INIT("</tool_call>"), NULL, call_parse_any, NULL},
    {TAG_CALL, 0, STR_INIT("<tool_calls>"), STR_INIT("</tool_calls>"), NULL, call_parse_any, NULL},
    {TAG_CALL, 0, STR_INIT("<TOOLCALL>"), STR_INIT("</TOOLCALL>"), NULL, call_parse_any, NULL},
    {TAG_CALL, 0, STR_INIT("<seed:tool_call>"), STR_INIT("</seed:tool_call>"), NULL,
     call_parse_any, NULL},
    {TAG_CALL, 0, STR_INIT("<minimax:tool_call>"), STR_INIT("</minimax:tool_call>"), NULL,
     call_parse_any, NULL},
    {TAG_CALL, 0, STR_INIT("<atem:function_calls>"), STR_INIT("</atem:function_calls>"), NULL,
     call_parse_any, NULL},
    {TAG_CALL, 0, STR_INIT("<" BAR "DSML" BAR "function_calls>"),
     STR_INIT("</" BAR "DSML" BAR "function_calls>"), "DSML", call_parse_any, NULL},
    {TAG_CALL, 0, STR_INIT("<" BAR "DSML" BAR "tool_calls>"),
     STR_INIT("</" BAR "DSML" BAR "tool_calls>"), "DSML", call_parse_any, NULL},
    {TAG_CALL, TAG_KEEP, STR_INIT("<function="), STR_INIT("</function>"), NULL, call_parse_markup,
     NULL},
    {TAG_CALL, TAG_KEEP, STR_INIT("<function name="), STR_INIT("</function>"), NULL,
     call_parse_markup, NULL},
    {TAG_CALL, TAG_TOKEN, STR_INIT("<|tool_call_start|>"), STR_INIT("<|tool_call_end|>"), NULL,
     call_parse_any, NULL},
    {TAG_CALL, 0, STR_INIT("<|tool_call>"), STR_INIT("<tool_call|>"), NULL, call_parse_any, NULL},
    {TAG_CALL, 0, STR_INIT("<|tool_call|>"), STR_INIT("<|/tool_call|>"), NULL, call_parse_any,
     NULL},
    {TAG_CALL, 0, STR_INIT("<|tools_prefix|>"), STR_INIT("<|tools_suffix|>"), NULL, call_parse_any,
     NULL},
    {TAG_CALL, 0, STR_INIT("<|function_call|>"), STR_INIT(""), NULL, call_parse_any, NULL},
    {TAG_CALL, 0, STR_INIT("<|START_ACTION|>"), STR_INIT("<|END_ACTION|>"), NULL, call_parse_any,
     NULL},
    {TAG_CALL, 0, STR_INIT("Action:\n```json"), STR_INIT("```"), "Action:\\n```json",
     call_parse_any, NULL},
    {TAG_CALL, 0, STR_INIT("Action: ```json"), STR_INIT("```"), "Action:\\n```json",
     call_parse_any, NULL},
    {TAG_CALL, 0, STR_INIT("```tool_code"), STR_INIT("```"), "tool_code", call_parse_any, NULL},
    {TAG_CALL, TAG_TOKEN, STR_INIT("[TOOL_CALLS]"), STR_INIT(""), NULL, call_parse_mistral, NULL},
    {TAG_CALL, 0, STR_INIT("<" BAR "tool" LOW "calls" LOW "begin" BAR ">"),
     STR_INIT("<" BAR "tool" LOW "calls" LOW "end" BAR ">"), NULL, call_parse_deepseek, NULL},
    {TAG_CALL, 0, STR_INIT("<|tool_calls_section_begin|>"), STR_INIT("<|tool_calls_section_end|>"),
     NULL, call_parse_kimi, NULL},
    {TAG_CALL, 0, STR_INIT("<|tool_call:begin|>"), STR_INIT("<|tool_call:end|>"), NULL,
     call_parse_solar, NULL},
    // --- calls that only their form announces
    {TAG_CALL, TAG_TOKEN, STR_INIT("<|python_tag|>"), STR_INIT(""), NULL, call_parse_any, NULL},
    {TAG_CALL, TAG_FIRST, STR_INIT("functools"), STR_INIT(""), "functools", call_parse_json, NULL},
    {TAG_CALL, TAG_FIRST | TAG_KEEP, STR_INIT("{"), STR_INIT(""),
     "{\"name\": function name, \"parameters\"", call_parse_bare_json, call_likely_json},
    {TAG_CALL, TAG_FIRST | TAG_KEEP, STR_INIT("["), STR_INIT(""), "func_name1(",
     call_parse_python, call_likely_python},
    // --- nothing to the user
    {TAG_SKIP, 0, STR_INIT("<|START_RESPONSE|>"), STR_INIT(""), NULL, NULL, NULL},
    {TAG_SKIP, 0, STR_INIT("<|END_RESPONSE|>"), STR_INIT(""), NULL, NULL, NULL},
    {TAG_SKIP, 0, STR_INIT("<|tool_calls|>"), STR_INIT(""), "<|tool_call:begin|>", NULL, NULL},
    // --- harmony: <|start|>ROLE[ to=TOOL]<|channel|>NAME[ to=TOOL][ <|constrain|>json]<|message|>
    {TAG_HEADER, 0, STR_INIT("<|channel|>"), STR_INIT("<|message|>"), NULL, NULL, NULL},
    {TAG_HEADER, 0, STR_INIT("<|start|>"), STR_INIT("<|message|>"), "<|channel|>", NULL, NULL},
    {TAG_HEADER, TAG_FIRST, STR_INIT(" to="), STR_INIT("<|message|>"), "<|channel|>", NULL, NULL},
    {TAG_SKIP, 0, STR_INIT("<|end|>"), STR_INIT(""), "<|channel|>", NULL, NULL},
    {TAG_SKIP, 0, STR_INIT("<|return|>"), STR_INIT(""), "<|channel|>", NULL, NULL},
    {TAG_SKIP, 0, STR_INIT("<|call|>"), STR_INIT(""), "<|channel|>", NULL, NULL},
};
const size_t reply_n_tags = COUNTOF(reply_tags);
STATIC_ASSERT(COUNTOF(reply_tags) <= 64, "a bit each in reply_style");

const reply_tag reply_harmony_call = {TAG_CALL, 0, STR_INIT(""), STR_INIT("<|call|>"), NULL,
                                      call_parse_harmony, NULL};

reply_style reply_detect(str template_text, reply_has_token has, void *ctx)
{
    reply_style s = {0};
    for (size_t i = 0; i < reply_n_tags; i++) {
        const reply_tag *tag = &reply_tags[i];
        str evidence = tag->evidence ? str_from(tag->evidence) : tag->open;
        bool found = str_find(template_text, evidence, 0) != SIZE_MAX;
        if (!found && has && tag->flags & TAG_TOKEN) found = has(ctx, tag->open);
        if (found) s.tags |= UINT64_C(1) << i;
    }
    return s;
}

void reply_begin_after(reply_style *s, str prompt)
{
    prompt = str_trim(prompt);
    s->starts_thinking = false;
    for (size_t i = 0; i < reply_n_tags; i++) {
        bool on = s->tags >> i & 1 && reply_tags[i].role == TAG_THINK;
        if (on && str_ends(prompt, reply_tags[i].open)) s->starts_thinking = true;
    }
}

void reply_forget_calls(reply_style *s)
{
    for (size_t i = 0; i < reply_n_tags; i++) {
        if (reply_tags[i].role == TAG_CALL) s->tags &= ~(UINT64_C(1) << i);
    }
}
