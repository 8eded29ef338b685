/* What is said in a fingerprint whose digests are right. */
#include "check.h"
#include "cognate/mem.h"
#include "metadata.h"
#include "sweep/panel.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Scales beyond it have no use, and could make products infinite. */
static const float MOST_SCALE = 1e15F;

/* Nothing is sampled more often, of a block or of the embedding: products of two such numbers are small. */
enum { MOST_SAMPLED = 1 << 12 };

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

/* Sums of finite numbers, and their bounds where there are any. */
static bool moments_are_sound(const struct cg_fingerprint *print, int64_t s)
{
    double least = print->slots.minimum[s], most = print->slots.maximum[s];
    bool none = print->slots.elements[s] == print->slots.nonfinite[s];
    return isfinite(print->slots.sum[s]) && isfinite(print->slots.squares[s]) &&
           print->slots.squares[s] >= 0 && isfinite(print->slots.rounding[s]) &&
           print->slots.rounding[s] >= 0 && (none || (isfinite(least) && isfinite(most) && least <= most));
}

static bool slot_is_sound(const struct cg_fingerprint *print, int64_t s)
{
    long long elements;
    if (print->slots.tensor[s] < 0 || print->slots.tensor[s] >= print->size[CG_PRINT_STORED] ||
        cg_multiply(print->slots.rows[s], print->slots.columns[s], &elements) < 0 ||
        !hex_is_sound(print->slots.sha256[s], 2 * CG_SHA256) ||
        (print->slots.elements[s] != 0 && print->slots.elements[s] != elements) ||
        print->slots.nonfinite[s] < 0 || print->slots.nonfinite[s] > elements ||
        !hex_is_sound(print->slots.values_hash[s], print->slots.elements[s] > 0 ? 16 : 0) ||
        !moments_are_sound(print, s))
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

/* Whether `all` is so many for each of the blocks. */
static bool is_for_each(int64_t all, int64_t blocks, int64_t number)
{
    long long product;
    return number <= MOST_SAMPLED && cg_multiply(blocks, number, &product) == 0 && product == all;
}

static int check_blocks(const struct cg_fingerprint *print, struct cg_err *err)
{
    const int64_t *size = print->size, *number = print->root.size_value;
    int64_t kept = size[CG_PRINT_BLOCK], units = number[CG_PRINT_UNITS_NUMBER];
    bool sound = kept <= INT32_MAX && is_for_each(size[CG_PRINT_UNIT], 2 * kept, units) &&
                 size[CG_PRINT_COLUMN] == number[CG_PRINT_COLUMNS_NUMBER] &&
                 size[CG_PRINT_PROBE] == number[CG_PRINT_PROBES_NUMBER] &&
                 is_for_each(size[CG_PRINT_PRODUCT], kept, number[CG_PRINT_SQUARE_NUMBER]) &&
                 size[CG_PRINT_PRODUCT_COLUMN] == number[CG_PRINT_SQUARE_NUMBER] &&
                 is_for_each(size[CG_PRINT_EXACT_ROW], 2 * kept, number[CG_PRINT_EXACT_ROWS_NUMBER]) &&
                 size[CG_PRINT_EXACT_COLUMN] == number[CG_PRINT_EXACT_COLUMNS_NUMBER] &&
                 size[CG_PRINT_COLUMN] <= MOST_SAMPLED && size[CG_PRINT_EXACT_COLUMN] <= MOST_SAMPLED &&
                 size[CG_PRINT_PROBE] <= MOST_SAMPLED && size[CG_PRINT_PROBE] <= size[CG_PRINT_SAMPLE] &&
                 scales_are_sound(print->blocks.raw_scale, size[CG_PRINT_UNIT]) &&
                 scales_are_sound(print->blocks.probes_scale, size[CG_PRINT_UNIT]) &&
                 scales_are_sound(print->blocks.products_scale, size[CG_PRINT_PRODUCT]) &&
                 scales_are_sound(print->blocks.exact_scale, size[CG_PRINT_EXACT_ROW]);
    for (int64_t k = 0; sound && k < kept; k++)
        sound = print->blocks.units[k] > 0 && print->blocks.units[k] <= units;
    return sound ? 0 : cg_fail(err, CG_EFORMAT, "/blocks: sizes or scales are out of their bounds");
}

/* The tokens' bytes follow each other without a gap: those of token i begin at `at`. */
static bool token_is_sound(const struct cg_fingerprint *print, int64_t i, int64_t at)
{
    int64_t length = print->tokens.length[i];
    return print->tokens.id[i] >= 0 && (i == 0 || print->tokens.id[i] > print->tokens.id[i - 1]) &&
           print->tokens.first[i] == at && length >= 0 && length <= print->size[CG_PRINT_BYTE] - at;
}

static int check_tokens(const struct cg_fingerprint *print, struct cg_err *err)
{
    const int64_t *size = print->size;
    bool sound = size[CG_PRINT_GRAM] == size[CG_PRINT_GRAM_COLUMN] &&
                 size[CG_PRINT_GRAM] <= size[CG_PRINT_SAMPLE] && size[CG_PRINT_SAMPLE] <= MOST_SAMPLED &&
                 size[CG_PRINT_SAMPLE_COLUMN] <= MOST_SAMPLED &&
                 size[CG_PRINT_SAMPLE] <= size[CG_PRINT_ENTRY] &&
                 scales_are_sound(print->tokens.row_scale, size[CG_PRINT_SAMPLE]) &&
                 scales_are_sound(print->tokens.gram_scale, size[CG_PRINT_GRAM]);
    for (int64_t i = 0; sound && i < size[CG_PRINT_SAMPLE]; i++)
        sound = print->tokens.sample_id[i] >= 0;
    int64_t bytes = 0;
    for (int64_t i = 0; sound && i < size[CG_PRINT_ENTRY]; i++) {
        sound = token_is_sound(print, i, bytes);
        bytes = sound ? bytes + print->tokens.length[i] : bytes;
    }
    sound = sound && bytes == size[CG_PRINT_BYTE];
    return sound ? 0 : cg_fail(err, CG_EFORMAT, "/tokens: sizes or places are out of their bounds");
}

int cg_print_check(const struct cg_fingerprint *print, struct cg_err *err)
{
    if (cg_metadata_check(print, err) < 0 || check_slots(print, err) < 0 || check_blocks(print, err) < 0)
        return -1;
    return check_tokens(print, err);
}
