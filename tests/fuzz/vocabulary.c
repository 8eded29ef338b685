/* A folder with tokenizer.json or another vocabulary, which is then aligned with itself. */
#include "cognate/vocabulary.h"
#include "fuzz.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Every token that has a row is paired with itself. */
static void check_alignment(const struct cg_vocabulary *vocabulary, int64_t rows)
{
    struct cg_alignment alignment = {0};
    struct cg_err err = {0};
    assert(cg_vocabulary_align(&alignment, vocabulary, rows, vocabulary, INT64_MAX, &err) == 0);
    assert(alignment.same_id == alignment.shared);
    int64_t n = 0;
    for (size_t i = 0; i < vocabulary->ntokens && vocabulary->tokens[i].id < rows; i++, n++) {
        assert(n < alignment.shared);
        assert(alignment.id_a[n] == vocabulary->tokens[i].id && alignment.id_b[n] == alignment.id_a[n]);
        if (*alignment.text[n])
            fuzz_check_text(alignment.text[n], false);
    }
    assert(n == alignment.shared);
    cg_alignment_release(&alignment);
}

/* The tokens with their ids in one order and in the other: all are paired, equal with equal. */
static void check_reversed(const struct cg_vocabulary *vocabulary)
{
    size_t n = vocabulary->ntokens;
    struct cg_vocabulary a = *vocabulary, b = *vocabulary;
    struct cg_alignment alignment = {0};
    struct cg_err err = {0};
    a.tokens = calloc(n + 1, sizeof *a.tokens);
    b.tokens = calloc(n + 1, sizeof *b.tokens);
    assert(a.tokens && b.tokens);
    for (size_t i = 0; i < n; i++) {
        a.tokens[i] = b.tokens[n - 1 - i] = vocabulary->tokens[i];
        a.tokens[i].id = (int64_t)i;
        b.tokens[n - 1 - i].id = (int64_t)(n - 1 - i);
    }
    assert(cg_vocabulary_align(&alignment, &a, INT64_MAX, &b, INT64_MAX, &err) == 0);
    assert((size_t)alignment.shared == n);
    for (size_t i = 0; i < n; i++) {
        const struct cg_token *in_a = &a.tokens[alignment.id_a[i]], *in_b = &b.tokens[i];
        assert(alignment.id_b[i] == in_b->id);
        assert(in_a->length == in_b->length && in_a->special == in_b->special);
        assert(memcmp(a.bytes + in_a->offset, b.bytes + in_b->offset, in_a->length) == 0);
    }
    cg_alignment_release(&alignment);
    free(a.tokens);
    free(b.tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cg_vocabulary vocabulary = {0};
    struct cg_buf warnings = {0};
    struct cg_err err = {0};
    fuzz_fill(data, size);
    assert(cg_vocabulary_load(&vocabulary, fuzz_scratch()->folder, &warnings, &err) == 0);
    assert(err.code == CG_OK && (vocabulary.present || vocabulary.ntokens == 0));
    if (warnings.size > 0)
        fuzz_check_text(warnings.data, true);
    fuzz_check_vocabulary(&vocabulary);
    check_alignment(&vocabulary, INT64_MAX);
    check_alignment(&vocabulary, (int64_t)vocabulary.ntokens / 2);
    check_reversed(&vocabulary);
    cg_vocabulary_release(&vocabulary);
    cg_buf_release(&warnings);
    fuzz_empty();
    return 0;
}
