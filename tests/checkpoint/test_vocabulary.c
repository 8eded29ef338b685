/* Small tokenizer.json files, sound and broken, and what their tokens stand for; then tokens of two models.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cognate/vocabulary.h"
#include "scratch.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_TOKENS = 8, MANY = 4194305 };

static int make_folder(void **state)
{
    char *folder = strdup("/tmp/cognate-vocabulary-XXXXXX");
    *state = folder;
    return folder && mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    int result = rmdir(*state);
    free(*state);
    return result;
}

static void path_in(char *path, size_t size, const char *folder)
{
    assert_true((size_t)snprintf(path, size, "%s/tokenizer.json", folder) < size);
}

/* Loads what `write` puts into folder/tokenizer.json. */
static struct cg_vocabulary load_written(const char *folder, void (*write)(FILE *, const void *),
                                         const void *what, struct cg_buf *warnings)
{
    char path[128];
    path_in(path, sizeof path, folder);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    write(file, what);
    assert_int_equal(fclose(file), 0);
    scratch_keep(path);
    struct cg_vocabulary vocabulary = {0};
    struct cg_err err = {0};
    assert_int_equal(cg_vocabulary_load(&vocabulary, folder, warnings, &err), 0);
    assert_int_equal(err.code, CG_OK);
    assert_int_equal(unlink(path), 0);
    return vocabulary;
}

/* JSON as the tables below hold it: with ' for ". */
static void write_json(FILE *file, const void *json)
{
    for (const char *c = json; *c; c++)
        fputc(*c == '\'' ? '"' : *c, file);
}

/* The warnings are exactly these lines, each with the path before it. */
static void check_warnings(const char *folder, const struct cg_buf *warnings, const char *const lines[2])
{
    char expected[1024] = "";
    size_t at = 0;
    for (int i = 0; i < 2 && lines[i]; i++)
        at += (size_t)snprintf(expected + at, sizeof expected - at, "%s/tokenizer.json: %s\n", folder,
                               lines[i]);
    assert_string_equal(warnings->data ? warnings->data : "", expected);
}

struct expected_token {
    int64_t id;
    const char *bytes; /* NULL ends the list */
    bool special;
};

#define BYTE_LEVEL "'pre_tokenizer': {'type': 'ByteLevel'}, "
#define BPE        "'model': {'type': 'BPE', 'vocab': "
#define UNUSED     "; no token is compared"
#define BAD_TEXT   "tokens left out: lone surrogates or a NUL in their text"
#define BAD_ENTRY  "tokens left out: no usable text or id"
#define SAME_ID    "tokens left out: another token has the same id"

