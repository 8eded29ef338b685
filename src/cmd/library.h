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

/* Collective, agreed: reads and checks the metadata of every fingerprint of the folder, dealt over the ranks.
 */
int library_open(struct library *library, const struct cg_comm *comm, const char *folder, struct cg_err *err);

/* Moves the sound ones that have got an error since to the broken ones. Local. */
int library_set_apart(struct library *library, struct cg_err *err);
void library_release(struct library *library);

#endif
