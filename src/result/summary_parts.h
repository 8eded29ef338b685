/* The parts of the summary: a page of 80 columns, tables, numbers as people read them, and the sections. */
#ifndef COGNATE_SUMMARY_PARTS_H
#define COGNATE_SUMMARY_PARTS_H

#include "cognate/summary.h"

enum { CG_PAGE_COLUMNS = 80, CG_FIT_BYTES = 512, CG_TABLE_COLUMNS = 12 };

/* Where the text goes and how it may look. What stdio cannot write shows in ferror at the end. */
struct cg_page {
    FILE *out;
    struct cg_style style;
};

/* Text from files passes through these: nothing reaches a terminal that could move its cursor or turn the
 * direction of writing, and with an ASCII style every other character becomes '?'. */

/* Whether the UTF-8 character turns the direction of writing or takes no room: a label could hide behind it.
 */
bool cg_page_hides(const char *character, size_t length);

/* Columns that the text takes on a terminal. */
int cg_page_width(const char *text, struct cg_style style);

/* The text cut to `columns`, with an ellipsis where something is missing. */
void cg_page_fit(char out[CG_FIT_BYTES], const char *text, int columns, struct cg_style style);

/* The text in exactly `columns` columns, cut or padded with spaces on the left or right. */
void cg_page_cell(struct cg_page page, const char *text, int columns, bool right);

/* One wrapped item a line of text: indent, mark, words; later lines hang under the first word. */
void cg_page_items(struct cg_page page, int indent, const char *mark, const char *text);

