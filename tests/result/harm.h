/* What can happen to a file of results or fingerprints after it was written. A harm takes the path and the
 * name of what it strikes; it asserts (cmocka's) on failure. */
#ifndef COGNATE_TESTS_RESULT_HARM_H
#define COGNATE_TESTS_RESULT_HARM_H

#include "cognate/err.h"
#include <hdf5.h>
#include <stdbool.h>
#include <sys/types.h>

struct harm {
    void (*harm)(const char *path, const char *name);
    const char *name;
    enum cg_code code;
    const char *text; /* what stands in the error */
    bool only_verify; /* the reader does not read what was harmed */
};

/* Both must name the file first, then say the text; only_verify: the reader succeeds. Each returns -1 on
 * failure; read releases what it has read. Fails the test with the number of the row. */
void harm_check(const struct harm *row, size_t number, const char *path,
                int (*verify)(const char *path, struct cg_err *err),
                int (*read)(const char *path, struct cg_err *err));

/* The open file, to be changed. */
hid_t harm_open(const char *path);

/* One bit of the byte there. */
void harm_flip_at(const char *path, off_t offset);

/* NAME is a dataset. */
void harm_flip_in(const char *path, const char *name);
void harm_wrong_type(const char *path, const char *name);
void harm_transposed(const char *path, const char *name); /* of two axes that differ */
void harm_flattened(const char *path, const char *name);
void harm_too_many_axes(const char *path, const char *name);
void harm_no_hash(const char *path, const char *name);

/* A few bytes that claim to be 8 EB of texts. */
void harm_huge_claim(const char *path, const char *name);

/* NAME is a link; an attribute of the root; the root's attribute with the version. */
void harm_no_link(const char *path, const char *name);
void harm_no_attribute(const char *path, const char *name);
void harm_next_version(const char *path, const char *name);

/* To NAME percent of its length. */
void harm_cut(const char *path, const char *name);

/* NAME is not looked at. */
void harm_nothing(const char *path, const char *name);
void harm_flip_signature(const char *path, const char *name);
void harm_no_status(const char *path, const char *name);
void harm_other_status(const char *path, const char *name);
void harm_other_format(const char *path, const char *name);
void harm_no_file(const char *path, const char *name);
void harm_a_folder(const char *path, const char *name);
void harm_a_fifo(const char *path, const char *name);

#endif
