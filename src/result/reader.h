/* Opens result files: what the reader and the verifier share. */
#ifndef COGNATE_RESULT_READER_H
#define COGNATE_RESULT_READER_H

#include "cognate/result.h"
#include "h5.h"

/* Opens `path` for reading, or -1: it must be a regular HDF5 file of this schema whose /run says complete.
 * Fills the sizes and the attributes of result, all but the variables; a file without /pca has no
 * pca_features and sizes 0 there. The texts of err here do not name the file. */
hid_t cg_result_open(struct cg_result *result, const char *path, struct cg_err *err);

/* The open dataset, or -1 when it is missing or has another type or shape than the schema and the sizes say.
 */
hid_t cg_result_open_variable(hid_t file, const struct cg_variable *variable, const struct cg_result *result,
                              struct cg_err *err);

/* The bytes of a dataset, checked against its SHA-256. `name` is for err. On the heap; never more is
 * allocated than the file can hold. */
char *cg_result_load(hid_t file, hid_t dataset, const char *name, size_t *size, struct cg_err *err);

/* cg_result_verify, with a text that does not name the file. */
int cg_result_check(const char *path, struct cg_err *err);

#endif
