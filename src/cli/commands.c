// The table of commands and their options: data only. See options.h for what is made from it.
//
// Sampling rows write straight into sampler_params and repeat its defaults as text for help; a test
// holds the two together. Names follow llama.cpp where it has the same thing.
#include <string.h>

#include "cli/args.h"
#include "defs/limits.h"

#define ROWS(table) {table, COUNTOF(table), 0}
#define ROWS_AT(table, type, field) {table, COUNTOF(table), offsetof(type, field)}
#define MAX_INT32 2147483647.0
#define MAX_EXACT 9007199254740991.0 // 2^53 - 1: what JSON carries without loss

// clang-format off
#define AT(field) .at = offsetof(cli_args, field)
static const opt general_rows[] = {
    {.name = "help", .letter = 'h', .is_common = true, .kind = OPT_FLAG, AT(help),
     .group = "General", .help = "show this help"},
    {.name = "quiet", .letter = 'q', .is_common = true, .kind = OPT_FLAG, AT(quiet),
     .group = "General", .help = "no progress and no remarks on stderr, only errors"},
    {.name = "log-level", .kind = OPT_CHOICE, AT(log_level), .value = "LEVEL", .def = "warn",
     .choices = "error warn info debug", .group = "General", .help = "how much to log on stderr"},
};
static const opt json_rows[] = {
    {.name = "json", .is_common = true, .kind = OPT_FLAG, AT(json), .group = "General",
     .help = "print the result as JSON"},
};
#undef AT

#define AT(field) .at = offsetof(engine_args, field), .group = "Model and machine"
static const opt engine_rows[] = {
    {.name = "threads", .letter = 't', .is_common = true, .kind = OPT_INT, AT(threads),
     .value = "N", .def = "0", .min = 0, .max = LIMIT_THREADS,
     .help = "threads, 0 for one per processor"},
    {.name = "ctx-size", .letter = 'c', .is_common = true, .kind = OPT_I64, AT(ctx),
     .alias = "--ctx", .value = "N", .def = "0", .min = 0, .max = LIMIT_CONTEXT,
     .help = "context in tokens, 0 for the model's own (at most 4096)"},
    {.name = "batch-size", .letter = 'b', .kind = OPT_INT, AT(batch), .alias = "--batch",
     .value = "N", .def = "512", .min = 1, .max = LIMIT_BATCH_ROWS,
     .help = "prompt tokens per step"},
    {.name = "cache-type-k", .kind = OPT_CHOICE, AT(cache_k), .alias = "-ctk", .value = "TYPE",
     .def = "f16", .choices = "f32 f16", .help = "type of the keys in the cache"},
    {.name = "cache-type-v", .kind = OPT_CHOICE, AT(cache_v), .alias = "-ctv", .value = "TYPE",
     .def = "f16", .choices = "f32 f16", .help = "type of the values in the cache"},
    {.name = "memory-limit", .is_common = true, .kind = OPT_SIZE, AT(memory_limit), .value = "SIZE",
     .help = "refuse before loading when more memory is needed, such as 2G"},
    {.name = "lora", .is_common = true, .kind = OPT_LIST, AT(lora), .value = "PATH[:SCALE]",
     .help = "adapter (GGUF file or PEFT folder) to add to the model; may be repeated"},
    {.name = "cpu", .kind = OPT_TEXT, AT(cpu), .value = "ISA",
     .help = "strongest instruction set to use, such as avx2 or none"},
    {.name = "in-process", .kind = OPT_FLAG, AT(in_process),
     .help = "compute in this process instead of a child"},
};
#undef AT

