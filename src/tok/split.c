// The splits by name; see split.h. Names and passes are those of the GGUF files in the field; where
// a model's own tokenizer.json has the pattern with Unicode classes and a runtime only
// approximates it, the model's is what counts.
#include "tok/split.h"

#include "tok/glyph.h"
#include "tok/split_match.h"

typedef enum split_id {
    DEFAULT, GPT2, FALCON, STARCODER, LLAMA3, LLAMA3_MERGED, QWEN2, QWEN35, GPT4O, GPT4O_WHOLE,
    TEKKEN, DEEPSEEK_LLM, DEEPSEEK_CODER, DEEPSEEK_V3, SPARK, YOUTU, BLOOM, VIKING, SEED_CODER,
    JAIS2, UFAKZEKA, EXAONE_MOE, LAGUNA, MINICPM5, KIMI, GEMMA4, SARVAM,
    GLM4, SUPERBPE, AFMOE, CHAMELEON, TINY_AYA, WHITESPACE
} split_id;

static const word_split SPLITS[] = {
    [DEFAULT] = {.name = "gpt2/default",
                 .pass = {match_marks, match_gpt2, match_numbers, match_triple}},
    [GPT2] = {.name = "gpt2/gpt-2", .pass = {match_gpt2}},
    [FALCON] = {.name = "gpt2/falcon", .pass = {match_falcon_marks, match_gpt2, match_triple}},
    [STARCODER] = {.name = "gpt2/starcoder", .pass = {match_number, match_gpt2}},
    [LLAMA3] = {.name = "gpt2/llama-bpe", .pass = {match_llama3}, .whole_word_first = true,
                .add_bos = true},
    [LLAMA3_MERGED] = {.name = "gpt2/dbrx", .pass = {match_llama3}},
    [QWEN2] = {.name = "gpt2/qwen2", .pass = {match_qwen2}},
    [QWEN35] = {.name = "gpt2/qwen35", .pass = {match_qwen35}},
    [GPT4O] = {.name = "gpt2/gpt-4o", .pass = {match_gpt4o}},
    [GPT4O_WHOLE] = {.name = "gpt2/granite-embed-multi-97m", .pass = {match_gpt4o},
                     .whole_word_first = true},
    [TEKKEN] = {.name = "gpt2/tekken", .pass = {match_tekken}, .whole_word_first = true,
                .add_bos = true},
    [DEEPSEEK_LLM] = {.name = "gpt2/deepseek-llm",
                      .pass = {match_newline, match_cased, match_deepseek_marks, match_last_spaces,
                               match_cjk, match_numbers}},
    [DEEPSEEK_CODER] = {.name = "gpt2/deepseek-coder",
                        .pass = {match_newline, match_space_letters, match_space_points, match_cjk,
                                 match_number}},
    [DEEPSEEK_V3] = {.name = "gpt2/deepseek-v3",
                     .pass = {match_numbers3, match_han_kana, match_deepseek3}},
    [SPARK] = {.name = "gpt2/spark2_5",
               .pass = {match_numbers3, match_han_kana, match_spark, match_number}},
    [YOUTU] = {.name = "gpt2/youtu", .pass = {match_youtu_scripts, match_youtu},
               .whole_word_first = true},
    [BLOOM] = {.name = "gpt2/bloom", .pass = {match_bloom}},
    [VIKING] = {.name = "gpt2/viking", .pass = {match_bloom, match_number}},
    [SEED_CODER] = {.name = "gpt2/seed-coder", .pass = {match_seed_coder}},
    [JAIS2] = {.name = "gpt2/jais-2", .pass = {match_jais2}},
    [UFAKZEKA] = {.name = "gpt2/ufakzeka", .pass = {match_ufakzeka}},
    [EXAONE_MOE] = {.name = "gpt2/exaone-moe", .pass = {match_exaone_moe}},
    [LAGUNA] = {.name = "gpt2/laguna", .pass = {match_lines, match_qwen2}},
    [MINICPM5] = {.name = "gpt2/minicpm5", .pass = {match_numbers3, match_minicpm5},
                  .whole_word_first = true},
    [KIMI] = {.name = "gpt2/kimi-k2", .pass = {match_kimi}},
    [GEMMA4] = {.name = "gemma4", .pass = {match_lines}, .add_bos = true, .raw = true,
                .newlines_first = true},
    [SARVAM] = {.name = "gpt2/sarvam-moe", .pass = {match_lines}, .raw = true},
    [GLM4] = {.name = "gpt2/glm4", .pass = {match_llama3}, .whole_word_first = true},
    [SUPERBPE] = {.name = "gpt2/superbpe",
                  .pass = {match_numbers, match_thousands, match_group}},
    [AFMOE] = {.name = "gpt2/afmoe",
               .pass = {match_decimals, match_whole_thousands, match_group, match_afmoe_scripts,
                        match_deepseek3}},
    [CHAMELEON] = {.name = "gpt2/chameleon", .add_bos = true,
                   .pass = {match_sentinel, match_image, match_indent, match_number, match_mark,
                            match_gpt2}},
    [TINY_AYA] = {.name = "gpt2/tiny_aya",
                  .pass = {match_whole_digits, match_whole_thousands, match_gpt4o}},
    [WHITESPACE] = {.name = "whitespace", .pass = {match_not_spaces}, .raw = true,
                    .drops_spaces = true},
};

