#include "take.h"
#include "cognate/mem.h"
#include "evidence/fetch.h"
#include "evidence/sample.h"
#include "form.h"
#include "metadata.h"
#include "pack.h"
#include "sweep/imprint.h"
#include "sweep/sketches.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The lengths of sketches, and numbers in all of them; elements of a panel, and of all. */
enum { MOST_SKETCH = CG_MOST_SKETCH, LEAST_SKETCH = 32, ALL_SKETCHES = 1 << 22 };
enum { PANEL = 1 << 14, ALL_PANELS = 1 << 23 };

struct cg_imprint_options cg_fingerprint_imprint(const struct cg_anatomy *anatomy)
{
    int64_t length = MOST_SKETCH;
    while (length > LEAST_SKETCH && length * anatomy->nslots > ALL_SKETCHES)
        length /= 2;
    return (struct cg_imprint_options){.sketch = length, .panel = PANEL, .panels = ALL_PANELS};
}

int cg_print_allocate(struct cg_fingerprint *out, const char *group, struct cg_err *err)
{
    if (cg_record_allocate(&cg_fingerprint_form, out, group, err) < 0)
        return -1;
    for (size_t i = 0; i < cg_fingerprint_form.nvariables; i++) {
        const struct cg_variable *variable = &cg_fingerprint_form.variables[i];
        if (strcmp(variable->group, group) == 0)
            memset(cg_variable_data(variable, out), 0,
                   (size_t)cg_variable_cells(variable, out, err) * cg_type_size(variable->type));
    }
    return 0;
}

void cg_print_share(const struct cg_comm *comm, struct cg_fingerprint *out, const char *group)
{
    struct cg_err ignored;
    for (size_t i = 0; i < cg_fingerprint_form.nvariables; i++) {
        const struct cg_variable *variable = &cg_fingerprint_form.variables[i];
        if (strcmp(variable->group, group) == 0)
            cg_or_bytes(comm, cg_variable_data(variable, out),
                        cg_variable_cells(variable, out, &ignored) * (int64_t)cg_type_size(variable->type));
    }
}

static int put_hex(char **cell, const uint8_t *bytes, size_t n, struct cg_err *err)
{
    char text[2 * CG_SHA256 + 1];
    cg_hex(text, bytes, n);
    return cg_result_text(cell, text, err);
}

/* What the slot's only member left in the sweep. */
static int take_member(struct cg_fingerprint *out, const struct cg_print_subject *subject, int64_t s,
                       int64_t i, struct cg_err *err)
{
    const struct cg_moments *moments = &subject->sweep->moments[i];
    const struct cg_imprints *imprints = &subject->sweep->imprints;
    char hash[17] = "";
    out->slots.elements[s] = moments->elements;
    out->slots.nonfinite[s] = moments->nonfinite;
    out->slots.sum[s] = moments->sum;
    out->slots.squares[s] = moments->squares;
    out->slots.minimum[s] = moments->minimum;
    out->slots.maximum[s] = moments->maximum;
    out->slots.rounding[s] = moments->rounding;
    if (moments->elements > 0)
        snprintf(hash, sizeof hash, "%016" PRIx64, imprints->values[i]);
    memcpy(out->slots.sketch + s * imprints->sketch, imprints->sketches + i * imprints->sketch,
           (size_t)imprints->sketch * sizeof(float));
    out->slots.panel_scale[s] = 0;
    if (imprints->first[i + 1] > imprints->first[i]) {
        out->slots.panel_first[s] = imprints->first[i];
        cg_row_pack(out->slots.panel + imprints->first[i], &out->slots.panel_scale[s],
                    imprints->panels + imprints->first[i], imprints->first[i + 1] - imprints->first[i]);
    }
    if (put_hex(&out->slots.sha256[s], subject->sweep->digest[i], CG_SHA256, err) < 0)
        return -1;
    return cg_result_text(&out->slots.values_hash[s], hash, err);
}

static int take_slot(struct cg_fingerprint *out, const struct cg_print_subject *subject, int64_t s,
                     struct cg_err *err)
{
    const struct cg_slot *slot = &subject->anatomy->slots[s];
    const struct cg_member *member = cg_member_of(subject->anatomy, s, 0);
    const struct cg_place_in_bundle *place = &subject->plan->places[s];
    out->slots.layer[s] = slot->layer;
    out->slots.expert[s] = slot->expert;
    out->slots.rows[s] = member->rows;
    out->slots.columns[s] = member->columns;
    out->slots.tensor[s] = member->tensor;
    if (cg_result_text(&out->slots.name[s], slot->name, err) < 0 ||
        cg_result_text(&out->slots.role[s], cg_role_name(slot->role), err) < 0)
        return -1;
    return take_member(out, subject, s, subject->plan->bundles[place->bundle].first_member + place->position,
                       err);
}

static int take_slots(struct cg_fingerprint *out, const struct cg_print_subject *subject, struct cg_err *err)
{
    const struct cg_imprints *imprints = &subject->sweep->imprints;
    out->size[CG_PRINT_SLOT] = subject->anatomy->nslots;
    out->size[CG_PRINT_FEATURE] = imprints->sketch;
    out->size[CG_PRINT_ELEMENT] = imprints->first[subject->plan->nmembers];
    out->root.size_value[CG_PRINT_PANEL_NUMBER] = imprints->panel;
    if (cg_record_allocate(&cg_fingerprint_form, out, "/slots", err) < 0)
        return -1;
    for (int64_t s = 0; s < subject->anatomy->nslots; s++)
        if (take_slot(out, subject, s, err) < 0)
            return -1;
    return 0;
}

/* All that needs no more than what every rank has. */
static int take_own(struct cg_fingerprint *out, const struct cg_print_subject *subject, struct cg_err *err)
{
    if (cg_metadata_fill(out, subject->models[0], subject->architecture, err) < 0)
        return -1;
    return take_slots(out, subject, err);
}

int cg_fingerprint_take(const struct cg_comm *comm, const struct cg_print_subject *subject,
                        struct cg_fingerprint *out, int64_t *reread, struct cg_err *err)
{
    int64_t slot = cg_embedding_slot(subject->models, subject->anatomy, 0);
    const struct cg_member *embedding = slot < 0 ? NULL : cg_member_of(subject->anatomy, slot, 0);
    int result = -1;
    CG_TRY(cg_agree(comm, take_own(out, subject, err), err));
    CG_TRY(cg_print_vocabulary(comm, out, subject->vocabulary, embedding ? embedding->rows : 0,
                               embedding ? embedding->columns : 0, err));
    result = cg_print_samples(comm, out, subject, reread, err);
done:
    if (result < 0)
        cg_fingerprint_release(out);
    return result;
}
