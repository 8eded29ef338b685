#include "cognate/tokens.h"
#include "cognate/clones.h"
#include "cognate/mem.h"
#include "rows.h"
#include "sweep/kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Tokens go to the ranks in blocks; a block's sums are a cell of the reduction, so that the bits do not
 * depend on the ranks. */
enum { BLOCK = 1024, FIELDS = 6 };

struct session {
    const struct cg_comm *comm;
    const struct cg_alignment *alignment;
    int64_t columns;
    struct cg_files *files;
    struct cg_rows side[2];
    double *row[2];  /* [columns] values of the token at hand */
    double *sums[2]; /* [blocks * columns] sums of rows by block, then in the first `columns` the mean row */
    double *fields;  /* [shared * FIELDS] product, squares a, squares b; the same centred */
};

static int64_t blocks_of(const struct session *session)
{
    return (session->alignment->shared + BLOCK - 1) / BLOCK;
}

static int get_rows(struct session *session, int64_t token, struct cg_err *err)
{
    if (cg_rows_get(&session->side[0], session->alignment->id_a[token], session->row[0], err) < 0)
        return -1;
    return cg_rows_get(&session->side[1], session->alignment->id_b[token], session->row[1], err);
}

CG_CLONES static void add_row(double *restrict sum, const double *restrict row, int64_t n)
{
    for (int64_t c = 0; c < n; c++)
        sum[c] += row[c];
}

CG_CLONES static void take_away(double *restrict row, const double *restrict mean, int64_t n)
{
    for (int64_t c = 0; c < n; c++)
        row[c] -= mean[c];
}

/* First pass over a token: its own cosine, and its part in the mean rows. */
static void take_plain(struct session *session, int64_t token)
{
    size_t n = (size_t)session->columns;
    double *field = session->fields + token * FIELDS;
    field[0] = cg_block_product(session->row[0], session->row[1], n);
    field[1] = cg_block_product(session->row[0], session->row[0], n);
    field[2] = cg_block_product(session->row[1], session->row[1], n);
    for (int k = 0; k < 2; k++)
        add_row(session->sums[k] + token / BLOCK * session->columns, session->row[k], session->columns);
}

/* Second pass: with the mean rows taken away. */
static void take_centred(struct session *session, int64_t token)
{
    size_t n = (size_t)session->columns;
    double *field = session->fields + token * FIELDS;
    for (int k = 0; k < 2; k++)
        take_away(session->row[k], session->sums[k], session->columns);
    field[3] = cg_block_product(session->row[0], session->row[1], n);
    field[4] = cg_block_product(session->row[0], session->row[0], n);
    field[5] = cg_block_product(session->row[1], session->row[1], n);
}

/* This rank's blocks, in one of the two passes. */
static int pass(struct session *session, void (*take)(struct session *, int64_t), struct cg_err *err)
{
    for (int64_t block = session->comm->rank; block < blocks_of(session); block += session->comm->size) {
        int64_t end = (block + 1) * BLOCK;
        if (end > session->alignment->shared)
            end = session->alignment->shared;
        for (int64_t token = block * BLOCK; token < end; token++) {
            if (get_rows(session, token, err) < 0)
                return -1;
            take(session, token);
        }
    }
    return 0;
}

/* Sums of all blocks, folded in order, become the mean rows. */
static void reduce_means(struct session *session)
{
    for (int k = 0; k < 2; k++) {
        double *sums = session->sums[k];
        cg_sum_doubles(session->comm, sums, blocks_of(session) * session->columns);
        for (int64_t block = 1; block < blocks_of(session); block++)
            for (int64_t c = 0; c < session->columns; c++)
                sums[c] += sums[block * session->columns + c];
        for (int64_t c = 0; c < session->columns; c++)
            sums[c] /= (double)session->alignment->shared;
    }
}

static double cosine(const double *field)
{
    double scale = field[1] == field[2] ? field[1] : sqrt(field[1]) * sqrt(field[2]);
    return scale > 0 ? fmax(-1, fmin(1, field[0] / scale)) : NAN;
}

static void read_fields(const struct session *session, struct cg_token_cosines *out)
{
    double whole[FIELDS] = {0};
    for (int64_t i = 0; i < out->shared; i++) {
        const double *field = session->fields + i * FIELDS;
        out->cosine[i] = cosine(field);
        out->centred[i] = cosine(field + 3);
        for (int f = 0; f < FIELDS; f++)
            whole[f] += field[f];
    }
    out->whole_cosine = cosine(whole);
    out->whole_centred = cosine(whole + 3);
}

static int allocate(struct session *session, struct cg_token_cosines *out, struct cg_err *err)
{
    size_t shared = (size_t)out->shared, columns = (size_t)session->columns,
           blocks = (size_t)blocks_of(session);
    for (int k = 0; k < 2; k++)
        if (!(session->row[k] = cg_new_aligned(columns, sizeof(double), err)) ||
            !(session->sums[k] = cg_new(blocks * columns, sizeof(double), err)))
            return -1;
    if (!(session->fields = cg_new(shared * FIELDS, sizeof(double), err)) ||
        !(out->cosine = cg_new(shared, sizeof(double), err)) ||
        !(out->centred = cg_new(shared, sizeof(double), err)))
        return -1;
    return 0;
}

