#include "cognate/anatomy.h"
#include "cognate/mem.h"
#include "names.h"
#include <stdlib.h>
#include <string.h>

/* One tensor of one model and where it belongs. */
struct entry {
    struct cg_site site;
    int32_t model, tensor;
    const char *name; /* the tensor's own */
};

/* Canonical order of slots. Roles are listed by place, `other` last. */
static int compare_slots(const struct entry *a, const struct entry *b)
{
    enum cg_place p = cg_role_place(a->site.role), q = cg_role_place(b->site.role);
    if (p != q)
        return p < q ? -1 : 1;
    if (a->site.layer != b->site.layer)
        return a->site.layer < b->site.layer ? -1 : 1;
    if (a->site.role != b->site.role)
        return a->site.role < b->site.role ? -1 : 1;
    if (a->site.expert != b->site.expert)
        return a->site.expert < b->site.expert ? -1 : 1;
    return a->site.role == CG_ROLE_OTHER ? strcmp(a->name, b->name) : 0;
}

/* Within a slot by model, then by the tensor's name (tensors are sorted by name). */
static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = compare_slots(a, b);
    if (order == 0)
        order = (a->model > b->model) - (a->model < b->model);
    return order != 0 ? order : (a->tensor > b->tensor) - (a->tensor < b->tensor);
}

static void site_tensors(struct entry *entries, const struct cg_checkpoint *const *models, int nmodels)
{
    size_t n = 0;
    for (int m = 0; m < nmodels; m++) {
        struct cg_naming naming = cg_naming_of(models[m]);
        for (size_t t = 0; t < models[m]->ntensors; t++) {
            const char *name = models[m]->tensors[t].name;
            entries[n++] = (struct entry){cg_site_of(naming, name), m, (int32_t)t, name};
        }
    }
}

/* Sorts entries into slots. Of two tensors of one model for one slot, the second goes to `other`. */
static void sort_entries(struct entry *entries, size_t n)
{
    qsort(entries, n, sizeof *entries, compare_entries);
    bool moved = false;
    const struct entry *first = entries; /* of this model in this slot */
    for (size_t i = 1; i < n; i++) {
        if (entries[i].model == first->model && compare_slots(&entries[i], first) == 0) {
            entries[i].site = (struct cg_site){CG_ROLE_OTHER, -1, -1};
            moved = true;
        } else {
            first = &entries[i];
        }
    }
    if (moved)
        qsort(entries, n, sizeof *entries, compare_entries);
}

static struct cg_member member_of(const struct cg_tensor *tensor, int32_t index)
{
    struct cg_member member = {.tensor = index, .rows = 1, .columns = 1};
    if (tensor->axes == 1)
        member.columns = tensor->shape[0];
    if (tensor->axes >= 2) {
        member.rows = tensor->shape[0];
        member.columns = tensor->shape[1];
    }
    /* With no rows the product of the other axes may be anything, even too large. */
    if (tensor->axes > 2)
        member.columns = member.rows > 0 ? tensor->elements / member.rows : 0;
    return member;
}

static char *canonical_name(const struct entry *entry, struct cg_err *err)
{
    struct cg_buf name = {0};
    const char *role = cg_role_name(entry->site.role);
    int result;
    if (entry->site.role == CG_ROLE_OTHER)
        result = cg_buf_printf(&name, err, "%s", entry->name);
    else if (entry->site.layer < 0)
        result = cg_buf_printf(&name, err, "%s", role);
    else if (entry->site.expert < 0)
        result = cg_buf_printf(&name, err, "layers.%d.%s", entry->site.layer, role);
    else
        result =
            cg_buf_printf(&name, err, "layers.%d.experts.%d.%s", entry->site.layer, entry->site.expert, role);
    if (result < 0)
        cg_buf_release(&name);
    return name.data;
}

static int fill_slots(struct cg_anatomy *out, const struct entry *entries, size_t n,
                      const struct cg_checkpoint *const *models, struct cg_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || compare_slots(&entries[i - 1], &entries[i]) != 0) {
            char *name = canonical_name(&entries[i], err);
            if (!name)
                return -1;
            const struct cg_site *site = &entries[i].site;
            out->slots[out->nslots++] = (struct cg_slot){site->role, site->layer, site->expert, name};
            for (int m = 0; m < out->models; m++)
                out->members[(out->nslots - 1) * out->models + m].tensor = -1;
        }
        int model = entries[i].model;
        out->members[(out->nslots - 1) * out->models + model] =
            member_of(&models[model]->tensors[entries[i].tensor], entries[i].tensor);
    }
    return 0;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* A tensor that no row knows may be called like a canonical slot, "final.norm". It then gets the prefix
 * "other.", and so that names stay unique, everything that begins so gets it once more. */