static const struct {
    const char *json;
    struct expected_token tokens[MOST_TOKENS];
    const char *warnings[2];
} sound[] = {
    {"{" BPE "{}}}", {{0}}, {0}},
    {"{" BPE "{'b': 7, 'a': 3}}}", {{3, "a", false}, {7, "b", false}}, {0}},
    {"{'model': {'vocab': {'': 0, 'x': 1}}}", {{0, "", false}, {1, "x", false}}, {0}},
    /* byte-level, in each place that says so */
    {"{" BYTE_LEVEL BPE "{'Ġthe': 0, 'ĊĊ': 1, 'é': 2, 'Ã©': 3}}}",
     {{0, " the", false}, {1, "\n\n", false}, {2, "\xE9", false}, {3, "é", false}},
     {0}},
    {"{'decoder': {'type': 'ByteLevel'}, " BPE "{'Ġ': 0}}}", {{0, " ", false}}, {0}},
    {"{'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': [{'type': 'Digits'}, {'type': "
     "'ByteLevel'}]}, " BPE "{'Ġ': 0}}}",
     {{0, " ", false}},
     {0}},
    {"{'decoder': {'type': 'Sequence', 'decoders': [{'type': 'Sequence', 'decoders': [{'type': "
     "'ByteLevel'}]}]}, " BPE "{'Ġ': 0}}}",
     {{0, " ", false}},
     {0}},
    {"{'pre_tokenizer': {'type': 'Digits'}, " BPE "{'Ġ': 0}}}", {{0, "Ġ", false}}, {0}},
    /* a letter outside of the byte map: the token stands as written */
    {"{" BYTE_LEVEL BPE "{'Ġд': 0, 'Ġ字': 1, 'Ń': 2, 'ń': 3, '\\u00ad': 4}}}",
     {{0, "Ġд", false}, {1, "Ġ字", false}, {2, "\xAD", false}, {3, "ń", false}, {4, "\xC2\xAD", false}},
     {0}},
    /* added tokens override, and are never mapped */
    {"{'added_tokens': [{'id': 1, 'content': '<|end|>', 'special': true}, {'id': 2, 'content': 'Ġ x', "
     "'special': "
     "false}, {'id': 9, 'content': '</s>'}], " BYTE_LEVEL BPE "{'Ġa': 0, 'Ġb': 1, 'c': 2}}}",
     {{0, " a", false}, {1, "<|end|>", true}, {2, "Ġ x", false}, {9, "</s>", false}},
     {0}},
    /* SentencePiece in its several forms */
    {"{'decoder': {'type': 'Sequence', 'decoders': [{'type': 'Replace', 'pattern': {'String': '▁'}, "
     "'content': ' "
     "'}]}, " BPE
     "{'▁the': 0, '▁▁': 1, 'a▁b': 2, '<0x0A>': 3, '<0xE4>': 4, '<0x0g>': 5, '<0xAB': 6, '<0xAB>x': 7}}}",
     {{0, " the", false},
      {1, "  ", false},
      {2, "a b", false},
      {3, "\n", false},
      {4, "\xE4", false},
      {5, "<0x0g>", false},
      {6, "<0xAB", false},
      {7, "<0xAB>x", false}},
     {0}},
    {"{'pre_tokenizer': {'type': 'Metaspace'}, 'added_tokens': [{'id': 0, 'content': '▁<pad>', 'special': "
     "true}], "
     "'model': {'type': 'Unigram', 'vocab': [['<pad>', 0.0], ['▁a', -1.5], ['b', -2]]}}",
     {{0, "▁<pad>", true}, {1, " a", false}, {2, "b", false}},
     {0}},
    {"{'normalizer': {'type': 'Replace', 'pattern': {'String': ' '}, 'content': '▁'}, " BPE "{'▁a': 0}}}",
     {{0, " a", false}},
     {0}},
    {"{'model': {'type': 'BPE', 'byte_fallback': true, 'vocab': {'▁a': 0}}}", {{0, " a", false}}, {0}},
    {"{'normalizer': {'type': 'Replace', 'pattern': {'String': '``'}, 'content': '\\''}, " BPE "{'▁a': 0}}}",
     {{0, "▁a", false}},
     {0}},
    /* word pieces */
    {"{'added_tokens': [{'id': 0, 'content': '[CLS]', 'special': true}], 'model': {'type': 'WordPiece', "
     "'continuing_subword_prefix': '##', 'vocab': {'[CLS]': 0, 'the': 1, '##ing': 2, '##': 3, '#': 4}}}",
     {{0, "[CLS]", true}, {1, " the", false}, {2, "ing", false}, {3, " ##", false}, {4, " #", false}},
     {0}},
    {"{'model': {'type': 'WordPiece', 'continuing_subword_prefix': '@', 'vocab': {'@a': 0, '##b': 1}}}",
     {{0, "a", false}, {1, " ##b", false}},
     {0}},
    {"{'model': {'type': 'WordLevel', 'vocab': {'the': 1, '##ing': 2}}}",
     {{1, "the", false}, {2, "##ing", false}},
     {0}},
    /* single bad tokens are left out and counted */
    {"{" BPE "{'a': 0, '\\ud83d': 1, 'x\\uDE00y': 2, '\\ud83d\\ude00': 3, '\\\\ud83d': 4, '\\ud83e': 5}}}",
     {{0, "a", false}, {3, "😀", false}, {4, "\\ud83d", false}},
     {"3 " BAD_TEXT}},
    {"{" BPE "{'\\u0000': 0, 'a': 1, '\\ud83d\\u0041': 2, '\\ud800\\ud83d\\ude00': 3}}}",
     {{1, "a", false}},
     {"3 " BAD_TEXT}},
    {"{" BPE "{'a': 5, 'b': 5, 'c': 6, 'd': 5}}}", {{5, "a", false}, {6, "c", false}}, {"2 " SAME_ID}},
    {"{'added_tokens': [{'id': 5, 'content': 'x'}, {'id': 5, 'content': 'y'}], " BPE "{'a': 5}}}",
     {{5, "x", false}},
     {"1 " SAME_ID}},
    {"{" BPE "{'a': -1, 'b': '2', 'c': 3.0, 'd': null, 'e': 4, 'f': 4}}}",
     {{4, "e", false}},
     {"4 " BAD_ENTRY, "1 " SAME_ID}},
    {"{'added_tokens': [{'id': 1}, {'content': 'x'}, {'id': 2, 'content': 3}, 7, null], " BPE "{'a': 1}}}",
     {{1, "a", false}},
     {"5 " BAD_ENTRY}},
    {"{'added_tokens': {'id': 1}, 'model': {'type': 'Unigram', 'vocab': [['a', 0], [], [3, 0], 'b', ['c']]}}",
     {{0, "a", false}, {4, "c", false}},
     {"3 " BAD_ENTRY}},
    {"{" BPE "{'far': 9223372036854775807}}}", {{INT64_MAX, "far", false}}, {0}},
};

