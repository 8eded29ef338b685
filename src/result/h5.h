/* What the writer and the reader of the result share on top of the HDF5 library. */
#ifndef COGNATE_RESULT_H5_H
#define COGNATE_RESULT_H5_H

#include "cognate/err.h"
#include "schema.h"
#include <hdf5.h>
#include <stddef.h>

enum { CG_H5_NAME = 128, CG_SHA256_HEX = 65 };

/* HDF5 prints its error stack unless told otherwise; between these two it does not. All use of HDF5 stands
 * between. */
struct cg_h5_quiet {
    H5E_auto2_t print;
    void *data;
};
struct cg_h5_quiet cg_h5_quiet_begin(void);
void cg_h5_quiet_end(struct cg_h5_quiet quiet);

/* 0, or -1 with "NAME: cannot DO: REASON" when `status` of the HDF5 call just made is negative. The reason is
 * the innermost one that the library knows, which for a refused write or read is the system's. */
int cg_h5_check(hid_t status, const char *name, const char *what, struct cg_err *err);

/* `result` when that is a failure already, which the text of err tells; else as cg_h5_check for a closing
 * call. */
int cg_h5_closed(int result, hid_t status, const char *name, struct cg_err *err);

/* The type of a variable's elements in the file and in memory; text is single characters. */
hid_t cg_h5_type(enum cg_type type);

/* "/tensors" and "cosine" as "/tensors/cosine". */
const char *cg_h5_path(char out[CG_H5_NAME], const char *group, const char *name);

/* The name of the dimension along the characters of texts of that width: strlen_64. */
void cg_h5_strlen_name(char out[CG_H5_NAME], hsize_t width);

/* SHA-256 of n bytes as 64 hex digits and a NUL. */
int cg_h5_sha256(const void *bytes, size_t n, char hex[CG_SHA256_HEX], struct cg_err *err);

/* Attributes: n values, a scalar when n is 1. Text is UTF-8 of any length; NULL is "". */
int cg_h5_write_values(hid_t object, const char *name, hid_t type, int n, const void *values,
                       struct cg_err *err);
int cg_h5_write_text(hid_t object, const char *name, const char *text, struct cg_err *err);
int cg_h5_read_text(hid_t object, const char *name, char **text, struct cg_err *err); /* on the heap */
int cg_h5_read_value(hid_t object, const char *name, hid_t type, void *value, struct cg_err *err);

/* Makes text valid UTF-8: any byte that is no part of it becomes `?`. */
void cg_h5_keep_utf8(char *text, size_t n);

/* Puts "PATH: " before the text of err and returns -1. */
int cg_h5_blame(const char *path, struct cg_err *err);

#endif
