/* Opens files of a form: what the reader and the verifier share. */
#ifndef COGNATE_RESULT_READER_H
#define COGNATE_RESULT_READER_H

#include "cognate/result.h"
#include "h5.h"

/* Opens `path` for reading, or -1: it must be a regular HDF5 file of this form and version whose /run says
 * complete. Fills the sizes and the attributes of the record, all but the variables; without its optional
 * group the sizes there are 0. The texts of err here do not name the file. */
hid_t cg_form_open(const struct cg_form *form, void *record, const char *path, struct cg_err *err);

/* The open dataset, or -1 when it is missing or has another type or shape than the form and the sizes say.
 */
hid_t cg_form_open_variable(hid_t file, const struct cg_variable *variable, const void *record,
                            struct cg_err *err);

/* The bytes of a dataset, checked against its SHA-256. `name` is for err. On the heap; never more is
 * allocated than the file can hold. */
char *cg_form_load(hid_t file, hid_t dataset, const char *name, size_t *size, struct cg_err *err);

#endif
