#include "cognate/fingerprint.h"
#include "check.h"
#include "form.h"
#include "metadata.h"
#include "result/publish.h"
#include "sweep/panel.h"
#include <stdlib.h>
#include <string.h>

void cg_fingerprint_release(struct cg_fingerprint *print)
{
    cg_record_release(&cg_fingerprint_form, print);
    *print = (struct cg_fingerprint){0};
}

static int read_checked(struct cg_fingerprint *out, bool (*wanted)(const struct cg_variable *),
                        int (*check)(const struct cg_fingerprint *, struct cg_err *), const char *path,
                        struct cg_err *err)
{
    if (cg_form_read(&cg_fingerprint_form, wanted, out, path, err) < 0) {
        cg_fingerprint_release(out);
        return -1;
    }
    if (check(out, err) == 0)
        return 0;
    cg_fingerprint_release(out);
    return cg_blame_file(path, err);
}

int cg_fingerprint_read(struct cg_fingerprint *out, const char *path, struct cg_err *err)
{
    return read_checked(out, NULL, cg_print_check, path, err);
}

/* What cg_fingerprint_checkpoint looks at. */
static bool is_metadata(const struct cg_variable *variable)
{
    static const char *const of_slots[] = {"name", "rows", "columns", "tensor", "panel_first"};
    bool known = strcmp(variable->group, "/") == 0 || strcmp(variable->group, "/checkpoint") == 0;
    for (size_t i = 0; strcmp(variable->group, "/slots") == 0 && i < sizeof of_slots / sizeof *of_slots; i++)
        known |= strcmp(variable->name, of_slots[i]) == 0;
    return known;
}

int cg_fingerprint_read_metadata(struct cg_fingerprint *out, const char *path, struct cg_err *err)
{
    return read_checked(out, is_metadata, cg_metadata_check, path, err);
}

static int write_print(int descriptor, const void *record, struct cg_err *err)
{
    return cg_form_write_to(&cg_fingerprint_form, record, descriptor, err);
}

static int check_print(const char *path, struct cg_err *err)
{
    struct cg_fingerprint print = {0};
    return cg_form_check(&cg_fingerprint_form, &print, path, err);
}

int cg_fingerprint_write(const struct cg_fingerprint *print, const char *path, struct cg_err *err)
{
    return cg_publish(&(struct cg_publication){write_print, check_print, print}, path, err);
}

int cg_fingerprint_verify(const char *path, struct cg_err *err)
{
    struct cg_fingerprint print = {0};
    int datasets = check_print(path, err);
    if (datasets < 0)
        return cg_blame_file(path, err);
    if (cg_fingerprint_read(&print, path, err) < 0)
        return -1;
    cg_fingerprint_release(&print);
    return datasets;
}

bool cg_fingerprint_recognise(const char *path)
{
    return cg_form_recognise(&cg_fingerprint_form, path);
}

int cg_fingerprint_blame(const char *path, struct cg_err *err)
{
    return cg_blame_file(path, err);
}

/* Slots are what they were when the fingerprint was made; or names have changed since. */
static int check_anatomy(const struct cg_fingerprint *print, const struct cg_anatomy *anatomy,
                         struct cg_err *err)
{
    bool same = anatomy->nslots == print->size[CG_PRINT_SLOT];
    for (int64_t s = 0; same && s < anatomy->nslots; s++) {
        const struct cg_slot *slot = &anatomy->slots[s];
        const struct cg_member *member = cg_member_of(anatomy, s, 0);
        struct cg_panel_shape shape = cg_panel_shape_within(slot->role, member->rows, member->columns,
                                                            print->root.size_value[CG_PRINT_PANEL_NUMBER]);
        same = strcmp(slot->name, print->slots.name[s]) == 0 && member->rows == print->slots.rows[s] &&
               member->columns == print->slots.columns[s] && member->tensor == print->slots.tensor[s] &&
               (print->slots.panel_first[s] < 0 ||
                shape.lines * shape.residual <= print->size[CG_PRINT_ELEMENT] - print->slots.panel_first[s]);
    }
    return same ? 0
                : cg_fail(err, CG_EUNSUPPORTED,
                          "was made by %s, which names the model's parts otherwise: make it anew",
                          print->source);
}

int cg_fingerprint_checkpoint(struct cg_checkpoint *out, const struct cg_fingerprint *print,
                              struct cg_err *err)
{
    const struct cg_checkpoint *pointer = out;
    struct cg_anatomy anatomy = {0};
    struct cg_architecture architecture;
    int result = -1;
    CG_TRY(cg_metadata_restore(out, print, err));
    CG_TRY(cg_anatomy_build(&anatomy, &pointer, 1, err));
    CG_TRY(check_anatomy(print, &anatomy, err));
    CG_TRY(cg_architecture_of(&architecture, out, err));
    result = 0;
done:
    cg_anatomy_release(&anatomy);
    if (result < 0)
        cg_checkpoint_release(out);
    return result;
}
