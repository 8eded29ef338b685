/* The k-th allocation fails, for every k until a run passes: each run before it fails in words, leaves what
 * it was given empty, and loses nothing (the sanitizers' build sees leaks). The linker sends the library's
 * allocations here (--wrap), jansson's come by its own setting. */
#include "cognate/checkpoint.h"
#include "cognate/manifest.h"
#include "cognate/vocabulary.h"
#include "scratch.h"
#include "zipped.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t n);

/* Allocations until one fails; 0: none does. */
static long countdown;

static bool fails(void)
{
    return countdown > 0 && --countdown == 0;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *memory, size_t n)
{
    return fails() ? NULL : __real_realloc(memory, n);
}

/* The steps of a run: open, pack, unpack; read a manifest, label, pair. */
static int open_and_pack(struct scratch *scratch, struct cg_err *err)
{
    struct cg_checkpoint a = {0}, b = {0};
    struct cg_buf packed = {0};
    int result = -1;
    CG_TRY(cg_checkpoint_open(&a, scratch->folder, err));
    CG_TRY(cg_checkpoint_pack(&a, &packed, err));
    struct cg_unpacker from = {packed.data, packed.data + packed.size};
    result = cg_checkpoint_unpack(&b, &from, err);
done:
    if (result < 0 && (b.given || b.ntensors > 0 || b.warnings.data))
        fail_msg("not released: %s", err->text);
    cg_buf_release(&packed);
    cg_checkpoint_release(&a);
    cg_checkpoint_release(&b);
    return result;
}

static int refuse_a_link(struct scratch *scratch, struct cg_err *err)
{
    struct cg_checkpoint checkpoint = {0};
    int result = cg_checkpoint_open(&checkpoint, scratch_path(scratch, "links"), err);
    assert_int_equal(result, -1);
    return strstr(err->text, "is a link that leaves") ? 0 : -1;
}

static int open_from_cache(struct scratch *scratch, struct cg_err *err)
{
    struct cg_checkpoint checkpoint = {0};
    setenv("HF_HUB_CACHE", scratch->folder, 1);
    int result = cg_checkpoint_open(&checkpoint, "org/name", err);
    cg_checkpoint_release(&checkpoint);
    return result;
}

static int open_torch(struct scratch *scratch, const char *name, struct cg_err *err)
{
    struct cg_checkpoint checkpoint = {0};
    int result = cg_checkpoint_open(&checkpoint, scratch_path(scratch, name), err);
    cg_checkpoint_release(&checkpoint);
    return result;
}

static int open_zip(struct scratch *scratch, struct cg_err *err)
{
    return open_torch(scratch, "torch/m.pt", err);
}

static int open_stream(struct scratch *scratch, struct cg_err *err)
{
    return open_torch(scratch, "torch/stream.pt", err);
}

static int open_gguf(struct scratch *scratch, struct cg_err *err)
{
    return open_torch(scratch, "m.gguf", err);
}

static int read_manifest(struct scratch *scratch, struct cg_err *err)
{
    struct cg_manifest manifest = {0};
    int32_t(*pairs)[2] = NULL;
    size_t npairs = 0;
    int result = -1;
    CG_TRY(cg_manifest_read(&manifest, scratch_path(scratch, "table.tsv"), err));
    CG_TRY(cg_manifest_add(&manifest, "x=/models/m", err));
    CG_TRY(cg_manifest_unique_labels(&manifest, err));
    result = cg_manifest_pairs(&manifest, &pairs, &npairs, err);
done:
    free(pairs);
    cg_manifest_release(&manifest);
    return result;
}

static int load_vocabulary(const char *folder, struct cg_err *err)
{
    struct cg_vocabulary vocabulary = {0};
    struct cg_alignment alignment = {0};
    struct cg_buf warnings = {0};
    int result = cg_vocabulary_load(&vocabulary, folder, &warnings, err);
    if (result == 0)
        result = cg_vocabulary_align(&alignment, &vocabulary, 9, &vocabulary, 9, err);
    else if (vocabulary.present || vocabulary.tokens)
        fail_msg("not released: %s", err->text);
    cg_alignment_release(&alignment);
    cg_vocabulary_release(&vocabulary);
    cg_buf_release(&warnings);
    return result;
}

static int load_vocab_json(struct scratch *scratch, struct cg_err *err)
{
    return load_vocabulary(scratch_path(scratch, "json"), err);
}

static int load_tiktoken(struct scratch *scratch, struct cg_err *err)
{
    return load_vocabulary(scratch_path(scratch, "tiktoken"), err);
}

static int load_gguf(struct scratch *scratch, struct cg_err *err)
{
    return load_vocabulary(scratch_path(scratch, "m.gguf"), err);
}

/* jansson calls a string it has no memory for an invalid token. */
static bool blames_memory(const struct cg_err *err)
{
    return err->code == CG_ENOMEM ||
           (strstr(err->text, "invalid JSON: ") && !strstr(err->text, "invalid JSON:  "));
}

/* A run may pass all the same when what it had no memory for was only a value to show. */
static void fail_each(struct scratch *scratch, int (*run)(struct scratch *, struct cg_err *))
{
    int failures = 0, result = -1;
    bool reached = true;
    for (long k = 1; reached; k++) {
        struct cg_err err = {0};
        countdown = k;
        result = run(scratch, &err);
        reached = countdown == 0;
        countdown = 0;
        failures += result < 0;
        if (result < 0 && (!reached || !blames_memory(&err)))
            fail_msg("allocation %ld: %s: %s", k, cg_code_meaning(err.code), err.text);
    }
    assert_int_equal(result, 0);
    assert_true(failures > 10);
}

static void test_checkpoint(void **state)
{
    fail_each(*state, open_and_pack);
}