static void test_tokens(void **state)
{
    for (size_t row = 0; row < sizeof sound / sizeof *sound; row++) {
        struct cg_buf warnings = {0};
        struct cg_vocabulary vocabulary = load_written(*state, write_json, sound[row].json, &warnings);
        check_warnings(*state, &warnings, sound[row].warnings);
        assert_true(vocabulary.present);
        size_t n = 0;
        for (; n < MOST_TOKENS && sound[row].tokens[n].bytes; n++) {
            const struct expected_token *expected = &sound[row].tokens[n];
            assert_true(n < vocabulary.ntokens);
            const struct cg_token *token = &vocabulary.tokens[n];
            assert_true(token->offset + token->length < vocabulary.nbytes);
            if (token->length != strlen(expected->bytes) ||
                memcmp(vocabulary.bytes + token->offset, expected->bytes, token->length) != 0)
                fail_msg("%s: %.*s, not %s", sound[row].json, (int)token->length,
                         vocabulary.bytes + token->offset, expected->bytes);
            assert_int_equal(token->id, expected->id);
            assert_int_equal(token->special, expected->special);
        }
        assert_int_equal(vocabulary.ntokens, n);
        cg_vocabulary_release(&vocabulary);
        cg_buf_release(&warnings);
    }
}

/* GPT-2's map, made as its source makes it: printable bytes stand for themselves, the others count up. */
static void write_byte_map(FILE *file, const void *unused)
{
    (void)unused;
    unsigned next = 256;
    fputs("{\"decoder\": {\"type\": \"ByteLevel\"}, \"model\": {\"vocab\": {", file);
    for (unsigned byte = 0; byte < 256; byte++) {
        bool itself =
            (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
        fprintf(file, "%s\"\\u%04x\": %u", byte > 0 ? ", " : "", itself ? byte : next, byte);
        next += !itself;
    }
    fputs("}}}", file);
}

static void test_every_byte(void **state)
{
    struct cg_buf warnings = {0};
    struct cg_vocabulary vocabulary = load_written(*state, write_byte_map, NULL, &warnings);
    assert_null(warnings.data);
    assert_int_equal(vocabulary.ntokens, 256);
    for (int byte = 0; byte < 256; byte++) {
        assert_int_equal(vocabulary.tokens[byte].id, byte);
        assert_int_equal(vocabulary.tokens[byte].length, 1);
        assert_int_equal((unsigned char)vocabulary.bytes[vocabulary.tokens[byte].offset], byte);
    }
    cg_vocabulary_release(&vocabulary);
}

static void write_too_many_bytes(FILE *file, const void *unused)
{
    (void)unused;
    assert_int_equal(ftruncate(fileno(file), (256 << 20) + 1), 0); /* sparse */
}

static void write_too_many_tokens(FILE *file, const void *unused)
{
    (void)unused;
    fputs("{\"model\": {\"vocab\": [", file);
    for (int i = 0; i < MANY; i++)
        fputs(i > 0 ? ",null" : "null", file);
    fputs("]}}", file);
}

static void write_too_many_values(FILE *file, const void *unused)
{
    (void)unused;
    for (int i = 0; i < 16777216; i++)
        putc(',', file);
}

/* What a parser has to say about bad JSON is its own; the warning ends in where it stopped and what follows.
 */
static const struct {
    void (*write)(FILE *, const void *);
    const char *json, *warning_ends;
} broken[] = {
    {write_json, "", " (at byte 0)" UNUSED},
    {write_json, "{", " (at byte 1)" UNUSED},
    {write_json, "{'model': NaN}", " (at byte 13)" UNUSED},
    {write_json, "{'a': \x01", "\\x01' (at byte 7)" UNUSED},
    {write_json, "{'a\xED\xA0\xBD': 1}", " (at byte 3)" UNUSED},
    {write_json, "{'\\u12': 1}", " (at byte 7)" UNUSED},
    {write_json, "{'\\", " (at byte 3)" UNUSED},
    {write_json, "{" BPE "{'a': 0}}} x", " (at byte 47)" UNUSED},
    {write_json, "{" BPE "{'a': 9223372036854775808}}}", " (at byte 60)" UNUSED},
    {write_json, "[]", ": no vocabulary in model.vocab" UNUSED},
    {write_json, "{'model': {'type': 'BPE'}}", ": no vocabulary in model.vocab" UNUSED},
    {write_json, "{'model': {'vocab': 'a'}}", ": no vocabulary in model.vocab" UNUSED},
    {write_too_many_bytes, NULL, ": has 268435457 bytes, over the limit of 268435456" UNUSED},
    {write_too_many_tokens, NULL, ": more than 4194304 tokens" UNUSED},
    {write_too_many_values, NULL, ": more than 16777216 values" UNUSED},
};

static void test_broken_files(void **state)
{
    char path[128], end[128];
    path_in(path, sizeof path, *state);
    for (size_t row = 0; row < sizeof broken / sizeof *broken; row++) {
        struct cg_buf warnings = {0};
        struct cg_vocabulary vocabulary =
            load_written(*state, broken[row].write, broken[row].json, &warnings);
        assert_non_null(warnings.data);
        snprintf(end, sizeof end, "%s\n", broken[row].warning_ends);
        if (!cg_starts_with(warnings.data, path) || !cg_ends_with(warnings.data, end))
            fail_msg("row %zu: %s", row, warnings.data);
        assert_ptr_equal(strchr(warnings.data, '\n'), warnings.data + warnings.size - 1);
        assert_false(vocabulary.present);
        assert_int_equal(vocabulary.ntokens, 0);
        assert_null(vocabulary.tokens);
        cg_buf_release(&warnings);
    }
}

static void test_no_file(void **state)
{
    struct cg_vocabulary vocabulary = {0};
    struct cg_buf warnings = {0};
    struct cg_err err = {0};
    assert_int_equal(cg_vocabulary_load(&vocabulary, *state, &warnings, &err), 0);
    assert_int_equal(cg_vocabulary_load(&vocabulary, "/dev/null", &warnings, &err), 0);
    assert_false(vocabulary.present);
    assert_null(warnings.data);

    char path[128];
    path_in(path, sizeof path, *state);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(cg_vocabulary_load(&vocabulary, *state, &warnings, &err), 0);
    check_warnings(*state, &warnings, (const char *const[2]){"is a folder, not a file" UNUSED});
    assert_false(vocabulary.present);
    assert_int_equal(rmdir(path), 0);
    cg_buf_release(&warnings);

    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(cg_vocabulary_load(&vocabulary, *state, &warnings, &err), 0);
    check_warnings(
        *state, &warnings,
        (const char *const[2]){"is a link that leaves the model's folder and its cache's blob store" UNUSED});
    assert_int_equal(unlink(path), 0);
    cg_buf_release(&warnings);
}

struct expected_pair {
    int64_t id_a, id_b;
    const char *text; /* NULL ends the list */
};

#define ADDED(special)                                                                                       \
    "{'added_tokens': [{'id': 0, 'content': 'x', 'special': " special "}], " BPE "{'y': 1}}}"
#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* 60 letters */

static const struct {
    const char *a, *b;
    int64_t rows_a, rows_b;
    struct expected_pair pairs[MOST_TOKENS];
} alignments[] = {
    {"{" BPE "{'a': 0, 'b': 1, 'c': 2}}}",
     "{" BPE "{'c': 0, 'b': 1, 'd': 2}}}",
     3,
     3,
     {{2, 0, "c"}, {1, 1, "b"}}},
    /* tokens without a row */
    {"{" BPE "{'a': 0, 'b': 1, 'c': 2}}}", "{" BPE "{'a': 2, 'b': 1, 'c': 0}}}", 2, 2, {{1, 1, "b"}}},
    {"{" BPE "{'a': 0, 'b': 1}}}", "{" BPE "{'a': 0, 'b': 1}}}", 0, 2, {{0}}},
    /* the same word in three spellings */
    {"{" BYTE_LEVEL BPE "{'Ġthe': 0, 'ing': 1}}}",
     "{'model': {'type': 'WordPiece', 'vocab': {'the': 5, '##ing': 4, '##the': 3}}}",
     9,
     9,
     {{1, 4, "ing"}, {0, 5, " the"}}},
    {"{" BYTE_LEVEL BPE "{'Ġthe': 0, 'Ċ': 1, 'Ã': 2}}}",
     "{'model': {'type': 'BPE', 'byte_fallback': true, 'vocab': {'▁the': 1, '<0x0A>': 2, '<0xC3>': 3}}}",
     9,
     9,
     {{0, 1, " the"}, {1, 2, "\\x0A"}, {2, 3, "\\xC3"}}},
    /* special tokens apart */
    {ADDED("true"), ADDED("false"), 2, 2, {{1, 1, "y"}}},
    {ADDED("true"), ADDED("true"), 2, 2, {{0, 0, "x"}, {1, 1, "y"}}},
    /* one text, several ids */
    {"{'model': {'type': 'Unigram', 'vocab': [['a', 0], ['b', 0], ['a', 0], ['a', 0]]}}",
     "{'model': {'type': 'Unigram', 'vocab': [['b', 0], ['a', 0], ['c', 0], ['c', 0], ['a', 0]]}}",
     9,
     9,
     {{1, 0, "b"}, {0, 1, "a"}, {2, 4, "a"}}},
    /* prefixes, nothing at all, a NUL, and what is too long to show */
    {"{" BYTE_LEVEL BPE "{'ab': 0, 'a': 1, '': 2, 'aĀb': 3, 'Ā': 4, '" LONG "123': 5, '" LONG "1234': 6}}}",
     "{" BYTE_LEVEL BPE "{'': 0, 'a': 1, 'ab': 2, 'Ā': 3, 'aĀb': 4, '" LONG "123': 5, '" LONG "1234': 6}}}",
     9,
     9,
     {{2, 0, ""},
      {1, 1, "a"},
      {0, 2, "ab"},
      {4, 3, "\\x00"},
      {3, 4, "a\\x00b"},
      {5, 5, LONG "123"},
      {6, 6, LONG "..."}}},
    {"", "{" BPE "{'a': 0}}}", 9, 9, {{0}}},
    {"{" BPE "{'a': 0}}}", "", 9, 9, {{0}}},
};

static void test_alignment(void **state)
{
    for (size_t row = 0; row < sizeof alignments / sizeof *alignments; row++) {
        struct cg_buf warnings = {0};
        struct cg_vocabulary a = load_written(*state, write_json, alignments[row].a, &warnings);
        struct cg_vocabulary b = load_written(*state, write_json, alignments[row].b, &warnings);
        struct cg_alignment alignment = {0};
        struct cg_err err = {0};
        assert_int_equal(
            cg_vocabulary_align(&alignment, &a, alignments[row].rows_a, &b, alignments[row].rows_b, &err), 0);
        int64_t n = 0, same = 0;
        for (; n < MOST_TOKENS && alignments[row].pairs[n].text; n++) {
            const struct expected_pair *expected = &alignments[row].pairs[n];
            assert_true(n < alignment.shared);
            assert_int_equal(alignment.id_a[n], expected->id_a);
            assert_int_equal(alignment.id_b[n], expected->id_b);
            assert_string_equal(alignment.text[n], expected->text);
            same += expected->id_a == expected->id_b;
        }
        assert_int_equal(alignment.shared, n);
        assert_int_equal(alignment.same_id, same);
        cg_alignment_release(&alignment);
        cg_vocabulary_release(&a);
        cg_vocabulary_release(&b);
        cg_buf_release(&warnings);
    }
}

static struct cg_vocabulary load_example(const char *name)
{
    const char *examples = getenv("EXAMPLES");
    char folder[4096];
    assert_true(snprintf(folder, sizeof folder, "%s/%s", examples ? examples : "examples", name) < 4096);
    struct cg_vocabulary vocabulary = {0};
    struct cg_buf warnings = {0};
    struct cg_err err = {0};
    assert_int_equal(cg_vocabulary_load(&vocabulary, folder, &warnings, &err), 0);
    assert_null(warnings.data);
    assert_true(vocabulary.present);
    return vocabulary;
}

/* All examples share one tokenizer of 2,048 tokens, whose id 115 is the space. */
static void test_examples(void **state)
{
    (void)state;
    struct cg_vocabulary a = load_example("base-a"), b = load_example("base-b");
    struct cg_alignment alignment = {0};
    struct cg_err err = {0};
    assert_int_equal(a.ntokens, 2048);
    assert_int_equal(cg_vocabulary_align(&alignment, &a, 2048, &b, 2000, &err), 0);
    assert_int_equal(alignment.shared, 2000);
    assert_int_equal(alignment.same_id, 2000);
    assert_string_equal(alignment.text[0], "<s>");
    assert_string_equal(alignment.text[115], " ");
    assert_string_equal(alignment.text[502], " u");
    cg_alignment_release(&alignment);
    cg_vocabulary_release(&a);
    cg_vocabulary_release(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),       cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_broken_files), cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_alignment),    cmocka_unit_test(test_examples),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
