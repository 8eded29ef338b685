/* The models of a command, opened: metadata, architectures, and their common anatomy. */
#ifndef COGNATE_CMD_MODELS_H
#define COGNATE_CMD_MODELS_H

#include "cognate/anatomy.h"
#include "cognate/checkpoint.h"
#include "cognate/manifest.h"

struct cg_models {
    int n;
    struct cg_checkpoint *checkpoints;     /* [n] */
    const struct cg_checkpoint **pointers; /* [n] the same, as the stages want them */
    struct cg_architecture *architectures; /* [n] */
    struct cg_anatomy anatomy;
};

/* Reads the metadata of every model in the manifest. Local: rank 0. Released on failure. */
int cg_models_open(struct cg_models *models, const struct cg_manifest *manifest, struct cg_err *err);

/* The compact form for the other ranks, and back. */
int cg_models_pack(const struct cg_models *models, struct cg_buf *buf, struct cg_err *err);
int cg_models_unpack(struct cg_models *models, struct cg_unpacker *from, struct cg_err *err);

/* Architectures and anatomy, from the metadata. Pure: the same on every rank. */
int cg_models_study(struct cg_models *models, struct cg_err *err);

void cg_models_release(struct cg_models *models);

#endif