static void session_release(struct session *session)
{
    for (int k = 0; k < 2; k++) {
        cg_rows_release(&session->side[k]);
        free(session->row[k]);
        free(session->sums[k]);
    }
    free(session->fields);
    cg_files_destroy(session->files);
}

/* The collective part: every rank comes here, with an open session. */
static int compare_rows(struct session *session, struct cg_token_cosines *out, struct cg_err *err)
{
    const struct cg_comm *comm = session->comm;
    if (cg_agree(comm, pass(session, take_plain, err), err) < 0)
        return -1;
    reduce_means(session);
    if (cg_agree(comm, pass(session, take_centred, err), err) < 0)
        return -1;
    cg_sum_doubles(comm, session->fields, out->shared * FIELDS);
    read_fields(session, out);
    out->listed = out->shared;
    out->bytes_reread = session->side[0].bytes_read + session->side[1].bytes_read;
    return 0;
}

int cg_tokens_compare(const struct cg_comm *comm, const struct cg_checkpoint *const *models,
                      const struct cg_anatomy *anatomy, const struct cg_sweep *sweep, int a, int b,
                      const struct cg_alignment *alignment, bool reread, struct cg_token_cosines *out,
                      struct cg_err *err)
{
    *out = (struct cg_token_cosines){.shared = alignment->shared, .whole_cosine = NAN, .whole_centred = NAN};
    const struct cg_member *member[2] = {cg_embedding_of(anatomy, a), cg_embedding_of(anatomy, b)};
    int model[2] = {a, b};
    for (int k = 0; k < 2; k++)
        if (!member[k] || member[k]->view || member[k]->columns != member[0]->columns ||
            !cg_dtype_is_real(models[model[k]]->tensors[member[k]->tensor].dtype) ||
            member[k]->columns %
                    cg_dtype_grain(models[model[k]]->tensors[member[k]->tensor].dtype).elements !=
                0 ||
            (!sweep->kept[model[k]] && !reread) || alignment->shared == 0)
            return 0;
    struct session session = {.comm = comm, .alignment = alignment, .columns = member[0]->columns};
    int result = (session.files = cg_files_create(comm->rank == 0, err)) ? allocate(&session, out, err) : -1;
    if (result == 0)
        cg_files_watch(session.files, comm);
    for (int k = 0; k < 2 && result == 0; k++)
        result =
            cg_rows_init(&session.side[k], models[model[k]], &models[model[k]]->tensors[member[k]->tensor],
                         session.columns, sweep->kept[model[k]], session.files, err);
    result = cg_agree(comm, result, err);
    if (result == 0)
        result = compare_rows(&session, out, err);
    session_release(&session);
    if (result < 0)
        cg_token_cosines_release(out);
    return result;
}

void cg_token_cosines_release(struct cg_token_cosines *cosines)
{
    free(cosines->cosine);
    free(cosines->centred);
    *cosines = (struct cg_token_cosines){0};
}

void cg_tokens_thin(struct cg_token_cosines *cosines, struct cg_alignment *alignment, int64_t stride)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < cosines->shared; i++) {
        char *text = alignment->text[i];
        alignment->text[i] = NULL;
        if (i % stride != 0) {
            free(text);
            continue;
        }
        cosines->cosine[kept] = cosines->cosine[i];
        cosines->centred[kept] = cosines->centred[i];
        alignment->id_a[kept] = alignment->id_a[i];
        alignment->id_b[kept] = alignment->id_b[i];
        alignment->text[kept++] = text;
    }
    cosines->listed = kept;
}

int cg_alignment_broadcast(const struct cg_comm *comm, struct cg_alignment *alignment, struct cg_err *err)
{
    struct cg_buf buf = {0};
    int result = 0;
    size_t bytes = (size_t)alignment->shared * sizeof(int64_t);
    if (comm->rank == 0 &&
        (cg_pack_int(&buf, alignment->shared, err) < 0 || cg_pack_int(&buf, alignment->same_id, err) < 0 ||
         cg_buf_append(&buf, alignment->id_a, bytes, err) < 0 ||
         cg_buf_append(&buf, alignment->id_b, bytes, err) < 0))
        result = -1;
    CG_TRY(result = cg_agree(comm, result, err));
    CG_TRY(result = cg_broadcast(comm, &buf, err));
    if (comm->rank != 0) {
        struct cg_unpacker from = {buf.data, buf.data + buf.size};
        *alignment = (struct cg_alignment){.shared = cg_unpack_int(&from)};
        alignment->same_id = cg_unpack_int(&from);
        bytes = (size_t)alignment->shared * sizeof(int64_t);
        alignment->id_a = cg_new(bytes, 1, err);
        alignment->id_b = cg_new(bytes, 1, err);
        if (alignment->id_a && alignment->id_b) {
            memcpy(alignment->id_a, from.at, bytes);
            memcpy(alignment->id_b, from.at + bytes, bytes);
        } else {
            result = -1;
        }
    }
    result = cg_agree(comm, result, err);
done:
    cg_buf_release(&buf);
    return result;
}