#define AT(field) .at = offsetof(sampler_params, field), .group = "Sampling"
static const opt sampling_rows[] = {
    {.name = "temp", .is_common = true, .kind = OPT_F32, AT(temperature), .alias = "--temperature",
     .value = "X", .def = "0.8", .min = 0, .max = 100,
     .help = "temperature, 0 for the likeliest token"},
    {.name = "top-k", .is_common = true, .kind = OPT_INT, AT(top_k), .value = "N", .def = "40",
     .min = 0, .max = MAX_INT32, .help = "keep the N likeliest tokens, 0 for all"},
    {.name = "top-p", .is_common = true, .kind = OPT_F32, AT(top_p), .value = "X", .def = "0.95",
     .min = 0, .max = 1,
     .help = "keep the likeliest tokens up to this total probability, 1 for all"},
    {.name = "min-p", .is_common = true, .kind = OPT_F32, AT(min_p), .value = "X", .def = "0.05",
     .min = 0, .max = 1, .help = "drop tokens below this share of the likeliest one, 0 for none"},
    {.name = "typical-p", .kind = OPT_F32, AT(typical_p), .alias = "--typical", .value = "X",
     .def = "1", .min = 0, .max = 1, .help = "locally typical sampling, 1 for off"},
    {.name = "top-n-sigma", .kind = OPT_F32, AT(top_n_sigma), .alias = "--top-nsigma", .value = "X",
     .def = "-1", .min = -1, .max = 1000,
     .help = "keep logits within X standard deviations of the best, -1 for off"},
    {.name = "xtc-probability", .kind = OPT_F32, AT(xtc_probability), .value = "X", .def = "0",
     .min = 0, .max = 1, .help = "chance of dropping the top choices, 0 for off"},
    {.name = "xtc-threshold", .kind = OPT_F32, AT(xtc_threshold), .value = "X", .def = "0.1",
     .min = 0, .max = 1,
     .help = "probability from which a token is a top choice; above 0.5 for off"},
    {.name = "dynatemp-range", .kind = OPT_F32, AT(dynatemp_range), .value = "X", .def = "0",
     .min = 0, .max = 100, .help = "temperature varies by this much with the entropy, 0 for off"},
    {.name = "dynatemp-exp", .kind = OPT_F32, AT(dynatemp_exponent), .value = "X", .def = "1",
     .min = 0, .max = 100, .help = "exponent of the dynamic temperature"},
    {.name = "repeat-penalty", .is_common = true, .kind = OPT_F32, AT(repeat_penalty), .value = "X",
     .def = "1", .min = 0.001, .max = 100, .help = "divide the logits of recent tokens, 1 for off"},
    {.name = "repeat-last-n", .kind = OPT_INT, AT(repeat_last_n), .value = "N", .def = "64",
     .min = -1, .max = MAX_INT32,
     .help = "recent tokens that penalties look at, -1 for the whole context"},
    {.name = "presence-penalty", .kind = OPT_F32, AT(presence_penalty), .value = "X", .def = "0",
     .min = -100, .max = 100, .help = "subtracted once for tokens that occurred"},
    {.name = "frequency-penalty", .kind = OPT_F32, AT(frequency_penalty), .value = "X", .def = "0",
     .min = -100, .max = 100, .help = "subtracted for each time that a token occurred"},
    {.name = "dry-multiplier", .kind = OPT_F32, AT(dry_multiplier), .value = "X", .def = "0",
     .min = 0, .max = 100, .help = "strength of the penalty on repeated sequences, 0 for off"},
    {.name = "dry-base", .kind = OPT_F32, AT(dry_base), .value = "X", .def = "1.75", .min = 1,
     .max = 100, .help = "growth of that penalty with each repeated token"},
    {.name = "dry-allowed-length", .kind = OPT_INT, AT(dry_allowed_length), .value = "N",
     .def = "2", .min = 0, .max = MAX_INT32,
     .help = "repeated sequences up to this length are free"},
    {.name = "dry-penalty-last-n", .kind = OPT_INT, AT(dry_last_n), .value = "N", .def = "64",
     .min = -1, .max = MAX_INT32,
     .help = "recent tokens searched for repetitions, -1 for the whole context"},
    {.name = "mirostat", .kind = OPT_INT, AT(mirostat), .value = "N", .def = "0", .min = 0,
     .max = 2, .help = "Mirostat version 1 or 2 instead of the other filters, 0 for off"},
    {.name = "mirostat-ent", .kind = OPT_F32, AT(mirostat_tau), .value = "X", .def = "5", .min = 0,
     .max = 100, .help = "Mirostat's target entropy (tau)"},
    {.name = "mirostat-lr", .kind = OPT_F32, AT(mirostat_eta), .value = "X", .def = "0.1", .min = 0,
     .max = 1, .help = "Mirostat's learning rate (eta)"},
    {.name = "min-keep", .kind = OPT_INT, AT(min_keep), .value = "N", .def = "0", .min = 0,
     .max = MAX_INT32, .help = "filters keep at least N tokens"},
};
#undef AT

