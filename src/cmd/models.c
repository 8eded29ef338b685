#include "models.h"
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

static int open_one(struct cg_checkpoint *checkpoint, const struct cg_entry *entry, struct cg_err *err)
{
    if (cg_checkpoint_open(checkpoint, entry->path, err) < 0 ||
        set_text(&checkpoint->label, entry->label, err) < 0 ||
        set_text(&checkpoint->family, entry->family, err) < 0)
        return -1;
    return set_text(&checkpoint->role, entry->role, err);
}

int cg_models_open(struct cg_models *models, const struct cg_manifest *manifest, struct cg_err *err)
{
    int result = allocate(models, manifest->n, err);
    for (size_t m = 0; m < manifest->n && result == 0; m++)
        result = open_one(&models->checkpoints[m], &manifest->entries[m], err);
    if (result < 0)
        cg_models_release(models);
    return result;
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
    for (int m = 0; m < models->n && result == 0; m++)
        result = cg_checkpoint_unpack(&models->checkpoints[m], from, err);
    if (result < 0)
        cg_models_release(models);
    return result;
}

int cg_models_study(struct cg_models *models, struct cg_err *err)
{
    for (int m = 0; m < models->n; m++)
        if (cg_architecture_of(&models->architectures[m], &models->checkpoints[m], err) < 0)
            return -1;
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
