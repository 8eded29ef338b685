/* Vocabularies in all formats but tokenizer.json: which file is taken, what its tokens stand for, what is
 * left out and said of broken ones; then tokens that name a byte beside those of text. */
#include "cognate/vocabulary.h"
#include "scratch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { MOST_FILES = 3, MOST_TOKENS = 10, MOST_LINES = 3 };

struct written {
    const char *name, *bytes; /* NULL ends the list */
    size_t n;
};

#define BYTES(text) text, sizeof(text) - 1

/* The fields of a model's message and of a piece's, their lengths counted by hand. */
#define PIECE(length, text, type) "\x0A" length "\x0A" text "\x15\0\0\x80\xBF\x18" type
#define TRAINER                   "\x12\x05\x0A\x03xyz"
#define SPECIALS                  PIECE("\x0E", "\x05<unk>", "\x02") PIECE("\x0C", "\x03<s>", "\x03")
#define BYTE_41                   PIECE("\x0F", "\x06<0x41>", "\x06")
#define LETTER_A                                                                                             \
    PIECE("\x0A",                                                                                            \
          "\x01"                                                                                             \
          "A",                                                                                               \
          "\x01")

/* Writes the files into the folder, or removes them. */
static void write_files(struct scratch *scratch, const struct written *files)
{
    for (size_t i = 0; i < MOST_FILES && files[i].name; i++)
        scratch_bytes(scratch, files[i].name, files[i].bytes, files[i].n);
}

static void remove_files(struct scratch *scratch, const struct written *files)
{
    for (size_t i = 0; i < MOST_FILES && files[i].name; i++)
        assert_int_equal(unlink(scratch_path(scratch, files[i].name)), 0);
}

static struct cg_vocabulary load_written(struct scratch *scratch, const struct written *files,
                                         struct cg_buf *warnings)
{
    struct cg_vocabulary vocabulary = {0};
    struct cg_err err = {0};
    write_files(scratch, files);
    assert_int_equal(cg_vocabulary_load(&vocabulary, scratch->folder, warnings, &err), 0);
    assert_int_equal(err.code, CG_OK);
    remove_files(scratch, files);
    return vocabulary;
}

/* The warnings are these lines, each behind the folder and a slash. */
static void check_warnings(const struct scratch *scratch, const struct cg_buf *warnings,
                           const char *const lines[MOST_LINES], const char *row)
{
    char expected[2048] = "";
    size_t at = 0;
    for (int i = 0; i < MOST_LINES && lines[i]; i++)
        at += (size_t)snprintf(expected + at, sizeof expected - at, "%s/%s\n", scratch->folder, lines[i]);
    if (strcmp(warnings->data ? warnings->data : "", expected) != 0)
        fail_msg("%s: %s, not %s", row, warnings->data ? warnings->data : "nothing", expected);
}

/* ---- which file ---- */

