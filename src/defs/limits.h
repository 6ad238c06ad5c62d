// Every limit on data from outside, and why it has that value.
#ifndef HEARTH_DEFS_LIMITS_H
#define HEARTH_DEFS_LIMITS_H

// --- GGUF ---------------------------------------------------------------------------------------
#define LIMIT_GGUF_KV 65536              // published files hold < 100 keys; leaves room for lineage
#define LIMIT_GGUF_TENSORS 1048576       // DeepSeek-V3 split per expert is about 50,000
#define LIMIT_GGUF_NAME 65535            // key length as the GGUF specification bounds it
#define LIMIT_GGUF_TENSOR_NAME 255       // ggml itself stops at 63
#define LIMIT_GGUF_STRING (1u << 26)     // 64 MB: far above the longest template or licence
#define LIMIT_GGUF_ARRAY_DEPTH 4         // nested arrays exist in the format, not in the field
#define LIMIT_GGUF_SPLITS 9999           // five digits in the name; files are opened one by one
#define LIMIT_GGUF_ALIGNMENT 65536       // one large page; the field uses 32, some repackers 4096
#define LIMIT_TENSOR_DIMS 4              // GGUF tensors; the graph engine has its own limit of 8
#define LIMIT_TENSOR_DIM (INT64_C(1) << 40)

// --- safetensors --------------------------------------------------------------------------------
#define LIMIT_SAFETENSORS_HEADER 100000000 // bytes of JSON; the reference reader's own bound
#define LIMIT_SAFETENSORS_DIMS 8         // convolutions of video have 5

// --- graphs (ONNX) ------------------------------------------------------------------------------
#define LIMIT_GRAPH_DIMS 8               // NumPy users rarely pass 6; kernels keep odometers of 8
#define LIMIT_GRAPH_DEPTH 16             // If inside Loop inside If; published models nest 4 deep
#define LIMIT_GRAPH_NODES (1 << 20)      // one graph; unrolled language models reach 50,000
#define LIMIT_GRAPH_IO 4096              // inputs or outputs of a node; Split and Concat reach 256
#define LIMIT_GRAPH_ITEMS (INT64_C(1) << 40) // elements of one tensor
#define LIMIT_GRAPH_MEMORY (SIZE_MAX / 4) // bytes of one arena, before the machine says less

// --- JSON ---------------------------------------------------------------------------------------
#define LIMIT_JSON_DEPTH 64              // tokenizer.json nests 6 deep; schemas of users maybe 20

// --- language models ----------------------------------------------------------------------------
#define LIMIT_LAYERS 1024
#define LIMIT_EMBD (1 << 20)
#define LIMIT_HEADS 4096
#define LIMIT_CONV_TAPS 64               // of a short convolution; 3 and 4 are published
#define LIMIT_WKV_HEAD 256               // a head of RWKV-7, whose state is its square; all have 64
#define LIMIT_HEAD_SIZE 4096            // values of one head; 256 in the largest published models
#define LIMIT_STATE (1 << 28)           // floats that one layer remembers of a sequence; 2 M in use
#define LIMIT_DELTA_HEAD 512            // key of a gated delta net's head; 128 in published models
#define LIMIT_FF (1 << 22)
#define LIMIT_STREAMS 8                  // residual streams; 4 in the only published models
#define LIMIT_EXPERTS 4096               // of a layer; 512 in the largest published models
#define LIMIT_VOCAB (1 << 22)            // 4 M: sixteen times the largest published vocabulary
#define LIMIT_TOKEN_BYTES 65535          // one vocabulary entry
#define LIMIT_CONTEXT (1 << 27)          // positions; 128 M, above any published context
#define LIMIT_TEXTS (1 << 20)            // texts of one call for vectors; more can go in parts
#define LIMIT_SEQUENCES 4096             // sequences known to one cache
#define LIMIT_BATCH_ROWS 65536           // rows of one step
#define LIMIT_STOP_STRINGS 64
#define LIMIT_STOP_BYTES 4096
#define LIMIT_LOGIT_BIAS 65536           // entries; a caller that bans more wants an allowed set

