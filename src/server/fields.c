// Fields of requests, error bodies and other small things that all dialects share.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/date.h"
#include "base/mem.h"
#include "os/os.h"
#include "server/server_int.h"

void reply_json(listen_exchange *x, int status, json_t *body)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text) listen_reply(x, status, "application/json; charset=utf-8", str_from(text));
    else listen_reply(x, 500, "application/json", STR("{\"error\":\"out of memory\"}"));
    mem_free(text);
}

void ollama_error(listen_exchange *x, int status, const char *message)
{
    reply_json(x, status, json_pack("{s:s}", "error", message));
}

static const char *openai_type(int status)
{
    switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 503: return "unavailable_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
    }
}

void openai_error(listen_exchange *x, int status, const char *message)
{
    reply_json(x, status, json_pack("{s:{s:s,s:s,s:n,s:i}}", "error", "message", message, "type",
                                    openai_type(status), "param", "code", status));
}

int http_status(hearth_status status)
{
    switch (status) {
    case HEARTH_E_NOTFOUND: return 404;
    case HEARTH_E_ARG:
    case HEARTH_E_FORMAT: return 400;
    default: return 500;
    }
}

static const json_t *get_field(const json_t *body, const char *name)
{
    const json_t *v = json_object_get(body, name);
    return json_is_null(v) ? NULL : v;
}

hearth_status field_str(const json_t *body, const char *name, const char **out, hearth_err *err)
{
    const json_t *v = get_field(body, name);
    if (!v) return HEARTH_OK;
    if (!json_is_string(v)) return err_fail(err, HEARTH_E_ARG, "'%s' must be a string", name);
    *out = json_string_value(v);
    return HEARTH_OK;
}

hearth_status field_bool(const json_t *body, const char *name, bool *out, hearth_err *err)
{
    const json_t *v = get_field(body, name);
    if (!v) return HEARTH_OK;
    if (!json_is_boolean(v)) return err_fail(err, HEARTH_E_ARG, "'%s' must be a boolean", name);
    *out = json_is_true(v);
    return HEARTH_OK;
}

hearth_status field_int(const json_t *body, const char *name, int64_t low, int64_t high,
                        int64_t *out, hearth_err *err)
{
    const json_t *v = get_field(body, name);
    if (!v) return HEARTH_OK;
    double real = json_number_value(v);
    bool is_whole = json_is_integer(v) || (json_is_real(v) && real >= -9e15 && real <= 9e15 &&
                                           (double)(int64_t)real >= real &&
                                           (double)(int64_t)real <= real);
    if (!is_whole) return err_fail(err, HEARTH_E_ARG, "'%s' must be an integer", name);
    int64_t n = json_is_integer(v) ? json_integer_value(v) : (int64_t)real;
    if (n < low || n > high)
        return err_fail(err, HEARTH_E_ARG, "'%s' is %lld, expected %lld to %lld", name,
                        (long long)n, (long long)low, (long long)high);
    *out = n;
    return HEARTH_OK;
}

hearth_status field_f32(const json_t *body, const char *name, double low, double high, float *out,
                        hearth_err *err)
{
    const json_t *v = get_field(body, name);
    if (!v) return HEARTH_OK;
    if (!json_is_number(v)) return err_fail(err, HEARTH_E_ARG, "'%s' must be a number", name);
    double x = json_number_value(v);
    if (!(x >= low && x <= high))
        return err_fail(err, HEARTH_E_ARG, "'%s' is %g, expected %g to %g", name, x, low, high);
    *out = (float)x;
    return HEARTH_OK;
}

// A number of seconds, or "10m", "1h30m", "-1"; negative: for ever.
static hearth_status read_duration(const json_t *v, uint64_t *ns, hearth_err *err)
{
    double seconds = 0, sign = 1;
    const char *at = json_string_value(v);
    if (json_is_number(v)) {
        seconds = json_number_value(v);
    } else {
        if (!at || !*at) return err_fail(err, HEARTH_E_ARG, "keep_alive: expected a duration");
        if (*at == '-') sign = -1, at++;
        while (*at) {
            char *end;
            double n = strtod(at, &end);
            double unit = !strncmp(end, "ms", 2) ? 0.001 : *end == 'h' ? 3600 : *end == 'm' ? 60
                          : *end == 's' || !*end ? 1 : -1;
            if (end == at || unit < 0)
                return err_fail(err, HEARTH_E_ARG, "keep_alive: '%s' is no duration", at);
            seconds += n * unit;
            at = end + (unit < 0.01 ? 2 : *end != 0);
        }
    }
    seconds *= sign;
    *ns = seconds < 0 || seconds > 1e9 ? SCHED_FOREVER : (uint64_t)(seconds * 1e9);
    return HEARTH_OK;
}

hearth_status field_keep_alive(const json_t *body, bool *has, uint64_t *ns, hearth_err *err)
{
    const json_t *v = get_field(body, "keep_alive");
    *has = v != NULL;
    return v ? read_duration(v, ns, err) : HEARTH_OK;
}

hearth_status field_objects(const json_t *body, const char *name, const json_t **out,
                            hearth_err *err)
{
    const json_t *v = get_field(body, name);
    *out = v;
    if (!v) return HEARTH_OK;
    if (!json_is_array(v)) return err_fail(err, HEARTH_E_ARG, "'%s' must be an array", name);
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!json_is_object(json_array_get(v, i)))
            return err_fail(err, HEARTH_E_ARG, "'%s[%zu]' must be an object", name, i);
    return HEARTH_OK;
}

hearth_status field_messages(const json_t *body, const json_t **out, hearth_err *err)
{
    HEARTH_TRY(field_objects(body, "messages", out, err));
    for (size_t i = 0; i < json_array_size(*out); i++)
        if (!json_is_string(json_object_get(json_array_get(*out, i), "role")))
            return err_fail(err, HEARTH_E_ARG, "'messages[%zu].role' must be a string", i);
    return HEARTH_OK;
}

hearth_status dump_text(const json_t *v, char **out, hearth_err *err)
{
    *out = json_dumps(v, JSON_COMPACT);
    return *out ? HEARTH_OK : err_fail(err, HEARTH_E_NOMEM, "out of memory");
}

hearth_status read_body(const listen_exchange *x, json_t **out, hearth_err *err)
{
    str text = listen_body(x);
    json_error_t why;
    if (text.n == 0) return err_fail(err, HEARTH_E_ARG, "missing request body");
    json_t *body = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &why);
    if (!body)
        return err_fail(err, HEARTH_E_ARG, "the body is not JSON: line %d, column %d: %s", why.line,
                        why.column, why.text);
    if (!json_is_object(body)) {
        json_decref(body);
        return err_fail(err, HEARTH_E_ARG, "the body must be a JSON object");
    }
    *out = body;
    return HEARTH_OK;
}

void time_of(int64_t unix_seconds, char out[40])
{
    date d = date_of(unix_seconds);
    snprintf(out, 40, "%04d-%02d-%02dT%02d:%02d:%02d.000000000Z", d.year, d.month, d.day, d.hour,
             d.minute, d.second);
}

void time_text(char out[40]) { time_of(os_unix_seconds(), out); }
