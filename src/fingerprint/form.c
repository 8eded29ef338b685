#include "form.h"

static const char *const groups[] = {"/", "/checkpoint", "/slots", "/blocks", "/tokens", "/run"};

static const struct cg_axis axes[] = {
#define AXIS(id, group, name) {group, name},
    CG_PRINT_DIMENSION_LIST(AXIS)
#undef AXIS
};

#define ROW(...)        CG_VARIABLE(struct cg_fingerprint, CG_PRINT_, __VA_ARGS__),
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

static const struct cg_attribute attributes[] = {
    CG_ATTRIBUTE(struct cg_fingerprint, "/", "source", TEXT, source),
    CG_ATTRIBUTE(struct cg_fingerprint, "/", "notes", TEXT, notes),
    CG_RUN_ATTRIBUTES(struct cg_fingerprint),
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
