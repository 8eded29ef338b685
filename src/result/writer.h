/* Writes a record as an HDF5 file, no more: publish.c makes it atomic. */
#ifndef COGNATE_RESULT_WRITER_H
#define COGNATE_RESULT_WRITER_H

#include "schema.h"

/* Writes the whole file to an empty one. It is made in memory first: as much as the file is long, beyond the
 * record itself. The text of err does not name the file. */
int cg_form_write_to(const struct cg_form *form, const void *record, int descriptor, struct cg_err *err);

#endif
