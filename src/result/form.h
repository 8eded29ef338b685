/* Files of a form, whole: what kinds of file besides the result need to know of this folder. */
#ifndef COGNATE_RESULT_FORM_H
#define COGNATE_RESULT_FORM_H

#include "schema.h"

/* Writes the whole file to an empty one. It is made in memory first: as much as the file is long, beyond the
 * record itself. The text of err does not name the file. */
int cg_form_write_to(const struct cg_form *form, const void *record, int descriptor, struct cg_err *err);

/* Reads those variables of a file that are wanted (NULL: all) into a zeroed record, released on failure; err
 * names the file. */
int cg_form_read(const struct cg_form *form, bool (*wanted)(const struct cg_variable *), void *record,
                 const char *path, struct cg_err *err);

/* Checks all of a file as cg_result_verify does: the number of its datasets, or -1. The text does not name
 * the file. `record` is a zeroed one, left released. */
int cg_form_check(const struct cg_form *form, void *record, const char *path, struct cg_err *err);

/* Whether the file is HDF5 with the form's version in its root, whatever it is; or HDF5 that cannot be
 * opened, say because it was cut short: nothing then tells it from one of the form. */
bool cg_form_recognise(const struct cg_form *form, const char *path);

/* Puts "PATH: " before the text of err and returns -1. */
int cg_blame_file(const char *path, struct cg_err *err);

#endif
