#include "form.h"

static const char *const groups[] = {"/", "/checkpoint", "/slots", "/blocks", "/tokens", "/run"};

static const struct cg_axis axes[] = {
#define AXIS(id, group, name) {group, name},
    CG_PRINT_DIMENSION_LIST(AXIS)
#undef AXIS
};

#define ROW(group, field, name, type, d0, d1, d2, units, long_name)                                          \
    {group,                                                                                                  \
     #name,                                                                                                  \
     CG_TYPE_##type,                                                                                         \
     {CG_PRINT_##d0, CG_PRINT_##d1, CG_PRINT_##d2},                                                          \
     units,                                                                                                  \
     long_name,                                                                                              \
     offsetof(struct cg_fingerprint, field.name)},
#define ROOT(...)       ROW("/", root, __VA_ARGS__)
#define CHECKPOINT(...) ROW("/checkpoint", checkpoint, __VA_ARGS__)
#define SLOTS(...)      ROW("/slots", slots, __VA_ARGS__)
#define BLOCKS(...)     ROW("/blocks", blocks, __VA_ARGS__)
#define TOKENS(...)     ROW("/tokens", tokens, __VA_ARGS__)

static const struct cg_variable variables[] = {CG_PRINT_ROOT(ROOT)             /* */
                                               CG_PRINT_CHECKPOINT(CHECKPOINT) /* */
                                               CG_PRINT_SLOTS(SLOTS)           /* */
                                               CG_PRINT_BLOCKS(BLOCKS)         /* */
                                               CG_PRINT_TOKENS(TOKENS)};

#define ATTRIBUTE(group, name, type, field)                                                                  \
    {                                                                                                        \
        group, name, CG_TYPE_##type, offsetof(struct cg_fingerprint, field)                                  \
    }
#define RUN(field, type) ATTRIBUTE("/run", #field, type, run.field)

static const struct cg_attribute attributes[] = {
    ATTRIBUTE("/", "source", TEXT, source),
    ATTRIBUTE("/", "notes", TEXT, notes),
    RUN(date_created, TEXT),
    RUN(history, TEXT),
    RUN(ranks, INT64),
    RUN(hosts, INT64),
    RUN(wall_seconds, FLOAT64),
    RUN(read_seconds_max, FLOAT64),
    RUN(read_seconds_mean, FLOAT64),
    RUN(bytes_read, INT64),
    RUN(bytes_reread, INT64),
    RUN(peak_rss_bytes_max, INT64),
};

const struct cg_form cg_fingerprint_form = {
    .kind = "fingerprint",
    .title = "Fingerprint of a language model: what tells its descent, without its weights",
    .version_name = "cognate_fingerprint",
    .version = CG_PRINT_VERSION,
    .groups = groups,
    .ngroups = sizeof groups / sizeof *groups,
    .axes = axes,
    .naxes = CG_PRINT_DIMENSION_COUNT,
    .variables = variables,
    .nvariables = sizeof variables / sizeof *variables,
    .attributes = attributes,
    .nattributes = sizeof attributes / sizeof *attributes,
};
