// See test_data.h.
#include "support/test_data.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_readable(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f) fclose(f);
    return f != NULL;
}

bool test_data_path(const char *name, char *path, size_t path_bytes)
{
    const char *dir = getenv("HEARTH_TEST_DATA");
    snprintf(path, path_bytes, "%s/%s", dir && *dir ? dir : TEST_DATA_DEFAULT, name);
    bool found = is_readable(path);
    if (!found) fprintf(stderr, "not found, skipped: %s\n", path);
    return found;
}

void test_source_path(const char *name, char *path, size_t path_bytes)
{
    snprintf(path, path_bytes, "%s/%s", TEST_SOURCE_DIR, name);
}

unsigned char *test_read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    unsigned char *p = NULL;
    *n = 0;
    for (size_t cap = 1 << 16;; cap *= 2) {
        unsigned char *grown = realloc(p, cap);
        if (!grown) break;
        p = grown;
        *n += fread(p + *n, 1, cap - *n, f);
        if (*n < cap) {
            fclose(f);
            return p;
        }
    }
    free(p);
    fclose(f);
    return NULL;
}