#define AT(field) .at = offsetof(run_args, field)
static const opt run_rows[] = {
    {.name = "prompt", .letter = 'p', .is_common = true, .kind = OPT_TEXT, AT(prompt),
     .value = "TEXT", .group = "Input", .help = "the text to go on from"},
    {.name = "file", .letter = 'f', .is_common = true, .kind = OPT_PATH, AT(file), .value = "FILE",
     .group = "Input", .help = "read the prompt from a file, - for stdin"},
    {.name = "system", .is_common = true, .kind = OPT_TEXT, AT(system),
     .alias = "-sys --system-prompt", .value = "TEXT", .group = "Input",
     .help = "what the model is told before the conversation"},
    {.name = "raw", .is_common = true, .kind = OPT_FLAG, AT(raw), .group = "Input",
     .help = "no chat template: the prompt exactly as given, the text exactly as it comes"},
    {.name = "template", .kind = OPT_PATH, AT(template_file), .alias = "--chat-template-file",
     .value = "FILE", .group = "Input", .help = "a chat template instead of the model's"},
    {.name = "tools", .kind = OPT_PATH, AT(tools), .value = "FILE", .group = "Input",
     .help = "JSON array of tools that the model may call; calls are shown, not run"},
    {.name = "think", .is_common = true, .kind = OPT_CHOICE, AT(think), .value = "WHEN",
     .def = "auto", .choices = "auto on off hide", .group = "Input",
     .help = "reasoning before the answer: as the template has it, asked for, off, not shown"},
    {.name = "demo", .kind = OPT_FLAG, AT(demo), .group = "Input",
     .help = "a tiny model with random weights instead of a file"},
    {.name = "predict", .letter = 'n', .is_common = true, .kind = OPT_I64, AT(predict),
     .alias = "--n-predict", .value = "N", .def = "-1", .min = -1, .max = LIMIT_CONTEXT,
     .group = "Output", .help = "tokens to generate at most, -1 until the model ends"},
    {.name = "stop", .letter = 'r', .is_common = true, .kind = OPT_LIST, AT(stop),
     .alias = "--reverse-prompt", .value = "TEXT", .group = "Output",
     .help = "end before this text; may be repeated"},
    {.name = "ignore-eos", .kind = OPT_FLAG, AT(ignore_eos), .group = "Output",
     .help = "never end by an end token"},
    {.name = "special", .kind = OPT_FLAG, AT(special), .alias = "-sp", .group = "Output",
     .help = "show control tokens in the text"},
    {.name = "json-schema", .kind = OPT_PATH, AT(json_schema), .value = "FILE", .group = "Output",
     .help = "the answer is JSON that this schema permits"},
    {.name = "grammar", .kind = OPT_PATH, AT(grammar), .alias = "--grammar-file", .value = "FILE",
     .group = "Output", .help = "the answer is a text of this GBNF grammar"},
    {.name = "regex", .kind = OPT_TEXT, AT(regex), .value = "RE", .group = "Output",
     .help = "the answer matches the regular expression, from its beginning to its end"},
    {.name = "choice", .kind = OPT_LIST, AT(choice), .value = "TEXT", .group = "Output",
     .help = "the answer is one of the texts that are given so"},
    {.name = "logprobs", .kind = OPT_INT, AT(logprobs), .value = "N", .def = "0", .min = 0,
     .max = GENERATE_TOP_MAX, .group = "Output",
     .help = "with --json: log-probabilities of each token and of the N likeliest"},
    {.name = "stats", .is_common = true, .kind = OPT_FLAG, AT(stats), .group = "Output",
     .help = "print seed, counts and speed on stderr at the end"},
    {.name = "seed", .letter = 's', .is_common = true, .kind = OPT_I64, AT(seed), .value = "N",
     .min = 0, .max = MAX_EXACT, .group = "Sampling", .help = "random seed; drawn when not given"},
    {.name = "logit-bias", .letter = 'l', .kind = OPT_LIST, AT(bias), .value = "ID+X",
     .group = "Sampling",
     .help = "add X to a token's logit (ID-X subtracts, ID-inf bans); may be repeated"},
    {.name = "samplers", .kind = OPT_TEXT, AT(samplers), .value = "LIST", .group = "Sampling",
     .help = "order of the samplers, separated by ;"},
};
#undef AT

#define AT(field) .at = offsetof(show_args, field), .group = "Options"
static const opt show_rows[] = {
    {.name = "tensors", .is_common = true, .kind = OPT_FLAG, AT(tensors),
     .help = "list every tensor"},
    {.name = "in-process", .kind = OPT_FLAG, AT(in_process),
     .help = "read the file in this process instead of a child"},
};
#undef AT

#define AT(field) .at = offsetof(convert_args, field), .group = "Options"
static const opt convert_rows[] = {
    {.name = "type", .is_common = true, .kind = OPT_CHOICE, AT(type), .alias = "--outtype",
     .value = "TYPE", .def = "auto", .choices = "auto f16 bf16 f32 q8_0",
     .help = "type of the matrices; auto is the folder's own 16-bit type"},
};
#undef AT

