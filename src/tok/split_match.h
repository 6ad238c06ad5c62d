// Matchers of published split patterns; see split.h. Each stands under its pattern.
#ifndef HEARTH_TOK_SPLIT_MATCH_H
#define HEARTH_TOK_SPLIT_MATCH_H

#include "tok/split.h"

// Whole patterns, split_match.c: some alternative matches nearly everywhere.
size_t match_gpt2(str s, size_t at);
size_t match_llama3(str s, size_t at);
size_t match_qwen2(str s, size_t at);
size_t match_qwen35(str s, size_t at);
size_t match_minicpm5(str s, size_t at);
size_t match_seed_coder(str s, size_t at);
size_t match_jais2(str s, size_t at);
size_t match_ufakzeka(str s, size_t at);
size_t match_exaone_moe(str s, size_t at);
size_t match_gpt4o(str s, size_t at);
size_t match_tekken(str s, size_t at);
size_t match_youtu(str s, size_t at);
size_t match_kimi(str s, size_t at);
size_t match_deepseek3(str s, size_t at);
size_t match_spark(str s, size_t at);
size_t match_bloom(str s, size_t at);

// Parts, split_part.c.
size_t match_newline(str s, size_t at);        // [\r\n]
size_t match_number(str s, size_t at);         // \p{N}
size_t match_numbers(str s, size_t at);        // \p{N}+
size_t match_numbers3(str s, size_t at);       // \p{N}{1,3}
size_t match_triple(str s, size_t at);         // [0-9][0-9][0-9]
size_t match_marks(str s, size_t at);          // [\p{P}$+<=>^~|]+
size_t match_falcon_marks(str s, size_t at);   // the same with a backtick
size_t match_lines(str s, size_t at);          // [^\n]+|[\n]+
size_t match_space_letters(str s, size_t at);  // \s?\p{L}+
size_t match_space_points(str s, size_t at);   // \s?\p{P}+
size_t match_cased(str s, size_t at);          // \s?[letters with case]+
size_t match_deepseek_marks(str s, size_t at); // \s?[!-/:-~ and their wide forms ...]+
size_t match_last_spaces(str s, size_t at);    // \s+$
size_t match_cjk(str s, size_t at);            // ideographs, kana and others, as deepseek has it
size_t match_han_kana(str s, size_t at);       // ideographs and kana
size_t match_words(str s, size_t at);          // \w+|[^\w\s]+
size_t match_youtu_scripts(str s, size_t at);  // runs of Hangul, marks, Bopomofo, ideographs
size_t match_afmoe_scripts(str s, size_t at);  // runs of ideographs and kana, Thai, Lao, Khmer ...
size_t match_decimals(str s, size_t at);       // \p{Nd}+
size_t match_sentinel(str s, size_t at);       // <sentinel:[0-9]+>
size_t match_image(str s, size_t at);          // IMGIMG[A-I]{1,4}Z
size_t match_indent(str s, size_t at);         // [\t\n]|    |  (four spaces or two)
size_t match_mark(str s, size_t at);           // [\p{P}!-/:-@\[-`{-~]
size_t match_not_spaces(str s, size_t at);     // \S+

// Digits in threes from the right, split_group.c.
size_t match_thousands(str s, size_t at);
size_t match_group(str s, size_t at);
size_t match_whole_digits(str s, size_t at);
size_t match_whole_thousands(str s, size_t at);

#endif
