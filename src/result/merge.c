#include "merge.h"
#include <math.h>

static const double MOST_UNEXPLAINED = 0.1, LEAST_WEIGHT = 0.05;
enum { LEAST_MATRICES = 3 };

/* |m - n|^2 in a slot; NaN where they are not swept side by side. */
static double apart(const struct cg_findings *findings, int64_t slot, int m, int n)
{
    const struct cg_plan *plan = findings->plan;
    const struct cg_place_in_bundle *places = plan->places + slot * findings->anatomy->models;
    if (places[m].bundle < 0 || places[m].bundle != places[n].bundle || !plan->bundles[places[m].bundle].real)
        return NAN;
    int64_t i = cg_sweep_pair(findings->sweep, places[m].bundle, places[m].position, places[n].position);
    return findings->sweep->products[i].difference;
}

static bool is_matrix(const struct cg_findings *findings, int64_t slot, int m)
{
    const struct cg_member *member = cg_member_of(findings->anatomy, slot, m);
    return member->tensor >= 0 && !member->tied && member->rows > 1 && member->columns > 1;
}

/* Sums over the matrices of one line. */
struct line {
    double weight, squares, rest, least;
    int64_t matrices;
};

static void add_slot(struct line *line, const struct cg_findings *findings, int64_t slot, int c, int x, int y)
{
    double cx = apart(findings, slot, c, x), cy = apart(findings, slot, c, y),
           xy = apart(findings, slot, x, y);
    if (!(cx > 0) || !(cy > 0) || !(xy > 0))
        return;
    double weight = (cx + xy - cy) / (2 * xy);
    line->weight += weight;
    line->squares += weight * weight;
    line->rest += fmax(0, cx - weight * weight * xy);
    line->least += fmin(cx, cy);
    line->matrices++;
}

static struct cg_merge line_through(const struct cg_findings *findings, int c, int x, int y)
{
    struct line line = {0};
    for (int64_t s = 0; s < findings->anatomy->nslots; s++)
        if (is_matrix(findings, s, c))
            add_slot(&line, findings, s, c, x, y);
    double n = (double)line.matrices, mean = line.weight / n;
    bool between = line.matrices >= LEAST_MATRICES && mean > LEAST_WEIGHT && mean < 1 - LEAST_WEIGHT &&
                   line.rest < MOST_UNEXPLAINED * line.least;
    return (struct cg_merge){.other = between ? y : -1,
                             .weight = mean,
                             .deviation = sqrt(fmax(0, line.squares - n * mean * mean) / (n - 1)),
                             .unexplained = line.rest / line.least,
                             .matrices = line.matrices};
}

struct cg_merge cg_find_merge(const struct cg_findings *findings, int64_t pair)
{
    struct cg_merge best = {.other = -1};
    for (int side = 0; findings->sweep->products && side < 2; side++)
        for (int y = 0; y < findings->anatomy->models; y++) {
            int c = findings->pairs[pair][side], x = findings->pairs[pair][1 - side];
            if (y == c || y == x)
                continue;
            struct cg_merge found = line_through(findings, c, x, y);
            found.of_b = side == 1;
            if (found.other >= 0 && (best.other < 0 || found.unexplained < best.unexplained))
                best = found;
        }
    return best;
}
