#include "cognate/fingerprint.h"
#include "cognate/mem.h"
#include "form.h"
#include "metadata.h"
#include "result/publish.h"
#include "sweep/panel.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Scales beyond it have no use, and could make products infinite. */
static const float MOST_SCALE = 1e15F;

void cg_fingerprint_release(struct cg_fingerprint *print)
{
    cg_record_release(&cg_fingerprint_form, print);
    *print = (struct cg_fingerprint){0};
}

static bool hex_is_sound(const char *text, size_t digits)
{
    return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

static bool scales_are_sound(const float *scale, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!(scale[i] >= 0 && scale[i] <= MOST_SCALE))
            return false;
    return true;
}

static bool slot_is_sound(const struct cg_fingerprint *print, int64_t s)
{
    long long elements;
    if (print->slots.tensor[s] < 0 || print->slots.tensor[s] >= print->size[CG_PRINT_STORED] ||
        cg_multiply(print->slots.rows[s], print->slots.columns[s], &elements) < 0 ||
        !hex_is_sound(print->slots.sha256[s], 2 * CG_SHA256) ||
        (print->slots.elements[s] != 0 && print->slots.elements[s] != elements) ||
        print->slots.nonfinite[s] < 0 || print->slots.nonfinite[s] > elements ||
        !hex_is_sound(print->slots.values_hash[s], print->slots.elements[s] > 0 ? 16 : 0))
        return false;
    for (int64_t k = 0; k < print->size[CG_PRINT_FEATURE]; k++)
        if (!isfinite(print->slots.sketch[s * print->size[CG_PRINT_FEATURE] + k]))
            return false;
    return print->slots.panel_first[s] >= -1 && print->slots.panel_first[s] <= print->size[CG_PRINT_ELEMENT];
}

static bool is_power_of_two(int64_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

static int check_slots(const struct cg_fingerprint *print, struct cg_err *err)
{
    if (!is_power_of_two(print->size[CG_PRINT_FEATURE]) ||
        print->root.size_value[CG_PRINT_PANEL_NUMBER] < 1 ||
        print->root.size_value[CG_PRINT_PANEL_NUMBER] > CG_PANEL_ELEMENTS ||
        !scales_are_sound(print->slots.panel_scale, print->size[CG_PRINT_SLOT]))
        return cg_fail(err, CG_EFORMAT, "/slots: sizes or scales are out of their bounds");
    for (int64_t s = 0; s < print->size[CG_PRINT_SLOT]; s++)
        if (!slot_is_sound(print, s))
            return cg_fail(err, CG_EFORMAT, "/slots: slot %" PRId64 " is out of its bounds", s);
    return 0;
}

static int check_blocks(const struct cg_fingerprint *print, struct cg_err *err)
{
    const int64_t *size = print->size, *number = print->root.size_value;
    int64_t kept = size[CG_PRINT_BLOCK], units = number[CG_PRINT_UNITS_NUMBER];
    bool sound = size[CG_PRINT_UNIT] == 2 * kept * units &&
                 size[CG_PRINT_COLUMN] == number[CG_PRINT_COLUMNS_NUMBER] &&
                 size[CG_PRINT_PROBE] == number[CG_PRINT_PROBES_NUMBER] &&
                 size[CG_PRINT_PRODUCT] == kept * number[CG_PRINT_SQUARE_NUMBER] &&
                 size[CG_PRINT_PRODUCT_COLUMN] == number[CG_PRINT_SQUARE_NUMBER] &&
                 size[CG_PRINT_EXACT_ROW] == 2 * kept * number[CG_PRINT_EXACT_ROWS_NUMBER] &&
                 size[CG_PRINT_EXACT_COLUMN] == number[CG_PRINT_EXACT_COLUMNS_NUMBER] &&
                 size[CG_PRINT_PROBE] <= size[CG_PRINT_SAMPLE] &&
                 scales_are_sound(print->blocks.raw_scale, size[CG_PRINT_UNIT]) &&
                 scales_are_sound(print->blocks.probes_scale, size[CG_PRINT_UNIT]) &&
                 scales_are_sound(print->blocks.products_scale, size[CG_PRINT_PRODUCT]) &&
                 scales_are_sound(print->blocks.exact_scale, size[CG_PRINT_EXACT_ROW]);
    for (int64_t k = 0; sound && k < kept; k++)
        sound = print->blocks.units[k] > 0 && print->blocks.units[k] <= units;
    return sound ? 0 : cg_fail(err, CG_EFORMAT, "/blocks: sizes or scales are out of their bounds");
}

static bool token_is_sound(const struct cg_fingerprint *print, int64_t i)
{
    int64_t first = print->tokens.first[i], length = print->tokens.length[i],
            bytes = print->size[CG_PRINT_BYTE];
    return print->tokens.id[i] >= 0 && (i == 0 || print->tokens.id[i] > print->tokens.id[i - 1]) &&
           first >= 0 && length >= 0 && first <= bytes && length <= bytes - first;
}

static int check_tokens(const struct cg_fingerprint *print, struct cg_err *err)
{
    const int64_t *size = print->size;
    bool sound = size[CG_PRINT_GRAM] == size[CG_PRINT_GRAM_COLUMN] &&
                 size[CG_PRINT_GRAM] <= size[CG_PRINT_SAMPLE] &&
                 size[CG_PRINT_SAMPLE] <= size[CG_PRINT_ENTRY] &&
                 scales_are_sound(print->tokens.row_scale, size[CG_PRINT_SAMPLE]) &&
                 scales_are_sound(print->tokens.gram_scale, size[CG_PRINT_GRAM]);
    for (int64_t i = 0; sound && i < size[CG_PRINT_SAMPLE]; i++)
        sound = print->tokens.sample_id[i] >= 0;
    for (int64_t i = 0; sound && i < size[CG_PRINT_ENTRY]; i++)
        sound = token_is_sound(print, i);
    return sound ? 0 : cg_fail(err, CG_EFORMAT, "/tokens: sizes or places are out of their bounds");
}

/* All that an index or a size could do harm with. */
static int check(const struct cg_fingerprint *print, struct cg_err *err)
{
    if (cg_metadata_check(print, err) < 0 || check_slots(print, err) < 0 || check_blocks(print, err) < 0)
        return -1;
    return check_tokens(print, err);
}

static int read_checked(struct cg_fingerprint *out, bool (*wanted)(const struct cg_variable *),
                        int (*check_read)(const struct cg_fingerprint *, struct cg_err *), const char *path,
                        struct cg_err *err)
{
    if (cg_form_read(&cg_fingerprint_form, wanted, out, path, err) < 0) {
        cg_fingerprint_release(out);
        return -1;
    }
    if (check_read(out, err) == 0)
        return 0;
    cg_fingerprint_release(out);
    return cg_blame_file(path, err);
}

int cg_fingerprint_read(struct cg_fingerprint *out, const char *path, struct cg_err *err)
{
    return read_checked(out, NULL, check, path, err);
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
