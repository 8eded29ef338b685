#include "cognate/roles.h"

struct facts_of_role {
    const char *name;
    enum cg_group group;
    enum cg_residual residual;
    enum cg_place place;
};

static const struct facts_of_role roles[CG_ROLE_COUNT] = {
#define CG_ROLE_ROW(id, name, group, residual, place)                                                        \
    [id] = {name, CG_GROUP_##group, CG_RESIDUAL_##residual, CG_PLACE_##place},
    CG_ROLE_LIST(CG_ROLE_ROW)
#undef CG_ROLE_ROW
};

const char *cg_role_name(enum cg_role role)
{
    return roles[role].name;
}

enum cg_group cg_role_group(enum cg_role role)
{
    return roles[role].group;
}

enum cg_residual cg_role_residual(enum cg_role role)
{
    return roles[role].residual;
}

enum cg_place cg_role_place(enum cg_role role)
{
    return roles[role].place;
}

const char *cg_group_name(enum cg_group group)
{
    static const char *const names[CG_GROUP_COUNT] = {
        [CG_GROUP_EMBEDDING] = "embedding", [CG_GROUP_ATTENTION] = "attention", [CG_GROUP_FFN] = "ffn",
        [CG_GROUP_NORM] = "norm",           [CG_GROUP_OTHER] = "other",
    };
    return names[group];
}