#define AT(field) .at = offsetof(plan_args, field), .group = "Options"
static const opt plan_rows[] = {
    {.name = "cache-type", .is_common = true, .kind = OPT_CHOICE, AT(cache), .value = "TYPE",
     .def = "f16", .choices = "f32 f16", .help = "type of keys and values in the cache"},
    {.name = "parallel", .is_common = true, .kind = OPT_INT, AT(parallel), .alias = "-np",
     .value = "N", .def = "1", .min = 1, .max = LIMIT_SEQUENCES,
     .help = "sequences at the same time"},
};
#undef AT
#define AT(field) .at = offsetof(engine_args, field), .group = "Options"
static const opt plan_engine_rows[] = {
    {.name = "ctx-size", .letter = 'c', .is_common = true, .kind = OPT_I64, AT(ctx),
     .alias = "--ctx", .value = "N", .def = "0", .min = 0, .max = LIMIT_CONTEXT,
     .help = "context in tokens over all sequences, 0 for the model's own (at most 4096)"},
    {.name = "batch-size", .letter = 'b', .is_common = true, .kind = OPT_INT, AT(batch),
     .alias = "--batch", .value = "N", .def = "512", .min = 1, .max = LIMIT_BATCH_ROWS,
     .help = "prompt tokens per step"},
    {.name = "memory-limit", .kind = OPT_SIZE, AT(memory_limit), .value = "SIZE",
     .help = "compare with this instead of the machine's memory"},
    {.name = "in-process", .kind = OPT_FLAG, AT(in_process),
     .help = "read the file in this process instead of a child"},
};
#undef AT

#define AT(field) .at = offsetof(tokenize_args, field), .group = "Options"
static const opt tokenize_rows[] = {
    {.name = "ids", .is_common = true, .kind = OPT_FLAG, AT(ids),
     .help = "print only the ids, on one line"},
    {.name = "decode", .is_common = true, .kind = OPT_FLAG, AT(decode),
     .help = "the other way: ids in, text out"},
    {.name = "bos", .is_common = true, .kind = OPT_FLAG, AT(bos),
     .help = "put the beginning-of-text token in front"},
    {.name = "special", .is_common = true, .kind = OPT_FLAG, AT(special),
     .help = "control tokens spelled in the text become their ids; with --decode, show them"},
    {.name = "prompt", .letter = 'p', .is_common = true, .kind = OPT_TEXT, AT(prompt),
     .value = "TEXT", .help = "the text, instead of stdin"},
    {.name = "file", .letter = 'f', .is_common = true, .kind = OPT_PATH, AT(file), .value = "FILE",
     .help = "read a file instead of stdin"},
    {.name = "in-process", .kind = OPT_FLAG, AT(in_process),
     .help = "read the model in this process instead of a child"},
};
#undef AT

#define AT(field) .at = offsetof(embed_args, field), .group = "Texts"
static const opt embed_rows[] = {
    {.name = "file", .letter = 'f', .is_common = true, .kind = OPT_PATH, AT(file), .value = "FILE",
     .help = "each line of a file is a text, - for stdin"},
    {.name = "dimensions", .is_common = true, .kind = OPT_I64, AT(dimensions), .value = "N",
     .def = "0", .min = 0, .max = LIMIT_EMBD,
     .help = "only the first N values (Matryoshka), 0 for all"},
    {.name = "pooling", .is_common = true, .kind = OPT_CHOICE, AT(pooling), .value = "KIND",
     .def = "model", .choices = "model mean cls last",
     .help = "how the tokens of a text become one vector"},
    {.name = "raw", .is_common = true, .kind = OPT_FLAG, AT(raw),
     .help = "vectors as computed instead of the length 1"},
    {.name = "truncate", .is_common = true, .kind = OPT_FLAG, AT(truncate),
     .help = "cut texts that are too long instead of refusing them"},
    {.name = "similarity", .is_common = true, .kind = OPT_FLAG, AT(similarity),
     .help = "print the cosine of each text with each other instead of vectors"},
};
#undef AT
#define AT(field) .at = offsetof(rerank_args, field), .group = "Texts"
static const opt rerank_rows[] = {
    {.name = "file", .letter = 'f', .is_common = true, .kind = OPT_PATH, AT(file), .value = "FILE",
     .help = "each line of a file is a document, - for stdin"},
    {.name = "truncate", .is_common = true, .kind = OPT_FLAG, AT(truncate),
     .help = "cut documents that are too long instead of refusing them"},
};
#undef AT

