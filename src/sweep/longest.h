/* Which rows of a matrix are the longest, found as the matrix passes by. Local. */
#ifndef COGNATE_SWEEP_LONGEST_H
#define COGNATE_SWEEP_LONGEST_H

#include "cognate/sweep.h"
#include "kernels.h"

/* The lists that are asked for, empty. They stay with the caller; the requests must outlive them. */
int cg_longest_init(struct cg_longest *longest, const struct cg_anatomy *anatomy,
                    const struct cg_sweep_options *options, struct cg_err *err);
void cg_longest_release(struct cg_longest *longest);

/* The rows of one matrix that is asked for, while it passes by. All zero to start with. */
struct cg_row_lengths {
    int64_t list;    /* in the lists; -1: the matrix is not asked for */
    int64_t columns; /* of the matrix */
    float *gain;     /* [columns] */
    double *squares; /* [rows] */
    int64_t rows;
};

/* Begins with a member of a slot; reads its gain, and adds what that took to longest->bytes_read. Fails as
 * cg_files_read does. */
struct cg_files;
int cg_row_lengths_begin(struct cg_row_lengths *lengths, struct cg_longest *longest, struct cg_files *files,
                         const struct cg_checkpoint *const *models, const struct cg_anatomy *anatomy,
                         int64_t slot, int model, struct cg_err *err);

/* Takes n values from element `first` of the matrix on. */
void cg_row_lengths_add(struct cg_row_lengths *lengths, int64_t first, struct cg_values values, int64_t n);

/* Writes the list. */
int cg_row_lengths_end(struct cg_row_lengths *lengths, struct cg_longest *longest, struct cg_err *err);
void cg_row_lengths_release(struct cg_row_lengths *lengths);

#endif
