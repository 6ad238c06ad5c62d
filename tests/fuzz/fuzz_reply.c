// Replies on anything: every style, any pieces; the parts are the same however the text is cut, and
// calls are whole: a name, and a valid object.
//
// Input: 8 bytes of tags, a byte of flags, a byte for the pieces, then the text.
#include <string.h>

#include "reply/reply_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool truth)
{
    if (!truth) TRAP();
}

static void take_parts(reply_reader *r, buf *all)
{
    reply_part p;
    while (reply_next(r, &p)) {
        if (p.kind == REPLY_CALL) {
            check(p.name.n > 0 && p.name.n <= LIMIT_REPLY_NAME && p.arguments.n >= 2);
            check(p.arguments.p[0] == '{' && json_is_valid(p.arguments));
            buf_printf(all, "\x01%d ", p.index);
            buf_append_str(all, p.id);
            buf_append_char(all, ' ');
            buf_append_str(all, p.name);
            buf_append_str(all, p.arguments);
        } else {
            check(p.text.n > 0);
            // A mark for each byte's kind: merging differs with the pieces.
            for (size_t i = 0; i < p.text.n; i++) {
                buf_append_char(all, p.kind == REPLY_THINKING ? '\x02' : '\x03');
                buf_append_char(all, p.text.p[i]);
            }
        }
    }
}

static void read_all(reply_style s, str tools, str text, size_t piece, buf *all)
{
    reply_reader *r;
    check(reply_open(s, tools, &r, NULL) == HEARTH_OK);
    for (size_t at = 0; at < text.n; at += piece) {
        check(reply_put(r, (str){text.p + at, size_min(piece, text.n - at)}, NULL) == HEARTH_OK);
        take_parts(r, all);
    }
    check(reply_end(r, NULL) == HEARTH_OK);
    take_parts(r, all);
    reply_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const str tools = STR_INIT(
        "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\","
        "\"properties\":{\"s\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\"}}}}}]");
    if (size < 10 || size > 1 << 16) return 0;
    reply_style s = {.starts_thinking = data[8] & 1};
    memcpy(&s.tags, data, sizeof s.tags);
    s.tags &= (UINT64_C(1) << reply_n_tags) - 1;
    str text = {(const char *)data + 10, size - 10}, known = data[8] & 2 ? tools : STR("");
    buf whole, cut;
    buf_init(&whole, MEM_TEST, 1 << 24);
    buf_init(&cut, MEM_TEST, 1 << 24);
    read_all(s, known, text, size, &whole);
    read_all(s, known, text, 1 + data[9] % 16, &cut);
    check(str_eq(buf_str(&whole), buf_str(&cut)));
    // Without tags, the text is what comes out.
    buf_reset(&whole);
    read_all((reply_style){0}, STR(""), text, 1 + data[9] % 16, &whole);
    check(whole.n == 2 * text.n);
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
