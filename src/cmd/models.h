/* The models of a command, opened: metadata, architectures, and their common anatomy. What is broken shows
 * here, before any weight is read: cut or missing files, and sizes that contradict config.json. */
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

/* Reads the metadata of every model in the manifest, and takes its architecture. Models that cannot be used
 * go from the manifest to *broken (all zero before), each with its error; *models are the others. -1 only for
 * want of memory. Local: rank 0. Released on failure. */
int cg_models_open(struct cg_models *models, struct cg_manifest *manifest, struct cg_manifest *broken,
                   struct cg_err *err);

/* Prints what is wrong with each broken model, a line each, and returns -1 with `outcome` as the last. NULL:
 * how many they are; the error of one alone is then all there is to say. */
int cg_models_refuse(const struct cg_manifest *broken, const char *outcome, struct cg_err *err);

/* The compact form for the other ranks, and back, with the architectures taken anew. */
int cg_models_pack(const struct cg_models *models, struct cg_buf *buf, struct cg_err *err);
int cg_models_unpack(struct cg_models *models, struct cg_unpacker *from, struct cg_err *err);

/* The anatomy of all, from the metadata. Pure: the same on every rank. */
int cg_models_study(struct cg_models *models, struct cg_err *err);

void cg_models_release(struct cg_models *models);

#endif
