// Public functions on conversations: messages to tokens, and text to parts.
#include <string.h>

#include "capi/api_int.h"
#include "defs/limits.h"

struct hearth_reply { reply_reader *r; };

void hearth_chat_options_default(hearth_chat_options *options)
{
    *options = (hearth_chat_options){.size = sizeof *options, .year = 1970, .month = 1, .day = 1};
}

STATIC_ASSERT((int)HEARTH_THINK_OFF == (int)ENGINE_THINK_OFF, "the same numbers");
STATIC_ASSERT((int)HEARTH_CALL == (int)REPLY_CALL, "the same numbers");

static engine_chat_options convert_options(const char *messages, const hearth_chat_options *o)
{
    return (engine_chat_options){
        .messages = str_from(messages), .tools = str_from(o->tools),
        .variables = str_from(o->variables), .template_text = str_from(o->template_text),
        .template_name = str_from(o->template_name),
        .now = {o->year, o->month, o->day, o->hour, o->minute, o->second},
        .think = (engine_think)o->think, .no_generation_prompt = o->no_generation_prompt != 0,
        .held = o->held, .n_held = o->held ? o->n_held : 0,
    };
}

static hearth_status check_options(const hearth_chat_options *o, hearth_err *err)
{
    const struct { const char *name; int32_t value, low, high; } ranges[] = {
        {"think", o->think, HEARTH_THINK_DEFAULT, HEARTH_THINK_OFF}, {"year", o->year, 1, 9999},
        {"month", o->month, 1, 12}, {"day", o->day, 1, 31}, {"hour", o->hour, 0, 23},
        {"minute", o->minute, 0, 59}, {"second", o->second, 0, 60},
    };
    for (size_t i = 0; i < COUNTOF(ranges); i++) {
        if (ranges[i].value < ranges[i].low || ranges[i].value > ranges[i].high)
            return err_fail(err, HEARTH_E_ARG, "%s: %d is not in [%d, %d]", ranges[i].name,
                            ranges[i].value, ranges[i].low, ranges[i].high);
    }
    return HEARTH_OK;
}

static hearth_status open_reply(reply_style style, const char *tools, hearth_reply **out,
                                hearth_err *err)
{
    hearth_reply *r = mem_alloc_zero(MEM_MISC, 1, sizeof *r);
    if (!r) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    hearth_status status = reply_open(style, str_from(tools), &r->r, err);
    if (status == HEARTH_OK) *out = r;
    else mem_free(r);
    return status;
}

hearth_status hearth_chat(hearth_model *model, const char *messages,
                          const hearth_chat_options *options, int32_t **ids, size_t *n,
                          hearth_reply **reply, hearth_error *error)
{
    if (!model || !messages || !ids || !n)
        return api_refuse(error, "hearth_chat: an argument is NULL");
    hearth_chat_options o;
    hearth_chat_options_default(&o);
    *ids = NULL;
    if (reply) *reply = NULL;
    if (options && !api_read_sized(&o, sizeof o, options))
        return api_refuse(error, "hearth_chat: options.size is not one of this version");
    hearth_err err = ERR_INIT;
    engine_chat_options internal = convert_options(messages, &o);
    engine_chat_result result = {.note = ""};
    hearth_status status = check_options(&o, &err);
    if (status == HEARTH_OK) status = engine_chat(model->e, &internal, &result, &err);
    if (status == HEARTH_OK && reply) status = open_reply(result.style, o.tools, reply, &err);
    if (status == HEARTH_OK) {
        *ids = result.ids.id;
        *n = result.ids.n;
    } else {
        tok_ids_release(&result.ids);
    }
    return api_report(status, &err, error);
}

void hearth_reply_free(hearth_reply *reply)
{
    if (!reply) return;
    reply_free(reply->r);
    mem_free(reply);
}

hearth_status hearth_reply_put(hearth_reply *reply, const char *text, size_t text_bytes,
                               hearth_error *error)
{
    if (!reply || (!text && text_bytes > 0))
        return api_refuse(error, "hearth_reply_put: an argument is NULL");
    hearth_err err = ERR_INIT;
    str s = {text ? text : "", text_bytes};
    return api_report(reply_put(reply->r, s, &err), &err, error);
}

hearth_status hearth_reply_end(hearth_reply *reply, hearth_error *error)
{
    if (!reply) return api_refuse(error, "hearth_reply_end: 'reply' is NULL");
    hearth_err err = ERR_INIT;
    return api_report(reply_end(reply->r, &err), &err, error);
}

int hearth_reply_next(hearth_reply *reply, hearth_part *part)
{
    reply_part p;
    if (!reply || !part || part->size < sizeof part->size || part->size > sizeof *part) return 0;
    if (!reply_next(reply->r, &p)) return 0;
    hearth_part all = {
        .size = sizeof all, .kind = (hearth_part_kind)p.kind, .index = p.index, .text = p.text.p,
        .text_bytes = p.text.n, .id = p.id.p, .id_bytes = p.id.n, .name = p.name.p,
        .name_bytes = p.name.n, .arguments = p.arguments.p, .arguments_bytes = p.arguments.n,
    };
    return api_write_sized(part, &all, sizeof all) ? 1 : 0;
}