static const struct { const char *pre; split_id split; } NAMES[] = {
    {"default", DEFAULT},
    {"gpt-2", GPT2}, {"phi-2", GPT2}, {"mpt", GPT2}, {"olmo", GPT2}, {"jais", GPT2},
    {"trillion", GPT2}, {"granite-docling", GPT2}, {"exaone4", GPT2}, {"gigachat", GPT2},
    {"a.x-4.0", GPT2}, {"mellum", GPT2}, {"modern-bert", GPT2}, {"roberta-bpe", GPT2},
    {"jina-es", GPT2}, {"jina-de", GPT2}, {"jina-v2-es", GPT2}, {"jina-v2-de", GPT2},
    {"jina-v1-en", GPT2}, {"jina-v2-code", GPT2},
    {"falcon", FALCON},
    {"starcoder", STARCODER}, {"refact", STARCODER}, {"command-r", STARCODER},
    {"smollm", STARCODER}, {"codeshell", STARCODER}, {"exaone", STARCODER},
    {"minerva-7b", STARCODER}, {"mellum2", STARCODER},
    {"llama-bpe", LLAMA3}, {"llama3", LLAMA3}, {"llama-v3", LLAMA3}, {"falcon3", LLAMA3},
    {"falcon-h1", LLAMA3}, {"pixtral", LLAMA3}, {"midm-2.0", LLAMA3}, {"lfm2", LLAMA3},
    {"jina-v5-nano", LLAMA3},
    {"dbrx", LLAMA3_MERGED}, {"smaug-bpe", LLAMA3_MERGED}, {"chatglm-bpe", LLAMA3_MERGED},
    {"glm4", GLM4}, {"glm5", GLM4},
    {"qwen2", QWEN2}, {"deepseek-r1-qwen", QWEN2}, {"megrez", QWEN2}, {"kormo", QWEN2},
    {"f2llmv2", QWEN2}, {"stablelm2", QWEN2}, {"hunyuan", QWEN2}, {"solar-open", QWEN2},
    {"grok-2", QWEN2}, {"bailingmoe", QWEN2}, {"bailingmoe2", QWEN2}, {"llada-moe", QWEN2},
    {"qwen35", QWEN35},
    {"gpt-4o", GPT4O}, {"llama4", GPT4O}, {"kanana2", GPT4O}, {"talkie", GPT4O},
    {"minimax-m2", GPT4O},
    {"granite-embed-multi-97m", GPT4O_WHOLE},
    {"tekken", TEKKEN},
    {"deepseek-llm", DEEPSEEK_LLM},
    {"deepseek-coder", DEEPSEEK_CODER},
    {"deepseek-v3", DEEPSEEK_V3}, {"hunyuan-dense", DEEPSEEK_V3}, {"joyai-llm", DEEPSEEK_V3},
    {"hy_v4", DEEPSEEK_V3},
    {"spark2_5", SPARK},
    {"youtu", YOUTU},
    {"bloom", BLOOM}, {"poro-chat", BLOOM}, {"gpt3-finnish", BLOOM},
    {"viking", VIKING},
    {"seed-coder", SEED_CODER},
    {"jais-2", JAIS2},
    {"ufakzeka", UFAKZEKA},
    {"exaone-moe", EXAONE_MOE},
    {"laguna", LAGUNA},
    {"minicpm5", MINICPM5},
    {"kimi-k2", KIMI},
    {"gemma4", GEMMA4}, {"granite-embed-multi-311m", GEMMA4},
    {"sarvam-moe", SARVAM},
    {"superbpe", SUPERBPE},
    {"afmoe", AFMOE},
    {"chameleon", CHAMELEON},
    {"tiny_aya", TINY_AYA}, {"cohere2moe", TINY_AYA},
    {"whitespace", WHITESPACE},
};

const word_split *split_find(str pre)
{
    for (size_t i = 0; i < COUNTOF(NAMES); i++) {
        if (str_eq_z(pre, NAMES[i].pre)) return &SPLITS[NAMES[i].split];
    }
    return NULL;
}

size_t split_count(void) { return COUNTOF(NAMES); }

// A match, or what lies before the next one.
static size_t cut_once(split_match match, str s, size_t at)
{
    size_t end = match(s, at);
    if (end > at) return end;
    do {
        at += glyph_at(s, at).n;
    } while (at < s.n && match(s, at) == at);
    return at;
}

// A pass whose piece reaches beyond `at` is in the middle of it; only those behind begin anew.
size_t split_next(const word_split *split, split_cursor *c, str text, size_t at)
{
    ASSERT(at < text.n);
    size_t end = text.n;
    for (int i = 0; i < SPLIT_PASSES && split->pass[i]; i++) {
        if (c->end[i] <= at) c->end[i] = cut_once(split->pass[i], (str){text.p, end}, at);
        end = c->end[i];
    }
    return end;
}
