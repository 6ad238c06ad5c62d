// Reads stdin as one JSON document with the product's strict reader: exit status 0 when it is one.
// With arguments, these keys must occur at the top level.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum { INPUT_MAX = 1 << 24 };

static void mark_key(int argc, char **argv, str key)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i] && str_eq_z(key, argv[i])) argv[i] = NULL;
    }
}

int main(int argc, char **argv)
{
    char *text = malloc(INPUT_MAX);
    if (!text) return 1;
    size_t n = fread(text, 1, INPUT_MAX, stdin);
    hearth_err err = ERR_INIT;
    json_reader *r = NULL;
    json_event ev = JSON_NULL;
    hearth_status st = json_open_memory(text, n, INPUT_MAX, &r, &err);
    while (st == HEARTH_OK && ev != JSON_END) {
        st = json_next(r, &ev, &err);
        bool is_key = st == HEARTH_OK && ev == JSON_KEY && json_depth(r) == 1;
        if (is_key) mark_key(argc, argv, json_text(r));
    }
    json_close(r);
    free(text);
    int status = st == HEARTH_OK ? 0 : 1;
    if (status) fprintf(stderr, "%s\n", err.msg);
    for (int i = 1; i < argc; i++) {
        if (!argv[i]) continue;
        fprintf(stderr, "key '%s' is missing\n", argv[i]);
        status = 1;
    }
    return status;
}
