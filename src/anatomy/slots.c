#include "coded.h"
#include "cognate/anatomy.h"
#include "cognate/mem.h"
#include "cuts.h"
#include "names.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One tensor of one model, or one part of it, and where it belongs. */
struct entry {
    struct cg_site site;
    int32_t model, tensor;
    const char *name; /* the tensor's own */
    int64_t rows, columns;
    int64_t view;      /* into the anatomy's views; -1: the tensor as it lies */
    int64_t quantised; /* into the anatomy's; -1: values */
    struct cg_grain grain;
};

struct entries {
    struct entry *list;
    size_t n, capacity;
    size_t views, views_capacity; /* of the anatomy */
    size_t quantised, quantised_capacity;
    struct cg_coded_list *coded; /* [models] */
    bool kv_halves;              /* some model has kv_b in two */
    bool *whole;                 /* [tensors of all models] has to stay whole */
    size_t *first_tensor;        /* [models] a model's first in that */
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

static int add_entry(struct entries *entries, const struct entry *entry, struct cg_err *err)
{
    if (cg_grow((void **)&entries->list, &entries->capacity, entries->n + 1, sizeof *entries->list, err) < 0)
        return -1;
    entries->list[entries->n++] = *entry;
    return 0;
}

static int add_view(struct entries *entries, struct cg_anatomy *out, struct entry *entry, struct cg_view view,
                    struct cg_err *err)
{
    if (cg_grow((void **)&out->views, &entries->views_capacity, entries->views + 1, sizeof *out->views, err) <
        0)
        return -1;
    out->views[entries->views] = view;
    entry->view = (int64_t)entries->views++;
    return 0;
}

/* A vector has one row; axes beyond the second fold into the columns. */
static void fold_shape(struct entry *entry, const struct cg_tensor *tensor)
{
    entry->rows = tensor->axes >= 2 ? tensor->shape[0] : 1;
    entry->columns = tensor->axes >= 2 ? tensor->shape[1] : tensor->elements;
    /* With no rows the product of the other axes may be anything, even too large. */
    if (tensor->axes > 2)
        entry->columns = entry->rows > 0 ? tensor->elements / entry->rows : 0;
}

static int add_whole(struct entries *entries, struct cg_anatomy *out, struct entry entry,
                     const struct cg_tensor *tensor, bool other, struct cg_err *err)
{
    if (other)
        entry.site = (struct cg_site){.role = CG_ROLE_OTHER, .layer = -1, .expert = -1};
    entry.view = entry.quantised = -1;
    entry.grain = cg_dtype_grain(tensor->dtype);
    fold_shape(&entry, tensor);
    if (tensor->stride && add_view(entries, out, &entry, cg_strided_view(tensor), err) < 0)
        return -1;
    return add_entry(entries, &entry, err);
}

static void set_part(struct entry *entry, const struct cg_parts *parts, int64_t expert, int part)
{
    entry->site.role = parts->part[part].role;
    entry->rows = parts->part[part].rows;
    entry->columns = parts->part[part].columns;
    if (entry->site.cut.stack == CG_STACK_AXIS || entry->site.cut.stack == CG_STACK_ROWS)
        entry->site.expert = (int32_t)expert;
}

static int add_parts(struct entries *entries, struct cg_anatomy *out, struct entry entry,
                     const struct cg_tensor *tensor, const struct cg_parts *parts, struct cg_err *err)
{
    entry.quantised = -1;
    entry.grain = cg_dtype_grain(tensor->dtype);
    for (int64_t e = 0; e < parts->experts; e++)
        for (int p = 0; p < parts->per_expert; p++) {
            set_part(&entry, parts, e, p);
            if (add_view(entries, out, &entry, cg_part_view(parts, e, p), err) < 0 ||
                add_entry(entries, &entry, err) < 0)
                return -1;
        }
    return 0;
}

/* A quantised member: the view of its codes, and how they are decoded. */
static int add_coded(struct entries *entries, struct cg_anatomy *out, struct entry *entry,
                     const struct cg_coded_matrix *matrix, const struct cg_view *part, bool *apart,
                     struct cg_err *err)
{
    struct cg_quantised how;
    struct cg_view codes;
    *apart = cg_coded_part(&how, &codes, matrix, part);
    if (!*apart)
        return 0;
    if (cg_grow((void **)&out->quantised, &entries->quantised_capacity, entries->quantised + 1,
                sizeof *out->quantised, err) < 0 ||
        add_view(entries, out, entry, codes, err) < 0)
        return -1;
    out->quantised[entries->quantised] = how;
    entry->quantised = (int64_t)entries->quantised++;
    entry->rows = how.rows;
    entry->columns = how.columns;
    entry->grain = matrix->grain;
    return add_entry(entries, entry, err);
}

static int add_coded_parts(struct entries *entries, struct cg_anatomy *out, struct entry entry,
                           const struct cg_coded_matrix *matrix, const struct cg_parts *parts, bool *apart,
                           struct cg_err *err)
{
    for (int64_t e = 0; e < parts->experts; e++)
        for (int p = 0; p < parts->per_expert; p++) {
            const struct cg_view view = cg_part_view(parts, e, p);
            set_part(&entry, parts, e, p);
            if (add_coded(entries, out, &entry, matrix, &view, apart, err) < 0)
                return -1;
            if (!*apart)
                return 0;
        }
    return 0;
}

/* Tensors of one model that were to be cut and could not be: the first, why, and how many. */
struct uncut {
    const char *name;
    char why[96];
    int64_t n;
};

static int warn_uncut(struct cg_anatomy *out, int model, const struct uncut *uncut, struct cg_err *err)
{
    char name[256];
    cg_printable(name, sizeof name, uncut->name);
    if (uncut->n == 1)
        return cg_buf_printf(&out->warnings[model], err, "%s: %s; it stays whole\n", name, uncut->why);
    return cg_buf_printf(&out->warnings[model], err, "%s: %s; it and %" PRId64 " more tensors stay whole\n",
                         name, uncut->why, uncut->n - 1);
}

static int stay_whole(struct entries *entries, struct cg_anatomy *out, const struct entry *entry,
                      const struct cg_tensor *tensor, struct uncut *uncut, const char *why,
                      struct cg_err *err)
{
    if (uncut->n++ == 0) {
        uncut->name = entry->name;
        snprintf(uncut->why, sizeof uncut->why, "%s", why);
    }
    return add_whole(entries, out, *entry, tensor, true, err);
}

static bool *is_whole(const struct entries *entries, int model, int32_t tensor)
{
    return &entries->whole[entries->first_tensor[model] + (size_t)tensor];
}

static int site_tensor(struct entries *entries, struct cg_anatomy *out, const struct cg_checkpoint *model,
                       const struct entry *entry, struct uncut *uncut, struct cg_err *err)
{
    struct cg_parts parts;
    const char *why;
    const struct cg_tensor *tensor = &model->tensors[entry->tensor];
    if (*is_whole(entries, entry->model, entry->tensor))
        return add_whole(entries, out, *entry, tensor, true, err);
    if (!cg_is_cut(&entry->site))
        return add_whole(entries, out, *entry, tensor, false, err);
    if (cg_cut(&parts, &entry->site, tensor, model, false, &why, err) < 0)
        return -1;
    return why ? stay_whole(entries, out, entry, tensor, uncut, why, err)
               : add_parts(entries, out, *entry, tensor, &parts, err);
}

/* Where the weight that the codes stand for belongs. They are stored (out, in), whatever their model does. */
static int site_coded(struct entries *entries, struct cg_anatomy *out, const struct cg_naming *naming,
                      const struct cg_coded_matrix *matrix, struct entry entry, const char **why,
                      struct cg_err *err)
{
    char name[1024];
    const struct cg_tensor plain = cg_coded_plain(matrix, name, sizeof name);
    const size_t n = entries->n, views = entries->views, quantised = entries->quantised;
    struct cg_parts parts;
    bool apart = true;
    entry.site = cg_site_of(naming, name);
    entry.site.cut.transposed = entry.site.cut.either = false;
    if (!cg_is_cut(&entry.site)) {
        if (add_coded(entries, out, &entry, matrix, NULL, &apart, err) < 0)
            return -1;
    } else if (cg_cut(&parts, &entry.site, &plain, matrix->model, true, why, err) < 0) {
        return -1;
    } else if (!*why && add_coded_parts(entries, out, entry, matrix, &parts, &apart, err) < 0) {
        return -1;
    }
    if (apart)
        return 0;
    *why = "of parts that share scales or words";
    entries->n = n;
    entries->views = views;
    entries->quantised = quantised;
    return 0;
}

/* A weight's codes with their sides; these stay by themselves when it does. */
static int take_coded(struct entries *entries, struct cg_anatomy *out, const struct cg_naming *naming,
                      struct cg_coded *coded, struct entry *entry, struct uncut *uncut,
                      const struct cg_checkpoint *model, struct cg_err *err)
{
    struct cg_coded_matrix matrix;
    char lacks[64];
    const char *why = NULL;
    const struct cg_tensor *tensor = &model->tensors[entry->tensor];
    coded->whole = true;
    if (*is_whole(entries, entry->model, entry->tensor))
        return add_whole(entries, out, *entry, tensor, true, err);
    snprintf(lacks, sizeof lacks, "codes without their %s", coded->lacks ? coded->lacks : "");
    if (coded->lacks)
        why = lacks;
    else
        cg_coded_describe(&matrix, model, coded, &why);
    if (!why && site_coded(entries, out, naming, &matrix, *entry, &why, err) < 0)
        return -1;
    coded->whole = why != NULL;
    return why ? stay_whole(entries, out, entry, tensor, uncut, why, err) : 0;
}

static struct entry entry_of(const struct cg_checkpoint *model, int m, int32_t tensor,
                             const struct cg_naming *naming)
{
    const char *name = model->tensors[tensor].name;
    return (struct entry){.site = cg_site_of(naming, name), .model = m, .tensor = tensor, .name = name};
}

static int list_model(struct entries *entries, struct cg_anatomy *out, const struct cg_checkpoint *model,
                      int m, struct cg_err *err)
{
    struct cg_naming naming = cg_naming_of(model);
    naming.kv_halves = entries->kv_halves;
    const struct cg_coded_list *list = &entries->coded[m];
    struct uncut uncut = {0};
    for (size_t c = 0; c < list->n; c++) {
        struct entry entry = entry_of(model, m, list->coded[c].tensor, &naming);
        if (take_coded(entries, out, &naming, &list->coded[c], &entry, &uncut, model, err) < 0)
            return -1;
    }
    for (size_t t = 0; t < model->ntensors; t++) {
        const struct cg_coded *owner = list->owner[t] < 0 ? NULL : &list->coded[list->owner[t]];
        struct entry entry = entry_of(model, m, (int32_t)t, &naming);
        bool listed = owner && (!owner->whole || owner->tensor == (int32_t)t);
        if (!listed && site_tensor(entries, out, model, &entry, &uncut, err) < 0)
            return -1;
    }
    cg_buf_release(&out->warnings[m]); /* of an earlier listing */
    return uncut.n > 0 ? warn_uncut(out, m, &uncut, err) : 0;
}

static int list_entries(struct entries *entries, struct cg_anatomy *out,
                        const struct cg_checkpoint *const *models, struct cg_err *err)
{
    entries->n = entries->views = entries->quantised = 0;
    for (int m = 0; m < out->models; m++)
        if (list_model(entries, out, models[m], m, err) < 0)
            return -1;
    return 0;
}

/* Of two tensors of one model for one slot, the second stays whole and goes to `other`. Whether there was
 * one. */
static bool mark_losers(struct entries *entries)
{
    bool found = false;
    const struct entry *first = entries->list; /* of this model in this slot */
    for (size_t i = 1; i < entries->n; i++) {
        const struct entry *entry = &entries->list[i];
        if (entry->model == first->model && compare_slots(entry, first) == 0) {
            entries->whole[entries->first_tensor[entry->model] + (size_t)entry->tensor] = true;
            found = true;
        } else {
            first = entry;
        }
    }
    return found;
}

/* All entries in the order of slots. The winners of the first listing cannot meet again in the second. */
static int sort_entries(struct entries *entries, struct cg_anatomy *out,
                        const struct cg_checkpoint *const *models, struct cg_err *err)
{
    do {
        if (list_entries(entries, out, models, err) < 0)
            return -1;
        if (entries->n > 0)
            qsort(entries->list, entries->n, sizeof *entries->list, compare_entries);
    } while (mark_losers(entries));
    return 0;
}

static struct cg_member member_of(const struct cg_anatomy *anatomy, const struct entry *entry,
                                  const struct cg_tensor *tensor)
{
    struct cg_member member = {.tensor = entry->tensor,
                               .rows = entry->rows,
                               .columns = entry->columns,
                               .grain = entry->grain,
                               .bytes = tensor->bytes};
    if (entry->view >= 0) {
        member.view = &anatomy->views[entry->view];
        member.bytes = cg_grain_bytes(member.grain, member.rows * member.columns);
    }
    if (entry->quantised >= 0) {
        member.quantised = &anatomy->quantised[entry->quantised];
        member.bytes += member.quantised->side_bytes;
    }
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
            out->slots[out->nslots++] =
                (struct cg_slot){site->role, site->layer, site->expert, name, site->buffer};
            for (int m = 0; m < out->models; m++)
                out->members[(out->nslots - 1) * out->models + m].tensor = -1;
        }
        int model = entries[i].model;
        out->members[(out->nslots - 1) * out->models + model] =
            member_of(out, &entries[i], &models[model]->tensors[entries[i].tensor]);
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

static int begin_entries(struct entries *entries, const struct cg_checkpoint *const *models, int nmodels,
                         struct cg_err *err)
{
    size_t n = 0;
    if (!(entries->first_tensor = cg_new((size_t)nmodels, sizeof *entries->first_tensor, err)))
        return -1;
    for (int m = 0; m < nmodels; m++) {
        entries->first_tensor[m] = n;
        entries->kv_halves = entries->kv_halves || cg_has_kv_halves(models[m]);
        n += models[m]->ntensors;
    }
    entries->whole = cg_new(n, sizeof *entries->whole, err);
    entries->coded = cg_new((size_t)nmodels, sizeof *entries->coded, err);
    if (!entries->whole || !entries->coded)
        return -1;
    for (int m = 0; m < nmodels; m++)
        if (cg_coded_find(&entries->coded[m], models[m], err) < 0)
            return -1;
    return 0;
}

int cg_anatomy_build(struct cg_anatomy *out, const struct cg_checkpoint *const *models, int nmodels,
                     struct cg_err *err)
{
    int result = -1;
    struct entries entries = {0};
    *out = (struct cg_anatomy){.models = nmodels};
    if (!(out->warnings = cg_new((size_t)nmodels, sizeof *out->warnings, err)))
        goto done;
    CG_TRY(begin_entries(&entries, models, nmodels, err));
    CG_TRY(sort_entries(&entries, out, models, err));
    size_t nslots = count_slots(entries.list, entries.n);
    out->slots = cg_new(nslots, sizeof *out->slots, err);
    out->members = cg_new(nslots, (size_t)nmodels * sizeof *out->members, err);
    if (!out->slots || !out->members)
        goto done;
    CG_TRY(fill_slots(out, entries.list, entries.n, models, err));
    CG_TRY(separate_names(out, err));
    tie_embeddings(out, models);
    result = 0;
done:
    for (int m = 0; entries.coded && m < nmodels; m++)
        cg_coded_release(&entries.coded[m]);
    free(entries.coded);
    free(entries.list);
    free(entries.whole);
    free(entries.first_tensor);
    if (result < 0)
        cg_anatomy_release(out);
    return result;
}

const struct cg_member *cg_embedding_of(const struct cg_anatomy *anatomy, int model)
{
    for (int64_t s = 0; s < anatomy->nslots; s++)
        if (anatomy->slots[s].role == CG_ROLE_EMBED && cg_member_of(anatomy, s, model)->tensor >= 0)
            return cg_member_of(anatomy, s, model);
    return NULL;
}

void cg_anatomy_release(struct cg_anatomy *anatomy)
{
    for (int64_t s = 0; s < anatomy->nslots; s++)
        free(anatomy->slots[s].name);
    for (int m = 0; anatomy->warnings && m < anatomy->models; m++)
        cg_buf_release(&anatomy->warnings[m]);
    free(anatomy->slots);
    free(anatomy->members);
    free(anatomy->views);
    free(anatomy->quantised);
    free(anatomy->warnings);
    *anatomy = (struct cg_anatomy){0};
}

bool cg_ties_embeddings(const struct cg_checkpoint *model)
{
    const struct cg_naming naming = {0};
    bool embed = false;
    for (size_t t = 0; t < model->ntensors; t++) {
        enum cg_role role = cg_site_of(&naming, model->tensors[t].name).role;
        if (role == CG_ROLE_LM_HEAD)
            return false;
        embed = embed || role == CG_ROLE_EMBED;
    }
    return embed && may_tie(&model->config);
}
