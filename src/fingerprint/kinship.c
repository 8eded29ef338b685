/* Blocks, vocabularies and embeddings of two fingerprints. */
#include "evidence/kinship.h"
#include "cognate/fingerprint.h"
#include "cognate/mem.h"
#include "evidence/cells.h"
#include "source.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int restore_vocabulary(struct cg_vocabulary *out, const struct cg_fingerprint *print,
                              struct cg_err *err)
{
    size_t n = (size_t)print->size[CG_PRINT_ENTRY], at = 0, bytes = n;
    for (size_t i = 0; i < n; i++)
        bytes += (size_t)print->tokens.length[i];
    *out = (struct cg_vocabulary){
        .present = print->root.size_value[CG_PRINT_VOCABULARY_NUMBER] != 0, .nbytes = bytes, .ntokens = n};
    if (!(out->bytes = cg_new(bytes, 1, err)) || !(out->tokens = cg_new(n, sizeof *out->tokens, err)))
        return -1;
    for (size_t i = 0; i < n; i++) {
        size_t length = (size_t)print->tokens.length[i];
        out->tokens[i] = (struct cg_token){.offset = at,
                                           .length = length,
                                           .id = print->tokens.id[i],
                                           .special = print->tokens.special[i] != 0,
                                           .byte = print->tokens.names_byte[i] != 0};
        memcpy(out->bytes + at, print->tokens.bytes + print->tokens.first[i], length);
        at += length + 1; /* a NUL behind each */
    }
    return 0;
}

static const struct cg_member *embedding_of(const struct cg_print_pair *pair, int side)
{
    return cg_embedding_of(pair->anatomy, pair->model[side]);
}

static int align(const struct cg_print_pair *pair, struct cg_alignment *alignment, bool *aligned,
                 struct cg_err *err)
{
    struct cg_vocabulary vocabulary[2] = {{0}};
    int64_t rows[2] = {0};
    int result = 0;
    for (int side = 0; side < 2 && result == 0; side++) {
        rows[side] = embedding_of(pair, side) ? embedding_of(pair, side)->rows : 0;
        result = restore_vocabulary(&vocabulary[side], pair->print[side], err);
    }
    if (result == 0)
        result = cg_vocabulary_align(alignment, &vocabulary[0], rows[0], &vocabulary[1], rows[1], err);
    *aligned = vocabulary[0].present && vocabulary[1].present;
    cg_vocabulary_release(&vocabulary[0]);
    cg_vocabulary_release(&vocabulary[1]);
    return result;
}

/* The fingerprint's number of a block, or -1. */
static int32_t kept_as(const struct cg_fingerprint *print, const struct cg_ffn_block *block)
{
    for (int64_t k = 0; k < print->size[CG_PRINT_BLOCK]; k++)
        if (print->blocks.layer[k] == block->layer && print->blocks.expert[k] == block->expert &&
            (print->blocks.shared[k] != 0) == block->shared)
            return (int32_t)k;
    return -1;
}

/* The blocks of one side that its fingerprint holds, and their numbers there. */
static int list_blocks(struct cg_kinship *out, int32_t **kept, const struct cg_print_pair *pair, int side,
                       struct cg_err *err)
{
    int32_t n = 0;
    if (cg_blocks_list(&out->blocks[side], &out->nblocks[side], pair->models, pair->anatomy,
                       pair->model[side], err) < 0 ||
        !(kept[side] = cg_new((size_t)out->nblocks[side], sizeof *kept[side], err)))
        return -1;
    for (int32_t i = 0; i < out->nblocks[side]; i++) {
        kept[side][n] = kept_as(pair->print[side], &out->blocks[side][i]);
        if (kept[side][n] >= 0)
            out->blocks[side][n++] = out->blocks[side][i];
    }
    out->nblocks[side] = n;
    return 0;
}

static int match(const struct cg_print_pair *pair, int32_t *kept[2], const struct cg_alignment *alignment,
                 struct cg_token_cosines *tokens, struct cg_kinship *out, struct cg_err *err)
{
    const struct cg_comm alone = cg_comm_alone();
    struct cg_print_source self = {0};
    struct cg_source source;
    struct cg_places places = {0};
    int64_t width[2] = {0};
    for (int side = 0; side < 2; side++)
        if (embedding_of(pair, side) && pair->print[side]->size[CG_PRINT_SAMPLE_COLUMN] > 0)
            width[side] = embedding_of(pair, side)->columns;
    int result =
        cg_print_source_init(&self, &source, out, pair->print, kept, width, alignment, pair->kept, err);
    if (result == 0)
        result = cg_places_init(&places, out, err);
    if (result == 0 && width[0] > 0 && width[0] == width[1])
        result = cg_print_token_cosines(&self, tokens, err);
    if (result == 0)
        result = cg_kinship_match(&alone, &source, &places, out, err);
    cg_places_release(&places);
    cg_print_source_release(&self);
    return result;
}

int cg_fingerprint_kinship(const struct cg_print_pair *pair, struct cg_alignment *alignment, bool *aligned,
                           struct cg_token_cosines *tokens, struct cg_kinship *kinship, struct cg_err *err)
{
    int32_t *kept[2] = {NULL, NULL};
    openblas_set_num_threads(1); /* with threads its sums would depend on their number */
    *tokens = (struct cg_token_cosines){.whole_cosine = NAN, .whole_centred = NAN};
    cg_kinship_init(kinship);
    int result = align(pair, alignment, aligned, err);
    tokens->shared = alignment->shared;
    for (int side = 0; side < 2 && result == 0; side++)
        result = list_blocks(kinship, kept, pair, side, err);
    if (result == 0)
        result = cg_cells_list(kinship, CG_MOST_CELLS, NULL, err);
    if (result == 0)
        return match(pair, kept, alignment, tokens, kinship, err);
    free(kept[0]);
    free(kept[1]);
    return result;
}