/* "  name            text", wrapped. */
void cg_page_field(struct cg_page page, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* An explanation under a table or chart: wrapped, and dim where there is colour. */
void cg_page_caption(struct cg_page page, const char *text);

/* A blank line and a heading in bold. */
void cg_page_heading(struct cg_page page, const char *text);

/* Switches: "1" bold, "2" dim, "0" plain; nothing without colour. */
void cg_page_ink(struct cg_page page, const char *code);

/* A bar of exactly `columns` columns for a value from 0 to 1; below 0 and NaN leave it empty. */
void cg_page_bar(struct cg_page page, double value, int columns);

/* The word for it in the style: an arrow, a bullet. */
const char *cg_page_arrow(struct cg_style style);
const char *cg_page_bullet(struct cg_style style);

/* Numbers, by value so that they can stand in an argument list. "-" for what is absent (NaN, below 0). */
struct cg_number {
    char text[32];
};
struct cg_number
cg_show_cosine(double cosine); /* 4 decimals; more near 1, "2e-07" near 0: never rounded to them */
struct cg_number cg_show_t(double t);
struct cg_number cg_show_score(double score); /* 3 digits: scores have the scale of the features */
struct cg_number cg_show_p(double log10_p, struct cg_style style); /* rounded up, towards innocence */
struct cg_number cg_show_count(int64_t count);                     /* 102,651,799,552 */
struct cg_number cg_show_size(int64_t bytes);                      /* 205.3 GB, decimal */
struct cg_number cg_show_share(double share);                      /* 99.1 %; 100 % only when it is */
struct cg_number cg_show_weight(double weight);                    /* 3 decimals */

/* A table whose columns are as wide as their contents; the first row is the head. A column with nothing
 * under its head is left out. `kinds`: one letter a column, l or r for its side; upper case: may be cut
 * where the table is too wide; cg_text_table_print says whether that was so. */
struct cg_text_table {
    const char *kinds;
    char **cells; /* row-major */
    size_t count, capacity;
};
int cg_text_table_add(struct cg_text_table *table, struct cg_err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int cg_text_table_add_model(struct cg_text_table *table, const struct cg_result *result, int64_t model,
                            struct cg_err *err); /* its number and label: tells cut labels apart */
int cg_text_table_heads(struct cg_text_table *table, const char *const *heads, struct cg_err *err);
bool cg_text_table_print(const struct cg_text_table *table, struct cg_page page);
void cg_text_table_release(struct cg_text_table *table);

/* Facts that the text, the JSON and the HTML page share. */

/* A row of the architecture table. Unknown and "has none" look alike: config.json does not tell them apart.
 */
enum { CG_TRAITS = 9 };
struct cg_trait {
    const char *name;
    const int64_t *value;
    const int64_t *active; /* shown behind in brackets; may be NULL */
};
void cg_traits_of(struct cg_trait traits[CG_TRAITS], const struct cg_result *result);
struct cg_number cg_show_trait(const struct cg_trait *trait, int64_t model);
bool cg_trait_differs(const struct cg_trait *trait, int64_t models);

/* Slots of a model with elements that are NaN or infinite, and how many those are in all. */
int64_t cg_nonfinite_slots(const struct cg_result *result, int64_t model, int64_t *elements);

struct cg_range {
    int64_t n; /* values that are no NaN */
    double mean, least, most;
};
struct cg_range cg_range_of(const double *values, int64_t n);

/* The norm slots of a pair: plain cosine, centred cosine, that of the panels, t of the shift null. */
struct cg_norms {
    struct cg_range plain, centred, panel, t;
};
bool cg_is_norm(const char *role); /* whether a role's name, as the result holds it, is one of a norm */
int cg_norms_of(struct cg_norms *out, const struct cg_result *result, int64_t pair, struct cg_err *err);

/* The tokens of a pair that have a cosine, least first. The caller frees `sorted`. */
struct cg_ranked_token {
    double cosine;
    int64_t index; /* into /embeddings' tokens */
};
struct cg_tokens {
    int64_t n;
    struct cg_ranked_token *sorted;
};
int cg_tokens_of(struct cg_tokens *out, const struct cg_result *result, int64_t pair, struct cg_err *err);
double cg_tokens_quantile(const struct cg_tokens *tokens, double share); /* linear between two; NaN of none */

/* One parent of one child in /merges, from its first row on: the weight over the layers inside the model, or
 * outside where there are no others. */
struct cg_merge_line {
    int64_t rows;                    /* of this line; 0 at the end of /merges */
    int32_t child, base, parent;     /* base -1: none */
    int64_t layers, told;            /* of these the weight could be told in */
    double mean, least, most, error; /* error: the largest standard error; NaN where none was told */
};
struct cg_merge_line cg_merge_line_at(const struct cg_result *result, int64_t first);

/* Layers of b up to the last that has a value in the depth profile. */
int64_t cg_profile_layers(const struct cg_result *result, int64_t pair);

/* The place of a role group on its axis, -1 when it is not there; the profile's value, NaN there. */
int64_t cg_group_index(const struct cg_result *result, const char *name);
double cg_profile_at(const struct cg_result *result, int64_t pair, int64_t layer, int64_t group);

/* A sample's score; the range of a component's; mean and standard deviation (n - 1) of a model's, and how
 * many samples it has. */
double cg_score_at(const struct cg_result *result, int64_t sample, int64_t component);
int cg_score_range(const struct cg_result *result, int64_t component, struct cg_range *range,
                   struct cg_err *err);
int64_t cg_scores_of(const struct cg_result *result, int64_t model, int64_t component, double *mean,
                     double *spread);

/* The canonical name of a slot, "?" when there is none of this index. */
const char *cg_slot_name(const struct cg_result *result, int64_t slot);

/* The label of a model, "?" when there is none of this index. */
const char *cg_model_label(const struct cg_result *result, int64_t model);

/* The sections. */
int cg_summary_models(struct cg_page page, const struct cg_result *result, struct cg_err *err);
int cg_summary_skipped(struct cg_page page, const struct cg_result *result, struct cg_err *err);
int cg_summary_architecture(struct cg_page page, const struct cg_result *result, struct cg_err *err);
int cg_summary_merges(struct cg_page page, const struct cg_result *result, struct cg_err *err);
int cg_summary_pairs(struct cg_page page, const struct cg_result *result, struct cg_err *err);
void cg_summary_profile(struct cg_page page, const struct cg_result *result, int64_t pair);
int cg_summary_maps(struct cg_page page, const struct cg_result *result, int64_t pair, struct cg_err *err);
int cg_summary_norms(struct cg_page page, const struct cg_result *result, int64_t pair, struct cg_err *err);
int cg_summary_embedding(struct cg_page page, const struct cg_result *result, int64_t pair,
                         struct cg_err *err);
int cg_summary_pca(struct cg_page page, const struct cg_result *result, struct cg_err *err);

#endif
