/* A table of models, made unique and paired. */
#include "cognate/manifest.h"
#include "fuzz.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void check_entry(const struct cg_manifest *manifest, size_t i)
{
    const struct cg_entry *entry = &manifest->entries[i];
    assert(*entry->label && *entry->path && entry->family);
    assert(strcmp(entry->role, "") == 0 || strcmp(entry->role, "base") == 0 ||
           strcmp(entry->role, "target") == 0);
    for (size_t k = 0; k < i; k++)
        assert(strcmp(manifest->entries[k].label, entry->label) != 0);
}

/* Each pair is new, and its first model is a base or comes first. */
static void check_pair(const struct cg_manifest *manifest, int32_t (*pair)[2], bool first)
{
    int32_t a = (*pair)[0], b = (*pair)[1];
    assert(a >= 0 && b >= 0 && (size_t)a < manifest->n && (size_t)b < manifest->n);
    bool base = strcmp(manifest->entries[a].role, "base") == 0;
    assert(base == (strcmp(manifest->entries[b].role, "target") == 0) && (base || a < b));
    assert(first || pair[-1][0] < a || (pair[-1][0] == a && pair[-1][1] < b));
}

static void check_pairs(const struct cg_manifest *manifest)
{
    int32_t(*pairs)[2] = NULL;
    size_t npairs = 0;
    struct cg_err err = {0};
    if (cg_manifest_pairs(manifest, &pairs, &npairs, &err) == 0)
        assert(npairs > 0);
    else
        fuzz_check_text(err.text, false);
    for (size_t i = 0; i < npairs; i++)
        check_pair(manifest, &pairs[i], i == 0);
    free(pairs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cg_manifest manifest = {0};
    struct cg_err err = {0};
    fuzz_write("table.tsv", data, size);
    if (cg_manifest_read(&manifest, scratch_path(fuzz_scratch(), "table.tsv"), &err) < 0) {
        assert(err.code != CG_OK);
        fuzz_check_text(err.text, false);
    } else {
        assert(cg_manifest_unique_labels(&manifest, &err) == 0);
        for (size_t i = 0; i < manifest.n; i++)
            check_entry(&manifest, i);
        check_pairs(&manifest);
    }
    cg_manifest_release(&manifest);
    return 0;
}
