#include "collect.h"
#include <math.h>

static int set_slot(struct cg_result *out, const struct cg_slot *slot, int64_t s, struct cg_err *err)
{
    out->tensors.layer[s] = slot->layer;
    out->tensors.expert[s] = slot->expert;
    if (cg_result_text(&out->tensors.name[s], slot->name, err) < 0)
        return -1;
    return cg_result_text(&out->tensors.role[s], cg_role_name(slot->role), err);
}

static int set_digest(char **cell, const uint8_t *digest, struct cg_err *err)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * CG_SHA256 + 1] = "";
    for (int i = 0; i < CG_SHA256; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    return cg_result_text(cell, text, err);
}

static int set_member(struct cg_result *out, const struct cg_findings *findings, int64_t s, int m,
                      struct cg_err *err)
{
    const struct cg_member *member = cg_member_of(findings->anatomy, s, m);
    int64_t at = s * findings->anatomy->models + m;
    if (member->tensor < 0)
        return 0;
    const struct cg_place_in_bundle *place = &findings->plan->places[at];
    int64_t in_plan = findings->plan->bundles[place->bundle].first_member + place->position;
    const struct cg_tensor *tensor = &findings->models[m]->tensors[member->tensor];
    out->tensors.present[at] = 1;
    out->tensors.rows[at] = member->rows;
    out->tensors.columns[at] = member->columns;
    if (cg_member_is_real(findings->models[m], member)) {
        struct cg_description facts = cg_describe(&findings->sweep->moments[in_plan]);
        out->tensors.l2norm[at] = facts.l2norm;
        out->tensors.mean[at] = facts.mean;
        out->tensors.std[at] = facts.std;
        out->tensors.minimum[at] = facts.minimum;
        out->tensors.maximum[at] = facts.maximum;
        out->tensors.nonfinite[at] = facts.nonfinite;
        out->tensors.rounding_error[at] = facts.rounding;
    }
    if (cg_result_text(&out->tensors.source_name[at], tensor->name, err) < 0 ||
        cg_result_text(&out->tensors.dtype[at], cg_member_type(findings->models[m], member), err) < 0)
        return -1;
    return set_digest(&out->tensors.sha256[at], findings->sweep->digest[in_plan], err);
}

static void set_comparison(struct cg_result *out, int64_t at, const struct cg_comparison *comparison)
{
    out->tensors.cosine[at] = comparison->cosine;
    out->tensors.centred_cosine[at] = comparison->centred_cosine;
    out->tensors.panel_cosine[at] = comparison->null.cosine;
    out->tensors.null_mean[at] = comparison->null.mean;
    out->tensors.null_sd[at] = comparison->null.sd;
    out->tensors.t[at] = comparison->null.t;
    out->tensors.relative_difference[at] = comparison->relative_difference;
    out->tensors.identical[at] = comparison->identical;
    out->tensors.equal_values[at] = comparison->equal;
}

int cg_collect_tensors(struct cg_result *out, const struct cg_findings *findings,
                       const struct cg_comparisons *all, struct cg_err *err)
{
    out->size[CG_DIM_TENSOR] = findings->anatomy->nslots;
    if (cg_result_allocate(out, "/tensors", err) < 0)
        return -1;
    for (int64_t s = 0; s < findings->anatomy->nslots; s++) {
        if (set_slot(out, &findings->anatomy->slots[s], s, err) < 0)
            return -1;
        for (int m = 0; m < findings->anatomy->models; m++)
            if (set_member(out, findings, s, m, err) < 0)
                return -1;
        for (int64_t p = 0; p < findings->npairs; p++)
            set_comparison(out, s * findings->npairs + p, cg_comparison_at(all, s, p));
    }
    return 0;
}
