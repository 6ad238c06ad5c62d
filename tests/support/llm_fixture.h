// A model loaded for a test, and the runs that tests compare.
#ifndef TESTS_SUPPORT_LLM_FIXTURE_H
#define TESTS_SUPPORT_LLM_FIXTURE_H

#include "fmt/gguf.h"
#include "llm/llm.h"
#include "llm/session.h"
#include "os/os.h"

typedef struct fixture_options {
    int n_threads;  // 1
    unsigned cpu;   // CPU_ALL
    bool is_closed; // through support/closed_dev.h, the file's bytes unreadable after opening
    llm_model_options part;
    const gguf *adapter; // put on the model; NULL: none
    float adapter_scale;
    llm_ctx_options ctx; // n_ctx 512, n_seq 1, n_batch 512, n_logits 512, F32
} fixture_options;
fixture_options fixture_default(void);

typedef struct fixture {
    os_guarded file;
    gguf *g;
    dev *d;
    llm_model *m;
    llm_ctx *c;
} fixture;

// Copies the bytes. Without a context when o->ctx.n_ctx is 0. On failure all is closed again.
hearth_status fixture_open(fixture *f, const void *bytes, size_t n, const fixture_options *o,
                           hearth_err *err);
void fixture_close(fixture *f);

// Logits of tokens `from`..n-1 appended to sequence `s` in steps of `batch` rows:
// out [n - from][n_vocab].
hearth_status fixture_logits(fixture *f, llm_seq s, const int32_t *ids, int from, int n, int batch,
                             float *out, hearth_err *err);

// Reads a test data file; NULL (and one line on stderr) when it is not there. free() it.
unsigned char *fixture_data(const char *name, size_t *n);

#endif