#define AT(field) .at = offsetof(serve_args, field), .group = "Server"
static const opt serve_rows[] = {
    {.name = "host", .is_common = true, .kind = OPT_TEXT, AT(host), .value = "ADDRESS",
     .help = "address to listen on (default: OLLAMA_HOST, else 127.0.0.1)"},
    {.name = "port", .is_common = true, .kind = OPT_INT, AT(port), .value = "N", .def = "-1",
     .min = -1, .max = 65535, .help = "port, 0 for a free one, -1 for OLLAMA_HOST's or 11434"},
    {.name = "socket", .kind = OPT_PATH, AT(socket), .value = "PATH",
     .help = "listen on this socket file instead"},
    {.name = "models", .is_common = true, .kind = OPT_PATH, AT(models), .value = "DIR",
     .help = "serve the GGUF files and folders in DIR (default: HEARTH_MODELS)"},
    {.name = "origins", .kind = OPT_TEXT, AT(origins), .value = "LIST",
     .help = "web pages that may ask, beside local ones: origins with commas, * for all"},
    {.name = "api-key", .kind = OPT_TEXT, AT(api_key), .value = "KEYS",
     .help = "a key that requests must have, or several with commas (default: HEARTH_API_KEY)"},
    {.name = "tls-cert", .kind = OPT_PATH, AT(tls_cert), .value = "FILE",
     .help = "speak TLS, with this certificate chain in PEM"},
    {.name = "tls-key", .kind = OPT_PATH, AT(tls_key), .value = "FILE",
     .help = "the certificate's private key in PEM"},
    {.name = "parallel", .is_common = true, .kind = OPT_INT, AT(parallel), .alias = "-np",
     .value = "N", .def = "4", .min = 1, .max = LIMIT_SEQUENCES,
     .help = "answers of one model at the same time"},
    {.name = "max-queue", .kind = OPT_INT, AT(max_queue), .value = "N", .def = "512", .min = 1,
     .max = 1000000, .help = "requests that may wait"},
    {.name = "max-models", .kind = OPT_INT, AT(max_loaded), .value = "N", .def = "0", .min = 0,
     .max = 1000, .help = "models loaded at the same time, 0: as memory allows"},
    {.name = "keep-alive", .kind = OPT_TEXT, AT(keep_alive), .value = "TIME", .def = "5m",
     .help = "how long an idle model stays: 300, 10m, 1h, -1 for ever"},
};
#undef AT

#define AT(field) .at = offsetof(bench_args, field), .group = "Measurement"
static const opt bench_rows[] = {
    {.name = "n-prompt", .letter = 'p', .is_common = true, .kind = OPT_INT, AT(prompt),
     .value = "N", .def = "512", .min = 1, .max = 1 << 24, .help = "prompt tokens"},
    {.name = "n-gen", .letter = 'n', .is_common = true, .kind = OPT_INT, AT(predict), .value = "N",
     .def = "64", .min = 1, .max = 1 << 24, .help = "tokens to generate"},
    {.name = "runs", .letter = 'r', .is_common = true, .kind = OPT_INT, AT(runs),
     .alias = "--repetitions", .value = "N", .def = "3", .min = 1, .max = 101,
     .help = "measured runs; medians are reported"},
    {.name = "shape", .is_common = true, .kind = OPT_TEXT, AT(shape), .value = "NAME",
     .help = "random weights of a known model's shape instead of a file; 'list' names them"},
    {.name = "type", .is_common = true, .kind = OPT_TEXT, AT(type), .value = "TYPE", .def = "q4_0",
     .help = "type of those weights"},
    {.name = "seed", .letter = 's', .kind = OPT_I64, AT(seed), .value = "N", .def = "1", .min = 0,
     .max = MAX_EXACT, .help = "seed of the prompt and of the random weights"},
};
#undef AT

#define AT(field) .at = offsetof(graph_run_args, field), .group = "Options"
static const opt graph_run_rows[] = {
    {.name = "input", .letter = 'i', .is_common = true, .kind = OPT_LIST, AT(inputs),
     .value = "NAME=FILE", .help = "an input from a .npy or .pb file; without names: in order"},
    {.name = "output", .letter = 'o', .is_common = true, .kind = OPT_PATH, AT(output),
     .value = "DIR", .help = "write each output as DIR/NAME.npy"},
};
#undef AT
#define AT(field) .at = offsetof(graph_conform_args, field), .group = "Options"
static const opt graph_conform_rows[] = {
    {.name = "filter", .is_common = true, .kind = OPT_TEXT, AT(filter), .value = "TEXT",
     .help = "only tests with this text in their path"},
    {.name = "outputs", .is_common = true, .kind = OPT_PATH, AT(outputs), .value = "DIR",
     .help = "write each result as DIR/TEST/output_K.npy"},
    {.name = "at-least", .kind = OPT_INT, AT(at_least), .value = "N", .def = "0", .min = 0,
     .max = MAX_INT32, .help = "status 1 when fewer tests pass"},
};
#undef AT

