/* What a person reads at the end, made from a result alone: the same text after `compare` and from `report`.
 */
#ifndef COGNATE_SUMMARY_H
#define COGNATE_SUMMARY_H

#include "cognate/result.h"
#include <stdbool.h>
#include <stdio.h>

struct cg_style {
    bool utf8;   /* the locale is UTF-8; otherwise plain ASCII */
    bool colour; /* a terminal, and NO_COLOR is not set */
};
struct cg_style cg_style_of(FILE *out);

/* 80 columns: models side by side, the architecture table, and for each pair the depth profile, norms with
 * plain, centred and shifted cosine, identical tensors, the embedding, band, verdict and reasons; the PCA's
 * first two components. */
int cg_summary_print(FILE *out, const struct cg_result *result, struct cg_style style, struct cg_err *err);

/* The same facts as one JSON object (root variables, profiles, PCA's variances). */
int cg_summary_json(FILE *out, const struct cg_result *result, struct cg_err *err);

/* The same facts and more as one self-contained HTML page with pictures; the second writes it to a file,
 * which appears only when it is whole. */
int cg_summary_html(FILE *out, const struct cg_result *result, struct cg_err *err);
int cg_summary_html_write(const struct cg_result *result, const char *path, struct cg_err *err);

#endif