static void test_link(void **state)
{
    fail_each(*state, refuse_a_link);
}

static void test_cache(void **state)
{
    fail_each(*state, open_from_cache);
}

static void test_zip(void **state)
{
    fail_each(*state, open_zip);
}

static void test_stream(void **state)
{
    fail_each(*state, open_stream);
}

static void test_gguf(void **state)
{
    fail_each(*state, open_gguf);
}

static void test_manifest(void **state)
{
    fail_each(*state, read_manifest);
}

static void test_vocabularies(void **state)
{
    fail_each(*state, load_vocab_json);
    fail_each(*state, load_tiktoken);
    fail_each(*state, load_gguf);
}

#define ONE(name) "{\"" name "\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}"

/* One tensor, every other byte of three; both containers take the same object. */
static const char object[] = "\x80\2}X\1\0\0\0a"
                             "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storage"
                             "ctorch\nByteStorage\nX\1\0\0\0"
                             "0X\3\0\0\0cpu"
                             "K\3tQK\0K\2\x85K\2\x85t"
                             "Rq\0s.";
static const char stream_head[] = "\x80\2\x8A\12\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19."
                                  "\x80\2M\351\3.\x80\2}X\15\0\0\0little_endian\x88s.";
static const char stream_tail[] = "\x80\2]X\1\0\0\0"
                                  "0a.\3\0\0\0\0\0\0\0xyz";

static void make_torch(struct scratch *scratch)
{
    struct bytes bytes = {.n = 0};
    const struct archive archive = {.member = {{.name = "m/data.pkl", .data = object, .n = sizeof object - 1},
                                               {.name = "m/byteorder", .data = "little", .n = 6},
                                               {.name = "m/data/0", .data = "xyz", .n = 3}}};
    scratch_folder(scratch, "torch");
    zip_put(&bytes, &archive);
    scratch_bytes(scratch, "torch/m.pt", bytes.data, bytes.n);
    bytes.n = 0;
    put(&bytes, stream_head, sizeof stream_head - 1);
    put(&bytes, object, sizeof object - 1);
    put(&bytes, stream_tail, sizeof stream_tail - 1);
    scratch_bytes(scratch, "torch/stream.pt", bytes.data, bytes.n);
}

/* A tensor of one byte, an architecture whose values are changed, two tokens. */
#define N4(byte) byte "\0\0\0"
#define N8(byte) byte "\0\0\0\0\0\0\0"
static const char gguf[] = "GGUF" N4("\3") N8("\1") N8("\4") N8("\24") "general.architecture" N4("\10")
    N8("\5") "gemma" N8("\24") "tokenizer.ggml.model" N4("\10")
        N8("\4") "gpt2" N8("\25") "tokenizer.ggml.tokens" N4("\11") N4("\10") N8("\2")
            N8("\1") "a" N8("\1") "b" N8("\31") "tokenizer.ggml.token_type" N4("\11") N4("\5") N8("\2")
                N4("\1") N4("\3") N8("\1") "a" N4("\1") N8("\1") N4("\30") N8("\0");

static void make_gguf(struct scratch *scratch)
{
    enum { END = (sizeof gguf - 1 + 31) / 32 * 32 + 1 };
    char bytes[END] = "";
    memcpy(bytes, gguf, sizeof gguf - 1);
    scratch_bytes(scratch, "m.gguf", bytes, END);
}

static int make(void **state)
{
    static struct scratch scratch;
    scratch_make(&scratch);
    scratch_safetensors(&scratch, "1.safetensors", -1, ONE("a"), 4);
    scratch_safetensors(&scratch, "2.safetensors", -1, ONE("b"), 4);
    scratch_text(&scratch, "config.json",
                 "{\"hidden_size\":4,\"model_type\":\"llama\",\"num_experts\":[2,4]}");
    scratch_text(&scratch, "model.safetensors.index.json",
                 "{\"metadata\":{\"total_size\":9},\"weight_map\":{\"a\":\"1.safetensors\","
                 "\"b\":\"2.safetensors\"}}");
    scratch_folder(&scratch, "links");
    scratch_link(&scratch, "../1.safetensors", "links/1.safetensors");
    scratch_folder(&scratch, "models--org--name");
    scratch_folder(&scratch, "models--org--name/snapshots");
    scratch_folder(&scratch, "models--org--name/snapshots/1");
    scratch_safetensors(&scratch, "models--org--name/snapshots/1/x.safetensors", -1, ONE("a"), 4);
    make_torch(&scratch);
    make_gguf(&scratch);
    scratch_text(&scratch, "table.tsv", "path\trole\n1.safetensors\tbase\n/x/1.safetensors\ttarget\n");
    scratch_folder(&scratch, "json");
    scratch_text(&scratch, "json/vocab.json", "{\"a\":0,\"b\":-1}");
    scratch_text(&scratch, "json/added_tokens.json", "{\"c\":1}");
    scratch_text(&scratch, "json/special_tokens_map.json", "{\"eos_token\":\"c\"}");
    scratch_folder(&scratch, "tiktoken");
    scratch_text(&scratch, "tiktoken/tokenizer.model", "YQ== 0\nYg== 0\n");
    scratch_text(&scratch, "tiktoken/tokenizer_config.json",
                 "{\"added_tokens_decoder\":{\"5\":{\"content\":\"x\",\"special\":true}}}");
    *state = &scratch;
    json_set_alloc_funcs(__wrap_malloc, free);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checkpoint), cmocka_unit_test(test_link),        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_zip),        cmocka_unit_test(test_stream),      cmocka_unit_test(test_gguf),
        cmocka_unit_test(test_manifest),   cmocka_unit_test(test_vocabularies)};
    return cmocka_run_group_tests_name("memory", tests, make, scratch_tear_down);
}
