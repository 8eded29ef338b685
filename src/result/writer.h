/* Writes a result as an HDF5 file, no more: publish.c makes it atomic. */
#ifndef COGNATE_RESULT_WRITER_H
#define COGNATE_RESULT_WRITER_H

#include "cognate/result.h"

/* Writes the whole file to an empty one. It is made in memory first: as much as the file is long, beyond the
 * result itself. The text of err does not name the file. */
int cg_result_write_to(int descriptor, const struct cg_result *result, struct cg_err *err);

#endif