// --- tokenizers ---------------------------------------------------------------------------------
#define LIMIT_PROMPT_BYTES (1u << 28)    // one text to encode; two bytes per position of a context
#define LIMIT_MERGES (1 << 24)          // merge ranks; four per token of the largest vocabulary
#define LIMIT_WALK_BYTES 512             // token that a trie finds anywhere; Unigram has 48
#define LIMIT_RULE_BYTES 512             // front of a text that one normalisation rule replaces
#define LIMIT_PATTERN_BYTES 16384        // one regular expression; published ones have 700
#define LIMIT_PATTERN_STEPS 10000000     // back and forth in one text: some tenths of a second
#define LIMIT_STAGES 64                  // of one kind in a tokenizer.json; published ones have 9
#define LIMIT_TOKEN_GAP 65536            // ids that no token has, besides three for each token
#define LIMIT_SPECIAL_BYTES 512          // spelling of a control token; published ones < 64

// --- engine protocol ----------------------------------------------------------------------------
#define LIMIT_WIRE_MESSAGE (1u << 24)    // 16 MB; larger payloads go through shared memory
#define LIMIT_PATH 4096                  // a model's name; what Linux allows
// Text, ids or JSON of one call, in many messages: 4 GB, or 1 GB where a size has 32 bits.
#define LIMIT_WIRE_BULK (SIZE_MAX > 0xFFFFFFFFu ? (size_t)1 << 31 << 1 : (size_t)1 << 30)
#define LIMIT_SHARED (UINT64_C(1) << 42) // one block of shared memory; 4 TB, above any machine

// --- chat templates -----------------------------------------------------------------------------
#define LIMIT_TMPL_TEXT (1u << 20)       // one template; the longest published ones are 30 KB
#define LIMIT_TMPL_NESTING 100           // brackets, blocks, steps on one value; 10 are usual
#define LIMIT_TMPL_DEPTH 400             // evaluation: nesting times macros that call macros
#define LIMIT_TMPL_STEPS 50000000        // a second or two; a chat of 1,000 messages takes 100,000
#define LIMIT_TMPL_MEMORY (1u << 28)     // values of one rendering; 50 copies of a 4 MB chat
#define LIMIT_TMPL_OUTPUT (1u << 26)     // 64 MB of rendered text
#define LIMIT_TMPL_RANGE 100000          // items of range(), as the reference's sandbox has it

// --- replies ------------------------------------------------------------------------------------
#define LIMIT_REPLY_BYTES (1u << 26)     // text between two readings; 64 MB as for a rendered chat
#define LIMIT_REPLY_BODY (1u << 22)      // one block of calls; files are written through arguments
#define LIMIT_REPLY_HEADER 1024          // of a harmony message; usual ones have 50 bytes
#define LIMIT_REPLY_NAME 256             // name or id of a call; OpenAI's API has 64
#define LIMIT_REPLY_CALLS 128            // calls in one reply; OpenAI's API has 128 tools

// --- constrained output -------------------------------------------------------------------------
#define LIMIT_GRAM_TEXT (1u << 20)       // one grammar or schema; large ones of tools have 100 KB
#define LIMIT_GRAM_NODES (1u << 18)      // positions of the automaton; {1,10000} takes 20,000
#define LIMIT_GRAM_RULES (1u << 14)      // a schema has one or two for each subschema
#define LIMIT_GRAM_REPEAT 65536          // times; larger counts are for programs, not for texts
#define LIMIT_GRAM_PROPERTIES 256        // declared members of one object: bits of its register
#define LIMIT_GRAM_NESTING 64            // parentheses, subschemas: recursion of the compilers
#define LIMIT_GRAM_DEPTH 1024            // rules that are open in a text; JSON takes 2 a level
#define LIMIT_GRAM_CONFIGS 4096          // ways to read one text; ambiguous grammars have dozens
#define LIMIT_GRAM_MEMORY (1u << 28)     // states and masks that one text keeps
#define LIMIT_GRAM_STATES 20000          // kept between tokens; a reply passes some hundred

// --- command line -------------------------------------------------------------------------------
#define LIMIT_HTTP_BODY (256u << 20)      // a long conversation with images is some tens of MB
#define LIMIT_HTTP_BACKLOG (64u << 20)    // a reply, or what of a stream a client has not read yet
#define LIMIT_STDIN (1u << 30)           // a prompt of 1 GB is a mistake
#define LIMIT_THREADS 512

#endif
