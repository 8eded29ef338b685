/* A folder of fingerprints. */
#ifndef COGNATE_CMD_LIBRARY_H
#define COGNATE_CMD_LIBRARY_H

#include "cognate/comm.h"
#include "cognate/manifest.h"
#include "cognate/text.h"

/* Every *.h5 of a folder and its sub-folders, by path; those whose names begin with a dot apart, and what is
 * no fingerprint. */
struct library {
    struct cg_manifest sound, broken; /* labels are those of the models, for broken ones the file's name */
    struct cg_buf *metadata;          /* [sound.n] packed checkpoints */
    struct cg_buf foreign;            /* paths of files that are no fingerprints, a line each */
};

/* Collective, agreed: reads every fingerprint of the folder once, dealt over the ranks, and checks it. */
int library_open(struct library *library, const struct cg_comm *comm, const char *folder, struct cg_err *err);
void library_release(struct library *library);

#endif
