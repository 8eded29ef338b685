/* The parts of the HTML page. Elements are written as XML would have them, so that any parser can check a
 * page; pictures are inline SVG, 360 units wide: about what a phone shows. What stdio cannot write shows in
 * ferror at the end. */
#ifndef COGNATE_HTML_PARTS_H
#define COGNATE_HTML_PARTS_H

#include "summary_parts.h"

/* Escaped; what is no UTF-8, controls and marks that turn the direction of writing become U+FFFD. */
void cg_html_text(FILE *out, const char *text);

/* Writes markup in which each '$' stands for the next of the texts, escaped. No value enters a page
 * otherwise. */
#define cg_html(out, markup, ...) cg_html_fill(out, markup, (const char *const[]){__VA_ARGS__})
void cg_html_fill(FILE *out, const char *markup, const char *const *texts);

/* Several lines of text as items of a list; nothing when there are none. */
int cg_html_lines(FILE *out, const char *lines, struct cg_err *err);

/* "3 a-sft": a model's number and label. */
void cg_html_model(FILE *out, const struct cg_result *result, int64_t model);

/* Both models of a pair. */
void cg_html_pair(FILE *out, const struct cg_result *result, int64_t pair);

/* Whether the page shows the pair in full: of very many, only those with evidence. */
bool cg_html_in_full(const struct cg_result *result, int64_t pair);

/* A number in an attribute of SVG: one decimal, no trailing zero. */
void cg_html_place(FILE *out, double value);

/* The head of the document with all style in it, up to the opening of the body. */
void cg_html_head(FILE *out, const struct cg_result *result);

/* A line from values to places. */
struct cg_scale {
    double from, to;      /* values */
    double start, extent; /* places: extent is below 0 where the axis runs up */
};
double cg_scale_place(const struct cg_scale *scale, double value);

/* The step between ticks (1, 2, 5, 10, ... times `unit`) that makes at most `most` of them. */
double cg_scale_step(double range, double unit, int most);

/* Ticks along the bottom, at height y; grid lines from x to `right` with their numbers to the left. */
void cg_html_axis_x(FILE *out, const struct cg_scale *scale, double y, double step, int decimals);
void cg_html_axis_y(FILE *out, const struct cg_scale *scale, double x, double right, double step,
                    int decimals);

/* A heat map: cells from 0 to 1 in CG_HEAT_LEVELS colours; NaN stays blank. */
enum { CG_HEAT_LEVELS = 20 };
struct cg_heat {
    const char *title;               /* what it shows, for those who hear it */
    const char *row_name, *col_name; /* "layer of a" */
    int64_t rows, cols;              /* above 0 */
    const double *values;            /* row-major */
    const int64_t *marked;           /* the row of each column that bears a dot, -1 none; may be NULL */
    struct cg_number (*label)(const void *context, int64_t row,
                              int64_t col); /* where cells have room; or NULL */
    const void *context;
};
void cg_html_heat(FILE *out, const struct cg_heat *heat);
void cg_html_heat_legend(FILE *out);

enum { CG_HTML_COLOURS = 8 };    /* that tell models apart: classes c0 to c7 */
int cg_heat_level(double value); /* -1 for NaN */

/* The letter and the class of a verdict. */
struct cg_verdict_look {
    const char *verdict, *letter, *class_name;
};
struct cg_verdict_look cg_verdict_look(const char *verdict);
void cg_html_badge(FILE *out, const char *verdict);

/* The sections, in the order of the page. */
int cg_html_overview(FILE *out, const struct cg_result *result, struct cg_err *err);
void cg_html_merges(FILE *out, const struct cg_result *result);
void cg_html_models(FILE *out, const struct cg_result *result);
int cg_html_pairs(FILE *out, const struct cg_result *result, struct cg_err *err);
int cg_html_layers(FILE *out, const struct cg_result *result, int64_t pair, struct cg_err *err);
int cg_html_experts(FILE *out, const struct cg_result *result, int64_t pair, struct cg_err *err);
void cg_html_identities(FILE *out, const struct cg_result *result, int64_t pair);
int cg_html_norms(FILE *out, const struct cg_result *result, int64_t pair, struct cg_err *err);
int cg_html_embedding(FILE *out, const struct cg_result *result, int64_t pair, struct cg_err *err);
int cg_html_pca(FILE *out, const struct cg_result *result, struct cg_err *err);
int cg_html_provenance(FILE *out, const struct cg_result *result, struct cg_err *err);
void cg_html_glossary(FILE *out);

#endif
