// Runs a fuzzer's entry over files, without libFuzzer: each argument is a file or a directory of
// files. So every regular test run replays the corpora, with any compiler.
#include <stdio.h>
#include <stdlib.h>

#include "os/os.h"
#include "support/test_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct progress {
    const char *dir;
    int n_files, n_failed;
} progress;

static void run_file(progress *p, const char *path)
{
    size_t n = 0;
    unsigned char *bytes = test_read_file(path, &n);
    if (!bytes) {
        fprintf(stderr, "cannot read %s\n", path);
        p->n_failed++;
        return;
    }
    // A block of the exact size, so that ASan sees an over-read.
    unsigned char *exact = realloc(bytes, n ? n : 1);
    LLVMFuzzerTestOneInput(exact ? exact : bytes, n);
    free(exact ? exact : bytes);
    p->n_files++;
}

static bool run_entry(void *ctx, const char *name)
{
    progress *p = ctx;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", p->dir, name);
    if (os_path_kind(path, NULL) == OS_KIND_FILE) run_file(p, path);
    return true;
}

int main(int argc, char **argv)
{
    progress p = {0};
    for (int i = 1; i < argc; i++) {
        hearth_err err = ERR_INIT;
        p.dir = argv[i];
        if (os_path_kind(argv[i], NULL) != OS_KIND_DIR) {
            run_file(&p, argv[i]);
        } else if (os_list_dir(argv[i], run_entry, &p, &err) != HEARTH_OK) {
            fprintf(stderr, "%s: %s\n", argv[i], err.msg);
            p.n_failed++;
        }
    }
    printf("%d inputs\n", p.n_files);
    return p.n_failed > 0 || p.n_files == 0;
}