static const struct {
    const char *files[MOST_FILES + 1]; /* each holds "YQ== 0" and is in order from the first to be taken */
    const char *format;
} finds[] = {
    {{NULL}, NULL},
    {{"tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model"}, "tokenizers"},
    {{"tokenizer.json", "tekken.json", "vocab.json", "tokenizer.model"}, "tokenizers"},
    {{"tekken.json", "vocab.json", "vocab.txt", "tokenizer.model"}, "tekken"},
    {{"vocab.json", "vocab.txt", "tokenizer.model", "tiktoken.model"}, "JSON map"},
    {{"vocab.txt", "tokenizer.model", "tiktoken.model", "a.tiktoken"}, "WordPiece"},
    {{"tokenizer.model", "tiktoken.model", "a.tiktoken"}, "tiktoken"},
    {{"tiktoken.model", "a.tiktoken"}, "tiktoken"},
    {{"tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "a.tiktoken"}, "tiktoken"},
    {{"spiece.model", "spm.model", "sentencepiece.bpe.model"}, "SentencePiece"},
    {{"spm.model", "sentencepiece.bpe.model", "a.tiktoken"}, "SentencePiece"},
    {{"sentencepiece.bpe.model", "tiktoken.model"}, "SentencePiece"},
    {{"a.tiktoken", "b.tiktoken", "a.tiktoken.old", ".tiktoken"}, "tiktoken"},
    {{"tokenizer_config.json"}, NULL},
};

static void test_find(void **state)
{
    for (size_t row = 0; row < sizeof finds / sizeof *finds; row++) {
        for (size_t i = MOST_FILES + 1; i-- > 0;)
            if (finds[row].files[i])
                scratch_text(*state, finds[row].files[i], "YQ== 0\n");
        char *name;
        const char *format;
        struct cg_err err = {0};
        struct scratch *scratch = *state;
        assert_int_equal(cg_vocabulary_find(&name, &format, scratch->folder, &err), 0);
        if (finds[row].format) {
            assert_string_equal(name, finds[row].files[0]);
            assert_string_equal(format, finds[row].format);
        } else {
            assert_null(name);
            assert_null(format);
        }
        free(name);
        for (size_t i = 0; i <= MOST_FILES && finds[row].files[i]; i++)
            assert_int_equal(unlink(scratch_path(*state, finds[row].files[i])), 0);
    }
}

/* tokenizer.model holds either of two formats. */
static const struct {
    const char *bytes;
    size_t n;
    const char *format;
} contents[] = {
    {BYTES("YQ== 0\nYg== 1\n"), "tiktoken"},
    {BYTES("YQ== 0\r\nYg== 1\r\n"), "tiktoken"},
    {BYTES("YQ== 0"), "tiktoken"},
    {BYTES("ab/+ 123456\nrest that matters not"), "tiktoken"},
    {BYTES(""), "SentencePiece"},
    {BYTES("YQ=a 0\n"), "SentencePiece"},
    {BYTES("YQ= 0\n"), "SentencePiece"},
    {BYTES("YQ==\n"), "SentencePiece"},
    {BYTES("YQ==  0\n"), "SentencePiece"},
    {BYTES("YQ== x\n"), "SentencePiece"},
    {BYTES("YQ== -1\n"), "SentencePiece"},
    {BYTES(" 0\n"), "SentencePiece"},
    {BYTES("==== 0\n"), "SentencePiece"},
    {BYTES(SPECIALS), "SentencePiece"},
    {BYTES("version 1\n"), "SentencePiece"},
};

static void test_recognition(void **state)
{
    struct scratch *scratch = *state;
    for (size_t row = 0; row < sizeof contents / sizeof *contents; row++) {
        scratch_bytes(scratch, "tokenizer.model", contents[row].bytes, contents[row].n);
        char *name;
        const char *format;
        struct cg_err err = {0};
        assert_int_equal(cg_vocabulary_find(&name, &format, scratch->folder, &err), 0);
        assert_string_equal(name, "tokenizer.model");
        if (strcmp(format, contents[row].format) != 0)
            fail_msg("row %zu: %s, not %s", row, format, contents[row].format);
        free(name);
    }
    assert_int_equal(unlink(scratch_path(scratch, "tokenizer.model")), 0);
}

/* ---- tokens ---- */

struct expected_token {
    int64_t id;
    const char *bytes; /* NULL ends the list */
    size_t n;
    bool special, byte;
};

#define TEXT(id, text)                                                                                       \
    {                                                                                                        \
        id, BYTES(text), false, false                                                                        \
    }
#define SPECIAL(id, text)                                                                                    \
    {                                                                                                        \
        id, BYTES(text), true, false                                                                         \
    }
#define BYTE(id, text)                                                                                       \
    {                                                                                                        \
        id, BYTES(text), false, true                                                                         \
    }

#define BAD_TEXT  " tokens left out: lone surrogates or a NUL in their text"
#define BAD_ENTRY " tokens left out: no usable text or id"
#define SAME_ID   " tokens left out: another token has the same id"
#define UNKNOWN   "; tokens that it adds are not known"

static const struct {
    const char *name;
    struct written files[MOST_FILES];
    struct expected_token tokens[MOST_TOKENS];
    const char *warnings[MOST_LINES];
} sound[] = {
    {"byte-level",
     {{"vocab.json", BYTES("{\"\xC4\xA0the\": 3, \"\xC4\xA0\": 1, \"\xC3\xA9\": 0, \"<|endoftext|>\": 2}")}},
     {TEXT(0, "\xE9"), TEXT(1, " "), SPECIAL(2, "<|endoftext|>"), TEXT(3, " the")},
     {0}},
    {"pieces",
     {{"vocab.json", BYTES("{\"<s>\": 0, \"\xE2\x96\x81the\": 1, \"\xE2\x96\x81\": 2, \"\xC4\xA0\": 3, "
                           "\"<0x0A>\": 4}")}},
     {SPECIAL(0, "<s>"), TEXT(1, " the"), TEXT(2, " "), TEXT(3, "\xC4\xA0"), BYTE(4, "\n")},
     {0}},
    {"letters, merges beside them or not",
     {{"vocab.json", BYTES("{\"the</w>\": 0, \"\xC3\xA9\": 1, \"<0x41>\": 2}")},
      {"merges.txt", BYTES("a b\n")}},
     {TEXT(0, "the</w>"), TEXT(1, "\xC3\xA9"), TEXT(2, "<0x41>")},
     {0}},
    {"as many of the one as of the other",
     {{"vocab.json", BYTES("{\"\xC4\xA0\": 0, \"\xE2\x96\x81\": 1}")}},
     {TEXT(0, "\xC4\xA0"), TEXT(1, "\xE2\x96\x81")},
     {0}},
    {"added_tokens.json, special by special_tokens_map.json",
     {{"vocab.json", BYTES("{\"\xC4\xA0\": 0, \"[X]\": 1}")},
      {"added_tokens.json", BYTES("{\"\xC4\xA0y\": 2, \"[Z]\": 0, \"[W]\": \"3\"}")},
      {"special_tokens_map.json",
       BYTES("{\"cls_token\": \"[X]\", \"pad_token\": {\"content\": \"[Z]\"}, \"tokens\": \"\xC4\xA0y\"}")}},
     {SPECIAL(0, "[Z]"), SPECIAL(1, "[X]"), TEXT(2, "\xC4\xA0y")},
     {"vocab.json: 1" BAD_ENTRY}},
    {"added_tokens_decoder before added_tokens.json",
     {{"vocab.json", BYTES("{\"a\": 0, \"b\": 1, \"c\": 2, \"d\": 3}")},
      {"added_tokens.json", BYTES("{\"no\": 9}")},
      {"tokenizer_config.json",
       BYTES(
           "{\"added_tokens_decoder\": {\"5\": {\"content\": \"e\", \"special\": true}, \"0\": {\"content\": "
           "\"f\"}, \"6\": {\"content\": \"b\"}, \"x\": {\"content\": \"g\"}, \"7\": {}}, "
           "\"additional_special_tokens\": [\"b\", {\"content\": \"c\"}, 7], \"extra_special_tokens\": "
           "{\"image\": \"d\"}, \"add_bos_token\": true}")}},
     {TEXT(0, "f"), SPECIAL(1, "b"), SPECIAL(2, "c"), SPECIAL(3, "d"), SPECIAL(5, "e"), SPECIAL(6, "b")},
     {"vocab.json: 2" BAD_ENTRY}},
    {"files beside that are broken",
     {{"vocab.json", BYTES("{\"a\": 0}")},
      {"tokenizer_config.json", BYTES("{")},
      {"added_tokens.json", BYTES("[1]")}},
     {TEXT(0, "a")},
     {"tokenizer_config.json: invalid JSON: string or '}' expected near end of file (at byte 1)" UNKNOWN}},
    {"bad entries",
     {{"vocab.json",
       BYTES("{\"a\": 0, \"\\ud800\": 1, \"\\u0000\": 2, \"b\": -1, \"c\": 0, \"d\": null, \"e\": 99}")}},
     {TEXT(0, "a"), TEXT(99, "e")},
     {"vocab.json: 2" BAD_TEXT, "vocab.json: 2" BAD_ENTRY, "vocab.json: 1" SAME_ID}},
    {"word pieces",
     {{"vocab.txt", BYTES("[PAD]\n[unused0]\r\n[CLS]\nthe\n##ing\n##\n\n\xFF\n\xE2\x96\x81")}},
     {SPECIAL(0, "[PAD]"), TEXT(1, " [unused0]"), SPECIAL(2, "[CLS]"), TEXT(3, " the"), TEXT(4, "ing"),
      TEXT(5, " ##"), TEXT(8, " \xE2\x96\x81")},
     {"vocab.txt: 2" BAD_ENTRY}},
    {"word pieces and a config",
     {{"vocab.txt", BYTES("a\nb\n")},
      {"tokenizer_config.json",
       BYTES("{\"unk_token\": \"b\", \"added_tokens_decoder\": {\"2\": {\"content\": \"c\"}}}")}},
     {TEXT(0, " a"), SPECIAL(1, "b"), TEXT(2, "c")},
     {0}},
    {"SentencePiece, a piece of each type, fields of no interest between them",
     {{"tokenizer.model",
       BYTES(SPECIALS LETTER_A BYTE_41 TRAINER PIECE("\x0D",
                                                     "\x04\xE2\x96\x81"
                                                     "A",
                                                     "\x01")
                 PIECE("\x0F", "\x06\xE2\x96\x81\xE2\x96\x81", "\x04") PIECE("\x0A", "\x01U", "\x05")
                     PIECE("\x0F", "\x06<0x42>", "\x01") PIECE("\x0F", "\x06<0xFF>", "\x06") TRAINER)}},
     {SPECIAL(0, "<unk>"), SPECIAL(1, "<s>"), TEXT(2, "A"), BYTE(3, "A"), TEXT(4, " A"), TEXT(5, "  "),
      TEXT(6, "U"), TEXT(7, "<0x42>"), BYTE(8, "\xFF")},
     {0}},
    {"SentencePiece, pieces that lack or repeat fields",
     {{"tokenizer.model", BYTES("\x0A\x03\x0A\x01"
                                "a"                    /* neither score nor type */
                                "\x0A\x05\x15\0\0\0\0" /* no text */
                                "\x0A\x00"             /* nothing at all */
                                "\x0A\x06\x0A\x01"
                                "b\x0A\x01"
                                "c"
                                "\x0A\x05\x0A\x01"
                                "e\x18\x06" /* a byte that names none */
                                "\x0A\x06\x0A\x02\xC3\x28\x18\x01"
                                "\x08\x01" /* the pieces' number, but a varint: another field */
                                "\x0A\x0D\x0A\x01"
                                "f\x18\x81\x80\x80\x80\x80\x80\x80\x80\x00"
                                "\x0A\x0C\x0A\x01"
                                "g\x19\0\0\0\0\0\0\0\0")}},
     {TEXT(0, "a"), TEXT(3, "c"), TEXT(6, "f"), TEXT(7, "g")},
     {"tokenizer.model: 4" BAD_ENTRY}},
    {"SentencePiece and a config that names more",
     {{"tokenizer.model", BYTES(SPECIALS LETTER_A)},
      {"tokenizer_config.json", BYTES("{\"pad_token\": \"A\"}")},
      {"added_tokens.json", BYTES("{\"<pad>\": 3, \"<s>\": 1}")}},
     {SPECIAL(0, "<unk>"), TEXT(1, "<s>"), SPECIAL(2, "A"), TEXT(3, "<pad>")},
     {0}},
    {"SentencePiece of fairseq, where four specials stand for three",
     {{"sentencepiece.bpe.model", BYTES(SPECIALS LETTER_A BYTE_41)},
      {"tokenizer_config.json", BYTES("{\"added_tokens_decoder\": {\"5\": {\"content\": \"<mask>\"}}}")}},
     {SPECIAL(0, "<s>"), SPECIAL(1, "<pad>"), SPECIAL(2, "</s>"), SPECIAL(3, "<unk>"), BYTE(4, "A"),
      TEXT(5, "<mask>")},
     {0}},
    {"tiktoken",
     {{"tokenizer.model", BYTES("YQ== 0\nIHRoZQ== 2\r\n\n/+8= 1\nAA== 5\nYWJj 123456789012345678")}},
     {TEXT(0, "a"), TEXT(1, "\xFF\xEF"), TEXT(2, " the"), TEXT(5, "\0"), TEXT(123456789012345678, "abc")},
     {0}},
    {"tiktoken, bad lines, with the config that adds to it",
     {{"qwen.tiktoken", BYTES("YQ== 0\nYg== 0\nYg=  1\nYg== 1\nYg==\n!g== 3\nYg== 1x\nYg== \nYg== "
                              "1234567890123456789\nYg== 4 5\nY=== 6\n 7\n")},
      {"tokenizer_config.json",
       BYTES("{\"added_tokens_decoder\": {\"8\": {\"content\": \"<|x|>\", \"special\": true}}}")}},
     {TEXT(0, "a"), TEXT(1, "b"), SPECIAL(8, "<|x|>")},
     {"qwen.tiktoken: 9" BAD_ENTRY, "qwen.tiktoken: 1" SAME_ID}},
    {"tekken, listing more than the model has",
     {{"tekken.json",
       BYTES("{\"config\": {\"default_vocab_size\": 7, \"default_num_special_tokens\": 4}, \"vocab\": ["
             "{\"rank\": 0, \"token_bytes\": \"YQ==\", \"token_str\": \"a\"},"
             "{\"rank\": 2, \"token_bytes\": \"/+8=\", \"token_str\": null},"
             "{\"rank\": 1, \"token_bytes\": \"IHRoZQ==\"}, {\"rank\": 3, \"token_bytes\": \"Yg==\"}],"
             "\"special_tokens\": [{\"rank\": 2, \"token_str\": \"<s>\", \"is_control\": true},"
             "{\"rank\": 0, \"token_str\": \"a\"}]}")}},
     {SPECIAL(0, "a"), SPECIAL(2, "<s>"), TEXT(4, "a"), TEXT(5, " the"), TEXT(6, "\xFF\xEF")},
     {0}},
    {"tekken without special tokens, with bad entries",
     {{"tekken.json",
       BYTES("{\"config\": {\"default_vocab_size\": 5, \"default_num_special_tokens\": 3}, \"vocab\": ["
             "{\"rank\": 0, \"token_bytes\": \"YQ==\"}, {\"rank\": 1, \"token_bytes\": \"!\"},"
             "{\"rank\": -1, \"token_bytes\": \"YQ==\"}, {\"token_bytes\": \"YQ==\"}, 7, {\"rank\": 1},"
             "{\"rank\": 1, \"token_bytes\": \"Yg==\"}, {\"rank\": 1, \"token_bytes\": \"Yw==\"}]}")}},
     {SPECIAL(0, "<unk>"), SPECIAL(1, "<s>"), SPECIAL(2, "</s>"), TEXT(3, "a"), TEXT(4, "b")},
     {"tekken.json: 5" BAD_ENTRY, "tekken.json: 1" SAME_ID}},
};

static bool is_token(const struct cg_vocabulary *vocabulary, size_t i, const struct expected_token *expected)
{
    if (i >= vocabulary->ntokens)
        return false;
    const struct cg_token *token = &vocabulary->tokens[i];
    assert_true(token->offset + token->length < vocabulary->nbytes);
    return token->id == expected->id && token->special == expected->special &&
           token->byte == expected->byte && token->length == expected->n &&
           memcmp(vocabulary->bytes + token->offset, expected->bytes, expected->n) == 0;
}

static void test_tokens(void **state)
{
    for (size_t row = 0; row < sizeof sound / sizeof *sound; row++) {
        struct cg_buf warnings = {0};
        struct cg_vocabulary vocabulary = load_written(*state, sound[row].files, &warnings);
        check_warnings(*state, &warnings, sound[row].warnings, sound[row].name);
        assert_true(vocabulary.present);
        size_t n = 0;
        for (; n < MOST_TOKENS && sound[row].tokens[n].bytes; n++)
            if (!is_token(&vocabulary, n, &sound[row].tokens[n]))
                fail_msg("%s: token %zu is not %s", sound[row].name, n, sound[row].tokens[n].bytes);
        assert_int_equal(vocabulary.ntokens, n);
        cg_vocabulary_release(&vocabulary);
        cg_buf_release(&warnings);
    }
}

/* ---- files of no use ---- */

#define UNUSED       "; no token is compared"
#define TEKKEN       " default_vocab_size and default_num_special_tokens (at byte 0)" UNUSED
#define BROKEN(byte) "tokenizer.model: broken as a SentencePiece model (at byte " byte ")" UNUSED
#define NO_PIECES    "tokenizer.model: a SentencePiece model without pieces" UNUSED
#define NINE(byte)   byte byte byte byte byte byte byte byte byte

static const struct {
    struct written files[MOST_FILES];
    const char *warnings[MOST_LINES];
} broken[] = {
    {{{"tokenizer.model", BYTES("")}}, {NO_PIECES}},
    {{{"tokenizer.model", BYTES(TRAINER)}}, {NO_PIECES}},
    {{{"tokenizer.model", BYTES("hello")}}, {BROKEN("2")}},
    {{{"tokenizer.model", BYTES("\x0A")}}, {BROKEN("0")}},
    {{{"tokenizer.model", BYTES("\x0A\x05\x0A\x01"
                                "a")}},
     {BROKEN("0")}},
    {{{"tokenizer.model", BYTES(SPECIALS "\x0A\x80")}}, {BROKEN("30")}},
    {{{"tokenizer.model", BYTES(SPECIALS "\x80")}}, {BROKEN("30")}},
    {{{"tokenizer.model", BYTES("\x08" NINE("\x80") "\x80\x01")}}, {BROKEN("0")}},
    {{{"tokenizer.model", BYTES("\x0A" NINE("\xFF") "\x01")}}, {BROKEN("0")}},
    {{{"tokenizer.model", BYTES("\x0A" NINE("\xFF") "\x7F"
                                                    "aaaa")}},
     {BROKEN("0")}},
    {{{"tokenizer.model", BYTES("\x02\x00")}}, {BROKEN("0")}},
    {{{"tokenizer.model", BYTES("\x0B\x0C")}}, {BROKEN("0")}},
    {{{"tokenizer.model", BYTES("\x0F")}}, {BROKEN("0")}},
    {{{"tokenizer.model", BYTES("\x09\0\0\0\0\0\0\0")}}, {BROKEN("0")}},
    {{{"tokenizer.model", BYTES("\x0A\x03\x0A\x05"
                                "aaaaa")}},
     {BROKEN("2")}},
    {{{"tokenizer.model", BYTES("\x0A\x04\x15\0\0\0\x0A\x03\x0A\x01"
                                "a")}},
     {BROKEN("2")}},
    {{{"tokenizer.model", BYTES("\x0A\x00\x0A\x00")}},
     {"tokenizer.model: holds no token as SentencePiece has them" UNUSED}},
    {{{"tokenizer.model", BYTES("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")}},
     {"tokenizer.model: a Git LFS pointer, not the file it stands for: fetch it with git lfs pull" UNUSED}},
    {{{"vocab.json", BYTES("[]")}}, {"vocab.json: is not an object of tokens (at byte 0)" UNUSED}},
    {{{"vocab.json", BYTES("{\"a\": -1}")}}, {"vocab.json: holds no token as JSON map has them" UNUSED}},
    {{{"tekken.json", BYTES("[]")}}, {"tekken.json: needs a vocab and in its config" TEKKEN}},
    {{{"tekken.json", BYTES("{\"config\": {\"default_vocab_size\": 2, \"default_num_special_tokens\": 3},"
                            "\"vocab\": []}")}},
     {"tekken.json: needs a vocab and in its config" TEKKEN}},
    {{{"tekken.json", BYTES("{\"config\": {\"default_vocab_size\": 2, \"default_num_special_tokens\": 0},"
                            "\"vocab\": [{\"rank\": 0}]}")}},
     {"tekken.json: holds no token as tekken has them" UNUSED}},
    {{{"vocab.txt", BYTES("\n\n")}}, {"vocab.txt: holds no token as WordPiece has them" UNUSED}},
    {{{"a.tiktoken", BYTES("<html>\n<body>\n")}}, {"a.tiktoken: holds no token as tiktoken has them" UNUSED}},
    {{{"tiktoken.model", BYTES(SPECIALS)}}, {"tiktoken.model: holds no token as tiktoken has them" UNUSED}},
    /* the first file decides, and what lies beside it does not make up for it */
    {{{"vocab.json", BYTES("[]")}, {"vocab.txt", BYTES("a\n")}},
     {"vocab.json: is not an object of tokens (at byte 0)" UNUSED}},
    {{{"a.tiktoken", BYTES("x")},
      {"added_tokens.json", BYTES("{\"a\": 1}")},
      {"special_tokens_map.json", BYTES("x")}},
     {"special_tokens_map.json: invalid JSON: '[' or '{' expected near 'x' (at byte 1)" UNKNOWN,
      "a.tiktoken: holds no token as tiktoken has them" UNUSED}},
};

/* Loads what lies in the folder: it is of no use, and these are the words for it. */
static void check_useless(struct scratch *scratch, const char *const warnings[MOST_LINES])
{
    struct cg_vocabulary vocabulary = {0};
    struct cg_buf said = {0};
    struct cg_err err = {0};
    assert_int_equal(cg_vocabulary_load(&vocabulary, scratch->folder, &said, &err), 0);
    check_warnings(scratch, &said, warnings, "useless");
    assert_false(vocabulary.present);
    assert_int_equal(vocabulary.ntokens, 0);
    assert_null(vocabulary.tokens);
    assert_null(vocabulary.bytes);
    cg_buf_release(&said);
}

static void test_broken_files(void **state)
{
    for (size_t row = 0; row < sizeof broken / sizeof *broken; row++) {
        write_files(*state, broken[row].files);
        check_useless(*state, broken[row].warnings);
        remove_files(*state, broken[row].files);
    }
}

/* Ten million of the shortest entries there are. */
static const struct {
    struct written file; /* one of them */
    const char *warning;
} endless[] = {
    {{"vocab.txt", BYTES("\n")}, "vocab.txt: more than 4194304 tokens" UNUSED},
    {{"vocab.txt", BYTES("a\n")}, "vocab.txt: more than 4194304 tokens" UNUSED},
    {{"tokenizer.model", BYTES("\x0A\0")}, "tokenizer.model: more than 4194304 tokens" UNUSED},
    {{"a.tiktoken", BYTES("YQ== 0\n")}, "a.tiktoken: more than 4194304 tokens" UNUSED},
};

static void test_endless_files(void **state)
{
    enum { MANY = 10000000 };
    for (size_t row = 0; row < sizeof endless / sizeof *endless; row++) {
        size_t n = endless[row].file.n;
        char *bytes = malloc(MANY * n);
        assert_non_null(bytes);
        for (size_t i = 0; i < MANY * n; i++)
            bytes[i] = endless[row].file.bytes[i % n];
        scratch_bytes(*state, endless[row].file.name, bytes, MANY * n);
        free(bytes);
        check_useless(*state, (const char *const[MOST_LINES]){endless[row].warning});
        assert_int_equal(unlink(scratch_path(*state, endless[row].file.name)), 0);
    }
}

static void test_no_plain_files(void **state)
{
    struct scratch *scratch = *state;
    static const char *const names[] = {"vocab.json", "vocab.txt", "tokenizer.model", "x.tiktoken"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char said[MOST_LINES][128];
        snprintf(said[0], sizeof said[0], "%s: is a folder, not a file" UNUSED, names[i]);
        scratch_folder(scratch, names[i]);
        check_useless(scratch, (const char *const[MOST_LINES]){said[0]});
        assert_int_equal(rmdir(scratch_path(scratch, names[i])), 0);

        snprintf(said[1], sizeof said[1],
                 "%s: is a link that leaves the model's folder and its cache's blob store" UNUSED, names[i]);
        scratch_link(scratch, "/etc/hostname", names[i]);
        check_useless(scratch, (const char *const[MOST_LINES]){said[1]});
        assert_int_equal(unlink(scratch_path(scratch, names[i])), 0);

        snprintf(said[2], sizeof said[2], "%s: has 268435457 bytes, over the limit of 268435456" UNUSED,
                 names[i]);
        scratch_text(scratch, names[i], "");
        assert_int_equal(truncate(scratch_path(scratch, names[i]), (256 << 20) + 1), 0); /* sparse */
        check_useless(scratch, (const char *const[MOST_LINES]){said[2]});
        assert_int_equal(unlink(scratch_path(scratch, names[i])), 0);
    }
}

/* ---- tokens that name a byte ---- */

/* A letter is a token of an id that is its place; a small one names the byte of the great one. */
static const struct {
    const char *a, *b;
    struct {
        int64_t id_a, id_b;
    } pairs[4];
    int64_t npairs;
} alignments[] = {
    {"A", "A", {{0, 0}}, 1},
    {"A", "B", {{0}}, 0},
    {"a", "b", {{0}}, 0},
    {"a", "A", {{0, 0}}, 1},
    {"A", "a", {{0, 0}}, 1},
    {"aA", "A", {{1, 0}}, 1},
    {"A", "aA", {{0, 1}}, 1},
    {"aA", "a", {{0, 0}}, 1},
    {"aA", "Aa", {{1, 0}, {0, 1}}, 2},
    {"AAa", "Aa", {{0, 0}, {2, 1}}, 2},
    {"aaA", "aAA", {{0, 0}, {2, 1}, {1, 2}}, 3},
    {"AAa", "Aaa", {{0, 0}, {2, 1}, {1, 2}}, 3},
    {"aab", "ABb", {{0, 0}, {2, 2}}, 2},
    {"Bab", "bBA", {{2, 0}, {0, 1}, {1, 2}}, 3},
};

/* Into a vocabulary whose memory the caller has. */
static struct cg_vocabulary spell(const char *letters, struct cg_token *tokens, char *bytes)
{
    size_t n = strlen(letters);
    for (size_t i = 0; i < n; i++) {
        bytes[2 * i] = (char)(letters[i] & ~0x20);
        bytes[2 * i + 1] = '\0';
        tokens[i] = (struct cg_token){2 * i, 1, (int64_t)i, false, letters[i] >= 'a'};
    }
    return (struct cg_vocabulary){true, bytes, 2 * n, tokens, n};
}

static void test_alignment(void **state)
{
    (void)state;
    for (size_t row = 0; row < sizeof alignments / sizeof *alignments; row++) {
        struct cg_token tokens_a[4], tokens_b[4];
        char bytes_a[8], bytes_b[8];
        struct cg_vocabulary a = spell(alignments[row].a, tokens_a, bytes_a);
        struct cg_vocabulary b = spell(alignments[row].b, tokens_b, bytes_b);
        struct cg_alignment alignment = {0};
        struct cg_err err = {0};
        assert_int_equal(cg_vocabulary_align(&alignment, &a, 4, &b, 4, &err), 0);
        assert_int_equal(alignment.shared, alignments[row].npairs);
        for (int64_t i = 0; i < alignment.shared; i++)
            if (alignment.id_a[i] != alignments[row].pairs[i].id_a ||
                alignment.id_b[i] != alignments[row].pairs[i].id_b)
                fail_msg("%s with %s: %d with %d", alignments[row].a, alignments[row].b,
                         (int)alignment.id_a[i], (int)alignment.id_b[i]);
        cg_alignment_release(&alignment);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),          cmocka_unit_test(test_recognition),
        cmocka_unit_test(test_tokens),        cmocka_unit_test(test_broken_files),
        cmocka_unit_test(test_endless_files), cmocka_unit_test(test_no_plain_files),
        cmocka_unit_test(test_alignment),
    };
    return cmocka_run_group_tests_name("vocabulary files", tests, scratch_set_up, scratch_tear_down);
}
