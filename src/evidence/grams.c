/* Entry (i, j) of a Gram matrix under a common shift goes along a diagonal. So with diagonals as lines it is
 * a panel, and the shift null of panels is the one that is wanted. Blocks meet by groups, each of which is
 * transformed once. */
#include "grams.h"
#include "cognate/mem.h"
#include "sweep/panel.h"
#include <math.h>
#include <stdlib.h>

enum { GROUP = 16 };

struct session {
    const struct cg_kinship *of;
    const struct cg_grams *grams;
    int32_t *number;         /* [nblocks[0]] of a block of a among those that meet a group of b; -1: none */
    int32_t *list;           /* those blocks, by number */
    struct cg_panel *panels; /* [2 GROUP] b's, then a's */
    float *diagonals;        /* [2 GROUP][square^2] */
    double *scratch;         /* of the panels' comparison */
    struct cg_shift_null *null; /* [GROUP^2] */
};

/* The blocks of b from `first` on that have one number of units, and their cells. */
struct group {
    int32_t first, end;
    int64_t first_cell, end_cell;
};

static const struct cg_ffn_block *block_of(const struct session *session, int side, int32_t i)
{
    return &session->of->blocks[side][i];
}

static struct cg_panel_shape shape_of(const struct session *session, int64_t units)
{
    int64_t n = units < session->grams->square ? units : session->grams->square;
    return (struct cg_panel_shape){.residual = n - 1 < CG_SHIFTS ? 0 : n, .lines = n, .all = n, .columns = n};
}

static struct group next_group(const struct session *session, const struct group *last)
{
    const struct cg_kinship *of = session->of;
    struct group next = {last->end, last->end, last->end_cell, last->end_cell};
    int64_t units = block_of(session, 1, next.first)->units;
    while (next.end < of->nblocks[1] && next.end - next.first < GROUP &&
           block_of(session, 1, next.end)->units == units)
        next.end++;
    while (next.end_cell < of->ncells && of->cells[next.end_cell].b < next.end)
        next.end_cell++;
    return next;
}

static bool comparable(const struct session *session, const struct cg_cell *cell)
{
    const struct cg_ffn_block *a = block_of(session, 0, cell->a), *b = block_of(session, 1, cell->b);
    return cg_blocks_comparable(a, b) && a->units == b->units && shape_of(session, a->units).residual > 0;
}

/* Numbers the blocks of a that meet the group: how many. */
static int32_t number_partners(struct session *session, const struct group *group)
{
    const struct cg_kinship *of = session->of;
    int32_t n = 0;
    for (int32_t i = 0; i < of->nblocks[0]; i++)
        session->number[i] = -1;
    for (int64_t c = group->first_cell; c < group->end_cell; c++)
        if (session->number[of->cells[c].a] < 0 && comparable(session, &of->cells[c])) {
            session->number[of->cells[c].a] = n;
            session->list[n++] = of->cells[c].a;
        }
    return n;
}

/* Line d holds the elements (i, i + d), i = 0 .. n - 1, columns taken round. */
static void take_diagonals(float *out, const float *square, int64_t n)
{
    for (int64_t d = 0; d < n; d++)
        for (int64_t i = 0; i < n; i++)
            out[d * n + i] = square[i * n + (i + d < n ? i + d : i + d - n)];
}

static void take_panel(const struct session *session, const struct cg_panel_shape *shape, int32_t at,
                       int side, int32_t block)
{
    int64_t square = session->grams->square * session->grams->square;
    float *out = session->diagonals + at * square;
    take_diagonals(out, session->grams->squares[side] + session->grams->place[side][block] * square,
                   shape->lines);
    session->panels[at] = cg_panel_of(shape, out);
}

/* The group against n blocks of a, from number `from` on. */
static void compare_group(const struct session *session, const struct group *group, int32_t from, int32_t n,
                          double *t)
{
    const struct cg_cell *cells = session->of->cells;
    struct cg_panel_shape shape = shape_of(session, block_of(session, 1, group->first)->units);
    struct cg_meeting meeting = {.first = group->end - group->first};
    meeting.members = meeting.first + n;
    for (int32_t i = 0; i < meeting.first; i++)
        take_panel(session, &shape, i, 1, group->first + i);
    for (int32_t i = 0; i < n; i++)
        take_panel(session, &shape, meeting.first + i, 0, session->list[from + i]);
    cg_panels_compare(&shape, session->panels, meeting, session->scratch, session->null);
    for (int64_t c = group->first_cell; c < group->end_cell; c++) {
        int32_t number = session->number[cells[c].a];
        if (number >= from && number < from + n && comparable(session, &cells[c]))
            t[c] = session
                       ->null[cg_meeting_index(meeting, cells[c].b - group->first,
                                               meeting.first + number - from)]
                       .t;
    }
}

static int session_init(struct session *session, struct cg_err *err)
{
    size_t blocks = (size_t)session->of->nblocks[0];
    int64_t square = session->grams->square, most = 0;
    for (int32_t i = 0; i < session->of->nblocks[1]; i++) {
        struct cg_panel_shape shape = shape_of(session, block_of(session, 1, i)->units);
        int64_t own =
            shape.residual > 0 ? cg_panels_scratch(&shape, (struct cg_meeting){2 * GROUP, GROUP}) : 0;
        most = own > most ? own : most;
    }
    if (!(session->number = cg_new(blocks, sizeof *session->number, err)) ||
        !(session->list = cg_new(blocks, sizeof *session->list, err)) ||
        !(session->panels = cg_new(2 * GROUP, sizeof *session->panels, err)) ||
        !(session->diagonals = cg_new_aligned((size_t)(2 * GROUP * square * square), sizeof(float), err)) ||
        !(session->scratch = cg_new_aligned((size_t)most, sizeof(double), err)) ||
        !(session->null = cg_new_aligned(GROUP * GROUP, sizeof *session->null, err)))
        return -1;
    return 0;
}

static void session_release(struct session *session)
{
    free(session->number);
    free(session->list);
    free(session->panels);
    free(session->diagonals);
    free(session->scratch);
    free(session->null);
}

int cg_grams_compare(const struct cg_comm *comm, const struct cg_kinship *of, const struct cg_grams *grams,
                     double *t, struct cg_err *err)
{
    struct session session = {.of = of, .grams = grams};
    int result = session_init(&session, err);
    struct group group = {0};
    for (int64_t turn = 0; result == 0 && group.end < of->nblocks[1];) {
        group = next_group(&session, &group);
        int32_t partners = number_partners(&session, &group);
        for (int32_t from = 0; from < partners; from += GROUP, turn++)
            if (turn % comm->size == comm->rank)
                compare_group(&session, &group, from, partners - from < GROUP ? partners - from : GROUP, t);
        for (int64_t c = group.first_cell; c < group.end_cell && comm->rank == 0; c++)
            if (!comparable(&session, &of->cells[c]))
                t[c] = NAN;
    }
    session_release(&session);
    return result;
}