#define AT(field) .at = offsetof(help_args, field), .group = "Options"
static const opt help_rows[] = {
    {.name = "all", .letter = 'a', .is_common = true, .kind = OPT_FLAG, AT(all),
     .help = "every option, also the rare ones"},
    {.name = "man", .is_common = true, .kind = OPT_FLAG, AT(man),
     .help = "print a man page (roff)"},
};
#undef AT

#define AT(field) .at = offsetof(logits_args, field), .group = "Options"
static const opt logits_rows[] = {
    {.name = "tokens", .is_common = true, .kind = OPT_TEXT, AT(tokens), .value = "IDS",
     .help = "token ids separated by commas"},
    {.name = "out", .letter = 'o', .is_common = true, .kind = OPT_PATH, AT(out), .value = "FILE",
     .help = "the .npy file to write, float32 [n_tokens, n_vocab]"},
    {.name = "threads", .letter = 't', .is_common = true, .kind = OPT_INT, AT(threads),
     .value = "N", .def = "0", .min = 0, .max = LIMIT_THREADS,
     .help = "threads, 0 for one per processor"},
    {.name = "batch", .letter = 'b', .is_common = true, .kind = OPT_INT, AT(batch),
     .alias = "--batch-size", .value = "N", .def = "512", .min = 1, .max = LIMIT_BATCH_ROWS,
     .help = "tokens per step"},
    {.name = "cpu", .kind = OPT_TEXT, AT(cpu), .value = "ISA",
     .help = "strongest instruction set to use, such as avx2 or none"},
    {.name = "in-process", .kind = OPT_FLAG, AT(in_process),
     .help = "compute in this process instead of a child"},
};
#undef AT
#define AT(field) .at = offsetof(gguf_args, field), .group = "Options"
static const opt gguf_rows[] = {
    {.name = "keys", .is_common = true, .kind = OPT_FLAG, AT(keys), .def = "true",
     .help = "list the keys (default)"},
    {.name = "tensors", .is_common = true, .kind = OPT_FLAG, AT(tensors), .def = "true",
     .help = "list the tensors (default)"},
};
#undef AT
#define AT(field) .at = offsetof(kern_args, field), .group = "Options"
static const opt kern_rows[] = {
    {.name = "cpu", .is_common = true, .kind = OPT_TEXT, AT(cpu), .value = "ISA",
     .help = "strongest instruction set to use, such as avx2 or none"},
};
#undef AT
#define AT(field) .at = offsetof(template_args, field), .group = "Options"
static const opt template_rows[] = {
    {.name = "messages", .letter = 'm', .is_common = true, .kind = OPT_PATH, AT(messages),
     .value = "FILE", .help = "JSON object of the variables, instead of stdin"},
};
#undef AT
#define AT(field) .at = offsetof(diff_args, field), .group = "Options"
static const opt diff_rows[] = {
    {.name = "tolerance", .is_common = true, .kind = OPT_F32, AT(tolerance), .value = "X",
     .def = "0", .min = 0, .max = MAX_INT32,
     .help = "status 1 when the difference over the range exceeds X"},
};
#undef AT

