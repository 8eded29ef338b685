#include "models.h"
#include "cognate/log.h"
#include "cognate/mem.h"
#include <stdlib.h>
#include <string.h>

static int allocate(struct cg_models *models, size_t n, struct cg_err *err)
{
    *models = (struct cg_models){.n = (int)n};
    if (!(models->checkpoints = cg_new(n, sizeof *models->checkpoints, err)) ||
        !(models->pointers = cg_new(n, sizeof *models->pointers, err)) ||
        !(models->architectures = cg_new(n, sizeof *models->architectures, err)))
        return -1;
    for (size_t m = 0; m < n; m++)
        models->pointers[m] = &models->checkpoints[m];
    return 0;
}

static int set_text(char **to, const char *text, struct cg_err *err)
{
    free(*to);
    *to = cg_copy_text(text, strlen(text), err);
    return *to ? 0 : -1;
}

/* Opens a model at the end of those that are sound. */
static int open_one(struct cg_models *models, const struct cg_entry *entry, struct cg_err *err)
{
    struct cg_checkpoint *checkpoint = &models->checkpoints[models->n];
    CG_TRY(cg_checkpoint_open(checkpoint, entry->path, err));
    CG_TRY(set_text(&checkpoint->label, entry->label, err));
    CG_TRY(set_text(&checkpoint->family, entry->family, err));
    CG_TRY(set_text(&checkpoint->role, entry->role, err));
    CG_TRY(cg_architecture_of(&models->architectures[models->n], checkpoint, err));
    models->n++;
    return 0;
done:
    cg_checkpoint_release(checkpoint);
    return -1;
}

int cg_models_open(struct cg_models *models, struct cg_manifest *manifest, struct cg_manifest *broken,
                   struct cg_err *err)
{
    int result = -1;
    CG_TRY(allocate(models, manifest->n, err));
    models->n = 0;
    for (size_t i = 0; i < manifest->n; i++) {
        struct cg_err own;
        if (open_one(models, &manifest->entries[i], &own) == 0)
            continue;
        if (own.code == CG_ENOMEM) {
            *err = own;
            goto done;
        }
        CG_TRY(cg_manifest_blame(manifest, i, own.text, err));
    }
    CG_TRY(cg_manifest_set_apart(manifest, broken, err));
    result = 0;
done:
    if (result < 0)
        cg_models_release(models);
    return result;
}

int cg_models_refuse(const struct cg_manifest *broken, const char *outcome, struct cg_err *err)
{
    if (broken->n == 1 && !outcome)
        return cg_fail(err, CG_EFORMAT, "%s", broken->entries[0].error);
    for (size_t i = 0; i < broken->n; i++)
        cg_log_error(broken->entries[i].error);
    return outcome ? cg_fail(err, CG_EFORMAT, "%s", outcome)
                   : cg_fail(err, CG_EFORMAT, "%zu models are broken", broken->n);
}

int cg_models_pack(const struct cg_models *models, struct cg_buf *buf, struct cg_err *err)
{
    int result = cg_pack_int(buf, models->n, err);
    for (int m = 0; m < models->n && result == 0; m++)
        result = cg_checkpoint_pack(&models->checkpoints[m], buf, err);
    return result;
}

int cg_models_unpack(struct cg_models *models, struct cg_unpacker *from, struct cg_err *err)
{
    int result = allocate(models, (size_t)cg_unpack_int(from), err);
    for (int m = 0; m < models->n && result == 0; m++) {
        result = cg_checkpoint_unpack(&models->checkpoints[m], from, err);
        if (result == 0)
            result = cg_architecture_of(&models->architectures[m], &models->checkpoints[m], err);
    }
    if (result < 0)
        cg_models_release(models);
    return result;
}

int cg_models_study(struct cg_models *models, struct cg_err *err)
{
    return cg_anatomy_build(&models->anatomy, models->pointers, models->n, err);
}

void cg_models_release(struct cg_models *models)
{
    cg_anatomy_release(&models->anatomy);
    for (int m = 0; models->checkpoints && m < models->n; m++)
        cg_checkpoint_release(&models->checkpoints[m]);
    free(models->checkpoints);
    free(models->pointers);
    free(models->architectures);
    *models = (struct cg_models){0};
}
