#include "routers.h"
#include "cognate/mem.h"
#include "matching.h"
#include <math.h>
#include <stdlib.h>

/* Of a block of b in the table; 1 is added where 0 says that nothing was found. */
enum { LAYER, EXPERT, COSINE, TOKENS, FIELDS };

struct session {
    struct cg_source *source;
    struct cg_kinship *out;
    int32_t layers;                              /* of a */
    int32_t experts;                             /* of the layer of b at hand that cells hold */
    double *raw, *probe, *best_raw, *best_probe; /* [layers] units that agree: of all experts, of one */
    double *table;                               /* [nblocks of b * FIELDS] */
};

static int session_init(struct session *session, struct cg_err *err)
{
    const struct cg_kinship *out = session->out;
    for (int32_t i = 0; i < out->nrouters[0]; i++)
        if (out->routers[0][i].layer >= session->layers)
            session->layers = out->routers[0][i].layer + 1;
    size_t layers = (size_t)session->layers;
    if (!(session->raw = cg_new(4 * layers, sizeof(double), err)) ||
        !(session->table = cg_new((size_t)out->nblocks[1] * FIELDS, sizeof(double), err)))
        return -1;
    session->probe = session->raw + layers;
    session->best_raw = session->probe + layers;
    session->best_probe = session->best_raw + layers;
    return 0;
}

static void session_release(struct session *session)
{
    free(session->raw);
    free(session->table);
}

static void end_expert(struct session *session)
{
    for (int32_t l = 0; l < session->layers; l++) {
        session->raw[l] += session->best_raw[l];
        session->probe[l] += session->best_probe[l];
        session->best_raw[l] = session->best_probe[l] = 0;
    }
}

/* How many units of the experts of b's layer agree with the nearest expert of each layer of a. Cells stand by
 * b. */
static void count_units(struct session *session, int32_t layer)
{
    const struct cg_kinship *out = session->out;
    for (int32_t l = 0; l < 4 * session->layers; l++)
        session->raw[l] = 0;
    int32_t last = -1;
    session->experts = 0;
    for (int64_t c = 0; c < out->ncells; c++) {
        const struct cg_cell *cell = &out->cells[c];
        const struct cg_ffn_block *a = &out->blocks[0][cell->a], *b = &out->blocks[1][cell->b];
        if (b->layer != layer || b->expert < 0 || a->expert < 0 || a->layer >= session->layers)
            continue;
        if (cell->b != last) {
            end_expert(session);
            session->experts++;
            last = cell->b;
        }
        session->best_raw[a->layer] = fmax(session->best_raw[a->layer], cell->raw);
        session->best_probe[a->layer] = fmax(session->best_probe[a->layer], cell->probe);
    }
    end_expert(session);
}

/* The router of the layer of a that b's layer comes from by its experts' units, of equals the one of the same
 * index; NULL where that layer has none. */
static const struct cg_ffn_block *find_origin(struct session *session, int32_t layer)
{
    const struct cg_kinship *out = session->out;
    const struct cg_ffn_block *origin = NULL;
    double most = -1;
    count_units(session, layer);
    for (int32_t i = 0; i < out->nrouters[0]; i++) {
        const struct cg_ffn_block *router = &out->routers[0][i];
        double units = fmax(session->raw[router->layer], session->probe[router->layer]);
        if (units > most || (units == most && router->layer == layer)) {
            most = units;
            origin = router;
        }
    }
    return origin;
}

/* The experts' rows, or their answers to tokens. What all experts of the layer share chooses none of them and
 * is taken away. NULL for want of memory or by a failed read, with err. */
static float *take_router(struct session *session, int side, const struct cg_ffn_block *router, bool tokens,
                          struct cg_err *err)
{
    struct cg_source *source = session->source;
    int64_t length = tokens ? source->sizes.tokens : router->width;
    float *rows = cg_new((size_t)(router->units * length), sizeof *rows, err);
    if (!rows || source->router(source, side, router, tokens, rows, err) < 0) {
        free(rows);
        return NULL;
    }
    cg_take_mean_row(rows, router->units, length);
    cg_rows_to_units(rows, router->units, length);
    return rows;
}

static void note_names(struct session *session, const struct cg_ffn_block *a, const struct cg_ffn_block *b,
                       bool tokens, const int32_t *name, const double *cosine)
{
    for (int32_t i = 0; i < session->out->nblocks[1]; i++) {
        const struct cg_ffn_block *block = &session->out->blocks[1][i];
        if (block->layer != b->layer || block->expert < 0 || block->expert >= b->units ||
            name[block->expert] < 0)
            continue;
        double *row = session->table + (int64_t)i * FIELDS;
        row[LAYER] = a->layer + 1;
        row[EXPERT] = name[block->expert] + 1;
        row[COSINE] = cosine[block->expert];
        row[TOKENS] = tokens;
    }
}

/* Names b's experts after a's: by answers where rows agree on no more units than those of strangers, as in
 * another basis. */
static int match_layer(struct session *session, const struct cg_ffn_block *b, struct cg_err *err)
{
    const struct cg_ffn_block *a = find_origin(session, b->layer);
    if (!a)
        return 0;
    bool tokens =
        session->out->tokens > 0 && session->raw[a->layer] <= (double)CG_LARGEST_CONTROL * session->experts;
    if (!tokens && a->width != b->width)
        return 0;
    float *rows_a = take_router(session, 0, a, tokens, err),
          *rows_b = rows_a ? take_router(session, 1, b, tokens, err) : NULL;
    int32_t *name = rows_b ? cg_new((size_t)b->units, sizeof *name, err) : NULL;
    double *cosine = name ? cg_new((size_t)b->units, sizeof *cosine, err) : NULL;
    int result = cosine ? cg_name_rows(rows_a, (int32_t)a->units, rows_b, (int32_t)b->units,
                                       tokens ? session->source->sizes.tokens : b->width, name, cosine, err)
                        : -1;
    if (result == 0)
        note_names(session, a, b, tokens, name, cosine);
    free(rows_a);
    free(rows_b);
    free(name);
    free(cosine);
    return result;
}

static void read_table(struct session *session)
{
    for (int32_t i = 0; i < session->out->nblocks[1]; i++) {
        const double *row = session->table + (int64_t)i * FIELDS;
        session->out->routed[i] = (struct cg_routed){.layer = (int32_t)row[LAYER] - 1,
                                                     .expert = (int32_t)row[EXPERT] - 1,
                                                     .cosine = row[EXPERT] > 0 ? row[COSINE] : NAN,
                                                     .by_tokens = row[TOKENS] > 0};
    }
}

int cg_routers_match(const struct cg_comm *comm, struct cg_source *source, struct cg_kinship *out,
                     struct cg_err *err)
{
    struct session session = {.source = source, .out = out};
    int result = session_init(&session, err);
    if (result == 0 && !(out->routed = cg_new((size_t)out->nblocks[1], sizeof *out->routed, err)))
        result = -1;
    for (int32_t k = comm->rank; source->router && result == 0 && k < out->nrouters[1]; k += comm->size)
        result = match_layer(&session, &out->routers[1][k], err);
    CG_TRY(result = cg_agree(comm, result, err));
    cg_sum_doubles(comm, session.table, (int64_t)out->nblocks[1] * FIELDS);
    read_table(&session);
done:
    session_release(&session);
    return result;
}