static int separate_names(struct cg_anatomy *anatomy, struct cg_err *err)
{
    size_t known = 0, nslots = (size_t)anatomy->nslots;
    while (known < nslots && anatomy->slots[known].role != CG_ROLE_OTHER)
        known++;
    char **names = cg_new(known, sizeof *names, err);
    if (!names)
        return -1;
    for (size_t i = 0; i < known; i++)
        names[i] = anatomy->slots[i].name;
    qsort(names, known, sizeof *names, compare_names);
    int result = 0;
    for (size_t i = known; i < nslots && result == 0; i++) {
        struct cg_slot *slot = &anatomy->slots[i];
        if (!cg_starts_with(slot->name, "other.") &&
            !bsearch(&slot->name, names, known, sizeof *names, compare_names))
            continue;
        struct cg_buf name = {0};
        result = cg_buf_printf(&name, err, "other.%s", slot->name);
        if (result < 0) {
            cg_buf_release(&name);
        } else {
            free(slot->name);
            slot->name = name.data;
        }
    }
    free(names);
    return result;
}

static bool may_tie(const struct cg_config *config)
{
    return config->tied == 1 || (config->tied < 0 && cg_ends_with(config->architecture, "ForCausalLM"));
}

static int64_t find_role(const struct cg_anatomy *anatomy, enum cg_role role)
{
    for (int64_t s = 0; s < anatomy->nslots; s++)
        if (anatomy->slots[s].role == role)
            return s;
    return -1;
}

static void tie_embeddings(struct cg_anatomy *out, const struct cg_checkpoint *const *models)
{
    int64_t embed = find_role(out, CG_ROLE_EMBED), head = find_role(out, CG_ROLE_LM_HEAD);
    if (embed < 0 || head < 0)
        return;
    for (int m = 0; m < out->models; m++) {
        struct cg_member *member = &out->members[head * out->models + m];
        const struct cg_member *source = cg_member_of(out, embed, m);
        if (member->tensor < 0 && source->tensor >= 0 && may_tie(&models[m]->config)) {
            *member = *source;
            member->tied = true;
        }
    }
}

static size_t count_slots(const struct entry *entries, size_t n)
{
    size_t count = n > 0;
    for (size_t i = 1; i < n; i++)
        count += compare_slots(&entries[i - 1], &entries[i]) != 0;
    return count;
}

int cg_anatomy_build(struct cg_anatomy *out, const struct cg_checkpoint *const *models, int nmodels,
                     struct cg_err *err)
{
    int result = -1;
    size_t n = 0;
    for (int m = 0; m < nmodels; m++)
        n += models[m]->ntensors;
    *out = (struct cg_anatomy){.models = nmodels};
    struct entry *entries = cg_new(n, sizeof *entries, err);
    if (!entries)
        goto done;
    site_tensors(entries, models, nmodels);
    sort_entries(entries, n);
    size_t nslots = count_slots(entries, n);
    out->slots = cg_new(nslots, sizeof *out->slots, err);
    out->members = cg_new(nslots, (size_t)nmodels * sizeof *out->members, err);
    if (!out->slots || !out->members)
        goto done;
    CG_TRY(fill_slots(out, entries, n, models, err));
    CG_TRY(separate_names(out, err));
    tie_embeddings(out, models);
    result = 0;
done:
    free(entries);
    if (result < 0)
        cg_anatomy_release(out);
    return result;
}

void cg_anatomy_release(struct cg_anatomy *anatomy)
{
    for (int64_t s = 0; s < anatomy->nslots; s++)
        free(anatomy->slots[s].name);
    free(anatomy->slots);
    free(anatomy->members);
    *anatomy = (struct cg_anatomy){0};
}

bool cg_ties_embeddings(const struct cg_checkpoint *model)
{
    bool embed = false;
    for (size_t t = 0; t < model->ntensors; t++) {
        enum cg_role role = cg_site_of((struct cg_naming){0}, model->tensors[t].name).role;
        if (role == CG_ROLE_LM_HEAD)
            return false;
        embed = embed || role == CG_ROLE_EMBED;
    }
    return embed && may_tie(&model->config);
}