static const cmd commands[] = {
    {"run", "MODEL [PROMPT]", "generate text",
     "MODEL is a GGUF file; for a split model, its first part. The prompt comes from the second "
     "word, --prompt, --file, or stdin when that is no terminal. Without any, on a terminal, a "
     "conversation begins; type /help there.\n\n"
     "A model with a chat template gets the prompt as a message of the user. What a message says "
     "never becomes a control token. Reasoning is shown on a terminal only. A model without a "
     "template, or --raw, continues the prompt as plain text.\n\n"
     "A single word with a space in it that names no file is taken as a prompt for the built-in "
     "model.\n\n"
     "The text goes to stdout as it is generated; everything else goes to stderr.",
     "hearth run model.gguf \"Once upon a time\" -n 100 # one shot\n"
     "hearth run model.gguf < letter.txt # the prompt from stdin\n"
     "hearth run model.gguf -p \"2+2=\" --temp 0 --json # the likeliest answer, as JSON\n"
     "hearth run model.gguf # a conversation",
     0, 2, "file", sizeof(run_args),
     {ROWS(run_rows), ROWS_AT(sampling_rows, run_args, sampling),
      ROWS_AT(engine_rows, run_args, engine), ROWS(json_rows), ROWS(general_rows)},
     cmd_run},
    {"show", "MODEL", "describe a model file",
     "Prints architecture, size, context, tokenizer, tensor types and metadata. Long arrays are "
     "cut.",
     "hearth show model.gguf # the summary\nhearth show model.gguf --tensors # with every tensor",
     1, 1, "file", sizeof(show_args),
     {ROWS(show_rows), ROWS(json_rows), ROWS(general_rows)}, cmd_show},
    {"plan", "MODEL", "say how much memory a model needs",
     "Prints the exact bytes of weights, cache and scratch for a context size, before anything is "
     "loaded, and whether they fit into this machine's memory.",
     "hearth plan model.gguf --ctx 8192 # at 8192 tokens of context",
     1, 1, "file", sizeof(plan_args),
     {ROWS(plan_rows), ROWS_AT(plan_engine_rows, plan_args, engine), ROWS(json_rows),
      ROWS(general_rows)},
     cmd_plan},
    {"convert", "FOLDER OUT.gguf", "make a GGUF file of a Hugging Face folder",
     "FOLDER holds config.json, safetensors and tokenizer files. Keys, names and types are those "
     "of llama.cpp's converter. The file appears when it is complete. Running the folder itself "
     "(hearth run FOLDER) needs no file.",
     "hearth convert SmolLM2-135M/ smollm2.gguf # 16 bits, as the folder has them\n"
     "hearth convert SmolLM2-135M/ smollm2.gguf --type q8_0 # 8 bits",
     2, 2, "file", sizeof(convert_args), {ROWS(convert_rows), ROWS(general_rows)}, cmd_convert},
    {"tokenize", "MODEL", "text to tokens and back",
     "Reads text from stdin and prints one token a line: its id and its text. With --ids, the ids "
     "alone on one line. Nothing is added to the text, and control tokens spelled in it are "
     "ordinary text, unless --bos or --special say otherwise.",
     "echo -n hello | hearth tokenize model.gguf --ids # ids on one line\n"
     "echo 1 2 3 | hearth tokenize model.gguf --decode # text of these ids",
     1, 1, "file", sizeof(tokenize_args),
     {ROWS(tokenize_rows), ROWS(json_rows), ROWS(general_rows)}, cmd_tokenize},
    {"embed", "MODEL [TEXT...]", "turn texts into vectors",
     "Texts are the words after the model, the lines of --file, or those of stdin. Prints a vector "
     "a line, each of the length 1. A text is taken as it is: a prefix that the model was trained "
     "with, such as \"search_query: \", is yours to write.",
     "hearth embed model.gguf \"a text\" \"another\" --similarity # how alike they are\n"
     "hearth embed model.gguf -f lines.txt --json > vectors.json # one vector a line of the file",
     1, -1, "file", sizeof(embed_args),
     {ROWS(embed_rows), ROWS_AT(engine_rows, embed_args, engine), ROWS(json_rows),
      ROWS(general_rows)},
     cmd_embed},
    {"rerank", "MODEL QUERY [DOCUMENT...]", "order documents by how well they answer a query",
     "Documents are the words after the query, the lines of --file, or those of stdin. Prints "
     "score, number and text, best first. Scores are what the model's classifier says; scales "
     "differ between models.",
     "hearth rerank model.gguf \"what is a panda?\" \"a bear\" \"hi\" # two documents\n"
     "hearth rerank model.gguf \"what is a panda?\" -f lines.txt --json # as JSON",
     2, -1, "file", sizeof(rerank_args),
     {ROWS(rerank_rows), ROWS_AT(engine_rows, rerank_args, engine), ROWS(json_rows),
      ROWS(general_rows)},
     cmd_rerank},
    {"serve", "[MODEL]", "answer programs: Ollama's and OpenAI's API",
     "Listens on this machine alone unless told otherwise. Models are the files of --models, and "
     "MODEL; they are loaded when somebody asks. --ctx-size is what one answer may use. "
     "--memory-limit bounds all models together. Ctrl-C ends it.",
     "hearth serve --models ~/models # for every program that speaks to Ollama\n"
     "hearth serve model.gguf --port 8080 # one model\n"
     "curl localhost:11434/v1/models # what it offers",
     0, 1, "file", sizeof(serve_args),
     {ROWS(serve_rows), ROWS_AT(engine_rows, serve_args, engine), ROWS(general_rows)}, cmd_serve},
    {"bench", "[MODEL]", "measure speed",
     "Reads a random prompt and generates tokens, several times, and reports medians. With "
     "--shape, weights of a known model's shape are made in memory from a seed: no download is "
     "needed to see how it would run here.",
     "hearth bench model.gguf -p 258 -n 32 -t 2 --json # a file\n"
     "hearth bench --shape qwen2.5-1.5b --type q4_0 # a shape",
     0, 1, "file", sizeof(bench_args),
     {ROWS(bench_rows), ROWS_AT(engine_rows, bench_args, engine), ROWS(json_rows),
      ROWS(general_rows)},
     cmd_bench},
    {"graph show", "MODEL", "list the graph of an ONNX model", "", "hearth graph show model.onnx",
     1, 1, "file", sizeof(plain_args), {ROWS(general_rows)}, cmd_graph_show},
    {"graph run", "MODEL", "run an ONNX model on arrays",
     "Prints name, type and shape of each output.",
     "hearth graph run model.onnx --input x=x.npy --output results # arrays in, arrays out",
     1, 1, "file", sizeof(graph_run_args), {ROWS(graph_run_rows), ROWS(general_rows)},
     cmd_graph_run},
    {"graph conform", "DIR", "run the official ONNX tests",
     "DIR holds folders test_NAME with model.onnx and test_data_set_0, at any depth. Prints what "
     "did not pass with the reason, and the totals.",
     "hearth graph conform onnx/backend/test/data # all\n"
     "hearth graph conform onnx/backend/test/data --filter test_conv --json # some, as JSON",
     1, 1, "file", sizeof(graph_conform_args),
     {ROWS(graph_conform_rows), ROWS(json_rows), ROWS(general_rows)}, cmd_graph_conform},
    {"debug logits", "MODEL", "write the logits of given tokens",
     "The cache is f32. The result does not depend on threads and batch.",
     "hearth debug logits model.gguf --tokens 1,2,3 --out x.npy # three rows",
     1, 1, "file", sizeof(logits_args), {ROWS(logits_rows), ROWS(json_rows), ROWS(general_rows)},
     cmd_debug_logits},
    {"debug gguf", "FILE", "dump the index of a GGUF file", "", "", 1, 1, "file", sizeof(gguf_args),
     {ROWS(gguf_rows), ROWS(json_rows), ROWS(general_rows)}, cmd_debug_gguf},
    {"debug tokens", "MODEL", "dump a model's vocabulary",
     "Prints id, kind and spelling of every token.", "", 1, 1, "file", sizeof(plain_args),
     {ROWS(json_rows), ROWS(general_rows)}, cmd_debug_tokens},
    {"debug template", "MODEL|FILE.jinja", "render messages with a chat template",
     "The JSON holds messages, tools, add_generation_prompt, bos_token, eos_token, date and any "
     "further variable. With --json, the text is also shown in runs: what came from the template "
     "and what from the messages, which can never become a control token.",
     "hearth debug template model.gguf --messages chat.json # its own template\n"
     "hearth debug template chat.jinja -m chat.json --json # with origins",
     1, 1, "file", sizeof(template_args),
     {ROWS(template_rows), ROWS(json_rows), ROWS(general_rows)}, cmd_debug_template},
    {"debug kern", "", "say which kernels run on this processor", "", "", 0, 0, "",
     sizeof(kern_args), {ROWS(kern_rows), ROWS(json_rows), ROWS(general_rows)}, cmd_debug_kern},
    {"debug diff", "A.npy B.npy", "compare two arrays",
     "Prints the largest absolute difference, the same over the range of A, and where it is.", "",
     2, 2, "file", sizeof(diff_args), {ROWS(diff_rows), ROWS(json_rows), ROWS(general_rows)},
     cmd_debug_diff},
    {"completion", "bash|zsh|fish", "print a shell completion script", "",
     "source <(hearth completion bash) # in ~/.bashrc\n"
     "hearth completion fish > ~/.config/fish/completions/hearth.fish # for fish",
     1, 1, "shell", sizeof(plain_args), {ROWS(general_rows)}, cmd_completion},
    {"help", "[COMMAND]", "explain a command", "", "hearth help run # the common options\n"
     "hearth help --all run # every option\nhearth help --man run | man -l - # the man page",
     0, 2, "command", sizeof(help_args), {ROWS(help_rows), ROWS(general_rows)}, cmd_help},
    {"version", "", "print the version", "", "", 0, 0, "", sizeof(plain_args),
     {ROWS(json_rows), ROWS(general_rows)}, cmd_version},
};
// clang-format on

const cmd *cmd_at(int i)
{
    return i < (int)COUNTOF(commands) ? &commands[i] : NULL;
}

const cmd *cmd_find(str name)
{
    for (size_t i = 0; i < COUNTOF(commands); i++) {
        if (str_eq_z(name, commands[i].name)) return &commands[i];
    }
    return NULL;
}
